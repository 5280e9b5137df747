/**
 * A cluster in one process, on a simulated clock, with disks in memory and a log that loses requests and answers. Clients write
 * and read through any node, while nodes are killed, cut off, paused and brought back. A failure is a seed:
 * `SIM_SEED=17 node --test src/cluster/cluster.sim.test.ts` runs it alone; `SIM_SEEDS=500` runs more than the usual number.
 */
import assert from 'node:assert/strict';
import type { Readable } from 'node:stream';
import { it } from 'node:test';
import { setImmediate as nextTick } from 'node:timers/promises';
import { type Clock, silentLogger, systemClock, UnavailableError, UncertainError, UserError } from '../base/index.ts';
import { type BlobSource, type ChangeLog, type MemoryFault, type MemoryHandle, memoryLog } from '../log/index.ts';
import {
  type ContentHash,
  type Digest,
  type MemoryFileSystem,
  memoryFileSystem,
  type Position,
  treePath,
} from '../tree/index.ts';
import { mortal } from './harness.ts';
import { openNode } from './index.ts';
import type { ClusterNode, WriteRequest, Written } from './types.ts';

const SEEDS = process.env.SIM_SEED
  ? [Number(process.env.SIM_SEED)]
  : Array.from({ length: Number(process.env.SIM_SEEDS ?? 30) }, (_, n) => n + 1);

const NODES = ['a', 'b', 'c'];
const CLIENTS = 4;
const CHAOS_MS = 12_000;
/** Records that are kept below a snapshot: a client that tries again does so within fewer. */
const TRIM_MARGIN = 60;

for (const seed of SEEDS)
  it(`seed ${seed}`, { timeout: 60_000 }, async () => {
    try {
      await new Simulation(seed).run();
    } catch (error) {
      throw new Error(`seed ${seed} failed; SIM_SEED=${seed} runs it again`, { cause: error });
    }
  });

/** Time passes when the driver says so. */
class SimClock implements Clock {
  #now = 0;
  #sleepers: { atMs: number; wake: () => void }[] = [];

  now(): number {
    return Date.UTC(2024, 0, 1) + this.#now;
  }

  monotonicMs(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const sleeper = { atMs: this.#now + Math.max(0, ms), wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener(
        'abort',
        () => {
          this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
          reject(signal.reason);
        },
        { once: true },
      );
    });
  }

  /** To the next sleeper, or by `mostMs`. */
  advance(mostMs: number): void {
    const next = Math.min(...this.#sleepers.map(({ atMs }) => atMs));
    this.#now = Math.max(this.#now, Math.min(next, this.#now + mostMs));
    const due = this.#sleepers.filter(({ atMs }) => atMs <= this.#now).sort((x, y) => x.atMs - y.atMs);
    this.#sleepers = this.#sleepers.filter((sleeper) => !due.includes(sleeper));
    for (const { wake } of due) wake();
  }
}

interface Machine {
  readonly name: string;
  disk: MemoryFileSystem;
  /** Undefined while it is down. */
  up: Running | undefined;
}

interface Running {
  readonly node: ClusterNode;
  readonly log: MemoryHandle;
  /** Rejects when the machine dies: its clients do not know what became of their requests. */
  readonly died: PromiseWithResolvers<never>;
  kill(): Promise<void>;
}

class Simulation {
  readonly #random: () => number;
  readonly #clock = new SimClock();
  readonly #shared = memoryLog({ clock: this.#clock });
  readonly #machines: Machine[] = NODES.map((name) => ({ name, disk: memoryFileSystem(), up: undefined }));
  /** The digest that each position was seen with: the same on all nodes. */
  readonly #digests = new Map<Position, Digest>();
  /** Marks whose writing was answered, by file. */
  readonly #answered = new Map<string, Set<string>>();
  readonly #created = new Map<string, number>();
  #troubled = true;
  #marks = 0;
  /** Snapshots and blobs on their way. */
  #packing = 0;
  #problem: unknown;

  constructor(seed: number) {
    this.#random = mulberry32(seed);
  }

  async run(): Promise<void> {
    let over = false;
    const story = this.#story().finally(() => {
      over = true;
    });
    story.catch(() => {});
    while (!over && this.#problem === undefined) {
      // Snapshots are packed in other threads: time stands still for as long as they should take.
      if (this.#packing > 0) await systemClock.sleep(1);
      for (let turn = 0; turn < 3; turn++) await nextTick();
      this.#clock.advance(10);
    }
    if (this.#problem !== undefined) throw this.#problem;
    await story;
  }

  async #story(): Promise<void> {
    await Promise.all(this.#machines.map((machine) => this.#boot(machine)));
    const untilMs = this.#clock.monotonicMs() + CHAOS_MS;
    const clients = Array.from({ length: CLIENTS }, () => this.#client(untilMs));
    const chaos = this.#chaos(untilMs);
    await Promise.all([...clients, chaos]);
    await this.#judge();
  }

  // ---- machines

  async #boot(machine: Machine): Promise<void> {
    const log = this.#shared.open({ fault: (call) => (call === 'announce' ? undefined : this.#fault()) });
    this.#slowly(log);
    const { system, kill } = mortal(machine.disk);
    const node = await openNode({
      dataDir: '/data',
      name: machine.name,
      url: `http://${machine.name}`,
      role: 'both',
      version: '0',
      log,
      logUrl: 'memory:',
      clock: this.#clock,
      random: this.#random,
      logger: silentLogger,
      system,
      snapshotEveryRecords: 40,
    });
    node.onApplied((position) => {
      const seen = this.#digests.get(position);
      // Before that the files of records that a crash interrupted are being put right.
      if (node.status().state === 'starting') return;
      if (seen === undefined) this.#digests.set(position, node.digest);
      else if (seen !== node.digest) this.#problem ??= new Error(`two digests at position ${position}`);
    });
    const died = Promise.withResolvers<never>();
    died.promise.catch(() => {});
    machine.up = { node, log, died, kill };
  }

  /** Counts what is packed and unpacked. */
  #slowly(log: MemoryHandle): void {
    const reading = (body: Readable | undefined) => {
      if (!body) return;
      this.#packing++;
      body.once('close', () => this.#packing--);
    };
    const done = <T>(answer: Promise<T>): Promise<T> => {
      this.#packing++;
      return answer.finally(() => this.#packing--);
    };
    const { latestSnapshot, getBlob, putSnapshot, putBlob } = log;
    Object.assign(log, {
      latestSnapshot: async () => {
        const latest = await latestSnapshot.call(log);
        reading(latest?.body);
        return latest;
      },
      getBlob: async (hash: ContentHash) => {
        const body = await getBlob.call(log, hash);
        reading(body);
        return body;
      },
      putSnapshot: (at: Position, body: Readable) => done(putSnapshot.call(log, at, body)),
      putBlob: (hash: ContentHash, source: BlobSource) => done(putBlob.call(log, hash, source)),
    } satisfies Partial<ChangeLog>);
  }

  async #crash(machine: Machine): Promise<void> {
    const { up } = machine;
    if (!up) return;
    machine.up = undefined;
    up.died.reject(new UncertainError('the connection was lost'));
    await up.kill();
    await up.log.close();
    up.node.close().catch(() => {});
    machine.disk = machine.disk.afterCrash(this.#chance(0.5) ? this.#random : undefined);
  }

  #fault(): MemoryFault | undefined {
    if (!this.#troubled) return undefined;
    const dice = this.#random();
    if (dice < 0.02) return { kind: 'lost-reply' };
    if (dice < 0.04) return { kind: 'lost-request' };
    if (dice < 0.05) return { kind: 'unreachable' };
    if (dice < 0.3) return { kind: 'delay', requestMs: this.#upTo(30), replyMs: this.#upTo(30) };
    return undefined;
  }

  async #chaos(untilMs: number): Promise<void> {
    while (this.#clock.monotonicMs() < untilMs) {
      await this.#clock.sleep(this.#upTo(800));
      const machine = this.#pick(this.#machines);
      const { up } = machine;
      const dice = this.#random();
      if (!up) await this.#boot(machine);
      else if (dice < 0.4) await this.#crash(machine);
      else if (dice < 0.7) {
        up.log.partitioned = true;
        void this.#clock.sleep(this.#upTo(3000)).then(() => {
          up.log.partitioned = false;
        });
      } else if (dice < 0.8) {
        up.node.setRole('paused');
        void this.#clock.sleep(this.#upTo(2000)).then(() => up.node.setRole('both'));
      } else if (dice < 0.9)
        await up.node
          .snapshot()
          .then((at) => up.log.trim(Math.max(0, at - TRIM_MARGIN) as Position))
          .catch(allowed);
    }
  }

  // ---- clients

  async #client(untilMs: number): Promise<void> {
    while (this.#clock.monotonicMs() < untilMs) {
      await this.#clock.sleep(this.#upTo(150));
      const dice = this.#random();
      const subject = `n${Math.floor(this.#upTo(3))}`;
      if (dice < 0.5) await this.#mark(subject);
      else if (dice < 0.6) await this.#create(`w${Math.floor(this.#upTo(30))}`);
      else if (dice < 0.8) await this.#shuffle();
      else await this.#readBack(subject);
    }
  }

  /**
   * Adds a mark of its own to the end of a file: none may be lost, none may be there twice. With a key it is retried on any node
   * until there is an answer; without one, until it is uncertain.
   */
  async #mark(name: string): Promise<void> {
    const mark = `m${++this.#marks}`;
    const withKey = this.#chance(0.5);
    const path = treePath(`marks/${name}`);
    for (let attempt = 0; attempt < 6; attempt++) {
      try {
        const done = await this.#write({
          origin: { by: 'sim', why: 'mark', ...(withKey && { idempotencyKey: mark }) },
          evaluate: (draft) => draft.put(path, Buffer.from([...marksIn(draft.read(path)), mark].join(' '))),
        });
        if (done) return void this.#answeredIn(name).add(mark);
      } catch (error) {
        allowed(error);
        if (error instanceof UncertainError && !withKey) return;
      }
      await this.#clock.sleep(this.#upTo(500));
    }
  }

  #answeredIn(name: string): Set<string> {
    const known = this.#answered.get(name) ?? new Set();
    this.#answered.set(name, known);
    return known;
  }

  /** Only the first may succeed. */
  async #create(name: string): Promise<void> {
    const path = treePath(`workspaces/${name}`);
    try {
      const done = await this.#write({
        origin: { by: 'sim', why: 'create' },
        evaluate(draft) {
          if (draft.exists(path)) throw new UserError(409, 'exists', `${name} exists`);
          draft.put(path, Buffer.from(name));
        },
      });
      if (done) count(this.#created, name);
    } catch (error) {
      allowed(error);
    }
  }

  /** Puts, moves and deletes without a purpose. */
  async #shuffle(): Promise<void> {
    const folder = () => treePath(`shuffle/${'xyz'[Math.floor(this.#upTo(3))]}`);
    const [one, other] = [folder(), folder()];
    const dice = this.#random();
    const bytes = Buffer.alloc(dice < 0.1 ? 70_000 : 10, Math.floor(this.#upTo(256)));
    try {
      await this.#write({
        origin: { by: 'sim', why: 'shuffle' },
        evaluate: (draft) => {
          if (dice < 0.5) draft.put(treePath(`${one}/f${bytes[0]! % 4}`), bytes);
          else if (dice < 0.8 && one !== other) draft.move(one, other);
          else draft.delete(one);
        },
      });
    } catch (error) {
      allowed(error);
    }
  }

  /** A read after an answer sees what was answered, on any node; so does a request that changes nothing. */
  async #readBack(name: string): Promise<void> {
    const node = this.#pick(this.#machines).up?.node;
    if (!node) return;
    const before = [...this.#answeredIn(name)];
    const path = treePath(`marks/${name}`);
    let found: readonly string[];
    try {
      if (this.#chance(0.5)) {
        await node.catchUp();
        found = marksIn(node.catalog.read(path));
      } else {
        const origin = { by: 'sim', why: 'look' };
        found = (await node.write({ origin, evaluate: (draft) => marksIn(draft.read(path)) })).result;
      }
    } catch (error) {
      return allowed(error);
    }
    const missing = before.filter((mark) => !found.includes(mark));
    if (missing.length > 0) this.#problem ??= new Error(`${node.name} does not see ${missing} in ${name}`);
  }

  /** Asks any node; undefined when it is down. */
  async #write<Result>(request: WriteRequest<unknown, Result>): Promise<Written<Result> | undefined> {
    const { up } = this.#pick(this.#machines);
    return up && Promise.race([up.node.write(request), up.died.promise]);
  }

  // ---- the end

  async #judge(): Promise<void> {
    this.#troubled = false;
    // A last crash of each, so that what is on their disks counts.
    for (const machine of this.#machines) {
      await this.#crash(machine);
      await this.#boot(machine);
    }
    const nodes = this.#machines.map(({ up }) => up!.node);
    for (const node of nodes) {
      for (let attempt = 0; node.status().state !== 'in-step' && attempt < 200; attempt++) await this.#clock.sleep(50);
      assert.equal(node.status().state, 'in-step', `${node.name}: ${node.status().reason}`);
      await node.catchUp();
    }
    assert.equal(new Set(nodes.map(({ digest }) => digest)).size, 1, 'one digest');
    assert.equal(new Set(nodes.map(({ position }) => position)).size, 1, 'one position');
    const [first] = nodes;
    for (const [name, answered] of this.#answered) {
      const found = marksIn(first!.catalog.read(treePath(`marks/${name}`)));
      assert.equal(new Set(found).size, found.length, `a mark is in ${name} twice: ${found}`);
      assert.deepEqual(
        [...answered].filter((mark) => !found.includes(mark)),
        [],
        `marks are missing in ${name}`,
      );
    }
    for (const [name, times] of this.#created) assert.equal(times, 1, `${name} was created ${times} times`);
    const contents = await Promise.all(
      this.#machines.map(async ({ up, disk }) => {
        await up!.node.close();
        return Object.fromEntries(Object.entries(disk.dump()).filter(([path]) => !path.startsWith('/data/cluster/')));
      }),
    );
    for (const other of contents.slice(1)) assert.deepEqual(other, contents[0]);
  }

  // ---- dice

  #upTo(most: number): number {
    return this.#random() * most;
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#upTo(list.length))]!;
  }
}

/** What a client of a troubled cluster has to expect; anything else is our bug. */
function allowed(error: unknown): void {
  if (error instanceof UnavailableError || error instanceof UncertainError || error instanceof UserError) return;
  throw error;
}

function marksIn(bytes: Uint8Array | undefined): readonly string[] {
  return bytes ? Buffer.from(bytes).toString().split(' ') : [];
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
