import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MUTATIONS, type MutationName } from './mutations.ts';
import { simulate } from './simulation.ts';

/** Each mutation is looked for in so many lots of seeds, none of them in two lots. */
const LOTS = 5;
/** Seeds in a lot: within so many it is found, every time. */
const SEEDS = 60;

describe('a fault that is put into the program is found', () => {
  for (const name of Object.keys(MUTATIONS) as MutationName[])
    if (name !== 'none')
      it(name, { timeout: 120_000 }, async (t) => {
        const needed: number[] = [];
        for (let lot = 0; lot < LOTS; lot++) needed.push(await seedsUntilFound(name, 100_000 + lot * SEEDS));
        const average = needed.reduce((sum, each) => sum + each, 0) / LOTS;
        t.diagnostic(`found after ${needed.join(', ')} seeds: ${average.toFixed(1)} on average`);
      });
});

async function seedsUntilFound(name: MutationName, from: number): Promise<number> {
  for (let seed = from; seed < from + SEEDS; seed++)
    if ((await simulate(seed, name, { stacks: false })).problem !== undefined) return seed - from + 1;
  return assert.fail(`${name} is not found in the seeds ${from} to ${from + SEEDS - 1}`);
}
