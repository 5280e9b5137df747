import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { orMissing, syncFolder } from '../../embedded/files.ts';

/*
 * Whose turn it is, in files that need no locks: a process that stands still goes on holding its locks, so nobody could follow it.
 *
 * A term begins by making the file of its number, which only one broker can, and then takes away those of the terms before.
 * What a broker has written counts when its file is still there afterwards: then nobody had begun to read what he left. Each look opens the
 * file: that is when a network drive asks its server, and a file that was removed is not found by its former handle either.
 */

/** What the holder of a term says of itself, again and again. */
export interface TokenText {
  readonly name: string;
  /** Counts the signs of life. */
  readonly beat: number;
  /** Of the machine that it runs on, where its locks are seen by others at once. */
  readonly machine: string;
  /** Whether it holds the lock of the term, which ends with its process. */
  readonly locked: boolean;
  /** It has stepped down; `to` says for whom. */
  readonly released?: { readonly to?: string };
}

/** A longer text never leaves the end of a shorter one behind. */
const TEXT_BYTES = 1024;
const DIGITS = 12;

export class Tokens {
  readonly #folder: string;

  /** @param folder  is there */
  constructor(folder: string) {
    this.#folder = folder;
  }

  file(term: number): string {
    return path.join(this.#folder, String(term).padStart(DIGITS, '0'));
  }

  /** The newest term, 0 when there was none, and what its holder said last. */
  async newest(): Promise<{ readonly term: number; readonly text: string }> {
    const terms = (await readdir(this.#folder)).filter((name) => /^\d{12}$/.test(name)).map(Number);
    const term = Math.max(0, ...terms);
    const file = term === 0 ? undefined : await orMissing(open(this.file(term), 'r'));
    try {
      return { term, text: (await file?.readFile('utf8')) ?? '' };
    } finally {
      await file?.close();
    }
  }

  /** @returns whether the term is ours; then the others are over */
  async claim(term: number, text: TokenText): Promise<boolean> {
    let file: FileHandle;
    try {
      file = await open(this.file(term), 'wx');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
    try {
      await file.write(padded(text));
      await file.sync();
    } finally {
      await file.close();
    }
    await syncFolder(this.#folder);
    for (const name of await readdir(this.#folder))
      if (/^\d{12}$/.test(name) && Number(name) < term) await rm(this.file(Number(name)), { force: true });
    await syncFolder(this.#folder);
    return true;
  }

  /** @returns whether the term is still ours */
  async say(term: number, text: TokenText): Promise<boolean> {
    const file = await orMissing(open(this.file(term), 'r+'));
    if (file === undefined) return false;
    try {
      if ((await file.stat()).nlink === 0) return false;
      await file.write(padded(text), 0, TEXT_BYTES, 0);
      return true;
    } finally {
      await file.close();
    }
  }
}

export function parseToken(text: string): Partial<TokenText> {
  try {
    return JSON.parse(text) as Partial<TokenText>;
  } catch {
    // Just being written.
    return {};
  }
}

function padded(text: TokenText): Buffer {
  const bytes = Buffer.alloc(TEXT_BYTES, ' ');
  bytes.write(JSON.stringify(text));
  bytes[TEXT_BYTES - 1] = 0x0a;
  return bytes;
}
