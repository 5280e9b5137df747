import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { systemClock, UnavailableError } from '../../base/index.ts';
import { LogClosedError } from '../errors.ts';
import { Patience } from '../patience.ts';
import type { NatsChannel } from './channel.ts';
import type { Link } from './link.ts';
import { type BodyName, lastWord, type Names } from './names.ts';
import { pull } from './pull.ts';
import type { Stored, Streams } from './streams.ts';

/** Bytes of a part, where the server takes messages of that size. */
const PART_BYTES = 256 * 1024;
/** For subject and headers. */
const OVERHEAD_BYTES = 2048;
/** Parts that are on their way at once. */
const WINDOW = 4;
const WHOLE_TRIES = { most: 5, pauseMs: 100 };

/** A body as the message describes it that says it is whole. */
export interface Body {
  readonly name: BodyName;
  readonly size: number;
  /** Of every part but the last. */
  readonly partBytes: number;
}

/** What is there of a body, from its beginning. */
export interface Begun {
  readonly body: Body;
  readonly parts: number;
  /** In bytes. */
  readonly stored: number;
}

export function partBytesOn(link: Link): number {
  return Math.min(PART_BYTES, link.payloadMax - OVERHEAD_BYTES);
}

export function partsOf(body: Body): number {
  return Math.ceil(body.size / body.partBytes);
}

/** A name for a new upload: whose it is, and what only this upload has. */
export function newBodyName(owner: string): BodyName {
  return `${owner}.${randomBytes(9).toString('base64url')}`;
}

/** Bytes of any length in the stream of bodies, as numbered parts. A part is written once and never changed. */
export class Bodies {
  readonly #channel: NatsChannel;
  readonly #streams: Streams;
  readonly #names: Names;
  readonly #heartbeatMs: number;

  constructor(channel: NatsChannel, streams: Streams, names: Names, heartbeatMs: number) {
    this.#channel = channel;
    this.#streams = streams;
    this.#names = names;
    this.#heartbeatMs = heartbeatMs;
  }

  /** Stores a part; refused if there is one with its number. */
  store(link: Link, name: BodyName, number: number, bytes: Uint8Array): Promise<Stored> {
    return this.#streams.store(link, this.#names.part(name, number), bytes, { lastOfSubject: 0 });
  }

  /** Whether all parts are there, in order: two who wrote the same one at the same time may have changed it. */
  async isWhole(link: Link, body: Body): Promise<boolean> {
    if ((await this.#streams.barrier(link, this.#names.barrier)) === undefined) throw nobody(link);
    for (let tries = 1; ; tries++) {
      let next = 0;
      let isInOrder = true;
      for await (const { number, bytes } of this.#headers(link, this.#names.part(body.name, '*'))) {
        const expected = Math.min(body.partBytes, body.size - next * body.partBytes);
        if (number !== next++ || bytes !== expected) isInOrder = false;
      }
      if (isInOrder && next === partsOf(body)) return true;
      // A server that only follows the stream's leader may not have seen all of it yet.
      if (!isInOrder || tries === WHOLE_TRIES.most) return false;
      await systemClock.sleep(WHOLE_TRIES.pauseMs, this.#channel.closing).catch(() => {});
    }
  }

  /** Removes the parts; never those of a body that somebody may still complete, unless all who could would see it fail. */
  remove(link: Link, name: BodyName): Promise<void> {
    return this.#streams.purge(link, this.#names.bodies, { filter: this.#names.part(name, '*') });
  }

  /** How many parts of each upload of an owner there are, and their sizes, in the order in which they were stored. */
  listed(link: Link, owner: string): AsyncGenerator<{ name: BodyName; number: number; bytes: number }> {
    return this.#headers(link, this.#names.part(`${owner}.*`, '*'));
  }

  /**
   * The bytes from `from` on. It goes on by itself when the connection is lost, and fails if the body is removed meanwhile.
   * @param whyNot  asked at the end, why what came is not right
   */
  stream(body: Body, from = 0, each?: (chunk: Uint8Array) => void, whyNot?: () => Error | undefined): Readable {
    const leaving = new AbortController();
    const signal = AbortSignal.any([leaving.signal, this.#channel.closing]);
    const pieces = async function* (this: Bodies) {
      for await (const piece of this.pieces(body, from, signal)) {
        each?.(piece);
        yield piece;
      }
      const error = whyNot?.();
      if (error !== undefined) throw error;
    };
    const readable = Readable.from(pieces.call(this), { objectMode: false, highWaterMark: PART_BYTES });
    readable.once('close', () => leaving.abort());
    return readable;
  }

  /** The same, for who does not need a stream. */
  async *pieces(body: Body, from: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const patience = new Patience(this.#channel.closing);
    for (let at = from; at < body.size; ) {
      try {
        const link = await this.#channel.connected();
        for await (const piece of this.#attempt(link, body, at, signal)) {
          patience.refresh();
          at += piece.length;
          yield piece;
        }
        if (this.#channel.closing.aborted) throw new LogClosedError();
        if (signal.aborted) return;
        if (at < body.size) throw missing(body);
      } catch (error) {
        await patience.bear(error);
      }
    }
  }

  async *#attempt(link: Link, body: Body, from: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let number = Math.floor(from / body.partBytes);
    let skip = from % body.partBytes;
    const { bodies, part } = this.#names;
    let first: number | undefined;
    if (number > 0) {
      first = (await this.#streams.last(link, bodies, part(body.name, number)))?.sequence;
      if (first === undefined) throw missing(body);
    }
    const filter = part(body.name, '*');
    for await (const batch of this.#pull(link, { filter, from: first, signal }))
      for (const { subject, data } of batch) {
        if (Number(lastWord(subject)) !== number) throw missing(body);
        number++;
        if (data.length > skip) yield data.subarray(skip);
        skip = 0;
      }
  }

  async *#headers(link: Link, filter: string): AsyncGenerator<{ name: BodyName; number: number; bytes: number }> {
    for await (const batch of this.#pull(link, { filter, headersOnly: true }))
      for (const { subject, headers } of batch) {
        const words = subject.split('.');
        yield {
          name: words.slice(-3, -1).join('.') as BodyName,
          number: Number(words.at(-1)),
          bytes: Number(headers?.get('Nats-Msg-Size')),
        };
      }
  }

  #pull(link: Link, options: { filter: string; from?: number; headersOnly?: boolean; signal?: AbortSignal }) {
    return pull(this.#streams, link, this.#names.bodies, {
      signal: this.#channel.closing,
      ...options,
      follow: false,
      heartbeatMs: this.#heartbeatMs,
    });
  }
}

/** A part with that number is there already: somebody else writes, too. */
export class PartTakenError extends Error {}

/** Sends parts, some at once, and tells when each is stored. */
export class PartWriter {
  readonly #bodies: Bodies;
  readonly #link: Link;
  readonly #body: Pick<Body, 'name' | 'partBytes'>;
  readonly #onStored: (bytes: Uint8Array) => void;
  #number: number;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #sent: Promise<void>[] = [];

  /** @param from  number of the first part to write */
  constructor(
    bodies: Bodies,
    link: Link,
    body: Pick<Body, 'name' | 'partBytes'>,
    from: number,
    onStored: (bytes: Uint8Array) => void,
  ) {
    this.#bodies = bodies;
    this.#link = link;
    this.#body = body;
    this.#number = from;
    this.#onStored = onStored;
  }

  /** @throws PartTakenError @throws UnavailableError */
  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + this.#body.partBytes - this.#bytes);
      this.#chunks.push(piece);
      this.#bytes += piece.length;
      at += piece.length;
      if (this.#bytes === this.#body.partBytes) await this.#send();
    }
  }

  /** Sends what is left as the last part, and waits until all are stored. */
  async end(): Promise<void> {
    if (this.#bytes > 0) await this.#send();
    await this.settle();
  }

  /** Waits until what was sent is stored; what does not fill a part is left out. */
  async settle(): Promise<void> {
    while (this.#sent.length > 0) await this.#sent.shift();
  }

  async #send(): Promise<void> {
    const bytes = Buffer.concat(this.#chunks, this.#bytes);
    this.#chunks = [];
    this.#bytes = 0;
    const before = this.#sent.at(-1) ?? Promise.resolve();
    const stored = this.#bodies.store(this.#link, this.#body.name, this.#number++, bytes);
    stored.catch(() => {});
    const settled = before.then(async () => {
      const { kind } = await stored;
      if (kind === 'nobody') throw nobody(this.#link);
      if (kind === 'refused') throw new PartTakenError(`part ${this.#number} of ${this.#body.name} is there already`);
      this.#onStored(bytes);
    });
    settled.catch(() => {});
    this.#sent.push(settled);
    if (this.#sent.length >= WINDOW) await this.#sent.shift();
  }
}

/** Nobody stored the message: its stream is without a leader. */
export function nobody(link: Link): Error {
  return new UnavailableError('log-unreachable', `${link.server}: the stream has no leader now`);
}

function missing(body: Body): Error {
  return new UnavailableError('body-missing', `the log no longer holds the whole of ${body.name}`);
}
