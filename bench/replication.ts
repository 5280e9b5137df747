/**
 * How long does a change take from its REST request to being visible on every node, how long of that comes after the answer, and
 * how many changes a second does a cluster of three (or more) take? The peer is etcd, one member, in the same run: its put, and
 * its put until as many watchers have it.
 *
 * Both sync every change to disk before they acknowledge it. Not asked here: many members of etcd, a real network.
 */
import { mkdirSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import { basic } from '../test/basic.ts';
import { freePort } from '../test/free-ports.ts';
import { type GraticuleNode, start, startNode, temporaryFolder, until } from './processes.ts';
import { median, ms, rate, ratio, summary, table } from './statistics.ts';

export interface ReplicationSize {
  /** Changes made one after the other, with pauses between, each waited for on all nodes. */
  readonly single: number;
  /** Length of each throughput round in seconds. */
  readonly seconds: number;
  readonly rounds: number;
  /** At least 2. Default: 3. */
  readonly nodes?: number;
}

const DEFAULT_NODES = 3;
/** Between single changes: what one leaves to do, its files above all, is then no part of the next. */
const PAUSE_MS = 20;

const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const authorization = basic('admin', 'geoserver');

export async function send(node: GraticuleNode, method: string, resource: string, body?: string): Promise<number> {
  const contents = body === undefined ? {} : { 'content-type': 'text/xml', 'content-length': Buffer.byteLength(body) };
  return (await answerTo(`${node.url}/rest${resource}`, method, { authorization, ...contents }, body)).statusCode!;
}

/** Resolves when all of the answer has come; its body is not looked at. */
function answerTo(url: string, method: string, headers: OutgoingHttpHeaders, body?: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, agent, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/**
 * Resolves when a node shows a position: it holds back its answer until then, which is the nearest to a watcher that HTTP
 * has. To ask again and again would take the processors from what is measured.
 */
async function shows(node: GraticuleNode, position: number): Promise<void> {
  const headers = { 'x-graticule-min-position': position };
  const { statusCode } = await answerTo(`${node.url}/wms?service=WMS&version=1.3.0`, 'GET', headers);
  if (statusCode !== 200) throw new Error(`position ${position} is not visible on ${node.url}`);
}

async function positionOf(node: GraticuleNode): Promise<number> {
  return ((await (await fetch(`${node.url}/health/ready`)).json()) as { position: number }).position;
}

const workspaceXml = (name: string) => `<workspace><name>${name}</name></workspace>`;

interface Figures {
  readonly acknowledged: readonly number[];
  readonly visible: readonly number[];
  /** From the answer on. */
  readonly propagated: readonly number[];
  /** Changes a second by number of clients. */
  readonly throughput: ReadonlyMap<number, number>;
}

const CLIENTS = [1, 16] as const;

/** Runs `clients` loops for some seconds; returns operations a second. */
async function closedLoop(clients: number, seconds: number, operation: (n: number) => Promise<void>): Promise<number> {
  let done = 0;
  let n = 0;
  const begin = performance.now();
  const end = begin + seconds * 1000;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < end) {
        await operation(n++);
        done++;
      }
    }),
  );
  return (done / (performance.now() - begin)) * 1000;
}

async function measureGraticule(folder: string, size: ReplicationSize): Promise<Figures> {
  const secret = 'a secret for this benchmark only';
  const replicas: GraticuleNode[] = [];
  for (const name of ['a', 'b']) mkdirSync(path.join(folder, name));
  const a = await startNode({ folder, name: 'a', secret });
  const log = `ws://127.0.0.1:${a.port}`;
  const b = await startNode({ folder, name: 'b', secret, log });
  for (let i = 2; i < (size.nodes ?? DEFAULT_NODES); i++) {
    mkdirSync(path.join(folder, `c${i}`));
    replicas.push(await startNode({ folder, name: `c${i}`, role: 'replica', secret, log }));
  }
  const create = async (node: GraticuleNode, name: string) => {
    const status = await send(node, 'POST', '/workspaces', workspaceXml(name));
    if (status !== 201) throw new Error(`POST of ${name} answered ${status}`);
  };
  const exists = async (node: GraticuleNode, name: string) => {
    const status = await send(node, 'GET', `/workspaces/${name}.json?consistency=local`);
    if (status !== 200) throw new Error(`${name} is not visible on ${node.url}`);
  };
  try {
    for (let i = 0; i < 50; i++) await create(i % 2 ? a : b, `warm${i}`);
    const acknowledged: number[] = [];
    const visible: number[] = [];
    const propagated: number[] = [];
    for (let i = 0, at = await positionOf(a); i < size.single; i++) {
      const everywhere = Promise.all([a, ...replicas].map((node) => shows(node, at + 1)));
      await setTimeout(PAUSE_MS);
      // Through the node that does not hold the log: the longer way.
      const begin = performance.now();
      await create(b, `single${i}`);
      const answered = performance.now();
      acknowledged.push(answered - begin);
      await everywhere;
      const end = performance.now();
      at++;
      if (i === 0) for (const node of [a, b, ...replicas]) await exists(node, `single${i}`);
      visible.push(end - begin);
      propagated.push(end - answered);
    }
    const throughput = new Map<number, number>();
    for (const clients of CLIENTS) {
      const rounds: number[] = [];
      for (let round = 0; round < size.rounds; round++)
        rounds.push(await closedLoop(clients, size.seconds, (n) => create(n % 2 ? a : b, `t${clients}x${round}x${n}`)));
      throughput.set(clients, median(rounds));
    }
    return { acknowledged, visible, propagated, throughput };
  } finally {
    for (const node of [...replicas, b, a]) await node.stop();
  }
}

async function measureEtcd(folder: string, size: ReplicationSize): Promise<Figures> {
  const [client, peer] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${client}`;
  const args = ['--name', 'e0', '--data-dir', path.join(folder, 'etcd'), '--log-level', 'warn'];
  args.push('--listen-client-urls', url, '--advertise-client-urls', url);
  args.push(
    '--listen-peer-urls',
    `http://127.0.0.1:${peer}`,
    '--initial-advertise-peer-urls',
    `http://127.0.0.1:${peer}`,
  );
  args.push('--initial-cluster', `e0=http://127.0.0.1:${peer}`);
  const program = start('etcd', args, { logFile: path.join(folder, 'etcd.log') });
  await until(async () => (await (await fetch(`${url}/health`)).text()).includes('true'), program, 'etcd');
  const clients = Array.from({ length: 1 + (size.nodes ?? DEFAULT_NODES) }, () => new Etcd3({ hosts: url }));
  const [writer, ...watching] = clients as [Etcd3, ...Etcd3[]];
  try {
    const arrived = new Map<string, { left: number; resolve: () => void }>();
    for (const watcher of watching) {
      const stream = await watcher.watch().prefix('k').create();
      stream.on('put', (event) => {
        const waiting = arrived.get(event.key.toString());
        if (waiting && --waiting.left === 0) waiting.resolve();
      });
    }
    const put = (key: string) => writer.put(key).value(workspaceXml(key));
    for (let i = 0; i < 50; i++) await put(`warm${i}`);
    const acknowledged: number[] = [];
    const visible: number[] = [];
    const propagated: number[] = [];
    for (let i = 0; i < size.single; i++) {
      await setTimeout(PAUSE_MS);
      const all = new Promise<void>((resolve) => arrived.set(`k${i}`, { left: watching.length, resolve }));
      const begin = performance.now();
      await put(`k${i}`);
      const answered = performance.now();
      acknowledged.push(answered - begin);
      await all;
      const end = performance.now();
      visible.push(end - begin);
      propagated.push(end - answered);
    }
    const throughput = new Map<number, number>();
    for (const count of CLIENTS) {
      const rounds: number[] = [];
      for (let round = 0; round < size.rounds; round++)
        rounds.push(await closedLoop(count, size.seconds, async (n) => void (await put(`k${count}x${round}x${n}`))));
      throughput.set(count, median(rounds));
    }
    return { acknowledged, visible, propagated, throughput };
  } finally {
    for (const each of clients) each.close();
    await program.stop();
  }
}

export async function replication(size: ReplicationSize): Promise<void> {
  const folder = temporaryFolder();
  try {
    const nodes = size.nodes ?? DEFAULT_NODES;
    console.log(
      `\nReplication: ${nodes} nodes, embedded log on the first, changes through the other primary; etcd with ${nodes} watchers\n`,
    );
    const etcd = await measureEtcd(folder.path, size);
    const ours = await measureGraticule(folder.path, size);
    const row = (what: string, pick: (f: Figures) => number, print: (n: number) => string) => [
      what,
      print(pick(ours)),
      print(pick(etcd)),
      ratio(pick(ours), pick(etcd)),
    ];
    table(
      ['', 'Graticule (REST)', 'etcd (gRPC)', 'ratio'],
      [
        row('acknowledged p50', (f) => summary(f.acknowledged).p50, ms),
        row('acknowledged p99', (f) => summary(f.acknowledged).p99, ms),
        row('visible everywhere p50', (f) => summary(f.visible).p50, ms),
        row('visible everywhere p99', (f) => summary(f.visible).p99, ms),
        row('of that after the answer p50', (f) => summary(f.propagated).p50, ms),
        row('of that after the answer p99', (f) => summary(f.propagated).p99, ms),
        ...CLIENTS.map((n) => row(`changes, ${n} client${n > 1 ? 's' : ''}`, (f) => f.throughput.get(n)!, rate)),
      ],
    );
  } finally {
    folder.remove();
  }
}
