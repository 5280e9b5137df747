import { UserError } from '../base/index.ts';
import type { Overview } from '../server/index.ts';
import { type OptionTable, parseBaseUrl } from './options.ts';
import { styled, table } from './text.ts';

export interface StatusOptions {
  readonly url: string;
  readonly json?: boolean;
}

export const STATUS_OPTIONS: OptionTable = {
  url: {
    flags: '--url <url>',
    env: 'GRATICULE_URL',
    description: 'base URL of any node of the cluster',
    default: 'http://localhost:8080/geoserver',
    parse: parseBaseUrl,
  },
  json: { flags: '--json', description: 'print JSON' },
};

export interface ClusterReport {
  readonly nodes: Overview['nodes'];
  /** Nodes at the same position hold the same files: `differ` must never be. `catching-up`: not all are at one position yet. */
  readonly trees: 'equal' | 'catching-up' | 'differ';
}

/** Prints every node of a cluster, and whether their trees are equal. */
export async function status(options: StatusOptions): Promise<void> {
  const report = await clusterReport(options.url);
  if (options.json) console.log(JSON.stringify(report, undefined, 2));
  else console.log(`${statusTable(report.nodes)}\n\n  ${verdict(report)}`);
  if (report.trees === 'differ') process.exitCode = 2;
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

export function compareTrees(nodes: Overview['nodes']): ClusterReport['trees'] {
  for (const same of Map.groupBy(nodes, (node) => node.position).values())
    if (new Set(same.map((node) => node.digest)).size > 1) return 'differ';
  return new Set(nodes.map((node) => node.position)).size > 1 ? 'catching-up' : 'equal';
}

export function statusTable(nodes: Overview['nodes']): string {
  return table([
    ['NODE', 'ROLE', 'STATE', 'POSITION', 'LAG', 'DIGEST', 'URL'],
    ...nodes.map((node) => [
      styled('bold', node.name),
      node.role,
      colored(node.state),
      String(node.position),
      String(node.lag),
      node.digest.slice(0, 12),
      node.url,
    ]),
  ]);
}

function colored(state: string): string {
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
