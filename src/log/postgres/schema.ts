import { LogRefusedError } from '../errors.ts';
import { LostError } from './failures.ts';
import type { Session } from './session.ts';

/** PostgreSQL 12, in the form in which servers tell their version. */
const SERVER_VERSION_LEAST = 120_000;
/** Nodes that come at the same time wait for each other with this advisory lock, which is the log's own by its second number. */
const LOCK_CLASS = 0x67726174;

/** The names of one log's tables, ready to be put into SQL. */
export interface Tables {
  /** As a name, without quotation marks. */
  readonly schema: string;
  readonly log: string;
  readonly record: string;
  readonly snapshot: string;
  readonly blob: string;
  readonly chunk: string;
  readonly garbage: string;
  readonly peer: string;
  /** Of LISTEN and NOTIFY. */
  readonly channel: string;
}

export function tablesIn(schema: string): Tables {
  const name = (table: string) => `"${schema}".${table}`;
  return {
    schema,
    log: name('log'),
    record: name('record'),
    snapshot: name('snapshot'),
    blob: name('blob'),
    chunk: name('chunk'),
    garbage: name('garbage'),
    peer: name('peer'),
    channel: schema,
  };
}

/**
 * The steps that lead from nothing to the tables as they are now, oldest first; what was released is never changed. The
 * administrator's script in docs/engines/postgresql.md is the same.
 */
const MIGRATIONS: readonly ((t: Tables) => string)[] = [
  (t) => `
CREATE TABLE ${t.log} (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  version integer NOT NULL,
  group_name text NOT NULL,
  trimmed bigint NOT NULL DEFAULT 0
);
CREATE TABLE ${t.record} (
  position bigint PRIMARY KEY,
  body bytea NOT NULL
);
ALTER TABLE ${t.record} ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE ${t.snapshot} (
  position bigint PRIMARY KEY,
  body uuid NOT NULL,
  size bigint NOT NULL,
  stored_at timestamptz NOT NULL
);
CREATE TABLE ${t.blob} (
  hash text PRIMARY KEY,
  body uuid NOT NULL,
  size bigint NOT NULL DEFAULT 0,
  stored_at timestamptz,
  holder uuid,
  moved_at timestamptz NOT NULL
);
CREATE TABLE ${t.chunk} (
  body uuid NOT NULL,
  start bigint NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (body, start)
);
ALTER TABLE ${t.chunk} ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE TABLE ${t.garbage} (
  body uuid PRIMARY KEY,
  due_at timestamptz NOT NULL
);
CREATE UNLOGGED TABLE ${t.peer} (
  name text PRIMARY KEY,
  status json NOT NULL,
  heard_at timestamptz NOT NULL
);`,
];

/** Makes a session one that keeps the log's promises, and says who the server is. */
export async function greet(
  session: Session,
  timeoutMs: number,
  limits: { readonly lockMs: number; readonly statementMs: number },
): Promise<{ readonly fsync: boolean }> {
  const [row] = await session.query(
    {
      // Whoever waits for a standby that applies already, goes on doing so; everything weaker than the disk is not enough.
      // Compiling a plan takes 10 ms, and what is asked here reads a few rows, whatever the planner guesses of tables without statistics.
      text: `SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),
        set_config('search_path', 'pg_catalog', false),
        set_config('lock_timeout', $1, false),
        set_config('statement_timeout', $2, false),
        set_config('idle_in_transaction_session_timeout', $1, false),
        set_config('default_transaction_isolation', 'read committed', false),
        set_config('bytea_output', 'hex', false),
        set_config('jit', 'off', false),
        set_config('tcp_keepalives_idle', '30', false),
        set_config('tcp_keepalives_interval', '10', false),
        set_config('tcp_keepalives_count', '3', false),
        pg_is_in_recovery() AS standby, current_setting('transaction_read_only') AS read_only,
        current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_text,
        current_setting('fsync') AS fsync`,
      values: [String(Math.ceil(limits.lockMs)), String(Math.ceil(limits.statementMs))],
    },
    timeoutMs,
  );
  const { standby, read_only, version, version_text, fsync } = row!;
  if (standby === true || read_only === 'on')
    throw new LostError('it is a standby, or read-only, and the log needs the primary');
  if ((version as number) < SERVER_VERSION_LEAST)
    throw new LogRefusedError(`PostgreSQL ${version_text} is too old for the log: it needs 12 or newer`);
  return { fsync: fsync !== 'off' };
}

/**
 * Makes the tables where they are missing, and brings older ones up to date; of several nodes that come at once, one does it.
 *
 * @throws LogRefusedError  they belong to another group, or to a newer version of this program
 */
export async function prepare(session: Session, t: Tables, group: string, timeoutMs: number): Promise<void> {
  if ((await stateOf(session, t, timeoutMs))?.version !== MIGRATIONS.length) {
    const found = await stateOf(session, t, timeoutMs);
    refuseOthers(found, t, group);
    await migrate(session, t, group, timeoutMs);
  }
  refuseOthers(await stateOf(session, t, timeoutMs), t, group);
}

interface State {
  readonly version: number;
  readonly group: string;
}

async function stateOf(session: Session, t: Tables, timeoutMs: number): Promise<State | undefined> {
  const [there] = await session.query(
    { text: 'SELECT to_regclass($1) IS NOT NULL AS yes', values: [t.log] },
    timeoutMs,
  );
  if (there!.yes !== true) return undefined;
  const [row] = await session.query(`SELECT version, group_name FROM ${t.log}`, timeoutMs);
  return row && { version: row.version as number, group: row.group_name as string };
}

function refuseOthers(state: State | undefined, t: Tables, group: string): void {
  if (state === undefined) return;
  if (state.group !== group)
    throw new LogRefusedError(
      `the log in the schema ${t.schema} belongs to the group ${state.group}, and this node to the group ${group}: start the node with --group ${state.group}, or give this group a schema of its own with ?schema= in the URL of the log`,
    );
  if (state.version > MIGRATIONS.length)
    throw new LogRefusedError(
      `the log in the schema ${t.schema} was made by a newer version of Graticule (tables ${state.version}, here ${MIGRATIONS.length}): run the same version on all nodes`,
    );
}

/** In one transaction: all of it holds, or nothing. */
async function migrate(session: Session, t: Tables, group: string, timeoutMs: number): Promise<void> {
  const lock = `SELECT pg_advisory_xact_lock(${LOCK_CLASS}, hashtext('${t.schema}'))`;
  await session.query('BEGIN', timeoutMs);
  try {
    // The one who has it may take a moment; the limit is that of a lock.
    await session.query(lock, timeoutMs);
    const version = (await stateOf(session, t, timeoutMs))?.version ?? 0;
    const [there] = await session.query(
      { text: 'SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS yes', values: [t.schema] },
      timeoutMs,
    );
    // Asked for first: even IF NOT EXISTS needs the right to make one.
    if (there!.yes !== true) await session.query(`CREATE SCHEMA "${t.schema}"`, timeoutMs);
    for (const step of MIGRATIONS.slice(version)) await session.query(step(t), timeoutMs);
    if (version < MIGRATIONS.length)
      await session.query(
        {
          text: `INSERT INTO ${t.log} (version, group_name) VALUES ($1, $2) ON CONFLICT (one) DO UPDATE SET version = excluded.version`,
          values: [MIGRATIONS.length, group],
        },
        timeoutMs,
      );
    await session.query('COMMIT', timeoutMs);
  } catch (error) {
    // A session that is lost has ended its transaction by itself.
    await session.query('ROLLBACK', timeoutMs).catch(() => {});
    throw error;
  }
}
