/** When a store's disk is said to be nearly full, and how often that is logged. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../base/index.ts';
import { RoomWatch } from './room.ts';
import type { DiskRoom } from './types.ts';

const GB = 1024 ** 3;

function watch(disk: () => Promise<DiskRoom | undefined>, bytes = async (): Promise<number | undefined> => 7) {
  const said: string[] = [];
  const say = (event: string) => void said.push(event);
  const logger = { debug() {}, info: say, warn: say, error: say };
  return { said, watch: new RoomWatch({ bytes, disk, everyMs: 1000, clock: systemClock, logger }) };
}

describe('the room of a store', () => {
  const table: [freeBytes: number, totalBytes: number, isLow: boolean][] = [
    [2 * GB, 10 * GB, false],
    [0.9 * GB, 10 * GB, true],
    [0, 10 * GB, true],
    [50 * GB, 4000 * GB, false],
    [9 * GB, 4000 * GB, true],
  ];
  for (const [freeBytes, totalBytes, isLow] of table)
    it(`${freeBytes / GB} GB of ${totalBytes / GB} GB ${isLow ? 'are' : 'are not'} little`, async () => {
      const { said, watch: room } = watch(async () => ({ freeBytes, totalBytes }));
      await room.look();
      assert.deepEqual(said, isLow ? ['store-nearly-full'] : []);
      assert.equal(room.room.warning !== undefined, isLow);
      assert.deepEqual([room.room.bytes, room.room.disk], [7, { freeBytes, totalBytes }]);
    });

  it('is warned of once, until there is room again', async () => {
    let freeBytes = 0;
    const { said, watch: room } = watch(async () => ({ freeBytes, totalBytes: 10 * GB }));
    for (const free of [0, 0, 5 * GB, 5 * GB, 0]) {
      freeBytes = free;
      await room.look();
    }
    assert.deepEqual(said, ['store-nearly-full', 'store-has-room', 'store-nearly-full']);
  });

  it('is unknown while the store cannot be asked, which is no reason to warn again', async () => {
    let fails = false;
    const { said, watch: room } = watch(
      async () => {
        if (fails) throw new Error('the drive is away');
        return { freeBytes: 0, totalBytes: 10 * GB };
      },
      async () => {
        if (fails) throw new Error('the drive is away');
        return 7;
      },
    );
    for (const each of [false, true, false]) {
      fails = each;
      await room.look();
      if (fails) assert.deepEqual(room.room, { bytes: undefined, disk: undefined, warning: undefined });
    }
    assert.deepEqual(said, ['store-nearly-full']);
  });

  it('is looked at again when somebody asks for it, and no more once the signal is aborted', async () => {
    const looks: (() => void)[] = [];
    const next = () => new Promise<void>((resolve) => looks.push(resolve));
    const first = next();
    const second = next();
    const { watch: room } = watch(async () => {
      looks.shift()?.();
      return undefined;
    });
    const enough = new AbortController();
    const running = room.run(enough.signal);
    await first;
    room.lookSoon();
    await second;
    enough.abort();
    await running;
  });
});
