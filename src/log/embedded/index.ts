import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, messageOf, ProcessLock, systemClock, UnavailableError } from '../../base/index.ts';
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
import { Feed } from '../feed.ts';
import { PeerList } from '../peers.ts';
import { BlobFiles } from './blobs.ts';
import type { Fence } from './fence.ts';
import { checkGroup, writeGroup } from './group.ts';
import { SnapshotFiles } from './snapshots.ts';
import { RecordsThread } from './thread.ts';

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

/** How often a log that is open elsewhere is tried again. */
const RETRY_MS = 20;

/** Where the records of a log in a folder are. */
export const recordsIn = (folder: string) => path.join(folder, 'records');

/** Where version 0.1.0 kept a log's records. */
const FORMER_FILE = 'log.sqlite';

/** Whether a folder has a log in it. */
export function isLogFolder(folder: string): boolean {
  return existsSync(recordsIn(folder)) || existsSync(path.join(folder, FORMER_FILE));
}

/**
 * A log in a folder of this machine: records in files to which they are added (synced before an append is acknowledged), snapshots and
 * blobs in files beside them. Only one process at a time can have it open; others reach it through `serveLog`.
 *
 * @throws UserError         it belongs to another group
 * @throws LogInUseError     another process has it open
 * @throws UnavailableError  the folder or a file in it cannot be used
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<ChangeLog> {
  const { folder, waitMs = 1000 } = options;
  const lock = await lockOf(folder, waitMs);
  try {
    if (options.group !== undefined) checkGroup(folder, options.group);
    return await openFolderLog({ ...options, onClosed: () => lock.release() });
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function lockOf(folder: string, waitMs: number): Promise<ProcessLock> {
  try {
    mkdirSync(folder, { recursive: true });
    for (const deadlineMs = performance.now() + waitMs; ; await sleep(RETRY_MS)) {
      const lock = ProcessLock.take(path.join(folder, 'lock'));
      if (lock !== undefined) return lock;
      if (performance.now() > deadlineMs) break;
    }
  } catch (error) {
    throw unusable(folder, error);
  }
  throw new LogInUseError(folder);
}

function unusable(folder: string, error: unknown): UnavailableError {
  return new UnavailableError('log-unusable', `the log's folder ${folder} cannot be used: ${messageOf(error)}`, {
    cause: error,
  });
}

export interface FolderLogOptions extends EmbeddedLogOptions {
  /** Absent: only this process writes to the folder. */
  readonly fence?: Fence;
  readonly onClosed?: () => void;
}

/** A log whose records are kept by a thread, with its snapshots and blobs in files beside them. */
export async function openFolderLog(options: FolderLogOptions): Promise<ChangeLog> {
  const { folder, fence } = options;
  const thread = await RecordsThread.start({
    folder: recordsIn(folder),
    term: fence?.term,
    token: fence?.file,
    former: fence === undefined ? path.join(folder, FORMER_FILE) : undefined,
  });
  try {
    if (options.group !== undefined) writeGroup(folder, options.group);
    const clock = options.clock ?? systemClock;
    const snapshots = new SnapshotFiles(folder, clock);
    const blobs = new BlobFiles(folder, clock, fence?.term);
    await snapshots.clean();
    return new FolderLog({ thread, snapshots, blobs, clock, options });
  } catch (error) {
    await thread.close();
    throw unusable(folder, error);
  }
}

interface Parts {
  readonly thread: RecordsThread;
  readonly snapshots: SnapshotFiles;
  readonly blobs: BlobFiles;
  readonly clock: Clock;
  readonly options: FolderLogOptions;
}

class FolderLog implements ChangeLog {
  readonly promises: LogPromises = {
    durability: 'power-loss',
    recordBytesMax: RECORD_BYTES_MAX,
    blobBytesMax: BLOB_BYTES_MAX,
  };
  readonly #thread: RecordsThread;
  readonly #snapshots: SnapshotFiles;
  readonly #blobs: BlobFiles;
  readonly #fence: Fence | undefined;
  readonly #onClosed: (() => void) | undefined;
  readonly #feed: Feed;
  readonly #peers: PeerList;
  #trimmed: Position;
  readonly #cleaning: Promise<void>;
  readonly #closed = new AbortController();
  #closing: Promise<void> | undefined;
  #broken: Error | undefined;

  constructor(parts: Parts) {
    const { thread, snapshots, blobs, clock, options } = parts;
    this.#thread = thread;
    this.#snapshots = snapshots;
    this.#blobs = blobs;
    this.#fence = options.fence;
    this.#onClosed = options.onClosed;
    this.#feed = new Feed(thread.opened.head as Position, options.recentBytesMax ?? RECENT_BYTES_MAX);
    this.#peers = new PeerList(clock, options.peerTtlMs);
    this.#trimmed = thread.opened.trimmed as Position;
    this.#cleaning = this.#cleanNowAndThen(clock);
    thread.onOver = () => this.#fence?.onOver();
    thread.whenGone((why) => {
      this.#broken = why;
      this.#feed.close();
      this.#peers.close();
    });
  }

  async append(after: Position, body: Uint8Array): Promise<Appended | HeadMoved> {
    this.#checkOpen();
    checkRecordBytes(body, RECORD_BYTES_MAX);
    // A copy: the caller may use his bytes again.
    const mine = Buffer.from(body);
    const result = await this.#thread.append(after, mine);
    // Before anybody else hears of anything that came later, and in the order of the answers.
    if (result.kind === 'appended') this.#feed.push({ position: result.position, body: mine });
    return result;
  }

  async *read(after: Position, signal: AbortSignal): AsyncIterableIterator<readonly LogRecord[]> {
    this.#checkOpen();
    if (after < this.#trimmed) throw new TrimmedError(this.#trimmed);
    yield* this.#feed.read(after, signal, (from) => this.#thread.load(from));
  }

  async head(): Promise<Position> {
    this.#checkOpen();
    return this.#fence === undefined ? this.#feed.head : this.#thread.head();
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
    this.#trimmed = await this.#thread.trim(target);
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
    const done = this.#thread.close();
    this.#closed.abort(new LogClosedError());
    this.#feed.close();
    this.#peers.close();
    await this.#blobs.close();
    await this.#cleaning;
    await done;
    this.#onClosed?.();
  }

  async #cleanNowAndThen(clock: Clock): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      // Nobody can be told, and there is another time.
      await this.#blobs.clean().catch(() => {});
      await clock.sleep(CLEAN_EVERY_MS, signal).catch(() => {});
    }
  }

  #checkOpen(body?: Readable): void {
    if (this.#closing === undefined && this.#broken === undefined) return;
    body?.destroy();
    throw this.#broken ?? new LogClosedError();
  }
}
