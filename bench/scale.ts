/**
 * What do 10,000 and 100,000 layers cost: the start of a node, cold and with its caches; memory; a change at each size; a new
 * node that takes the state from the cluster; and how fast does a node catch up that missed 100,000 changes? CPU time is
 * printed beside the time on the clock, for it depends less on what else the machine does. Not asked here: maps.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { silentLogger, systemClock } from '../src/base/index.ts';
import { openNode } from '../src/cluster/index.ts';
import { openEmbeddedLog } from '../src/log/index.ts';
import { makeDirectory } from './directory.ts';
import {
  cpuMs,
  type GraticuleNode,
  type Program,
  residentBytes,
  startNode,
  temporaryFolder,
  until,
} from './processes.ts';
import { type ReplicationSize, replication, send } from './replication.ts';
import { ms, rate, summary, table } from './statistics.ts';

export interface ScaleSize {
  /** Layers of each directory. */
  readonly layers: readonly number[];
  /** Changes of each kind for a latency. */
  readonly writes: number;
  /** Changes that a node missed. */
  readonly changes: number;
  readonly propagation: ReplicationSize;
}

const SECRET = 'a secret for this benchmark only';
const START_MS_MAX = 600_000;
/** Below so many files the caches are not worth writing, and are not. */
const CACHED_FILES_MIN = 1000;

type Row = [what: string, ...figures: string[]];

const started = (node: GraticuleNode): string[] => [ms(node.liveMs), ms(node.readyMs), ms(cpuMs(node))];

/** The facts of the last such event in a node's log. */
function lastEvent(program: Program, event: string): Record<string, number> {
  for (const line of readFileSync(program.logFile, 'utf8').trimEnd().split('\n').reverse())
    if (line.includes(`"${event}"`)) return JSON.parse(line) as Record<string, number>;
  throw new Error(`${program.logFile} does not tell of ${event}`);
}

function request(node: GraticuleNode, wanted: number) {
  return async (method: string, resource: string, body?: string) => {
    const status = await send(node, method, resource, body);
    if (status !== wanted) throw new Error(`${method} ${resource} answered ${status}`);
  };
}

/** Latency of some kinds of changes, one at a time. */
async function changes(node: GraticuleNode, layers: number, writes: number): Promise<Row[]> {
  const [made, done] = [request(node, 201), request(node, 200)];
  const kinds: readonly [string, (i: number) => Promise<void>][] = [
    ['create a workspace', (i) => made('POST', '/workspaces', `<workspace><name>new${i}</name></workspace>`)],
    [
      'change a layer',
      (i) => done('PUT', `/layers/survey0:sheet_${i % layers}`, `<layer><opaque>${i < layers}</opaque></layer>`),
    ],
    [
      'change a feature type',
      (i) => {
        const n = i % Math.min(layers, 1000);
        const resource = `/workspaces/survey0/datastores/store0/featuretypes/sheet_${n}`;
        return done('PUT', resource, `<featureType><title>Title ${i}</title></featureType>`);
      },
    ],
    [
      'create a style',
      (i) => made('POST', '/styles', `<style><name>s${i}</name><filename>s${i}.sld</filename></style>`),
    ],
    ['delete a style', (i) => done('DELETE', `/styles/s${i}`)],
    ['delete a workspace', (i) => done('DELETE', `/workspaces/new${i}`)],
  ];
  const rows: Row[] = [];
  for (const [what, run] of kinds) {
    const times: number[] = [];
    const cpu = cpuMs(node);
    for (let i = 0; i < writes; i++) {
      const begin = performance.now();
      await run(i);
      times.push(performance.now() - begin);
    }
    const { p50, p99 } = summary(times);
    rows.push([`${what}, ${layers} layers`, ms(p50), ms(p99), ms((cpuMs(node) - cpu) / writes)]);
  }
  const cpu = cpuMs(node);
  const begin = performance.now();
  await done('PUT', '/workspaces/survey0', '<workspace><name>renamed</name></workspace>');
  const took = performance.now() - begin;
  const what = `rename a workspace of ${Math.min(layers, 10_000)}, ${layers} layers`;
  rows.push([what, ms(took), ms(took), ms(cpuMs(node) - cpu)]);
  return rows;
}

/** The caches are written a while after the files were changed: a start trusts no file that was changed just now. */
async function cached(program: Program, cluster: string, files: number): Promise<void> {
  if (files < CACHED_FILES_MIN) return;
  const hashes = path.join(cluster, 'cache/hashes');
  const whole = async () =>
    existsSync(path.join(cluster, 'cache/catalog')) && existsSync(hashes) && statSync(hashes).size > files * 60;
  await until(whole, program, 'the cache', START_MS_MAX);
}

/** The files of a snapshot are written behind. */
async function onDisk(program: Program, stateFile: string): Promise<void> {
  const written = async () => {
    const state = JSON.parse(readFileSync(stateFile, 'utf8')) as {
      position: number;
      restoring?: true;
      writing?: object;
    };
    return state.position > 0 && !state.restoring && state.writing === undefined;
  };
  await until(written, program, 'the files on disk', START_MS_MAX);
}

async function measureSize(layers: number, size: ScaleSize): Promise<{ starts: Row[]; writes: Row[]; joins: Row[] }> {
  const temporary = temporaryFolder();
  const folder = temporary.path;
  const starts: Row[] = [];
  const joins: Row[] = [];
  const running: GraticuleNode[] = [];
  const startA = async () => {
    const node = await startNode({ folder, name: 'a', secret: SECRET, withinMs: START_MS_MAX });
    running.push(node);
    return node;
  };
  try {
    const { files, hash } = makeDirectory(path.join(folder, 'a'), layers);
    console.log(`${layers} layers: ${files} files, ${hash}`);
    const first = await startA();
    starts.push([`${layers} layers: first start, publishing the log's first snapshot`, ...started(first), '']);
    await cached(first, path.join(folder, 'a/cluster'), files);
    await first.stop();

    rmSync(path.join(folder, 'a/cluster/cache'), { recursive: true, force: true });
    const cold = await startA();
    starts.push([`${layers} layers: start without caches`, ...started(cold), '']);
    await cached(cold, path.join(folder, 'a/cluster'), files);
    await cold.stop();

    const warm = await startA();
    const { scanMs, catalogMs } = lastEvent(warm, 'directory-read');
    const memory = `${((residentBytes(warm) - baseBytes) / 1024 / layers).toFixed(1)} KB a layer`;
    starts.push([`${layers} layers: start with caches`, ...started(warm), memory]);
    starts.push([`    of that, files ${scanMs} ms, catalog ${catalogMs} ms`, '', '', '', '']);

    mkdirSync(path.join(folder, 'b'));
    const log = `ws://127.0.0.1:${warm.port}`;
    const begin = performance.now();
    const b = await startNode({ folder, name: 'b', role: 'replica', secret: SECRET, log, withinMs: START_MS_MAX });
    running.push(b);
    joins.push([`${layers} layers: a new, empty node joins`, ...started(b)]);
    const { restoreMs, catalogMs: indexMs } = lastEvent(b, 'snapshot-taken');
    joins.push([`    of that, transfer, unpacking and parsing ${restoreMs} ms, catalog ${indexMs} ms`, '', '', '']);
    await onDisk(b, path.join(folder, 'b/cluster/state.json'));
    joins.push(['    and all files on disk', '', ms(performance.now() - begin), ms(cpuMs(b))]);
    const writes = await changes(warm, layers, size.writes);
    return { starts, writes, joins };
  } finally {
    for (const node of running.reverse()) await node.stop();
    temporary.remove();
  }
}

/** Memory of a node without layers, set by the first measurement. */
let baseBytes = 0;

async function measureBase(): Promise<void> {
  const temporary = temporaryFolder();
  mkdirSync(path.join(temporary.path, 'a'));
  const node = await startNode({ folder: temporary.path, name: 'a', secret: SECRET });
  baseBytes = residentBytes(node);
  await node.stop();
  temporary.remove();
}

const CATCH_UP_LAYERS = 1000;
const WRITERS = 256;

/** Node B was in step, and is down while so many changes are made in groups; how long until it is in step again? */
async function catchUp(size: ScaleSize): Promise<Row[]> {
  const temporary = temporaryFolder();
  const folder = temporary.path;
  const running: GraticuleNode[] = [];
  const startNamed = async (name: string, log?: string) => {
    const role = name === 'a' ? 'both' : 'replica';
    const node = await startNode({ folder, name, role, secret: SECRET, log, withinMs: START_MS_MAX });
    running.push(node);
    return node;
  };
  try {
    makeDirectory(path.join(folder, 'a'), Math.min(CATCH_UP_LAYERS, size.changes));
    mkdirSync(path.join(folder, 'b'));
    const a = await startNamed('a');
    const b = await startNamed('b', `ws://127.0.0.1:${a.port}`);
    await b.stop();
    await a.stop();

    const made = await makeChanges(path.join(folder, 'a'), size.changes);
    const again = await startNamed('a');
    const behind = await startNamed('b', `ws://127.0.0.1:${again.port}`);
    const report = async () => {
      const answer = await fetch(`${behind.url}/health/ready`);
      return (await answer.json()) as { state: string; position: number };
    };
    const begin = performance.now();
    await until(
      async () => {
        const { state, position } = await report();
        return state === 'in-step' && position >= made.position;
      },
      behind,
      'node b',
      START_MS_MAX,
    );
    const inStepMs = behind.readyMs + performance.now() - begin;
    const cpu = cpuMs(behind);
    const written = path.join(folder, 'b/cluster/state.json');
    const isWritten = async () =>
      (JSON.parse(readFileSync(written, 'utf8')) as { position: number }).position >= made.position;
    await until(isWritten, behind, 'the files of b', START_MS_MAX);
    const onDiskMs = behind.readyMs + performance.now() - begin;
    const perSecond = (time: number) => rate((size.changes / time) * 1000);
    return [
      [
        `making ${size.changes} changes, ${WRITERS} at a time, ${made.records} records`,
        ms(made.tookMs),
        perSecond(made.tookMs),
        '',
      ],
      [
        `catching up over ${size.changes} changes, from the start of the process`,
        ms(inStepMs),
        perSecond(inStepMs),
        ms(cpu),
      ],
      ['    and all files on disk', ms(onDiskMs), perSecond(onDiskMs), ms(cpuMs(behind))],
    ];
  } finally {
    for (const node of running.reverse()) await node.stop();
    temporary.remove();
  }
}

/** Changes titles of feature types in a directory, in this process, as one node would. */
async function makeChanges(
  dataDir: string,
  count: number,
): Promise<{ position: number; records: number; tookMs: number }> {
  const log = await openEmbeddedLog({ folder: path.join(dataDir, 'cluster/log') });
  const node = await openNode({
    dataDir,
    name: 'a',
    url: 'http://127.0.0.1/geoserver',
    role: 'both',
    version: '0',
    log,
    logUrl: 'embedded:',
    clock: systemClock,
    random: Math.random,
    logger: silentLogger,
  });
  const from = node.position;
  const paths = Array.from(node.catalog.layers(), (layer) => node.catalog.resourceOf(layer)!.path);
  const begin = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      for (let n = next++; n < count; n = next++)
        await node.write({
          origin: { by: 'bench', why: 'PUT' },
          evaluate(draft) {
            const file = paths[n % paths.length]!;
            const text = Buffer.from(draft.read(file)!).toString();
            draft.put(file, Buffer.from(text.replace(/<title>.*<\/title>/, `<title>Change ${n}</title>`)));
          },
        });
    }),
  );
  const tookMs = performance.now() - begin;
  const { position } = node;
  await node.close();
  await log.close();
  return { position, records: position - from, tookMs };
}

export async function scale(size: ScaleSize): Promise<void> {
  console.log('\nScale: one node with many layers, three files each\n');
  await measureBase();
  const measured: Awaited<ReturnType<typeof measureSize>>[] = [];
  for (const layers of size.layers) measured.push(await measureSize(layers, size));
  console.log();
  const starts = measured.flatMap((each) => each.starts);
  table(['', 'first answer', 'ready', 'CPU', 'memory'], starts);
  console.log();
  table(
    ['', 'first answer', 'in step', 'CPU'],
    measured.flatMap(({ joins }) => joins),
  );
  console.log();
  table(
    ['one change by REST', 'p50', 'p99', 'CPU each'],
    measured.flatMap(({ writes }) => writes),
  );
  console.log();
  table(['', 'time', 'changes', 'CPU'], await catchUp(size));
  await replication(size.propagation);
}
