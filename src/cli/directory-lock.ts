import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { type Logger, UserError } from '../base/index.ts';

/**
 * Keeps a data directory for one process. Two that write it would take each other's files for edits by hand, over and over.
 *
 * It is SQLite's lock on a file in `cluster/`: the operating system ends it with the process, however that ends, and a file system
 * that is shared between machines keeps it for all of them as far as it keeps locks at all.
 */
export class DirectoryLock {
  readonly #folder: string;
  #database: DatabaseSync | undefined;

  /** @param dataDir  absolute */
  constructor(dataDir: string) {
    this.#folder = path.join(dataDir, 'cluster');
  }

  /**
   * Takes the lock, once; waits a little for a process that is just ending.
   *
   * @throws UserError  409: another process has it
   */
  async take(name: string, logger: Logger, waitMs = WAIT_MS): Promise<void> {
    mkdirSync(this.#folder, { recursive: true });
    const deadline = performance.now() + waitMs;
    for (let attempt = 0; !this.tryTake(); attempt++) {
      if (performance.now() > deadline)
        throw new UserError(
          409,
          'directory-in-use',
          `the data directory ${path.dirname(this.#folder)} is in use by ${this.#holder()}: stop that one, or give this node a directory of its own`,
        );
      if (attempt === 0)
        logger.warn('directory-in-use', { dataDir: path.dirname(this.#folder), holder: this.#holder() });
      await setTimeout(RETRY_MS);
    }
    const holder = { name, pid: process.pid, host: hostname(), since: new Date().toISOString() };
    writeFileSync(path.join(this.#folder, HOLDER_FILE), `${JSON.stringify(holder)}\n`);
  }

  /** @returns whether this process has the lock now */
  tryTake(): boolean {
    if (this.#database !== undefined) return true;
    const database = new DatabaseSync(path.join(this.#folder, LOCK_FILE));
    try {
      // Nothing is ever written, so there is nothing to be recovered.
      database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return false;
      throw error;
    }
    this.#database = database;
    return true;
  }

  release(): void {
    this.#database?.close();
    this.#database = undefined;
  }

  /** Who has it, as far as it said. */
  #holder(): string {
    try {
      const { name, pid, host, since } = JSON.parse(readFileSync(path.join(this.#folder, HOLDER_FILE), 'utf8')) as {
        readonly [key: string]: unknown;
      };
      return `node ${name} (process ${pid} on ${host}, since ${since})`;
    } catch {
      return 'another process';
    }
  }
}

const LOCK_FILE = 'lock';
const HOLDER_FILE = 'lock.json';
const WAIT_MS = 12_000;
const RETRY_MS = 200;
/** @see https://www.sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;
