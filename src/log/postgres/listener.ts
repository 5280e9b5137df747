import { type Logger, messageOf, systemClock } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import { backOffMs } from '../backoff.ts';
import { LogRefusedError } from '../errors.ts';
import { Wakeup } from '../wakeup.ts';
import { headSql } from './appender.ts';
import type { Tables } from './schema.ts';
import type { Session, Statement } from './session.ts';
import type { Sessions } from './sessions.ts';

/** Notices do not follow each other sooner: a row of appends one by one would pay for as many. */
const TELL_EVERY_MS = 1;

export interface ListenerOptions {
  readonly sessions: Sessions;
  readonly tables: Tables;
  readonly logger: Logger;
  /** For people: where the log is. */
  readonly place: string;
  /** How often it asks though it was told nothing. */
  readonly pollMs: number;
  readonly answerWaitMs: number;
  readonly onHead: (head: Position) => void;
  /** A node was heard of, or may have been. */
  readonly onPeers: () => void;
}

/**
 * Hears of new records and of other nodes on a connection of its own, and tells the others of this node's records there. What was said while
 * there was no connection is made up for by asking, as soon as there is one, and every few seconds: a notice wakes readers sooner, and
 * nothing depends on it.
 *
 * Notices follow appends, and are no part of them: a transaction that notifies holds a lock of the whole server until its commit is on
 * the disk. One that is under way speaks for all records there are, so there are never many.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #look: Statement;
  readonly #tell: Statement;
  readonly #wakeup = new Wakeup();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  /** Others are to be told. */
  #isDue = false;

  constructor(options: ListenerOptions) {
    const { tables } = options;
    this.#options = options;
    this.#look = { name: 'head', text: `SELECT ${headSql(tables)} AS head FROM ${tables.log}` };
    this.#tell = {
      name: 'tell',
      text: `SELECT head, pg_notify($1::text, 'head ' || head) FROM (${this.#look.text}) AS seen`,
      values: [tables.channel],
    };
    this.#running = this.#run();
  }

  /** There are new records of this node, or may be. */
  tell(): void {
    this.#isDue = true;
    this.#wakeup.wake();
  }

  /** Tells what is still to be told, if there is a connection. */
  close(): Promise<void> {
    this.#closing.abort();
    this.#wakeup.wake();
    return this.#running;
  }

  async #run(): Promise<void> {
    const { sessions, logger, place } = this.#options;
    const { signal } = this.#closing;
    let trouble: string | undefined;
    for (let failures = 0; !signal.aborted; ) {
      let explained: unknown;
      try {
        const session = await sessions.open();
        try {
          await this.#follow(session, () => {
            failures = 0;
            trouble = undefined;
            logger.info('log-connected', { log: place });
          });
        } finally {
          session.destroy();
        }
      } catch (error) {
        if (signal.aborted) return;
        explained = sessions.explain(error);
        const text = messageOf(explained);
        // Said once, not at every attempt.
        if (text !== trouble) {
          const refused = explained instanceof LogRefusedError;
          logger.warn(refused ? 'log-refused' : 'log-unreachable', { log: place, error: text });
        }
        trouble = text;
      }
      failures++;
      await systemClock.sleep(backOffMs(failures, explained), signal).catch(() => {});
    }
  }

  async #follow(session: Session, onFirst: () => void): Promise<void> {
    const { tables, answerWaitMs, onHead, onPeers } = this.#options;
    const { signal } = this.#closing;
    session.onNotice = (payload) => {
      const [what, number] = payload.split(' ');
      if (what === 'head') onHead(Number(number) as Position);
      else onPeers();
    };
    session.ended.addEventListener('abort', () => this.#wakeup.wake(), { once: true });
    await session.query(`LISTEN "${tables.channel}"`, answerWaitMs);
    for (let first = true; !signal.aborted || this.#isDue; first = false) {
      const [told, sinceMs] = [this.#isDue, performance.now()];
      this.#isDue = false;
      try {
        const [row] = await session.query(told ? this.#tell : this.#look, answerWaitMs);
        if (row !== undefined) onHead(Number(row.head) as Position);
      } catch (error) {
        this.#isDue ||= told;
        throw error;
      }
      if (first || !told) onPeers();
      if (first) onFirst();
      await this.#pause(sinceMs);
    }
  }

  /** Until it is time to ask, there is something to tell, or the connection ends. */
  async #pause(sinceMs: number): Promise<void> {
    // A wake-up while the last question was under way has found nobody asleep.
    if (!this.#isDue && !this.#closing.signal.aborted) {
      const timer = setTimeout(() => this.#wakeup.wake(), this.#options.pollMs);
      await this.#wakeup.wait();
      clearTimeout(timer);
    }
    const leftMs = sinceMs + TELL_EVERY_MS - performance.now();
    if (leftMs > 0) await systemClock.sleep(leftMs, this.#closing.signal).catch(() => {});
  }
}
