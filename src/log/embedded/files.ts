import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { messageOf, UnavailableError } from '../../base/index.ts';
import { pieces } from '../pieces.ts';

/** Syncs as it goes, so that no append waits behind everything that a big body has left in the system's memory. */
const SYNC_BYTES = 8 * 1024 * 1024;

/**
 * Writes a body behind what is in a file; on disk when it resolves. When the signal is aborted, it rejects with the reason.
 * @param each  given every piece before it is written; what it throws ends the body
 */
export async function writeBody(
  file: FileHandle,
  body: Readable,
  each: (piece: Uint8Array) => void,
  signal?: AbortSignal,
): Promise<void> {
  let unsynced = 0;
  for await (const piece of pieces(body, signal)) {
    each(piece);
    await stored(writeWhole(file, piece));
    unsynced += piece.length;
    if (unsynced < SYNC_BYTES) continue;
    await stored(file.datasync());
    unsynced = 0;
  }
  await stored(file.sync());
}

/** @throws UnavailableError  the disk is full, say */
async function stored(step: Promise<void>): Promise<void> {
  try {
    await step;
  } catch (error) {
    throw new UnavailableError('log-failed', `the log cannot write to its disk: ${messageOf(error)}`, { cause: error });
  }
}

async function writeWhole(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}

/** Gives a file its place; durable when it resolves. */
export async function publish(file: string, target: string): Promise<void> {
  const folder = path.dirname(target);
  const made = await mkdir(folder, { recursive: true });
  await rename(file, target);
  await syncFolder(folder);
  if (made !== undefined)
    for (let at = folder; at.length >= path.dirname(made).length; at = path.dirname(at)) await syncFolder(at);
}

/** Opened before it is returned, so that it can be read though its name goes away; undefined when there is no such file. */
export async function openToRead(file: string): Promise<FileHandle | undefined> {
  return orMissing(open(file, 'r'));
}

/** What was asked for, or undefined when the file is not there. */
export async function orMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export async function remove(file: string): Promise<void> {
  await rm(file, { recursive: true, force: true });
}

/** So that names in it last. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
