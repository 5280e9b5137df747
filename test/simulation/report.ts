import { inspect } from 'node:util';
import type { MutationName } from './mutations.ts';
import type { Outcome } from './simulation.ts';

/** A failure for people: what went wrong, the last events, and how to see it again. */
export function report({ seed, problem, trace }: Outcome, mutation: MutationName = 'none'): string {
  const again = `npm run simulate -- --seeds 1 --from ${seed}${mutation === 'none' ? '' : ` --mutation ${mutation}`}`;
  return [`seed ${seed} failed:`, inspect(problem, { depth: 4 }), '', ...trace, '', `again: ${again}`].join('\n');
}
