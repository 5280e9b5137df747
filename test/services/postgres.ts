/** A private PostgreSQL for tests: its own folder and port, gone when the test ends. */
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from '../free-ports.ts';
import { ServerProcess } from './server-process.ts';

export interface Postgres {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** `postgres://user@host:port/database` */
  url(database: string): string;
  /** Makes an empty database, with PostGIS in it where asked for. @returns its name */
  createDatabase(options?: { readonly postgis?: boolean }): Promise<string>;
  /** Ends the server's process, as `kill -9` would, or politely. */
  kill(signal: 'SIGKILL' | 'SIGINT' | 'SIGQUIT'): Promise<void>;
  /** Starts it again in the same folder, on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Why there is no PostgreSQL to test against; undefined when there is one. The value fits node:test's `skip`. */
export const postgresMissing: string | undefined =
  findBinaries() === undefined
    ? 'PostgreSQL is not installed (apt-get install postgresql postgresql-15-postgis-3)'
    : undefined;

const START_MS_MAX = 30_000;
const USER = 'test';

function findBinaries(): string | undefined {
  const installed = existsSync('/usr/lib/postgresql')
    ? readdirSync('/usr/lib/postgresql')
        .map(Number)
        .sort((a, b) => b - a)
    : [];
  const folders = [
    ...installed.map((version) => `/usr/lib/postgresql/${version}/bin`),
    ...(process.env.PATH ?? '').split(':'),
  ];
  return folders.find((folder) => existsSync(path.join(folder, 'initdb')) && existsSync(path.join(folder, 'postgres')));
}

/**
 * @param settings  further settings of the server, by name
 * @param primary   the server that this one is a standby of, with everything that it has
 */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
  primary?: Postgres,
): Promise<Postgres> {
  const binaries = findBinaries();
  if (binaries === undefined) throw new Error(postgresMissing);
  const folder = mkdtempSync(path.join(tmpdir(), 'graticule-pg-'));
  const owner = ownerFor(folder);
  const data = path.join(folder, 'data');
  const [program, args] =
    primary === undefined
      ? [
          'initdb',
          [
            '-D',
            data,
            '-U',
            USER,
            '-A',
            'trust',
            '-E',
            'UTF8',
            '--locale=C.UTF-8',
            '--no-sync',
            '--no-instructions',
            '--wal-segsize=1',
          ],
        ]
      : [
          'pg_basebackup',
          [
            '-D',
            data,
            '-U',
            USER,
            '-h',
            primary.host,
            '-p',
            String(primary.port),
            '-R',
            '-X',
            'stream',
            '-c',
            'fast',
            '--no-sync',
          ],
        ];
  execFileSync(path.join(binaries, program as string), args as string[], {
    ...owner,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const port = await freePort();
  const logFile = path.join(folder, 'log');
  const server = new ServerProcess({ ...owner, cwd: folder, logFile, endSignal: 'SIGQUIT' });
  await launch();
  let template: Promise<string> | undefined;
  let databases = 0;

  async function launch() {
    const all = {
      listen_addresses: '127.0.0.1',
      fsync: 'off',
      full_page_writes: 'off',
      max_connections: '60',
      ...settings,
    };
    const options = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    server.start(path.join(binaries!, 'postgres'), ['-D', data, '-p', String(port), '-k', folder, ...options]);
    const deadline = Date.now() + START_MS_MAX;
    for (;;) {
      try {
        await query('postgres', 'SELECT 1');
        break;
      } catch (error) {
        if (server.ended || Date.now() > deadline)
          throw new Error(`PostgreSQL did not start:\n${readFileSync(logFile, 'utf8').slice(-2000)}`, {
            cause: error,
          });
        await sleep(20);
      }
    }
  }

  async function query(database: string, sql: string): Promise<void> {
    const client = new pg.Client({ host: '127.0.0.1', port, user: USER, database });
    client.on('error', () => undefined);
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  }

  /** PostGIS takes half a second to install, and a copy of a database with it much less. */
  function postgisTemplate(): Promise<string> {
    template ??= (async () => {
      await query('postgres', 'CREATE DATABASE with_postgis');
      await query('with_postgis', 'CREATE EXTENSION postgis');
      return 'with_postgis';
    })();
    return template;
  }

  return {
    host: '127.0.0.1',
    port,
    user: USER,
    url: (database) => `postgres://${USER}@127.0.0.1:${port}/${database}`,
    async createDatabase({ postgis = false } = {}) {
      const name = `test_${++databases}`;
      await query('postgres', `CREATE DATABASE ${name} TEMPLATE ${postgis ? await postgisTemplate() : 'template0'}`);
      return name;
    },
    kill: (signal) => server.kill(signal),
    async restart() {
      await server.kill('SIGINT');
      await launch();
    },
    async stop() {
      await server.kill('SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The server refuses to run as root: there it becomes the user that the package made. */
function ownerFor(folder: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith('postgres:'))
    ?.split(':');
  if (entry === undefined) throw new Error('PostgreSQL does not run as root, and there is no user postgres');
  const [uid, gid] = [Number(entry[2]), Number(entry[3])];
  chownSync(folder, uid, gid);
  return { uid, gid };
}
