import type { Position } from '../../tree/index.ts';
import { isAccepted } from './chain.ts';
import type { Proposal, Verdict } from './entries.ts';

/** What has become of a proposal. */
export type Outcome =
  | { readonly kind: 'appended'; readonly position: Position }
  | { readonly kind: 'head-moved'; readonly head: Position };

/** What a decision depends on; a function of what the topic has carried. */
export interface Standpoint {
  readonly head: Position;
  /** The latest proposals by id, oldest first. */
  readonly recent: ReadonlyMap<string, Outcome>;
}

/** So many proposals are remembered: one that comes a second time, because its sender could not know, gets the same verdict. */
export const RECENT_MAX = 2000;

/**
 * Decides about proposals, in their order: a record is accepted when it is to follow the last one.
 *
 * @returns a verdict for each, the head after them, and what is to be remembered
 */
export function decide(
  from: Standpoint,
  proposals: readonly Extract<Proposal, { readonly kind: 'append' }>[],
): { readonly verdicts: readonly Verdict[]; readonly head: Position; readonly decided: ReadonlyMap<string, Outcome> } {
  const verdicts: Verdict[] = [];
  const decided = new Map<string, Outcome>();
  let head = from.head;
  for (const { id, after, bytes } of proposals) {
    const known = decided.get(id) ?? from.recent.get(id);
    if (known?.kind === 'appended') verdicts.push({ id, position: known.position });
    else if (known !== undefined) verdicts.push({ id, head: known.head });
    else if (after === head) {
      head = (head + 1) as Position;
      verdicts.push({ id, bytes });
      decided.set(id, { kind: 'appended', position: head });
    } else {
      verdicts.push({ id, head });
      decided.set(id, { kind: 'head-moved', head });
    }
  }
  return { verdicts, head, decided };
}

/** Puts appends into the order of the places that they are for; what is none stays where it is. */
export function sortAppends<T extends { readonly proposal: Proposal }>(queue: T[]): void {
  type Append = T & { readonly proposal: Extract<Proposal, { readonly kind: 'append' }> };
  const isAppend = (each: T): each is Append => each.proposal.kind === 'append';
  const sorted = queue
    .filter(isAppend)
    .sort((a, b) => a.proposal.after - b.proposal.after)
    .values();
  for (const [n, each] of queue.entries()) if (isAppend(each)) queue[n] = sorted.next().value!;
}

/** What the verdicts of a batch mean, in their order. */
export function* outcomesOf(first: Position, verdicts: readonly Verdict[]): IterableIterator<[string, Outcome]> {
  let position = first;
  for (const verdict of verdicts)
    if (isAccepted(verdict)) {
      yield [verdict.id, { kind: 'appended', position }];
      position = (position + 1) as Position;
    } else if ('position' in verdict) yield [verdict.id, { kind: 'appended', position: verdict.position }];
    else yield [verdict.id, { kind: 'head-moved', head: verdict.head }];
}

/** Adds what has been decided to what is remembered, which is bounded: the oldest goes. */
export function remember(recent: Map<string, Outcome>, decided: Iterable<readonly [string, Outcome]>): void {
  for (const [id, outcome] of decided) recent.set(id, outcome);
  for (const id of recent.keys()) {
    if (recent.size <= RECENT_MAX) return;
    recent.delete(id);
  }
}
