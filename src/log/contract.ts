import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { UnavailableError, UncertainError } from '../base/index.ts';
import { type ContentHash, contentHash, type Position, START } from '../tree/index.ts';
import { bytesSource } from './blob-source.ts';
import { type ChangeLog, type LogRecord, type NodeStatus, TrimmedError } from './change-log.ts';
import { BlobMismatchError } from './errors.ts';

/** A log engine for one test, and the ways to trouble it. */
export interface LogHarness {
  /** Another handle on the same log. */
  open(): Promise<ChangeLog>;
  /** Stops the engine and starts it again; handles from before may be of no use. Absent: the engine keeps nothing. */
  restart?(): Promise<void>;
  /** Cuts the connections of all handles; new ones can be made. */
  cut?(): void;
  /** From now on, requests are accepted and not answered, until `thaw`. */
  freeze?(): void;
  thaw?(): void;
  /** Ends everything, whatever state it is in. */
  dispose(): Promise<void>;
}

export interface LogContractOptions {
  /** After how long the harness' engine forgets a node, in milliseconds; short, for the test waits for it. */
  readonly peerTtlMs: number;
  /** The troubles that the harness can cause; others are not tested, for the engine cannot get into them. */
  readonly troubles: readonly Exclude<keyof LogHarness, 'open' | 'dispose' | 'thaw'>[];
  /** Longest time in which a frozen engine must be noticed, in milliseconds. */
  readonly noticeMs?: number;
}

/** What every `ChangeLog` must do, drivers and wrappers alike. */
export function logContract(name: string, start: () => Promise<LogHarness>, options: LogContractOptions): void {
  describe(`${name} keeps the contract of a log`, () => {
    let harness: LogHarness;
    let log: ChangeLog;
    beforeEach(async () => {
      harness = await start();
      log = await harness.open();
    });
    afterEach(() => harness.dispose());

    describe('append', () => {
      it('numbers records from 1', async () => {
        assert.equal(await log.head(), 0);
        for (let n = 1; n <= 3; n++)
          assert.deepEqual(await log.append(at(n - 1), body(n)), { kind: 'appended', position: n });
        assert.equal(await log.head(), 3);
      });

      it('leaves nothing when the head has moved', async () => {
        await fill(log, 2);
        for (const wrong of [0, 1, 3, 7])
          assert.deepEqual(await log.append(at(wrong), body('x')), { kind: 'head-moved', head: 2 });
        assert.equal(await log.head(), 2);
        assert.deepEqual(texts(await take(log, START, 2)), ['1', '2']);
      });

      it('lets exactly one of several writers have each place', async () => {
        const writers = await Promise.all([1, 2, 3, 4].map(() => harness.open()));
        const won = await Promise.all(writers.map((writer, w) => appendTimes(writer, `w${w}`, 25)));
        const records = await take(log, START, 100);
        assert.deepEqual(
          records.map((record) => record.position),
          range(1, 100),
        );
        const expected = new Map(won.flat());
        for (const record of records) assert.equal(text(record), expected.get(record.position));
      });

      it('takes appends on top of appends that are under way', async () => {
        const results = await Promise.all(range(0, 63).map((n) => log.append(at(n), body(n + 1))));
        assert.deepEqual(
          results.map((result) => result.kind === 'appended' && result.position),
          range(1, 64),
        );
        assert.deepEqual(texts(await take(log, START, 64)), range(1, 64).map(String));
      });

      it('carries a record of 10 MB, and an empty one', async () => {
        const big = randomBytes(10 * 1024 * 1024);
        await log.append(START, big);
        await log.append(at(1), new Uint8Array(0));
        const [first, second] = await take(await harness.open(), START, 2);
        assert.ok(big.equals(first!.body));
        assert.equal(second!.body.length, 0);
      });

      it('refuses a record that is too long, and writes nothing', async () => {
        await assert.rejects(log.append(START, new Uint8Array(log.promises.recordBytesMax + 1)), RangeError);
        assert.equal(await log.head(), 0);
      });

      it('has taken its own copy of the bytes when it resolves', async () => {
        const bytes = Buffer.from('before');
        await log.append(START, bytes);
        bytes.fill('x');
        assert.deepEqual(texts(await take(log, START, 1)), ['before']);
      });
    });

    describe('read', () => {
      it('replays from any position, then follows', async () => {
        await fill(log, 5);
        for (let from = 0; from <= 5; from++) {
          const reader = take(log, at(from), 8 - from);
          if (from === 5) await fill(log, 3, 5);
          else await take(log, at(from), 5 - from);
          if (from === 5) assert.deepEqual(texts(await reader), ['6', '7', '8']);
        }
        for (let from = 0; from < 8; from++)
          assert.deepEqual(texts(await take(log, at(from), 8 - from)), range(from + 1, 8).map(String));
      });

      it('gives slow and fast readers the same, in order and without gaps', async () => {
        const count = 400;
        const readers = [0, 1, 5].map(async (pause) => {
          const handle = await harness.open();
          return take(handle, START, count, async (n) => {
            for (let i = 0; i < pause && n % 50 === 0; i++) await new Promise((resolve) => setImmediate(resolve));
          });
        });
        const writer = await harness.open();
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

      it('wakes a reader that waits, through another handle', async () => {
        const waiting = take(await harness.open(), START, 1);
        await log.append(START, body('x'));
        assert.deepEqual(texts(await waiting), ['x']);
      });

      it('ends without error when aborted: before, while it waits, and between batches', async () => {
        assert.equal((await collect(log.read(START, AbortSignal.abort()))).length, 0);
        const waiting = new AbortController();
        const reader = collect(log.read(START, waiting.signal));
        await log.head();
        waiting.abort();
        assert.equal((await reader).length, 0);
        await fill(log, 3);
        const between = new AbortController();
        for await (const _batch of log.read(START, between.signal)) between.abort();
      });

      it('can be left in the middle', async () => {
        await fill(log, 3);
        for await (const _batch of log.read(START, new AbortController().signal)) break;
        assert.equal(await log.head(), 3);
      });
    });

    describe('head', () => {
      it('is not older than any append acknowledged before the call', async () => {
        const other = await harness.open();
        for (let n = 0; n < 50; n++) {
          await log.append(at(n), body(n));
          assert.equal(await other.head(), n + 1);
        }
      });
    });

    describe('snapshots', () => {
      it('there is none at first', async () => assert.equal(await log.latestSnapshot(), undefined));

      it('the one at the latest position is given', async () => {
        await fill(log, 9);
        await log.putSnapshot(at(3), Readable.from([Buffer.from('three')]));
        await log.putSnapshot(at(9), Readable.from([Buffer.from('ni'), Buffer.from('ne')]));
        await log.putSnapshot(at(5), Readable.from([Buffer.from('five')]));
        const snapshot = await (await harness.open()).latestSnapshot();
        assert.equal(snapshot?.at, 9);
        assert.equal((await buffer(snapshot!.body)).toString(), 'nine');
      });

      it('one that breaks off is not kept', async () => {
        await log.putSnapshot(at(0), Readable.from([Buffer.from('whole')]));
        await assert.rejects(log.putSnapshot(at(1), brokenStream()));
        const snapshot = await log.latestSnapshot();
        assert.equal(snapshot?.at, 0);
        assert.equal((await buffer(snapshot!.body)).toString(), 'whole');
      });
    });

    describe('blobs', () => {
      it('come back as they were', async () => {
        const { hash, bytes } = bigBlob(20);
        const other = await harness.open();
        assert.equal(await log.hasBlob(hash), false);
        assert.equal(await log.getBlob(hash), undefined);
        await log.putBlob(hash, bytesSource(bytes));
        assert.equal(await other.hasBlob(hash), true);
        const digest = createHash('sha256');
        for await (const chunk of (await other.getBlob(hash))!) digest.update(chunk as Buffer);
        assert.equal(digest.digest('hex'), hash);
      });

      it('may be put twice, by two at once', async () => {
        const hash = contentHash(Buffer.from('x'));
        const other = await harness.open();
        await Promise.all([log, other, log].map((each) => each.putBlob(hash, bytesSource(Buffer.from('x')))));
        assert.equal((await buffer((await log.getBlob(hash))!)).toString(), 'x');
      });

      it('may be empty', async () => {
        const hash = contentHash(Buffer.from(''));
        await log.putBlob(hash, bytesSource(Buffer.alloc(0)));
        assert.equal((await buffer((await log.getBlob(hash))!)).length, 0);
      });

      it('with other bytes than the hash says are refused', async () => {
        const hash = contentHash(Buffer.from('x'));
        await assert.rejects(log.putBlob(hash, bytesSource(Buffer.from('y'))), BlobMismatchError);
        assert.equal(await log.hasBlob(hash), false);
      });

      it('that break off are not kept', async () => {
        const hash = contentHash(Buffer.from('x'));
        await assert.rejects(log.putBlob(hash, { size: 2000, open: brokenStream }));
        assert.equal(await log.hasBlob(hash), false);
      });

      it('can be left in the middle', async () => {
        const { hash, bytes } = bigBlob(4);
        await log.putBlob(hash, bytesSource(bytes));
        for await (const _chunk of (await log.getBlob(hash))!) break;
        assert.equal(await log.head(), 0);
      });
    });

    describe('trim', () => {
      it('only goes up to the latest snapshot', async () => {
        await fill(log, 5);
        await assert.rejects(log.trim(at(1)), RangeError);
        await log.putSnapshot(at(3), Readable.from([Buffer.from('x')]));
        await assert.rejects(log.trim(at(4)), RangeError);
        assert.equal(await log.trimmed(), 0);
      });

      it('removes records, and who asks for them is told', async () => {
        await fill(log, 5);
        for (const position of [1, 3, 4]) await log.putSnapshot(at(position), Readable.from([Buffer.from('x')]));
        await log.trim(at(3));
        await log.trim(at(2));
        const other = await harness.open();
        assert.equal(await other.trimmed(), 3);
        const tooOld = (error: unknown) => error instanceof TrimmedError && error.trimmed === 3;
        for (const from of [0, 2]) await assert.rejects(take(other, at(from), 1), tooOld);
        assert.deepEqual(texts(await take(other, at(3), 2)), ['4', '5']);
        assert.deepEqual(await log.append(at(5), body('6')), { kind: 'appended', position: 6 });
      });
    });

    describe('peers', () => {
      it('appear, change, and are forgotten', async () => {
        const other = await harness.open();
        const stop = new AbortController();
        const lists: (readonly NodeStatus[])[] = [];
        const watching = (async () => {
          for await (const list of other.peers(stop.signal)) lists.push(list);
        })();
        const seen = (expected: string) => () =>
          lists
            .at(-1)
            ?.map((each) => `${each.name}@${each.position}`)
            .join() === expected;
        await until(() => lists.length > 0, 'a first list');
        assert.deepEqual(lists[0], []);
        await log.announce(status('b', 1));
        await log.announce(status('a', 1));
        await until(seen('a@1,b@1'), 'both');
        // Whoever goes on being heard of stays, the other goes.
        await until(
          async () => {
            await log.announce(status('a', 2));
            return seen('a@2')();
          },
          'one to be forgotten',
          options.peerTtlMs * 20 + 2000,
        );
        await until(seen(''), 'all to be forgotten', options.peerTtlMs * 20 + 2000);
        stop.abort();
        await watching;
      });
    });

    describe('close', () => {
      it('may be called twice', async () => {
        await log.close();
        await log.close();
      });

      it('ends readers and watchers with an error', async () => {
        const reader = assert.rejects(collect(log.read(START, new AbortController().signal)), UnavailableError);
        const watcher = assert.rejects(collect(log.peers(new AbortController().signal)), UnavailableError);
        await log.head();
        await log.close();
        await Promise.all([reader, watcher]);
      });

      it('settles what is under way', async () => {
        const calls: Promise<unknown>[] = range(0, 9).map((n) => log.append(at(n), body(n)));
        calls.push(log.head(), log.trimmed());
        const closing = log.close();
        for (const result of await Promise.allSettled(calls))
          if (result.status === 'rejected')
            assert.ok(
              result.reason instanceof UnavailableError || result.reason instanceof UncertainError,
              String(result.reason),
            );
        await closing;
      });

      const hash = contentHash(Buffer.from('x'));
      const calls: Record<Exclude<keyof ChangeLog, 'promises' | 'close'>, () => Promise<unknown>> = {
        append: () => log.append(START, body('x')),
        read: () => collect(log.read(START, new AbortController().signal)),
        head: () => log.head(),
        putSnapshot: () => log.putSnapshot(START, Readable.from([])),
        latestSnapshot: () => log.latestSnapshot(),
        putBlob: () => log.putBlob(hash, bytesSource(Buffer.from('x'))),
        hasBlob: () => log.hasBlob(hash),
        getBlob: () => log.getBlob(hash),
        announce: () => log.announce(status('a', 0)),
        peers: () => collect(log.peers(new AbortController().signal)),
        snapshots: () => log.snapshots(),
        blobs: () => collect(log.blobs()),
        removeBlobs: () => log.removeBlobs([hash], new Date().toISOString()),
        trim: () => log.trim(START),
        trimmed: () => log.trimmed(),
      };
      for (const [call, run] of Object.entries(calls))
        it(`refuses ${call} afterwards`, async () => {
          await log.close();
          await assert.rejects(run(), UnavailableError);
        });
    });

    describe('in trouble', () => {
      if (options.troubles.includes('restart'))
        it('a restart keeps everything', async () => {
          await fill(log, 5);
          const hash = contentHash(Buffer.from('x'));
          await log.putBlob(hash, bytesSource(Buffer.from('x')));
          await log.putSnapshot(at(2), Readable.from([Buffer.from('older')]));
          await log.putSnapshot(at(4), Readable.from([Buffer.from('snap')]));
          await log.trim(at(2));
          await harness.restart!();
          const again = await harness.open();
          assert.equal(await again.head(), 5);
          assert.equal(await again.trimmed(), 2);
          assert.deepEqual(texts(await take(again, at(2), 3)), ['3', '4', '5']);
          await assert.rejects(take(again, at(1), 1), TrimmedError);
          assert.equal(await again.hasBlob(hash), true);
          assert.equal((await buffer((await again.latestSnapshot())!.body)).toString(), 'snap');
          assert.equal((await buffer((await again.latestSnapshot(at(3)))!.body)).toString(), 'older');
          assert.deepEqual(await again.append(at(5), body('6')), { kind: 'appended', position: 6 });
        });

      if (options.troubles.includes('cut'))
        it('a cut connection loses nothing, and readers resume', async () => {
          const [reader, writer] = [await harness.open(), await harness.open()];
          const total = 300;
          const reading = take(reader, START, total);
          let cuts = 0;
          const outcome = await appendTimes(writer, 'w', total, (n) => {
            if (n % 60 !== 30) return;
            cuts++;
            harness.cut!();
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

      if (options.troubles.includes('freeze'))
        it('silence is noticed, and is not taken for failure', async () => {
          await fill(log, 1);
          harness.freeze!();
          const startedMs = performance.now();
          await assert.rejects(log.append(at(1), body('2')), UncertainError);
          await assert.rejects(log.head(), UnavailableError);
          assert.ok(performance.now() - startedMs < 2 * (options.noticeMs ?? 0) + 3000);
          harness.thaw!();
          await until(
            () =>
              log.head().then(
                (head) => head >= 1,
                () => false,
              ),
            'an answer',
          );
        });
    });
  });
}

const at = (position: number) => position as Position;
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const body = (value: unknown, length = 0) => Buffer.from(String(value).padEnd(length, ' '));
const text = (record: LogRecord) => Buffer.from(record.body).toString();
const texts = (records: readonly LogRecord[]) => records.map(text);

const status = (name: string, position: number): NodeStatus => ({
  name,
  url: `http://${name}:8080/geoserver`,
  role: 'both',
  version: '0.0.0',
  position: at(position),
  digest: '',
  startedAt: '2025-01-01T00:00:00.000Z',
  state: 'in-step',
  since: '2025-01-01T00:00:00.000Z',
  head: at(position),
  lagSeconds: 0,
  recordFormat: 1,
  readOnly: false,
  announcedAt: '2025-01-01T00:00:00.000Z',
});

async function fill(log: ChangeLog, count: number, after = 0): Promise<void> {
  for (let n = after; n < after + count; n++) await log.append(at(n), body(n + 1));
}

/** The first `count` records after a position. Fails when they do not come, or not in order. */
async function take(
  log: ChangeLog,
  from: Position,
  count: number,
  pause?: (n: number) => Promise<void>,
): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  if (count === 0) return records;
  for await (const batch of log.read(from, AbortSignal.timeout(20_000))) {
    for (const record of batch) {
      assert.equal(record.position, from + records.length + 1);
      records.push(record);
      await pause?.(records.length);
    }
    if (records.length >= count) return records.slice(0, count);
  }
  throw new Error(`only ${records.length} of ${count} records came`);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/**
 * Appends as a node does: after the head it knows, again when that has moved, and after looking in the log when it is not
 * known whether a record got there. @returns where each of its records stands
 */
async function appendTimes(
  log: ChangeLog,
  name: string,
  times: number,
  each?: (n: number) => void,
): Promise<[number, string][]> {
  const done: [number, string][] = [];
  let head: Position | undefined;
  for (let n = 0; n < times; n++) {
    each?.(n);
    const mine = `${name}-${n}`;
    for (;;) {
      const before: Position = head ?? (await persist(() => log.head()));
      try {
        const result = await log.append(before, body(mine));
        if (result.kind === 'appended') {
          head = result.position;
          done.push([head, mine]);
          break;
        }
        head = result.head;
      } catch (error) {
        if (!(error instanceof UncertainError) && !(error instanceof UnavailableError)) throw error;
        head = undefined;
        if (error instanceof UnavailableError) continue;
        const now = await persist(() => log.head());
        const found = (await take(log, before, now - before)).find((record) => text(record) === mine);
        if (found === undefined) continue;
        head = now;
        done.push([found.position, mine]);
        break;
      }
    }
  }
  return done;
}

/** Tries until the log can be reached. */
async function persist<T>(call: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + 20_000;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof UnavailableError) || performance.now() > deadlineMs) throw error;
    }
  }
}

export async function until(check: () => boolean | Promise<boolean>, what: string, withinMs = 10_000): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!(await check())) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${withinMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function brokenStream(): Readable {
  return Readable.from(
    (function* () {
      yield Buffer.alloc(1000);
      throw new Error('broke off');
    })(),
  );
}

function bigBlob(megabytes: number): { hash: ContentHash; bytes: Buffer } {
  const bytes = randomBytes(megabytes * 1024 * 1024);
  return { hash: contentHash(bytes), bytes };
}
