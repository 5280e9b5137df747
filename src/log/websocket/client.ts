import type { Readable } from 'node:stream';
import { type Logger, messageOf, silentLogger, systemClock, UnavailableError } from '../../base/index.ts';
import type { ContentHash, Position } from '../../tree/index.ts';
import type {
  Appended,
  BlobInfo,
  BlobSource,
  ChangeLog,
  HeadMoved,
  LogPromises,
  LogRecord,
  NodeStatus,
  SnapshotBody,
  SnapshotInfo,
} from '../change-log.ts';
import { checkBlobBytes, checkRecordBytes, LogClosedError, LogRefusedError } from '../errors.ts';
import { Wakeup } from '../wakeup.ts';
import type { TlsIdentity } from './certificates.ts';
import { connect, LOG_WAITS } from './connect.ts';
import { Connection } from './connection.ts';
import { type ClusterSecrets, DEFAULT_GROUP, secretsOf } from './handshake.ts';
import { Transfers } from './transfers.ts';
import { parseLogUrl } from './url.ts';
import { bytesOf, CREDIT_BYTES, type Reply, type Request } from './wire.ts';

/** Knows where a log is that may move. */
export interface LogFinder {
  /** URLs to try, in this order; asked before each attempt. None: not known now. */
  urls(): readonly string[];
  /** For people, when there are none. */
  whyNone(): string;
}

export interface WebSocketLogOptions {
  /** `ws://host:port`, `wss://host/path`, `failover:(ws://a,ws://b)`, or who knows. */
  readonly url: string | LogFinder;
  /** The cluster's secret, or several, of which the first is presented. */
  readonly secret: string | ClusterSecrets;
  /** Group of the cluster: a log of another group refuses this node. Default: `geoserver-cluster`. */
  readonly group?: string;
  /** For `wss://`: asked at each connection, as certificates are renewed. */
  readonly tls?: () => TlsIdentity;
  /** Name of this node, for the server's log. */
  readonly name: string;
  readonly logger?: Logger;
  /** How long a call waits for a connection, in milliseconds. Default: 2000. */
  readonly connectionWaitMs?: number;
  /** How long a call waits for its answer, and a connection for its handshake. Default: 5000. */
  readonly answerWaitMs?: number;
  /** How long an append waits for its answer. Default: 15,000. */
  readonly appendWaitMs?: number;
  /** Milliseconds between signs of life; a connection that is silent for three times as long is cut. Default: 2000. */
  readonly heartbeatMs?: number;
}

/** `taking`: one of several servers is about to have the log. */
/** Another server that does not answer is not waited for longer, while one is about to have the log. */
const HANDSHAKE_TAKING_MS = 1000;
const RETRY_MS = { first: 50, most: 2000, taking: 200, refused: 10_000 };
/** Until the first server has said what it promises. */
const ASSUMED: LogPromises = { durability: 'memory', recordBytesMax: 32 * 1024 * 1024, blobBytesMax: 64 * 1024 ** 3 };

/**
 * A log that another process serves. Returns at once and connects by itself, again and again; of several servers it stays with
 * the first that answers.
 *
 * @throws UserError  the URL is none of a log
 */
export function openWebSocketLog(options: WebSocketLogOptions): ChangeLog {
  const { url } = options;
  if (typeof url !== 'string') return new WebSocketLog(url, options);
  const urls = parseLogUrl(url);
  return new WebSocketLog({ urls: () => urls, whyNone: () => '' }, options);
}

class WebSocketLog implements ChangeLog {
  readonly #finder: LogFinder;
  readonly #options: WebSocketLogOptions;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  readonly #changed = new Wakeup();
  readonly #running: Promise<void>;
  readonly #transfers: Transfers;
  #connection: Connection | undefined;
  #promises = ASSUMED;
  /** Why there is no connection. */
  #failure: Error | undefined;
  /** In this round, a server said that it waits to have the log. */
  #taking = false;

  constructor(finder: LogFinder, options: WebSocketLogOptions) {
    this.#finder = finder;
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.#transfers = new Transfers(async () => {
      const { url } = await this.#connected();
      return (await this.#connect(url, 'transfer')).socket;
    }, this.#closing.signal);
    this.#running = this.#stayConnected();
  }

  get promises(): LogPromises {
    return this.#promises;
  }

  async append(after: Position, body: Uint8Array): Promise<Appended | HeadMoved> {
    checkRecordBytes(body, this.#promises.recordBytesMax);
    const connection = await this.#connected();
    const timeoutMs = this.#options.appendWaitMs ?? 15_000;
    const reply = await connection.call((id) => ({ kind: 'append', id, after, body }), { timeoutMs, uncertain: true });
    if (reply.kind === 'appended') return { kind: 'appended', position: reply.position };
    if (reply.kind === 'head-moved') return { kind: 'head-moved', head: reply.position };
    throw unexpected(reply);
  }

  async *read(after: Position, signal: AbortSignal): AsyncIterableIterator<readonly LogRecord[]> {
    let at = after;
    const either = AbortSignal.any([signal, this.#closing.signal]);
    for (;;) {
      const connection = await this.#nextConnection(either);
      if (signal.aborted) return;
      if (connection === undefined) throw new LogClosedError();
      const from = at;
      let consumed = 0;
      const credit = (reply: Reply, id: number) => {
        if (reply.kind === 'records') consumed += bytesOf(reply.records);
        // Not for each: a small record's thanks would cost both ends more than the record.
        if (consumed < CREDIT_BYTES) return;
        connection.send({ kind: 'credit', id, bytes: consumed });
        consumed = 0;
      };
      try {
        for await (const reply of connection.stream((id) => ({ kind: 'read', id, position: from }), either, credit)) {
          if (reply.kind !== 'records') throw unexpected(reply);
          at = reply.records.at(-1)!.position;
          yield reply.records;
        }
      } catch (error) {
        await this.#startOver(connection, error);
      }
    }
  }

  head(): Promise<Position> {
    return this.#position((id) => ({ kind: 'head', id }));
  }

  trimmed(): Promise<Position> {
    return this.#position((id) => ({ kind: 'trimmed', id }));
  }

  async trim(upTo: Position): Promise<void> {
    await this.#call((id) => ({ kind: 'trim', id, position: upTo }));
  }

  putSnapshot(at: Position, body: Readable): Promise<void> {
    return this.#transfers.putSnapshot(at, body);
  }

  latestSnapshot(upTo?: Position): Promise<SnapshotBody | undefined> {
    return this.#transfers.getSnapshot(upTo);
  }

  async snapshots(): Promise<readonly SnapshotInfo[]> {
    const reply = await this.#call((id) => ({ kind: 'snapshots', id }));
    if (reply.kind !== 'list') throw unexpected(reply);
    return reply.json as readonly SnapshotInfo[];
  }

  async putBlob(hash: ContentHash, source: BlobSource): Promise<void> {
    checkBlobBytes(hash, source.size, this.#promises.blobBytesMax);
    await this.#transfers.putBlob(hash, source);
  }

  async hasBlob(hash: ContentHash): Promise<boolean> {
    return (await this.#call((id) => ({ kind: 'has-blob', id, hash }))).kind === 'yes';
  }

  getBlob(hash: ContentHash, from = 0): Promise<Readable | undefined> {
    return this.#transfers.getBlob(hash, from);
  }

  blobs(): AsyncIterable<readonly BlobInfo[]> {
    return this.#transfers.blobs();
  }

  removeBlobs(hashes: readonly ContentHash[], storedBefore: string): Promise<void> {
    return this.#transfers.removeBlobs(hashes, storedBefore);
  }

  async announce(status: NodeStatus): Promise<void> {
    await this.#call((id) => ({ kind: 'announce', id, json: status }));
  }

  async *peers(signal: AbortSignal): AsyncIterableIterator<readonly NodeStatus[]> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    for (;;) {
      const connection = await this.#nextConnection(either);
      if (signal.aborted) return;
      if (connection === undefined) throw new LogClosedError();
      try {
        for await (const reply of connection.stream((id) => ({ kind: 'peers', id }), either)) {
          if (reply.kind !== 'nodes') throw unexpected(reply);
          yield reply.json as readonly NodeStatus[];
        }
      } catch (error) {
        await this.#startOver(connection, error);
      }
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#connection?.terminate();
    this.#changed.wake();
    await this.#running;
  }

  async #position(request: (id: number) => Request): Promise<Position> {
    const reply = await this.#call(request);
    if (reply.kind !== 'position') throw unexpected(reply);
    return reply.position;
  }

  async #call(request: (id: number) => Request): Promise<Reply> {
    return (await this.#connected()).call(request, { timeoutMs: this.#options.answerWaitMs ?? 5000 });
  }

  /** The connection, waiting for it a little. @throws UnavailableError  why there is none */
  async #connected(): Promise<Connection> {
    const deadlineMs = performance.now() + (this.#options.connectionWaitMs ?? 2000);
    for (;;) {
      if (this.#closing.signal.aborted) throw new LogClosedError();
      if (this.#connection?.open) return this.#connection;
      if (this.#failure instanceof LogRefusedError) throw this.#failure;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0)
        throw new UnavailableError(
          'log-unreachable',
          `the log cannot be reached: ${this.#failure?.message ?? 'no connection yet'}`,
          {
            cause: this.#failure,
          },
        );
      await this.#changed.wait(AbortSignal.timeout(Math.ceil(leftMs)));
    }
  }

  /** The connection, waiting for it as long as it takes; undefined when the signal is aborted first. */
  async #nextConnection(signal: AbortSignal): Promise<Connection | undefined> {
    while (!signal.aborted) {
      if (this.#connection?.open) return this.#connection;
      await this.#changed.wait(signal);
    }
    return undefined;
  }

  /** After a server that is connected could not read, readers try again on a new connection. @throws what another try does not change */
  async #startOver(connection: Connection, error: unknown): Promise<void> {
    if (!(error instanceof UnavailableError)) throw error;
    connection.terminate();
    await systemClock.sleep(RETRY_MS.first, this.#closing.signal).catch(() => {});
  }

  async #stayConnected(): Promise<void> {
    const { signal } = this.#closing;
    for (let next = 0, failures = 0; !signal.aborted; ) {
      const urls = this.#finder.urls();
      const url = urls[next % urls.length];
      try {
        if (url === undefined) throw new UnavailableError('log-unreachable', this.#finder.whyNone());
        const connected = await this.#connect(url, 'calls');
        const connection = new Connection(connected, url, this.#options.heartbeatMs ?? 2000);
        failures = 0;
        this.#taking = false;
        this.#connection = connection;
        this.#promises = connected.promises;
        this.#failure = undefined;
        this.#logger.info('log-connected', { url });
        this.#changed.wake();
        await connection.ended;
        this.#connection = undefined;
        if (signal.aborted) return;
        this.#failure = new UnavailableError('log-unreachable', `${url}: the connection was lost`);
        this.#logger.warn('log-connection-lost', { url });
        // It may be gone for long, and another one have the log by now.
        next++;
      } catch (error) {
        if (signal.aborted) return;
        // Said once, not at every attempt.
        if (this.#failure?.message !== messageOf(error))
          this.#logger.warn('log-unreachable', { url, error: messageOf(error) });
        this.#failure = error as Error;
        this.#changed.wake();
        this.#taking = isWaiting(error) || (this.#taking && failures % urls.length > 0);
        next++;
        failures++;
        await systemClock.sleep(this.#pauseMs(failures, urls.length), signal).catch(() => {});
      }
    }
  }

  /** The other servers are tried at once; after all have failed, there is a growing pause, of uneven length for each node. */
  #pauseMs(failures: number, servers: number): number {
    if (failures % servers > 0) return 0;
    if (this.#failure instanceof LogRefusedError) return RETRY_MS.refused;
    const rounds = failures / Math.max(1, servers);
    const most = this.#taking ? RETRY_MS.taking : RETRY_MS.most;
    return Math.min(RETRY_MS.first * 2 ** (rounds - 1), most) * (0.5 + Math.random() / 2);
  }

  #connect(url: string, purpose: 'calls' | 'transfer') {
    const { secret, group = DEFAULT_GROUP, tls, name, answerWaitMs = 5000 } = this.#options;
    const { recordBytesMax } = this.#promises;
    return connect({
      url,
      group,
      secrets: secretsOf(secret),
      tls: url.startsWith('wss:') ? tls?.() : undefined,
      name,
      purpose,
      timeoutMs: this.#taking ? Math.min(answerWaitMs, HANDSHAKE_TAKING_MS) : answerWaitMs,
      recordBytesMax,
      signal: this.#closing.signal,
    });
  }
}

function isWaiting(error: unknown): boolean {
  return error instanceof UnavailableError && error.code === LOG_WAITS;
}

function unexpected(reply: Reply): Error {
  return new UnavailableError('log-failed', `the server of the log gave an answer to another question: ${reply.kind}`);
}
