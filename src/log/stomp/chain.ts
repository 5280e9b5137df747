import type { Position } from '../../tree/index.ts';
import type { Entry, Verdict } from './entries.ts';

/** Where a log stands: who decides (each has a number, one more than the one before), and the position of the last record. */
export interface ChainState {
  readonly epoch: number;
  readonly head: Position;
  /** The head that the epoch began with, where that is known. */
  readonly since?: Position;
}

/** An entry that says where the log stood before it, and stands after it. */
export type ChainEntry = Extract<Entry, { readonly kind: 'batch' | 'marker' | 'skip' | 'standing' }>;

/**
 * What an entry means to who stands somewhere: `next`, to be applied now; `past`, known already; `ahead`, something before it is
 * missing; `contrary`, it cannot belong to the same log.
 */
export type Place = 'next' | 'past' | 'ahead' | 'contrary';

export function isChainEntry(entry: Entry): entry is ChainEntry {
  return entry.kind !== 'barrier' && entry.kind !== 'trim' && entry.kind !== 'remove';
}

/** Where the log has to stand for an entry to be next. */
export function before(entry: ChainEntry): ChainState {
  if (entry.kind === 'batch') return { epoch: entry.epoch, head: (entry.first - 1) as Position };
  if (entry.kind === 'marker') return { epoch: entry.epoch - 1, head: entry.head };
  return { epoch: entry.epoch, head: entry.head };
}

/** Where the log stands after an entry. */
export function after(entry: ChainEntry): ChainState {
  const { epoch } = entry;
  if (entry.kind === 'batch') return { epoch, head: lastOf(entry) };
  return { epoch, head: entry.kind === 'skip' ? entry.to : entry.head };
}

/**
 * The rule that makes one log of what a node reads, however often and in whatever order it comes: epochs and positions only grow,
 * and each entry names those that it follows.
 */
export function placeOf(state: ChainState, entry: ChainEntry): Place {
  const [from, to] = [before(entry), after(entry)];
  if (to.epoch < state.epoch || (entry.kind === 'marker' && to.epoch === state.epoch))
    // What an earlier one decided was all known when the next one took over.
    return to.head > (state.since ?? state.head) ? 'contrary' : 'past';
  // A batch may be known up to its middle, after a crash.
  if (from.epoch === state.epoch && entry.kind === 'batch')
    return to.head <= state.head ? 'past' : from.head <= state.head ? 'next' : 'ahead';
  if (from.epoch === state.epoch && entry.kind === 'skip' && to.head <= state.head) return 'past';
  if (from.epoch === state.epoch && from.head === state.head) return entry.kind === 'standing' ? 'past' : 'next';
  if (entry.kind === 'standing' && from.epoch === state.epoch) return from.head < state.head ? 'past' : 'ahead';
  return from.head < state.head ? 'contrary' : 'ahead';
}

/** Whether one stands before the other. */
export function isBefore(one: ChainState, other: ChainState): boolean {
  return one.epoch < other.epoch || (one.epoch === other.epoch && one.head < other.head);
}

/** The records that a batch adds. @param body  bytes of the batch, one record after the other */
export function* recordsOf(
  entry: Extract<ChainEntry, { readonly kind: 'batch' }>,
  body: Uint8Array,
): IterableIterator<{ readonly id: string; readonly position: Position; readonly body: Uint8Array }> {
  let [position, at] = [entry.first, 0];
  for (const verdict of entry.verdicts) {
    if (!isAccepted(verdict)) continue;
    yield { id: verdict.id, position, body: body.subarray(at, at + verdict.bytes) };
    position = (position + 1) as Position;
    at += verdict.bytes;
  }
}

export function isAccepted(verdict: Verdict): verdict is Extract<Verdict, { readonly bytes: number }> {
  return 'bytes' in verdict;
}

function lastOf({ first, verdicts }: Extract<ChainEntry, { readonly kind: 'batch' }>): Position {
  return (first - 1 + verdicts.filter(isAccepted).length) as Position;
}
