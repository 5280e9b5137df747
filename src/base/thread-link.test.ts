import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { Asked } from './answering.fixture.ts';
import { ThreadLink } from './thread-link.ts';

const workers: Worker[] = [];
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.terminate();
});

function start() {
  const link = new ThreadLink<Asked, unknown>();
  const worker = new Worker(new URL('./answering.fixture.ts', import.meta.url), {
    workerData: { link: link.end },
    transferList: [link.end.port],
  });
  workers.push(worker);
  return { link, worker };
}

describe('a link to a thread', () => {
  it('carries values there and back, short and long, in any order of lengths', async () => {
    const { link } = start();
    for (const bytes of [0, 1, 2000, 300_000, 5_000_000, 10, 1_000_000, 0]) {
      const value = {
        text: 'Äß',
        numbers: new BigInt64Array([1n, -2n]),
        body: new Uint8Array(randomBytes(bytes)),
        none: undefined,
      };
      assert.deepEqual(await link.ask({ kind: 'echo', value }), value);
    }
  });

  it('has what was handed over', async () => {
    const { link } = start();
    const given = (await link.ask({ kind: 'give', bytes: 3_000_000 })) as Uint8Array;
    assert.deepEqual([given.length, given[0], given.at(-1)], [3_000_000, 7, 7]);
    assert.equal(await link.ask({ kind: 'echo', value: 'after it' }), 'after it');
  });

  it('does not let what was answered change with the next answer', async () => {
    const { link } = start();
    const first = (await link.ask({ kind: 'echo', value: Buffer.from('first') })) as Uint8Array;
    await link.ask({ kind: 'echo', value: Buffer.from('other') });
    assert.equal(Buffer.from(first).toString(), 'first');
  });

  it('is asked one thing at a time', async () => {
    const { link } = start();
    const first = link.ask({ kind: 'echo', value: 1 });
    await assert.rejects(link.ask({ kind: 'echo', value: 2 }), /before it answered/);
    assert.equal(await first, 1);
  });

  it('goes on after something that cannot be copied', async () => {
    const { link } = start();
    await assert.rejects(link.ask({ kind: 'echo', value: () => {} }), /could not be cloned/);
    assert.equal(await link.ask({ kind: 'echo', value: 'next' }), 'next');
  });

  it('ends with the last answer, and with an error that nobody catches', async () => {
    const one = start();
    const exit = once(one.worker, 'exit');
    assert.equal(await one.link.ask({ kind: 'end' }), 'ended');
    assert.deepEqual(await exit, [0]);
    const other = start();
    const error = once(other.worker, 'error');
    void other.link.ask({ kind: 'fail' });
    assert.match((await error)[0].message, /as asked/);
  });

  it('can be cut while the thread sleeps, or works', async () => {
    const { worker, link } = start();
    await link.ask({ kind: 'echo', value: '' });
    const startMs = performance.now();
    await worker.terminate();
    assert.ok(performance.now() - startMs < 2000);
  });
});
