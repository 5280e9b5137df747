import { systemClock, UnavailableError } from '../../base/index.ts';
import type { NodeStatus } from '../change-log.ts';
import { LogClosedError } from '../errors.ts';
import { Wakeup } from '../wakeup.ts';
import type { Tables } from './schema.ts';
import type { Sessions } from './sessions.ts';

const PAUSE_MS = 500;
const GATHER_MS = 100;
/** Nodes that were not heard of for so many times the usual are removed from the table. */
const KEPT_TIMES = 10;

export interface PeersOptions {
  readonly sessions: Sessions;
  readonly tables: Tables;
  readonly ttlMs: number;
  /** Aborted, with the reason, when the log is closed. */
  readonly closing: AbortSignal;
}

/** The nodes heard of in the last seconds, by the database's clock: a table that is not logged, so that a sign of life costs no sync. */
export class Peers {
  readonly #options: PeersOptions;
  readonly #wakeup = new Wakeup();

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** Somebody was heard of. */
  wake(): void {
    this.#wakeup.wake();
  }

  async announce(status: NodeStatus): Promise<void> {
    const { sessions, tables, ttlMs } = this.#options;
    await sessions.ask({
      name: 'announce',
      // Rows that somebody else is removing, or writing, are left to him.
      text: `WITH heard AS (
          INSERT INTO ${tables.peer} (name, status, heard_at) VALUES ($1, $2, clock_timestamp())
          ON CONFLICT (name) DO UPDATE SET status = excluded.status, heard_at = excluded.heard_at RETURNING true),
        gone AS (
          DELETE FROM ${tables.peer} WHERE name IN (
            SELECT name FROM ${tables.peer}
            WHERE name <> $1 AND heard_at < clock_timestamp() - $4::bigint * interval '1 ms' FOR UPDATE SKIP LOCKED))
        SELECT pg_notify($3, 'peers') FROM heard`,
      values: [status.name, JSON.stringify(status), tables.channel, ttlMs * KEPT_TIMES],
    });
    this.#wakeup.wake();
  }

  /** Yields the list, by name, now and whenever it changes, until `signal` is aborted. */
  async *watch(signal: AbortSignal): AsyncIterableIterator<readonly NodeStatus[]> {
    const { closing, ttlMs } = this.#options;
    const either = AbortSignal.any([signal, closing]);
    for (let last: string | undefined; !either.aborted; ) {
      const enough = new AbortController();
      const woken = this.#wakeup.wait(AbortSignal.any([either, enough.signal]));
      let leftMs = PAUSE_MS;
      try {
        const found = await this.#list();
        leftMs = Math.min(ttlMs, ...found.map((each) => each.leftMs));
        const list = found.map((each) => each.status);
        const text = JSON.stringify(list);
        if (!either.aborted && text !== last) {
          last = text;
          yield list;
        }
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
      }
      await Promise.race([woken, systemClock.sleep(Math.max(1, leftMs), either).catch(() => {})]);
      enough.abort();
      // Many nodes speak at about the same time: one look takes in all of them.
      await systemClock.sleep(GATHER_MS, either).catch(() => {});
    }
    if (!signal.aborted) throw new LogClosedError();
  }

  async #list(): Promise<{ readonly status: NodeStatus; readonly leftMs: number }[]> {
    const { sessions, tables, ttlMs } = this.#options;
    const rows = await sessions.ask({
      name: 'peers',
      text: `SELECT status, left_ms FROM (
          SELECT name, status, $1::float8 - extract(epoch FROM clock_timestamp() - heard_at)::float8 * 1000 AS left_ms
          FROM ${tables.peer}) AS peer WHERE left_ms > 0`,
      values: [ttlMs],
    });
    return rows
      .map((row) => ({ status: row.status as NodeStatus, leftMs: row.left_ms as number }))
      .sort((a, b) => (a.status.name < b.status.name ? -1 : 1));
  }
}
