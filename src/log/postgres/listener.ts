import { type Logger, messageOf, systemClock } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import { backOffMs } from '../backoff.ts';
import { LogRefusedError } from '../errors.ts';
import { headSql } from './appender.ts';
import type { Tables } from './schema.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';

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
  readonly closing: AbortSignal;
}

/**
 * Hears of new records and of other nodes on a connection of its own. What was said while there was no connection is made up for by asking,
 * as soon as there is one, and every few seconds: a notice wakes readers sooner, and nothing depends on it.
 */
export async function listen(options: ListenerOptions): Promise<void> {
  const { sessions, logger, place, closing } = options;
  let trouble: string | undefined;
  for (let failures = 0; !closing.aborted; ) {
    let last: unknown;
    try {
      const session = await sessions.open();
      try {
        await follow(session, options, () => {
          failures = 0;
          trouble = undefined;
          logger.info('log-connected', { log: place });
        });
      } finally {
        session.destroy();
      }
    } catch (error) {
      if (closing.aborted) return;
      last = sessions.explain(error);
      const text = messageOf(last);
      const event = last instanceof LogRefusedError ? 'log-refused' : 'log-unreachable';
      // Said once, not at every attempt.
      if (text !== trouble) logger.warn(event, { log: place, error: text });
      trouble = text;
    }
    await systemClock.sleep(backOffMs(++failures, last), closing).catch(() => {});
  }
}

async function follow(session: Session, options: ListenerOptions, onFirst: () => void): Promise<void> {
  const { tables, pollMs, answerWaitMs, onHead, onPeers, closing } = options;
  session.onNotice = (payload) => {
    const [what, number] = payload.split(' ');
    if (what === 'head') onHead(Number(number) as Position);
    else onPeers();
  };
  await session.query(`LISTEN "${tables.channel}"`, answerWaitMs);
  const over = AbortSignal.any([closing, session.ended]);
  for (let first = true; !closing.aborted; first = false) {
    const [row] = await session.query(`SELECT ${headSql(tables)} AS head FROM ${tables.log}`, answerWaitMs);
    if (row !== undefined) onHead(Number(row.head) as Position);
    onPeers();
    if (first) onFirst();
    await systemClock.sleep(pollMs, over).catch(() => {});
  }
}
