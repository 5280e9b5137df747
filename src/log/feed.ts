import type { Position } from '../tree/index.ts';
import type { LogRecord } from './change-log.ts';
import { LogClosedError } from './errors.ts';
import { Wakeup } from './wakeup.ts';

/** Most bytes that a reader is given at once; a longer record comes alone. */
export const BATCH_BYTES_MAX = 1024 * 1024;
/** Most records that a reader is given at once. */
export const BATCH_RECORDS_MAX = 2000;

/**
 * The newest records of a log in memory, and the readers who wait for more. What is no longer in memory is loaded by the
 * driver.
 */
export class Feed {
  readonly #bytesMax: number;
  /** Oldest first, without gaps; the last one is the head. */
  #recent: LogRecord[] = [];
  #bytes = 0;
  #head: Position;
  #closed = false;
  readonly #wakeup = new Wakeup();

  constructor(head: Position, bytesMax: number) {
    this.#head = head;
    this.#bytesMax = bytesMax;
  }

  get head(): Position {
    return this.#head;
  }

  /** Adds the record after the head, and wakes the readers. */
  push(record: LogRecord): void {
    this.#recent.push(record);
    this.#bytes += record.body.length;
    this.#head = record.position;
    let dropped = 0;
    while (this.#bytes > this.#bytesMax && dropped < this.#recent.length)
      this.#bytes -= this.#recent[dropped++]!.body.length;
    // In one go: dropping one at a time from the front would cost the length of the list each time.
    if (dropped > 0) this.#recent.splice(0, dropped);
    this.#wakeup.wake();
  }

  /** Forgets what is in memory; the log goes on at `head`. */
  reset(head: Position): void {
    this.#recent = [];
    this.#bytes = 0;
    this.#head = head;
    this.#wakeup.wake();
  }

  /** Ends all readers with an error. */
  close(): void {
    this.#closed = true;
    this.#wakeup.wake();
  }

  /**
   * Reads as `ChangeLog.read`.
   * @param load  gives some of the records after a position that memory no longer holds; it throws when they were trimmed
   */
  async *read(
    after: Position,
    signal: AbortSignal,
    load: (after: Position) => Promise<readonly LogRecord[]>,
  ): AsyncIterableIterator<readonly LogRecord[]> {
    let at = after;
    // Asked even when there is nothing to read yet, so that a trimmed start is noticed at once.
    let batch = this.#since(at) ?? (await load(at));
    while (!signal.aborted) {
      if (this.#closed) throw new LogClosedError();
      if (batch.length > 0) {
        at = batch.at(-1)!.position;
        yield batch;
      } else if (this.#head <= at) await this.#wakeup.wait(signal);
      if (signal.aborted || this.#closed) batch = [];
      else batch = this.#since(at) ?? (await load(at));
    }
  }

  /** Records after a position; undefined when they are not, or not all, in memory. */
  #since(after: Position): readonly LogRecord[] | undefined {
    if (after >= this.#head) return [];
    const first = this.#recent[0]?.position;
    if (first === undefined || after < first - 1) return undefined;
    const start = after - first + 1;
    return this.#recent.slice(start, start + batchLength(this.#recent, start));
  }
}

/** How many of the records from `start` go into one batch; at least one. */
export function batchLength(records: readonly LogRecord[], start: number): number {
  let bytes = 0;
  let end = start;
  while (end < records.length && end - start < BATCH_RECORDS_MAX) {
    bytes += records[end]!.body.length;
    if (bytes > BATCH_BYTES_MAX && end > start) break;
    end++;
  }
  return end - start;
}
