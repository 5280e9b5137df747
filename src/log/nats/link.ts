import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  errors,
  headers as headersOf,
  type Msg,
  type NatsConnection,
} from '@nats-io/transport-node';
import { messageOf, UnavailableError } from '../../base/index.ts';
import { LogRefusedError } from '../errors.ts';
import type { TlsIdentity } from '../websocket/index.ts';
import type { NatsPlace } from './url.ts';

export type { Msg };

export interface LinkOptions {
  readonly place: NatsPlace;
  /** One of the place's servers. */
  readonly server: string;
  /** What is shown and trusted, where the place names no files of its own. */
  readonly tls?: TlsIdentity;
  /** Name that the server shows for this connection. */
  readonly name: string;
  /** For the connection, and for a server that has fallen silent. */
  readonly timeoutMs: number;
  readonly heartbeatMs: number;
  /** Gives up connecting. */
  readonly signal?: AbortSignal;
}

interface Call {
  readonly subject: string;
  readonly timer: NodeJS.Timeout;
  settle(answer: Msg | Error): void;
}

/** Most milliseconds for an answer to "are you there". */
const PROBE_MS_MAX = 1000;

/**
 * One connection to one server: it ends, and is never resumed, so nothing that was handed to it can come through later. Calls
 * are sent in the order in which they are made.
 */
export class Link {
  /** `host:port` */
  readonly server: string;
  /** Most bytes of a message, its headers included. */
  readonly payloadMax: number;
  /** Whether the server belongs to a cluster of servers. */
  readonly clustered: boolean;
  /** Of the server. */
  readonly version: string;
  /** Resolves with the reason. */
  readonly ended: Promise<Error>;
  readonly #mourners = new Set<() => void>();
  readonly #connection: NatsConnection;
  readonly #timeoutMs: number;
  readonly #inbox: string;
  readonly #calls = new Map<string, Call>();
  #lastId = 0;
  #open = true;
  #failure: Error;
  #probing = false;
  #end!: (why: Error) => void;

  private constructor(connection: NatsConnection, options: LinkOptions) {
    const info = connection.info!;
    this.#connection = connection;
    this.#timeoutMs = options.timeoutMs;
    this.server = options.server;
    this.payloadMax = info.max_payload;
    this.clustered = (info as { cluster?: string }).cluster !== undefined;
    this.version = info.version;
    this.#failure = new UnavailableError('log-unreachable', `${this.server}: the connection was lost`);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#inbox = `_INBOX.${crypto.randomUUID()}`;
    this.subscribe(`${this.#inbox}.*`, (answer) => this.#settle(answer.subject.slice(this.#inbox.length + 1), answer));
    void connection.closed().then(() => this.terminate());
    void this.#watch();
  }

  /**
   * @throws LogRefusedError   the server will not have us
   * @throws UnavailableError  it cannot be reached
   */
  static async open(options: LinkOptions): Promise<Link> {
    const { place, server, name, timeoutMs, heartbeatMs } = options;
    let connection: NatsConnection;
    try {
      await greeted(server, timeoutMs, options.signal);
      connection = await connect({
        servers: [server],
        name,
        timeout: timeoutMs,
        reconnect: false,
        ignoreClusterUpdates: true,
        noAsyncTraces: true,
        pingInterval: heartbeatMs,
        maxPingOut: 2,
        ...loginOf(place),
        ...tlsOf(place, options.tls),
      });
    } catch (error) {
      throw refusalOf(error, server);
    }
    return new Link(connection, options);
  }

  get open(): boolean {
    return this.#open;
  }

  /**
   * Sends a message and waits for the answer, whatever it says.
   * @throws LogRefusedError   the server does not allow it
   * @throws UnavailableError  no answer came
   */
  call(
    subject: string,
    data: Uint8Array | string,
    options: { readonly headers?: Readonly<Record<string, string>>; readonly timeoutMs?: number } = {},
  ): Promise<Msg> {
    const { timeoutMs = this.#timeoutMs } = options;
    return new Promise<Msg>((resolve, reject) => {
      if (!this.#open) return reject(this.#failure);
      const id = (++this.#lastId).toString(36);
      const timer = setTimeout(() => {
        this.#settle(
          id,
          new UnavailableError('log-unreachable', `${this.server}: no answer within ${timeoutMs / 1000} s`),
        );
        void this.probe();
      }, timeoutMs);
      const settle = (answer: Msg | Error) => (answer instanceof Error ? reject(answer) : resolve(answer));
      this.#calls.set(id, { subject, timer, settle });
      try {
        this.publish(subject, data, { headers: options.headers, reply: `${this.#inbox}.${id}` });
      } catch (error) {
        this.#settle(id, error as Error);
      }
    });
  }

  publish(
    subject: string,
    data: Uint8Array | string,
    options: { readonly headers?: Readonly<Record<string, string>>; readonly reply?: string } = {},
  ): void {
    if (!this.#open) throw this.#failure;
    const { reply } = options;
    const headers = options.headers && headersOf();
    for (const [name, value] of Object.entries(options.headers ?? {})) headers!.set(name, value);
    this.#connection.publish(subject, data, { headers, reply });
  }

  /** @returns what ends it */
  subscribe(subject: string, each: (message: Msg) => void): () => void {
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) each(message);
      },
    });
    return () => {
      if (this.#open) subscription.unsubscribe();
    };
  }

  /** An address that nobody else has, to be subscribed to. */
  newInbox(): string {
    return `_INBOX.${crypto.randomUUID()}`;
  }

  /** Resolves when the server has handled what was sent before. @throws UnavailableError */
  async flush(timeoutMs = this.#timeoutMs): Promise<void> {
    if (!this.#open) throw this.#failure;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('late')), timeoutMs);
    });
    try {
      await Promise.race([this.#connection.flush(), late, this.ended.then(() => Promise.reject(this.#failure))]);
    } catch {
      this.terminate();
      throw this.#failure;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the connection if the server does not say that it is there. */
  async probe(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    await this.flush(Math.min(PROBE_MS_MAX, this.#timeoutMs)).catch(() => {});
    this.#probing = false;
  }

  /** @param step  done once when the connection ends. @returns what takes that back */
  whenEnded(step: () => void): () => void {
    if (!this.#open) step();
    else this.#mourners.add(step);
    return () => this.#mourners.delete(step);
  }

  terminate(failure = this.#failure): void {
    if (!this.#open) return;
    this.#open = false;
    this.#failure = failure;
    for (const id of [...this.#calls.keys()]) this.#settle(id, failure);
    void this.#connection.close().catch(() => {});
    for (const step of this.#mourners) step();
    this.#end(failure);
  }

  #settle(id: string, answer: Msg | Error): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    clearTimeout(call.timer);
    call.settle(answer);
  }

  /** What the server forbids is said beside the answers. */
  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type !== 'error' || !(status.error instanceof errors.PermissionViolationError)) continue;
      const { operation, subject } = status.error;
      const refusal = new LogRefusedError(
        `${this.server}: the user may not ${operation === 'publish' ? 'publish to' : 'subscribe to'} ${subject}; docs/engines/nats.md lists what a node needs`,
      );
      if (operation !== 'publish') this.terminate(refusal);
      for (const [id, call] of this.#calls) if (call.subject === subject) this.#settle(id, refusal);
    }
  }
}

/**
 * Waits until a server says something: it does so first. The client leaves the socket open for good when one accepts and is silent.
 */
function greeted(server: string, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  const colon = server.lastIndexOf(':');
  const host = server.slice(0, colon).replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port: Number(server.slice(colon + 1)), signal });
    const end = (error?: Error) => {
      clearTimeout(timer);
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    const timer = setTimeout(() => end(new Error('it does not answer')), timeoutMs);
    socket.once('data', () => end());
    socket.on('error', (error) => end(error));
    socket.once('close', () => end(new Error('it ended the connection')));
  });
}

function loginOf(place: NatsPlace): Partial<ConnectionOptions> {
  const { user, password: pass, token, creds } = place;
  return {
    ...(user === undefined ? {} : { user, pass }),
    ...(token === undefined ? {} : { token }),
    ...(creds === undefined ? {} : { authenticator: credsAuthenticator(readFileSync(creds)) }),
  };
}

function tlsOf(place: NatsPlace, identity: TlsIdentity = {}): Partial<ConnectionOptions> {
  const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file, 'utf8'));
  const own = place.cert === undefined ? identity : { cert: read(place.cert), key: read(place.key) };
  const parts = { ca: read(place.ca) ?? identity.ca, cert: own.cert, key: own.key };
  const given = Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
  const insists = place.encrypted || place.ca !== undefined || place.cert !== undefined;
  // Given at all, the client insists on TLS; a server that insists gets it either way.
  return insists ? { tls: given } : {};
}

function refusalOf(error: unknown, server: string): Error {
  if ((error as NodeJS.ErrnoException).syscall === 'open')
    return new LogRefusedError(`a file that the URL of the log names cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  if (error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError)
    return new LogRefusedError(
      `${server}: it does not let this node in (${messageOf(error)}); check user and password, or the creds file, in the URL of the log`,
      { cause: error },
    );
  const text = messageOf(error) || 'the connection was refused';
  if (/tls.*is not available|does not support '?tls/i.test(text))
    return new LogRefusedError(`${server}: it does not speak TLS; write nats:// for it, or give it a certificate`, {
      cause: error,
    });
  return new UnavailableError('log-unreachable', `${server}: ${text}`, { cause: error });
}
