import assert from 'node:assert/strict';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../../test/temporary-folder.ts';
import { UserError } from '../base/index.ts';
import { type Position, START } from '../tree/index.ts';
import type { ChangeLog } from './change-log.ts';
import { at, body, digestOf, fill, range, take, testBlob, texts } from './contract/testing.ts';
import { type CopyProgress, copyLog } from './copy.ts';
import { type MemoryFault, memoryLog, openEmbeddedLog } from './index.ts';

const folder = temporaryFolder('copy');

const blob = testBlob(3);

/** Twenty records, snapshots at 5, 12 and 18, and a blob. */
async function filled(log: ChangeLog = memoryLog().open()): Promise<ChangeLog> {
  await fill(log, 20);
  for (const position of [5, 12, 18]) await log.putSnapshot(at(position), Readable.from([body(`state ${position}`)]));
  await log.putBlob(blob.hash, blob);
  return log;
}

const positions = async (log: ChangeLog) => (await log.snapshots()).map((each) => each.at);
const notAPrefix = (what: RegExp) => (error: unknown) =>
  error instanceof UserError && error.code === 'not-a-prefix' && what.test(error.message);

describe('a copy of a log', () => {
  it('holds the records at their positions, the snapshots and the blobs', async (t) => {
    const source = await filled();
    const target = await openEmbeddedLog({ folder: path.join(folder, 'whole') });
    t.after(() => target.close());
    const steps = new Set<CopyProgress['step']>();
    const result = await copyLog(source, target, { onProgress: ({ step }) => steps.add(step) });
    assert.deepEqual([result.trimmed, result.head, result.sourceHead], [0, 20, 20]);
    assert.deepEqual(result.copied, { records: 20, snapshots: 3, blobs: 1, bytes: blob.size });
    assert.deepEqual([...steps], ['files', 'records', 'snapshots', 'verifying']);
    assert.deepEqual(texts(await take(target, START, 20)), range(1, 20).map(String));
    assert.deepEqual(await positions(target), [5, 12, 18]);
    assert.equal((await buffer((await target.latestSnapshot(at(13)))!.body)).toString(), 'state 12');
    assert.equal((await digestOf((await target.getBlob(blob.hash))!)).hash, blob.hash);
  });

  it('begins where the source was trimmed', async () => {
    const source = await filled();
    await source.trim(at(12));
    const target = memoryLog().open();
    const result = await copyLog(source, target);
    assert.deepEqual([result.trimmed, result.head, result.copied.records], [12, 20, 8]);
    assert.deepEqual([await target.trimmed(), await target.head(), await positions(target)], [12, 20, [12, 18]]);
    assert.deepEqual(texts(await take(target, at(12), 8)), range(13, 20).map(String));
  });

  it('is gone on with, and follows a source that was trimmed since', async () => {
    const source = await filled();
    const target = memoryLog().open();
    const first = await copyLog(source, target);
    assert.equal((await copyLog(source, target)).copied.records, 0);
    await fill(source, 5, 20);
    await source.trim(at(12));
    const second = await copyLog(source, target);
    assert.deepEqual([second.trimmed, second.head, second.copied.records], [12, 25, 5]);
    assert.notEqual(second.digest, first.digest);
    assert.equal(await target.trimmed(), 12);
    assert.deepEqual(await target.append(at(25), body('26')), { kind: 'appended', position: 26 });
  });

  it('loses nothing and writes nothing twice on a way that fails', async () => {
    const source = memoryLog().open();
    await fill(source, 300);
    const kinds: MemoryFault['kind'][] = ['lost-reply', 'lost-request', 'unreachable'];
    let calls = 0;
    const target = memoryLog().open({
      fault: (call) => (call === 'append' && ++calls % 97 === 0 ? { kind: kinds[calls % 3]! } : undefined),
    });
    assert.equal((await copyLog(source, target)).head, 300);
    assert.ok(calls > 300);
    assert.deepEqual(texts(await take(target, START, 300)), range(1, 300).map(String));
  });

  it('takes in what is written meanwhile, and says so when there is more', async () => {
    const source = await filled();
    let written = 20;
    const onProgress = ({ step }: CopyProgress) => {
      if ((step === 'records' && written < 23) || (step === 'verifying' && written === 23))
        void source.append(written as Position, body(++written));
    };
    const result = await copyLog(source, memoryLog().open(), { onProgress });
    assert.deepEqual([result.head, result.sourceHead], [23, 24]);
  });

  it('is refused where the target is something else, which stays as it was', async () => {
    const other = async (records: number, trimmed = 0) => {
      const log = memoryLog().open();
      if (trimmed > 0) await log.putSnapshot(at(trimmed), Readable.from([body('x')]));
      if (trimmed > 0) await log.trim(at(trimmed));
      for (let n = trimmed; n < records; n++) await log.append(at(n), body(n === 7 ? 'another' : n + 1));
      return log;
    };
    const whole = await filled();
    const trimmed = await filled();
    await trimmed.trim(at(12));
    for (const [source, target, what] of [
      [whole, await other(10), /at position 8 it has another record/],
      [whole, await other(21), /is ahead.* 1 to 21, .* ends at 20/],
      [whole, await other(15, 12), /no copy.* 13 to 15, .* begins at 1/],
      [trimmed, await other(5), /ends too early.* 1 to 5, .* trimmed up to 12/],
      [memoryLog().open(), memoryLog().open(), /is empty/],
    ] as const) {
      const head = await target.head();
      await assert.rejects(copyLog(source, target), notAPrefix(what));
      assert.equal(await target.head(), head);
    }
  });

  it('gives up when somebody else writes to the target', async () => {
    const target = memoryLog().open();
    const onProgress = ({ step }: CopyProgress) => {
      if (step === 'files') void target.append(START, body('mine'));
    };
    await assert.rejects(copyLog(await filled(), target, { onProgress }), notAPrefix(/at position 1 it has another/));
  });
});
