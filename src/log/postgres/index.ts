import type { Readable } from 'node:stream';
import { type Logger, messageOf, silentLogger, systemClock, UnavailableError } from '../../base/index.ts';
import type { ContentHash, Position } from '../../tree/index.ts';
import { START } from '../../tree/index.ts';
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
import { checkBlobBytes, checkRecordBytes, LogClosedError, LogRefusedError, trimTarget } from '../errors.ts';
import { Feed } from '../feed.ts';
import { PEER_TTL_MS } from '../peers.ts';
import { DEFAULT_GROUP } from '../websocket/index.ts';
import { Appender, currentHead } from './appender.ts';
import { Blobs } from './blobs.ts';
import { type BodyParts, removeGarbage, Slots } from './bodies.ts';
import { Listener } from './listener.ts';
import { Peers } from './peers.ts';
import { loadPage, markTrimmed, removeTrimmed, trimmedPosition } from './records.ts';
import { greet, prepare, type Tables, tablesIn } from './schema.ts';
import type { Session } from './session.ts';
import { Sessions } from './sessions.ts';
import { Snapshots } from './snapshots.ts';
import { parsePostgresUrl, placeText, schemaOfGroup } from './url.ts';

export { isPostgresUrl } from './url.ts';

export interface PostgresLogOptions {
  /** `postgres://user:password@host:5432/database`, with several hosts and parameters as libpq has them, `schema`, and `connections`. */
  readonly url: string;
  /** Group of the cluster; each has its own schema, and only one. Default: `geoserver-cluster`. */
  readonly group?: string;
  readonly logger?: Logger;
  /** How long a call waits for a connection, in milliseconds. Default: 2000. */
  readonly connectionWaitMs?: number;
  /** How long a call waits for its answer. Default: 5000. */
  readonly answerWaitMs?: number;
  /** How long an append waits for its answer, and one second more for each MB. Default: 15,000. */
  readonly appendWaitMs?: number;
  /** How long a piece of 1 MB of a blob or a snapshot may take. Default: 20,000. */
  readonly chunkWaitMs?: number;
  /** How often new records are looked for though nobody told of any. Default: 2000. */
  readonly pollMs?: number;
  readonly peerTtlMs?: number;
  /** How often what is no longer part of the log is removed. Default: an hour. */
  readonly tidyEveryMs?: number;
  /** For how long blobs and snapshots that were removed stay for whoever is reading them. Default: ten minutes. */
  readonly graceMs?: number;
}

const RECORD_BYTES_MAX = 32 * 1024 * 1024;
const BLOB_BYTES_MAX = 64 * 1024 ** 3;
const CONNECTIONS = 8;
/** The newest records of this handle are kept in memory for its own readers. */
const FEED_BYTES_MAX = 4 * 1024 * 1024;
const READ_PAUSE_MS = { first: 50, most: 2000 };
/** A log that is closed waits so long for others to be told. */
const CLOSE_WAIT_MS = 1000;

/**
 * A log that PostgreSQL keeps, 12 or newer. Returns at once and connects by itself, again and again; of several servers it uses the one
 * that is the primary. Its tables are made when they are missing.
 *
 * @throws UserError  the URL is none of a log
 */
export function openPostgresLog(options: PostgresLogOptions): ChangeLog {
  return new PostgresLog(options);
}

class PostgresLog implements ChangeLog {
  readonly #logger: Logger;
  readonly #tables: Tables;
  readonly #sessions: Sessions;
  readonly #listener: Listener;
  readonly #appender: Appender;
  readonly #feed = new Feed(START, FEED_BYTES_MAX);
  readonly #snapshots: Snapshots;
  readonly #blobs: Blobs;
  readonly #peers: Peers;
  readonly #parts: BodyParts;
  readonly #closing = new AbortController();
  readonly #tidying: Promise<void>;
  readonly #tidyNow = { wake: () => {} };
  #closed: Promise<void> | undefined;
  /** Set by the first session: the tables are there, and ours. */
  #prepared: Promise<void> | undefined;
  #syncs = true;

  constructor(options: PostgresLogOptions) {
    const { url, group = DEFAULT_GROUP, logger = silentLogger } = options;
    const { connectionWaitMs = 2000, answerWaitMs = 5000, appendWaitMs = 15_000, chunkWaitMs = 20_000 } = options;
    const place = parsePostgresUrl(url);
    const schema = place.schema ?? schemaOfGroup(group);
    const tables = tablesIn(schema);
    const limits = { lockMs: answerWaitMs * 0.9, statementMs: Math.max(appendWaitMs, chunkWaitMs) };
    this.#logger = logger;
    this.#tables = tables;
    // One listens.
    const most = (place.connections ?? CONNECTIONS) - 1;
    const sessions = new Sessions({
      place,
      schema,
      logger,
      most,
      connectionWaitMs,
      answerWaitMs,
      greet: (session, timeoutMs) => this.#greet(session, group, timeoutMs, limits),
    });
    this.#sessions = sessions;
    const closing = this.#closing.signal;
    this.#appender = new Appender({
      sessions,
      tables,
      waitMs: appendWaitMs,
      onAppended: (after, bodies) => this.#appended(after, bodies),
      onUncertain: () => this.#listener.tell(),
    });
    this.#parts = {
      sessions,
      tables,
      slots: new Slots(Math.ceil(most / 3)),
      chunkWaitMs,
      closing,
      graceMs: options.graceMs ?? 600_000,
    };
    this.#snapshots = new Snapshots(this.#parts);
    this.#blobs = new Blobs(this.#parts);
    this.#peers = new Peers({ sessions, tables, ttlMs: options.peerTtlMs ?? PEER_TTL_MS, closing });
    this.#listener = new Listener({
      sessions,
      tables,
      logger,
      place: `PostgreSQL, ${placeText(place)}, schema ${schema}`,
      pollMs: options.pollMs ?? 2000,
      answerWaitMs,
      onHead: (head) => this.#heard(head),
      onPeers: () => this.#peers.wake(),
    });
    this.#tidying = this.#tidy(options.tidyEveryMs ?? 3600 * 1000);
  }

  /** What an acknowledged append survives is known once there has been a connection. */
  get promises(): LogPromises {
    return {
      durability: this.#syncs ? 'power-loss' : 'process-crash',
      recordBytesMax: RECORD_BYTES_MAX,
      blobBytesMax: BLOB_BYTES_MAX,
    };
  }

  async append(after: Position, body: Uint8Array): Promise<Appended | HeadMoved> {
    this.#checkOpen();
    checkRecordBytes(body, RECORD_BYTES_MAX);
    const result = await this.#appender.append(after, body);
    if (result.kind === 'head-moved') this.#heard(result.head);
    return result;
  }

  async *read(after: Position, signal: AbortSignal): AsyncIterableIterator<readonly LogRecord[]> {
    this.#checkOpen();
    const either = AbortSignal.any([signal, this.#closing.signal]);
    for await (const batch of this.#feed.read(after, either, (from) => this.#load(from, either))) yield batch;
    if (!signal.aborted) this.#checkOpen();
  }

  async head(): Promise<Position> {
    this.#checkOpen();
    const head = await currentHead(this.#sessions, this.#tables);
    this.#heard(head);
    return head;
  }

  async putSnapshot(at: Position, body: Readable): Promise<void> {
    if (this.#closing.signal.aborted) body.destroy();
    this.#checkOpen();
    await this.#snapshots.put(at, body);
  }

  async latestSnapshot(upTo?: Position): Promise<SnapshotBody | undefined> {
    this.#checkOpen();
    return this.#snapshots.latest(upTo);
  }

  async snapshots(): Promise<readonly SnapshotInfo[]> {
    this.#checkOpen();
    return this.#snapshots.list();
  }

  async putBlob(hash: ContentHash, source: BlobSource): Promise<void> {
    checkBlobBytes(hash, source.size, BLOB_BYTES_MAX);
    this.#checkOpen();
    await this.#blobs.put(hash, source);
  }

  async hasBlob(hash: ContentHash): Promise<boolean> {
    this.#checkOpen();
    return this.#blobs.has(hash);
  }

  async getBlob(hash: ContentHash, from = 0): Promise<Readable | undefined> {
    this.#checkOpen();
    return this.#blobs.get(hash, from);
  }

  async *blobs(): AsyncIterableIterator<readonly BlobInfo[]> {
    this.#checkOpen();
    yield* this.#blobs.list();
  }

  async removeBlobs(hashes: readonly ContentHash[], storedBefore: string): Promise<void> {
    this.#checkOpen();
    await this.#blobs.remove(hashes, storedBefore);
  }

  async announce(status: NodeStatus): Promise<void> {
    this.#checkOpen();
    await this.#peers.announce(status);
  }

  async *peers(signal: AbortSignal): AsyncIterableIterator<readonly NodeStatus[]> {
    this.#checkOpen();
    yield* this.#peers.watch(signal);
  }

  async trim(upTo: Position): Promise<void> {
    const held = (await this.snapshots()).map(({ at }) => at);
    const target = trimTarget(upTo, held);
    await markTrimmed(this.#sessions, this.#tables, target, this.#parts.graceMs);
    this.#heard(target);
    this.#tidyNow.wake();
  }

  async trimmed(): Promise<Position> {
    this.#checkOpen();
    return trimmedPosition(this.#sessions, this.#tables);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort(new LogClosedError());
    this.#feed.close();
    await this.#appender.close();
    const enough = new AbortController();
    const settled = Promise.all([this.#blobs.settled(), this.#listener.close()]);
    await Promise.race([settled, systemClock.sleep(CLOSE_WAIT_MS, enough.signal).catch(() => {})]);
    enough.abort();
    this.#sessions.close();
    await Promise.all([this.#listener.close(), this.#tidying]);
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new LogClosedError();
  }

  async #greet(
    session: Session,
    group: string,
    timeoutMs: number,
    limits: { readonly lockMs: number; readonly statementMs: number },
  ): Promise<void> {
    const { fsync } = await greet(session, timeoutMs, limits);
    if (this.#syncs && !fsync)
      this.#logger.warn('log-not-durable', {
        reason: 'fsync is off in PostgreSQL: when its machine fails, changes that were acknowledged may be lost',
      });
    this.#syncs = fsync;
    // Sessions that are made at the same time do it once; after a failure, the next one tries again.
    this.#prepared ??= prepare(session, this.#tables, group, timeoutMs);
    try {
      await this.#prepared;
    } catch (error) {
      this.#prepared = undefined;
      throw error;
    }
  }

  /** Somewhere it was seen that the log goes up to there. */
  #heard(head: Position): void {
    if (head > this.#feed.head) this.#feed.reset(head);
  }

  #appended(after: Position, bodies: readonly Uint8Array[]): void {
    this.#listener.tell();
    if (this.#feed.head === after)
      for (const [index, body] of bodies.entries())
        this.#feed.push({ position: (after + index + 1) as Position, body: Buffer.from(body) });
    else this.#heard((after + bodies.length) as Position);
  }

  /** Some of the records after a position, as soon as the log can be reached. @throws TrimmedError */
  async #load(after: Position, signal: AbortSignal): Promise<readonly LogRecord[]> {
    let trouble: string | undefined;
    for (let failures = 0; !signal.aborted; failures++) {
      const before = this.#feed.head;
      try {
        const { records, head } = await loadPage(this.#sessions, this.#tables, after, this.#parts.chunkWaitMs);
        // The log is shorter than was heard: it has lost its end. What comes next will be new.
        if (records.length === 0 && head < before && this.#feed.head === before) this.#feed.reset(head);
        return records;
      } catch (error) {
        if (!(error instanceof UnavailableError) || error instanceof LogClosedError) throw error;
        if (error instanceof LogRefusedError && error.message !== trouble) {
          trouble = error.message;
          this.#logger.warn('log-unreadable', { after, error: messageOf(error) });
        }
        const pauseMs = Math.min(READ_PAUSE_MS.first * 2 ** failures, READ_PAUSE_MS.most);
        await systemClock.sleep(pauseMs, signal).catch(() => {});
      }
    }
    return [];
  }

  /** Removes, in portions, what is no longer part of the log; whatever is left over by a crash is there at the next time. */
  async #tidy(everyMs: number): Promise<void> {
    const { signal } = this.#closing;
    for (let pauseMs = everyMs * (0.01 + Math.random() * 0.02); !signal.aborted; pauseMs = everyMs) {
      const woken = Promise.withResolvers<void>();
      this.#tidyNow.wake = woken.resolve;
      const enough = new AbortController();
      await Promise.race([
        woken.promise,
        systemClock.sleep(pauseMs, AbortSignal.any([signal, enough.signal])).catch(() => {}),
      ]);
      enough.abort();
      if (signal.aborted) return;
      try {
        await this.#blobs.clean();
        while (!signal.aborted && (await removeTrimmed(this.#sessions, this.#tables, this.#parts.chunkWaitMs)));
        while (!signal.aborted && (await removeGarbage(this.#parts)));
      } catch (error) {
        if (!signal.aborted) this.#logger.warn('log-untidy', { error: messageOf(error) });
      }
    }
  }
}
