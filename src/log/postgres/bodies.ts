import type { Readable } from 'node:stream';
import { systemClock, UnavailableError } from '../../base/index.ts';
import { LogClosedError, LogRefusedError } from '../errors.ts';
import { pieces } from '../pieces.ts';
import type { Tables } from './schema.ts';
import type { Sessions } from './sessions.ts';

/** Bodies are rows of so many bytes, each written and read by a statement of its own: nobody who is slow holds a connection. */
export const CHUNK_BYTES = 1024 * 1024;
/** A transfer gives up when nothing has come through for so long. */
export const PATIENCE_MS = 20_000;
export const PAUSE_MS = 100;
/** Portion of a body that is removed at a time. */
const REMOVED_CHUNKS = 32;

/** What transfers need. */
export interface BodyParts {
  readonly sessions: Sessions;
  readonly tables: Tables;
  readonly slots: Slots;
  /** For one chunk, in milliseconds. */
  readonly chunkWaitMs: number;
  /** For how long a body stays that is no longer part of the log, so that whoever is reading it comes to its end. */
  readonly graceMs: number;
  /** Aborted, with the reason, when the log is closed. */
  readonly closing: AbortSignal;
}

/** Chunks that are on their way at a time: transfers leave connections for everything else, and wait for each other in turn. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(slots: number) {
    this.#free = slots;
  }

  async run<T>(step: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await step();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/** Tries again while the log cannot be reached, for some time. */
export async function persist<T>(call: () => Promise<T>, closing: AbortSignal): Promise<T> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    closing.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      if (!isPassing(error) || performance.now() > deadlineMs) throw error;
    }
    await systemClock.sleep(PAUSE_MS, closing).catch(() => {});
  }
}

export function isPassing(error: unknown): boolean {
  return error instanceof UnavailableError && !(error instanceof LogRefusedError) && !(error instanceof LogClosedError);
}

/** The bytes of a stream in pieces of `CHUNK_BYTES`, the last one shorter. */
export async function* chunksOf(body: Readable, closing: AbortSignal): AsyncGenerator<Buffer> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces(body, closing)) {
    waiting.push(piece);
    bytes += piece.length;
    if (bytes < CHUNK_BYTES) continue;
    const all = Buffer.concat(waiting);
    let at = 0;
    for (; bytes - at >= CHUNK_BYTES; at += CHUNK_BYTES) yield all.subarray(at, at + CHUNK_BYTES);
    waiting = [all.subarray(at)];
    bytes -= at;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}

/** The bytes of a stored body. @throws UnavailableError  it cannot be reached for long, or was removed meanwhile */
export async function* readBody(
  { sessions, tables, slots, chunkWaitMs, closing }: BodyParts,
  body: string,
  from: number,
  size: number,
): AsyncGenerator<Uint8Array> {
  for (let at = from; at < size; ) {
    const statement = {
      name: 'chunk',
      text: `SELECT substring(bytes FROM ($2::bigint - start)::int + 1) AS bytes FROM ${tables.chunk}
        WHERE body = $1 AND start <= $2::bigint ORDER BY start DESC LIMIT 1`,
      values: [body, at],
    };
    const [row] = await persist(() => slots.run(() => sessions.ask(statement, chunkWaitMs)), closing);
    const bytes = row?.bytes as Buffer | undefined;
    if (bytes === undefined || bytes.length === 0)
      throw new UnavailableError('blob-gone', 'the log has removed these bytes while they were read');
    at += bytes.length;
    yield bytes;
  }
}

/** A moment of the database's clock, in SQL. */
export function after(ms: number): string {
  return `clock_timestamp() + interval '${Math.trunc(ms)} ms'`;
}

/** Removes a portion of a body that is due. @returns whether there may be more */
export async function removeGarbage({ sessions, tables, chunkWaitMs }: BodyParts): Promise<boolean> {
  const [row] = await sessions.ask(
    `WITH due AS (
      SELECT body FROM ${tables.garbage} WHERE due_at <= clock_timestamp() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED),
    gone AS (
      DELETE FROM ${tables.chunk} WHERE (body, start) IN (
        SELECT chunk.body, chunk.start FROM ${tables.chunk} AS chunk JOIN due ON chunk.body = due.body LIMIT ${REMOVED_CHUNKS})
      RETURNING 1),
    done AS (
      DELETE FROM ${tables.garbage} WHERE body IN (SELECT body FROM due) AND (SELECT count(*) FROM gone) < ${REMOVED_CHUNKS})
    SELECT EXISTS (SELECT FROM due) AS more`,
    chunkWaitMs,
  );
  return row!.more === true;
}
