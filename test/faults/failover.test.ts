/** Times of failovers, from what clients were told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failoverTimes } from './failover.ts';
import type { Operation } from './ledger.ts';

const operation = (client: string, verdict: Operation['verdict'], startedMs: number, endedMs: number): Operation => ({
  ...{
    client,
    verdict,
    id: '',
    what: '',
    request: '',
    trace: '',
    key: undefined,
    leaves: undefined,
    after: 0,
    startedMs,
  },
  attempts: [{ node: 'N1', startedMs, endedMs, answer: '' }],
});

test('the time of a failover is that of the first change that was asked for after the kill, and acknowledged', () => {
  const operations = [
    // Under way when the server was killed: it may have been written before.
    operation('a', 'done', 990, 1010),
    operation('a', 'unknown', 1020, 1100),
    operation('a', 'done', 1100, 1500),
    operation('a', 'done', 1500, 1510),
    operation('b', 'done', 1300, 1700),
    operation('c', 'done', 1200, 3100),
    operation('a', 'done', 3010, 3020),
  ];
  assert.deepEqual(failoverTimes({ killsMs: [1000, 3000], operations }), {
    byClient: [20, 500, 700],
    first: [20, 500],
  });
  assert.deepEqual(failoverTimes({ killsMs: [], operations }), { byClient: [], first: [] });
});
