import type { DatabaseSync } from 'node:sqlite';

/** What one step removes at most. */
const STEP = { records: 500, bytes: 1024 * 1024, pages: 256 };

/**
 * Removes trimmed records and gives their space back to the file system, in short steps between which appends get their turn.
 * Nothing depends on how far it is, so no step is synced by itself; what a crash leaves is done after the next start.
 */
export class Tidying {
  readonly #database: DatabaseSync;
  readonly #trimmed: () => number;
  #scheduled: NodeJS.Immediate | undefined;

  /** @param trimmed  position up to which records can be removed */
  constructor(database: DatabaseSync, trimmed: () => number) {
    this.#database = database;
    this.#trimmed = trimmed;
  }

  begin(): void {
    this.#scheduled ??= setImmediate(() => this.#run());
  }

  stop(): void {
    clearImmediate(this.#scheduled);
  }

  #run(): void {
    this.#scheduled = undefined;
    try {
      this.#database.exec('PRAGMA synchronous = NORMAL');
      if (this.#removeRecords() || this.#givePagesBack()) this.begin();
      // The file shrinks when what was written to the log of the database is moved to it.
      else this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // A disk that is full, say: the next trim begins again.
    } finally {
      this.#database.exec('PRAGMA synchronous = FULL');
    }
  }

  /** @returns whether there were any */
  #removeRecords(): boolean {
    const first = this.#database
      .prepare('SELECT position, length(body) AS bytes FROM records WHERE position <= ? ORDER BY position LIMIT ?')
      .all(this.#trimmed(), STEP.records) as { position: number; bytes: number }[];
    let last: number | undefined;
    let total = 0;
    for (const { position, bytes } of first) {
      total += bytes;
      if (last !== undefined && total > STEP.bytes) break;
      last = position;
    }
    if (last === undefined) return false;
    this.#database.prepare('DELETE FROM records WHERE position <= ?').run(last);
    return true;
  }

  /** @returns whether there were any */
  #givePagesBack(): boolean {
    const free = this.#database.prepare('PRAGMA freelist_count').get() as { freelist_count: number };
    if (free.freelist_count === 0) return false;
    this.#database.exec(`PRAGMA incremental_vacuum(${STEP.pages})`);
    return true;
  }
}
