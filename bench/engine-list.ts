/** The engines of a log, each with its driver and bare, with what it takes to be as durable as it promises. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
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
import { bareActiveMq, bareActiveMqReceived } from './bare/activemq.ts';
import type { Bare } from './bare/bare.ts';
import { bareBroker } from './bare/broker.ts';
import { bareNats } from './bare/nats.ts';
import { barePostgres } from './bare/postgres.ts';
import { bareSqlite } from './bare/sqlite.ts';
import { answers, start, until } from './processes.ts';

export interface Engine {
  /** A handle on the log of a group, as another process would have one. */
  open(group: string): Promise<ChangeLog>;
  bare(): Promise<Bare>;
  /** What else it is compared with, and how that line is called. */
  readonly beside?: { readonly name: string; open(): Promise<Bare> };
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
    bare: async () => bareSqlite(path.join(folder, 'bare.sqlite')),
    async stop() {
      for (const log of logs.values()) await (await log).close();
    },
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
  const url = `ws://127.0.0.1:${port}`;
  return {
    open: async (group) => openWebSocketLog({ url, secret: SECRET, group, name: 'bench' }),
    bare: () => bareBroker(url, SECRET),
    // What a network and a second process cost.
    beside: {
      name: 'broker, beside SQLite in the process',
      open: async () => bareSqlite(path.join(folder, 'bare.sqlite')),
    },
    stop: () => program.stop(),
  };
}

async function postgres(): Promise<Engine> {
  const server = await startPostgres({ fsync: 'on', full_page_writes: 'on', max_connections: '120' });
  const url = server.url(await server.createDatabase());
  return {
    open: async (group) => openPostgresLog({ url, group }),
    bare: () => barePostgres(url),
    stop: () => server.stop(),
  };
}

async function nats(): Promise<Engine> {
  const server = await startNats();
  return {
    open: async (group) => openNatsLog({ url: server.url, group, name: 'bench' }),
    bare: () => bareNats(server.url.replace('nats://', '')),
    stop: () => server.stop(),
  };
}

async function activeMq(folder: string): Promise<Engine> {
  // What nobody takes out of a queue is not to fill the broker's memory.
  const server = await startActiveMq({ policies: '<policyEntry queue="bare.&gt;" useCache="false"/>' });
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
    bare: () => bareActiveMq(server.brokers[0]!.port),
    // What it costs that somebody reads: nobody takes the bare messages out of their queue.
    beside: { name: 'activemq, messages received', open: () => bareActiveMqReceived(server.brokers[0]!.port) },
    async stop() {
      for (const each of servers) {
        each.closeAllConnections();
        each.close();
      }
      await server.stop();
    },
  };
}
