/** What a run says while it goes on, and in the end. */
import type { Board } from './board.ts';
import type { FaultCluster } from './cluster.ts';
import { failoverTimes } from './failover.ts';

export function progressLine(parts: {
  board: Board;
  cluster: FaultCluster;
  leftMs: number;
  perSecond: number;
}): string {
  const { board, cluster, leftMs, perSecond } = parts;
  const { done, refused, unknown } = board.verdicts;
  const faults = [...board.faults.values()].reduce((sum, count) => sum + count, 0);
  const up = cluster.nodes.map((node) => (node.up ? node.name : '--')).join(' ');
  const left = `${Math.floor(leftMs / 60_000)}:${String(Math.floor(leftMs / 1000) % 60).padStart(2, '0')}`;
  return (
    `${left} left · ${done} changes acknowledged (${perSecond.toFixed(0)}/s), ${refused} refused, ${unknown} unanswered · ` +
    `${board.reads.checked} reads checked · ${faults} faults · up ${up}`
  );
}

/** How a run ended; filled in as far as it came. */
export interface Ending {
  readonly seed: number;
  tookMs: number;
  records?: number;
  files?: number;
  position?: number;
  digest?: string;
  readonly leftOut: readonly string[];
  folder?: string;
}

export function summary(board: Board, ending: Ending): string {
  const { done, refused, unknown, 'not-done': notDone } = board.verdicts;
  const seconds = ending.tookMs / 1000;
  const count = (...kinds: string[]) => board.violations.filter(({ kind }) => kinds.includes(kind)).length;
  const waits = [...board.longestWaitMs.values()].sort((a, b) => a - b);
  const lines = [
    `seed ${ending.seed}, ${seconds.toFixed(0)} s, last position ${ending.position ?? '?'}, digest ${ending.digest?.slice(0, 16) ?? '?'}`,
    `changes: ${done} acknowledged (${(done / seconds).toFixed(1)}/s), ${refused} refused, ${notDone} not taken by any node, ${unknown} without an answer`,
    `reads after writes: ${board.reads.checked} checked, ${board.reads.unanswered} without an answer (503, or a broken connection)`,
    `GetCapabilities: ${board.ogc.answered} answered 200, ${board.ogc.whileLogAway} of them by nodes that did not reach the log`,
    `faults: ${pairs(board.faults)}`,
    ...(ending.leftOut.length > 0 ? [`left out here: ${ending.leftOut.join('; ')}`] : []),
    `errors and mendings in the nodes' logs: ${pairs(board.events)}`,
    `longest time without a success, by client: median ${ms(middle(waits))}, most ${ms(waits.at(-1))}`,
    recoveryLine(board),
    ...(board.killsMs.length > 0 ? [failoverLine(board)] : []),
    `log: ${ending.records ?? 'not read'} records compared with the answers; ${ending.files ?? '?'} files byte by byte the same on all nodes`,
    `lost ${count('lost')}, done twice ${count('done-twice')}, stale reads ${count('stale-read')}, diverged ${count('diverged')}, other violations ${
      board.violations.length - count('lost', 'done-twice', 'stale-read', 'diverged')
    }`,
  ];
  for (const { kind, text, atMs } of board.violations.slice(0, 10))
    lines.push(`VIOLATION ${kind} at ${atMs} ms: ${text}`);
  if (board.violations.length > 0 && ending.folder !== undefined)
    lines.push(`everything is kept in ${ending.folder}; again: npm run faults -- --seed ${ending.seed}`);
  return lines.join('\n');
}

/** Times from the end of a fault until its node read the newest state, while the log was there. */
function recoveryLine(board: Board): string {
  const byFault = new Map<string, number[]>();
  for (const { fault, tookMs } of board.recoveries) byFault.set(fault, [...(byFault.get(fault) ?? []), tookMs]);
  const all = board.recoveries.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const each = [...byFault].map(
    ([fault, times]) => `${fault} ${ms(middle(times.sort((a, b) => a - b)))}/${ms(times.at(-1))}`,
  );
  return `recovery (${all.length} with the log there): median ${ms(middle(all))}, most ${ms(all.at(-1))}; by fault, median/most: ${each.sort().join(', ')}`;
}

function failoverLine(board: Board): string {
  const { byClient, first } = failoverTimes(board);
  return (
    `failovers: a server was killed ${board.killsMs.length} times; until the next change was acknowledged, by client: ` +
    `median ${ms(middle(byClient))}, most ${ms(byClient.at(-1))}; to whichever client was first: median ${ms(middle(first))}, most ${ms(first.at(-1))}`
  );
}

function middle(sorted: readonly number[]): number | undefined {
  return sorted[sorted.length >> 1];
}

function ms(value: number | undefined): string {
  if (value === undefined) return '-';
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

function pairs(counts: ReadonlyMap<string, number>): string {
  return (
    [...counts]
      .map(([name, count]) => `${name} ${count}`)
      .sort()
      .join(', ') || 'none'
  );
}
