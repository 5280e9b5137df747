import type { Session } from '../../postgres/session.ts';

/** Schema of what the brokers on a database know of each other; each group's log has its own, as for nodes that go there themselves. */
export const SCHEMA = 'graticule_broker';
/** Two numbers of an advisory lock: whoever has it is active. The second is the lock of making the tables. */
export const TURN = '1735549300, 1';
const MAKING = '1735549300, 2';

/** What has been released is never changed; docs/engines/broker.md has the same for administrators. */
const TABLES = `
CREATE TABLE IF NOT EXISTS ${SCHEMA}.term (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  version integer NOT NULL DEFAULT 1,
  number bigint NOT NULL,
  holder text,
  beat bigint NOT NULL DEFAULT 0,
  released boolean NOT NULL DEFAULT true,
  released_to text
);
CREATE TABLE IF NOT EXISTS ${SCHEMA}.group_log (
  name text PRIMARY KEY,
  paused json
);
CREATE UNLOGGED TABLE IF NOT EXISTS ${SCHEMA}.broker (
  name text PRIMARY KEY,
  word json NOT NULL,
  heard_at timestamptz NOT NULL
);
CREATE UNLOGGED TABLE IF NOT EXISTS ${SCHEMA}.console_session (
  key text PRIMARY KEY,
  used_at timestamptz NOT NULL
);
INSERT INTO ${SCHEMA}.term (number) VALUES (0) ON CONFLICT DO NOTHING`;

/** Makes the tables where they are missing; of several brokers that come at once, one does it. */
export async function prepare(session: Session, timeoutMs: number): Promise<void> {
  const there = await session.query(`SELECT to_regclass('${SCHEMA}.console_session') IS NOT NULL AS yes`, timeoutMs);
  if (there[0]!.yes === true) return;
  await session.query('BEGIN', timeoutMs);
  try {
    await session.query(`SELECT pg_advisory_xact_lock(${MAKING})`, timeoutMs);
    const schema = await session.query(
      `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = '${SCHEMA}') AS yes`,
      timeoutMs,
    );
    // Asked for first: even IF NOT EXISTS needs the right to make one.
    if (schema[0]!.yes !== true) await session.query(`CREATE SCHEMA ${SCHEMA}`, timeoutMs);
    await session.query(TABLES, timeoutMs);
    await session.query('COMMIT', timeoutMs);
  } catch (error) {
    await session.query('ROLLBACK', timeoutMs).catch(() => {});
    throw error;
  }
}
