import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { START } from '../../tree/index.ts';
import type { LogSubject } from '../contract.ts';
import { appendTimes, at, body, buffersInUse, collect, fill, range, take, text, texts } from './testing.ts';

export function recordsContract(subject: LogSubject): void {
  describe('append', () => {
    it('numbers records from 1', async () => {
      assert.equal(await subject.log.head(), 0);
      for (let n = 1; n <= 3; n++)
        assert.deepEqual(await subject.log.append(at(n - 1), body(n)), { kind: 'appended', position: n });
      assert.equal(await subject.log.head(), 3);
    });

    it('leaves nothing when the head has moved', async () => {
      await fill(subject.log, 2);
      for (const wrong of [0, 1, 3, 7])
        assert.deepEqual(await subject.log.append(at(wrong), body('x')), { kind: 'head-moved', head: 2 });
      assert.equal(await subject.log.head(), 2);
      assert.deepEqual(texts(await take(subject.log, START, 2)), ['1', '2']);
    });

    it('lets exactly one of eight writers have each place', async () => {
      const writers = await Promise.all(range(1, 8).map(() => subject.harness.open()));
      const won = await Promise.all(writers.map((writer, w) => appendTimes(writer, `w${w}`, 25)));
      const records = await take(subject.log, START, 200);
      assert.deepEqual(
        records.map((record) => record.position),
        range(1, 200),
      );
      const expected = new Map(won.flat());
      for (const record of records) assert.equal(text(record), expected.get(record.position));
    });

    it('takes appends on top of appends that are under way', async () => {
      const results = await Promise.all(range(0, 63).map((n) => subject.log.append(at(n), body(n + 1))));
      assert.deepEqual(
        results.map((result) => result.kind === 'appended' && result.position),
        range(1, 64),
      );
      assert.deepEqual(texts(await take(subject.log, START, 64)), range(1, 64).map(String));
    });

    it('carries a record of 10 MB, and an empty one', async () => {
      const big = randomBytes(10 * 1024 * 1024);
      await subject.log.append(START, big);
      await subject.log.append(at(1), new Uint8Array(0));
      const [first, second] = await take(await subject.harness.open(), START, 2);
      assert.ok(big.equals(first!.body));
      assert.equal(second!.body.length, 0);
    });

    it('refuses a record that is too long, and writes nothing', async () => {
      await assert.rejects(
        subject.log.append(START, new Uint8Array(subject.log.promises.recordBytesMax + 1)),
        RangeError,
      );
      assert.equal(await subject.log.head(), 0);
    });

    it('has taken its own copy of the bytes when it resolves', async () => {
      const bytes = Buffer.from('before');
      await subject.log.append(START, bytes);
      bytes.fill('x');
      assert.deepEqual(texts(await take(subject.log, START, 1)), ['before']);
    });
  });

  describe('read', () => {
    it('replays from any position, then follows', async () => {
      await fill(subject.log, 5);
      for (let from = 0; from <= 5; from++) {
        const reader = take(subject.log, at(from), 8 - from);
        if (from === 5) await fill(subject.log, 3, 5);
        else await take(subject.log, at(from), 5 - from);
        if (from === 5) assert.deepEqual(texts(await reader), ['6', '7', '8']);
      }
      for (let from = 0; from < 8; from++)
        assert.deepEqual(texts(await take(subject.log, at(from), 8 - from)), range(from + 1, 8).map(String));
    });

    it('gives slow and fast readers the same, in order and without gaps', async () => {
      const count = 400;
      const readers = [0, 1, 5].map(async (pause) => {
        const handle = await subject.harness.open();
        return take(handle, START, count, async (n) => {
          for (let i = 0; i < pause && n % 50 === 0; i++) await new Promise((resolve) => setImmediate(resolve));
        });
      });
      const writer = await subject.harness.open();
      for (let n = 0; n < count; n += 20)
        await Promise.all(range(n, n + 19).map((before) => writer.append(at(before), body(`${before + 1}`, 5000))));
      for (const records of await Promise.all(readers)) {
        assert.deepEqual(
          records.map((record) => record.position),
          range(1, count),
        );
        assert.ok(records.every((record) => text(record).startsWith(`${record.position}`)));
      }
    });

    it('is not held up by a reader who takes nothing, and does not fill the memory for him', async () => {
      const [slow, fast] = [await subject.harness.open(), await subject.harness.open()];
      const stop = new AbortController();
      const idle = slow.read(START, stop.signal)[Symbol.asyncIterator]();
      await subject.log.append(START, body('first'));
      assert.deepEqual(texts((await idle.next()).value!), ['first']);
      const before = buffersInUse();
      const count = subject.options.recordMegabytes ?? 100;
      const reading = (async () => {
        let last = 1;
        for await (const batch of fast.read(at(1), AbortSignal.timeout(20_000))) {
          last = batch.at(-1)!.position;
          if (last > count) return last;
        }
        return last;
      })();
      const megabyte = randomBytes(1024 * 1024);
      for (let n = 1; n <= count; n++) await subject.log.append(at(n), megabyte);
      assert.equal(await reading, count + 1);
      // A log keeps some of the newest records, and there are buffers on the way.
      if (subject.options.streams !== false) assert.ok(buffersInUse() - before < 50 * 1024 * 1024);
      const next = await idle.next();
      assert.equal(next.value![0]!.position, 2);
      stop.abort();
      await idle.return?.();
    });

    it('wakes a reader that waits, through another handle', async () => {
      const waiting = take(await subject.harness.open(), START, 1);
      await subject.log.append(START, body('x'));
      assert.deepEqual(texts(await waiting), ['x']);
    });

    it('ends without error when aborted: before, while it waits, and between batches', async () => {
      assert.equal((await collect(subject.log.read(START, AbortSignal.abort()))).length, 0);
      const waiting = new AbortController();
      const reader = collect(subject.log.read(START, waiting.signal));
      await subject.log.head();
      waiting.abort();
      assert.equal((await reader).length, 0);
      await fill(subject.log, 3);
      const between = new AbortController();
      for await (const _batch of subject.log.read(START, between.signal)) between.abort();
    });

    it('can be left in the middle', async () => {
      await fill(subject.log, 3);
      for await (const _batch of subject.log.read(START, new AbortController().signal)) break;
      assert.equal(await subject.log.head(), 3);
    });
  });

  describe('head', () => {
    it('is not older than any append acknowledged before the call', async () => {
      const other = await subject.harness.open();
      for (let n = 0; n < 50; n++) {
        await subject.log.append(at(n), body(n));
        assert.equal(await other.head(), n + 1);
      }
    });
  });
}
