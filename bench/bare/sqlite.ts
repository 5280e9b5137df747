import { DatabaseSync } from 'node:sqlite';
import { type Bare, fill } from './bare.ts';

const PAGE = 2000;

/** SQLite called in this process: one writer, and what is asked for at once is one transaction. No one else can have it open. */
export function bareSqlite(file: string): Bare {
  const db = new DatabaseSync(file);
  db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  db.exec('CREATE TABLE records (position INTEGER PRIMARY KEY, body BLOB NOT NULL)');
  const insert = db.prepare('INSERT INTO records VALUES (?, ?)');
  const page = db.prepare(`SELECT position, body FROM records WHERE position > ? ORDER BY position LIMIT ${PAGE}`);
  let head = 0;
  const bare: Bare = {
    async append(body, count) {
      db.exec('BEGIN IMMEDIATE');
      for (let n = 0; n < count; n++) insert.run(++head, body);
      db.exec('COMMIT');
    },
    async replay(count) {
      await fill(bare, count - head, 500);
      const startMs = performance.now();
      for (let at = 0; at < count; ) at = page.all(at).at(-1)!.position as number;
      return performance.now() - startMs;
    },
    close: async () => db.close(),
  };
  return bare;
}
