import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type ContentHash, contentHash, type Snapshot, type SnapshotHeader } from '../../tree/index.ts';
import type { Wanted } from './contents.ts';

/** Name of a backup's file: says of which position, and of which files. */
export function backupName({ position, digest }: Pick<SnapshotHeader, 'position' | 'digest'>): string {
  return `graticule-${position}-${digest.slice(0, 12)}.tar.zst`;
}

/** Reads a snapshot through for the files of some sizes; each is to be read before the next one. */
export async function* bodiesOfSnapshot(
  snapshot: Snapshot,
  wanted: readonly Pick<Wanted, 'size'>[],
): AsyncGenerator<AsyncIterable<Uint8Array>> {
  const sizes = new Set(wanted.map(({ size }) => size));
  for await (const file of snapshot.files()) {
    // What is named by its hash lies elsewhere.
    if (file.hash !== undefined && file.bytes === undefined) continue;
    const body = file.bytes === undefined ? file.body : Readable.from([file.bytes]);
    if (sizes.has(file.size)) yield body;
    else for await (const _chunk of body);
  }
}

/** Reads a snapshot through, and keeps the bytes that are wanted. */
export async function contentsOfSnapshot(
  snapshot: Snapshot,
  wanted: readonly Pick<Wanted, 'hash' | 'size'>[],
): Promise<ReadonlyMap<ContentHash, Uint8Array>> {
  const hashes = new Set(wanted.map(({ hash }) => hash));
  const sizes = new Set(wanted.map(({ size }) => size));
  const found = new Map<ContentHash, Uint8Array>();
  for await (const file of snapshot.files()) {
    if (found.size === hashes.size) break;
    // What is named by its hash need not be read to be known.
    if (file.hash !== undefined && !hashes.has(file.hash)) continue;
    if (!sizes.has(file.size)) {
      // What is long and in the archive has to be read to its end before the next file.
      if (file.bytes === undefined && file.hash === undefined) for await (const _chunk of file.body);
      continue;
    }
    const bytes = file.bytes ?? (await buffer(file.body));
    const hash = contentHash(bytes);
    if (hashes.has(hash)) found.set(hash, bytes);
  }
  return found;
}
