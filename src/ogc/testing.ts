/** For tests of this room: catalogs made of files, and a node that serves one without a log. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { UnavailableError } from '../base/index.ts';
import { Catalog } from '../catalog/index.ts';
import type { ClusterNode, NodeReport } from '../cluster/index.ts';
import { type FileOperation, isReplicated, type Position, Tree, treePath } from '../tree/index.ts';

/** The small text files of a data directory. */
export function filesOf(folder: string): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(folder, file);
    if (!name.startsWith('data/') && isReplicated(treePath(name))) files[name] = readFileSync(file);
  }
  return files;
}

type Files = Readonly<Record<string, Uint8Array | string>>;

/** A node whose changes come from the test. */
export interface TestNode extends ClusterNode {
  /** Puts files, or deletes those without contents, as one record. */
  change(files: Readonly<Record<string, Uint8Array | string | undefined>>): void;
}

export function testNode(files: Files): TestNode {
  const tree = new Tree();
  const apply = (changes: Readonly<Record<string, Uint8Array | string | undefined>>) =>
    tree.apply((tree.position + 1) as Position, Object.entries(changes).map(operation));
  apply(files);
  const catalog = new Catalog(tree);
  const listeners = new Set<(position: Position) => void>();
  const waiting: { position: number; done: () => void }[] = [];
  const absent = (): never => {
    throw new Error('the test node has no log');
  };
  return {
    name: 'test',
    role: 'both',
    logId: 'test',
    catalog,
    get position() {
      return tree.position;
    },
    get digest() {
      return tree.digest;
    },
    change(changes) {
      catalog.apply(apply(changes));
      for (const listener of listeners) listener(tree.position);
      for (const { position, done } of waiting) if (position <= tree.position) done();
    },
    waitFor(position, timeoutMs) {
      if (tree.position >= position) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new UnavailableError('not-yet', `position ${position}`)), timeoutMs);
        const done = () => {
          clearTimeout(timer);
          resolve();
        };
        waiting.push({ position, done });
      });
    },
    onApplied(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    history: undefined as never,
    write: absent,
    stage: absent,
    open: (path) => tree.open(path),
    divergences: () => [],
    reload: absent,
    written: () => Promise.resolve(),
    catchUp: absent,
    members: absent,
    status: () => ({ unwritten: 0 }) as NodeReport,
    snapshot: absent,
    setRole: absent,
    close: () => Promise.resolve(),
  };
}

function operation([name, contents]: readonly [string, Uint8Array | string | undefined]): FileOperation {
  const file = treePath(name);
  if (contents === undefined) return { kind: 'delete', path: file };
  return { kind: 'put', path: file, content: { kind: 'inline', bytes: Buffer.from(contents) } };
}
