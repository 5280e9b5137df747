import { readdir, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { orMissing } from '../../embedded/files.ts';
import type { DiskRoom } from '../types.ts';

/** Bytes of all files below a folder; what goes while it is looked at does not count. */
export async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of (await orMissing(readdir(folder, { withFileTypes: true }))) ?? []) {
    const at = path.join(folder, entry.name);
    if (entry.isDirectory()) bytes += await bytesBelow(at);
    else bytes += (await orMissing(stat(at)))?.size ?? 0;
  }
  return bytes;
}

/** Of the disk that a folder is on, as far as this user may fill it. */
export async function diskOf(folder: string): Promise<DiskRoom | undefined> {
  const { bavail, blocks, bsize } = await statfs(folder);
  // Some network drives know nothing of their size.
  return blocks === 0 ? undefined : { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}
