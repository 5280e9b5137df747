import { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import { messageOf, UnavailableError } from '../../base/index.ts';
import type { ContentHash, Position } from '../../tree/index.ts';
import { type PackedError, unpackError } from './wire.ts';

/*
 * A connection for long bodies, one after the other. Text messages are JSON, binary ones a piece of the body, whose end is `{"end":true}`: nothing
 * is taken for whole that did not come to its end.
 *
 *   client  {"put":"blob","hash":"...","size":123}        client  {"get":"blob","hash":"...","from":0}
 *   server  {"send":0}   from this byte on                server  {"found":true}
 *   client  pieces, end                                   server  pieces, end        or {"broken":why}
 *   server  {"done":true}  or {"failed":why}                                         or {"failed":why} instead of found
 *
 * The server asks for the bytes that it does not have (none at all when it is done at once), and may ask once more. When a
 * request is done, another may follow; after a failure the connection ends.
 */

export type PutRequest =
  | { readonly put: 'blob'; readonly hash: ContentHash; readonly size: number }
  | { readonly put: 'snapshot'; readonly at: Position };

export type GetRequest =
  | { readonly get: 'blob'; readonly hash: ContentHash; readonly from: number }
  | { readonly get: 'snapshot'; readonly upTo?: Position }
  /** The body is one line of JSON a batch. */
  | { readonly get: 'blobs' };

/** Has no body, and may take long. */
export interface RemoveRequest {
  readonly remove: readonly ContentHash[];
  readonly storedBefore: string;
}

export type TransferRequest = PutRequest | GetRequest | RemoveRequest;

export type TransferReply =
  | { readonly send: number }
  | { readonly done: true }
  | { readonly found: boolean; readonly at?: Position }
  | { readonly failed: PackedError };

/** The side that sends could not go on. */
interface Broken {
  readonly broken: PackedError;
}

const END = '{"end":true}';
/** So many bytes may wait in this process. */
const WAITING_BYTES_MAX = 1024 * 1024;
const CHUNK_BYTES_MAX = 64 * 1024;
/** A transfer is given up when nothing moved for so long. */
export const STALLED_MS = 20_000;

/** One end of a connection for a transfer. To be made before anything can come. */
export class TransferLink {
  /** Whether a request is being carried out. */
  busy = false;
  readonly #socket: WebSocket;
  #stalled: NodeJS.Timeout;
  readonly #messages: unknown[] = [];
  readonly #body: Readable[] = [];
  #waiting: PromiseWithResolvers<unknown> | undefined;
  #paused = false;
  #ended: Error | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.#stalled = this.#watch();
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      this.#stalled.refresh();
      if (isBinary) this.#receiveBytes(data);
      else this.#receiveText(data.toString());
    });
    // The other side is at work.
    socket.on('ping', () => this.#stalled.refresh());
    socket.once('close', () => this.#end('the connection broke off during a transfer'));
    socket.once('error', (error) => this.#end(`the connection broke off during a transfer: ${messageOf(error)}`));
  }

  get open(): boolean {
    return this.#ended === undefined;
  }

  say(message: TransferRequest | TransferReply | Broken): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** The next message; one at a time. @throws UnavailableError  the connection ended first */
  async hear<Message>(): Promise<Message> {
    if (this.#messages.length > 0) return this.#messages.shift() as Message;
    if (this.#ended !== undefined) throw this.#ended;
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise as Promise<Message>;
  }

  /**
   * The body that comes next; asked for before the other side can send it. It fails when the connection ends too early; what
   * comes after it was destroyed is thrown away.
   */
  body(): Readable {
    const body: Readable = new Readable({
      highWaterMark: WAITING_BYTES_MAX,
      read: () => this.#flow(),
      destroy: (error, done) => {
        this.#flow();
        done(error);
      },
    });
    // A body that nobody reads any more must not fail where nobody listens.
    body.on('error', () => {});
    this.#body.push(body);
    if (this.#ended !== undefined) body.destroy(this.#ended);
    return body;
  }

  /** Sends a body to its end. @throws UnavailableError  the connection ended first; otherwise what the body failed with */
  async send(body: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of body)
      for (let at = 0; at < chunk.length; at += CHUNK_BYTES_MAX) {
        await this.#write(chunk.subarray(at, at + CHUNK_BYTES_MAX));
        this.#stalled.refresh();
      }
    if (this.#ended !== undefined) throw this.#ended;
    this.endBody();
  }

  /** Marks the end of a body; also of one that the other side did not want to the end. */
  endBody(): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(END);
  }

  /** Ends the connection when everything that was said has been sent. */
  close(): void {
    this.#socket.close();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #write(chunk: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const waits = this.#socket.bufferedAmount + chunk.length > WAITING_BYTES_MAX;
      this.#socket.send(chunk, { binary: true }, (error) => {
        if (error) reject(this.#ended ?? brokeOff(`the connection broke off during a transfer: ${error.message}`));
        else if (waits) resolve();
      });
      if (!waits) resolve();
    });
  }

  #receiveBytes(data: Buffer): void {
    const body = this.#body[0];
    if (body === undefined) this.terminate();
    else {
      if (!body.destroyed && !body.push(data)) this.#pause();
      this.#rest();
    }
  }

  /** One piece a turn of the event loop, so that a fast sender does not keep this process from its other work. */
  #rest(): void {
    this.#socket.pause();
    setImmediate(() => this.#paused || this.#socket.resume());
  }

  #receiveText(text: string): void {
    if (text === END) {
      const body = this.#body.shift();
      if (!body?.destroyed) body?.push(null);
      return;
    }
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      this.terminate();
      return;
    }
    if (typeof message === 'object' && message !== null && 'broken' in message) {
      this.#body.shift()?.destroy(unpackError((message as Broken).broken));
      return;
    }
    this.#messages.push(message);
    this.#waiting?.resolve(this.#messages.shift());
    this.#waiting = undefined;
  }

  /** While this side does not want more, the other's silence means nothing. */
  #pause(): void {
    this.#paused = true;
    this.#socket.pause();
    clearTimeout(this.#stalled);
  }

  #flow(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
    if (this.open) this.#stalled = this.#watch();
  }

  #watch(): NodeJS.Timeout {
    return setTimeout(() => this.terminate(), STALLED_MS).unref();
  }

  #end(why: string): void {
    if (this.#ended !== undefined) return;
    clearTimeout(this.#stalled);
    this.#ended = brokeOff(why);
    for (const body of this.#body) body.destroy(this.#ended);
    this.#waiting?.reject(this.#ended);
    this.#waiting = undefined;
  }
}

function brokeOff(why: string): UnavailableError {
  return new UnavailableError('log-unreachable', why);
}
