import pg from 'pg';
import { type Logger, messageOf } from '../../base/index.ts';
import { DataError } from '../types.ts';

/** Where a database is, and how many connections it may get. Stores with equal settings share one pool. */
export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user?: string;
  readonly password?: string;
  readonly ssl: 'off' | 'unverified' | 'verified';
  readonly connectionsMax: number;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Limit of one statement, and of each fetch from a cursor. */
  readonly statementTimeoutMs: number;
  /** The store's own SQL for new sessions. */
  readonly startupSql?: string;
}

export interface SharedPool {
  readonly pool: pg.Pool;
  /** Gives it back; closed when the last user has. */
  release(): Promise<void>;
}

/** A connection that stands idle is pinged by nobody: its death is noticed, and logged, here. */
export class PoolRegistry {
  readonly #logger: Logger;
  readonly #pools = new Map<string, { readonly pool: pg.Pool; users: number }>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  acquire(settings: ConnectionSettings): SharedPool {
    const key = JSON.stringify(Object.entries(settings).sort());
    let entry = this.#pools.get(key);
    if (entry === undefined) {
      entry = { pool: this.#open(settings), users: 0 };
      this.#pools.set(key, entry);
    }
    entry.users++;
    const { pool } = entry;
    let isHeld = true;
    return {
      pool,
      release: async () => {
        if (!isHeld) return;
        isHeld = false;
        const current = this.#pools.get(key);
        if (current === undefined || --current.users > 0) return;
        this.#pools.delete(key);
        await pool.end();
      },
    };
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map(({ pool }) => pool.end()));
  }

  #open(settings: ConnectionSettings): pg.Pool {
    const { host, port, database, startupSql } = settings;
    const session = `SET default_transaction_read_only = on; SET statement_timeout = ${settings.statementTimeoutMs}; SET timezone = 'UTC'`;
    const pool = new pg.Pool({
      host,
      port,
      database,
      ...(settings.user === undefined ? {} : { user: settings.user }),
      ...(settings.password === undefined ? {} : { password: settings.password }),
      ssl: settings.ssl === 'off' ? false : { rejectUnauthorized: settings.ssl === 'verified' },
      max: settings.connectionsMax,
      connectionTimeoutMillis: settings.connectTimeoutMs,
      idleTimeoutMillis: settings.idleTimeoutMs,
      allowExitOnIdle: true,
      application_name: 'graticule',
      // SET rather than start-up parameters, which connection poolers such as PgBouncer refuse.
      onConnect: async (client) => {
        await client.query(startupSql === undefined ? session : `${session}; ${startupSql}`);
      },
    });
    pool.on('error', (error) =>
      this.#logger.warn('postgis-connection-lost', { host, port, database, reason: messageOf(error) }),
    );
    return pool;
  }
}

/** A failure of the database in terms of the data: without its password, which no message holds, and without SQL. */
export function databaseError(error: unknown, settings: ConnectionSettings, what: string): Error {
  if (error instanceof DataError || (error instanceof Error && error.name === 'AbortError')) return error;
  const place = `${settings.database} at ${settings.host}:${settings.port}`;
  const code = (error as { code?: unknown }).code;
  // SQLSTATE classes 22 and 42: the statement itself is at fault; 57014: it took too long.
  if (code === '57014')
    return new DataError(
      'unreachable',
      `${what}: the database ${place} took longer than ${settings.statementTimeoutMs} ms`,
      {
        cause: error,
      },
    );
  if (typeof code === 'string' && /^(22|42)/.test(code))
    return new DataError(
      code === '42P01' ? 'not-found' : code === '42501' ? 'refused' : 'malformed',
      `${what}: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  return new DataError('unreachable', `${what}: the database ${place} does not answer: ${reasonOf(error)}`, {
    cause: error,
  });
}

/** A refused connection to several addresses comes as one error without a text. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ');
  return messageOf(error);
}
