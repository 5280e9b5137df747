import { accessSync, constants } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** @see https://www.sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;

/**
 * A lock on a file that the operating system ends with the process, however that ends. It is SQLite's, on a database in which nothing
 * is ever written, so that there is nothing to be recovered. Not every network drive has locks that hold between machines. Nobody else
 * in the process may open the file: closing it would end the lock.
 */
export class ProcessLock {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * @returns undefined when somebody has it, in another process or in this one
   * @throws Error  the file cannot be used, or there are no locks here
   */
  static take(file: string): ProcessLock | undefined {
    const database = new DatabaseSync(file, { timeout: 0 });
    try {
      database.exec('BEGIN EXCLUSIVE');
      // On a file that it may only read, that locks nobody out.
      accessSync(file, constants.W_OK);
      return new ProcessLock(database);
    } catch (error) {
      database.close();
      if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
      throw error;
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
