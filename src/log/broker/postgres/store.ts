import { type Clock, type Logger, messageOf, UnavailableError, UserError } from '../../../base/index.ts';
import { openPostgresLog } from '../../postgres/index.ts';
import { greet, tablesIn } from '../../postgres/schema.ts';
import type { Session, Statement } from '../../postgres/session.ts';
import { Sessions } from '../../postgres/sessions.ts';
import { parsePostgresUrl, placeText, schemaOfGroup } from '../../postgres/url.ts';
import type { SessionStore } from '../sessions.ts';
import type { BrokerStore, BrokerWord, HeardBroker, StoredGroup, Term } from '../store.ts';
import type { GroupPause, StoreInfo } from '../types.ts';
import { PostgresConsoleSessions } from './console-sessions.ts';
import { prepare, SCHEMA, TURN } from './tables.ts';

export interface PostgresStoreOptions {
  readonly url: string;
  /** A holder that gave no sign of life for so long has lost the store. */
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly peerTtlMs?: number;
}

/** Signs of life in a lease. */
const BEATS = 10;
/** A waiting broker looks at least so often whether it is its turn. */
const LOOK_MS = 100;
const ANSWER_MS = 5000;
const CONNECTION_MS = 2000;
const SESSIONS_MAX = 4;
/** Brokers that were not heard of for so many leases are removed. */
const KEPT_TIMES = 1000;

/**
 * Opens a database for brokers. Their logs are those of `openPostgresLog`, which are right whoever appends to them; whose turn it is is a
 * lock of a session, which ends with it.
 *
 * @throws UserError  the URL is none of a store
 */
export function openPostgresStore(options: PostgresStoreOptions): BrokerStore {
  return new PostgresStore(options);
}

class PostgresStore implements BrokerStore {
  readonly info: StoreInfo;
  readonly sessions: SessionStore;
  readonly #options: PostgresStoreOptions;
  readonly #sessions: Sessions;
  readonly #beatMs: number;
  #prepared: Promise<void> | undefined;

  constructor(options: PostgresStoreOptions) {
    const { url, leaseMs, logger } = options;
    const place = parsePostgresUrl(url);
    if (place.schema !== undefined)
      throw new UserError(
        400,
        'bad-store-url',
        `the store of a broker has a schema for each group: leave ?schema= out, and give it a database of its own instead`,
      );
    this.#options = options;
    this.#beatMs = leaseMs / BEATS;
    this.info = { kind: 'postgresql', place: placeText(place) };
    this.#sessions = new Sessions({
      place,
      schema: SCHEMA,
      logger,
      most: SESSIONS_MAX,
      connectionWaitMs: CONNECTION_MS,
      answerWaitMs: ANSWER_MS,
      greet: (session, timeoutMs) => this.#greet(session, timeoutMs),
    });
    this.sessions = new PostgresConsoleSessions(this.#sessions);
  }

  async meet(own: BrokerWord): Promise<readonly HeardBroker[]> {
    const { leaseMs } = this.#options;
    const rows = await this.#sessions.ask({
      name: 'meet',
      text: `WITH own AS (
          INSERT INTO ${SCHEMA}.broker (name, word, heard_at) VALUES ($1, $2, clock_timestamp())
          ON CONFLICT (name) DO UPDATE SET word = excluded.word, heard_at = excluded.heard_at
          RETURNING name, word, heard_at),
        gone AS (
          DELETE FROM ${SCHEMA}.broker WHERE name IN (
            SELECT name FROM ${SCHEMA}.broker
            WHERE name <> $1 AND heard_at < clock_timestamp() - $4::bigint * interval '1 ms' FOR UPDATE SKIP LOCKED))
        SELECT word, heard_at FROM own
        UNION ALL
        SELECT word, heard_at FROM ${SCHEMA}.broker
        WHERE name <> $1 AND heard_at > clock_timestamp() - $3::bigint * interval '1 ms'`,
      values: [own.name, JSON.stringify(own), Math.round(leaseMs), Math.round(leaseMs * KEPT_TIMES)],
    });
    return rows.map(({ word, heard_at }) => {
      return { ...(word as BrokerWord), heardAt: new Date(heard_at as string | Date).toISOString() };
    });
  }

  async leave(name: string): Promise<void> {
    await this.#sessions.ask({ text: `DELETE FROM ${SCHEMA}.broker WHERE name = $1`, values: [name] });
  }

  async lead(name: string, signal: AbortSignal): Promise<Term> {
    const { clock, logger } = this.#options;
    let trouble: string | undefined;
    while (!signal.aborted) {
      let session: Session | undefined;
      try {
        session = await this.#sessions.open();
        const term = await this.#waitIn(session, name, signal);
        // It is the term's from here on.
        session = undefined;
        return term;
      } catch (error) {
        if (signal.aborted) break;
        const text = messageOf(this.#sessions.explain(error));
        // Said once, not at every attempt.
        if (text !== trouble) logger.warn('store-unusable', { store: this.info.place, error: text });
        trouble = text;
      } finally {
        session?.destroy();
      }
      await clock.sleep(this.#beatMs, signal);
    }
    throw signal.reason;
  }

  /** A database does not tell. */
  async disk(): Promise<undefined> {}

  async close(): Promise<void> {
    this.#sessions.close();
  }

  /** Waits for the turn in a session that shall have the lock. */
  async #waitIn(session: Session, name: string, signal: AbortSignal): Promise<Term> {
    const { clock, leaseMs, logger } = this.#options;
    let seen: string | undefined;
    let lookedMs = clock.monotonicMs();
    // A process that stood still has seen nothing meanwhile, so what passed between two looks counts for little.
    for (let silentMs = 0; ; ) {
      const [row] = await session.query(
        { name: 'term', text: `SELECT number, holder, beat, released, released_to FROM ${SCHEMA}.term` },
        ANSWER_MS,
      );
      const nowMs = clock.monotonicMs();
      const text = JSON.stringify(row);
      silentMs = seen === text ? silentMs + Math.min(nowMs - lookedMs, 2 * this.#beatMs) : 0;
      seen = text;
      lookedMs = nowMs;
      const isForOther = row?.released === true && row.released_to !== null && row.released_to !== name;
      const isLost = silentMs >= leaseMs;
      if (isLost && row?.released === false) {
        // It stands still, and its session with it.
        const ended = await session.query(
          `SELECT pg_terminate_backend(pid) FROM pg_locks
            WHERE locktype = 'advisory' AND granted AND (classid, objid) = (${TURN}) AND objsubid = 2 AND pid <> pg_backend_pid()
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
          ANSWER_MS,
        );
        if (ended.length > 0) logger.warn('standing-broker-ended', { broker: row.holder });
      }
      if (!isForOther || isLost) {
        const [lock] = await session.query(`SELECT pg_try_advisory_lock(${TURN}) AS ours`, ANSWER_MS);
        if (lock!.ours === true) return this.#begin(session, name);
      }
      await clock.sleep(Math.min(this.#beatMs / 2, LOOK_MS), signal);
    }
  }

  async #begin(session: Session, name: string): Promise<Term> {
    const [row] = await session.query(
      {
        text: `UPDATE ${SCHEMA}.term SET number = number + 1, holder = $1, beat = 0, released = false, released_to = NULL RETURNING number`,
        values: [name],
      },
      ANSWER_MS,
    );
    return new PostgresTerm({
      ...this.#options,
      session,
      sessions: this.#sessions,
      number: Number(row!.number),
      beatMs: this.#beatMs,
    });
  }

  async #greet(session: Session, timeoutMs: number): Promise<void> {
    await greet(session, timeoutMs, { lockMs: ANSWER_MS, statementMs: ANSWER_MS });
    this.#prepared ??= prepare(session, timeoutMs);
    try {
      await this.#prepared;
    } catch (error) {
      this.#prepared = undefined;
      throw error;
    }
  }
}

interface TermParts extends PostgresStoreOptions {
  /** The one that has the lock. */
  readonly session: Session;
  readonly sessions: Sessions;
  readonly number: number;
  readonly beatMs: number;
}

class PostgresTerm implements Term {
  readonly number: number;
  readonly #parts: TermParts;
  readonly #lost = new AbortController();
  readonly #ending = new AbortController();
  readonly #beating: Promise<void>;
  readonly #opened = new Map<string, Promise<StoredGroup>>();

  constructor(parts: TermParts) {
    this.number = parts.number;
    this.#parts = parts;
    parts.session.ended.addEventListener('abort', () =>
      this.#lose('the session that makes it the active one was ended'),
    );
    this.#beating = this.#keepBeating();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async groups(): Promise<readonly string[]> {
    const rows = await this.#parts.sessions.ask({ name: 'groups', text: `SELECT name FROM ${SCHEMA}.group_log` });
    return rows.map(({ name }) => name as string).sort();
  }

  open(group: string): Promise<StoredGroup> {
    let opened = this.#opened.get(group);
    if (opened === undefined) {
      opened = this.#open(group);
      this.#opened.set(group, opened);
      opened.catch(() => this.#opened.delete(group));
    }
    return opened;
  }

  async bytes(): Promise<number | undefined> {
    const schemas = [SCHEMA, ...(await this.groups()).map(schemaOfGroup)];
    const [row] = await this.#parts.sessions.ask({
      text: `SELECT sum(pg_total_relation_size(table_.oid)) AS bytes
        FROM pg_class table_ JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = ANY($1) AND relkind = 'r'`,
      values: [schemas],
    });
    return row?.bytes == null ? undefined : Number(row.bytes);
  }

  async end(to?: string): Promise<void> {
    const { session } = this.#parts;
    for (const opened of await Promise.allSettled(this.#opened.values()))
      if (opened.status === 'fulfilled') await opened.value.log.close();
    this.#ending.abort();
    await this.#beating;
    try {
      if (!this.#lost.signal.aborted)
        await session.query(
          {
            text: `UPDATE ${SCHEMA}.term SET released = true, released_to = $1 WHERE number = $2`,
            values: [to, this.number],
          },
          ANSWER_MS,
        );
    } finally {
      session.destroy();
    }
  }

  async #open(group: string): Promise<StoredGroup> {
    const { sessions, url, logger, peerTtlMs } = this.#parts;
    const [row] = await sessions.ask({
      text: `WITH made AS (INSERT INTO ${SCHEMA}.group_log (name) VALUES ($1) ON CONFLICT DO NOTHING)
        SELECT (SELECT paused FROM ${SCHEMA}.group_log WHERE name = $1) AS paused`,
      values: [group],
    });
    const log = openPostgresLog({ url, group, logger, peerTtlMs });
    const { record } = tablesIn(schemaOfGroup(group));
    let paused = (row?.paused as GroupPause | null) ?? undefined;
    const ask = (statement: Statement) => sessions.ask(statement);
    return {
      log,
      get paused() {
        return paused;
      },
      async pause(pause) {
        const value = pause === undefined ? null : JSON.stringify(pause);
        await ask({ text: `UPDATE ${SCHEMA}.group_log SET paused = $2 WHERE name = $1`, values: [group, value] });
        paused = pause;
      },
      async recordBytes() {
        const [size] = await ask({
          text: 'SELECT pg_total_relation_size(to_regclass($1)) AS bytes',
          values: [record],
        });
        return size?.bytes == null ? undefined : Number(size.bytes);
      },
    };
  }

  async #keepBeating(): Promise<void> {
    const { clock, session, beatMs, leaseMs } = this.#parts;
    const over = AbortSignal.any([this.#ending.signal, this.#lost.signal]);
    while (!over.aborted) {
      try {
        const [row] = await session.query(
          {
            name: 'beat',
            text: `UPDATE ${SCHEMA}.term SET beat = beat + 1 WHERE number = $1 RETURNING true AS ours`,
            values: [this.number],
          },
          leaseMs,
        );
        if (row === undefined) this.#lose('another broker has begun a term');
      } catch (error) {
        this.#lose(`its store failed: ${messageOf(error)}`);
      }
      await clock.sleep(beatMs, over).catch(() => {});
    }
  }

  #lose(why: string): void {
    if (this.#ending.signal.aborted || this.#lost.signal.aborted) return;
    this.#lost.abort(new UnavailableError('term-over', why));
  }
}
