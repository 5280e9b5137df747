/** One run: a cluster, its clients, its troubles, and the verdict. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/base/index.ts';
import { nodeState } from '../e2e/harness.ts';
import { auditLog, compareFolders } from './audit.ts';
import { Board } from './board.ts';
import { Client } from './client.ts';
import { FaultCluster, isInStep, unwrittenOf } from './cluster.ts';
import { killServers } from './failover.ts';
import { HAND_FOLDER } from './hand-edits.ts';
import { type FaultKind, Nemesis } from './nemesis.ts';
import type { NodeTrouble } from './node.ts';
import { Random } from './random.ts';
import { type Ending, progressLine, summary } from './report.ts';
import { watchServices } from './watch.ts';

export interface FaultRunOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly nodes: number;
  readonly clients: number;
  /** `embedded`, another engine that the run starts, or the URL of a log. */
  readonly log: string;
  readonly brokerStart?: string;
  readonly brokerKill?: string;
  readonly kinds?: readonly FaultKind[];
  readonly print: (line: string) => void;
}

/** Events that a healthy node never logs. */
const NEVER = new Set([
  ...['uncaught-error', 'request-failed', 'rest-failed', 'node-stopped', 'listener-failed'],
  ...['stop-timed-out', 'close-failed', 'ended', 'text'],
]);
const PROGRESS_MS = 5000;
const KILL_EVERY_MS = 20_000;
const IN_STEP_MS_MAX = 60_000;

/** @returns whether everything held */
export async function faultRun(options: FaultRunOptions): Promise<boolean> {
  const { seed, seconds, print } = options;
  const troubles: NodeTrouble[] = [];
  let heard = (trouble: NodeTrouble): void => void troubles.push(trouble);
  print(`seed ${seed}: ${options.nodes} nodes, ${options.clients} clients, ${seconds} s, log ${options.log}`);
  const cluster = await FaultCluster.start({
    ...options,
    diskMebibytes: 96 + Math.ceil(seconds / 4),
    onTrouble: (trouble) => heard(trouble),
  });
  const board = new Board(path.join(cluster.folder, 'history.jsonl'));
  heard = ({ node, event, text }) => {
    board.event(event);
    if (NEVER.has(event) || /unhandled/i.test(text)) board.violate(`node-${event}`, `${node}: ${text.slice(0, 2000)}`);
    if (event === 'tree-mended') judgeMending(node, text, board);
  };
  troubles.forEach(heard);

  const nemesis = new Nemesis({
    cluster,
    board,
    random: new Random(seed, 'nemesis'),
    pauseMsMax: seconds < 120 ? 2500 : 5000,
    lengthMsMax: seconds < 120 ? 3500 : 9000,
    kinds: options.kinds,
  });
  const ending: Ending = { seed, tookMs: 0, leftOut: leftOut(cluster) };
  try {
    const run = `f${seed.toString(36)}`;
    const clients = Array.from(
      { length: options.clients },
      (_, i) =>
        new Client({ index: i + 1, nodes: cluster.nodes, board, random: new Random(seed, `client ${i + 1}`), run }),
    );
    for (const client of clients) await client.prepare();
    await load({ cluster, board, nemesis, clients, options });
    ending.tookMs = board.nowMs;
    print(`mending, ${board.nowMs} ms after the beginning`);
    await nemesis.healAll();
    await inStep(cluster, board);
    await nemesis.edits.reloadAll(cluster.nodes);
    const end = await inStep(cluster, board);
    ending.position = end?.position;
    ending.digest = end?.digest;
    for (const client of clients) await client.readAll();
    await nemesis.edits.readAll(cluster.nodes.at(-1)!);
    await onDisk(cluster, board);
    await endAll(cluster);
    ending.files = compareFolders(cluster.nodes, board);
    const log = await cluster.engine.open?.();
    ending.records = log && (await auditLog(log, board));
    await log?.close();
  } catch (error) {
    board.violate('aborted', error instanceof Error ? (error.stack ?? error.message) : messageOf(error));
  }
  board.flush();
  const failed = board.violations.length > 0;
  await cluster.end(failed);
  if (failed) ending.folder = cluster.folder;
  print(summary(board, ending));
  return !failed;
}

/** A node that finds files of its own to be wrong has diverged, unless it was somebody with an editor. */
function judgeMending(node: string, line: string, board: Board): void {
  const { paths, position } = JSON.parse(line) as { paths: string[]; position: number };
  const wrong = paths.filter((each) => !each.startsWith(`${HAND_FOLDER}/`));
  if (wrong.length > 0)
    board.violate('diverged', `${node} found other files than the log says at ${position}: ${wrong}`);
}

/** Clients, faults and watching, until time is up or something is wrong. */
async function load(parts: {
  readonly cluster: FaultCluster;
  readonly board: Board;
  readonly nemesis: Nemesis;
  readonly clients: readonly Client[];
  readonly options: FaultRunOptions;
}): Promise<void> {
  const { cluster, board, nemesis, clients, options } = parts;
  const endMs = board.nowMs + options.seconds * 1000;
  const signal = AbortSignal.any([AbortSignal.timeout(options.seconds * 1000), board.failed]);
  const work = [
    ...clients.map((client) => client.run(signal)),
    nemesis.run(signal),
    ...(options.kinds?.includes('kill-server') === false
      ? []
      : [killServers({ engine: cluster.engine, board, everyMs: KILL_EVERY_MS, signal })]),
    watchServices({ cluster, board, random: new Random(options.seed, 'watch'), signal }),
  ];
  for (let done = 0; !signal.aborted; ) {
    await sleep(PROGRESS_MS, undefined, { signal }).catch(() => {});
    const perSecond = ((board.verdicts.done - done) * 1000) / PROGRESS_MS;
    done = board.verdicts.done;
    if (!signal.aborted) options.print(progressLine({ board, cluster, leftMs: endMs - board.nowMs, perSecond }));
  }
  await Promise.all(work);
}

/** Waits until all nodes are in step at one position, and checks that they hold the same there. */
async function inStep(cluster: FaultCluster, board: Board): Promise<{ position: number; digest: string } | undefined> {
  const { signal } = new AbortController();
  const late = await Promise.all(
    cluster.nodes.map(async (node) =>
      (await isInStep(node, { timeoutMs: IN_STEP_MS_MAX, signal })) ? undefined : node,
    ),
  );
  for (const node of late)
    if (node !== undefined)
      board.violate('not-recovered', `${node.name} is not in step ${IN_STEP_MS_MAX} ms after all was mended`);
  const deadline = performance.now() + IN_STEP_MS_MAX;
  for (;;) {
    const states = await Promise.all(cluster.nodes.map((node) => nodeState(node.url)));
    const [first] = states;
    const together = states.every((each) => each.position === first!.position);
    if (together && states.every((each) => each.digest === first!.digest)) return first;
    if (together) board.violate('diverged', `one position, several digests: ${JSON.stringify(states)}`);
    else if (performance.now() < deadline) {
      await sleep(100);
      continue;
    } else board.violate('not-recovered', `the nodes stay at several positions: ${JSON.stringify(states)}`);
    return undefined;
  }
}

/** Waits until every node's disk has everything that the node has applied: a node that caught up has much to write. */
async function onDisk(cluster: FaultCluster, board: Board): Promise<void> {
  const deadline = performance.now() + IN_STEP_MS_MAX;
  for (const node of cluster.nodes) {
    for (;;) {
      const unwritten = await unwrittenOf(node);
      if (unwritten === 0) break;
      if (performance.now() > deadline) {
        board.violate('not-recovered', `${node.name} has ${unwritten} records that are not on its disk`);
        return;
      }
      await sleep(100);
    }
  }
}

/** As an operator ends a cluster: the log last. Then everything is on disk. */
async function endAll(cluster: FaultCluster): Promise<void> {
  await Promise.all(cluster.followers.map((node) => node.terminate()));
  await cluster.holder?.terminate();
}

function leftOut(cluster: FaultCluster): string[] {
  const reasons: string[] = [];
  if (!cluster.hasSmallDisks) reasons.push('full disks (nothing can be mounted here)');
  if (cluster.holder === undefined) reasons.push('faults of the node that holds the log (servers do)');
  return reasons;
}
