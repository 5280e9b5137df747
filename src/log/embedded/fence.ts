import { closeSync, fstatSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';

/** What a folder's log must look at when others may write to the folder as well. */
export interface Fence {
  /** Number of the term in which this process may write. */
  readonly term: number;
  /** File that is there as long as the term goes on. */
  readonly file: string;
  /** Resolves when the log is still this process' own. @throws UnavailableError */
  check(): Promise<void>;
  /** Hears that it is not. */
  readonly onOver: () => void;
}

/** Whether the term that has this file goes on. Asks the file system's server, whatever is remembered here. */
export function isCurrent(file: string): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
  try {
    return fstatSync(descriptor).nlink > 0;
  } finally {
    closeSync(descriptor);
  }
}

/** As `isCurrent`, for a thread that must not wait for a drive. */
export async function goesOn(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'r');
    try {
      return (await handle.stat()).nlink > 0;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ESTALE';
}
