import { type Clock, type Logger, messageOf } from '../base/index.ts';
import type { ChangeLog } from '../log/index.ts';
import type { Position } from '../tree/index.ts';
import { type RecentChanges, readRecent } from './recent.ts';

const RETRY_MS = { first: 100, most: 5000 };

export interface RecallParts {
  readonly recent: RecentChanges;
  readonly log: () => ChangeLog;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the reading. */
  readonly signal: AbortSignal;
}

/** Reads back from the log's tail, for changes that are sent again and were applied before this node came to its position. */
export class Recall {
  readonly #parts: RecallParts;
  /** Up to here the recent changes have been told of every record. */
  #upTo: Position | undefined;
  #reading = Promise.withResolvers<void>();
  #isRead = false;

  constructor(parts: RecallParts) {
    this.#parts = parts;
  }

  /** Whether the recent changes hold what the log can tell. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** Resolves when they do. */
  read(): Promise<void> {
    return this.#reading.promise;
  }

  /** The node has joined the log at a position: what it was not told of on the way there is read back. */
  joined(position: Position): void {
    if (position === this.#upTo) return;
    this.#upTo = position;
    this.#parts.recent.skipTo(position);
    void this.#read(position);
  }

  /** A record was applied, of which the recent changes were told. */
  applied(position: Position): void {
    if (this.#upTo !== undefined && position > this.#upTo) this.#upTo = position;
  }

  async #read(upTo: Position): Promise<void> {
    const { recent, log, clock, logger, signal } = this.#parts;
    const mine = Promise.withResolvers<void>();
    // Those who wait already are waiting for the newest.
    this.#reading.resolve(mine.promise);
    this.#reading = mine;
    this.#isRead = false;
    for (let pauseMs = RETRY_MS.first; !signal.aborted && this.#reading === mine; ) {
      try {
        const read = await readRecent(log(), upTo, signal);
        if (this.#reading === mine) {
          recent.merge(read);
          this.#isRead = true;
        }
        return mine.resolve();
      } catch (error) {
        if (!signal.aborted) logger.warn('recent-changes-unread', { reason: messageOf(error) });
        await clock.sleep(pauseMs, signal).catch(() => {});
        pauseMs = Math.min(RETRY_MS.most, pauseMs * 2);
      }
    }
  }
}
