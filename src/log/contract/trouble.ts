import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { it } from 'node:test';
import { UnavailableError, UncertainError } from '../../base/index.ts';
import { contentHash, START } from '../../tree/index.ts';
import { bytesSource } from '../blob-source.ts';
import { TrimmedError } from '../change-log.ts';
import type { LogSubject } from '../contract.ts';
import { appendTimes, at, body, digestOf, fill, range, take, testBlob, text, texts, until } from './testing.ts';

export function troubleContract(subject: LogSubject): void {
  if (subject.options.troubles.includes('restart'))
    it('a restart keeps everything', async () => {
      await fill(subject.log, 5);
      const hash = contentHash(Buffer.from('x'));
      await subject.log.putBlob(hash, bytesSource(Buffer.from('x')));
      await subject.log.putSnapshot(at(2), Readable.from([Buffer.from('older')]));
      await subject.log.putSnapshot(at(4), Readable.from([Buffer.from('snap')]));
      await subject.log.trim(at(2));
      await subject.harness.restart!();
      const again = await subject.harness.open();
      assert.equal(await again.head(), 5);
      assert.equal(await again.trimmed(), 2);
      assert.deepEqual(texts(await take(again, at(2), 3)), ['3', '4', '5']);
      await assert.rejects(take(again, at(1), 1), TrimmedError);
      assert.equal(await again.hasBlob(hash), true);
      assert.equal((await buffer((await again.latestSnapshot())!.body)).toString(), 'snap');
      assert.equal((await buffer((await again.latestSnapshot(at(3)))!.body)).toString(), 'older');
      assert.deepEqual(await again.append(at(5), body('6')), { kind: 'appended', position: 6 });
    });

  if (subject.options.troubles.includes('cut'))
    it('a cut connection loses nothing, and readers resume', async () => {
      const [reader, writer] = [await subject.harness.open(), await subject.harness.open()];
      const total = 300;
      const reading = take(reader, START, total);
      let cuts = 0;
      const outcome = await appendTimes(writer, 'w', total, (n) => {
        if (n % 60 !== 30) return;
        cuts++;
        subject.harness.cut!();
      });
      const records = await reading;
      assert.ok(cuts > 2);
      assert.deepEqual(
        records.map((record) => record.position),
        range(1, total),
      );
      assert.deepEqual(
        records.map(text),
        outcome.map(([, each]) => each),
      );
    });

  if (subject.options.troubles.includes('cut'))
    it('a connection that is cut anywhere loses nothing and doubles nothing', async () => {
      const [reader, writer] = [await subject.harness.open(), await subject.harness.open()];
      const points = [0, 1, 2, 5, 10, 20, 40, 60, 80, 120, 160, 200, 300, 500, 1000, 2000];
      const times = 12;
      const reading = take(reader, START, points.length * times);
      const written: string[] = [];
      for (const bytes of points) {
        subject.harness.cut!(bytes);
        written.push(...(await appendTimes(writer, `${bytes}`, times)).map(([, each]) => each));
      }
      assert.deepEqual(texts(await reading), written);
    });

  if (subject.options.troubles.includes('cut'))
    it('blobs go on where they were cut off, without being asked', async () => {
      for (const megabytes of [0.3, 1, 2.5, 3.9]) {
        const blob = testBlob(4);
        subject.harness.cut!(megabytes * 1024 * 1024);
        await subject.log.putBlob(blob.hash, blob);
        assert.equal(blob.opened.length, subject.options.bodies === 'here' ? 1 : 2, `opened at ${blob.opened}`);
        const download = (await subject.log.getBlob(blob.hash))!;
        subject.harness.cut!(megabytes * 1024 * 1024);
        assert.equal((await digestOf(download)).hash, blob.hash);
      }
    });

  if (subject.options.troubles.includes('freeze'))
    it('silence is noticed, and is not taken for failure', async () => {
      await fill(subject.log, 1);
      subject.harness.freeze!();
      const startedMs = performance.now();
      await assert.rejects(subject.log.append(at(1), body('2')), UncertainError);
      await assert.rejects(subject.log.head(), UnavailableError);
      assert.ok(performance.now() - startedMs < 2 * (subject.options.noticeMs ?? 0) + 3000);
      subject.harness.thaw!();
      await until(
        () =>
          subject.log.head().then(
            (head) => head >= 1,
            () => false,
          ),
        'an answer',
      );
    });

  if (subject.options.troubles.includes('freeze'))
    it('transfers and readers go on after a silence', async () => {
      let silent = false;
      const blob = testBlob(3, {
        onChunk: async (from) => {
          if (from < 2_000_000 || silent) return;
          silent = true;
          subject.harness.freeze!();
        },
      });
      const reading = take(await subject.harness.open(), START, 1);
      const idle = await subject.harness.open();
      await idle.head();
      const putting = subject.log.putBlob(blob.hash, blob);
      await until(() => silent, 'the silence');
      await assert.rejects(idle.head(), UnavailableError);
      const absent = testBlob(0);
      await assert.rejects(idle.putBlob(absent.hash, absent), UnavailableError);
      subject.harness.thaw!();
      await putting;
      assert.equal((await digestOf((await subject.log.getBlob(blob.hash))!)).hash, blob.hash);
      await appendTimes(subject.log, 'after', 1);
      assert.deepEqual(texts(await reading), ['after-0']);
    });

  if (subject.options.beside ?? true)
    it('another log beside it has nothing to do with it', async () => {
      const other = await subject.harness.beside!();
      await fill(subject.log, 3);
      const blob = testBlob(1);
      await subject.log.putBlob(blob.hash, blob);
      await subject.log.putSnapshot(at(2), Readable.from([Buffer.from('x')]));
      await subject.log.trim(at(2));
      assert.equal(await other.head(), 0);
      assert.equal(await other.trimmed(), 0);
      assert.equal(await other.hasBlob(blob.hash), false);
      assert.deepEqual(await other.snapshots(), []);
      assert.deepEqual(await other.append(START, body('theirs')), { kind: 'appended', position: 1 });
      assert.deepEqual(texts(await take(other, START, 1)), ['theirs']);
      assert.equal(await subject.log.head(), 3);
    });
}
