import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { contentHash } from './digest.ts';
import { INLINE_BYTES_MAX, readSnapshot, Tree, TreeStore, writeSnapshot } from './index.ts';
import { at, bytes, DIR, eagerClock, inTree, memory, move, onDisk, open, openBound, put } from './store.testing.ts';

describe('restoring', () => {
  it('makes another directory the same, writing only what differs', async () => {
    const { store: source } = await openBound({ 'a/x': '1', 'b/y': '2', c: '3' });
    source.tree.apply(at(1), [put('d', '4')]);
    const system = memory({ 'a/x': '1', 'b/y': 'other', 'c/z': 'in the way', 'e/f': 'extra', 'logs/x.log': 'local' });
    const store = await open(system);
    const snapshot = await readSnapshot(writeSnapshot(source.tree, 'log-1').body);
    const steps: string[] = [];
    system.onStep = (step) => void steps.push(step);
    const touched = await store.restore(snapshot, { keepIn: `${DIR}/cluster/kept` });
    assert.deepEqual(inTree(store.tree), inTree(source.tree));
    assert.equal(store.unwritten, 1);
    await store.flush();
    assert.ok(!steps.some((step) => step.includes('/a/x')));
    assert.deepEqual(onDisk(system), { ...inTree(source.tree), 'logs/x.log': 'local' });
    assert.deepEqual(store.recorded, { logId: 'log-1', position: 1, digest: source.tree.digest });
    assert.deepEqual(touched.map((each) => `${each.kind} ${'path' in each && each.path}`).sort(), [
      'deleted c/z',
      'deleted e/f',
      'put b/y',
      'put c',
      'put d',
    ]);
    const kept = Object.entries(system.dump()).filter(([path]) => path.includes('/kept/'));
    assert.deepEqual(Object.fromEntries(kept.map(([path, text]) => [path.slice(19), text])), {
      'b/y': 'other',
      'c/z': 'in the way',
      'e/f': 'extra',
    });
    store.tree.apply(at(2), [put('a/x', '9')]);
    await store.close();
    assert.equal((await open(system)).tree.digest, store.tree.digest);
  });

  it('undoes what was changed by hand, though the tree knows nothing of it', async () => {
    const { system, store } = await openBound({ a: '1', b: '2' });
    const snapshot = await buffer(writeSnapshot(store.tree, 'log-1').body);
    system.poke(`${DIR}/a`, 'edited');
    system.poke(`${DIR}/b`, undefined);
    system.poke(`${DIR}/c`, 'new');
    await store.restore(await readSnapshot(Readable.from([snapshot])));
    await store.flush();
    assert.deepEqual(onDisk(system), { a: '1', b: '2' });
  });

  it('from a damaged snapshot changes nothing', async () => {
    const { store: source } = await openBound({ a: '1', b: '2' });
    const { system, store } = await openBound({ a: '0' });
    const before = system.dump();
    const bad = await readSnapshot(writeSnapshot(source.tree, 'log-1').body);
    await assert.rejects(store.restore({ ...bad, digest: store.tree.digest }), /damaged/);
    assert.equal(store.incomplete, false);
    await store.flush();
    assert.deepEqual(system.dump(), before);
  });

  it('serves at once, takes records, and writes behind', async () => {
    const { store: source } = await openBound({ a: '1', 'b/c': '2' });
    const system = memory();
    const store = await open(system);
    await store.restore(await readSnapshot(writeSnapshot(source.tree, 'log-2').body));
    assert.deepEqual(onDisk(system), {});
    assert.deepEqual(inTree(store.tree), { a: '1', 'b/c': '2' });
    assert.equal(store.waitingBytes, 2);
    assert.equal(store.persisted, 0);
    assert.equal(store.incomplete, false);
    assert.equal(store.recorded?.logId, 'log-2');
    store.tree.apply(at(1), [move('b', 'd'), put('a', '9')]);
    assert.deepEqual(inTree(store.tree), { a: '9', 'd/c': '2' });
    await store.flush();
    assert.deepEqual(onDisk(system), { a: '9', 'd/c': '2' });
    assert.deepEqual([store.waitingBytes, store.persisted], [0, 1]);
  });

  it('waits for the disk rather than hold more in memory than it may', async () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`f${n}`, 'x'.repeat(100)]));
    const { store: source } = await openBound(many);
    const system = memory();
    const store = await TreeStore.open(DIR, { system, clock: eagerClock, waitingBytesMax: 1000 });
    await store.restore(await readSnapshot(writeSnapshot(source.tree, 'log-1').body));
    assert.ok(store.waitingBytes <= 1000, `${store.waitingBytes}`);
    assert.ok(Object.keys(onDisk(system)).length >= 40);
    assert.equal((await open(system.afterCrash())).incomplete, true);
    await store.flush();
    assert.deepEqual(onDisk(system), many);
  });

  for (const kind of ['process', 'power'] as const)
    it(`that a crash of the ${kind} interrupts, at any step, is begun again and ends well`, async () => {
      const big = 'x'.repeat(INLINE_BYTES_MAX + 1);
      const target = { 'a/x': '1', 'a/y': 'new', b: 'file', 'c/d': big, 'e/f/g': '4', 'h/big': `${big}2` };
      const { store: source } = await openBound(target);
      source.tree.apply(at(1), []);
      const blobs = new Map(Object.values(target).map((text) => [contentHash(bytes(text)), bytes(text)]));
      const whole = await buffer(writeSnapshot(source.tree, 'log-1', { large: 'by-hash' }).body);
      const snapshot = () => readSnapshot(Readable.from([whole]), async (hash) => Readable.from([blobs.get(hash)]));
      const before = { 'a/x': '1', 'a/y': 'old', 'b/was': 'a folder', c: 'was a file', gone: '!' };
      const later = [put('e/f/g', '5'), move('a', 'z'), put('new', big)];
      const model = new Tree();
      model.apply(at(1), [...Object.entries(target).map(([path, text]) => put(path, text)), ...later]);
      const dice = fc.sample(fc.double({ min: 0, max: 0.999, noNaN: true }), 4000).values();
      const random = kind === 'power' ? () => dice.next().value! : undefined;
      let interrupted = 0;
      for (let crashAt = 0; ; crashAt++) {
        const system = memory(before);
        const store = await TreeStore.open(DIR, { system, clock: eagerClock, waitingBytesMax: crashAt % 2 ? 0 : 1e6 });
        let steps = 0;
        let crashed = false;
        system.onStep = () => {
          if (crashed || steps++ >= crashAt) {
            crashed = true;
            throw new Error('dead');
          }
        };
        let finished = false;
        const running = snapshot()
          .then((read) => store.restore(read, { keepIn: `${DIR}/cluster/aside` }))
          .then(() => {
            store.tree.apply(at(2), later);
            return store.flush();
          })
          .catch(() => {})
          .finally(() => {
            finished = true;
          });
        while (!crashed && !finished) await new Promise((resolve) => setImmediate(resolve));
        if (crashed) await store.close().catch(() => {});
        await running;
        system.onStep = undefined;
        const disk = system.afterCrash(random);
        const second = await open(disk);
        if (second.incomplete) interrupted++;
        if (second.incomplete || second.recorded === undefined) {
          if (second.recorded === undefined && !second.incomplete)
            assert.ok(Object.keys(before).every((path) => onDisk(disk)[path] !== undefined));
          await second.restore(await snapshot());
        }
        if (second.tree.position === 1) second.tree.apply(at(2), later);
        await second.flush();
        assert.equal(second.tree.digest, model.digest, `crash at ${crashAt}`);
        assert.deepEqual(inTree(second.tree), inTree(model));
        assert.deepEqual(onDisk(disk), inTree(model));
        if (!crashed) break;
      }
      assert.ok(interrupted > 10, `${interrupted}`);
    });

  it('goes on with a blob that broke off', async () => {
    const big = 'x'.repeat(300_000);
    const { store: source } = await openBound({ big });
    const whole = await buffer(writeSnapshot(source.tree, 'log-1', { large: 'by-hash' }).body);
    const asked: number[] = [];
    let left = 2;
    const snapshot = () =>
      readSnapshot(Readable.from([whole]), async (_hash, from = 0) => {
        asked.push(from);
        return (async function* () {
          yield bytes(big.slice(from, from + 100_000));
          if (left-- > 0) throw new Error('the connection is gone');
          yield bytes(big.slice(from + 100_000));
        })();
      });
    const system = memory();
    const store = await open(system);
    await assert.rejects(store.restore(await snapshot()), /connection/);
    assert.equal(store.incomplete, false);
    const again = await open(system);
    await assert.rejects(again.restore(await snapshot()), /connection/);
    await again.restore(await snapshot());
    assert.deepEqual(asked, [0, 100_000, 200_000]);
    await again.close();
    assert.deepEqual(onDisk(system), { big });
    assert.deepEqual(Object.keys(system.dump()), ['/data/big', '/data/cluster/state.json']);
  });
});
