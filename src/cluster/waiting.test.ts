import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock, UnavailableError } from '../base/index.ts';
import type { Position } from '../tree/index.ts';
import { PositionWaiters, SharedQuestion, withinMs } from './waiting.ts';

const at = (n: number) => n as Position;

test('an answer that comes in time is passed on, a late one is unavailable', async () => {
  assert.equal(await withinMs(systemClock, 1000, Promise.resolve(5), 'it'), 5);
  await assert.rejects(withinMs(systemClock, 1000, Promise.reject(new Error('no')), 'it'), /^Error: no$/);
  await assert.rejects(withinMs(systemClock, 1, new Promise(() => {}), 'the log'), (error) => {
    assert(error instanceof UnavailableError);
    assert.equal(error.message, 'the log took longer than 1 ms');
    return true;
  });
});

test('callers of one tick share a question; who comes after it was sent asks anew', async () => {
  const answers: ((value: number) => void)[] = [];
  const question = new SharedQuestion(() => new Promise<number>((resolve) => answers.push(resolve)));
  const first = question.answer();
  const second = question.answer();
  while (answers.length === 0) await new Promise(setImmediate);
  const third = question.answer();
  while (answers.length === 1) await new Promise(setImmediate);
  answers[1]!(2);
  assert.equal(await third, 2);
  answers[0]!(1);
  assert.deepEqual(await Promise.all([first, second]), [1, 1]);
});

test('a failed question fails those who shared it, and nobody after', async () => {
  let count = 0;
  const question = new SharedQuestion(async () => {
    if (++count === 1) throw new Error('down');
    return count;
  });
  const outcomes = await Promise.allSettled([question.answer(), question.answer()]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(await question.answer(), 2);
});

test('waiters resolve at their position, not before', async () => {
  const waiters = new PositionWaiters();
  const done: number[] = [];
  for (const n of [5, 3, 5, 9]) void waiters.wait(at(n)).then(() => done.push(n));
  const after = async (position: number) => {
    waiters.reached(at(position));
    await new Promise(setImmediate);
    return [...done];
  };
  assert.deepEqual(await after(2), []);
  assert.deepEqual(await after(4), [3]);
  assert.deepEqual(await after(5), [3, 5, 5]);
  assert.deepEqual(await after(12), [3, 5, 5, 9]);
});

test('a waiter ends with its signal', async () => {
  const waiters = new PositionWaiters();
  const stop = new AbortController();
  const waiting = waiters.wait(at(4), stop.signal);
  const other = waiters.wait(at(4));
  stop.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  waiters.reached(at(4));
  await other;
  await assert.rejects(waiters.wait(at(1), stop.signal), /enough/);
});
