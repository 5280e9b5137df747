import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UnavailableError, UncertainError } from '../base/index.ts';
import { type Position, START } from '../tree/index.ts';
import type { ChangeLog } from './change-log.ts';
import { logContract } from './contract.ts';
import { type MemoryFault, memoryLog } from './index.ts';

logContract(
  'the memory log',
  async () => {
    const shared = memoryLog({ peerTtlMs: 150 });
    const handles: ChangeLog[] = [];
    return {
      open: async () => {
        const handle = shared.open();
        handles.push(handle);
        return handle;
      },
      beside: async () => memoryLog().open(),
      dispose: async () => {
        for (const handle of handles) await handle.close();
      },
    };
  },
  { peerTtlMs: 150, troubles: [], streams: false },
);

describe('faults of the memory log', () => {
  const body = Buffer.from('x');
  const cases: { fault: MemoryFault; error: typeof UncertainError | typeof UnavailableError; head: number }[] = [
    { fault: { kind: 'unreachable' }, error: UnavailableError, head: 0 },
    { fault: { kind: 'lost-request' }, error: UncertainError, head: 0 },
    { fault: { kind: 'lost-reply' }, error: UncertainError, head: 1 },
  ];
  for (const { fault, error, head } of cases)
    it(`${fault.kind}: the record is ${head === 0 ? 'not ' : ''}there`, async () => {
      const shared = memoryLog();
      const log = shared.open({ fault: (call) => (call === 'append' ? fault : undefined) });
      await assert.rejects(log.append(START, body), error);
      assert.equal(await shared.open().head(), head);
    });

  it('a handle that is cut off is refused, and its readers go on when it is healed', async () => {
    const shared = memoryLog();
    const [cut, other] = [shared.open(), shared.open()];
    cut.partitioned = true;
    await assert.rejects(cut.append(START, body), UnavailableError);
    await assert.rejects(cut.head(), UnavailableError);
    const stop = new AbortController();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const batch of cut.read(START, stop.signal)) {
        seen.push(...batch.map((record) => record.position));
        stop.abort();
      }
    })();
    await other.append(START, body);
    assert.deepEqual(seen, []);
    cut.partitioned = false;
    await reading;
    assert.deepEqual(seen, [1]);
  });

  it('a log that lost its last records goes on before them', async () => {
    const shared = memoryLog();
    const log = shared.open();
    for (let n = 0; n < 3; n++) await log.append(n as Position, body);
    shared.rewind(1 as Position);
    assert.equal(await log.head(), 1);
    assert.deepEqual(await log.append(1 as Position, body), { kind: 'appended', position: 2 });
  });
});
