import { contentHash } from './digest.ts';
import { type Listing, STAMP_BYTES } from './files.ts';
import type { ContentHash } from './types.ts';

/*
 * What the files of a data directory hashed to when they were last read, so that a start need not read them all. A line of JSON,
 * then a block for each folder, little-endian:
 *
 *   u32 length of the block, u32 length of the folder's path, u32 length of the names, u32 number of files,
 *   a stamp for each file, a SHA-256 for each file, the folder's path, the names with `/` between them
 *
 * It is a cache: whatever is wrong with it, it is passed over.
 */

/** History of the format: 1, the first. Another one is passed over. */
const FORMAT = 1;
const HEAD_BYTES = 16;
const HASH_BYTES = 32;

/** What was known of the files in one folder. */
export class CachedFolder {
  readonly #block: Buffer;
  readonly #names: string;
  readonly #stampsAt = HEAD_BYTES;
  readonly #hashesAt: number;
  #rows: Map<string, number> | undefined;

  constructor(block: Buffer) {
    this.#block = block;
    const count = block.readUInt32LE(12);
    this.#hashesAt = HEAD_BYTES + count * STAMP_BYTES;
    const pathAt = this.#hashesAt + count * HASH_BYTES;
    const namesAt = pathAt + block.readUInt32LE(4);
    this.#names = block.toString('utf8', namesAt, namesAt + block.readUInt32LE(8));
  }

  /** As it is written. */
  get block(): Buffer {
    return this.#block;
  }

  /** Whether these are all the files of the folder, each as it was. */
  isWhole(listing: Listing): boolean {
    const { files, stamps } = listing;
    return (
      this.#hashesAt - this.#stampsAt === stamps.byteLength &&
      this.#block.compare(bytesOf(stamps), 0, stamps.byteLength, this.#stampsAt, this.#hashesAt) === 0 &&
      files.join('/') === this.#names
    );
  }

  /** Hash of the nth file. */
  hashAt(row: number): ContentHash {
    const at = this.#hashesAt + row * HASH_BYTES;
    return this.#block.toString('hex', at, at + HASH_BYTES) as ContentHash;
  }

  /** Hash of the nth file of a listing; undefined when it is not known, or not as it was. */
  hashOf(listing: Listing, n: number): ContentHash | undefined {
    this.#rows ??= new Map(this.#names.split('/').map((name, row) => [name, row]));
    const row = this.#rows.get(listing.files[n]!);
    if (row === undefined) return undefined;
    const at = this.#stampsAt + row * STAMP_BYTES;
    const same = this.#block.compare(
      bytesOf(listing.stamps),
      n * STAMP_BYTES,
      (n + 1) * STAMP_BYTES,
      at,
      at + STAMP_BYTES,
    );
    return same === 0 ? this.hashAt(row) : undefined;
  }
}

/** The files of one folder whose hash is worth keeping. */
export interface FolderHashes {
  readonly folder: string;
  readonly names: readonly string[];
  /** As in `Listing`. */
  readonly stamps: BigInt64Array;
  readonly hashes: readonly ContentHash[];
}

export function encodeFolder({ folder, names, stamps, hashes }: FolderHashes): Buffer {
  const path = Buffer.from(folder);
  const joined = Buffer.from(names.join('/'));
  const pathAt = HEAD_BYTES + names.length * (STAMP_BYTES + HASH_BYTES);
  const block = Buffer.allocUnsafeSlow(pathAt + path.length + joined.length);
  block.writeUInt32LE(block.length, 0);
  block.writeUInt32LE(path.length, 4);
  block.writeUInt32LE(joined.length, 8);
  block.writeUInt32LE(names.length, 12);
  block.set(bytesOf(stamps), HEAD_BYTES);
  for (const [row, hash] of hashes.entries())
    block.write(hash, HEAD_BYTES + names.length * STAMP_BYTES + row * HASH_BYTES, 'hex');
  block.set(path, pathAt);
  block.set(joined, pathAt + path.length);
  return block;
}

/** A whole cache from blocks of folders. */
export function encodeHashCache(blocks: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(blocks);
  const head = `${JSON.stringify({ format: FORMAT, bytes: body.length, sha256: contentHash(body) })}\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

/** @returns what is known, by folder; undefined when the bytes are damaged, or of another format */
export function decodeHashCache(bytes: Uint8Array): ReadonlyMap<string, CachedFolder> | undefined {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const line = all.indexOf('\n');
  if (line < 0 || line > 200) return undefined;
  try {
    const head = JSON.parse(all.toString('utf8', 0, line)) as { format: number; bytes: number; sha256: string };
    const body = all.subarray(line + 1);
    if (head.format !== FORMAT || head.bytes !== body.length || head.sha256 !== contentHash(body)) return undefined;
    const folders = new Map<string, CachedFolder>();
    for (let at = 0; at < body.length; ) {
      const block = body.subarray(at, at + body.readUInt32LE(at));
      const pathAt = HEAD_BYTES + block.readUInt32LE(12) * (STAMP_BYTES + HASH_BYTES);
      folders.set(block.toString('utf8', pathAt, pathAt + block.readUInt32LE(4)), new CachedFolder(block));
      at += block.length;
    }
    return folders;
  } catch {
    return undefined;
  }
}

function bytesOf(stamps: BigInt64Array): Buffer {
  return Buffer.from(stamps.buffer, stamps.byteOffset, stamps.byteLength);
}
