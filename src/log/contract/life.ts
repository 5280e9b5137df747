import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { UnavailableError, UncertainError } from '../../base/index.ts';
import { contentHash, START } from '../../tree/index.ts';
import { bytesSource } from '../blob-source.ts';
import type { ChangeLog, NodeStatus } from '../change-log.ts';
import type { LogSubject } from '../contract.ts';
import { at, body, collect, digestOf, range, status, testBlob, until } from './testing.ts';

/** The nodes' signs of life, and the end of a handle. */
export function lifeContract(subject: LogSubject): void {
  describe('peers', () => {
    it('appear, change, and are forgotten', async () => {
      const other = await subject.harness.open();
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
      await subject.log.announce(status('b', 1));
      await subject.log.announce(status('a', 1));
      await until(seen('a@1,b@1'), 'both');
      // Whoever goes on being heard of stays, the other goes.
      await until(
        async () => {
          await subject.log.announce(status('a', 2));
          return seen('a@2')();
        },
        'one to be forgotten',
        subject.options.peerTtlMs * 20 + 2000,
      );
      await until(seen(''), 'all to be forgotten', subject.options.peerTtlMs * 20 + 2000);
      stop.abort();
      await watching;
    });
  });

  describe('close', () => {
    it('may be called twice', async () => {
      await subject.log.close();
      await subject.log.close();
    });

    it('ends readers and watchers with an error', async () => {
      const reader = assert.rejects(collect(subject.log.read(START, new AbortController().signal)), UnavailableError);
      const watcher = assert.rejects(collect(subject.log.peers(new AbortController().signal)), UnavailableError);
      await subject.log.head();
      await subject.log.close();
      await Promise.all([reader, watcher]);
    });

    it('settles what is under way', async () => {
      const kept = testBlob(8);
      await subject.log.putBlob(kept.hash, kept);
      const download = (await subject.log.getBlob(kept.hash))!;
      const begun = Promise.withResolvers<void>();
      const slow = testBlob(50, {
        onChunk: async (from) => {
          if (from > 0) begun.resolve();
          await new Promise((resolve) => setTimeout(resolve, 5));
        },
      });
      const calls: Promise<unknown>[] = [subject.log.putBlob(slow.hash, slow)];
      await begun.promise;
      calls.push(subject.log.putSnapshot(START, slow.open(0)));
      calls.push(...range(0, 9).map((n) => subject.log.append(at(n), body(n))));
      calls.push(subject.log.head(), subject.log.trimmed(), digestOf(download), collect(subject.log.blobs()));
      const closing = subject.log.close();
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
      append: () => subject.log.append(START, body('x')),
      read: () => collect(subject.log.read(START, new AbortController().signal)),
      head: () => subject.log.head(),
      putSnapshot: () => subject.log.putSnapshot(START, Readable.from([])),
      latestSnapshot: () => subject.log.latestSnapshot(),
      putBlob: () => subject.log.putBlob(hash, bytesSource(Buffer.from('x'))),
      hasBlob: () => subject.log.hasBlob(hash),
      getBlob: () => subject.log.getBlob(hash),
      announce: () => subject.log.announce(status('a', 0)),
      peers: () => collect(subject.log.peers(new AbortController().signal)),
      snapshots: () => subject.log.snapshots(),
      blobs: () => collect(subject.log.blobs()),
      removeBlobs: () => subject.log.removeBlobs([hash], new Date().toISOString()),
      trim: () => subject.log.trim(START),
      trimmed: () => subject.log.trimmed(),
    };
    for (const [call, run] of Object.entries(calls))
      it(`refuses ${call} afterwards`, async () => {
        await subject.log.close();
        await assert.rejects(run(), UnavailableError);
      });
  });
}
