import type { WebSocket } from 'ws';
import { UnavailableError, UncertainError } from '../../base/index.ts';
import type { LogPromises } from '../change-log.ts';
import { Wakeup } from '../wakeup.ts';
import type { Connected } from './connect.ts';
import { Heartbeat, Outlet } from './link.ts';
import { decode, encode, type PackedError, type Reply, type Request, unpackError } from './wire.ts';

/** The calls that are under way on one connection. */
export class Connection {
  /** Resolves with the reason. */
  readonly ended: Promise<Error>;
  readonly promises: LogPromises;
  readonly url: string;
  readonly #socket: WebSocket;
  readonly #outlet: Outlet;
  readonly #calls = new Map<number, Call>();
  readonly #streams = new Map<number, Stream>();
  #last = 0;
  #open = true;

  constructor({ socket, stream, promises }: Connected, url: string, heartbeatMs: number) {
    this.promises = promises;
    this.url = url;
    this.#socket = socket;
    this.#outlet = new Outlet(socket, stream);
    new Heartbeat(socket, heartbeatMs);
    socket.on('message', (data: Buffer) => this.#receive(data));
    this.ended = new Promise((resolve) => {
      socket.once('close', () => {
        this.#end();
        resolve(this.#lost());
      });
    });
  }

  get open(): boolean {
    return this.#open;
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /**
   * Makes a call. An answer that does not come in time ends the connection, for nothing is known of its other end.
   * @param uncertain  whether the call may have been carried out when no answer comes
   */
  call(request: (id: number) => Request, options: { timeoutMs: number; uncertain?: boolean }): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const id = ++this.#last;
      const lost = (why: string) =>
        options.uncertain
          ? new UncertainError(`${this.url}: ${why}; it is not known whether the record was written`)
          : new UnavailableError('log-unreachable', `${this.url}: ${why}`);
      if (!this.#open) return reject(this.#lost());
      const timer = setTimeout(() => {
        this.#calls.delete(id);
        reject(lost(`no answer within ${options.timeoutMs} ms`));
        this.terminate();
      }, options.timeoutMs);
      this.#calls.set(id, { resolve, reject, lost, timer });
      this.#outlet.send(encode(request(id)));
    });
  }

  /**
   * Asks for something that is answered until it is cancelled. Ends without error when the connection ends.
   * @param consumed  called with each reply when the next one is asked for
   */
  async *stream(
    request: (id: number) => Request,
    signal: AbortSignal,
    consumed: (reply: Reply, id: number) => void = () => {},
  ): AsyncIterableIterator<Reply> {
    const id = ++this.#last;
    const stream: Stream = { replies: [], arrived: new Wakeup() };
    this.#streams.set(id, stream);
    this.#outlet.send(encode(request(id)));
    try {
      while (!signal.aborted) {
        const reply = stream.replies.shift();
        if (reply === undefined) {
          if (!this.#open) return;
          await stream.arrived.wait(signal);
          continue;
        }
        if (reply.kind === 'failed') throw unpackError(reply.json as PackedError);
        yield reply;
        consumed(reply, id);
      }
    } finally {
      this.#streams.delete(id);
      this.#outlet.send(encode({ kind: 'cancel', id }));
    }
  }

  send(request: Request): void {
    this.#outlet.send(encode(request));
  }

  #receive(data: Buffer): void {
    let reply: Reply;
    try {
      reply = decode(data) as Reply;
    } catch {
      this.terminate();
      return;
    }
    const stream = this.#streams.get(reply.id);
    if (stream !== undefined) {
      stream.replies.push(reply);
      stream.arrived.wake();
      return;
    }
    const call = this.#calls.get(reply.id);
    if (call === undefined) return;
    this.#calls.delete(reply.id);
    clearTimeout(call.timer);
    if (reply.kind === 'failed') call.reject(unpackError(reply.json as PackedError));
    else call.resolve(reply);
  }

  #lost(): Error {
    return new UnavailableError('log-unreachable', `${this.url}: the connection was lost`);
  }

  #end(): void {
    this.#open = false;
    for (const { reject, lost, timer } of this.#calls.values()) {
      clearTimeout(timer);
      reject(lost('the connection was lost before it answered'));
    }
    this.#calls.clear();
    for (const stream of this.#streams.values()) stream.arrived.wake();
  }
}

interface Call {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
  readonly lost: (why: string) => Error;
  readonly timer: NodeJS.Timeout;
}

interface Stream {
  readonly replies: Reply[];
  readonly arrived: Wakeup;
}
