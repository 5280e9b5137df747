/** The engines of a log, each with its driver and bare, with what it takes to be as durable as it promises. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { connect, headers } from '@nats-io/transport-node';
import pg from 'pg';
import {
  type ChangeLog,
  openEmbeddedLog,
  openNatsLog,
  openPostgresLog,
  openStompLog,
  openWebSocketLog,
} from '../src/log/index.ts';
import { freePort } from '../test/free-ports.ts';
import { activeMqMissing, startActiveMq } from '../test/services/activemq.ts';
import { natsMissing, startNats } from '../test/services/nats.ts';
import { postgresMissing, startPostgres } from '../test/services/postgres.ts';
import { frame, StompClient } from '../test/services/stomp.ts';
import { answers, start, until } from './processes.ts';

export interface Bare {
  /** Makes so many records durable, all asked for at once. */
  round(body: Uint8Array, count: number): Promise<void>;
  close(): Promise<void>;
}

export interface Engine {
  /** A handle on the log of a group, as another process would have one. */
  open(group: string): Promise<ChangeLog>;
  bare(): Promise<Bare>;
  stop(): Promise<void>;
}

export interface EngineEntry {
  /** Why it cannot be measured here. */
  readonly missing?: string;
  start(folder: string): Promise<Engine>;
}

const SECRET = 'a secret for benchmarks';

export const ENGINES: Readonly<Record<string, EngineEntry>> = {
  embedded: { start: embedded },
  broker: { start: broker },
  postgres: { ...(postgresMissing && { missing: postgresMissing }), start: postgres },
  nats: { ...(natsMissing && { missing: natsMissing }), start: nats },
  activemq: { ...(activeMqMissing && { missing: activeMqMissing }), start: activeMq },
};

async function embedded(folder: string): Promise<Engine> {
  // One process has it open: its handles are one.
  const logs = new Map<string, Promise<ChangeLog>>();
  return {
    async open(group) {
      const opened = logs.get(group) ?? openEmbeddedLog({ folder: path.join(folder, group) });
      logs.set(group, opened);
      const log = await opened;
      return new Proxy(log, {
        get(target, name) {
          if (name === 'close') return async () => {};
          const value = Reflect.get(target, name, target) as unknown;
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    },
    bare: async () => sqlite(path.join(folder, 'bare.sqlite')),
    async stop() {
      for (const log of logs.values()) await (await log).close();
    },
  };
}

/** One writer; what is asked for at once is one transaction. */
function sqlite(file: string): Bare {
  const db = new DatabaseSync(file);
  db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  db.exec('CREATE TABLE records (position INTEGER PRIMARY KEY, body BLOB NOT NULL)');
  const insert = db.prepare('INSERT INTO records VALUES (?, ?)');
  let head = 0;
  return {
    async round(body, count) {
      db.exec('BEGIN IMMEDIATE');
      for (let n = 0; n < count; n++) insert.run(++head, body);
      db.exec('COMMIT');
    },
    close: async () => db.close(),
  };
}

async function broker(folder: string): Promise<Engine> {
  const port = await freePort();
  const main = path.resolve(import.meta.dirname, '../src/cli/main.ts');
  const args = [main, 'broker', '--store', path.join(folder, 'store'), '--port', `${port}`, '--host', '127.0.0.1'];
  const program = start(process.execPath, args, {
    logFile: path.join(folder, 'broker.log'),
    env: { GRATICULE_CLUSTER_SECRET: SECRET },
  });
  await until(answers(`http://127.0.0.1:${port}/health/active`), program, 'the broker');
  return {
    open: async (group) => openWebSocketLog({ url: `ws://127.0.0.1:${port}`, secret: SECRET, group, name: 'bench' }),
    bare: async () => sqlite(path.join(folder, 'bare.sqlite')),
    stop: () => program.stop(),
  };
}

async function postgres(): Promise<Engine> {
  const server = await startPostgres({ fsync: 'on', full_page_writes: 'on', max_connections: '120' });
  const url = server.url(await server.createDatabase());
  return {
    open: async (group) => openPostgresLog({ url, group }),
    bare: () => inserts(url),
    stop: () => server.stop(),
  };
}

/** As many connections as records at once, each with an INSERT of its own. */
async function inserts(url: string): Promise<Bare> {
  const clients: pg.Client[] = [];
  const add = async () => {
    const client = new pg.Client(url);
    await client.connect();
    clients.push(client);
    return client;
  };
  await (await add()).query('CREATE TABLE bare (position bigint PRIMARY KEY, body bytea NOT NULL)');
  let head = 0;
  return {
    async round(body, count) {
      while (clients.length < count) await add();
      const insert = (client: pg.Client) =>
        client.query({ name: 'insert', text: 'INSERT INTO bare VALUES ($1, $2)', values: [++head, body] });
      await Promise.all(clients.slice(0, count).map(insert));
    },
    async close() {
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}

async function nats(): Promise<Engine> {
  const server = await startNats();
  return {
    open: async (group) => openNatsLog({ url: server.url, group, name: 'bench' }),
    bare: () => publishes(server.url.replace('nats://', '')),
    stop: () => server.stop(),
  };
}

/** One connection; each message expects the one before it to be the last. */
async function publishes(servers: string): Promise<Bare> {
  const connection = await connect({ servers });
  const stream = { name: 'bare', subjects: ['bare'], storage: 'file', num_replicas: 1, retention: 'limits' };
  await connection.request('$JS.API.STREAM.CREATE.bare', JSON.stringify(stream));
  let head = 0;
  return {
    async round(body, count) {
      const publish = async () => {
        const expected = headers();
        expected.set('Nats-Expected-Last-Sequence', `${head++}`);
        const answer = await connection.request('bare', body, { headers: expected, timeout: 10_000 });
        if (answer.json<{ error?: unknown }>().error !== undefined) throw new Error(answer.string());
      };
      await Promise.all(Array.from({ length: count }, publish));
    },
    close: () => connection.close(),
  };
}

async function activeMq(folder: string): Promise<Engine> {
  const server = await startActiveMq();
  const servers: ReturnType<typeof createServer>[] = [];
  let nodes = 0;
  return {
    async open(group) {
      // Each handle is a node, with its own copy of the log.
      const offered = createServer();
      await new Promise<void>((resolve) => offered.listen(0, '127.0.0.1', resolve));
      servers.push(offered);
      const name = `bench-${++nodes}`;
      const url = `ws://127.0.0.1:${(offered.address() as AddressInfo).port}/geoserver/cluster/log`;
      return openStompLog({
        ...{ url: server.url, group, name, folder: path.join(folder, group, name) },
        exchange: { secret: SECRET, offer: { server: offered, url } },
      });
    },
    bare: () => sends(server.brokers[0]!.port),
    async stop() {
      for (const each of servers) {
        each.closeAllConnections();
        each.close();
      }
      await server.stop();
    },
  };
}

/** One connection; each message is persistent, and has a receipt of its own. */
async function sends(port: number): Promise<Bare> {
  const client = await StompClient.connect(port);
  return {
    async round(body, count) {
      const text = Buffer.from(body).toString('base64').slice(0, body.length);
      const send = frame('SEND', { destination: '/queue/bare', persistent: 'true' }, text);
      await Promise.all(Array.from({ length: count }, () => client.confirm(send)));
    },
    close: async () => client.reset(),
  };
}
