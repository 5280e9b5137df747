/** For tests: nodes on one memory log, in folders of their own. */
import { randomInt } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Logger, systemClock } from '../base/index.ts';
import { type ChangeLog, type MemoryHandle, type MemoryHandleOptions, memoryLog } from '../log/index.ts';
import { type FileSystem, nodeFileSystem, treePath } from '../tree/index.ts';
import { type OpenNodeOptions, openNode } from './open.ts';
import type { ClusterNode, Written } from './types.ts';

export interface TestNode {
  readonly node: ClusterNode;
  readonly log: MemoryHandle;
  readonly dataDir: string;
  /** What was logged, as `event`, with the facts. */
  readonly events: { readonly event: string; readonly facts: Record<string, unknown> }[];
  /** Ends the node as a killed process would: nothing it still does reaches the log or the disk. */
  crash(): Promise<void>;
}

export type TestNodeOptions = Partial<OpenNodeOptions> & {
  readonly fault?: MemoryHandleOptions['fault'];
  /** Files to begin with: text by path. */
  readonly files?: Readonly<Record<string, string>>;
};

/** Nodes of one log; `close` ends them all and removes their folders. */
export function testCluster() {
  const shared = memoryLog();
  const root = mkdtempSync(path.join(tmpdir(), 'graticule-cluster-'));
  const open = new Set<TestNode>();

  async function start(name: string, options: TestNodeOptions = {}): Promise<TestNode> {
    const { fault, files, ...rest } = options;
    const dataDir = rest.dataDir ?? path.join(root, name);
    writeFiles(dataDir, files ?? {});
    const log = shared.open({ fault });
    const disk = mortal(rest.system ?? nodeFileSystem);
    const events: TestNode['events'] = [];
    const note = (event: string, facts = {}) => void events.push({ event, facts });
    const logger: Logger = { debug: note, info: note, warn: note, error: note };
    const node = await openNode({
      dataDir,
      name,
      url: `http://${name}:8080/geoserver`,
      role: 'both',
      version: '0.0.0',
      log: log as ChangeLog,
      logUrl: 'memory:',
      clock: systemClock,
      random: () => randomInt(2 ** 32) / 2 ** 32,
      logger,
      ...rest,
      system: disk.system,
    });
    const started: TestNode = {
      node,
      log,
      dataDir,
      events,
      async crash() {
        open.delete(started);
        await disk.kill();
        await log.close();
        // Only to end its loops: the disk does not answer any more.
        node.close().catch(() => {});
      },
    };
    open.add(started);
    return started;
  }

  return {
    shared,
    root,
    start,
    async close(): Promise<void> {
      for (const each of open) each.log.partitioned = false;
      await Promise.all([...open].map(({ node }) => node.close()));
      for (const { log } of open) await log.close();
      rmSync(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** A file system that can die: what is under way ends, what comes later is never answered. */
export function mortal(system: FileSystem): { system: FileSystem; kill(): Promise<void> } {
  let dead = false;
  const underWay = new Set<Promise<unknown>>();
  const guarded = new Proxy(system, {
    get(target, name: keyof FileSystem) {
      const call = target[name] as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        if (dead && name.endsWith('Sync')) throw new Error('the machine is down');
        if (dead) return new Promise(() => {});
        const result = call.apply(target, args);
        if (!(result instanceof Promise)) return result;
        underWay.add(result);
        const forget = () => void underWay.delete(result);
        result.then(forget, forget);
        return result.then((value) => (dead ? new Promise(() => {}) : value));
      };
    },
  });
  return {
    system: guarded,
    async kill() {
      dead = true;
      await Promise.allSettled(underWay);
    },
  };
}

export function writeFiles(dataDir: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(dataDir, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

/** Writes one text file. */
export function put(node: ClusterNode, name: string, text: string, key?: string): Promise<Written<void>> {
  return node.write({
    origin: { by: 'test', why: `PUT ${name}`, ...(key !== undefined && { idempotencyKey: key }) },
    evaluate: (draft) => draft.put(treePath(name), Buffer.from(text)),
  });
}

/** Reads a number from a file, adds 1, and writes it. */
export function increment(node: ClusterNode, name: string, key?: string): Promise<Written<number>> {
  return node.write({
    origin: { by: 'test', why: `POST ${name}`, ...(key !== undefined && { idempotencyKey: key }) },
    evaluate(draft) {
      const next = Number(textOf(draft.read(treePath(name))) ?? '0') + 1;
      draft.put(treePath(name), Buffer.from(String(next)));
      return next;
    },
  });
}

export function read(node: ClusterNode, name: string): string | undefined {
  return textOf(node.catalog.read(treePath(name)));
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString();
}

/** Waits for a condition; fails with its last value after `timeoutMs`. */
