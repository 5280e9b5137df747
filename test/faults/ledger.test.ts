/** The bookkeeping of the fault tests notices what is lost, stale, or done twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Knowledge, type Mark, type Operation, type Verdict } from './ledger.ts';

let count = 0;
function operation(leaves: Mark, verdict: Verdict): Operation {
  const id = `k0x${++count}z`;
  const request = 'PUT /x';
  const what = 'changes';
  return {
    client: 'k0',
    id,
    what,
    request,
    trace: id,
    key: undefined,
    leaves,
    attempts: [],
    startedMs: 0,
    after: 0,
    verdict,
  };
}

test('what was answered must be read, and nothing older', () => {
  const known = new Knowledge();
  assert.ok(known.observe(undefined));
  known.take(operation('one', 'done'));
  assert.ok(known.observe('one'));
  known.take(operation('two', 'done'));
  assert.ok(!known.observe('one'), 'an old answer');
  assert.ok(!known.observe(undefined), 'lost');
  known.take(operation(undefined, 'done'));
  assert.ok(!known.observe('two'), 'deleted, and there again');
  assert.ok(!known.allows('present'));
});

test('what was refused is not there', () => {
  const known = new Knowledge('one');
  known.take(operation('two', 'refused'));
  known.take(operation('three', 'not-done'));
  assert.ok(!known.observe('two'));
  assert.ok(!known.observe('three'));
  assert.ok(known.observe('one'));
});

test('what was not answered may be there, now or later, once', () => {
  const known = new Knowledge('one');
  known.take(operation('two', 'unknown'));
  assert.ok(!known.isCertain);
  assert.ok(known.observe('one'));
  known.take(operation('three', 'done'));
  assert.ok(known.observe('three'));
  assert.ok(known.observe('two'), 'it took effect late');
  assert.ok(!known.observe('three'));
  known.take(operation('four', 'done'));
  assert.ok(!known.observe('two'), 'it has taken effect already');
});
