/** Brokers for tests: in this process, or in processes of their own; and writers that know what they were promised. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { listenAnywhere } from '../../../test/free-ports.ts';
import { type Logger, UnavailableError, UncertainError } from '../../base/index.ts';
import { START } from '../../tree/index.ts';
import type { Appended, ChangeLog, HeadMoved } from '../change-log.ts';
import { TcpProxy } from '../contract/proxy.ts';
import { body, persist, take, text } from '../contract/testing.ts';
import { type LogContractOptions, logContract, until } from '../contract.ts';
import { LogClosedError } from '../errors.ts';
import { openWebSocketLog, type WebSocketLogOptions } from '../websocket/index.ts';
import { type Broker, type BrokerStore, openBroker, openStore } from './index.ts';
import { SESSIONS_MAX } from './sessions.ts';

const SECRET = 'a secret for tests';
const MAIN = path.resolve(import.meta.dirname, '../../cli/main.ts');

export interface Running {
  readonly broker: Broker;
  readonly port: number;
  stop(): Promise<void>;
}

export async function startBroker(
  place: string,
  name: string,
  options: { groupsMax?: number; logger?: Logger } = {},
): Promise<Running> {
  const server: Server = createServer();
  const port = await listenAnywhere(server);
  const store = await openStore({ place, leaseMs: 1000, peerTtlMs: 150 });
  const broker = openBroker({
    store,
    name,
    url: `http://127.0.0.1:${port}`,
    logUrl: `ws://127.0.0.1:${port}`,
    version: 'test',
    server,
    secret: SECRET,
    beatMs: 50,
    heartbeatMs: 100,
    roomMs: 50,
    ...options,
  });
  return {
    broker,
    port,
    async stop() {
      await broker.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const isActive = ({ broker }: Running) =>
  until(async () => (await broker.status()).state === 'active', 'it to be active');

/** Waits until a broker knows that another one waits. */
export const hears = ({ broker }: Running, other: string) =>
  until(
    async () => (await broker.status()).brokers.some(({ name, state }) => name === other && state === 'waiting'),
    'it to be heard of',
  );

export function client(ports: readonly number[], options: Partial<WebSocketLogOptions> = {}): ChangeLog {
  return openWebSocketLog({
    url: `failover:(${ports.map((port) => `ws://127.0.0.1:${port}`).join(',')})`,
    secret: SECRET,
    name: 'node-1',
    answerWaitMs: 1000,
    appendWaitMs: 2000,
    connectionWaitMs: 4000,
    heartbeatMs: 100,
    ...options,
  });
}

/** The contract, through a broker on stores that are made anew each time. */
export function brokerContract(
  name: string,
  newPlace: () => Promise<string>,
  options: Partial<LogContractOptions> = {},
): void {
  logContract(
    name,
    async () => {
      const place = await newPlace();
      let running = await startBroker(place, 'a');
      await isActive(running);
      const proxy = new TcpProxy(() => running.port);
      await proxy.start();
      const handles: ChangeLog[] = [];
      const opened = (group?: string) => {
        const handle = client([proxy.port], { group });
        handles.push(handle);
        return handle;
      };
      return {
        open: async () => opened(),
        beside: async () => opened('another group'),
        restart: async () => {
          await running.stop();
          running = await startBroker(place, 'a');
          await isActive(running);
        },
        cut: (afterBytes) => proxy.cut(afterBytes),
        freeze: () => proxy.freeze(true),
        thaw: () => proxy.freeze(false),
        dispose: async () => {
          await Promise.all(handles.map((handle) => handle.close()));
          await running.stop();
          proxy.stop();
        },
      };
    },
    { peerTtlMs: 150, troubles: ['restart', 'cut', 'freeze'], noticeMs: 1100, ...options },
  );
}

/** What brokers on stores that are made anew each time remember of who is logged in. */
export function sessionContract(newPlace: () => Promise<string>): void {
  describe('sessions', () => {
    const scene = async (run: (stores: readonly BrokerStore[]) => Promise<void>) => {
      const place = await newPlace();
      const stores = await Promise.all([1, 2].map(() => openStore({ place, leaseMs: 1000 })));
      try {
        await run(stores);
      } finally {
        await Promise.all(stores.map((store) => store.close()));
      }
    };

    it('are known to every broker on the store, until they are removed', () =>
      scene(async ([a, b]) => {
        assert.equal(await a!.sessions.use('k1'), false);
        await a!.sessions.add('k1');
        await b!.sessions.add('k2');
        await b!.sessions.add('k2');
        for (const { sessions } of [a!, b!])
          assert.deepEqual(
            [await sessions.use('k1'), await sessions.use('k2'), await sessions.use('k3')],
            [true, true, false],
          );
        await b!.sessions.remove('k1');
        await b!.sessions.remove('k1');
        for (const { sessions } of [a!, b!])
          assert.deepEqual([await sessions.use('k1'), await sessions.use('k2')], [false, true]);
      }));

    it('are not more than the store likes', () =>
      scene(async ([a, b]) => {
        const keys = Array.from({ length: SESSIONS_MAX + 5 }, (_, n) => `k${n}`);
        for (const key of keys) await a!.sessions.add(key);
        const there = await Promise.all(keys.map((key) => b!.sessions.use(key)));
        assert.equal(there.filter(Boolean).length, SESSIONS_MAX);
        assert.equal(there.at(-1), true);
      }));
  });
}

// ---- processes

export class BrokerProcess {
  readonly name: string;
  readonly port: number;
  readonly process: ChildProcess;
  output = '';

  constructor(place: string, name: string, port: number) {
    this.name = name;
    this.port = port;
    const env = { ...process.env, GRATICULE_CLUSTER_SECRET: SECRET, GRATICULE_BROKER_PASSWORD: SECRET };
    const args = ['--store', place, '--port', String(port), '--host', '127.0.0.1', '--name', name];
    this.process = spawn(process.execPath, [MAIN, 'broker', ...args, '--lease-seconds', '1', '--log-format', 'json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    });
    for (const stream of [this.process.stdout!, this.process.stderr!])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        this.output += chunk;
      });
  }

  /** Waits until it has logged an event, for the n-th time. */
  async logs(event: string, times = 1): Promise<void> {
    const count = () => this.output.split(`"${event}"`).length - 1;
    await until(() => count() >= times || this.process.exitCode !== null, event, 20_000).catch(() => {});
    assert.ok(count() >= times, `no ${event} from ${this.name}:\n${this.output}`);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill(signal);
    await exited;
  }
}

/** Appends one after the other, until it is told to stop, and knows where each record stands. */
export class Writer {
  readonly acknowledged: { readonly position: number; readonly text: string; readonly atMs: number }[] = [];
  readonly done: Promise<void>;
  readonly #log: ChangeLog;
  readonly #name: string;
  #stopped = false;

  constructor(log: ChangeLog, name: string) {
    this.#log = log;
    this.#name = name;
    this.done = this.#run();
  }

  stop(): Promise<void> {
    this.#stopped = true;
    return this.done;
  }

  async #run(): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      const mine = `${this.#name}-${n}`;
      const position = await this.#append(mine);
      this.acknowledged.push({ position, text: mine, atMs: performance.now() });
    }
  }

  async #append(mine: string): Promise<number> {
    for (let after = await persist(() => this.#log.head()), uncertain = false; ; ) {
      let result: Appended | HeadMoved;
      try {
        result = await this.#log.append(after, body(mine));
      } catch (error) {
        if (this.#stopped && error instanceof LogClosedError) throw error;
        if (!(error instanceof UncertainError) && !(error instanceof UnavailableError)) throw error;
        // To the same place again: only one can stand there.
        uncertain ||= error instanceof UncertainError;
        await sleep(5);
        continue;
      }
      if (result.kind === 'appended') return result.position;
      if (uncertain) {
        const [there] = await take(this.#log, after, 1);
        if (text(there!) === mine) return there!.position;
        uncertain = false;
      }
      after = result.head;
    }
  }
}

/** Everything that was acknowledged stands where that was said, and nothing stands twice. */
export async function audit(log: ChangeLog, writers: readonly Writer[]): Promise<number> {
  const head = await persist(() => log.head());
  const records = await take(log, START, head);
  const all = records.map(text);
  assert.equal(new Set(all).size, all.length, 'no record stands twice');
  for (const writer of writers)
    for (const { position, text: mine } of writer.acknowledged) assert.equal(all[position - 1], mine);
  return head;
}

export interface FailoverOptions {
  newPlace(): Promise<string>;
  /** Port that nobody uses, and the next one. */
  newPorts(): Promise<number>;
  /** Whether a broker that lost its turn refuses appends; where it need not, they are in the one order all the same. */
  readonly fences: boolean;
}

/** What brokers in processes of their own must survive. */
export function failoverContract(name: string, { newPlace, newPorts, fences }: FailoverOptions): void {
  describe(name, () => {
    const scene = async (run: (scene: Scene) => Promise<void>) => {
      const place = await newPlace();
      const port = await newPorts();
      const a = new BrokerProcess(place, 'a', port);
      const brokers = [a];
      const handles: ChangeLog[] = [];
      const writers: Writer[] = [];
      try {
        await a.logs('broker-active');
        const b = new BrokerProcess(place, 'b', port + 1);
        brokers.push(b);
        await b.logs('broker-ready');
        const open = (ports: readonly number[], options?: Partial<WebSocketLogOptions>) => {
          const handle = client(ports, { connectionWaitMs: 10_000, ...options });
          handles.push(handle);
          return handle;
        };
        const log = () => open([port, port + 1]);
        for (let n = 0; n < 4; n++) writers.push(new Writer(log(), `w${n}`));
        const load = (from: number) =>
          until(() => writers.every((each) => (each.acknowledged.at(-1)?.atMs ?? 0) > from), 'every writer', 15_000);
        await load(0);
        await run({ a, b, open, log, writers, load });
        await Promise.all(writers.map((each) => each.stop()));
        await audit(log(), writers);
      } finally {
        for (const writer of writers) void writer.stop().catch(() => {});
        await Promise.all(handles.map((handle) => handle.close()));
        await Promise.all(brokers.map((each) => each.stop('SIGKILL')));
      }
    };
    /** How long nobody was served, after a moment. */
    const gap = (writers: readonly Writer[], fromMs: number) => {
      const times = writers.flatMap((each) => each.acknowledged.map(({ atMs }) => atMs)).sort((x, y) => x - y);
      const index = times.findIndex((atMs) => atMs > fromMs);
      return Math.max(...times.slice(index, index + 200).map((atMs, i) => atMs - (times[index + i - 1] ?? fromMs)));
    };

    it('when the active one is killed, the other one goes on with all that was acknowledged', async (t) => {
      await scene(async ({ a, b, writers, load }) => {
        const killedMs = performance.now();
        await a.stop('SIGKILL');
        await b.logs('broker-active');
        await load(killedMs);
        const gapMs = gap(writers, killedMs);
        t.diagnostic(`nobody was served for ${Math.round(gapMs)} ms`);
        assert.ok(gapMs < 5000);
      });
    });

    it('when the active one is told to stop, the other one goes on at once', async (t) => {
      await scene(async ({ a, b, writers, load }) => {
        const stoppedMs = performance.now();
        await a.stop('SIGTERM');
        await b.logs('broker-active');
        await load(stoppedMs);
        const gapMs = gap(writers, stoppedMs);
        t.diagnostic(`nobody was served for ${Math.round(gapMs)} ms`);
        assert.ok(gapMs < 3000);
      });
    });

    it('when the active one stands still, the other one goes on, and the former has nothing to say when it wakes up', async (t) => {
      await scene(async ({ a, b, open, log, writers, load }) => {
        const patient = { answerWaitMs: 60_000, appendWaitMs: 60_000, heartbeatMs: 60_000 };
        const former = open([a.port], patient);
        const before = await former.head();
        const stoppedMs = performance.now();
        a.process.kill('SIGSTOP');
        // Asked while nobody listens; answered when it wakes up.
        const asked = Promise.allSettled([former.head(), former.append(before, body('too late'))]);
        await b.logs('broker-active');
        await load(stoppedMs);
        t.diagnostic(`nobody was served for ${Math.round(gap(writers, stoppedMs))} ms`);
        const between = await persist(() => log().head());
        assert.ok(between > before);
        a.process.kill('SIGCONT');
        const [head, appended] = await asked;
        if (head.status === 'fulfilled') assert.ok(head.value >= between, `${head.value} is older than ${between}`);
        if (appended.status === 'fulfilled') assert.equal(appended.value.kind, 'head-moved');
        if (fences) {
          assert.equal(head.status, 'rejected');
          assert.equal(appended.status, 'rejected');
        }
        await a.logs('broker-lost');
        await a.logs('broker-waiting');
        const awakeMs = performance.now();
        await load(awakeMs);
        // And it can have its turn again.
        await b.stop('SIGTERM');
        await a.logs('broker-active', 2);
        await load(performance.now());
      });
    });
  });
}

interface Scene {
  /** Active. */
  readonly a: BrokerProcess;
  /** Waits. */
  readonly b: BrokerProcess;
  open(ports: readonly number[], options?: Partial<WebSocketLogOptions>): ChangeLog;
  /** A handle that knows both. */
  log(): ChangeLog;
  readonly writers: readonly Writer[];
  /** Waits until every writer has had a record acknowledged after a moment. */
  load(fromMs: number): Promise<void>;
}
