import { setTimeout } from 'node:timers/promises';
import { UserError } from '../base/index.ts';
import type { Overview } from '../server/index.ts';
import { URL_OPTION } from './connection.ts';
import type { OptionTable } from './options.ts';
import { styled, table } from './text.ts';

export interface StatusOptions {
  readonly url: string;
  readonly json?: boolean;
  readonly watch?: boolean;
}

export const STATUS_OPTIONS: OptionTable = {
  url: URL_OPTION,
  json: { flags: '--json', description: 'print JSON' },
  watch: {
    flags: '-w, --watch',
    description: 'go on until interrupted: a table that follows the cluster, or a JSON line a second',
  },
};

export interface ClusterReport {
  readonly nodes: Overview['nodes'];
  /** Nodes at the same position hold the same files: `differ` must never be. `catching-up`: not all are at one position yet. */
  readonly trees: 'equal' | 'catching-up' | 'differ';
}

/** Prints every node of a cluster, and whether their trees are equal. The exit code is 2 when they are not. */
export async function status(options: StatusOptions): Promise<void> {
  if (options.watch) return watch(options);
  const report = await clusterReport(options.url);
  console.log(options.json ? JSON.stringify(report, undefined, 2) : statusText(report));
  process.exitCode = report.trees === 'differ' ? 2 : 0;
}

async function watch(options: StatusOptions): Promise<void> {
  // The first look may fail: then the URL is wrong. Later, nodes come and go.
  let report = await clusterReport(options.url);
  for (;;) {
    if (options.json) console.log(JSON.stringify({ at: new Date().toISOString(), ...report }));
    else if (process.stdout.isTTY) process.stdout.write(`${CLEAR_SCREEN}${statusText(report)}\n`);
    else console.log(`${new Date().toISOString()}\n${statusText(report)}\n`);
    await setTimeout(WATCH_MS);
    report = await reportAfter(report, options.url);
  }
}

/** The report of the first node that answers; without any, the last one, with everybody unreachable. */
async function reportAfter(last: ClusterReport, url: string): Promise<ClusterReport> {
  for (const one of new Set([url, ...last.nodes.map((node) => node.url)])) {
    try {
      return await clusterReport(one);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
    }
  }
  return { ...last, nodes: last.nodes.map((node) => ({ ...node, state: 'unreachable' })) };
}

function statusText(report: ClusterReport): string {
  const reasons = report.nodes.flatMap(({ name, reason }) =>
    reason ? [`  ${styled('yellow', name)}: ${reason}`] : [],
  );
  return [statusTable(report.nodes), '', ...reasons, ...(reasons.length > 0 ? [''] : []), `  ${verdict(report)}`].join(
    '\n',
  );
}

/**
 * Asks one node who is there, then each node how it is: what nodes know of each other is as old as their last heartbeat.
 *
 * @throws UserError  the node does not answer
 */
export async function clusterReport(url: string): Promise<ClusterReport> {
  let known: Overview;
  try {
    known = await fetchOverview(url);
  } catch (cause) {
    const reason = cause instanceof AnswerError ? cause.message : 'it does not answer; --url names another node';
    throw new UserError(400, 'no-answer', `${url}: ${reason}`, { cause });
  }
  const nodes = await Promise.all(
    known.nodes.map(async (heard) => {
      try {
        const own = heard.name === known.node ? known : await fetchOverview(heard.url);
        return own.nodes.find((node) => node.name === heard.name) ?? heard;
      } catch {
        return { ...heard, state: 'unreachable' };
      }
    }),
  );
  const head = Math.max(...nodes.map((node) => node.position));
  return {
    nodes: nodes.map((node) => ({ ...node, lag: head - node.position })),
    trees: compareTrees(nodes.filter((node) => node.state !== 'unreachable')),
  };
}

/** The node answers, but not with what was asked for. */
class AnswerError extends Error {}

async function fetchOverview(url: string): Promise<Overview> {
  const answer = await fetch(`${url}/cluster/overview.json`, { signal: AbortSignal.timeout(ANSWER_MS) });
  if (!answer.ok) throw new AnswerError(`it answered ${answer.status}: ${(await answer.text()).trim().slice(0, 200)}`);
  return (await answer.json()) as Overview;
}

const ANSWER_MS = 5_000;
const WATCH_MS = 1_000;
export const CLEAR_SCREEN = '\u001b[H\u001b[2J';

export function compareTrees(nodes: Overview['nodes']): ClusterReport['trees'] {
  // Without a digest: it replays records after a crash.
  const whole = nodes.filter((node) => node.digest !== '');
  for (const same of Map.groupBy(whole, (node) => node.position).values())
    if (new Set(same.map((node) => node.digest)).size > 1) return 'differ';
  return whole.length < nodes.length || new Set(nodes.map((node) => node.position)).size > 1 ? 'catching-up' : 'equal';
}

export function statusTable(nodes: Overview['nodes']): string {
  return table([
    ['NODE', 'ROLE', 'STATE', 'SINCE', 'POSITION', 'LAG', 'DIGEST', 'VERSION', 'URL'],
    ...nodes.map((node) => [
      styled('bold', node.name),
      node.readOnly ? `${node.role}, read-only` : node.role,
      coloredState(node.state),
      ageOf(node.since),
      String(node.position),
      node.lag === 0 ? '0' : `${node.lag} (${Math.round(node.lagSeconds)} s)`,
      node.digest.slice(0, 12),
      node.version,
      node.url,
    ]),
  ]);
}

/** How long ago, roughly: `4 s`, `12 min`, `3 h`, `2 d`. */
export function ageOf(iso: string): string {
  const seconds = Math.max(0, (Date.now() - Date.parse(iso)) / 1000);
  if (Number.isNaN(seconds)) return '';
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return seconds < 48 * 3600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

export function coloredState(state: string): string {
  return styled(
    state === 'in-step' ? 'green' : state === 'stopped' || state === 'unreachable' ? 'red' : 'yellow',
    state,
  );
}

function verdict({ nodes, trees }: ClusterReport): string {
  switch (trees) {
    case 'equal':
      return nodes.length === 1 ? 'One node.' : styled('green', `All ${nodes.length} nodes hold identical files.`);
    case 'catching-up':
      return styled('yellow', 'Some nodes are still catching up; those at the same position hold identical files.');
    case 'differ':
      return styled(
        'red',
        'Nodes at the same position hold DIFFERENT files; the logs of the nodes say what they do about it.',
      );
  }
}
