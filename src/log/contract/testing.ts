import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { UnavailableError, UncertainError } from '../../base/index.ts';
import type { ContentHash, Position } from '../../tree/index.ts';
import type { BlobSource, ChangeLog, LogRecord, NodeStatus } from '../change-log.ts';

export { until } from '../../../test/waiting.ts';

export const at = (position: number) => position as Position;
export const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
export const body = (value: unknown, length = 0) => Buffer.from(String(value).padEnd(length, ' '));
export const text = (record: LogRecord) => Buffer.from(record.body).toString();
export const texts = (records: readonly LogRecord[]) => records.map(text);

export const status = (name: string, position: number): NodeStatus => ({
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

export async function fill(log: ChangeLog, count: number, after = 0): Promise<void> {
  for (let n = after; n < after + count; n++) await log.append(at(n), body(n + 1));
}

/** The first `count` records after a position. Fails when they do not come, or not in order. */
export async function take(
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

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/**
 * Appends as a node does: after the head it knows, again when that has moved, and after looking in the log when it is not
 * known whether a record got there. @returns where each of its records stands
 */
export async function appendTimes(
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
export async function persist<T>(call: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + 20_000;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof UnavailableError) || performance.now() > deadlineMs) throw error;
    }
  }
}

export function brokenStream(): Readable {
  return Readable.from(
    (function* () {
      yield Buffer.alloc(1000);
      throw new Error('broke off');
    })(),
  );
}

export interface TestBlob extends BlobSource {
  readonly hash: ContentHash;
  /** Where it was opened, each time. */
  readonly opened: number[];
  /** How many bytes it has given. */
  given: number;
}

const MB = 1024 * 1024;

/**
 * A blob of any size that takes no memory: the same random bytes again and again, each time numbered.
 * @param options.breakAt   the byte at which it fails the first time that it is opened
 * @param options.onChunk   awaited before each piece
 */
export function testBlob(
  megabytes: number,
  options: { readonly breakAt?: number; readonly onChunk?: (at: number) => Promise<void> } = {},
): TestBlob {
  const noise = randomBytes(MB);
  const nth = (n: number) => {
    const bytes = Buffer.from(noise);
    bytes.writeUInt32BE(n);
    return bytes;
  };
  const digest = createHash('sha256');
  for (let n = 0; n < megabytes; n++) digest.update(nth(n));
  async function* pieces(from: number, until: number): AsyncGenerator<Buffer> {
    let megabyte = nth(0);
    for (let at = from; at < until; ) {
      await options.onChunk?.(at);
      if (at === from || at % MB === 0) megabyte = nth(Math.floor(at / MB));
      const piece = megabyte.subarray(at % MB, Math.min((at % MB) + 100_000, until - at + (at % MB)));
      at += piece.length;
      blob.given += piece.length;
      yield piece;
    }
    if (until < blob.size) throw new Error('broke off');
  }
  const blob: TestBlob = {
    size: megabytes * MB,
    hash: digest.digest('hex') as ContentHash,
    opened: [],
    given: 0,
    open(from) {
      blob.opened.push(from);
      const until = blob.opened.length === 1 ? (options.breakAt ?? blob.size) : blob.size;
      return Readable.from(pieces(from, until), { objectMode: false });
    },
  };
  return blob;
}

/** The hash of what comes, and how much. */
export async function digestOf(
  body: Readable,
  each?: (received: number) => void | Promise<void>,
): Promise<{ hash: string; bytes: number }> {
  const digest = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    digest.update(chunk);
    bytes += chunk.length;
    await each?.(bytes);
  }
  return { hash: digest.digest('hex'), bytes };
}

/** Bytes of buffers that are in use, garbage not counted. */
export function buffersInUse(): number {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  // The second time finishes what the first one has left to other threads.
  gc();
  gc();
  return process.memoryUsage().arrayBuffers;
}
