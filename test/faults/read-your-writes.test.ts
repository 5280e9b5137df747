/** What was written on one node is read on any other; `npm run faults -- --read-your-writes 10000` does it for longer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readYourWrites } from './read-your-writes.ts';

test('500 times, over all ordered pairs of five nodes, none misses', async (t) => {
  const print = (line: string) => t.diagnostic(line);
  assert.ok(await readYourWrites({ pairs: 500, nodes: 5, log: 'embedded', print }));
});
