import type { GroupNode, GroupStatus } from './api.ts';

/** What is shown of a node in one word: what it says of itself, or what the broker sees. */
export function stateOf({ connected, status }: GroupNode): string {
  if (!connected) return 'gone';
  return status?.state ?? 'connected';
}

/** Something about a group that somebody should look at. */
export interface Concern {
  readonly text: string;
  readonly color: string;
  /** The higher, the sooner. */
  readonly urgency: number;
}

/** The most urgent first; none is good. */
export function concernsOf({ paused, nodes }: GroupStatus): readonly Concern[] {
  const count = (state: string) => nodes.filter((node) => stateOf(node) === state).length;
  return [
    { text: 'stopped', count: count('stopped'), color: 'red', urgency: 4 },
    { text: 'stale', count: count('stale'), color: 'orange', urgency: 3 },
    { text: 'paused', count: paused ? 1 : 0, color: 'orange', urgency: 2 },
    { text: 'behind', count: count('behind'), color: 'yellow', urgency: 1 },
  ]
    .filter((each) => each.count > 0)
    .map(({ text, count, ...concern }) => ({ ...concern, text: text === 'paused' ? text : `${count} ${text}` }));
}

export function urgencyOf(concerns: readonly Concern[]): number {
  return concerns[0]?.urgency ?? 0;
}

/** Records that the slowest connected node is behind. */
export function slowestLag(nodes: readonly GroupNode[]): number {
  return Math.max(0, ...nodes.map((node) => (node.connected ? (node.lag ?? 0) : 0)));
}
