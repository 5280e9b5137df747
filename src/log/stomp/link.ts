import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { messageOf, UnavailableError } from '../../base/index.ts';
import { LogRefusedError } from '../errors.ts';
import type { TlsIdentity } from '../websocket/index.ts';
import { encodeFrame, type Frame, FrameReader, type Headers } from './frames.ts';
import type { StompPlace, StompServer } from './url.ts';

export interface LinkOptions {
  readonly place: StompPlace;
  /** One of the place's servers. */
  readonly server: StompServer;
  readonly tls?: TlsIdentity;
  /** For the connection, and for receipts. */
  readonly timeoutMs: number;
  readonly heartbeatMs: number;
  /** Gives up connecting. */
  readonly signal?: AbortSignal;
}

/** A message that a subscription was given. */
export interface Message {
  readonly headers: Headers;
  readonly body: Buffer;
}

/** One frame to be sent. */
export type Sending = readonly [command: string, headers: Headers, body?: Uint8Array];

interface Receipt {
  readonly timer: NodeJS.Timeout;
  settle(error?: Error): void;
}

/** What is written waits longer for its answer when it is long, and a broker must be faster than this. */
const BYTES_PER_MS_MIN = 256;

/**
 * One connection to one broker: it ends, and is never resumed. What is sent together leaves in one write, so that a broker gets a
 * transaction as a whole.
 */
export class Link {
  /** `host:port` */
  readonly server: string;
  /** Resolves with the reason. */
  readonly ended: Promise<Error>;
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #receipts = new Map<string, Receipt>();
  readonly #subscriptions = new Map<string, (message: Message) => void>();
  readonly #mourners = new Set<(why: Error) => void>();
  readonly #beat: NodeJS.Timeout;
  #lastId = 0;
  #heardMs = performance.now();
  #failure: Error | undefined;
  #end!: (why: Error) => void;

  private constructor(socket: Socket, reader: FrameReader, options: LinkOptions) {
    const { heartbeatMs, timeoutMs, server } = options;
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
    this.server = nameOf(server);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    socket.on('data', (data) => this.#take(reader, data));
    socket.on('error', (error) => this.terminate(this.#lost(messageOf(error), error)));
    socket.on('close', () => this.terminate(this.#lost('the connection was lost')));
    this.#beat = setInterval(() => {
      if (performance.now() - this.#heardMs > 3 * heartbeatMs) this.terminate(this.#lost('it has fallen silent'));
      else socket.write('\n');
    }, heartbeatMs).unref();
  }

  /**
   * @throws LogRefusedError   the broker will not have us, or is none that speaks STOMP
   * @throws UnavailableError  it cannot be reached
   */
  static async open(options: LinkOptions): Promise<Link> {
    const { socket, reader } = await greeted(options);
    return new Link(socket, reader, options);
  }

  get open(): boolean {
    return this.#failure === undefined;
  }

  /** Sends frames in one write. @throws what ended the connection */
  send(...frames: readonly Sending[]): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#socket.cork();
    for (const [command, headers, body] of frames) this.#socket.write(encodeFrame(command, headers, body));
    this.#socket.uncork();
  }

  /**
   * Sends frames in one write, and waits for the broker's receipt for the last one.
   * @throws LogRefusedError | UnavailableError  what the broker says is wrong with one of them, or what ended the connection
   */
  confirm(...frames: readonly Sending[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const id = this.newId();
      const [command, headers, body] = frames.at(-1)!;
      try {
        this.send(...frames.slice(0, -1), [command, { ...headers, receipt: id }, body]);
      } catch (error) {
        return reject(error);
      }
      const timeoutMs = this.#timeoutMs + this.#socket.writableLength / BYTES_PER_MS_MIN;
      const timer = setTimeout(
        () => this.terminate(this.#lost(`no answer within ${Math.round(timeoutMs) / 1000} s`)),
        timeoutMs,
      );
      this.#receipts.set(id, { timer, settle: (error) => (error === undefined ? resolve() : reject(error)) });
    });
  }

  /** Sends frames in a transaction: all of them have happened when it resolves, or none. When it rejects, that is not known. */
  async transaction(...frames: readonly Sending[]): Promise<void> {
    const transaction = this.newId();
    await this.confirm(
      ['BEGIN', { transaction }],
      ...frames.map(([command, headers, body]): Sending => [command, { ...headers, transaction }, body]),
      ['COMMIT', { transaction }],
    );
  }

  /** @param each  given every message as it comes. Resolves when the broker has taken it down. */
  async subscribe(destination: string, headers: Headers, each: (message: Message) => void): Promise<void> {
    const id = this.newId();
    this.#subscriptions.set(id, each);
    await this.confirm(['SUBSCRIBE', { id, destination, ...headers }]);
  }

  newId(): string {
    return `${++this.#lastId}`;
  }

  /** @param step  done once when the connection ends. @returns what takes that back */
  whenEnded(step: (why: Error) => void): () => void {
    if (this.#failure !== undefined) step(this.#failure);
    else this.#mourners.add(step);
    return () => this.#mourners.delete(step);
  }

  terminate(why: Error = this.#lost('the connection was given up')): void {
    if (this.#failure !== undefined) return;
    this.#failure = why;
    clearInterval(this.#beat);
    this.#socket.destroy();
    for (const id of [...this.#receipts.keys()]) this.#settle(id, why);
    for (const step of this.#mourners) step(why);
    this.#end(why);
  }

  #take(reader: FrameReader, data: Buffer): void {
    this.#heardMs = performance.now();
    try {
      for (const frame of reader.take(data)) {
        if (this.#failure !== undefined) return;
        this.#receive(frame);
      }
    } catch (error) {
      this.terminate(this.#lost(messageOf(error), error));
    }
  }

  #receive({ command, headers, body }: Frame): void {
    if (command === 'MESSAGE') this.#subscriptions.get(headers.subscription!)?.({ headers, body });
    else if (command === 'RECEIPT') this.#settle(headers['receipt-id']!);
    else if (command === 'ERROR') {
      const error = refusalOf(this.server, headers, body);
      const id = headers['receipt-id'];
      // Without a receipt nobody knows which frame it was.
      if (id === undefined || !this.#receipts.has(id)) this.terminate(error);
      else this.#settle(id, error);
    }
  }

  #settle(id: string, error?: Error): void {
    const receipt = this.#receipts.get(id);
    if (receipt === undefined) return;
    this.#receipts.delete(id);
    clearTimeout(receipt.timer);
    receipt.settle(error);
  }

  #lost(why: string, cause?: unknown): Error {
    return new UnavailableError('log-unreachable', `${this.server}: ${why}`, { cause });
  }
}

/** A connection to a broker that has said CONNECTED. */
function greeted(options: LinkOptions): Promise<{ socket: Socket; reader: FrameReader }> {
  const { place, server, timeoutMs, heartbeatMs, signal } = options;
  const name = nameOf(server);
  return new Promise((resolve, reject) => {
    const { host, port } = server;
    const socket = server.encrypted
      ? connectTls({ host, port, servername: /^[\d.]+$|:/.test(host) ? '' : host, ...options.tls })
      : connectPlain({ host, port });
    socket.setNoDelay();
    const reader = new FrameReader();
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.off('error', onError);
    };
    const fail = (error: Error) => {
      settle();
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const unreachable = (why: string, cause?: unknown) =>
      fail(new UnavailableError('log-unreachable', `${name}: ${why}`, { cause }));
    const refused = (why: string, cause?: unknown) => fail(new LogRefusedError(`${name}: ${why}`, { cause }));
    const timer = setTimeout(() => unreachable(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
    const onAbort = () => unreachable('the log has been closed');
    const onClose = () => unreachable('it ended the connection');
    const onError = (error: NodeJS.ErrnoException) => {
      const why = explainTls(error, server);
      if (why === undefined) unreachable(messageOf(error) || `${error.code}`, error);
      else refused(why, error);
    };
    const onData = (data: Buffer) => {
      if (data.subarray(0, 20).includes('ActiveMQ'))
        return refused(
          "this is the broker's OpenWire connector; a node speaks STOMP: write the port of the broker's STOMP connector, 61613 unless its file says otherwise",
        );
      try {
        for (const frame of reader.take(data)) {
          if (frame.command === 'CONNECTED') {
            settle();
            return resolve({ socket, reader });
          }
          if (frame.command === 'ERROR') return fail(whyNotConnected(name, frame));
          return refused('it does not speak STOMP 1.2');
        }
      } catch (error) {
        refused('it does not speak STOMP', error);
      }
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) return onAbort();
    socket.on('data', onData);
    socket.on('close', onClose);
    socket.on('error', onError);
    socket.once(server.encrypted ? 'secureConnect' : 'connect', () => {
      socket.write(
        encodeFrame('CONNECT', {
          'accept-version': '1.2',
          host: server.host,
          'heart-beat': `${heartbeatMs},${heartbeatMs}`,
          ...(place.user === undefined ? {} : { login: place.user }),
          ...(place.password === undefined ? {} : { passcode: place.password }),
        }),
      );
    });
  });
}

function nameOf({ host, port }: StompServer): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** What comes from a broker, as far as it can stand in a log. */
function said(headers: Headers, body: Buffer): string {
  const text = headers.message ?? body.toString('utf8', 0, 300).split('\n', 1)[0] ?? '';
  return text.replace(/\p{C}/gu, ' ').slice(0, 300).trim();
}

function whyNotConnected(server: string, { headers, body }: Frame): Error {
  const text = said(headers, body);
  if (/password|authenticat|security|credential|not authorized/i.test(text))
    return new LogRefusedError(
      `${server}: the broker does not let this node in (${text}); check user and password in the URL of the log`,
    );
  return new UnavailableError('log-unreachable', `${server}: ${text}`);
}

function refusalOf(server: string, headers: Headers, body: Buffer): Error {
  const text = said(headers, body);
  if (/not authorized/i.test(text))
    return new LogRefusedError(`${server}: ${text}; docs/engines/activemq.md lists what a node needs`);
  if (/store is full|no space|usage manager|limit reached/i.test(text))
    return new UnavailableError('log-full', `${server}: the broker's store is full: ${text}`);
  // Which of its frames was refused, and why, is told to the broker's own log alone.
  if (/rollback only/i.test(text))
    return new UnavailableError(
      'log-failed',
      `${server}: the broker took a transaction back, as it does when its store is full; its log says why`,
    );
  return new UnavailableError('log-failed', `${server}: ${text}`);
}

function explainTls(error: NodeJS.ErrnoException, server: StompServer): string | undefined {
  const { code = '', message } = error;
  if (!server.encrypted) return undefined;
  if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return `it does not speak TLS there (${message.split('\n', 1)[0]}); write stomp:// for it, or the port of its stomp+ssl connector`;
  if (/^CERT_|^ERR_TLS_CERT|CERT$|SIGNATURE|^SELF_SIGNED|ISSUER/.test(code))
    return `its certificate is not accepted (${code}); --tls-ca names the certificate of the authority`;
  return undefined;
}
