import type { Readable } from 'node:stream';
import { type Logger, messageOf, silentLogger, systemClock } from '../../base/index.ts';
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
import { checkBlobBytes, checkRecordBytes, LogClosedError, trimTarget } from '../errors.ts';
import { PeerList } from '../peers.ts';
import { DEFAULT_GROUP, type TlsIdentity } from '../websocket/index.ts';
import { Blobs } from './blobs.ts';
import { Bodies } from './bodies.ts';
import { type NatsChannel, natsChannel } from './channel.ts';
import type { Link } from './link.ts';
import { type Names, namesOf } from './names.ts';
import { Records } from './records.ts';
import { Snapshots } from './snapshots.ts';
import { prepareStreams, Streams } from './streams.ts';
import { tidy } from './tidying.ts';
import { parseNatsUrl } from './url.ts';

export { isNatsUrl, parseNatsUrl } from './url.ts';

export interface NatsLogOptions {
  /** `nats://a:4222,b:4222`, as `parseNatsUrl` takes it. */
  readonly url: string;
  /** Group of the cluster: each has streams of its own. Default: `geoserver-cluster`. */
  readonly group?: string;
  /** What is shown and trusted where the URL names no files; asked at each connection. */
  readonly tls?: () => TlsIdentity;
  /** Name of this node, for the servers' lists of connections. */
  readonly name: string;
  readonly logger?: Logger;
  /** How long a call waits for a connection, in milliseconds. Default: 2000. */
  readonly connectionWaitMs?: number;
  /** How long a call waits for its answer, and a connection until it can be used. Default: 5000. */
  readonly answerWaitMs?: number;
  /** How long an append waits for its answer. Default: 10,000. */
  readonly appendWaitMs?: number;
  /** Milliseconds between signs of life; a connection that is silent for a few of them is cut. Default: 5000. */
  readonly heartbeatMs?: number;
  /** After how long a node is forgotten, in milliseconds. Default: 10,000. */
  readonly peerTtlMs?: number;
}

/** JetStream acknowledges what it has written, and has the disk told every two minutes. */
const PROMISES: LogPromises = {
  durability: 'process-crash',
  recordBytesMax: 32 * 1024 * 1024,
  blobBytesMax: 64 * 1024 ** 3,
};

/**
 * A log on NATS JetStream. Returns at once and connects by itself, again and again; streams that are not there are made.
 *
 * @throws UserError  the URL is none of a log
 */
export function openNatsLog(options: NatsLogOptions): ChangeLog {
  return new NatsLog(options);
}

class NatsLog implements ChangeLog {
  readonly promises = PROMISES;
  readonly #closing = new AbortController();
  readonly #streams: Streams;
  readonly #names: Names;
  readonly #calls: NatsChannel;
  readonly #transfers: NatsChannel;
  readonly #bodies: Bodies;
  readonly #records: Records;
  readonly #blobs: Blobs;
  readonly #snapshots: Snapshots;
  readonly #peers: PeerList;
  readonly #heartbeatMs: number;
  readonly #logger: Logger;
  #wasThere = false;

  constructor(options: NatsLogOptions) {
    const { group = DEFAULT_GROUP, logger = silentLogger, tls, name } = options;
    const { connectionWaitMs = 2000, answerWaitMs = 5000, appendWaitMs = 10_000, heartbeatMs = 5000 } = options;
    const place = parseNatsUrl(options.url);
    const { signal } = this.#closing;
    this.#logger = logger;
    this.#heartbeatMs = heartbeatMs;
    this.#streams = new Streams(place.domain);
    this.#names = namesOf(group);
    this.#peers = new PeerList(systemClock, options.peerTtlMs);
    const common = { place, tls, timeoutMs: answerWaitMs, heartbeatMs, connectionWaitMs };
    this.#calls = natsChannel({ ...common, name, logger, prepare: (link) => this.#prepare(link, place) }, signal);
    // Large bodies have a connection to themselves, so that nothing small waits behind them.
    this.#transfers = natsChannel({ ...common, name: `${name} (bodies)`, logger: silentLogger }, signal);
    this.#bodies = new Bodies(this.#transfers, this.#streams, this.#names, heartbeatMs);
    const records = { heartbeatMs, appendWaitMs, leaderWaitMs: connectionWaitMs };
    this.#records = new Records(this.#calls, this.#streams, this.#names, this.#bodies, records);
    this.#blobs = new Blobs(this.#transfers, this.#streams, this.#names, this.#bodies, heartbeatMs);
    this.#snapshots = new Snapshots(this.#transfers, this.#streams, this.#names, this.#bodies);
    this.#calls.start();
  }

  async append(after: Position, body: Uint8Array): Promise<Appended | HeadMoved> {
    checkRecordBytes(body, PROMISES.recordBytesMax);
    return this.#records.append(after, body);
  }

  async *read(after: Position, signal: AbortSignal): AsyncIterableIterator<readonly LogRecord[]> {
    this.#checkOpen();
    yield* this.#records.read(after, signal);
  }

  head(): Promise<Position> {
    return this.#records.head();
  }

  trimmed(): Promise<Position> {
    return this.#records.trimmed();
  }

  async trim(upTo: Position): Promise<void> {
    const known = await this.snapshots();
    const target = trimTarget(
      upTo,
      known.map(({ at }) => at),
    );
    const trimmed = await this.#calls.ask(async (link) => {
      const before = await this.#records.trimmed();
      if (target > before) await this.#records.fill(link, target);
      if (target > before) await this.#records.purge(link, target);
      await this.#snapshots.removeBelow(link, target);
      return Math.max(before, target) as Position;
    });
    await this.#tidy(trimmed);
  }

  async putSnapshot(at: Position, body: Readable): Promise<void> {
    await this.#prepared(body);
    await this.#snapshots.put(at, body);
  }

  async latestSnapshot(upTo?: Position): Promise<SnapshotBody | undefined> {
    await this.#prepared();
    return this.#snapshots.latest(upTo);
  }

  async snapshots(): Promise<readonly SnapshotInfo[]> {
    await this.#prepared();
    return this.#snapshots.list();
  }

  async putBlob(hash: ContentHash, source: BlobSource): Promise<void> {
    checkBlobBytes(hash, source.size, PROMISES.blobBytesMax);
    await this.#prepared();
    await this.#blobs.put(hash, source);
  }

  async hasBlob(hash: ContentHash): Promise<boolean> {
    await this.#prepared();
    return this.#blobs.has(hash);
  }

  async getBlob(hash: ContentHash, from = 0): Promise<Readable | undefined> {
    await this.#prepared();
    return this.#blobs.get(hash, from);
  }

  async *blobs(): AsyncIterableIterator<readonly BlobInfo[]> {
    await this.#prepared();
    yield* this.#blobs.list();
  }

  async removeBlobs(hashes: readonly ContentHash[], storedBefore: string): Promise<void> {
    await this.#prepared();
    await this.#blobs.remove(hashes, storedBefore);
  }

  announce(status: NodeStatus): Promise<void> {
    return this.#calls.ask(async (link) => {
      link.publish(this.#names.alive, JSON.stringify(status));
      await link.flush();
    });
  }

  async *peers(signal: AbortSignal): AsyncIterableIterator<readonly NodeStatus[]> {
    this.#checkOpen();
    // From here on, whoever announces itself is heard.
    await this.#calls.next(AbortSignal.any([signal, this.#closing.signal]));
    if (!signal.aborted) this.#checkOpen();
    yield* this.#peers.watch(signal);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#peers.close();
    await this.#calls.closed();
    await this.#transfers.closed();
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new LogClosedError();
  }

  async #prepare(link: Link, place: ReturnType<typeof parseNatsUrl>): Promise<void> {
    const logger = this.#logger;
    await prepareStreams(this.#streams, link, this.#names, place, { mayMake: !this.#wasThere, logger });
    this.#wasThere = true;
    link.subscribe(this.#names.alive, (message) => {
      try {
        this.#peers.announce(message.json<NodeStatus>());
      } catch (error) {
        logger.warn('announcement-unreadable', { error: messageOf(error) });
      }
    });
    await link.flush();
  }

  /** Resolves when the streams are there. */
  async #prepared(body?: Readable): Promise<void> {
    if (this.#wasThere && !this.#closing.signal.aborted) return;
    try {
      await this.#calls.connected();
    } catch (error) {
      body?.destroy();
      throw error;
    }
  }

  /** What cannot be tidied up now is when the log is trimmed again. */
  async #tidy(trimmed: Position): Promise<void> {
    const parts = { streams: this.#streams, names: this.#names, bodies: this.#bodies };
    const { signal } = this.#closing;
    try {
      const link = await this.#transfers.connected();
      await tidy({ ...parts, heartbeatMs: this.#heartbeatMs, signal }, link, trimmed, Date.now());
    } catch (error) {
      this.#logger.warn('log-tidying-failed', { error: messageOf(error) });
    }
  }
}
