import type { Parameters } from '../parameters.ts';
import { DataError } from '../types.ts';
import type { ConnectionSettings } from './pools.ts';

/** A store's parameters as the driver uses them. */
export interface PostgisSettings {
  readonly connection: ConnectionSettings;
  readonly schema: string;
  /** Rows fetched from a cursor at a time. */
  readonly fetchSize: number;
  /** Bounds from the planner's statistics, when there are any. */
  readonly estimatedExtents: boolean;
  readonly exposePrimaryKeys: boolean;
}

const STATEMENT_TIMEOUT_MS = 60_000;

/**
 * @throws DataError  `no-driver` for JNDI stores, `malformed` or `refused` for parameters
 * @see GeoTools, PostgisNGDataStoreFactory and JDBCDataStoreFactory: names and defaults of the parameters
 */
export function postgisSettings(parameters: Parameters): PostgisSettings {
  const jndi = parameters.text('jndiReferenceName');
  if (jndi !== undefined)
    throw new DataError(
      'no-driver',
      `the store takes its connection from JNDI (${jndi}), which only a Java server has: set host, port, database, user and passwd instead`,
    );
  const user = parameters.text('user');
  const password = parameters.password('passwd');
  const startupSql = parameters.text('Session startup SQL');
  return {
    connection: {
      host: parameters.text('host') ?? 'localhost',
      port: parameters.integer('port', 5432),
      database: parameters.text('database') ?? user ?? 'postgres',
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
      ssl: sslOf(parameters.text('SSL mode')),
      connectionsMax: clamp(parameters.integer('max connections', 10), 1, 200),
      connectTimeoutMs: clamp(parameters.integer('Connection timeout', 20), 1, 600) * 1000,
      idleTimeoutMs: clamp(parameters.integer('Max connection idle time', 300), 1, 86_400) * 1000,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      ...(startupSql === undefined ? {} : { startupSql: withDefaults(startupSql) }),
    },
    schema: parameters.text('schema') ?? 'public',
    fetchSize: clamp(parameters.integer('fetch size', 1000), 1, 1000),
    estimatedExtents: parameters.flag('Estimated extends', true),
    exposePrimaryKeys: parameters.flag('Expose primary keys', false),
  };
}

const clamp = (value: number, min: number, max: number) => Math.max(min, Math.min(max, value));

function sslOf(mode: string | undefined): ConnectionSettings['ssl'] {
  switch (mode?.trim().toUpperCase()) {
    case 'REQUIRE':
      return 'unverified';
    case 'VERIFY_CA':
    case 'VERIFY-CA':
    case 'VERIFY_FULL':
    case 'VERIFY-FULL':
      return 'verified';
    default:
      return 'off';
  }
}

/** `${GSUSER,anonymous}` in session SQL means a request's own value, or what follows the comma. */
function withDefaults(sql: string): string {
  return sql.replace(/\$\{[^,}]*(?:,([^}]*))?\}/g, (_, fallback: string | undefined) => fallback ?? '');
}
