import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Clock, silentLogger, systemClock } from '../base/index.ts';
import { bytesSource, memoryLog } from '../log/index.ts';
import { contentHash, memoryFileSystem, type Position, treePath } from '../tree/index.ts';
import { collectGarbage } from './garbage.ts';
import { openNode } from './index.ts';

it('blobs go when neither records nor snapshots refer to them, and not before an hour', async () => {
  let aheadMs = 0;
  // The node's own waits take no time of it.
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const log = memoryLog({ clock }).open();
  const parts = { name: 'a', url: 'http://a', role: 'both', version: '0', logUrl: 'memory:' } as const;
  const system = memoryFileSystem();
  const node = await openNode({
    ...parts,
    dataDir: '/data',
    log,
    clock,
    random: Math.random,
    logger: silentLogger,
    system,
  });
  const big = (letter: string) => Buffer.alloc(100_000, letter);
  const put = (name: string, bytes: Uint8Array) =>
    node.write({ origin: { by: 'test', why: 'put' }, evaluate: (draft) => draft.put(treePath(name), bytes) });
  const kept = async () => {
    const hashes: string[] = [];
    for await (const batch of log.blobs()) hashes.push(...batch.map(({ hash }) => hash));
    return (letter: string) => hashes.includes(contentHash(big(letter)));
  };
  const collect = () => collectGarbage(log, AbortSignal.timeout(10_000));
  try {
    await put('data/replaced', big('r'));
    await put('data/replaced', big('s'));
    const { position } = await put('data/snapshot-only', big('o'));
    await log.putBlob(contentHash(big('n')), bytesSource(big('n')));
    await node.snapshot();
    assert.equal(await collect(), 0, 'nothing is old enough');

    aheadMs += 2 * 3_600_000;
    await put('data/later', big('l'));
    await node.snapshot();
    assert.equal(await collect(), 1, 'all but one are named by records');
    assert.ok(!(await kept())('n'));

    await log.trim(position as Position);
    aheadMs += 2 * 3_600_000;
    await log.putBlob(contentHash(big('n')), bytesSource(big('n')));
    await node.snapshot();
    // What was replaced, and the state that the log began with, whose record is gone.
    assert.equal(await collect(), 2);
    const is = await kept();
    assert.deepEqual(['r', 's', 'o', 'l', 'n'].map(is), [false, true, true, true, true]);
    assert.equal(await collect(), 0);

    const later = await openNode({
      ...parts,
      name: 'b',
      dataDir: '/data',
      log,
      clock,
      random: Math.random,
      logger: silentLogger,
      system: memoryFileSystem(),
    });
    assert.deepEqual(Buffer.from(later.catalog.read(treePath('data/replaced'))!), big('s'));
    await later.close();
  } finally {
    await node.close();
  }
});
