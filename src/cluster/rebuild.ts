import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { ChangeLog } from '../log/index.ts';
import {
  type ContentHash,
  contentHash,
  decodeRecord,
  type FileOperation,
  listSnapshot,
  type Position,
  type Snapshot,
  type SnapshotFile,
  type Tree,
  type TreePath,
  type TreeStore,
} from '../tree/index.ts';
import { latestSnapshot } from './origin.ts';

export interface Rebuilt {
  /** The log's state at the position asked for (or at the latest snapshot's, when that is later). */
  readonly snapshot: Snapshot;
  /** Files that are not the same here, on disk or in the tree; in order. */
  readonly differing: readonly TreePath[];
  /** The same state, without bytes. */
  readonly tree: Tree;
}

/**
 * Works out from the latest snapshot and the records after it what the tree should be. The snapshot is read twice, first for its
 * hashes and then for what differs here, so that only the bytes that are to be written are held in memory.
 */
export async function rebuild(parts: {
  readonly log: ChangeLog;
  readonly store: TreeStore;
  readonly logId: string;
  readonly upTo: Position;
  readonly signal: AbortSignal;
}): Promise<Rebuilt> {
  const { log, store, logId, upTo, signal } = parts;
  const tree = await listSnapshot(await latestSnapshot(log));
  const contents = new Map<ContentHash, Uint8Array>();
  await replay(log, { tree, upTo, contents, signal });

  const drift = await store.drift();
  const touched = new Set([...drift.changed, ...drift.removed]);
  const isHere = (path: TreePath, hash: ContentHash) => store.tree.stat(path)?.hash === hash && !touched.has(path);
  const missing: [TreePath, ContentHash][] = [];
  for (const [path, { hash }] of tree.walk()) if (!isHere(path, hash)) missing.push([path, hash]);
  const surplus = [...store.tree.walk()].map(([path]) => path).filter((path) => tree.stat(path) === undefined);
  const differing = [...new Set([...missing.map(([path]) => path), ...surplus, ...drift.added])].sort();

  await collect(log, { wanted: new Set(missing.map(([, hash]) => hash)), contents });
  const snapshot: Snapshot = {
    logId,
    position: tree.position,
    digest: tree.digest,
    async *files(): AsyncIterable<SnapshotFile> {
      for (const [path, { hash, size }] of tree.walk()) {
        const bytes = contents.get(hash) ?? store.readDisk(path);
        if (!bytes) throw new Error(`${path} has gone while the tree was being mended`);
        yield { path, size, bytes, body: Readable.from([bytes]) };
      }
    },
  };
  return { snapshot, differing, tree };
}

/** Applies the records up to a position to a tree without bytes. */
async function replay(
  log: ChangeLog,
  options: {
    readonly tree: Tree;
    readonly upTo: Position;
    readonly contents: Map<ContentHash, Uint8Array>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { tree, upTo, contents, signal } = options;
  if (tree.position >= upTo) return;
  const hashed = (operation: FileOperation): FileOperation => {
    if (operation.kind !== 'put' || operation.content.kind !== 'inline') return operation;
    const { bytes } = operation.content;
    const hash = contentHash(bytes);
    contents.set(hash, bytes);
    return { ...operation, content: { kind: 'blob', hash, size: bytes.length } };
  };
  for await (const batch of log.read(tree.position, signal))
    for (const { position, body } of batch) {
      const record = decodeRecord(body);
      const operations = record.kind === 'changes' ? record.changes.flatMap((change) => change.operations) : [];
      tree.apply(position, operations.map(hashed));
      if (position >= upTo) return;
    }
  signal.throwIfAborted();
}

/** Gets contents from the snapshot, and what is not in there from the log's blobs. */
async function collect(
  log: ChangeLog,
  options: { readonly wanted: ReadonlySet<ContentHash>; readonly contents: Map<ContentHash, Uint8Array> },
): Promise<void> {
  const { wanted, contents } = options;
  for (const hash of contents.keys()) if (!wanted.has(hash)) contents.delete(hash);
  if (wanted.size === contents.size) return;
  const snapshot = await latestSnapshot(log);
  for await (const file of snapshot.files()) {
    const bytes = file.bytes ?? (await buffer(file.body));
    const hash = contentHash(bytes);
    if (wanted.has(hash)) contents.set(hash, bytes);
  }
  for (const hash of wanted) {
    if (contents.has(hash)) continue;
    const body = await log.getBlob(hash);
    if (!body) throw new Error(`the log has lost the blob ${hash}`);
    contents.set(hash, await buffer(body));
  }
}
