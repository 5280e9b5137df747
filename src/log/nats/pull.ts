import { UnavailableError } from '../../base/index.ts';
import { Wakeup } from '../wakeup.ts';
import type { Link, Msg } from './link.ts';
import type { Streams } from './streams.ts';

/** A message of a stream, as it came. */
export interface Pulled {
  readonly subject: string;
  readonly sequence: number;
  /** When it was stored, in milliseconds, by the server's clock. */
  readonly storedMs: number;
  readonly headers: Msg['headers'];
  readonly data: Uint8Array;
}

export interface PullOptions {
  /** Default: all subjects of the stream. */
  readonly filter?: string;
  /** Sequence number to begin at. Default: the first. */
  readonly from?: number;
  readonly headersOnly?: boolean;
  /** Waits for more, and now and then yields nothing; otherwise it ends with what is there. */
  readonly follow: boolean;
  readonly heartbeatMs: number;
  readonly signal: AbortSignal;
}

/** Most that is asked for at once; a message is never larger, unless the server takes larger ones. */
const ASK = { messages: 1000, bytes: 4 * 1024 * 1024, overheadBytes: 4096 };
const EXPIRES_MS = 30_000;
/** A reader that asks for nothing for so long is forgotten by the server, and begins anew. */
const FORGOTTEN_MS = 60_000;
const END_KNOWN_MS = 500;
const NS_PER_MS = 1_000_000;

/**
 * What a stream holds, in order, without a message left out that was there. It is asked for in pieces, so that one who takes
 * nothing gets nothing.
 *
 * @throws UnavailableError  the connection was lost, or the server keeps no account of the reader any more: begin again after
 *                           what came
 */
export async function* pull(
  streams: Streams,
  link: Link,
  stream: string,
  options: PullOptions,
): AsyncGenerator<readonly Pulled[]> {
  const reading = new Pull(streams, link, stream, options);
  try {
    yield* reading.run();
  } finally {
    reading.stop();
  }
}

interface Consumer {
  readonly name: string;
  readonly num_pending: number;
}

function newConsumer(
  streams: Streams,
  link: Link,
  stream: string,
  { filter, from, headersOnly }: Pick<PullOptions, 'filter' | 'from' | 'headersOnly'>,
): Promise<Consumer> {
  return streams.request<Consumer>(link, `CONSUMER.CREATE.${stream}`, {
    stream_name: stream,
    config: {
      ...(from === undefined
        ? { deliver_policy: 'all' }
        : { deliver_policy: 'by_start_sequence', opt_start_seq: from }),
      ...(filter === undefined ? {} : { filter_subject: filter }),
      ...(headersOnly ? { headers_only: true } : {}),
      ack_policy: 'none',
      replay_policy: 'instant',
      inactive_threshold: FORGOTTEN_MS * NS_PER_MS,
      mem_storage: true,
      num_replicas: 1,
    },
  });
}

function forget(streams: Streams, link: Link, stream: string, consumer: string): void {
  if (link.open) link.publish(streams.address(`CONSUMER.DELETE.${stream}.${consumer}`), '', { reply: link.newInbox() });
}

class Pull {
  readonly #streams: Streams;
  readonly #link: Link;
  readonly #stream: string;
  readonly #options: PullOptions;
  readonly #wakeup = new Wakeup();
  readonly #heartbeatMs: number;
  readonly #silentMs: number;
  readonly #inbox: string;
  readonly #unsubscribe: () => void;
  readonly #forgetLink: () => void;
  #consumer: Consumer | undefined;
  #waiting: Pulled[] = [];
  #waitingBytes = 0;
  /** Of the consumer, for what came last. */
  #delivered = 0;
  /** Number of the request that is not done yet. */
  #asked = 0;
  #open = false;
  #heardMs = performance.now();
  #askBytes: number;
  #isEmpty = true;
  #expired = false;
  /** Messages that the request may still bring. */
  #remaining = 0;
  #atEnd = false;
  #failure: Error | undefined;

  constructor(streams: Streams, link: Link, stream: string, options: PullOptions) {
    this.#streams = streams;
    this.#link = link;
    this.#stream = stream;
    this.#options = options;
    this.#askBytes = Math.max(ASK.bytes, link.payloadMax + ASK.overheadBytes);
    // One who does not follow wants to know soon that there is nothing more.
    this.#heartbeatMs = options.follow ? options.heartbeatMs : Math.min(options.heartbeatMs, END_KNOWN_MS);
    this.#silentMs = 3 * options.heartbeatMs;
    this.#inbox = link.newInbox();
    // What is not stored on behalf of a request carries the subject that it was stored under: it is known by its subscription.
    this.#unsubscribe = link.subscribe(`${this.#inbox}.*`, (message) => this.#receive(message));
    this.#forgetLink = link.whenEnded(() => this.#wakeup.wake());
  }

  async *run(): AsyncGenerator<readonly Pulled[]> {
    const { follow, signal } = this.#options;
    this.#consumer = await newConsumer(this.#streams, this.#link, this.#stream, this.#options);
    if (!follow && this.#consumer.num_pending === 0) return;
    if (follow) yield [];
    while (!signal.aborted) {
      if (this.#expired) {
        this.#expired = false;
        // A moment for the caller to look around.
        if (follow) yield [];
      }
      this.#askIfRoom();
      if (this.#waiting.length > 0) {
        const batch = this.#waiting;
        this.#waiting = [];
        this.#waitingBytes = 0;
        yield batch;
        continue;
      }
      if (this.#atEnd && !follow) return;
      if (this.#failure !== undefined) throw this.#failure;
      if (!this.#link.open) throw lost(`${this.#link.server}: the connection was lost`);
      await this.#news();
    }
  }

  stop(): void {
    this.#forgetLink();
    this.#unsubscribe();
    if (this.#consumer !== undefined) forget(this.#streams, this.#link, this.#stream, this.#consumer.name);
  }

  #askIfRoom(): void {
    if (this.#open || this.#failure !== undefined || (this.#atEnd && !this.#options.follow)) return;
    if (this.#waitingBytes > this.#askBytes / 2 || !this.#link.open) return;
    this.#open = true;
    this.#isEmpty = true;
    this.#heardMs = performance.now();
    const heartbeatMs = this.#heartbeatMs;
    const expiresMs = Math.max(EXPIRES_MS, 3 * heartbeatMs);
    this.#link.publish(
      this.#streams.address(`CONSUMER.MSG.NEXT.${this.#stream}.${this.#consumer!.name}`),
      JSON.stringify({
        batch: ASK.messages,
        max_bytes: this.#askBytes,
        expires: expiresMs * NS_PER_MS,
        idle_heartbeat: heartbeatMs * NS_PER_MS,
      }),
      { reply: `${this.#inbox}.${++this.#asked}` },
    );
    this.#remaining = ASK.messages;
  }

  #receive(message: Msg): void {
    this.#heardMs = performance.now();
    if (message.subject.startsWith(this.#inbox)) this.#receiveStatus(message);
    else this.#receiveStored(message);
    this.#wakeup.wake();
  }

  #receiveStored(message: Msg): void {
    const place = placeOf(message.reply ?? '');
    if (place === undefined || this.#failure !== undefined) return;
    if (place.delivered !== this.#delivered + 1) {
      this.#failure = lost(`${this.#link.server}: a message did not come through`);
      return;
    }
    this.#delivered = place.delivered;
    this.#isEmpty = false;
    // A copy: the client's buffer holds many messages, and would be kept as long as one of them.
    const data = Buffer.from(message.data);
    this.#waiting.push({
      subject: message.subject,
      sequence: place.sequence,
      storedMs: place.storedMs,
      headers: message.headers,
      data,
    });
    this.#waitingBytes += data.length;
    this.#atEnd = place.pending === 0;
    if (--this.#remaining === 0) this.#open = false;
    if (!this.#open) this.#askIfRoom();
  }

  #receiveStatus(message: Msg): void {
    const code = message.headers?.code;
    if (code === 100) {
      // The server has nothing for us: what was still to come has been removed.
      this.#atEnd = true;
      return;
    }
    if (message.subject !== `${this.#inbox}.${this.#asked}` && code !== 503) return;
    const text = message.headers?.description ?? '';
    this.#open = false;
    if (code === 404 || code === 408) {
      this.#expired = true;
      return;
    }
    if (code === 409 && /maxbytes|batch completed/i.test(text)) {
      if (this.#isEmpty) this.#askBytes *= 2;
      this.#askIfRoom();
      return;
    }
    this.#failure = lost(`${this.#link.server}: reading broke off (${code} ${text})`);
  }

  /** Waits for something to come; silence is a failure. */
  async #news(): Promise<void> {
    const silentMs = this.#silentMs;
    const leftMs = this.#heardMs + silentMs - performance.now();
    if (leftMs <= 0) {
      this.#failure = lost(`${this.#link.server}: nothing was heard for ${silentMs / 1000} s`);
      void this.#link.probe();
      return;
    }
    const timer = setTimeout(() => this.#wakeup.wake(), Math.ceil(leftMs));
    await this.#wakeup.wait(this.#options.signal);
    clearTimeout(timer);
  }
}

/** What the server says about a message in its reply subject. */
function placeOf(
  reply: string,
): { sequence: number; delivered: number; storedMs: number; pending: number } | undefined {
  const words = reply.split('.');
  if (words[0] !== '$JS' || words[1] !== 'ACK' || words.length < 9) return undefined;
  // Newer servers put domain and account before the stream.
  const at = words.length >= 11 ? 4 : 2;
  return {
    sequence: Number(words[at + 3]),
    delivered: Number(words[at + 4]),
    storedMs: Number(words[at + 5]!.slice(0, -6)),
    pending: Number(words[at + 6]),
  };
}

function lost(message: string): Error {
  return new UnavailableError('log-unreachable', message);
}
