import { existsSync, renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Segments } from './segments.ts';

/** Records that are written together. */
const GROUP = { records: 500, bytes: 4 * 1024 * 1024 };

/**
 * Takes over the records of a log that version 0.1.0 kept in an SQLite database, and puts the database aside. What a crash interrupts
 * goes on with the next opening.
 */
export function takeOver(database: string, log: Segments): void {
  if (!existsSync(database)) return;
  const db = new DatabaseSync(database);
  try {
    const trimmed = db.prepare("SELECT value FROM numbers WHERE name = 'trimmed'").get() as
      | { readonly value: number }
      | undefined;
    log.trim(trimmed?.value ?? 0);
    let [bodies, bytes]: [Uint8Array[], number] = [[], 0];
    const write = () => {
      if (bodies.length > 0) log.append(bodies);
      [bodies, bytes] = [[], 0];
    };
    for (const row of db.prepare('SELECT body FROM records WHERE position > ? ORDER BY position').iterate(log.head)) {
      const { body } = row as { readonly body: Uint8Array };
      bodies.push(body);
      bytes += body.length;
      if (bodies.length >= GROUP.records || bytes >= GROUP.bytes) write();
    }
    write();
  } finally {
    db.close();
  }
  renameSync(database, `${database}.former`);
}
