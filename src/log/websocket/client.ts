import type { Readable } from 'node:stream';
import { type Logger, silentLogger, systemClock, UnavailableError } from '../../base/index.ts';
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
import { Channel } from '../channel.ts';
import { checkBlobBytes, checkRecordBytes, LogClosedError } from '../errors.ts';
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

const ANSWER_WAIT_MS = 5000;
/** Another server that does not answer is not waited for longer, while one is about to have the log. */
const HANDSHAKE_SOON_MS = 1000;
/** A reader that a server could not serve tries again after so long. */
const START_OVER_MS = 50;
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
  readonly #options: WebSocketLogOptions;
  readonly #closing = new AbortController();
  readonly #channel: Channel<Connection>;
  readonly #transfers: Transfers;
  #promises = ASSUMED;

  constructor(finder: LogFinder, options: WebSocketLogOptions) {
    const { connectionWaitMs = 2000, answerWaitMs = ANSWER_WAIT_MS, logger = silentLogger } = options;
    const { signal } = this.#closing;
    this.#options = options;
    const servers = () => {
      const urls = finder.urls();
      if (urls.length === 0) throw new UnavailableError('log-unreachable', finder.whyNone());
      return urls.map((url) => ({
        facts: { url },
        open: (_signal: AbortSignal, soon: boolean) => this.#open(url, soon),
      }));
    };
    // What was lost may be gone for long, and another one have the log by now.
    this.#channel = new Channel({ servers, afterLoss: 'next', isSoon, connectionWaitMs, logger }, signal);
    this.#transfers = new Transfers(async () => {
      const { url } = await this.#channel.connected();
      return (await this.#connect(url, 'transfer', answerWaitMs)).socket;
    }, signal);
    this.#channel.start();
  }

  get promises(): LogPromises {
    return this.#promises;
  }

  async append(after: Position, body: Uint8Array): Promise<Appended | HeadMoved> {
    checkRecordBytes(body, this.#promises.recordBytesMax);
    const connection = await this.#channel.connected();
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
      const connection = await this.#channel.next(either);
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
      const connection = await this.#channel.next(either);
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
    await this.#channel.closed();
  }

  async #position(request: (id: number) => Request): Promise<Position> {
    const reply = await this.#call(request);
    if (reply.kind !== 'position') throw unexpected(reply);
    return reply.position;
  }

  async #call(request: (id: number) => Request): Promise<Reply> {
    return (await this.#channel.connected()).call(request, { timeoutMs: this.#options.answerWaitMs ?? ANSWER_WAIT_MS });
  }

  /** After a server that is connected could not read, readers try again on a new connection. @throws what another try does not change */
  async #startOver(connection: Connection, error: unknown): Promise<void> {
    if (!(error instanceof UnavailableError)) throw error;
    connection.terminate();
    await systemClock.sleep(START_OVER_MS, this.#closing.signal).catch(() => {});
  }

  async #open(url: string, soon: boolean): Promise<Connection> {
    const { answerWaitMs = ANSWER_WAIT_MS, heartbeatMs = 2000 } = this.#options;
    const timeoutMs = soon ? Math.min(answerWaitMs, HANDSHAKE_SOON_MS) : answerWaitMs;
    const connection = new Connection(await this.#connect(url, 'calls', timeoutMs), url, heartbeatMs);
    this.#promises = connection.promises;
    return connection;
  }

  #connect(url: string, purpose: 'calls' | 'transfer', timeoutMs: number) {
    const { secret, group = DEFAULT_GROUP, tls, name } = this.#options;
    return connect({
      url,
      group,
      secrets: secretsOf(secret),
      tls: url.startsWith('wss:') ? tls?.() : undefined,
      name,
      purpose,
      timeoutMs,
      recordBytesMax: this.#promises.recordBytesMax,
      signal: this.#closing.signal,
    });
  }
}

function isSoon(error: unknown): boolean {
  return error instanceof UnavailableError && error.code === LOG_WAITS;
}

function unexpected(reply: Reply): Error {
  return new UnavailableError('log-failed', `the server of the log gave an answer to another question: ${reply.kind}`);
}
