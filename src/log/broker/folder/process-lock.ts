import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { DatabaseSync } from 'node:sqlite';

/**
 * A lock on a file that the operating system ends with the process, however that ends. It tells others soon that somebody is dead; nothing
 * but that depends on it, since not every network drive has locks that hold between machines.
 */
export class ProcessLock {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** @returns undefined when another process has it, or there are no locks here */
  static take(file: string): ProcessLock | undefined {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(file, { timeout: 0 });
      // Nothing is ever written, so there is nothing to be recovered.
      database.exec('BEGIN EXCLUSIVE');
      return new ProcessLock(database);
    } catch {
      database?.close();
      return undefined;
    }
  }

  /** @returns whether its holder is gone, as far as can be known here */
  static isFree(file: string): boolean {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(file, { readOnly: true, timeout: 0 });
      database.exec('BEGIN; SELECT count(*) FROM sqlite_schema');
      return true;
    } catch {
      return false;
    } finally {
      database?.close();
    }
  }

  release(): void {
    this.#database.close();
  }
}

/** The running kernel: processes on the same one see each other's locks at once. */
export function machineId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return hostname();
  }
}
