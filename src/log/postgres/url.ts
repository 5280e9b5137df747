import { createHash } from 'node:crypto';
import { UserError } from '../../base/index.ts';

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** Where a log is that PostgreSQL keeps, and how to get there. */
export interface PostgresPlace {
  /** In the order in which they are tried; a host that begins with `/` is the folder of a Unix socket. */
  readonly servers: readonly PostgresServer[];
  /** Absent: as the environment says (PGDATABASE, PGUSER, PGPASSWORD), or the file ~/.pgpass. */
  readonly database?: string;
  readonly user?: string;
  readonly password?: string;
  readonly sslMode: SslMode;
  /** Files in PEM. */
  readonly sslRootCert?: string;
  readonly sslCert?: string;
  readonly sslKey?: string;
  readonly connectTimeoutMs?: number;
  readonly applicationName?: string;
  /** Most connections that one node has at a time, the one that listens included. */
  readonly connections?: number;
  /** Schema of the tables; absent: named after the group. */
  readonly schema?: string;
}

export interface PostgresServer {
  readonly host: string;
  readonly port: number;
}

const FORM =
  'postgres://user:password@host:5432/database, or, with several servers, postgres://user:password@a:5432,b:5432/database';
const SSL_MODES: readonly string[] = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];
/** Only a primary can be written to, so that is what is looked for in any case. */
const SESSION_ATTRS: readonly string[] = ['any', 'primary', 'read-write'];
const CONNECTIONS = { least: 3, most: 100 };
const URL_FORM = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^@/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const SCHEMA_FORM = /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/;

export function isPostgresUrl(text: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(text);
}

/**
 * Reads a URL as libpq writes them, with several hosts, and the parameters that make sense here, and two of our own: `schema`
 * and `connections`.
 *
 * @throws UserError  the text is no such URL; what it says never repeats the text, which may hold a password
 */
export function parsePostgresUrl(text: string): PostgresPlace {
  const match = URL_FORM.exec(text.trim());
  if (match === null)
    throw wrong('it has another form; write @ : / ? # and , in a name or a password as %40 %3A %2F %3F %23 and %2C');
  const [, userinfo, authority = '', database, query = ''] = match;
  const params = readParams(query);
  const [user, password] = (userinfo ?? '').split(/:(.*)/s, 2).map((part) => decoded(part, 'the user or the password'));
  const place = {
    servers: serversOf(params.get('host') ?? decoded(authority, 'a host'), params.get('port')),
    database: orAbsent(params.get('dbname') ?? decoded(database ?? '', 'the database')),
    user: orAbsent(params.get('user') ?? user),
    password: orAbsent(params.get('password') ?? password),
    sslMode: oneOf<SslMode>(params, 'sslmode', SSL_MODES) ?? 'prefer',
    sslRootCert: orAbsent(params.get('sslrootcert')),
    sslCert: orAbsent(params.get('sslcert')),
    sslKey: orAbsent(params.get('sslkey')),
    connectTimeoutMs: thousand(wholeNumber(params, 'connect_timeout', 1, 600)),
    applicationName: orAbsent(params.get('application_name')),
    connections: wholeNumber(params, 'connections', CONNECTIONS.least, CONNECTIONS.most),
    schema: schemaOf(params.get('schema')),
  };
  oneOf(params, 'target_session_attrs', SESSION_ATTRS);
  return Object.fromEntries(
    Object.entries(place).filter(([, value]) => value !== undefined),
  ) as unknown as PostgresPlace;
}

/** The schema of a group's tables: its name, as far as that can be written without quotation marks. */
export function schemaOfGroup(group: string): string {
  const plain = group.toLowerCase().replace(/[^a-z0-9_]/g, '_');
  const isFaithful = /^[a-z0-9_.-]+$/.test(group) && plain.length <= 50;
  const mark = createHash('sha256').update(group).digest('hex').slice(0, 8);
  return `graticule_${isFaithful ? plain : `${plain.slice(0, 40)}_${mark}`}`;
}

/** For people: without user and password. */
export function placeText({ servers, database }: PostgresPlace): string {
  return `${database ?? process.env.PGDATABASE ?? 'the default database'} at ${servers.map(serverText).join(', ')}`;
}

export function serverText({ host, port }: PostgresServer): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

const PARAMS: readonly string[] = [
  'host',
  'port',
  'dbname',
  'user',
  'password',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'connect_timeout',
  'application_name',
  'target_session_attrs',
  'connections',
  'schema',
];

function readParams(query: string): Map<string, string> {
  const params = new Map<string, string>();
  for (const pair of query.split('&').filter((each) => each !== '')) {
    const [name, value = ''] = pair.split(/=(.*)/s, 2) as [string, string?];
    if (!PARAMS.includes(name))
      throw wrong(`the parameter ${JSON.stringify(name.slice(0, 40))} is none of ${PARAMS.join(', ')}`);
    params.set(name, decoded(value, `the parameter ${name}`));
  }
  return params;
}

function serversOf(hosts: string, ports: string | undefined): PostgresServer[] {
  const otherPorts = ports?.split(',') ?? [];
  const servers = hosts.split(',').map((text, index) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*))(?::(\d+))?$/.exec(text.trim());
    const port = Number(match?.[3] ?? otherPorts[Math.min(index, otherPorts.length - 1)] ?? 5432);
    if (match === null || !Number.isInteger(port) || port < 1 || port > 65535)
      throw wrong(`server ${index + 1} is not written as host:port`);
    return { host: match[1] ?? (match[2] || 'localhost'), port };
  });
  return servers;
}

function schemaOf(text: string | undefined): string | undefined {
  if (text === undefined || SCHEMA_FORM.test(text)) return text;
  throw wrong('schema: a name of at most 63 small letters, digits and _ is expected, that does not begin with pg_');
}

function oneOf<Word extends string>(
  params: Map<string, string>,
  name: string,
  words: readonly string[],
): Word | undefined {
  const value = params.get(name);
  if (value === undefined || words.includes(value)) return value as Word | undefined;
  throw wrong(`${name}: one of ${words.join(', ')} is expected`);
}

function wholeNumber(params: Map<string, string>, name: string, least: number, most: number): number | undefined {
  const text = params.get(name);
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
  throw wrong(`${name}: a number from ${least} to ${most} is expected`);
}

function thousand(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}

function orAbsent(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(`${what} has a % that is not followed by two digits; write % itself as %25`);
  }
}

function wrong(reason: string): UserError {
  return new UserError(400, 'bad-log-url', `the URL of the log in PostgreSQL cannot be used: ${reason}. Write ${FORM}`);
}
