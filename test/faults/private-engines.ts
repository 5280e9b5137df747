/** Engines that a run starts for itself, on free ports and in folders of its own, and whose servers it may kill. */

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { openEmbeddedLog, openNatsLog, openPostgresLog, openWebSocketLog } from '../../src/log/index.ts';
import { Program, SECRET } from '../e2e/harness.ts';
import { adjacentPorts } from '../free-ports.ts';
import { activeMqMissing, startActiveMq } from '../services/activemq.ts';
import { natsMissing, startNats } from '../services/nats.ts';
import { type Postgres, postgresMissing, startPostgres } from '../services/postgres.ts';
import type { Address, EngineOptions, LogEngine } from './engine.ts';

export type PrivateEngine = (options: EngineOptions) => Promise<LogEngine>;

const DOWN_MS = 1000;
/** Somebody stands in: the killed one is away for longer than that takes. */
const DOWN_WITH_OTHERS_MS = 6000;
const READY_MS = 30_000;

export const PRIVATE_ENGINES: Readonly<Record<string, PrivateEngine>> = {
  'broker-folder': (options) => brokers('broker-folder', options, { count: 1 }),
  'broker-shared': (options) => brokers('broker-shared', options, { count: 2 }),
  'broker-postgres': async (options) => {
    const server = await startedPostgres();
    const url = server.url(await server.createDatabase());
    return brokers('broker-postgres', options, { count: 2, store: url, stop: () => server.stop() });
  },
  postgres: async () => {
    const server = await startedPostgres();
    const database = await server.createDatabase();
    const urlOf = (port: number) => `postgres://${server.user}@127.0.0.1:${port}/${database}`;
    return {
      ...shared('postgres', [server], ([port]) => urlOf(port!), DOWN_MS),
      async killServer() {
        await server.kill('SIGKILL');
        return { name: 'PostgreSQL', restart: () => again(() => server.restart()) };
      },
      open: async () => openPostgresLog({ url: urlOf(server.port) }),
      stop: () => server.stop(),
    };
  },
  nats: () => nats('nats', 1),
  'nats-3': () => nats('nats-3', 3),
  activemq: (options) => activeMq('activemq', options, 1),
  'activemq-pair': (options) => activeMq('activemq-pair', options, 2),
};

/** What is alike for all logs that are on servers. */
function shared(
  name: string,
  servers: readonly { readonly port: number }[],
  followerUrl: LogEngine['followerUrl'],
  downMs: number,
) {
  const targets: Address[] = servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  const holderUrl = () => followerUrl(servers.map(({ port }) => port));
  return { name, holder: undefined, targets, followerUrl, holderUrl, downMs };
}

async function startedPostgres(): Promise<Postgres> {
  if (postgresMissing !== undefined) throw new Error(postgresMissing);
  return startPostgres();
}

/** Children of a process that was killed may hold its place for a moment. */
async function again(start: () => Promise<void>): Promise<void> {
  for (const deadline = performance.now() + READY_MS; ; )
    try {
      return await start();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
}

async function nats(name: string, count: number): Promise<LogEngine> {
  if (natsMissing !== undefined) throw new Error(natsMissing);
  const cluster = await startNats({ servers: count });
  const { servers } = cluster;
  let next = 0;
  return {
    ...shared(
      name,
      servers,
      (ports) => `nats://${ports.map((port) => `127.0.0.1:${port}`).join()}`,
      count === 1 ? DOWN_MS : DOWN_WITH_OTHERS_MS,
    ),
    // Each in turn: the leader of the stream is one of them.
    async killServer() {
      const server = servers[next++ % servers.length]!;
      await server.kill('SIGKILL');
      return { name: server.name, restart: () => server.restart() };
    },
    open: async () => openNatsLog({ url: cluster.url, name: 'audit' }),
    stop: () => cluster.stop(),
  };
}

async function activeMq(name: string, { nodesFolder }: EngineOptions, count: 1 | 2): Promise<LogEngine> {
  if (activeMqMissing !== undefined) throw new Error(activeMqMissing);
  const pair = await startActiveMq({ brokers: count });
  const urlOf = (ports: readonly number[]) => {
    const urls = ports.map((port) => `stomp://127.0.0.1:${port}`);
    return urls.length === 1 ? urls[0]! : `failover:(${urls.join()})`;
  };
  return {
    ...shared(name, pair.brokers, urlOf, count === 1 ? DOWN_MS : DOWN_WITH_OTHERS_MS),
    async killServer() {
      const broker = await pair.active();
      await broker.kill('SIGKILL');
      return { name: broker.name, restart: () => broker.restart() };
    },
    // Every node has a copy of all of it.
    open: () => openEmbeddedLog({ folder: path.join(nodesFolder, 'N1', 'cluster', 'log-copy') }),
    stop: () => pair.stop(),
  };
}

/** Our own brokers, as processes. */
async function brokers(
  name: string,
  { folder }: EngineOptions,
  options: { readonly count: number; readonly store?: string; readonly stop?: () => Promise<void> },
): Promise<LogEngine> {
  const { count, store = path.join(folder, 'store') } = options;
  mkdirSync(folder, { recursive: true });
  const first = await adjacentPorts(count);
  const env = { GRATICULE_CLUSTER_SECRET: SECRET, GRATICULE_BROKER_PASSWORD: SECRET };
  const servers = Array.from({ length: count }, (_, n) => {
    const [port, broker] = [first + n, `broker-${n + 1}`];
    const start = async () => {
      const args = ['broker', '--store', store, '--port', `${port}`, '--host', '127.0.0.1', '--name', broker];
      const program = new Program([...args, '--url', `http://127.0.0.1:${port}`], { env });
      server.program = program;
      const endWithUs = () => program.process.kill('SIGKILL');
      process.on('exit', endWithUs);
      program.process.once('exit', () => process.off('exit', endWithUs));
      await program.prints('"broker-ready"', READY_MS);
    };
    const server = { port, name: broker, start, program: undefined as Program | undefined };
    return server;
  });
  for (const server of servers) await server.start();
  const urlOf = (ports: readonly number[]) => {
    const urls = ports.map((port) => `ws://127.0.0.1:${port}`);
    return urls.length === 1 ? urls[0]! : `failover:(${urls.join()})`;
  };
  const all = shared(name, servers, urlOf, count === 1 ? DOWN_MS : DOWN_WITH_OTHERS_MS);
  return {
    ...all,
    async killServer() {
      const active = await activeOf(servers);
      await active.program!.stop('SIGKILL');
      return { name: active.name, restart: () => active.start() };
    },
    open: async () => openWebSocketLog({ url: all.holderUrl(), secret: SECRET, name: 'audit' }),
    async stop() {
      await Promise.all(servers.map(({ program }) => program?.stop()));
      await options.stop?.();
    },
  };
}

/** The broker that says of itself that it is the active one; waits for it. */
async function activeOf<Server extends { readonly port: number }>(servers: readonly Server[]): Promise<Server> {
  for (const deadline = performance.now() + READY_MS; performance.now() < deadline; ) {
    for (const server of servers)
      try {
        const answer = await fetch(`http://127.0.0.1:${server.port}/health/active`, {
          signal: AbortSignal.timeout(1000),
        });
        await answer.body?.cancel();
        if (answer.ok) return server;
      } catch {
        // It has ended, or is not there yet.
      }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no broker is active within ${READY_MS} ms`);
}
