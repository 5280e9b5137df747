import { rmSync } from 'node:fs';
import type { Server } from 'node:http';
import path from 'node:path';
import type { Readable } from 'node:stream';
import {
  type Logger,
  messageOf,
  silentLogger,
  systemClock,
  UnavailableError,
  UncertainError,
} from '../../base/index.ts';
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
import { noConnection } from '../channel.ts';
import { checkBlobBytes, checkRecordBytes, LogClosedError, LogRefusedError, trimTarget } from '../errors.ts';
import { Wakeup } from '../wakeup.ts';
import {
  type ClusterSecrets,
  DEFAULT_GROUP,
  type LogServer,
  openWebSocketLog,
  serveLog,
  type TlsIdentity,
} from '../websocket/index.ts';
import { Bodies } from './bodies.ts';
import { type StompChannel, stompChannel } from './channel.ts';
import { Copy } from './copy.ts';
import { type Entry, pack } from './entries.ts';
import { Follower } from './follower.ts';
import type { Link } from './link.ts';
import { DEFAULT_TOPIC, type Names, namesOf } from './names.ts';
import { Presence } from './presence.ts';
import { Proposer } from './proposer.ts';
import { publish } from './sendings.ts';
import { Sequencer } from './sequencer.ts';
import { parseStompUrl } from './url.ts';

export { DEFAULT_TOPIC } from './names.ts';
export { isStompUrl, parseStompUrl, saysStomp } from './url.ts';

export interface StompLogOptions {
  /** `stomp://user:password@host:61613`, as `parseStompUrl` takes it. */
  readonly url: string;
  /** Begins with `VirtualTopic.`; the group's name is added to it. Default: `VirtualTopic.geoserver`. */
  readonly topicName?: string;
  /** Group of the cluster: each has destinations of its own. Default: `geoserver-cluster`. */
  readonly group?: string;
  /** Of this node, unique and the same at each start: its queue at the broker has it. */
  readonly name: string;
  /** Folder of this node's copy of the log, absolute; made when missing. */
  readonly folder: string;
  /** How the nodes get from each other what the broker does not carry. */
  readonly exchange: Exchange;
  /** For `stomp+ssl://` and `wss://`; asked at each connection. */
  readonly tls?: () => TlsIdentity;
  readonly logger?: Logger;
  /** How long a call waits for a connection, in milliseconds. Default: 2000. */
  readonly connectionWaitMs?: number;
  /** How long a call waits for its answer, and a connection until it can be used. Default: 5000. */
  readonly answerWaitMs?: number;
  /** How long an append waits for its answer. Default: 15,000. */
  readonly appendWaitMs?: number;
  /** Milliseconds between signs of life; a connection that is silent for three of them is cut. Default: 5000. */
  readonly heartbeatMs?: number;
  /** After how long a node is forgotten, in milliseconds. Default: 10,000. */
  readonly peerTtlMs?: number;
  /** How long records may be missing before other nodes are asked for them, in milliseconds. Default: 2000. */
  readonly graceMs?: number;
}

export interface Exchange {
  /** The cluster's secret, or several. */
  readonly secret: string | ClusterSecrets;
  /** Server to offer this node's copy on, and its `ws://` address there. Absent: this node only takes. */
  readonly offer?: { readonly server: Server; readonly url: string; readonly requireClientCertificate?: boolean };
}

/**
 * A broker writes each transaction to its disk before it gives out what is in it, unless its file says otherwise, and keeps it for each node
 * until that has it on its own. An append is acknowledged in between. Records travel as one message for each node, in memory on the way; what
 * is longer belongs into a blob.
 */
const PROMISES: LogPromises = {
  durability: 'power-loss',
  recordBytesMax: 16 * 1024 * 1024,
  blobBytesMax: 64 * 1024 ** 3,
};
/** Folder within the copy's, for blobs on their way from other nodes. */
const FETCHING = 'fetching';
/** How long a node that closes waits for the broker to hear what it has stored. */
const GOODBYE_MS = 300;
const PRESENCE_MS = { beats: 2, most: 5000 };

/**
 * A log on ActiveMQ Classic, spoken to over STOMP, of which each node keeps a copy. Connects by itself, again and again.
 *
 * @throws UserError         the URL is none of a log, or the copy belongs to another group
 * @throws LogInUseError     another process has the copy open
 * @throws UnavailableError  the copy cannot be used
 */
export async function openStompLog(options: StompLogOptions): Promise<ChangeLog> {
  const { topicName = DEFAULT_TOPIC, group = DEFAULT_GROUP } = options;
  const place = parseStompUrl(options.url);
  const names = namesOf(topicName, group);
  const copy = await Copy.open(options.folder, group);
  // What a run left behind that was killed.
  rmSync(path.join(options.folder, FETCHING), { recursive: true, force: true });
  return new StompLog(options, place, names, copy);
}

class StompLog implements ChangeLog {
  readonly promises = PROMISES;
  readonly #closing = new AbortController();
  readonly #options: StompLogOptions;
  readonly #names: Names;
  readonly #copy: Copy;
  readonly #logger: Logger;
  readonly #answerWaitMs: number;
  readonly #proposer: Proposer;
  readonly #follower: Follower;
  readonly #sequencer: Sequencer;
  readonly #presence: Presence;
  readonly #bodies: Bodies;
  readonly #service: LogServer | undefined;
  /** For what this node proposes, and asks; for its queue; and for what it decides, when it is its turn. */
  readonly #calls: StompChannel;
  readonly #reading: StompChannel;
  readonly #deciding: StompChannel;
  readonly #changed = new Wakeup();
  readonly #background = new Set<Promise<unknown>>();
  /** The connection on which the copy has been found to be complete. */
  #ready: Link | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: StompLogOptions, place: ReturnType<typeof parseStompUrl>, names: Names, copy: Copy) {
    const { name, logger = silentLogger, tls, exchange, group = DEFAULT_GROUP } = options;
    const { connectionWaitMs = 2000, answerWaitMs = 5000, heartbeatMs = 5000, graceMs = 2000 } = options;
    const { signal } = this.#closing;
    this.#options = options;
    this.#names = names;
    this.#copy = copy;
    this.#logger = logger;
    this.#answerWaitMs = answerWaitMs;
    this.#presence = new Presence({
      topic: names.nodes,
      name,
      url: exchange.offer?.url,
      logger,
      everyMs: Math.min(PRESENCE_MS.beats * heartbeatMs, PRESENCE_MS.most),
      peerTtlMs: options.peerTtlMs ?? 10_000,
      open: ({ url }) =>
        openWebSocketLog({
          url,
          secret: exchange.secret,
          group,
          tls,
          name,
          connectionWaitMs,
          answerWaitMs,
          heartbeatMs,
        }),
    });
    const others = () => this.#presence.others();
    this.#bodies = new Bodies(copy.log, path.join(options.folder, FETCHING), others, logger);
    this.#follower = new Follower(
      {
        copy,
        queue: names.queueOf(name),
        logger,
        graceMs,
        others,
        onNote: (note) => this.#apply(note),
        onSkip: async (to) => {
          if (!(await this.#bodies.fetchSnapshot(to)))
            throw new UnavailableError('log-unreachable', `no node that has the snapshot at ${to} can be reached`);
          await copy.goOnAfter(to);
        },
        onStanding: (nodes) => {
          for (const node of nodes) this.#presence.hearOf(node);
        },
        onOutcome: (id, outcome) => this.#proposer.decided(id, outcome),
        onCaughtUp: () => this.#proposer.sendAgain(),
      },
      signal,
    );
    const decider: Sequencer['take'] = (proposal, body) => this.#sequencer.take(proposal, body);
    this.#proposer = new Proposer(names.proposals, decider, signal);
    this.#sequencer = new Sequencer({
      names,
      follower: this.#follower,
      logger,
      timeoutMs: answerWaitMs,
      patienceMs: graceMs / 4,
      nodes: () => this.#presence.nodes,
      onRole: () => this.#proposer.handOver(),
    });
    const { offer, secret } = exchange;
    if (offer !== undefined) {
      const { server, requireClientCertificate } = offer;
      const served = copy.forOthers();
      this.#service = serveLog({ server, log: served, secret, group, requireClientCertificate, logger, heartbeatMs });
    }
    const common = { place, tls, timeoutMs: answerWaitMs, heartbeatMs, connectionWaitMs };
    this.#calls = stompChannel({ ...common, logger, prepare: (link) => this.#prepareCalls(link) }, signal);
    this.#reading = stompChannel(
      {
        ...common,
        logger: silentLogger,
        prepare: (link) => this.#prepareReading(link),
        pauseMs: () => this.#follower.pauseMs,
      },
      signal,
    );
    this.#deciding = stompChannel(
      {
        ...common,
        logger: silentLogger,
        prepare: (link) => this.#sequencer.prepare(link),
        pauseMs: () => this.#sequencer.pauseMs,
      },
      signal,
    );
  }

  async append(after: Position, body: Uint8Array): Promise<Appended | HeadMoved> {
    checkRecordBytes(body, PROMISES.recordBytesMax);
    await this.#whenReady();
    this.#checkOpen();
    return this.#explained(this.#proposer.append(after, body, this.#options.appendWaitMs ?? 15_000));
  }

  async *read(after: Position, signal: AbortSignal): AsyncIterableIterator<readonly LogRecord[]> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    while (this.#ready?.open !== true && !either.aborted) await this.#changed.wait(either);
    if (signal.aborted) return;
    this.#checkOpen();
    yield* this.#copy.log.read(after, signal);
  }

  async head(): Promise<Position> {
    await this.#whenReady();
    try {
      await this.#explained(this.#proposer.settled(this.#answerWaitMs));
    } catch (error) {
      // What has got lost is sent again on a new connection.
      this.#calls.link?.terminate();
      throw error;
    }
    await this.#say({ kind: 'barrier', id: crypto.randomUUID() });
    return this.#copy.state.head;
  }

  async trimmed(): Promise<Position> {
    await this.#whenReady();
    return this.#copy.log.trimmed();
  }

  async trim(upTo: Position): Promise<void> {
    await this.#whenReady();
    const known = await this.#bodies.snapshots();
    const target = trimTarget(
      upTo,
      known.map(({ at }) => at),
    );
    if (target <= (await this.#copy.log.trimmed())) return;
    if (!(await this.#bodies.fetchSnapshot(target)))
      throw new UnavailableError('log-unreachable', `the node that has the snapshot at ${target} cannot be reached`);
    // What was acknowledged lately may not be in the copy yet.
    await this.#follower.stored(this.#answerWaitMs);
    const id = crypto.randomUUID();
    if (target <= this.#copy.state.head) return this.#say({ kind: 'trim', id, at: target });
    await this.#until(id, (calls) => this.#proposer.ask(calls, { kind: 'skip', id, to: target }));
  }

  async putSnapshot(at: Position, body: Readable): Promise<void> {
    try {
      await this.#whenReady();
    } catch (error) {
      body.destroy();
      throw error;
    }
    await this.#bodies.putSnapshot(at, body);
  }

  async latestSnapshot(upTo?: Position): Promise<SnapshotBody | undefined> {
    await this.#whenReady();
    return this.#bodies.latestSnapshot(upTo);
  }

  async snapshots(): Promise<readonly SnapshotInfo[]> {
    await this.#whenReady();
    return this.#bodies.snapshots();
  }

  async putBlob(hash: ContentHash, source: BlobSource): Promise<void> {
    checkBlobBytes(hash, source.size, PROMISES.blobBytesMax);
    await this.#whenReady();
    await this.#bodies.putBlob(hash, source);
  }

  async hasBlob(hash: ContentHash): Promise<boolean> {
    await this.#whenReady();
    return this.#bodies.hasBlob(hash);
  }

  async getBlob(hash: ContentHash, from = 0): Promise<Readable | undefined> {
    await this.#whenReady();
    return this.#bodies.getBlob(hash, from);
  }

  async *blobs(): AsyncIterableIterator<readonly BlobInfo[]> {
    await this.#whenReady();
    yield* this.#bodies.blobs();
  }

  async removeBlobs(hashes: readonly ContentHash[], storedBefore: string): Promise<void> {
    await this.#whenReady();
    for (let at = 0; at < hashes.length; at += REMOVE_BATCH) {
      const some = hashes.slice(at, at + REMOVE_BATCH);
      await this.#say({ kind: 'remove', id: crypto.randomUUID(), hashes: some, storedBefore });
    }
  }

  async announce(status: NodeStatus): Promise<void> {
    await this.#presence.announce(await this.#calls.connected(), status);
  }

  async *peers(signal: AbortSignal): AsyncIterableIterator<readonly NodeStatus[]> {
    this.#checkOpen();
    // From here on, whoever announces itself is heard.
    await this.#calls.next(AbortSignal.any([signal, this.#closing.signal]));
    if (!signal.aborted) this.#checkOpen();
    yield* this.#presence.peers.watch(signal);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const left = this.#presence.leave();
    await this.#presence.close();
    // What was acknowledged is to be in the copy, too, where there is the time for it.
    await this.#follower.stored(this.#answerWaitMs).catch(() => {});
    const heard = new AbortController();
    const late = systemClock.sleep(GOODBYE_MS, heard.signal).catch(() => {});
    await Promise.race([Promise.all([this.#follower.acknowledged(), left]), late]);
    heard.abort();
    this.#closing.abort();
    this.#changed.wake();
    await Promise.all([this.#calls.closed(), this.#reading.closed(), this.#deciding.closed(), this.#follower.closed()]);
    await this.#service?.close();
    await Promise.allSettled(this.#background);
    await this.#copy.log.close();
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw new LogClosedError();
  }

  async #prepareCalls(link: Link): Promise<void> {
    await this.#presence.prepare(link);
    this.#proposer.prepare(link);
  }

  async #prepareReading(link: Link): Promise<void> {
    await this.#follower.prepare(link);
    link.whenEnded(() => {
      if (this.#ready === link) this.#ready = undefined;
    });
    this.#makeSure(link).catch((error: Error) => link.terminate(error));
  }

  /** Finds out whether what comes on a new connection follows what is in the copy: whoever decides says where the log stands. */
  async #makeSure(link: Link): Promise<void> {
    while (link.open) {
      const calls = await this.#calls.next(this.#closing.signal);
      if (calls === undefined) return;
      const id = crypto.randomUUID();
      const passed = this.#follower.passed(id);
      passed.catch(() => {});
      try {
        await this.#proposer.ask(calls, { kind: 'check', id });
      } catch (error) {
        this.#follower.forget(id);
        if (calls.open) throw error;
        continue;
      }
      // However long it takes until there is somebody who decides.
      await passed;
      this.#ready = link;
      this.#changed.wake();
      return;
    }
  }

  get #isReady(): boolean {
    return this.#ready?.open === true && this.#calls.link !== undefined;
  }

  /** Waits a little until the copy is known to be complete. @throws UnavailableError  why it is not */
  async #whenReady(): Promise<void> {
    this.#checkOpen();
    if (this.#isReady) return;
    const { connectionWaitMs = 2000 } = this.#options;
    const deadline = AbortSignal.timeout(connectionWaitMs);
    for (;;) {
      this.#checkOpen();
      if (this.#isReady) return;
      const refusal = this.#calls.refusal ?? this.#follower.trouble;
      if (refusal instanceof LogRefusedError) throw refusal;
      if (deadline.aborted) throw this.#whyNotReady();
      const changed = [this.#changed, this.#calls.changed].map((each) => each.wait(deadline));
      await Promise.race(changed);
    }
  }

  #whyNotReady(): Error {
    const lost = this.#calls.link === undefined ? this.#calls.failure : undefined;
    return noConnection(
      lost ??
        this.#presence.conflict ??
        this.#follower.trouble ??
        this.#deciding.failure ??
        this.#reading.failure ??
        new Error('no node has said yet where it stands'),
    );
  }

  /** Adds to the error of what was not decided why this node cannot, where it is its turn. */
  async #explained<T>(decided: Promise<T>): Promise<T> {
    try {
      return await decided;
    } catch (error) {
      const why = this.#sequencer.trouble;
      if (why === undefined) throw error;
      if (error instanceof UncertainError) throw new UncertainError(`${error.message}: ${why.message}`, { cause: why });
      throw error instanceof UnavailableError ? noConnection(why) : error;
    }
  }

  /** Sends an entry to all nodes; resolves when this one has come to it. @throws UnavailableError */
  #say(entry: Extract<Entry, { readonly kind: 'barrier' | 'trim' | 'remove' }>): Promise<void> {
    return this.#until(entry.id, (calls) => calls.transaction(publish(this.#names.topic, pack(entry))));
  }

  /** Sends something, again when a connection is lost, until this node has come to the entry with an id. @throws UnavailableError */
  async #until(id: string, send: (calls: Link) => Promise<void>): Promise<void> {
    const deadlineMs = performance.now() + this.#answerWaitMs;
    for (;;) {
      await this.#whenReady();
      const [calls, reading] = [await this.#calls.connected(), this.#ready];
      const passed = this.#follower.passed(id);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_resolve, reject) => {
        const why = `no answer within ${this.#answerWaitMs / 1000} s`;
        timer = setTimeout(
          () => {
            const error = new UnavailableError('log-unreachable', `the log cannot be reached: ${why}`);
            reject(error);
            // Nothing is known of their other ends.
            calls.terminate(error);
            reading?.terminate(error);
          },
          Math.max(1, deadlineMs - performance.now()),
        );
      });
      try {
        await Promise.race([Promise.all([send(calls), passed]), late]);
        return;
      } catch (error) {
        this.#follower.forget(id);
        passed.catch(() => {});
        const isLost = !calls.open || reading?.open !== true;
        if (this.#closing.signal.aborted || !isLost || performance.now() >= deadlineMs) throw error;
      } finally {
        clearTimeout(timer);
        late.catch(() => {});
      }
    }
  }

  /** Does to this copy what every node does to its own at this place of the order. */
  async #apply(note: Extract<Entry, { readonly kind: 'trim' | 'remove' }>): Promise<void> {
    if (note.kind === 'remove') return this.#copy.log.removeBlobs(note.hashes, note.storedBefore);
    const trim = async () => {
      if (await this.#bodies.fetchSnapshot(note.at)) await this.#copy.log.trim(note.at);
    };
    if ((await this.#copy.log.snapshots()).some(({ at }) => at === note.at)) return trim();
    // What follows does not wait for another node. A copy that keeps more than it has to is none the worse for it.
    const trimming = trim()
      .catch((error) => this.#logger.warn('log-not-trimmed', { at: note.at, reason: messageOf(error) }))
      .finally(() => this.#background.delete(trimming));
    this.#background.add(trimming);
  }
}

const REMOVE_BATCH = 10_000;
