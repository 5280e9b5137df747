import type { Clock } from '../../base/index.ts';
import { type ChangeLog, TrimmedError } from '../../log/index.ts';
import { decodeRecord, type Position, type TreeRecord } from '../../tree/index.ts';
import { withinMs } from '../waiting.ts';
import { HistoryTrimmedError } from './errors.ts';

export interface Placed {
  readonly position: Position;
  readonly record: TreeRecord;
}

/** Records are fetched in blocks of so many at most; backwards, blocks begin small, for most who ask want the newest few. */
const BLOCK_FIRST = 64;
const BLOCK_MAX = 512;
/** A block that was longer is followed by a smaller one, whatever its number of records. */
const BLOCK_BYTES = 8 * 1024 * 1024;
const BLOCK_WAIT_MS_MAX = 20_000;

/** Reads a log that is there already, in either direction, and never waits for what is still to come. */
export class LogReader {
  readonly #log: () => ChangeLog;
  readonly #clock: Clock;

  /** @param log  or throws `UnavailableError` */
  constructor(log: () => ChangeLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  get log(): ChangeLog {
    return this.#log();
  }

  trimmed(): Promise<Position> {
    return withinMs(this.#clock, BLOCK_WAIT_MS_MAX, this.log.trimmed(), 'the log’s answer');
  }

  /** @throws HistoryTrimmedError  the log no longer holds this record */
  async record(position: Position): Promise<TreeRecord> {
    for await (const { record } of this.forwards((position - 1) as Position, position)) return record;
    throw new Error(`the log did not give record ${position}`);
  }

  /** The records after `after`, up to and including `upTo`, which must be in the log. @throws HistoryTrimmedError */
  async *forwards(after: Position, upTo: Position): AsyncGenerator<Placed> {
    await this.#mustHold(after);
    for (let at = after; at < upTo; ) {
      const block = await this.#block(at, Math.min(upTo, at + BLOCK_MAX) as Position);
      for (const { position, body } of block) yield { position, record: decodeRecord(body) };
      at = block.at(-1)!.position;
    }
  }

  /** The records from `from` down to the one after `downTo`. @throws HistoryTrimmedError */
  async *backwards(from: Position, downTo: Position): AsyncGenerator<Placed> {
    await this.#mustHold(downTo);
    let length = BLOCK_FIRST;
    for (let top = from; top > downTo; ) {
      const after = Math.max(downTo, top - length) as Position;
      const block = await this.#block(after, top);
      for (const { position, body } of block.toReversed()) yield { position, record: decodeRecord(body) };
      const bytes = block.reduce((sum, { body }) => sum + body.length, 0);
      length = bytes > BLOCK_BYTES ? Math.max(1, length >> 2) : Math.min(BLOCK_MAX, length * 2);
      top = after;
    }
  }

  async #mustHold(after: Position): Promise<void> {
    const trimmed = await this.trimmed();
    if (after < trimmed) throw new HistoryTrimmedError((after + 1) as Position, (trimmed + 1) as Position);
  }

  /** @throws HistoryTrimmedError */
  async #block(after: Position, upTo: Position) {
    const enough = new AbortController();
    const gather = async () => {
      const records: { position: Position; body: Uint8Array }[] = [];
      for await (const batch of this.log.read(after, enough.signal))
        for (const record of batch) {
          records.push(record);
          if (record.position >= upTo) return records;
        }
      return records;
    };
    try {
      return await withinMs(this.#clock, BLOCK_WAIT_MS_MAX, gather(), `reading records ${after + 1} to ${upTo}`);
    } catch (error) {
      // Trimmed since it was asked.
      if (!(error instanceof TrimmedError)) throw error;
      throw new HistoryTrimmedError((after + 1) as Position, (error.trimmed + 1) as Position);
    } finally {
      enough.abort();
    }
  }
}

/** The changes of a record, in order; none of the one that the log begins with. */
export function changesOf(record: TreeRecord) {
  return record.kind === 'changes' ? record.changes : [];
}
