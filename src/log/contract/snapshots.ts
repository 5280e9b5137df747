import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { START } from '../../tree/index.ts';
import { TrimmedError } from '../change-log.ts';
import type { LogSubject } from '../contract.ts';
import { at, body, brokenStream, fill, persist, range, take, texts } from './testing.ts';

/** Snapshots, and trimming, which relies on them. */
export function snapshotsContract(subject: LogSubject): void {
  describe('snapshots', () => {
    it('there is none at first', async () => assert.equal(await subject.log.latestSnapshot(), undefined));

    it('the one at the latest position is given', async () => {
      await fill(subject.log, 9);
      await subject.log.putSnapshot(at(3), Readable.from([Buffer.from('three')]));
      await subject.log.putSnapshot(at(9), Readable.from([Buffer.from('ni'), Buffer.from('ne')]));
      await subject.log.putSnapshot(at(5), Readable.from([Buffer.from('five')]));
      const snapshot = await (await subject.harness.open()).latestSnapshot();
      assert.equal(snapshot?.at, 9);
      assert.equal((await buffer(snapshot!.body)).toString(), 'nine');
    });

    it('several are kept, and found by position', async () => {
      await fill(subject.log, 9);
      const before = new Date(Date.now() - 60_000).toISOString();
      for (const [position, text] of [
        [7, 'seven'],
        [3, 'three'],
        [7, 'seven again'],
        [9, 'nine'],
      ] as const)
        await subject.log.putSnapshot(at(position), Readable.from([Buffer.from(text)]));
      const other = await subject.harness.open();
      const list = await other.snapshots();
      assert.deepEqual(
        list.map((each) => [each.at, each.size]),
        [
          [3, 5],
          [7, 11],
          [9, 4],
        ],
      );
      assert.ok(list.every((each) => each.storedAt > before));
      const found = async (upTo: number) => {
        const snapshot = await other.latestSnapshot(at(upTo));
        return snapshot && [snapshot.at, (await buffer(snapshot.body)).toString()];
      };
      assert.equal(await found(2), undefined);
      assert.deepEqual(await found(3), [3, 'three']);
      assert.deepEqual(await found(8), [7, 'seven again']);
      assert.deepEqual(await found(99), [9, 'nine']);
    });

    it('one that breaks off is not kept', async () => {
      await subject.log.putSnapshot(at(0), Readable.from([Buffer.from('whole')]));
      await assert.rejects(subject.log.putSnapshot(at(1), brokenStream()));
      const snapshot = await subject.log.latestSnapshot();
      assert.equal(snapshot?.at, 0);
      assert.equal((await buffer(snapshot!.body)).toString(), 'whole');
    });
  });

  describe('trim', () => {
    it('only goes up to the latest snapshot', async () => {
      await fill(subject.log, 5);
      await assert.rejects(subject.log.trim(at(1)), RangeError);
      await subject.log.putSnapshot(at(3), Readable.from([Buffer.from('x')]));
      await assert.rejects(subject.log.trim(at(4)), RangeError);
      assert.equal(await subject.log.trimmed(), 0);
    });

    it('ends at a snapshot, so that the state before the oldest record is known, and forgets those before', async () => {
      await fill(subject.log, 9);
      for (const position of [2, 5, 8])
        await subject.log.putSnapshot(at(position), Readable.from([Buffer.from(`${position}`)]));
      const held = async () => (await subject.log.snapshots()).map((each) => each.at);
      await subject.log.trim(at(1));
      assert.equal(await subject.log.trimmed(), 0);
      assert.deepEqual(await held(), [2, 5, 8]);
      await subject.log.trim(at(7));
      assert.equal(await subject.log.trimmed(), 5);
      assert.deepEqual(await held(), [5, 8]);
      assert.deepEqual(texts(await take(subject.log, at(5), 4)), ['6', '7', '8', '9']);
      assert.equal(await subject.log.latestSnapshot(at(4)), undefined);
    });

    it('makes an empty log go on after a snapshot that lies above its end', async () => {
      await subject.log.putSnapshot(at(2345), Readable.from([Buffer.from('elsewhere')]));
      await subject.log.trim(at(2345));
      const other = await subject.harness.open();
      for (const log of [subject.log, other]) assert.deepEqual([await log.trimmed(), await log.head()], [2345, 2345]);
      assert.deepEqual(await other.append(START, body('1')), { kind: 'head-moved', head: 2345 });
      await assert.rejects(take(other, START, 1), TrimmedError);
      assert.deepEqual(await other.append(at(2345), body('2346')), { kind: 'appended', position: 2346 });
      assert.deepEqual(await subject.log.append(at(2346), body('2347')), { kind: 'appended', position: 2347 });
      await subject.harness.restart?.();
      const last = await subject.harness.open();
      assert.deepEqual(texts(await persist(() => take(last, at(2345), 2))), ['2346', '2347']);
      assert.equal(await persist(() => last.head()), 2347);
      assert.equal((await last.latestSnapshot())?.at, 2345);
    });

    it('during a read never makes a gap', async () => {
      const count = 3000;
      for (let n = 0; n < count; n += 100)
        await Promise.all(range(n, n + 99).map((before) => subject.log.append(at(before), body(before + 1, 3000))));
      await subject.log.putSnapshot(at(count - 1), Readable.from([Buffer.from('x')]));
      const other = await subject.harness.open();
      let trimming: Promise<void> | undefined;
      let last = 0;
      try {
        for await (const batch of other.read(START, AbortSignal.timeout(20_000))) {
          for (const { position } of batch) assert.equal(position, ++last);
          trimming ??= subject.log.trim(at(count - 1));
          await trimming;
          if (last === count) break;
        }
        assert.equal(last, count);
      } catch (error) {
        assert.ok(error instanceof TrimmedError, String(error));
        assert.equal(error.trimmed, count - 1);
      }
      assert.deepEqual(
        texts(await take(other, at(count - 1), 1)).map((each) => each.trim()),
        [`${count}`],
      );
    });

    it('removes records, and who asks for them is told', async () => {
      await fill(subject.log, 5);
      for (const position of [1, 3, 4]) await subject.log.putSnapshot(at(position), Readable.from([Buffer.from('x')]));
      await subject.log.trim(at(3));
      await subject.log.trim(at(2));
      const other = await subject.harness.open();
      assert.equal(await other.trimmed(), 3);
      const tooOld = (error: unknown) => error instanceof TrimmedError && error.trimmed === 3;
      for (const from of [0, 2]) await assert.rejects(take(other, at(from), 1), tooOld);
      assert.deepEqual(texts(await take(other, at(3), 2)), ['4', '5']);
      assert.deepEqual(await subject.log.append(at(5), body('6')), { kind: 'appended', position: 6 });
    });
  });
}
