import { createHash } from 'node:crypto';
import { systemClock, UnavailableError, UncertainError } from '../../base/index.ts';
import { type Position, START } from '../../tree/index.ts';
import { type Appended, type HeadMoved, type LogRecord, TrimmedError } from '../change-log.ts';
import { isUnreachable, LogClosedError } from '../errors.ts';
import { type Bodies, type Body, newBodyName, nobody, PartWriter, partBytesOn } from './bodies.ts';
import type { NatsChannel } from './channel.ts';
import type { Link } from './link.ts';
import type { BodyName, Names } from './names.ts';
import { type Pulled, pull } from './pull.ts';
import type { StreamInfo, Streams } from './streams.ts';

/** A record that is larger names its body in this header: name, size, bytes of a part, SHA-256. */
const BODY_HEADER = 'Graticule-Body';
/** For the headers of a record that fits into a message. */
const OVERHEAD_BYTES = 1024;
const RETRY_MS = 50;
const FILL_AT_ONCE = 1000;

export interface RecordsOptions {
  readonly heartbeatMs: number;
  readonly appendWaitMs: number;
  /** How long an append waits for a stream that is without a leader. */
  readonly leaderWaitMs: number;
}

/** The records: messages of one stream, whose sequence numbers are the positions. */
export class Records {
  readonly #channel: NatsChannel;
  readonly #streams: Streams;
  readonly #names: Names;
  readonly #bodies: Bodies;
  readonly #options: RecordsOptions;
  /** Resolves when the appends before have been sent. */
  #sent: Promise<unknown> | undefined;

  constructor(channel: NatsChannel, streams: Streams, names: Names, bodies: Bodies, options: RecordsOptions) {
    this.#channel = channel;
    this.#streams = streams;
    this.#names = names;
    this.#bodies = bodies;
    this.#options = options;
  }

  async append(after: Position, body: Uint8Array): Promise<Appended | HeadMoved> {
    const link = await this.#channel.connected();
    if (body.length <= link.payloadMax - OVERHEAD_BYTES && this.#sent === undefined)
      return this.#store(link, after, body, {});
    // In the order in which they were asked for, however long it takes to bring the parts of one.
    const before = this.#sent;
    const sent = (async () => {
      await before?.catch(() => {});
      return this.#send(link, after, body);
    })();
    const turn = sent.catch(() => {});
    this.#sent = turn;
    void turn.then(() => {
      if (this.#sent === turn) this.#sent = undefined;
    });
    return (await sent).answer;
  }

  /** Asked in the stream's own order, so the answer is not older than any append before. */
  head(): Promise<Position> {
    return this.#channel.ask(async (link) => {
      const untilMs = performance.now() + this.#options.leaderWaitMs;
      for (;;) {
        const head = await this.#streams.barrier(link, this.#names.record);
        if (head !== undefined) return head as Position;
        if (performance.now() > untilMs) throw nobody(link);
        await systemClock.sleep(RETRY_MS, this.#channel.closing).catch(() => {});
      }
    });
  }

  async *read(after: Position, signal: AbortSignal): AsyncIterableIterator<readonly LogRecord[]> {
    let at = after;
    const either = AbortSignal.any([signal, this.#channel.closing]);
    for (;;) {
      const link = await this.#channel.next(either);
      if (signal.aborted) return;
      if (link === undefined) throw new LogClosedError();
      try {
        for await (const batch of this.#follow(link, at, either)) {
          if (either.aborted) break;
          at = batch.at(-1)!.position;
          yield batch;
        }
      } catch (error) {
        if (!isUnreachable(error) && !(error instanceof LogClosedError)) throw error;
        await systemClock.sleep(RETRY_MS, either).catch(() => {});
      }
    }
  }

  trimmed(): Promise<Position> {
    return this.#channel.ask((link) => this.#trimmedAt(link));
  }

  /**
   * Brings the head up to a position, with messages that are to be purged at once. Servers before 2.10 cannot make a stream begin at a
   * sequence number, and a purge beyond the end of a stream leaves them with two minds about what comes next.
   *
   * @throws UnavailableError  somebody else writes to the stream
   */
  async fill(link: Link, upTo: Position): Promise<void> {
    for (let head: number = await this.head(); head < upTo; ) {
      const next = Math.min(upTo, head + FILL_AT_ONCE);
      const stored = await Promise.all(
        Array.from({ length: next - head }, (_, n) =>
          this.#streams.store(link, this.#names.record, '', { last: head + n }, this.#options.appendWaitMs),
        ),
      );
      if (!stored.every(({ kind }) => kind === 'stored'))
        throw new UnavailableError('log-in-use', `somebody else writes to the stream ${this.#names.records}`);
      head = next;
    }
  }

  /** Removes the records up to a position. */
  purge(link: Link, upTo: Position): Promise<void> {
    return this.#streams.purge(link, this.#names.records, { seq: upTo + 1 });
  }

  async #send(link: Link, after: Position, body: Uint8Array): Promise<{ answer: Promise<Appended | HeadMoved> }> {
    if (body.length <= link.payloadMax - OVERHEAD_BYTES)
      return { answer: settledLater(this.#store(link, after, body, {})) };
    const partBytes = partBytesOn(link);
    const name = newBodyName(`r${after + 1}`);
    const writer = new PartWriter(this.#bodies, link, { name, partBytes }, 0, () => {});
    await writer.write(body);
    await writer.end();
    const sha256 = createHash('sha256').update(body).digest('hex');
    const header = `${name} ${body.length} ${partBytes} ${sha256}`;
    const answer = this.#store(link, after, new Uint8Array(0), { [BODY_HEADER]: header }).then((result) => {
      if (result.kind === 'head-moved') this.#bodies.remove(link, name).catch(() => {});
      return result;
    });
    return { answer: settledLater(answer) };
  }

  async #store(
    link: Link,
    after: Position,
    data: Uint8Array,
    headers: Record<string, string>,
  ): Promise<Appended | HeadMoved> {
    const untilMs = performance.now() + this.#options.leaderWaitMs;
    for (;;) {
      let answer: Awaited<ReturnType<Streams['store']>>;
      try {
        answer = await this.#streams.store(
          link,
          this.#names.record,
          data,
          { last: after, headers },
          this.#options.appendWaitMs,
        );
      } catch (error) {
        if (isUnreachable(error) || error instanceof LogClosedError)
          throw new UncertainError(`it is not known whether the record was written: ${(error as Error).message}`, {
            cause: error,
          });
        throw error;
      }
      if (answer.kind === 'stored') return { kind: 'appended', position: answer.sequence as Position };
      if (answer.kind === 'refused') return { kind: 'head-moved', head: answer.last as Position };
      // The stream has no leader, so nobody took the message.
      if (performance.now() > untilMs || !link.open) throw nobody(link);
      await systemClock.sleep(RETRY_MS, this.#channel.closing).catch(() => {});
    }
  }

  async *#follow(link: Link, after: Position, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
    const { heartbeatMs } = this.#options;
    let at: number = after;
    const options = { from: after + 1, follow: true, heartbeatMs, signal };
    for await (const messages of pull(this.#streams, link, this.#names.records, options)) {
      // There is nothing new: has what comes next been trimmed?
      if (messages.length === 0) {
        const trimmed = await this.#trimmedAt(link);
        if (trimmed > at) throw new TrimmedError(trimmed);
        continue;
      }
      let batch: LogRecord[] = [];
      for (const message of messages) {
        if (message.sequence !== at + 1) await this.#gap(link, at + 1);
        const header = message.headers?.get(BODY_HEADER);
        if (header && batch.length > 0) {
          yield batch;
          batch = [];
        }
        const body = header ? await this.#large(link, message, header, signal) : message.data;
        if (signal.aborted) return;
        batch.push({ position: ++at as Position, body });
      }
      yield batch;
    }
  }

  /** The record that should come next did not. @throws always */
  async #gap(link: Link, next: number): Promise<never> {
    const trimmed = await this.#trimmedAt(link);
    if (trimmed >= next) throw new TrimmedError(trimmed);
    throw new UnavailableError(
      'log-damaged',
      `the stream ${this.#names.records} no longer holds the record ${next}: restore it from a backup`,
    );
  }

  async #large(link: Link, message: Pulled, header: string, signal: AbortSignal): Promise<Uint8Array> {
    const [name, size, partBytes, sha256] = header.split(' ');
    const body: Body = { name: name as BodyName, size: Number(size), partBytes: Number(partBytes) };
    const digest = createHash('sha256');
    const pieces: Uint8Array[] = [];
    try {
      for await (const piece of this.#bodies.pieces(body, 0, signal)) {
        digest.update(piece);
        pieces.push(piece);
      }
      if (!signal.aborted && digest.digest('hex') !== sha256) throw new Error('its hash differs');
    } catch (error) {
      if (isUnreachable(error) || error instanceof LogClosedError) throw error;
      const trimmed = await this.#trimmedAt(link);
      if (trimmed >= message.sequence) throw new TrimmedError(trimmed);
      throw new UnavailableError(
        'log-damaged',
        `the stream ${this.#names.bodies} no longer holds the record ${message.sequence} as it was written: restore it from a backup`,
        { cause: error },
      );
    }
    return Buffer.concat(pieces);
  }

  async #trimmedAt(link: Link): Promise<Position> {
    return trimmedOf(await this.#streams.info(link, this.#names.records));
  }
}

function trimmedOf({ state }: StreamInfo): Position {
  if (state.messages === 0) return state.last_seq as Position;
  return (state.first_seq === 0 ? START : state.first_seq - 1) as Position;
}

/** So that a failure is not taken for one that nobody handles, while it waits to be looked at. */
function settledLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
