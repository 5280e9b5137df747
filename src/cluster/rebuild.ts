import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { ChangeLog } from '../log/index.ts';
import {
  type ContentHash,
  contentHash,
  decodeRecord,
  type FileOperation,
  listSnapshot,
  type OpenBlob,
  type Position,
  type Snapshot,
  type SnapshotFile,
  type Store,
  type Tree,
  type TreePath,
} from '../tree/index.ts';
import { fetchBlob } from './blobs.ts';
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
  readonly store: Store;
  readonly logId: string;
  readonly upTo: Position;
  readonly signal: AbortSignal;
}): Promise<Rebuilt> {
  const { log, store, logId, upTo, signal } = parts;
  const base = await latestSnapshot(log);
  /** What is long: it is not held in memory. */
  const blobs = new Set(base.blobs.map(({ hash }) => hash));
  const tree = await listSnapshot(base);
  const contents = new Map<ContentHash, Uint8Array>();
  await replay(log, { tree, upTo, contents, blobs, signal });

  const drift = await store.drift();
  const touched = new Set([...drift.changed, ...drift.removed]);
  const isHere = (path: TreePath, hash: ContentHash) => store.tree.stat(path)?.hash === hash && !touched.has(path);
  const missing: [TreePath, ContentHash][] = [];
  for (const [path, { hash }] of tree.walk()) if (!isHere(path, hash)) missing.push([path, hash]);
  const surplus = [...store.tree.walk()].map(([path]) => path).filter((path) => tree.stat(path) === undefined);
  const differing = [...new Set([...missing.map(([path]) => path), ...surplus, ...drift.added])].sort();

  await collect(log, { wanted: new Set(missing.map(([, hash]) => hash)), blobs, contents });
  const absent = new Set(missing.map(([path]) => path));
  const openBlob: OpenBlob = (hash, from) => fetchBlob(log, hash, from);
  const snapshot: Snapshot = {
    logId,
    position: tree.position,
    digest: tree.digest,
    blobs: [],
    openBlob,
    async *files(): AsyncIterable<SnapshotFile> {
      for (const [path, { hash, size }] of tree.walk()) {
        const bytes = contents.get(hash);
        // What is here is told by its hash, and stays where it is; what is long comes out of the log when it is asked for.
        if (bytes !== undefined) yield { path, size, hash, bytes, body: Readable.from([bytes]) };
        else if (blobs.has(hash) || !absent.has(path)) yield { path, size, hash, bytes, body: contentsOf(path, hash) };
        else throw new Error(`the contents of ${path} are nowhere to be found`);
      }
    },
  };
  async function* contentsOf(path: TreePath, hash: ContentHash): AsyncGenerator<Uint8Array> {
    if (blobs.has(hash)) yield* await openBlob(hash);
    else yield store.readDisk(path)!;
  }
  return { snapshot, differing, tree };
}

/** Applies the records up to a position to a tree without bytes. */
async function replay(
  log: ChangeLog,
  options: {
    readonly tree: Tree;
    readonly upTo: Position;
    readonly contents: Map<ContentHash, Uint8Array>;
    /** Taken out of records into here. */
    readonly blobs: Set<ContentHash>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { tree, upTo, contents, blobs, signal } = options;
  if (tree.position >= upTo) return;
  const hashed = (operation: FileOperation): FileOperation => {
    if (operation.kind !== 'put') return operation;
    if (operation.content.kind === 'blob') {
      blobs.add(operation.content.hash);
      return operation;
    }
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

/** Gets small contents from the snapshot, also long ones that are in the archive. */
async function collect(
  log: ChangeLog,
  options: {
    readonly wanted: ReadonlySet<ContentHash>;
    readonly blobs: ReadonlySet<ContentHash>;
    readonly contents: Map<ContentHash, Uint8Array>;
  },
): Promise<void> {
  const { wanted, blobs, contents } = options;
  for (const hash of contents.keys()) if (!wanted.has(hash)) contents.delete(hash);
  if ([...wanted].every((hash) => contents.has(hash) || blobs.has(hash))) return;
  const snapshot = await latestSnapshot(log);
  for await (const file of snapshot.files()) {
    if (file.hash !== undefined) continue;
    const bytes = file.bytes ?? (await buffer(file.body));
    const hash = contentHash(bytes);
    if (wanted.has(hash)) contents.set(hash, bytes);
  }
}
