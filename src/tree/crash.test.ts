import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Tree, type TreeStore, treePath } from './index.ts';
import { at, DIR, del, inTree, memory, move, onDisk, open, openBound, put, stopped } from './store.testing.ts';
import type { FileOperation } from './types.ts';

describe('a crash', () => {
  const segment = fc.constantFrom('a', 'b', 'c');
  const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
  const operation = fc.oneof(
    fc.tuple(path, fc.stringMatching(/^[0-9]{2}$/)).map(([to, text]) => put(to, text)),
    path.map(del),
    fc.tuple(path, path).map(([from, to]) => move(from, to)),
  );
  const workload = fc.array(fc.array(operation, { maxLength: 4 }), { minLength: 1, maxLength: 5 });

  /** Applies the records that the store has not; now and then it waits for the disk. */
  async function run(
    store: TreeStore,
    records: readonly (readonly FileOperation[])[],
    flushEvery: number,
  ): Promise<void> {
    for (let n = store.tree.position; n < records.length; n++) {
      store.tree.apply(at(n + 1), records[n]!);
      if (flushEvery > 0 && n % flushEvery === 0) await store.flush();
    }
    await store.flush();
  }

  for (const kind of ['process', 'power'] as const)
    it(`of the ${kind} at any step is healed by the log`, async () => {
      let crashes = 0;
      await fc.assert(
        fc.asyncProperty(
          workload,
          fc.integer({ min: 0, max: 3 }),
          fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
          async (records, flushEvery, dice) => {
            const first = { 'a/b': '00', 'b/a/c': '01', c: '02' };
            const digests: string[] = [];
            const model = new Tree();
            model.apply(
              at(1),
              Object.entries(first).map(([to, text]) => put(to, text)),
            );
            records.forEach((operations, i) => {
              digests.push(model.digest);
              model.apply(at(i + 2), operations);
            });
            digests.push(model.digest);
            const expected = inTree(model);
            const random = kind === 'power' ? () => dice.next().value as number : undefined;

            for (let crashAt = 0; ; crashAt++) {
              const system = memory(first);
              const store = await open(system);
              await store.bind('log-1');
              await store.flush();
              let steps = 0;
              const dead = new Error('dead');
              let crashed = false;
              system.onStep = () => {
                if (crashed || steps++ >= crashAt) {
                  crashed = true;
                  throw dead;
                }
              };
              const running = run(store, records, flushEvery).catch(() => {});
              await Promise.race([running, stopped(() => crashed, store)]);
              system.onStep = undefined;
              let disk = system.afterCrash(random);
              // It may crash again while it recovers.
              for (let again = 0; again < 2; again++) {
                const second = await open(disk);
                let more = again === 0 ? crashAt % 7 : Number.POSITIVE_INFINITY;
                let down = false;
                disk.onStep = () => {
                  if (down || more-- <= 0) {
                    down = true;
                    throw dead;
                  }
                };
                assert.ok(second.tree.position <= records.length);
                for (let n = second.tree.position; n < records.length; n++) {
                  second.tree.apply(at(n + 1), records[n]!);
                  if (second.tree.position >= second.comparableFrom)
                    assert.equal(
                      second.tree.digest,
                      digests[second.tree.position],
                      `digest at ${second.tree.position}`,
                    );
                }
                await Promise.race([second.flush().catch(() => {}), stopped(() => down, second)]);
                disk.onStep = undefined;
                if (down) {
                  crashes++;
                  disk = disk.afterCrash(random);
                  continue;
                }
                assert.deepEqual(inTree(second.tree), expected);
                assert.deepEqual(onDisk(disk), expected);
                assert.equal(second.persisted, records.length);
              }
              if (!crashed) break;
              crashes++;
            }
          },
        ),
        { numRuns: 60 },
      );
      assert.ok(crashes > 500, `${crashes} crashes`);
    });
});

it('a file that the disk cannot read is unavailable, and not gone', async () => {
  const { system, store } = await openBound({ a: '1' });
  const read = system.readSync.bind(system);
  system.readSync = (file, bytesMax) => {
    if (file === `${DIR}/a`) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
    return read(file, bytesMax);
  };
  assert.throws(() => store.readDisk(treePath('a')), /^UnavailableError: a cannot be read: EIO/);
  assert.equal(store.readDisk(treePath('b')), undefined);
});
