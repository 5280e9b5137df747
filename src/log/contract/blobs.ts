import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { type ContentHash, contentHash } from '../../tree/index.ts';
import { bytesSource } from '../blob-source.ts';
import type { BlobInfo, ChangeLog } from '../change-log.ts';
import type { LogSubject } from '../contract.ts';
import { BlobMismatchError } from '../errors.ts';
import { appendTimes, buffersInUse, collect, digestOf, range, status, testBlob, until } from './testing.ts';

const MB = 1024 * 1024;
const x = Buffer.from('x');
const hashOfX = contentHash(x);

export function blobsContract(subject: LogSubject): void {
  describe('blobs', () => {
    it('come back as they were', async () => {
      const blob = testBlob(5);
      const other = await subject.harness.open();
      assert.equal(await subject.log.hasBlob(blob.hash), false);
      assert.equal(await subject.log.getBlob(blob.hash), undefined);
      await subject.log.putBlob(blob.hash, blob);
      assert.equal(await other.hasBlob(blob.hash), true);
      assert.deepEqual(await digestOf((await other.getBlob(blob.hash))!), { hash: blob.hash, bytes: blob.size });
    });

    it('of 100 MB go through without ever being in memory, and are not sent twice when they are cut off', async () => {
      const streams = subject.options.streams !== false;
      const blob = testBlob(streams ? 100 : 20);
      const before = buffersInUse();
      let most = 0;
      let looked = 0;
      const look = (bytes: number) => {
        if (bytes < looked + 20 * MB) return;
        looked = bytes;
        most = Math.max(most, buffersInUse() - before);
      };
      if (subject.options.troubles.includes('cut'))
        subject.harness.cut!(Math.floor((0.3 + Math.random() * 0.6) * blob.size));
      const open = (from: number) => blob.open(from).on('data', () => look(blob.given));
      await subject.log.putBlob(blob.hash, { size: blob.size, open });
      // What was on its way when the connection was cut is lost, also what the system had taken from the sender.
      assert.ok(blob.opened.length === 1 || blob.opened[1]! > 0, `opened at ${blob.opened}`);
      assert.ok(blob.given < blob.size + 16 * MB, `${blob.given} bytes for a blob of ${blob.size}`);
      looked = 0;
      const received = await digestOf((await subject.log.getBlob(blob.hash))!, look);
      assert.deepEqual(received, { hash: blob.hash, bytes: blob.size });
      if (streams) assert.ok(most < 40 * MB, `${most} bytes`);
    });

    it('can be read from any byte', async () => {
      const bytes = Buffer.from('0123456789');
      const hash = contentHash(bytes);
      await subject.log.putBlob(hash, bytesSource(bytes));
      for (const from of [0, 1, 9, 10])
        assert.equal((await buffer((await subject.log.getBlob(hash, from))!)).toString(), '0123456789'.slice(from));
      for (const from of [11, -1, 0.5]) await assert.rejects(subject.log.getBlob(hash, from), RangeError);
    });

    it('go on where they broke off, whoever puts them', async () => {
      const isHere = subject.options.bodies === 'here';
      let wentOnAt = 0;
      // On a busy machine, what was sent last before the break may come in after the next one has asked: then it begins earlier.
      for (let size = 4; wentOnAt <= 1 * MB && size < 8; size++) {
        const broken = testBlob(size, { breakAt: 3 * MB });
        await assert.rejects(subject.log.putBlob(broken.hash, broken), /broke off/);
        assert.equal(await subject.log.hasBlob(broken.hash), false);
        assert.deepEqual(broken.opened, [0]);
        await (isHere ? subject.log : await subject.harness.open()).putBlob(broken.hash, broken);
        assert.equal(broken.opened.length, 2);
        wentOnAt = broken.opened[1]!;
        assert.equal((await digestOf((await subject.log.getBlob(broken.hash))!)).hash, broken.hash);
      }
      assert.ok(wentOnAt > 1 * MB && wentOnAt <= 3 * MB, `went on at ${wentOnAt}`);
    });

    it('that somebody began with wrong bytes are stored all the same', async () => {
      const right = testBlob(2);
      const wrong = testBlob(2, { breakAt: 1 * MB });
      await assert.rejects(subject.log.putBlob(right.hash, { size: right.size, open: (from) => wrong.open(from) }));
      await subject.log.putBlob(right.hash, right);
      assert.equal((await digestOf((await subject.log.getBlob(right.hash))!)).hash, right.hash);
    });

    it('that are there are not sent again, and count as stored just now', async () => {
      await subject.log.putBlob(hashOfX, bytesSource(x));
      const [first] = (await collect(subject.log.blobs())).flat();
      await new Promise((resolve) => setTimeout(resolve, 5));
      const unused = () => assert.fail('was opened');
      await (await subject.harness.open()).putBlob(hashOfX, { size: 1, open: unused });
      const [again] = (await collect(subject.log.blobs())).flat();
      assert.ok(again!.storedAt > first!.storedAt, `${first!.storedAt}, then ${again!.storedAt}`);
    });

    it('may be put by several at once', async () => {
      const blob = testBlob(3);
      const other = await subject.harness.open();
      await Promise.all([subject.log, other, subject.log].map((each) => each.putBlob(blob.hash, blob)));
      assert.equal((await digestOf((await subject.log.getBlob(blob.hash))!)).hash, blob.hash);
    });

    it('may be empty', async () => {
      const hash = contentHash(Buffer.alloc(0));
      await subject.log.putBlob(hash, bytesSource(Buffer.alloc(0)));
      assert.equal((await buffer((await subject.log.getBlob(hash))!)).length, 0);
    });

    it('with other bytes than the hash says, fewer or more, are refused', async () => {
      const sources = [
        bytesSource(Buffer.from('y')),
        { ...bytesSource(x), size: 0 },
        { ...bytesSource(Buffer.alloc(5 * MB)), size: 1 },
        bytesSource(Buffer.from('xx')),
      ];
      for (const source of sources) {
        await assert.rejects(subject.log.putBlob(hashOfX, source), BlobMismatchError);
        assert.equal(await subject.log.hasBlob(hashOfX), false);
      }
      await subject.log.putBlob(hashOfX, bytesSource(x));
      assert.equal(await subject.log.hasBlob(hashOfX), true);
    });

    it('that are too large are refused before a byte is sent', async () => {
      await subject.log.head();
      const most = subject.log.promises.blobBytesMax;
      const source = { size: most + 1, open: () => assert.fail('was opened') };
      await assert.rejects(subject.log.putBlob(hashOfX, source), (error) => {
        assert.ok(error instanceof RangeError);
        assert.ok(error.message.includes(`${most + 1}`) && error.message.includes(`${most} `), error.message);
        return true;
      });
      await assert.rejects(subject.log.putBlob(hashOfX, { ...source, size: -1 }), RangeError);
    });

    it('can be left in the middle', async () => {
      const blob = testBlob(4);
      await subject.log.putBlob(blob.hash, blob);
      for await (const _chunk of (await subject.log.getBlob(blob.hash))!) break;
      assert.equal(await subject.log.head(), 0);
    });

    it('travel side by side, and hold up neither appends nor signs of life', async () => {
      const handles = await Promise.all(range(1, 4).map(() => subject.harness.open()));
      const kept = testBlob(4);
      await subject.log.putBlob(kept.hash, kept);
      let going = true;
      const transfers = Promise.all(
        handles.map(async (handle, i) => {
          const blob = testBlob(4);
          if (i % 2 === 0) await handle.putBlob(blob.hash, blob);
          else assert.equal((await digestOf((await handle.getBlob(kept.hash))!)).hash, kept.hash);
        }),
      ).finally(() => {
        going = false;
      });
      // An upload and a download that do not move are no reason to wait, either.
      const stuck = Promise.withResolvers<void>();
      const halted = testBlob(4, { onChunk: (from) => (from > MB ? stuck.promise : Promise.resolve()) });
      const halting = subject.log.putBlob(halted.hash, halted);
      const unread = (await subject.log.getBlob(kept.hash))!;
      const beating = (async () => {
        for (let n = 1; going; n++) {
          await subject.log.announce(status('a', n));
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      })();
      assert.equal((await appendTimes(subject.log, 'w', 20)).length, 20);
      await transfers;
      await beating;
      stuck.resolve();
      await halting;
      assert.equal((await digestOf(unread)).hash, kept.hash);
    });

    it('are listed', async () => {
      assert.deepEqual((await collect(subject.log.blobs())).flat(), []);
      const before = Date.now();
      const bodies = range(1, 40).map((n) => Buffer.alloc(n, `${n}`));
      await Promise.all(bodies.map((bytes) => subject.log.putBlob(contentHash(bytes), bytesSource(bytes))));
      const listed = (await collect((await subject.harness.open()).blobs())).flat();
      const sizes = (each: Iterable<readonly [string, number]>) => [...each].sort((a, b) => a[1] - b[1]);
      assert.deepEqual(
        sizes(listed.map(({ hash, size }) => [hash, size] as const)),
        sizes(bodies.map((bytes) => [contentHash(bytes), bytes.length] as const)),
      );
      for (const { storedAt } of listed) {
        assert.equal(new Date(storedAt).toISOString(), storedAt);
        assert.ok(Date.parse(storedAt) >= before && Date.parse(storedAt) <= Date.now());
      }
    });

    it('are removed when they are older than a moment', async () => {
      const [old, young] = [Buffer.from('old'), Buffer.from('young')] as const;
      await subject.log.putBlob(contentHash(old), bytesSource(old));
      const moment = await later(subject.log, contentHash(old));
      await subject.log.putBlob(contentHash(young), bytesSource(young));
      await subject.log.removeBlobs([contentHash(old), contentHash(young), hashOfX], moment);
      const other = await subject.harness.open();
      assert.equal(await other.hasBlob(contentHash(old)), false);
      assert.equal(await other.getBlob(contentHash(old)), undefined);
      assert.equal(await other.hasBlob(contentHash(young)), true);
      await other.putBlob(contentHash(old), bytesSource(old));
      assert.equal((await buffer((await other.getBlob(contentHash(old)))!)).toString(), 'old');
    });

    it('that are put while they are removed stay', async () => {
      const other = await subject.harness.open();
      for (let i = 0; i < 20; i++) {
        await subject.log.putBlob(hashOfX, bytesSource(x));
        const moment = await later(subject.log, hashOfX);
        const both = [() => other.removeBlobs([hashOfX], moment), () => subject.log.putBlob(hashOfX, bytesSource(x))];
        await Promise.all((i % 2 === 0 ? both : both.reverse()).map((run) => run()));
        assert.equal((await buffer((await subject.log.getBlob(hashOfX))!)).toString(), 'x');
      }
    });

    it('that are removed while they are read come to their end, or fail', async () => {
      const blob = testBlob(4);
      await subject.log.putBlob(blob.hash, blob);
      const moment = await later(subject.log, blob.hash);
      const reading = digestOf((await subject.log.getBlob(blob.hash))!);
      await subject.log.removeBlobs([blob.hash], moment);
      assert.equal((await reading.catch(() => blob)).hash, blob.hash);
      assert.equal(await subject.log.hasBlob(blob.hash), false);
    });
  });
}

/** A moment after the one at which a blob was stored. */
async function later(log: ChangeLog, hash: ContentHash): Promise<string> {
  const { storedAt } = (await collect(log.blobs())).flat().find((each: BlobInfo) => each.hash === hash)!;
  await until(() => Date.now() > Date.parse(storedAt) + 1, 'the next moment');
  return new Date(Date.parse(storedAt) + 1).toISOString();
}
