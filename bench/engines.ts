/**
 * What the driver of each engine costs: the log through its driver against the same engine driven bare, by its own client, in the
 * same run; medians of interleaved rounds. Bare means records of 2 KB made durable one by one, or so many at once, at the next
 * position, and nothing else: no log around them, nobody who follows but where that is measured, no blobs.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { silentLogger, systemClock } from '../src/base/index.ts';
import { type ClusterNode, openNode } from '../src/cluster/index.ts';
import type { ChangeLog } from '../src/log/index.ts';
import { type Position, START, treePath } from '../src/tree/index.ts';
import { type Bare, type Following, fill, type OnRecords } from './bare/bare.ts';
import { ENGINES, type Engine } from './engine-list.ts';
import { temporaryFolder } from './processes.ts';
import { median, ms, ratio, type Summary, summary, table } from './statistics.ts';

export interface EnginesSize {
  /** Length of each round in seconds: short ones, and many, are alike for both sides when others disturb. */
  readonly seconds: number;
  readonly rounds: number;
  /** Appends that are waited for on five readers. */
  readonly single: number;
  /** Times that somebody comes anew, and the records read then. */
  readonly replays: number;
  readonly replayed: number;
  /** Names of engines; default: all that are installed. */
  readonly only?: readonly string[];
}

const RECORD = randomBytes(2048);
const WRITERS = [1, 16, 64] as const;
const READERS = 5;
const CHANGE_BYTES = 2048;

/** Both sides in one unit; one value for each of WRITERS. */
interface Results {
  readonly name: string;
  readonly appends: readonly number[];
  readonly changes: readonly number[];
  readonly visible: Summary;
  readonly replay: number;
  readonly bare: {
    readonly appends: readonly number[];
    /** Absent: nobody can follow beside the one process. */
    readonly visible?: Summary;
    readonly replay: number;
  };
}

/** Prints tables with a row for each engine. */
export async function engines(size: EnginesSize): Promise<void> {
  const rows: Results[] = [];
  const leftOut: string[] = [];
  for (const [name, { missing, start }] of Object.entries(ENGINES)) {
    if (size.only !== undefined && !size.only.includes(name)) continue;
    if (missing !== undefined) {
      leftOut.push(`${name} is left out: ${missing}`);
      continue;
    }
    const folder = temporaryFolder();
    const engine = await start(folder.path);
    try {
      rows.push(...(await measure(name, engine, folder.path, size)));
    } finally {
      await engine.stop();
      folder.remove();
    }
  }
  print(rows);
  for (const line of leftOut) console.log(line);
}

function print(rows: readonly Results[]): void {
  const at = (n: number) => (n === 1 ? 'one at a time' : `${n} at once`);
  console.log('\n## engines: records of 2 KB appended a second, driver / engine bare\n');
  table(
    ['engine', ...WRITERS.map(at)],
    rows.map(({ name, appends, bare }) => [name, ...appends.map((rate, i) => compared(rate, bare.appends[i]!))]),
  );
  console.log("\n## engines: changes a second through the cluster's writer / records bare, one at a time\n");
  table(
    ['engine', ...WRITERS.map((n) => (n === 1 ? '1 client' : `${n} clients`))],
    rows.map(({ name, changes, bare }) => [name, ...changes.map((rate) => compared(rate, bare.appends[0]!))]),
  );
  console.log(
    `\n## engines: from an append until ${READERS} readers have it; records a second of who comes anew; driver / bare\n`,
  );
  table(
    ['engine', 'visible p50', 'visible p99', 'replay'],
    rows.map(({ name, visible, replay, bare }) => [
      name,
      ...(['p50', 'p99'] as const).map((q) =>
        bare.visible === undefined
          ? ms(visible[q])
          : `${ms(visible[q])} / ${ms(bare.visible[q])} (${ratio(visible[q], bare.visible[q])})`,
      ),
      compared(replay, bare.replay),
    ]),
  );
  const wanting = [
    ...rows
      .filter(({ appends, bare }) => appends[0]! < bare.appends[0]! / 2)
      .map(({ name }) => `${name}, one at a time`),
    ...rows
      .filter(({ changes, bare }) => changes.at(-1)! < bare.appends[0]!)
      .map(({ name }) => `${name}, group commit`),
  ];
  console.log(
    `\nAt least half of bare one at a time, and more than that with group commit: ${wanting.length === 0 ? 'all' : `all but ${wanting.join('; ')}`}`,
  );
}

const compared = (ours: number, theirs: number) => `${perSecond(ours)} / ${perSecond(theirs)} (${ratio(ours, theirs)})`;

function perSecond(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en');
}

/** @returns a row for each thing that the engine is compared with */
async function measure(name: string, engine: Engine, folder: string, size: EnginesSize): Promise<Results[]> {
  const log = await engine.open('bench');
  const driver = new Driver(engine, log, await settled(log));
  const node = await Node.open(engine, folder);
  const bares = [{ name, bare: await engine.bare() }];
  if (engine.beside !== undefined) bares.push({ name: engine.beside.name, bare: await engine.beside.open() });
  try {
    const rates = await appendRates(
      driver,
      node,
      bares.map(({ bare }) => bare),
      size,
    );
    const visible = await visibleTimes([driver, ...bares.map(({ bare }) => bare)], size.single);
    const replay = await replayRates([driver, ...bares.map(({ bare }) => bare)], size);
    return bares.map((each, i) => ({
      name: each.name,
      ...{ appends: rates.appends, changes: rates.changes, visible: visible[0]!, replay: replay[0]! },
      bare: { appends: rates.bare[i]!, visible: visible[i + 1], replay: replay[i + 1]! },
    }));
  } finally {
    for (const { bare } of bares) await bare.close();
    await node.close();
    await log.close();
  }
}

/** Records a second for each of WRITERS. */
async function appendRates(driver: Driver, node: Node, bares: readonly Bare[], { rounds, seconds }: EnginesSize) {
  const sides = [driver, ...bares].map(
    (side) => (n: number) => rateOf((count) => side.append(RECORD, count), n, seconds),
  );
  sides.push((clients) => node.rate(clients, seconds));
  const medians = sides.map(() => [] as number[]);
  for (const writers of WRITERS) {
    await Promise.all([driver, ...bares].map((side) => side.append(RECORD, writers)));
    const rates = sides.map(() => [] as number[]);
    for (let round = 0; round < rounds; round++)
      for (const [i, rate] of sides.entries()) rates[i]!.push(await rate(writers));
    for (const [i, each] of rates.entries()) medians[i]!.push(median(each));
  }
  return { appends: medians[0]!, bare: medians.slice(1, -1), changes: medians.at(-1)! };
}

async function rateOf(round: (count: number) => Promise<void>, writers: number, seconds: number): Promise<number> {
  const startMs = performance.now();
  let done = 0;
  while (performance.now() - startMs < seconds * 1000) {
    await round(writers);
    done += writers;
  }
  return (done * 1000) / (performance.now() - startMs);
}

/** Times from an append until all readers have the record; undefined where nobody can follow. */
async function visibleTimes(sides: readonly Bare[], times: number): Promise<(Summary | undefined)[]> {
  const watched = await Promise.all(
    sides.map(async (side) => (side.follow === undefined ? undefined : Watched.open(side))),
  );
  const took = sides.map(() => [] as number[]);
  for (let n = 0; n < times; n++)
    for (const [i, each] of watched.entries()) {
      const tookMs = await each?.append();
      // The first ones find readers that are not there yet.
      if (tookMs !== undefined && n >= times / 10) took[i]!.push(tookMs);
    }
  for (const each of watched) await each?.close();
  return took.map((each, i) => (watched[i] === undefined ? undefined : summary(each)));
}

/** Readers, and what they have got. */
class Watched {
  readonly #seen: number[] = Array.from({ length: READERS }, () => 0);
  #appended = 0;
  #wake = () => {};
  #following!: Following;

  static async open(side: Bare): Promise<Watched> {
    const watched = new Watched();
    watched.#following = await side.follow!(READERS, (reader, count) => {
      watched.#seen[reader]! += count;
      watched.#wake();
    });
    return watched;
  }

  /** @returns how long it took until all had the record, ms */
  async append(): Promise<number> {
    const startMs = performance.now();
    this.#appended++;
    await this.#following.append(RECORD);
    while (this.#seen.some((count) => count < this.#appended)) {
      const woken = Promise.withResolvers<void>();
      this.#wake = woken.resolve;
      await woken.promise;
    }
    return performance.now() - startMs;
  }

  close(): Promise<void> {
    return this.#following.close();
  }
}

/** Records a second that somebody gets who comes anew: from the first connection to the last record. */
async function replayRates(sides: readonly Bare[], { replays, replayed }: EnginesSize): Promise<number[]> {
  const rates = sides.map(() => [] as number[]);
  for (let n = 0; n < replays; n++)
    for (const [i, side] of sides.entries()) rates[i]!.push((replayed * 1000) / (await side.replay(replayed)));
  return rates.map(median);
}

/** The log through its driver, each record on top of the one before. */
class Driver implements Bare {
  readonly #engine: Engine;
  readonly #log: ChangeLog;
  #head: Position;

  constructor(engine: Engine, log: ChangeLog, head: Position) {
    this.#engine = engine;
    this.#log = log;
    this.#head = head;
  }

  async append(body: Uint8Array, count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const first = this.#head;
      const results = await Promise.all(
        Array.from({ length: left }, (_, n) => this.#log.append((first + n) as Position, body)),
      );
      const appended = results.filter(({ kind }) => kind === 'appended').length;
      // When a connection breaks, those behind a lost one stand on nothing, and are asked for again.
      this.#head = appended === left ? ((first + left) as Position) : await this.#log.head();
      left -= appended;
    }
  }

  async follow(readers: number, onRecords: OnRecords): Promise<Following> {
    const stop = new AbortController();
    const handles = await Promise.all(Array.from({ length: readers }, () => this.#engine.open('bench')));
    await Promise.all(handles.map(settled));
    const reading = handles.map(async (log, reader) => {
      for await (const batch of log.read(this.#head, stop.signal)) onRecords(reader, batch.length);
    });
    return {
      append: (body) => this.append(body, 1),
      close: async () => {
        stop.abort();
        await Promise.all(reading);
        await Promise.all(handles.map((log) => log.close()));
      },
    };
  }

  async replay(count: number): Promise<number> {
    await fill(this, count - this.#head, 500);
    const startMs = performance.now();
    const log = await this.#engine.open('bench');
    const stop = new AbortController();
    try {
      await settled(log);
      for await (const batch of log.read(START, stop.signal)) if (batch.at(-1)!.position >= count) break;
      return performance.now() - startMs;
    } finally {
      stop.abort();
      await log.close();
    }
  }

  async close(): Promise<void> {}
}

/** A node of a cluster on the engine: its writer puts changes that wait into one record. */
class Node {
  readonly #log: ChangeLog;
  readonly #node: ClusterNode;

  private constructor(log: ChangeLog, node: ClusterNode) {
    this.#log = log;
    this.#node = node;
  }

  static async open(engine: Engine, folder: string): Promise<Node> {
    const log = await engine.open('bench-node');
    const dataDir = path.join(folder, 'node');
    mkdirSync(dataDir);
    await settled(log);
    const node = await openNode({
      ...{ dataDir, name: 'node', url: 'http://localhost:1/geoserver', role: 'both', version: '0', logUrl: 'bench' },
      ...{ log, clock: systemClock, random: Math.random, logger: silentLogger },
    });
    return new Node(log, node);
  }

  /** Changes a second from so many clients, each of which waits for the answer before its next one. */
  async rate(clients: number, seconds: number): Promise<number> {
    const startMs = performance.now();
    const untilMs = startMs + seconds * 1000;
    const done = await Promise.all(Array.from({ length: clients }, (_, client) => this.#changeUntil(client, untilMs)));
    return (done.reduce((sum, each) => sum + each, 0) * 1000) / (performance.now() - startMs);
  }

  async #changeUntil(client: number, untilMs: number): Promise<number> {
    const contents = randomBytes(CHANGE_BYTES / 2).toString('hex');
    let done = 0;
    for (; performance.now() < untilMs; done++)
      await this.#node.write({
        origin: { by: 'bench', why: 'PUT' },
        evaluate: (draft) => draft.put(treePath(`bench/${client}.txt`), Buffer.from(`${done} ${contents}`)),
      });
    return done;
  }

  async close(): Promise<void> {
    await this.#node.close();
    await this.#log.close();
  }
}

/** Waits until a log answers. @returns its head */
async function settled(log: ChangeLog): Promise<Position> {
  for (const deadlineMs = performance.now() + 20_000; ; )
    try {
      return await log.head();
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
}
