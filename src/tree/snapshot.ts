import { createHash } from 'node:crypto';
import { pipeline, Readable } from 'node:stream';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { messageOf, UnavailableError } from '../base/index.ts';
import { asContentHash, contentHash } from './digest.ts';
import { type FileEntry, Files } from './folder.ts';
import { NewerFormatError } from './newer-format.ts';
import { isReplicated, treePath } from './path.ts';
import { readTar, type TarFile, type TarInput, writeTar } from './tar.ts';
import { type FileStat, type Frozen, Tree } from './tree.ts';
import {
  type Content,
  type ContentHash,
  type Digest,
  INLINE_BYTES_MAX,
  type Position,
  type TreePath,
} from './types.ts';

/*
 * A snapshot is a tar archive packed with zstd. Its first entry, `.graticule/snapshot.json`, says what it is a snapshot of; then
 * come the files of the tree in the order of their paths' code units. Times, owners and modes are constant, so equal trees at the
 * same position of the same log give equal bytes (with the same version of zstd).
 *
 *   {"format":1,"logId":"...","position":7,"digest":"sha256","needs":["blobs"]}
 *
 * `needs` lists what a reader must know beyond that, and is left out when it is nothing. With `blobs`, the second entry,
 * `.graticule/blobs.jsonl`, names the long files, which are not in the archive: one a line, in the order of their paths.
 *
 *   {"path":"data/a.tif","hash":"sha256","size":2147483648}
 */

/** History of the format: 1, the first. */
const SNAPSHOT_FORMAT = 1;
const HEADER_NAME = '.graticule/snapshot.json';
const BLOBS_NAME = '.graticule/blobs.jsonl';
const NEEDS_KNOWN: readonly string[] = ['blobs'];
/** Longer files are read and written piece by piece. */
const WHOLE_BYTES_MAX = 4 * 1024 * 1024;
const HEADER_BYTES_MAX = 64 * 1024;
/** Unpacked in pieces of this size. */
const CHUNK_BYTES = 256 * 1024;
/** Enough for a million long files. */
const BLOBS_BYTES_MAX = 256 * 1024 * 1024;

export interface SnapshotHeader {
  readonly logId: string;
  readonly position: Position;
  readonly digest: Digest;
}

/** Where long files are: in the archive (for backups), or named by hash and size (for logs, which keep blobs beside it). */
export interface SnapshotOptions {
  readonly large?: 'inside' | 'by-hash';
}

/** A long file that a snapshot names by its hash. */
export interface SnapshotBlob extends FileStat {
  readonly path: TreePath;
}

/** The same, while it can be read. */
export interface SnapshotBlobSource extends SnapshotBlob {
  /** The bytes from an offset on. Fails with `UnavailableError` `file-edited` at the end when they are not those of the hash. */
  open(from: number): Readable;
}

export interface WrittenSnapshot extends SnapshotHeader {
  readonly body: Readable;
  /** What the snapshot names by hash, each hash once. May be opened until the body has been read or destroyed. */
  readonly blobs: readonly SnapshotBlobSource[];
}

/** Gives the bytes of a blob, from an offset on. */
export type OpenBlob = (hash: ContentHash, from?: number) => Promise<AsyncIterable<Uint8Array>>;

export interface SnapshotFile {
  readonly path: TreePath;
  readonly size: number;
  /** Where it is known beforehand: the contents need not be asked for when they are here already. */
  readonly hash?: ContentHash;
  /** The contents, when not long. */
  readonly bytes: Uint8Array | undefined;
  /** The contents otherwise. Without `hash`: to be read to its end before the next file. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface Snapshot extends SnapshotHeader {
  /** Long files that are named by hash, in the order of their paths. */
  readonly blobs: readonly SnapshotBlob[];
  /** Where they come from. */
  readonly openBlob: OpenBlob;
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
 *
 * The body fails with `UnavailableError` `file-edited` when a file on disk is not the one of the tree.
 */
export function writeSnapshot(tree: Tree, logId: string, options: SnapshotOptions = {}): WrittenSnapshot {
  const header: SnapshotHeader = { logId, position: tree.position, digest: tree.digest };
  const files = [...tree.layer.within('')].map(([path, entry]) => ({
    path,
    hash: entry.hash,
    size: entry.size,
    entry,
    pending: entry.pending,
  }));
  const byHash = options.large === 'by-hash';
  const inside = byHash ? files.filter(({ size }) => size <= INLINE_BYTES_MAX) : files;
  const named = byHash ? files.filter(({ size }) => size > INLINE_BYTES_MAX) : [];
  const frozen = tree.freeze();
  const tar = Readable.from(writeTar(entriesOf(header, { inside, named }, frozen)), { objectMode: false });
  const body = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  pipeline(tar, body, () => frozen?.release());
  // Whoever reads it hears of errors; when nobody does any more, they must not end the process.
  for (const stream of [tar, body]) stream.on('error', () => {});
  const blobs = new Map(named.map((file) => [file.hash, file]));
  return {
    ...header,
    body,
    blobs: [...blobs.values()].map((file) => ({
      path: file.path,
      hash: file.hash,
      size: file.size,
      open: (from) => Readable.from(contentsOf(file, frozen, from), { objectMode: false }),
    })),
  };
}

interface Captured extends FileStat {
  readonly path: TreePath;
  readonly entry: FileEntry;
  /** As it was at the time. */
  readonly pending: Content | undefined;
}

async function* entriesOf(
  header: SnapshotHeader,
  files: { readonly inside: readonly Captured[]; readonly named: readonly Captured[] },
  frozen: Frozen | undefined,
): AsyncGenerator<TarInput> {
  await frozen?.quiet;
  const { logId, position, digest } = header;
  const needs = files.named.length > 0 ? { needs: ['blobs'] } : {};
  yield inputOf(HEADER_NAME, asLine({ format: SNAPSHOT_FORMAT, logId, position, digest, ...needs }));
  if (files.named.length > 0)
    yield inputOf(BLOBS_NAME, Buffer.concat(files.named.map(({ path, hash, size }) => asLine({ path, hash, size }))));
  for (const file of files.inside) {
    const { path, hash, size, entry, pending } = file;
    if (pending?.kind === 'inline') yield inputOf(path, pending.bytes);
    else if (entry.pending === undefined && size <= WHOLE_BYTES_MAX && frozen !== undefined) {
      const bytes = readFrozen(frozen, file);
      if (bytes === undefined || contentHash(bytes) !== hash) throw editedError(path);
      yield inputOf(path, bytes);
    } else yield { name: path, size, body: contentsOf(file, frozen, 0) };
  }
}

const inputOf = (name: string, body: Uint8Array): TarInput => ({ name, size: body.length, body });

const asLine = (json: unknown) => Buffer.from(`${JSON.stringify(json)}\n`);

/** The bytes of a file from an offset on; all are read, and compared with the hash. */
async function* contentsOf(file: Captured, frozen: Frozen | undefined, from: number): AsyncGenerator<Uint8Array> {
  const { path, hash, entry, pending } = file;
  if (pending?.kind === 'inline') {
    yield pending.bytes.subarray(from);
    return;
  }
  if (frozen === undefined) throw new Error(`the contents of ${path} are not in memory`);
  await frozen.quiet;
  const digest = createHash('sha256');
  let offset = 0;
  for await (const chunk of entry.pending === undefined ? frozen.readStream(file) : frozen.readBlobStream(hash)) {
    // (Not as it was at the time: the batch that was being written then may have put the blob at its place.)
    digest.update(chunk as Buffer);
    const skipped = Math.max(0, from - offset);
    offset += (chunk as Buffer).length;
    // More than the tree says: not this file.
    if (offset > file.size) throw editedError(path);
    if (skipped < (chunk as Buffer).length) yield (chunk as Buffer).subarray(skipped);
  }
  if (digest.digest('hex') !== hash) throw editedError(path);
}

function readFrozen(frozen: Frozen, file: Captured): Uint8Array | undefined {
  try {
    return frozen.readSync(file, WHOLE_BYTES_MAX);
  } catch (error) {
    throw editedError(file.path, error);
  }
}

/** A snapshot with other bytes than its digest says would be refused by every node that takes it. */
function editedError(path: TreePath, cause?: unknown): UnavailableError {
  return new UnavailableError(
    'file-edited',
    `${path} is not on disk as the tree says: somebody has changed the data directory, which a reload puts right ` +
      '(or, while the log has not begun, a restart)',
    { cause },
  );
}

/**
 * @param openBlob  gives the contents that the snapshot only names
 * @throws SnapshotError  the body does not begin as a snapshot does, or needs a newer version
 */
export async function readSnapshot(body: Readable, openBlob: OpenBlob = noBlobs): Promise<Snapshot> {
  const unpacked = createZstdDecompress({ chunkSize: CHUNK_BYTES });
  // Errors of both come out of the archive, where they are awaited.
  pipeline(body, unpacked, () => {});
  for (const stream of [body, unpacked]) stream.on('error', () => {});
  const entries = readTar(unpacked);
  const only = async (name: string, bytesMax: number): Promise<Buffer> => {
    const next = await failingAs(() => entries.next());
    if (next.done || next.value.name !== name || next.value.size > bytesMax)
      throw new SnapshotError(`${name} is not where it should be`);
    const { value } = next;
    return failingAs(async () => value.bytes());
  };
  try {
    const { needs, ...header } = parseHeader(await only(HEADER_NAME, HEADER_BYTES_MAX));
    const blobs = needs.includes('blobs') ? parseBlobs(await only(BLOBS_NAME, BLOBS_BYTES_MAX)) : [];
    return { ...header, blobs, openBlob, files: () => filesOf(entries, blobs, openBlob) };
  } catch (error) {
    unpacked.destroy();
    throw error;
  }
}

/** What a snapshot names by hash; reads no more of it than that. @throws SnapshotError */
export async function blobsOfSnapshot(body: Readable): Promise<readonly SnapshotBlob[]> {
  try {
    return (await readSnapshot(body)).blobs;
  } finally {
    body.destroy();
  }
}

/** The files in the archive and those that are named, in one order. */
async function* filesOf(
  entries: AsyncGenerator<TarFile>,
  blobs: readonly SnapshotBlob[],
  openBlob: OpenBlob,
): AsyncGenerator<SnapshotFile> {
  const named = blobs.values();
  let waiting = named.next().value;
  function* namedUpTo(path: TreePath | undefined): Generator<SnapshotFile> {
    for (; waiting !== undefined && (path === undefined || waiting.path < path); waiting = named.next().value) {
      const { hash } = waiting;
      yield { ...waiting, bytes: undefined, body: lazily(() => openBlob(hash)) };
    }
  }
  try {
    for (let last = ''; ; ) {
      const next = await failingAs(() => entries.next());
      if (next.done) break;
      const { name, size } = next.value;
      const path = pathOf(name);
      if (!isReplicated(path)) throw new SnapshotError(`${name} is not a file of a tree`);
      if (path <= last) throw new SnapshotError(`${name} is not in its place`);
      last = path;
      if (waiting !== undefined) yield* namedUpTo(path);
      const { value } = next;
      const bytes = size > WHOLE_BYTES_MAX ? undefined : await failingAs(async () => value.bytes());
      yield { path, size, bytes, body: bytes === undefined ? value.pieces() : once(bytes) };
    }
    yield* namedUpTo(undefined);
  } finally {
    await entries.return(undefined);
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* lazily(open: () => Promise<AsyncIterable<Uint8Array>>): AsyncGenerator<Uint8Array> {
  yield* await open();
}

const noBlobs: OpenBlob = async (hash) => {
  throw new SnapshotError(`it names the blob ${hash}, and nobody says where blobs are`);
};

/** The tree of a snapshot without its bytes: what can be asked is what is in it. */
export async function listSnapshot(snapshot: Snapshot): Promise<Tree> {
  const files = new Files();
  for await (const { path, size, hash, bytes, body } of snapshot.files())
    files.load(path, {
      hash: hash ?? (bytes ? contentHash(bytes) : await hashOf(body)),
      size,
      pending: undefined,
    });
  const tree = new Tree();
  tree.replace(files, snapshot.position);
  if (tree.digest !== snapshot.digest)
    throw new SnapshotError(`its files have the digest ${tree.digest}, and it says ${snapshot.digest}`);
  return tree;
}

async function hashOf(body: AsyncIterable<Uint8Array>): Promise<ContentHash> {
  const digest = createHash('sha256');
  for await (const chunk of body) digest.update(chunk);
  return digest.digest('hex') as ContentHash;
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

function parseHeader(bytes: Uint8Array): SnapshotHeader & { needs: readonly string[] } {
  try {
    const header = JSON.parse(Buffer.from(bytes).toString()) as SnapshotHeader & { format: number; needs?: string[] };
    const { format, logId, position, digest, needs = [] } = header;
    const unknown = needs.filter((need) => !NEEDS_KNOWN.includes(need));
    if (format > SNAPSHOT_FORMAT || unknown.length > 0)
      throw new NewerFormatError('snapshot', [`format ${format}`, ...unknown].join(', '));
    if (!(format >= 1)) throw new TypeError('it names no format');
    if (typeof logId !== 'string' || !Number.isSafeInteger(position) || !/^[0-9a-f]{64}$/.test(digest))
      throw new TypeError('its header is incomplete');
    return { logId, position, digest, needs };
  } catch (error) {
    if (error instanceof NewerFormatError) throw error;
    throw new SnapshotError(messageOf(error), { cause: error });
  }
}

function parseBlobs(bytes: Buffer): SnapshotBlob[] {
  try {
    const blobs: SnapshotBlob[] = [];
    for (const line of bytes.toString().split('\n')) {
      if (line === '') continue;
      const { path, hash, size } = JSON.parse(line) as { path: string; hash: string; size: number };
      const last = blobs.at(-1);
      if (!isReplicated(treePath(path)) || (last !== undefined && path <= last.path))
        throw new TypeError(`${path} is not in its place`);
      if (!Number.isSafeInteger(size) || size < 0) throw new TypeError(`the size of ${path} is missing`);
      blobs.push({ path: treePath(path), hash: asContentHash(hash), size });
    }
    return blobs;
  } catch (error) {
    throw new SnapshotError(messageOf(error), { cause: error });
  }
}
