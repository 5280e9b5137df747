/**
 * What the driver of each engine costs: the log through its driver against the same engine driven bare, by its own client, in
 * the same run; medians of interleaved rounds. Bare means records of 2 KB made durable one by one, or so many at once, at the next
 * position, and nothing else: nobody follows, nobody is told of a head that moved, no blobs.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { silentLogger, systemClock } from '../src/base/index.ts';
import { type ClusterNode, openNode } from '../src/cluster/index.ts';
import type { ChangeLog } from '../src/log/index.ts';
import { type Position, START, treePath } from '../src/tree/index.ts';
import { ENGINES, type Engine } from './engine-list.ts';
import { temporaryFolder } from './processes.ts';
import { median, ms, ratio, summary } from './statistics.ts';

export interface EnginesSize {
  /** Length of each round in seconds. */
  readonly seconds: number;
  readonly rounds: number;
  /** Appends that are waited for on five readers. */
  readonly single: number;
  /** Names of engines; default: all that are installed. */
  readonly only?: readonly string[];
}

const RECORD = randomBytes(2048);
const WRITERS = [1, 16, 64] as const;
const READERS = 5;
const CHANGE_BYTES = 2048;

/** Prints a table in Markdown, a row for each engine. */
export async function engines(size: EnginesSize): Promise<void> {
  console.log('\n## engines: records of 2 KB a second, through the driver (times what the engine does bare)\n');
  const head = [
    'engine',
    ...WRITERS.map((writers) => (writers === 1 ? 'one at a time' : `${writers} at once`)),
    'changes, 64 clients of one node',
    `seen by ${READERS} readers, p50 / p99`,
    'replay',
  ];
  const line = (cells: readonly string[]) => console.log(`| ${cells.join(' | ')} |`);
  line(head);
  line(head.map(() => '---'));
  for (const [name, { missing, start }] of Object.entries(ENGINES)) {
    if (size.only !== undefined && !size.only.includes(name)) continue;
    if (missing !== undefined) {
      line([name, `left out: ${missing}`]);
      continue;
    }
    const folder = temporaryFolder();
    const engine = await start(folder.path);
    try {
      line([name, ...(await measure(engine, folder.path, size))]);
    } finally {
      await engine.stop();
      folder.remove();
    }
  }
}

async function measure(engine: Engine, folder: string, size: EnginesSize): Promise<string[]> {
  const [log, bare] = [await engine.open('bench'), await engine.bare()];
  const driver = new Driver(log, await settled(log));
  const cells: string[] = [];
  let bareOne = Number.NaN;
  try {
    for (const writers of WRITERS) {
      await Promise.all([driver.round(writers), bare.round(RECORD, writers)]);
      const [ours, theirs]: [number[], number[]] = [[], []];
      for (let round = 0; round < size.rounds; round++) {
        theirs.push(await rateOf((count) => bare.round(RECORD, count), writers, size.seconds));
        ours.push(await rateOf((count) => driver.round(count), writers, size.seconds));
      }
      if (writers === 1) bareOne = median(theirs);
      cells.push(`${perSecond(median(ours))} (${ratio(median(ours), median(theirs))})`);
    }
    const changes = await changesPerSecond(engine, folder, size);
    cells.push(`${perSecond(changes)} (${ratio(changes, bareOne)} one at a time)`);
    const seen = summary(await visibleOnReaders(engine, driver, size.single));
    cells.push(`${ms(seen.p50)} / ${ms(seen.p99)}`);
    cells.push(perSecond(await replayRate(engine, driver.head)));
  } finally {
    await bare.close();
    await log.close();
  }
  return cells;
}

/** Appends through a driver, each record on top of the one before. */
class Driver {
  readonly log: ChangeLog;
  head: Position;

  constructor(log: ChangeLog, head: Position) {
    this.log = log;
    this.head = head;
  }

  async round(count: number): Promise<void> {
    const first = this.head;
    const results = await Promise.all(
      Array.from({ length: count }, (_, n) => this.log.append((first + n) as Position, RECORD)),
    );
    for (const { kind } of results) if (kind !== 'appended') throw new Error('somebody else writes to the log');
    this.head = (first + count) as Position;
  }
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

/** Changes that a node takes from 64 clients: its writer puts those that wait into one record. */
async function changesPerSecond(engine: Engine, folder: string, { rounds, seconds }: EnginesSize): Promise<number> {
  const log = await engine.open('bench-node');
  const dataDir = path.join(folder, 'node');
  mkdirSync(dataDir);
  await settled(log);
  const node = await openNode({
    ...{ dataDir, name: 'node', url: 'http://localhost:1/geoserver', role: 'both', version: '0', logUrl: 'bench' },
    ...{ log, clock: systemClock, random: Math.random, logger: silentLogger },
  });
  try {
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const startMs = performance.now();
      const untilMs = startMs + seconds * 1000;
      const done = await Promise.all(Array.from({ length: 64 }, (_, client) => changeUntil(node, client, untilMs)));
      rates.push((done.reduce((sum, each) => sum + each, 0) * 1000) / (performance.now() - startMs));
    }
    return median(rates);
  } finally {
    await node.close();
    await log.close();
  }
}

async function changeUntil(node: ClusterNode, client: number, untilMs: number): Promise<number> {
  const contents = randomBytes(CHANGE_BYTES / 2).toString('hex');
  let done = 0;
  for (; performance.now() < untilMs; done++)
    await node.write({
      origin: { by: 'bench', why: 'PUT' },
      evaluate: (draft) => draft.put(treePath(`bench/${client}.txt`), Buffer.from(`${done} ${contents}`)),
    });
  return done;
}

/** Times from an append until all readers, each with a handle of its own, have the record. */
async function visibleOnReaders(engine: Engine, driver: Driver, times: number): Promise<number[]> {
  const stop = new AbortController();
  const handles = await Promise.all(Array.from({ length: READERS }, () => engine.open('bench')));
  const from = driver.head;
  const seen: number[] = Array.from({ length: READERS }, () => from);
  let wake = () => {};
  const reading = handles.map(async (log, index) => {
    await settled(log);
    for await (const batch of log.read(from, stop.signal)) {
      seen[index] = batch.at(-1)!.position;
      wake();
    }
  });
  const allSaw = async (position: number) => {
    while (seen.some((each) => each < position)) {
      const woken = Promise.withResolvers<void>();
      wake = woken.resolve;
      await woken.promise;
    }
  };
  const took: number[] = [];
  for (let n = 0; n < times; n++) {
    const startMs = performance.now();
    await driver.round(1);
    await allSaw(driver.head);
    // The first ones find readers that are not there yet.
    if (n >= times / 10) took.push(performance.now() - startMs);
  }
  stop.abort();
  await Promise.all(reading);
  await Promise.all(handles.map((log) => log.close()));
  return took;
}

/** Records a second that somebody gets who comes anew: from the first connection to the last record. */
async function replayRate(engine: Engine, head: Position): Promise<number> {
  const startMs = performance.now();
  const log = await engine.open('bench');
  const stop = new AbortController();
  try {
    await settled(log);
    for await (const batch of log.read(START, stop.signal)) if (batch.at(-1)!.position >= head) break;
    return (head * 1000) / (performance.now() - startMs);
  } finally {
    stop.abort();
    await log.close();
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

function perSecond(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en');
}
