import { UnavailableError, UncertainError } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import type { Appended, HeadMoved } from '../change-log.ts';
import { LogClosedError } from '../errors.ts';
import { BATCH_BYTES_MAX } from '../feed.ts';
import { isDefinite } from './failures.ts';
import type { Tables } from './schema.ts';
import type { Sessions } from './sessions.ts';

/** Most records in one statement. */
const BATCH_RECORDS_MAX = 500;
const BYTES_A_SECOND_LEAST = 1024 * 1024;
/** A log that is closed waits so long for the answer to what is under way. */
const CLOSE_WAIT_MS = 1000;

interface Asked {
  readonly after: Position;
  readonly body: Uint8Array;
  readonly resolve: (result: Appended | HeadMoved) => void;
  readonly reject: (error: Error) => void;
}

export interface AppenderOptions {
  readonly sessions: Sessions;
  readonly tables: Tables;
  readonly waitMs: number;
  /** Hears of records that were written, in order, before whoever asked for them. */
  readonly onAppended: (after: Position, bodies: readonly Uint8Array[]) => void;
  /** Something may have been written, and no answer says so. */
  readonly onUncertain: () => void;
}

/**
 * Appends what waits, one statement at a time: what is asked for on top of each other meanwhile goes together, with one sync of the
 * server's disk.
 */
export class Appender {
  readonly #options: AppenderOptions;
  readonly #statement: string;
  #queue: Asked[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: AppenderOptions) {
    this.#options = options;
    this.#statement = appendSql(options.tables);
  }

  append(after: Position, body: Uint8Array): Promise<Appended | HeadMoved> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new LogClosedError());
      this.#queue.push({ after, body, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Refuses what waits, and gives the one statement under way a moment. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#queue.splice(0)) reject(new LogClosedError());
    const enough = Promise.withResolvers<void>();
    const timer = setTimeout(enough.resolve, CLOSE_WAIT_MS);
    await Promise.race([this.#running, enough.promise]);
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    // What is asked for in one go is sent in one go.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, this.#batchLength());
      try {
        await this.#write(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error as Error);
      }
    }
    this.#running = undefined;
  }

  /** How many of those that wait stand on top of each other, and go into one statement. */
  #batchLength(): number {
    let bytes = 0;
    let length = 0;
    for (const { after, body } of this.#queue) {
      bytes += body.length;
      const isNext = length === 0 || after === this.#queue[0]!.after + length;
      if (!isNext || length >= BATCH_RECORDS_MAX || (length > 0 && bytes > BATCH_BYTES_MAX)) break;
      length++;
    }
    return length;
  }

  async #write(batch: readonly Asked[]): Promise<void> {
    const { sessions, tables, onAppended, onUncertain } = this.#options;
    const { after } = batch[0]!;
    const bodies = batch.map(({ body }) => body);
    const lengths = bodies.map((body) => body.length);
    const all =
      bodies.length === 1 ? Buffer.from(bodies[0]!.buffer, bodies[0]!.byteOffset, lengths[0]) : Buffer.concat(bodies);
    const session = await sessions.acquire();
    let head: Position;
    let appended: boolean;
    try {
      const values = [after, all, starts(lengths), lengths];
      const timeoutMs = this.#options.waitMs + (all.length / BYTES_A_SECOND_LEAST) * 1000;
      const [row] = await session.query({ name: 'append', text: this.#statement, values }, timeoutMs);
      if (row === undefined) throw new UnavailableError('log-failed', 'the log has no state: its table log is empty');
      appended = row.appended === true;
      head = Number(row.head) as Position;
    } catch (error) {
      if (error instanceof UnavailableError) throw error;
      const explained = sessions.explain(error);
      if (isDefinite(error)) throw explained;
      onUncertain();
      throw new UncertainError(explained.message, { cause: error });
    } finally {
      sessions.release(session);
    }
    if (appended) {
      onAppended(after, bodies);
      for (const [index, { resolve }] of batch.entries())
        resolve({ kind: 'appended', position: (after + index + 1) as Position });
      return;
    }
    // Somebody was faster by so little that this statement has not seen it: the head is not what it saw.
    if (head === after) head = await currentHead(sessions, tables);
    const moved = { kind: 'head-moved', head } as const;
    // One of the others may fit the head as it is now.
    const fitting = batch.findIndex((each, index) => index > 0 && each.after === head);
    for (const { resolve } of fitting < 0 ? batch : batch.slice(0, fitting)) resolve(moved);
    if (fitting > 0) this.#queue.unshift(...batch.slice(fitting));
  }
}

/** The head as of a moment within the call. @throws UnavailableError */
export async function currentHead(sessions: Sessions, tables: Tables): Promise<Position> {
  const [row] = await sessions.ask({ name: 'head', text: `SELECT ${headSql(tables)} AS head FROM ${tables.log}` });
  if (row === undefined) throw new UnavailableError('log-failed', 'the log has no state: its table log is empty');
  return Number(row.head) as Position;
}

/** The last position, in a statement on the table `log`; when all records were trimmed, it is the last of those. */
export function headSql({ record, log }: Tables): string {
  return `greatest(${log}.trimmed, coalesce((SELECT max(position) FROM ${record}), 0))`;
}

/**
 * Compare-and-append in one round trip. $1: the head that is expected; $2: the bodies, one behind the other; $3, $4: where each begins,
 * counted from 1, and its length.
 *
 * The first record is inserted when the head, as the statement sees it, is the one expected. Of two that do this at the same
 * time the primary key lets one through: the other one waits for its commit, then does nothing. The records behind the first need no such care:
 * nobody can see the first before this statement's commit, so nobody has that head. So positions have no gaps, and are seen
 * in their order. (That a removed record's place is not taken again is the care of `trim`.)
 */
function appendSql(t: Tables): string {
  return `WITH seen AS MATERIALIZED (SELECT ${headSql(t)} AS head FROM ${t.log}),
    first AS (
      INSERT INTO ${t.record} (position, body)
      SELECT $1::bigint + 1, substring($2::bytea FROM 1 FOR ($4::int[])[1]) FROM seen WHERE seen.head = $1::bigint
      ON CONFLICT DO NOTHING
      RETURNING position),
    rest AS (
      INSERT INTO ${t.record} (position, body)
      SELECT $1::bigint + part.nth, substring($2::bytea FROM part.start FOR part.length)
      FROM first, unnest($3::int[], $4::int[]) WITH ORDINALITY AS part(start, length, nth)
      WHERE part.nth > 1)
    SELECT seen.head, first.position IS NOT NULL AS appended
    FROM seen LEFT JOIN first ON true`;
}

function starts(lengths: readonly number[]): number[] {
  let next = 1;
  return lengths.map((length) => {
    const start = next;
    next += length;
    return start;
  });
}
