import { createHash } from 'node:crypto';
import { pipeline, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { extract, type Pack, pack } from 'tar-stream';
import { messageOf, UnavailableError } from '../base/index.ts';
import { contentHash } from './digest.ts';
import { type FileEntry, Files } from './folder.ts';
import { isReplicated, treePath } from './path.ts';
import { type Frozen, Tree } from './tree.ts';
import type { Content, ContentHash, Digest, Position, TreePath } from './types.ts';

/*
 * A snapshot is a tar archive packed with zstd. Its first entry, `.graticule/snapshot.json`, says what it is a snapshot of; then
 * come the files of the tree in the order of their paths' code units. Times, owners and modes are constant, so equal trees at the
 * same position of the same log give equal bytes (with the same version of zstd).
 */

/** History of the format: 1, the first. */
const SNAPSHOT_FORMAT = 1;
const HEADER_NAME = '.graticule/snapshot.json';
/** Longer files are read and written piece by piece. */
const WHOLE_BYTES_MAX = 4 * 1024 * 1024;
const HEADER_BYTES_MAX = 64 * 1024;

export interface SnapshotHeader {
  readonly logId: string;
  readonly position: Position;
  readonly digest: Digest;
}

export interface SnapshotFile {
  readonly path: TreePath;
  readonly size: number;
  /** The contents, when not long. */
  readonly bytes: Uint8Array | undefined;
  /** The contents otherwise; to be read to its end before the next file. */
  readonly body: Readable;
}

export interface Snapshot extends SnapshotHeader {
  /** The files, in order; once. @throws SnapshotError */
  files(): AsyncIterable<SnapshotFile>;
}

/** The bytes are no snapshot that this version can read. */
export class SnapshotError extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`the snapshot cannot be read: ${reason}`, options);
    this.name = 'SnapshotError';
  }
}

/**
 * A snapshot of the tree as it is at this moment, though it is read later and the tree moves on. Until the body has been read or
 * destroyed, files on disk stay as they are and changes wait in memory: read it without delay.
 */
export function writeSnapshot(tree: Tree, logId: string): SnapshotHeader & { readonly body: Readable } {
  const header: SnapshotHeader = { logId, position: tree.position, digest: tree.digest };
  const files = [...tree.layer.within('')].map(([path, entry]) => ({ path, entry, pending: entry.pending }));
  const frozen = tree.freeze();
  const tar = pack();
  const body = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  fill(tar, header, files, frozen).then(
    () => tar.finalize(),
    (error) => tar.destroy(error as Error),
  );
  pipeline(tar, body, () => frozen?.release());
  return { ...header, body };
}

interface Captured {
  readonly path: TreePath;
  readonly entry: FileEntry;
  /** As it was at the time. */
  readonly pending: Content | undefined;
}

async function fill(
  tar: Pack,
  header: SnapshotHeader,
  files: readonly Captured[],
  frozen: Frozen | undefined,
): Promise<void> {
  await frozen?.quiet;
  const { logId, position, digest } = header;
  await add(tar, HEADER_NAME, Buffer.from(`${JSON.stringify({ format: SNAPSHOT_FORMAT, logId, position, digest })}\n`));
  for (const { path, entry, pending } of files) {
    const { hash, size } = entry;
    if (pending?.kind === 'inline') await add(tar, path, pending.bytes);
    else if (frozen === undefined) throw new Error(`the contents of ${path} are not in memory`);
    // Not as it was at the time: the batch that was being written then may have put the blob at its place.
    else if (entry.pending !== undefined) await addStream(tar, path, size, frozen.readBlobStream(hash));
    else {
      const bytes = readFrozen(frozen, path);
      if (bytes === undefined)
        await addStream(tar, path, size, Readable.from(verified(frozen.readStream(path), path, hash)));
      else if (contentHash(bytes) !== hash) throw editedError(path);
      else await add(tar, path, bytes);
    }
  }
}

function readFrozen(frozen: Frozen, path: TreePath): Uint8Array | undefined {
  try {
    return frozen.readSync(path, WHOLE_BYTES_MAX);
  } catch (error) {
    throw editedError(path, error);
  }
}

/** The bytes of a file, which in the end must have been those of the tree. */
async function* verified(body: Readable, path: TreePath, hash: ContentHash): AsyncIterable<Uint8Array> {
  const digest = createHash('sha256');
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    digest.update(chunk);
    yield chunk;
  }
  if (digest.digest('hex') !== hash) throw editedError(path);
}

/** A snapshot with other bytes than its digest says would be refused by every node that takes it. */
function editedError(path: TreePath, cause?: unknown): UnavailableError {
  return new UnavailableError(
    'file-edited',
    `${path} is not on disk as the tree says: somebody has changed the data directory, which a reload puts right`,
    { cause },
  );
}

/** Resolves when the archive wants more. */
function add(tar: Pack, name: string, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (tar.destroyed) return reject(new Error('the snapshot is no longer wanted'));
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const entry = tar.entry(fileHeader(name, bytes.length), body, (error) => (error ? reject(error) : resolve()));
    // When the archive is no longer wanted, the entry says so once more.
    entry.on('error', reject);
  });
}

function addStream(tar: Pack, name: string, size: number, body: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    if (tar.destroyed) return reject(new Error('the snapshot is no longer wanted'));
    const entry = tar.entry(fileHeader(name, size), (error) => (error ? reject(error) : resolve()));
    // As above; the pipeline has stopped listening by then.
    entry.on('error', reject);
    pipeline(body, entry, (error) => error && reject(error));
  });
}

const fileHeader = (name: string, size: number) => ({
  name,
  size,
  mode: 0o644,
  mtime: new Date(0),
  type: 'file' as const,
});

/** @throws SnapshotError  the body does not begin as a snapshot does */
export async function readSnapshot(body: Readable): Promise<Snapshot> {
  const tar = extract();
  // Errors of all three come out of the archive, where they are awaited.
  pipeline(body, createZstdDecompress(), tar, () => {});
  const entries = tar[Symbol.asyncIterator]();
  const first = await failingAs(() => entries.next());
  if (first.done || first.value.header.name !== HEADER_NAME || (first.value.header.size ?? 0) > HEADER_BYTES_MAX) {
    tar.destroy();
    throw new SnapshotError(`it does not begin with ${HEADER_NAME}`);
  }
  const header = parseHeader(await buffer(first.value as unknown as Readable));
  return {
    ...header,
    async *files() {
      try {
        for (;;) {
          const next = await failingAs(() => entries.next());
          if (next.done) return;
          const entry = next.value;
          const { name, size = 0, type } = entry.header;
          if (type !== 'file' || !isReplicated(pathOf(name)))
            throw new SnapshotError(`${name} is not a file of a tree`);
          const stream = entry as unknown as Readable;
          const bytes = size > WHOLE_BYTES_MAX ? undefined : await failingAs(() => buffer(stream));
          yield { path: pathOf(name), size, bytes, body: stream };
        }
      } finally {
        tar.destroy();
      }
    },
  };
}

/** The tree of a snapshot without its bytes: what can be asked is what is in it. */
export async function listSnapshot(snapshot: Snapshot): Promise<Tree> {
  const files = new Files();
  for await (const { path, size, bytes, body } of snapshot.files()) {
    const digest = createHash('sha256');
    if (bytes !== undefined) digest.update(bytes);
    else for await (const chunk of body) digest.update(chunk as Uint8Array);
    files.load(path, { hash: digest.digest('hex') as ContentHash, size, pending: undefined });
  }
  const tree = new Tree();
  tree.replace(files, snapshot.position);
  if (tree.digest !== snapshot.digest)
    throw new SnapshotError(`its files have the digest ${tree.digest}, and it says ${snapshot.digest}`);
  return tree;
}

async function failingAs<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    // That it did not come through says nothing of the snapshot.
    if (error instanceof SnapshotError || error instanceof UnavailableError) throw error;
    throw new SnapshotError(messageOf(error), { cause: error });
  }
}

function pathOf(name: string): TreePath {
  try {
    return treePath(name);
  } catch (error) {
    throw new SnapshotError(messageOf(error), { cause: error });
  }
}

function parseHeader(bytes: Uint8Array): SnapshotHeader {
  try {
    const { format, logId, position, digest } = JSON.parse(Buffer.from(bytes).toString()) as SnapshotHeader & {
      format: number;
    };
    if (!(format <= SNAPSHOT_FORMAT))
      throw new TypeError(`it has format ${format}, and this version knows formats up to ${SNAPSHOT_FORMAT}`);
    if (typeof logId !== 'string' || !Number.isSafeInteger(position) || !/^[0-9a-f]{64}$/.test(digest))
      throw new TypeError('its header is incomplete');
    return { logId, position, digest };
  } catch (error) {
    throw new SnapshotError(messageOf(error), { cause: error });
  }
}
