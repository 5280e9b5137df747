import type { Sessions } from '../../postgres/sessions.ts';
import { SESSION_IDLE_MS, SESSION_USE_MS, SESSIONS_MAX, type SessionStore } from '../sessions.ts';
import { SCHEMA } from './tables.ts';

const TABLE = `${SCHEMA}.console_session`;

/** A row for each session of the console. */
export class PostgresConsoleSessions implements SessionStore {
  readonly #database: Pick<Sessions, 'ask'>;

  constructor(database: Pick<Sessions, 'ask'>) {
    this.#database = database;
  }

  async add(key: string): Promise<void> {
    await this.#database.ask({
      text: `WITH gone AS (
          DELETE FROM ${TABLE} WHERE used_at < clock_timestamp() - $2::bigint * interval '1 ms'
            OR key IN (SELECT key FROM ${TABLE} ORDER BY used_at DESC OFFSET $3))
        INSERT INTO ${TABLE} (key, used_at) VALUES ($1, clock_timestamp())
        ON CONFLICT (key) DO UPDATE SET used_at = excluded.used_at`,
      values: [key, SESSION_IDLE_MS, SESSIONS_MAX - 1],
    });
  }

  async use(key: string): Promise<boolean> {
    const [row] = await this.#database.ask({
      name: 'use-session',
      text: `WITH there AS (
          SELECT FROM ${TABLE} WHERE key = $1 AND used_at > clock_timestamp() - $2::bigint * interval '1 ms'),
        used AS (
          UPDATE ${TABLE} SET used_at = clock_timestamp() WHERE key = $1 AND EXISTS (SELECT FROM there)
            AND used_at < clock_timestamp() - $3::bigint * interval '1 ms')
        SELECT EXISTS (SELECT FROM there) AS yes`,
      values: [key, SESSION_IDLE_MS, SESSION_USE_MS],
    });
    return row!.yes === true;
  }

  async remove(key: string): Promise<void> {
    await this.#database.ask({ text: `DELETE FROM ${TABLE} WHERE key = $1`, values: [key] });
  }
}
