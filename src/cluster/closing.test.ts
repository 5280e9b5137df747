/** A node that is told to stop stops soon, and loses nothing by it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FileSystem, nodeFileSystem, treePath } from '../tree/index.ts';
import { put, read, testCluster } from './harness.ts';

/** Time for one change under way and for two seconds of writing. */
const SOON_MS = 6000;

let cluster: ReturnType<typeof testCluster>;
beforeEach(() => {
  cluster = testCluster();
});
afterEach(() => cluster.close());

test('a node with much to write gives up after a while, and has it from the log at its next start', async () => {
  const a = await cluster.start('a', { files: { x0: 'moved again and again' } });
  for (let i = 0; i < 100; i++)
    await a.node.write({
      origin: { by: 'test', why: 'moves' },
      evaluate: (draft) => draft.move(treePath(`x${i}`), treePath(`x${i + 1}`)),
    });
  const rename: FileSystem['rename'] = async (from, to) => {
    await sleep(50);
    await nodeFileSystem.rename(from, to);
  };
  const b = await cluster.start('b', { system: { ...nodeFileSystem, rename } });
  await b.node.catchUp();
  const startedMs = performance.now();
  await b.node.close();
  assert.ok(performance.now() - startedMs < SOON_MS, 'it stops soon');
  assert.ok(b.events.some(({ event }) => event === 'closed-behind'));

  const again = await cluster.start('b');
  await again.node.catchUp();
  assert.equal(again.node.digest, a.node.digest);
  assert.equal(read(again.node, 'x100'), 'moved again and again');
  await again.node.written();
  assert.equal(readFileSync(path.join(again.dataDir, 'x100'), 'utf8'), 'moved again and again');
});

test('a node does not wait for a log that does not answer, and does not say that nothing was done', async () => {
  let slow = false;
  const a = await cluster.start('a', {
    fault: (call) => (slow && call === 'append' ? { kind: 'delay', replyMs: 4000 } : undefined),
  });
  slow = true;
  const writing = put(a.node, 'x', '1').then(
    () => 'done',
    (error: Error) => error.name,
  );
  await sleep(100);
  const startedMs = performance.now();
  await a.node.close();
  assert.ok(performance.now() - startedMs < 3500, 'it stops before the answer comes');
  assert.ok(['done', 'UncertainError'].includes(await writing));
});
