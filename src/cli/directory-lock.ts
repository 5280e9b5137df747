import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Logger, ProcessLock, UserError } from '../base/index.ts';

/**
 * Keeps a data directory for one process. Two that write it would take each other's files for edits by hand, over and over.
 *
 * The lock is on a file in `cluster/`; a file system that is shared between machines keeps it for all of them as far as it keeps
 * locks at all.
 */
export class DirectoryLock {
  readonly #folder: string;
  #lock: ProcessLock | undefined;

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
    this.#lock ??= ProcessLock.take(path.join(this.#folder, LOCK_FILE));
    return this.#lock !== undefined;
  }

  release(): void {
    this.#lock?.release();
    this.#lock = undefined;
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
