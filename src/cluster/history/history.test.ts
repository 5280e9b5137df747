import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, test } from 'node:test';
import { type Position, treePath } from '../../tree/index.ts';
import { put, read, testCluster } from '../harness.ts';
import type { ClusterNode } from '../types.ts';
import { RevertConflictError } from './errors.ts';
import { parseRef } from './refs.ts';

let cluster: ReturnType<typeof testCluster>;
beforeEach(() => {
  cluster = testCluster();
});
afterEach(() => cluster.close());

const by = { by: 'test' };
const change = (position: number, index?: number) =>
  ({ kind: 'change', ref: { position: position as Position, ...(index && { index }) } }) as const;

async function diffAt(node: ClusterNode, position: Position): Promise<string> {
  let text = '';
  for (const one of await node.history.show({ position }))
    for await (const part of node.history.diffOf(one)) text += part;
  return text;
}

test('changes that share a position are told apart, page by page', async () => {
  const { node } = await cluster.start('one');
  await put(node, 'styles/first', '1');
  const written = await Promise.all(['a', 'b', 'c'].map((name) => put(node, `styles/${name}`, name)));
  const position = written[0]!.position;
  assert.ok(written.every((each) => each.position === position));
  const refs: string[] = [];
  for (let before: string | undefined; ; ) {
    const page = await node.history.list({ limit: 1, ...(before && { before: parseRef(before) }) });
    refs.push(...page.changes.map(({ ref }) => ref));
    before = page.next;
    if (before === undefined) break;
  }
  assert.deepEqual(refs, [`${position}.3`, `${position}.2`, `${position}.1`, `${position - 1}`, '1']);
  const [shown] = await node.history.show(parseRef(`${position}.2`));
  assert.deepEqual(
    shown!.files.map(({ path }) => path),
    ['styles/b'],
  );
  await assert.rejects(node.history.revert({ target: change(position) }, by), /3 changes.*\.1 \(PUT styles\/a\)/);
  await node.history.revert({ target: change(position, 2) }, by);
  assert.deepEqual([read(node, 'styles/a'), read(node, 'styles/b'), read(node, 'styles/c')], ['a', undefined, 'c']);
  const found = await node.history.find(shown!.id);
  assert.deepEqual(found, { position, index: 2 });
});

test('large files come back, and are shown by size and hash', async () => {
  const { node } = await cluster.start('one');
  const [old, now] = [randomBytes(200_000), randomBytes(300_000)];
  const write = (bytes: Uint8Array) =>
    node.write({ origin: { by: 'test', why: 'x' }, evaluate: (draft) => draft.put(treePath('data/x.tif'), bytes) });
  await write(old);
  const { position } = await write(now);
  assert.match(await diffAt(node, position), /Binary files differ: 200000 bytes, sha256 [0-9a-f]{16} -> 300000 bytes/);
  await node.history.revert({ target: change(position) }, by);
  assert.deepEqual(Buffer.from(node.catalog.read(treePath('data/x.tif'))!), old);
  assert.deepEqual(Buffer.from((await node.history.read(treePath('data/x.tif'), position))!), now);
});

test('what the log has trimmed comes from the snapshot that its oldest record follows', async () => {
  const { node, log } = await cluster.start('one', { files: { 'styles/old': 'old\n' } });
  await put(node, 'styles/a', 'a\n');
  const kept = await node.snapshot();
  await put(node, 'styles/old', 'new\n');
  await put(node, 'styles/a', 'b\n');
  await log.trim(node.position > kept ? kept : node.position);
  assert.match(await diffAt(node, (kept + 1) as Position), /-old\n\+new\n/);
  await node.history.revert({ target: { kind: 'to', position: kept } }, by);
  assert.deepEqual([read(node, 'styles/old'), read(node, 'styles/a')], ['old\n', 'a\n']);
  await assert.rejects(node.history.show({ position: kept }), { status: 410, code: 'history-trimmed' });
  await assert.rejects(node.history.files((kept - 1) as Position), { status: 410 });
});

test('whoever writes while something is taken back loses nothing', async () => {
  const [a, b] = [await cluster.start('a'), await cluster.start('b')];
  for (let round = 0; round < 10; round++) {
    await a.node.catchUp();
    await put(a.node, 'styles/x', `before ${round}`);
    const { position } = await put(a.node, 'styles/x', `wrong ${round}`);
    await b.node.catchUp();
    const [reverted, written] = await Promise.allSettled([
      a.node.history.revert({ target: change(position) }, by),
      put(b.node, 'styles/x', `other ${round}`),
    ]);
    assert.equal(written.status, 'fulfilled');
    await a.node.catchUp();
    // Either the other one came later and stands, or came first and the revert was refused.
    assert.equal(read(a.node, 'styles/x'), `other ${round}`);
    if (reverted.status === 'rejected') assert.ok(reverted.reason instanceof RevertConflictError);
  }
});

test('going back to a position takes back what others write meanwhile, or comes before it', async () => {
  const [a, b] = [await cluster.start('a'), await cluster.start('b')];
  const { position } = await put(a.node, 'styles/x', 'x');
  for (let i = 0; i < 20; i++) await put(a.node, `styles/${i}`, 'later');
  const [reverted, written] = await Promise.all([
    a.node.history.revert({ target: { kind: 'to', position } }, by),
    put(b.node, 'styles/other', 'other'),
  ]);
  await a.node.catchUp();
  assert.equal(read(a.node, 'styles/0'), undefined);
  assert.equal(read(a.node, 'styles/other'), written.position > reverted.position ? 'other' : undefined);
});

test('a repeated revert is done once', async () => {
  const { node } = await cluster.start('one');
  await put(node, 'styles/x', 'before');
  const { position } = await put(node, 'styles/x', 'after');
  const origin = { by: 'test', idempotencyKey: 'key-1' };
  const first = await node.history.revert({ target: change(position) }, origin);
  await put(node, 'styles/x', 'newer');
  const again = await node.history.revert({ target: change(position), force: true }, origin);
  assert.equal(again.position, first.position);
  assert.equal(again.changed, false);
  assert.equal(read(node, 'styles/x'), 'newer');
});

test('without the log, history says why it cannot be read', async () => {
  const { node, log } = await cluster.start('one');
  log.partitioned = true;
  await assert.rejects(node.history.list({ limit: 1 }), { name: 'UnavailableError' });
});
