import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Clock, systemClock, UnavailableError, UncertainError } from '../base/index.ts';
import { type ContentHash, contentHash, type Position, START } from '../tree/index.ts';
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
} from './change-log.ts';
import {
  BlobMismatchError,
  checkBlobBytes,
  checkBlobFrom,
  checkRecordBytes,
  LogClosedError,
  sizeMismatch,
  trimTarget,
} from './errors.ts';
import { batchLength, Feed } from './feed.ts';
import { PeerList } from './peers.ts';
import { Wakeup } from './wakeup.ts';

/** A log in the memory of this process: for tests and simulations, and to read first. */
export interface MemoryLog {
  /** Opens a handle, as another process would. */
  open(options?: MemoryHandleOptions): MemoryHandle;
  /** Loses the records after `head`, as an engine without file syncs does when the power fails. */
  rewind(head: Position): void;
}

export interface MemoryHandleOptions {
  /** Asked before each call, and, as `deliver`, before each batch of records that a reader gets. Default: never a fault. */
  readonly fault?: (call: MemoryCall) => MemoryFault | undefined;
}

export type MemoryCall = Exclude<keyof ChangeLog, 'promises' | 'read' | 'peers' | 'close'> | 'deliver';

/** What goes wrong with one call. */
export type MemoryFault =
  /** The request takes so long to arrive, and the reply so long to come back. */
  | { readonly kind: 'delay'; readonly requestMs?: number; readonly replyMs?: number }
  /** It is known that nothing was done. */
  | { readonly kind: 'unreachable' }
  /** Nothing was done, and the caller does not know. */
  | { readonly kind: 'lost-request' }
  /** It was done, and the caller does not know. */
  | { readonly kind: 'lost-reply' };

export interface MemoryHandle extends ChangeLog {
  /** While true, this handle does not reach the log: its calls are refused and its readers wait. */
  partitioned: boolean;
}

const RECORD_BYTES_MAX = 32 * 1024 * 1024;
const BLOB_BYTES_MAX = 1024 * 1024 * 1024;
const BLOB_BATCH = 1000;
const PARTIAL_MAX = 16;

/** @param options.clock  for delays and for forgetting nodes: the only thing that this log waits for */
export function memoryLog(options: { clock?: Clock; peerTtlMs?: number } = {}): MemoryLog {
  const clock = options.clock ?? systemClock;
  const store = new Store(clock, options.peerTtlMs);
  return {
    open: (handleOptions = {}) => new Handle(store, clock, handleOptions),
    rewind: (head) => store.rewind(head),
  };
}

interface Kept<Key> {
  readonly key: Key;
  readonly bytes: Buffer;
  readonly storedAt: string;
}

/** The state that all handles share. Its methods are synchronous: each is one atomic step. */
class Store {
  readonly feed = new Feed(START, 0);
  readonly peers: PeerList;
  /** Ascending by position. */
  snapshots: readonly Kept<Position>[] = [];
  readonly #blobs = new Map<ContentHash, Kept<ContentHash>>();
  /** What came of blobs whose transfer broke off. */
  readonly #partial = new Map<ContentHash, Buffer>();
  readonly #clock: Clock;
  trimmed: Position = START;
  /** The records after `trimmed`. */
  #records: LogRecord[] = [];

  constructor(clock: Clock, peerTtlMs: number | undefined) {
    this.#clock = clock;
    this.peers = new PeerList(clock, peerTtlMs);
  }

  append(after: Position, body: Uint8Array): Appended | HeadMoved {
    const head = this.feed.head;
    if (after !== head) return { kind: 'head-moved', head };
    const position = (head + 1) as Position;
    const record = { position, body: Buffer.from(body) };
    this.#records.push(record);
    this.feed.push(record);
    return { kind: 'appended', position };
  }

  load(after: Position): readonly LogRecord[] {
    if (after < this.trimmed) throw new TrimmedError(this.trimmed);
    const start = after - this.trimmed;
    return this.#records.slice(start, start + batchLength(this.#records, start));
  }

  putSnapshot(at: Position, bytes: Buffer): void {
    const others = this.snapshots.filter((snapshot) => snapshot.key !== at);
    this.snapshots = [...others, this.#keep(at, bytes)].sort((a, b) => a.key - b.key);
  }

  trim(upTo: Position): void {
    const target = trimTarget(
      upTo,
      this.snapshots.map(({ key }) => key),
    );
    this.snapshots = this.snapshots.filter(({ key }) => key >= target);
    if (target <= this.trimmed) return;
    this.#records.splice(0, target - this.trimmed);
    this.trimmed = target;
    if (target > this.feed.head) this.feed.reset(target);
  }

  blob(hash: ContentHash): Buffer | undefined {
    return this.#blobs.get(hash)?.bytes;
  }

  /** What is there of a blob whose transfer broke off. */
  partial(hash: ContentHash): Buffer {
    return this.#partial.get(hash) ?? Buffer.alloc(0);
  }

  keepPartial(hash: ContentHash, bytes: Buffer): void {
    this.#partial.set(hash, bytes);
    // An upload that nobody continues must not stay for good; this log has no better measure of that than its number.
    if (this.#partial.size > PARTIAL_MAX) this.#partial.delete(this.#partial.keys().next().value!);
  }

  /** @throws BlobMismatchError */
  putBlob(hash: ContentHash, bytes: Buffer): void {
    this.#partial.delete(hash);
    const actual = contentHash(bytes);
    if (actual !== hash) throw new BlobMismatchError(hash, actual);
    this.#blobs.set(hash, this.#keep(hash, bytes));
  }

  blobs(): BlobInfo[] {
    return [...this.#blobs.values()].map(({ key, bytes, storedAt }) => ({ hash: key, size: bytes.length, storedAt }));
  }

  removeBlobs(hashes: readonly ContentHash[], storedBefore: string): void {
    const beforeMs = Date.parse(storedBefore);
    for (const hash of hashes) {
      const blob = this.#blobs.get(hash);
      if (blob !== undefined && Date.parse(blob.storedAt) < beforeMs) this.#blobs.delete(hash);
    }
  }

  #keep<Key>(key: Key, bytes: Buffer): Kept<Key> {
    return { key, bytes, storedAt: new Date(this.#clock.now()).toISOString() };
  }

  rewind(head: Position): void {
    this.#records.length = Math.max(0, Math.min(this.#records.length, head - this.trimmed));
    this.feed.reset((this.trimmed + this.#records.length) as Position);
  }
}

class Handle implements MemoryHandle {
  readonly promises: LogPromises = {
    durability: 'memory',
    recordBytesMax: RECORD_BYTES_MAX,
    blobBytesMax: BLOB_BYTES_MAX,
  };
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #fault: NonNullable<MemoryHandleOptions['fault']>;
  readonly #closing = new AbortController();
  readonly #healed = new Wakeup();
  #partitioned = false;

  constructor(store: Store, clock: Clock, options: MemoryHandleOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#fault = options.fault ?? (() => undefined);
  }

  get partitioned(): boolean {
    return this.#partitioned;
  }

  set partitioned(value: boolean) {
    this.#partitioned = value;
    this.#healed.wake();
  }

  append(after: Position, body: Uint8Array): Promise<Appended | HeadMoved> {
    return this.#call('append', () => {
      checkRecordBytes(body, RECORD_BYTES_MAX);
      return this.#store.append(after, body);
    });
  }

  head(): Promise<Position> {
    return this.#call('head', () => this.#store.feed.head);
  }

  async *read(after: Position, signal: AbortSignal): AsyncIterableIterator<readonly LogRecord[]> {
    this.#checkOpen();
    const either = AbortSignal.any([signal, this.#closing.signal]);
    await this.#reached(either);
    for await (const batch of this.#store.feed.read(after, either, async (from) => this.#store.load(from))) {
      await this.#deliver(either);
      if (either.aborted) break;
      yield batch;
    }
    if (!signal.aborted) this.#checkOpen();
  }

  async putSnapshot(at: Position, body: Readable): Promise<void> {
    if (this.#closing.signal.aborted) body.destroy();
    this.#checkOpen();
    const bytes = await buffer(body);
    return this.#call('putSnapshot', () => this.#store.putSnapshot(at, bytes));
  }

  latestSnapshot(upTo?: Position): Promise<SnapshotBody | undefined> {
    return this.#call('latestSnapshot', () => {
      const snapshot = this.#store.snapshots.findLast(({ key }) => upTo === undefined || key <= upTo);
      return snapshot && { at: snapshot.key, body: streamOf(snapshot.bytes) };
    });
  }

  snapshots(): Promise<readonly SnapshotInfo[]> {
    return this.#call('snapshots', () =>
      this.#store.snapshots.map(({ key, bytes, storedAt }) => ({ at: key, size: bytes.length, storedAt })),
    );
  }

  async putBlob(hash: ContentHash, source: BlobSource): Promise<void> {
    checkBlobBytes(hash, source.size, BLOB_BYTES_MAX);
    this.#checkOpen();
    const bytes = this.#store.blob(hash) ?? (await this.#collect(hash, source));
    return this.#call('putBlob', () => this.#store.putBlob(hash, bytes));
  }

  hasBlob(hash: ContentHash): Promise<boolean> {
    return this.#call('hasBlob', () => this.#store.blob(hash) !== undefined);
  }

  getBlob(hash: ContentHash, from = 0): Promise<Readable | undefined> {
    return this.#call('getBlob', () => {
      const bytes = this.#store.blob(hash);
      if (bytes === undefined) return undefined;
      checkBlobFrom(hash, from, bytes.length);
      return streamOf(bytes.subarray(from));
    });
  }

  async *blobs(): AsyncIterableIterator<readonly BlobInfo[]> {
    const all = await this.#call('blobs', () => this.#store.blobs());
    for (let i = 0; i < all.length; i += BLOB_BATCH) yield all.slice(i, i + BLOB_BATCH);
  }

  removeBlobs(hashes: readonly ContentHash[], storedBefore: string): Promise<void> {
    return this.#call('removeBlobs', () => this.#store.removeBlobs(hashes, storedBefore));
  }

  announce(status: NodeStatus): Promise<void> {
    return this.#call('announce', () => this.#store.peers.announce(status));
  }

  async *peers(signal: AbortSignal): AsyncIterableIterator<readonly NodeStatus[]> {
    this.#checkOpen();
    const either = AbortSignal.any([signal, this.#closing.signal]);
    for await (const list of this.#store.peers.watch(either)) {
      await this.#reached(either);
      if (either.aborted) break;
      yield list;
    }
    if (!signal.aborted) this.#checkOpen();
  }

  trim(upTo: Position): Promise<void> {
    return this.#call('trim', () => this.#store.trim(upTo));
  }

  trimmed(): Promise<Position> {
    return this.#call('trimmed', () => this.#store.trimmed);
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new LogClosedError();
  }

  /** The bytes of a blob, after those that an earlier transfer brought. */
  async #collect(hash: ContentHash, source: BlobSource): Promise<Buffer> {
    const before = this.#store.partial(hash);
    const chunks = [before];
    try {
      for await (const chunk of source.open(before.length)) chunks.push(chunk as Buffer);
    } catch (error) {
      this.#store.keepPartial(hash, Buffer.concat(chunks));
      throw error;
    }
    const bytes = Buffer.concat(chunks);
    // What came before may have been somebody's mistake.
    const whole = before.length === 0 || contentHash(bytes) === hash ? bytes : await buffer(source.open(0));
    if (whole.length !== source.size) throw sizeMismatch(hash, contentHash(whole), source.size);
    return whole;
  }

  /** Runs a step on the shared state, with whatever goes wrong on the way there and back. */
  async #call<T>(call: MemoryCall, step: () => T): Promise<T> {
    this.#checkOpen();
    const fault = this.#fault(call);
    if (fault?.kind === 'delay' && fault.requestMs) await this.#clock.sleep(fault.requestMs);
    if (this.#partitioned || fault?.kind === 'unreachable')
      throw new UnavailableError('log-unreachable', 'the log cannot be reached');
    const lost = () =>
      call === 'append'
        ? new UncertainError('the connection to the log was lost before it answered')
        : new UnavailableError('log-unreachable', 'the connection to the log was lost');
    if (fault?.kind === 'lost-request') throw lost();
    const result = step();
    if (fault?.kind === 'lost-reply') throw lost();
    if (fault?.kind === 'delay' && fault.replyMs) await this.#clock.sleep(fault.replyMs);
    // Cut off while the reply was on its way.
    if (this.#partitioned) throw lost();
    if (call !== 'append') this.#checkOpen();
    return result;
  }

  async #deliver(signal: AbortSignal): Promise<void> {
    const fault = this.#fault('deliver');
    if (fault?.kind === 'delay')
      await this.#clock.sleep((fault.requestMs ?? 0) + (fault.replyMs ?? 0), signal).catch(() => {});
    await this.#reached(signal);
  }

  async #reached(signal: AbortSignal): Promise<void> {
    while (this.#partitioned && !signal.aborted) await this.#healed.wait(signal);
  }
}

function streamOf(bytes: Buffer): Readable {
  return Readable.from(bytes.length === 0 ? [] : [bytes]);
}
