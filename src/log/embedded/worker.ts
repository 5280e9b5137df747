/**
 * The thread of an embedded log: the only one that touches the database. Appends that wait are taken in one transaction, so
 * that they share one file sync. What is trimmed is gone for readers at once, and removed between appends.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Reply, Request, WorkerData } from './protocol.ts';
import { Tidying } from './tidying.ts';

/** Version of the tables. History: 1, the first. */
const SCHEMA_VERSION = 1;
/** Code of a database that another process has locked. @see https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;

/** @see https://www.sqlite.org/pragma.html#pragma_auto_vacuum */
const INCREMENTAL = 2;
/** The write-ahead log is cut to this after it had to hold more. */
const JOURNAL_BYTES_MAX = 16 * 1024 * 1024;

const port = parentPort!;
const { file, waitMs } = workerData as WorkerData;
const reply = (...messages: Reply[]) => port.postMessage(messages);

let database: DatabaseSync | undefined;
try {
  database = open();
} catch (error) {
  const { errcode, message } = error as Error & { errcode?: number };
  reply(errcode === SQLITE_BUSY ? { kind: 'in-use' } : { kind: 'unusable', message });
  port.close();
}
if (database !== undefined) serve(database);

function open(): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: waitMs });
  try {
    // In this order: in exclusive mode from the start, the write-ahead log needs no shared memory, and works on network drives.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    // Before anything is written: the space of what was trimmed can be given back bit by bit.
    db.exec('PRAGMA auto_vacuum = INCREMENTAL');
    db.exec('PRAGMA journal_mode = WAL');
    db.exec('PRAGMA synchronous = FULL');
    db.exec(`PRAGMA journal_size_limit = ${JOURNAL_BYTES_MAX}`);
    // The lock is taken by the first transaction, and kept.
    db.exec('BEGIN EXCLUSIVE');
    const version = (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
    if (version > SCHEMA_VERSION)
      throw new Error(`${file} was written by a newer version (${version}, this one knows ${SCHEMA_VERSION})`);
    db.exec('CREATE TABLE IF NOT EXISTS records (position INTEGER PRIMARY KEY, body BLOB NOT NULL)');
    db.exec('CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID');
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    db.exec('COMMIT');
    // A database from before: written anew, once.
    const { auto_vacuum } = db.prepare('PRAGMA auto_vacuum').get() as { auto_vacuum: number };
    if (auto_vacuum !== INCREMENTAL) db.exec('PRAGMA auto_vacuum = INCREMENTAL; VACUUM');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function serve(db: DatabaseSync): void {
  const statements = {
    insert: db.prepare('INSERT INTO records (position, body) VALUES (?, ?)'),
    load: db.prepare('SELECT position, body FROM records WHERE position > ? ORDER BY position LIMIT ?'),
    setTrimmed: db.prepare(
      "INSERT INTO numbers VALUES ('trimmed', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    ),
  };
  const number = (sql: string) => (db.prepare(sql).get() as { value: number | null } | undefined)?.value ?? 0;
  let trimmed = number("SELECT value FROM numbers WHERE name = 'trimmed'");
  let head = Math.max(trimmed, number('SELECT max(position) AS value FROM records'));
  const tidying = new Tidying(db, () => trimmed);
  reply({ kind: 'opened', head, trimmed });
  tidying.begin();

  port.on('message', (first: readonly Request[]) => {
    const waiting = [...first];
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
      waiting.push(...(next.message as readonly Request[]));
    for (let i = 0; i < waiting.length; ) {
      const request = waiting[i]!;
      if (request.kind === 'append') {
        const group: Extract<Request, { kind: 'append' }>[] = [];
        for (; i < waiting.length && waiting[i]!.kind === 'append'; i++)
          group.push(waiting[i] as (typeof group)[number]);
        append(group);
        continue;
      }
      i++;
      if (request.kind === 'load') load(request, statements.load);
      else if (request.kind === 'trim') trim(request.id, request.upTo);
      else {
        tidying.stop();
        db.close();
        reply({ kind: 'done', id: request.id });
        port.close();
      }
    }
  });

  function append(group: readonly Extract<Request, { kind: 'append' }>[]): void {
    const replies: Reply[] = [];
    let next = head;
    let committing = false;
    try {
      db.exec('BEGIN IMMEDIATE');
      for (const { id, after, body } of group) {
        if (after === next) {
          statements.insert.run(++next, body);
          replies.push({ kind: 'appended', id, position: next });
        } else replies.push({ kind: 'head-moved', id, head: next });
      }
      committing = true;
      db.exec('COMMIT');
      head = next;
      reply(...replies);
    } catch (error) {
      // A commit that failed may have reached the disk all the same.
      const uncertain = committing || !rollBack();
      if (committing) rollBack();
      head = newestOr(head);
      const { message } = error as Error;
      reply(...group.map(({ id }): Reply => ({ kind: 'failed', id, message, uncertain, head })));
    }
  }

  function trim(id: number, upTo: number): void {
    try {
      if (upTo > trimmed) {
        statements.setTrimmed.run(upTo);
        trimmed = upTo;
        head = Math.max(head, trimmed);
        tidying.begin();
      }
      reply({ kind: 'trimmed', id, trimmed });
    } catch (error) {
      rollBack();
      reply({ kind: 'failed', id, message: (error as Error).message, uncertain: false, head });
    }
  }

  function load(request: Extract<Request, { kind: 'load' }>, statement: StatementSync): void {
    const { id, after, bytesMax, recordsMax } = request;
    try {
      if (after < trimmed) {
        reply({ kind: 'trimmed', id, trimmed });
        return;
      }
      const records: { position: number; body: Uint8Array }[] = [];
      let bytes = 0;
      for (const row of statement.iterate(after, recordsMax)) {
        const { position, body } = row as { position: number; body: Uint8Array };
        bytes += body.length;
        if (records.length > 0 && bytes > bytesMax) break;
        records.push({ position, body });
      }
      const buffers = records.map(({ body }) => body.buffer as ArrayBuffer);
      port.postMessage([{ kind: 'loaded', id, records } satisfies Reply], [...new Set(buffers)]);
    } catch (error) {
      reply({ kind: 'failed', id, message: (error as Error).message, uncertain: false, head });
    }
  }

  function newestOr(known: number): number {
    try {
      return Math.max(trimmed, number('SELECT max(position) AS value FROM records'));
    } catch {
      return known;
    }
  }

  function rollBack(): boolean {
    try {
      if (db.isTransaction) db.exec('ROLLBACK');
      return true;
    } catch {
      return false;
    }
  }
}
