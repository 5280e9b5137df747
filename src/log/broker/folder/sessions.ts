import { mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { orMissing } from '../../embedded/files.ts';
import { SESSION_IDLE_MS, SESSION_USE_MS, SESSIONS_MAX, type SessionStore } from '../sessions.ts';

/** A file for each session, empty, whose time of change is when it was used last. */
export class FolderSessions implements SessionStore {
  readonly #folder: string;
  readonly #now: () => number;

  constructor(folder: string, now: () => number) {
    this.#folder = folder;
    this.#now = now;
  }

  async add(key: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const found: { readonly file: string; readonly usedMs: number }[] = [];
    for (const name of await readdir(this.#folder)) {
      const file = path.join(this.#folder, name);
      const there = await orMissing(stat(file));
      if (there !== undefined) found.push({ file, usedMs: there.mtimeMs });
    }
    found.sort((a, b) => b.usedMs - a.usedMs);
    for (const [index, { file, usedMs }] of found.entries())
      if (index >= SESSIONS_MAX - 1 || this.#isOver(usedMs)) await rm(file, { force: true });
    await writeFile(this.#file(key), '', { mode: 0o600 });
    await this.#touch(key);
  }

  async use(key: string): Promise<boolean> {
    const there = await orMissing(stat(this.#file(key)));
    if (there === undefined || this.#isOver(there.mtimeMs)) return false;
    if (this.#now() - there.mtimeMs > SESSION_USE_MS) await orMissing(this.#touch(key));
    return true;
  }

  remove(key: string): Promise<void> {
    return rm(this.#file(key), { force: true });
  }

  #touch(key: string): Promise<void> {
    const now = new Date(this.#now());
    return utimes(this.#file(key), now, now);
  }

  #isOver(usedMs: number): boolean {
    return this.#now() - usedMs > SESSION_IDLE_MS;
  }

  #file(key: string): string {
    return path.join(this.#folder, key);
  }
}
