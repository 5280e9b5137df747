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
 * @returns a verdict for each, and how things stand after them
 */
export function decide(
  from: Standpoint,
  proposals: readonly Extract<Proposal, { readonly kind: 'append' }>[],
): { readonly verdicts: readonly Verdict[]; readonly next: Standpoint } {
  const verdicts: Verdict[] = [];
  const recent = new Map(from.recent);
  let head = from.head;
  for (const { id, after, bytes } of proposals) {
    const known = recent.get(id);
    if (known?.kind === 'appended') verdicts.push({ id, position: known.position });
    else if (known !== undefined) verdicts.push({ id, head: known.head });
    else if (after === head) {
      head = (head + 1) as Position;
      verdicts.push({ id, bytes });
      recent.set(id, { kind: 'appended', position: head });
    } else {
      verdicts.push({ id, head });
      recent.set(id, { kind: 'head-moved', head });
    }
  }
  forgetOldest(recent);
  return { verdicts, next: { head, recent } };
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

export function forgetOldest(recent: Map<string, Outcome>): void {
  for (const id of recent.keys()) {
    if (recent.size <= RECENT_MAX) return;
    recent.delete(id);
  }
}
