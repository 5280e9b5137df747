import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import { type Clock, systemClock, UnavailableError, UncertainError } from '../../base/index.ts';
import type { ContentHash, Position } from '../../tree/index.ts';
import {
  type Appended,
  type BlobInfo,
  type BlobSource,
  type ChangeLog,
  type HeadMoved,
  type LogPromises,
  type LogRecord,
  type NodeStatus,
  type SnapshotBody,
  type SnapshotInfo,
  TrimmedError,
} from '../change-log.ts';
import { checkBlobBytes, checkRecordBytes, LogClosedError, LogInUseError, trimTarget } from '../errors.ts';
import { BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Feed } from '../feed.ts';
import { PeerList } from '../peers.ts';
import { BlobFiles } from './blobs.ts';
import { checkGroup, writeGroup } from './group.ts';
import type { Reply, Request, WorkerData } from './protocol.ts';
import { SnapshotFiles } from './snapshots.ts';

export interface EmbeddedLogOptions {
  /** Folder of the log, absolute; made when missing. */
  readonly folder: string;
  /** Group that the log belongs to; when it is another's, it is not opened. Absent: not looked at. */
  readonly group?: string;
  /** How long to wait for another process that has the log open, in milliseconds. Default: 1000. */
  readonly waitMs?: number;
  /** For forgetting nodes that are not heard of any more and uploads that nobody continues, and for when a blob was stored. */
  readonly clock?: Clock;
  readonly peerTtlMs?: number;
  /** How much of the newest records is kept in memory for readers who follow, in bytes. Default: 16 MB. */
  readonly recentBytesMax?: number;
}

const RECORD_BYTES_MAX = 32 * 1024 * 1024;
const BLOB_BYTES_MAX = 64 * 1024 ** 3;
/** How often uploads are looked for that nobody continues. */
const CLEAN_EVERY_MS = 3600 * 1000;
const RECENT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * A log in a folder of this machine: records in an SQLite database (write-ahead log, synced before an append is acknowledged),
 * snapshots and blobs in files beside it. Only one process at a time can have it open; others reach it through `serveLog`.
 *
 * @throws UserError         it belongs to another group
 * @throws LogInUseError     another process has it open
 * @throws UnavailableError  the folder or the database cannot be used
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<ChangeLog> {
  const { folder, waitMs = 1000 } = options;
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new UnavailableError(
      'log-unusable',
      `the folder of the log, ${folder}, cannot be made: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  if (options.group !== undefined) checkGroup(folder, options.group);
  const workerData: WorkerData = { file: path.join(folder, 'log.sqlite'), waitMs };
  // The published package is compiled.
  const script = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
  return openFolderLog({ ...options, script: new URL(script, import.meta.url), workerData });
}

/** What a folder's log must look at when others may write to the folder as well. */
export interface Fence {
  /** Part of the names of what this process alone writes. */
  readonly term: number;
  /** Resolves when the log is still this process' own. @throws UnavailableError */
  check(): Promise<void>;
  /** Hears that it is not. */
  readonly onOver: () => void;
}

export interface FolderLogOptions extends EmbeddedLogOptions {
  /** The thread that keeps the records, and what it is given. */
  readonly script: URL;
  readonly workerData: object;
  readonly fence?: Fence;
}

/** A log whose records are kept by a thread, with its snapshots and blobs in files beside them. */
export async function openFolderLog(options: FolderLogOptions): Promise<ChangeLog> {
  const { folder, script, workerData, fence } = options;
  const worker = new Worker(script, {
    workerData,
    // It is part of what is supported from this version of Node on, and the warning would be in every node's log.
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  const opened = await firstReply(worker, folder);
  if (options.group !== undefined) writeGroup(folder, options.group);
  const clock = options.clock ?? systemClock;
  const snapshots = new SnapshotFiles(folder, clock);
  const blobs = new BlobFiles(folder, clock, fence?.term);
  await snapshots.clean();
  return new FolderLog({ worker, opened, snapshots, blobs, clock, options });
}

async function firstReply(worker: Worker, folder: string): Promise<Extract<Reply, { kind: 'opened' }>> {
  const reply = await new Promise<Reply>((resolve, reject) => {
    worker.once('message', ([first]: readonly Reply[]) => resolve(first!));
    worker.once('error', reject);
  });
  if (reply.kind === 'opened') return reply;
  await worker.terminate();
  if (reply.kind === 'in-use') throw new LogInUseError(folder);
  throw new UnavailableError(
    'log-unusable',
    `the log in ${folder} cannot be opened: ${'message' in reply ? reply.message : reply.kind}`,
  );
}

interface Parts {
  readonly worker: Worker;
  readonly opened: Extract<Reply, { kind: 'opened' }>;
  readonly snapshots: SnapshotFiles;
  readonly blobs: BlobFiles;
  readonly clock: Clock;
  readonly options: FolderLogOptions;
}

interface Call {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
  /** What to say when the thread ends before it answers. */
  readonly lost: () => Error;
}

class FolderLog implements ChangeLog {
  readonly promises: LogPromises = {
    durability: 'power-loss',
    recordBytesMax: RECORD_BYTES_MAX,
    blobBytesMax: BLOB_BYTES_MAX,
  };
  readonly #worker: Worker;
  readonly #snapshots: SnapshotFiles;
  readonly #blobs: BlobFiles;
  readonly #fence: Fence | undefined;
  readonly #feed: Feed;
  readonly #peers: PeerList;
  readonly #calls = new Map<number, Call>();
  readonly #outbox: Request[] = [];
  #lastCall = 0;
  #trimmed: Position;
  /** Bodies of appends under way, for the readers who follow. */
  readonly #bodies = new Map<number, Uint8Array>();
  readonly #cleaning: Promise<void>;
  readonly #closed = new AbortController();
  #closing: Promise<void> | undefined;
  #broken: Error | undefined;

  constructor(parts: Parts) {
    const { worker, opened, snapshots, blobs, clock, options } = parts;
    this.#worker = worker;
    this.#snapshots = snapshots;
    this.#blobs = blobs;
    this.#fence = options.fence;
    this.#feed = new Feed(opened.head as Position, options.recentBytesMax ?? RECENT_BYTES_MAX);
    this.#peers = new PeerList(clock, options.peerTtlMs);
    this.#trimmed = opened.trimmed as Position;
    this.#cleaning = this.#cleanNowAndThen(clock);
    worker.on('message', (replies: readonly Reply[]) => {
      for (const reply of replies) this.#receive(reply);
    });
    worker.once('error', (error) => this.#fail(error));
    worker.once('exit', () => this.#fail(new LogClosedError()));
  }

  async append(after: Position, body: Uint8Array): Promise<Appended | HeadMoved> {
    this.#checkOpen();
    checkRecordBytes(body, RECORD_BYTES_MAX);
    // A copy for the readers who follow: the caller may use his bytes again.
    const mine = Buffer.from(body);
    const lost = () => new UncertainError('the log was closed before it answered');
    const reply = await this.#call((id) => {
      this.#bodies.set(id, mine);
      return { kind: 'append', id, after, body: mine };
    }, lost);
    if (reply.kind === 'appended') return { kind: 'appended', position: reply.position as Position };
    if (reply.kind === 'head-moved') return { kind: 'head-moved', head: reply.head as Position };
    throw unexpected(reply);
  }

  async *read(after: Position, signal: AbortSignal): AsyncIterableIterator<readonly LogRecord[]> {
    this.#checkOpen();
    if (after < this.#trimmed) throw new TrimmedError(this.#trimmed);
    yield* this.#feed.read(after, signal, (from) => this.#load(from));
  }

  async head(): Promise<Position> {
    this.#checkOpen();
    if (this.#fence === undefined) return this.#feed.head;
    const reply = await this.#call(
      (id) => ({ kind: 'head', id }),
      () => new LogClosedError(),
    );
    if (reply.kind !== 'head') throw unexpected(reply);
    return reply.head as Position;
  }

  async putSnapshot(at: Position, body: Readable): Promise<void> {
    this.#checkOpen(body);
    await this.#snapshots.put(at, body, this.#closed.signal);
    await this.#fence?.check();
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
    this.#checkOpen();
    checkBlobBytes(hash, source.size, BLOB_BYTES_MAX);
    await this.#blobs.put(hash, source);
    await this.#fence?.check();
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
    await this.#blobs.remove(hashes, storedBefore, () => this.#fence?.check());
  }

  async announce(status: NodeStatus): Promise<void> {
    this.#checkOpen();
    this.#peers.announce(status);
  }

  async *peers(signal: AbortSignal): AsyncIterableIterator<readonly NodeStatus[]> {
    this.#checkOpen();
    yield* this.#peers.watch(signal);
  }

  async trim(upTo: Position): Promise<void> {
    this.#checkOpen();
    const target = trimTarget(upTo, await this.#snapshots.positions());
    const reply = await this.#call(
      (id) => ({ kind: 'trim', id, upTo: target }),
      () => new LogClosedError(),
    );
    if (reply.kind !== 'trimmed') throw unexpected(reply);
    this.#trimmed = reply.trimmed as Position;
    if (this.#trimmed > this.#feed.head) this.#feed.reset(this.#trimmed);
    await this.#snapshots.removeBelow(target);
  }

  async trimmed(): Promise<Position> {
    this.#checkOpen();
    return this.#trimmed;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Behind everything that was asked for before.
    const done = this.#call(
      (id) => ({ kind: 'close', id }),
      () => new LogClosedError(),
    );
    this.#closed.abort(new LogClosedError());
    this.#feed.close();
    this.#peers.close();
    await this.#blobs.close();
    await this.#cleaning;
    await done.catch(() => {});
    await this.#worker.terminate();
  }

  async #cleanNowAndThen(clock: Clock): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      // Nobody can be told, and there is another time.
      await this.#blobs.clean().catch(() => {});
      await clock.sleep(CLEAN_EVERY_MS, signal).catch(() => {});
    }
  }

  async #load(after: Position): Promise<readonly LogRecord[]> {
    const limits = { bytesMax: BATCH_BYTES_MAX, recordsMax: BATCH_RECORDS_MAX };
    const reply = await this.#call(
      (id) => ({ kind: 'load', id, after, ...limits }),
      () => new LogClosedError(),
    );
    if (reply.kind === 'trimmed') throw new TrimmedError(reply.trimmed as Position);
    if (reply.kind === 'loaded') return reply.records as readonly LogRecord[];
    throw unexpected(reply);
  }

  #call(request: (id: number) => Request, lost: () => Error): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined)
        return reject(new UnavailableError('log-closed', this.#broken.message, { cause: this.#broken }));
      const id = ++this.#lastCall;
      this.#calls.set(id, { resolve, reject, lost });
      // What is asked for in one go is sent in one go: a message to the thread costs more than what is in it.
      if (this.#outbox.push(request(id)) === 1) queueMicrotask(() => this.#worker.postMessage(this.#outbox.splice(0)));
    });
  }

  #receive(reply: Reply): void {
    if (!('id' in reply)) return;
    const call = this.#calls.get(reply.id);
    const body = this.#bodies.get(reply.id);
    this.#calls.delete(reply.id);
    this.#bodies.delete(reply.id);
    if (reply.kind === 'failed') {
      if (reply.head > this.#feed.head) this.#feed.reset(reply.head as Position);
      if (reply.isOver) this.#fence?.onOver();
      const message = `the log failed: ${reply.message}`;
      call?.reject(reply.uncertain ? new UncertainError(message) : new UnavailableError('log-failed', message));
      return;
    }
    if (reply.kind === 'appended' && body !== undefined)
      this.#feed.push({ position: reply.position as Position, body });
    call?.resolve(reply);
  }

  #fail(error: Error): void {
    this.#broken ??= error;
    this.#feed.close();
    this.#peers.close();
    for (const call of this.#calls.values()) call.reject(call.lost());
    this.#calls.clear();
    this.#bodies.clear();
  }

  #checkOpen(body?: Readable): void {
    if (this.#closing === undefined && this.#broken === undefined) return;
    body?.destroy();
    throw new LogClosedError();
  }
}

function unexpected(reply: Reply): Error {
  return new Error(`unexpected answer of the log's thread: ${reply.kind}`);
}
