import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { report } from './report.ts';
import { simulate } from './simulation.ts';

const SEEDS = 60;
/** Seeds that are run twice. */
const REPLAYED = 4;

describe('simulated clusters', () => {
  const hashes = new Map<number, string>();

  it(`keep their promises in ${SEEDS} schedules`, { timeout: 120_000 }, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = await simulate(seed);
      if (outcome.problem !== undefined) assert.fail(report(outcome));
      hashes.set(seed, outcome.hash);
    }
  });

  it('do the same again when the seed is the same', async () => {
    for (let seed = 1; seed <= REPLAYED; seed++) assert.equal((await simulate(seed)).hash, hashes.get(seed));
    assert.equal(new Set(hashes.values()).size, hashes.size, 'other seeds are other schedules');
  });
});
