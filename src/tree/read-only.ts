import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Clock, messageOf, systemClock, UnavailableError } from '../base/index.ts';
import { contentHash, digestOf } from './digest.ts';
import { codeOf, type FileSystem, makeFolders } from './files.ts';
import { type FileEntry, Files, type Touched } from './folder.ts';
import { KeptContents } from './kept-contents.ts';
import { nodeFileSystem } from './node-files.ts';
import type { Snapshot, SnapshotFile } from './snapshot.ts';
import { type OpenFrom, type StagedBlob, Staging } from './staging.ts';
import type { Drift, RestoreOptions, Store } from './store-types.ts';
import { type Backing, type FileStat, type Frozen, type FrozenFile, opened, type RecordWork, Tree } from './tree.ts';
import { type Content, type ContentHash, type Position, START, type TreePath } from './types.ts';
import { isFileWith, Unseen } from './unseen.ts';

export interface ReadOnlyStoreOptions {
  /** The node's own folder, absolute: no other node's. */
  readonly clusterDir: string;
  /** Default: the real one. */
  readonly system?: FileSystem;
  /** For pauses. */
  readonly clock?: Clock;
  /** Gives the bytes of a blob of the log, from an offset on. */
  readonly fetchBlob: (hash: ContentHash, from: number) => Promise<AsyncIterable<Uint8Array>>;
  /** Default: 256 MiB. */
  readonly waitingBytesMax?: number;
  /** Contents up to this length are kept in the node's own folder; longer ones are read where the other node writes them. Default: 4 MiB. */
  readonly keptBytesMax?: number;
  /** Contents that nobody wants any more may take so much, and as much again as those that are wanted. Default: 64 MiB. */
  readonly unwantedBytesMax?: number;
  /** Called with the text when the node's own disk fails, and with undefined when it works again. */
  readonly onTrouble?: (trouble: string | undefined) => void;
}

const WAITING_BYTES_MAX = 256 * 1024 * 1024;
const KEPT_BYTES_MAX = 4 * 1024 * 1024;
/** So much is written at once. */
const BATCH_BYTES = 8 * 1024 * 1024;
const RETRY_MS = 1000;
/** A long file out of the log is kept for so long: by then the other node has written it, or somebody asks again. */
const LONG_KEPT_MS = 600_000;
const UNWANTED_BYTES_MAX = 64 * 1024 * 1024;

interface Waiting {
  readonly entry: FileEntry;
  readonly content: Extract<Content, { kind: 'inline' }>;
}

/**
 * The tree of a node whose data directory another node writes. It begins with a snapshot of the log, and nothing below the
 * directory is ever changed. The other node may be behind, or ahead, or in the middle of a change: so files that anybody parses
 * (up to `keptBytesMax`) are kept in the node's own folder, and reading them does not depend on the directory. Longer ones are taken
 * from it where they have the right hash, and out of the log otherwise.
 */
export class ReadOnlyStore implements Store {
  readonly readOnly = true;
  readonly tree: Tree;
  readonly skipped = [];
  readonly comparableFrom: Position = START;
  readonly incomplete = false;
  readonly waitingBytesMax: number;
  readonly #dir: string;
  readonly #options: ReadOnlyStoreOptions;
  readonly #system: FileSystem;
  readonly #clock: Clock;
  readonly #keptBytesMax: number;
  readonly #unwantedBytesMax: number;
  readonly #kept: KeptContents;
  /** Long files of the node's own. */
  readonly #staging: Staging;
  /** When each of them may go, in monotonic milliseconds. */
  readonly #long = new Map<ContentHash, number>();
  readonly #fetching = new Set<ContentHash>();
  readonly #unseen: Unseen;
  readonly #closing = new AbortController();
  #logId = '';
  /** Contents that are on their way to the node's own folder; oldest first. */
  readonly #queue: Waiting[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  /** Kept for records that are not applied yet. */
  readonly #expected = new Map<ContentHash, number>();
  /** While somebody relies on contents that the tree may have dropped. */
  #held = 0;
  #replacing = false;
  #shrunkAtBytes = 0;
  #trouble: string | undefined;

  /** @param dir  absolute */
  static async open(dir: string, options: ReadOnlyStoreOptions): Promise<ReadOnlyStore> {
    const system = options.system ?? nodeFileSystem;
    await makeFolders(system, options.clusterDir);
    const kept = await KeptContents.open(system, `${options.clusterDir}/contents`);
    const store = new ReadOnlyStore({ dir, options, system, kept });
    await store.tidy();
    return store;
  }

  private constructor(parts: {
    readonly dir: string;
    readonly options: ReadOnlyStoreOptions;
    readonly system: FileSystem;
    readonly kept: KeptContents;
  }) {
    const { dir, options, system, kept } = parts;
    this.#dir = dir;
    this.#options = options;
    this.#system = system;
    this.#kept = kept;
    this.#staging = new Staging(system, `${options.clusterDir}/blobs`, () => void this.tidy());
    this.#clock = options.clock ?? systemClock;
    this.#unwantedBytesMax = options.unwantedBytesMax ?? UNWANTED_BYTES_MAX;
    this.#keptBytesMax = options.keptBytesMax ?? KEPT_BYTES_MAX;
    this.waitingBytesMax = options.waitingBytesMax ?? WAITING_BYTES_MAX;
    this.#unseen = new Unseen({ system, dir, clock: this.#clock, files: () => this.tree.layer });
    const backing: Backing = {
      read: (path, { hash, size }) => this.#read({ path, hash, size }),
      open: (path, { hash, size }) => this.#open({ path, hash, size }),
      readBlob: (hash) => this.#system.readSync(this.#staging.file(hash))!,
      openBlob: (hash) => this.readStagedBlob(hash),
      enqueue: (work) => this.#applied(work),
      freeze: () => this.#freeze(),
    };
    this.tree = new Tree({ files: new Files(), position: START, backing, operationsDone: 0 });
  }

  /** Nothing until a snapshot has been taken: what a former process knew is not relied on. */
  get recorded(): Store['recorded'] {
    const { position, digest } = this.tree;
    return this.#logId === '' ? undefined : { logId: this.#logId, position, digest };
  }

  /** Files that the other node is not known to have written. */
  get unwritten(): number {
    return this.#unseen.count;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  /**
   * Resolves when what was applied lately has been seen in the directory. Gives up after some seconds without an error: the other
   * node may have gone, or be ahead, and what is there is good enough for most who ask.
   */
  flush(): Promise<void> {
    return this.#unseen.seen(this.#closing.signal);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    await this.#kept.close();
  }

  async bind(): Promise<void> {
    throw new Error('a read-only node cannot begin a log');
  }

  async unbind(): Promise<void> {
    throw new Error('a read-only node cannot leave a log');
  }

  readDisk(path: TreePath): Uint8Array | undefined {
    try {
      return this.#system.readSync(`${this.#dir}/${path}`);
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  /** None: who writes the directory compares. */
  async drift(): Promise<Drift> {
    return { changed: [], added: [], removed: [], skipped: [] };
  }

  async stageBlob(hash: ContentHash, size: number, open: OpenFrom): Promise<void> {
    // Long ones come by way of the directory, or when somebody reads them.
    if (size > this.#keptBytesMax) return;
    this.#expected.set(hash, size);
    if (!this.#kept.has(hash)) await this.#kept.add([{ hash, bytes: await wholeOf(hash, await open(0)) }]);
  }

  async stage(body: AsyncIterable<Uint8Array>): Promise<StagedBlob> {
    const staged = await this.#staging.takeUnknown(body);
    const { hash, size } = staged;
    if (size > this.#keptBytesMax) {
      // The change that names it will be made here: it is at hand for some time.
      await this.#takeLong(hash, (from) => staged.open(from));
      return staged;
    }
    try {
      this.#expected.set(hash, size);
      await this.#kept.add([{ hash, bytes: this.#system.readSync(this.#staging.file(hash))! }]);
    } catch (error) {
      this.#expected.delete(hash);
      staged.release();
      throw error;
    }
    return {
      ...staged,
      release: () => {
        this.#expected.delete(hash);
        staged.release();
      },
    };
  }

  readStagedBlob(hash: ContentHash, from = 0): Readable {
    return this.#system.readStream(this.#staging.file(hash), from);
  }

  async tidy(): Promise<void> {
    if (this.#held === 0) await this.#staging.drop(() => this.#held > 0);
  }

  async restore(snapshot: Snapshot, { onContents }: RestoreOptions = {}): Promise<Touched[]> {
    const { logId, position, digest } = snapshot;
    const old = this.tree.layer;
    const target = new Files();
    const put: Touched[] = [];
    let batch: { hash: ContentHash; bytes: Uint8Array }[] = [];
    let batchBytes = 0;
    this.#replacing = true;
    this.#held++;
    try {
      await this.#running;
      for await (const file of snapshot.files()) {
        const { path, size } = file;
        const known = file.hash ?? (file.bytes && contentHash(file.bytes));
        const before = old.get(path);
        if (before !== undefined && before.hash === known) {
          target.load(path, before);
          continue;
        }
        const { hash, bytes } = await this.#contentsOf(file, known, snapshot);
        if (bytes !== undefined) {
          onContents?.(path, hash, bytes);
          batch.push({ hash, bytes });
          batchBytes += size;
        }
        if (batchBytes > BATCH_BYTES) {
          await this.#kept.add(batch);
          [batch, batchBytes] = [[], 0];
        }
        target.load(path, { hash, size, pending: undefined });
        put.push({ kind: 'put', path });
      }
      await this.#kept.add(batch);
    } finally {
      this.#replacing = false;
      this.#held--;
      this.#start();
    }
    if (digestOf(target.sum) !== digest)
      throw new Error(
        `the snapshot is damaged: its files have the digest ${digestOf(target.sum)}, and it says ${digest}`,
      );
    const deleted: Touched[] = [];
    for (const [path] of old.within('')) if (target.get(path) === undefined) deleted.push({ kind: 'deleted', path });
    this.#logId = logId;
    this.tree.replace(target, position);
    return [...deleted, ...put];
  }

  /** The hash of a file of a snapshot, and its bytes if they are to be kept and are not yet. */
  async #contentsOf(
    file: SnapshotFile,
    known: ContentHash | undefined,
    snapshot: Snapshot,
  ): Promise<{ hash: ContentHash; bytes?: Uint8Array }> {
    const { path, size, bytes } = file;
    if (known === undefined) {
      // Nobody says that the log has it by itself: it stays.
      const staged = await this.#staging.takeUnknown(file.body);
      return { hash: staged.hash };
    }
    if (size > this.#keptBytesMax || this.#kept.has(known)) return { hash: known };
    const found = bytes ?? this.#inDirectory({ path, hash: known, size });
    return { hash: known, bytes: found ?? (await wholeOf(known, await snapshot.openBlob(known))) };
  }

  // ---- following

  #applied(work: RecordWork): void {
    if (this.#logId === '') throw new Error('the tree has to be that of a log before records are applied');
    if (this.#replacing) throw new Error(`record ${work.position} cannot be applied while the tree is being replaced`);
    for (const { effect } of work.steps) {
      if (effect.kind === 'put') {
        this.#take(effect.entry);
        this.#unseen.put(effect.path, effect.entry);
      } else if (effect.kind === 'move') this.#unseen.moved(effect.from, effect.to);
    }
    this.#dropLong();
    this.#start();
  }

  #take(entry: FileEntry): void {
    const { hash, pending } = entry;
    this.#expected.delete(hash);
    if (pending?.kind !== 'inline' || this.#kept.has(hash)) {
      entry.pending = undefined;
      return;
    }
    this.#queue.push({ entry, content: pending });
    this.#waitingBytes += pending.bytes.length;
  }

  #start(): void {
    if (this.#running !== undefined || this.#replacing || this.#closing.signal.aborted) return;
    if (this.#queue.length === 0 && !this.#isWasteful) return;
    this.#running = this.#keep().finally(() => {
      this.#running = undefined;
      this.#start();
    });
  }

  /** Brings what waits in memory to the node's own folder, and tries again when its disk fails. */
  async #keep(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted && !this.#replacing && (this.#queue.length > 0 || this.#isWasteful)) {
      try {
        if (this.#isWasteful) await this.#shrink();
        const batch = this.#nextBatch();
        await this.#keepBatch(batch);
        this.#queue.splice(0, batch.length);
        for (const { entry, content } of batch) {
          if (entry.pending === content) entry.pending = undefined;
          this.#waitingBytes -= content.bytes.length;
        }
        this.#tell(undefined);
      } catch (error) {
        this.#tell(messageOf(error));
        await this.#clock.sleep(RETRY_MS, signal).catch(() => {});
      }
    }
  }

  #nextBatch(): readonly Waiting[] {
    let bytes = 0;
    const beyond = this.#queue.findIndex(({ content }, n) => {
      bytes += content.bytes.length;
      return n > 0 && bytes > BATCH_BYTES;
    });
    return this.#queue.slice(0, beyond < 0 ? undefined : beyond);
  }

  async #keepBatch(batch: readonly Waiting[]): Promise<void> {
    const small: { hash: ContentHash; bytes: Uint8Array }[] = [];
    for (const { entry, content } of batch) {
      const { hash, size } = entry;
      if (size <= this.#keptBytesMax) small.push({ hash, bytes: content.bytes });
      else await this.#takeLong(hash, (from) => Readable.from([content.bytes.subarray(from)]));
    }
    await this.#kept.add(small);
  }

  get #isWasteful(): boolean {
    return this.#held === 0 && this.#kept.bytes > 2 * this.#shrunkAtBytes + this.#unwantedBytesMax;
  }

  async #shrink(): Promise<void> {
    const wanted = new Map(this.#expected);
    for (const { entry } of this.#queue) wanted.set(entry.hash, entry.size);
    for (const [, { hash, size }] of this.tree.layer.within('')) wanted.set(hash, size);
    await this.#kept.shrinkTo(wanted);
    this.#shrunkAtBytes = this.#kept.bytes;
  }

  #tell(trouble: string | undefined): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#options.onTrouble?.(trouble);
  }

  // ---- reading

  #read(file: FrozenFile): Uint8Array {
    const { path, hash } = file;
    const bytes = this.#keptOf(file) ?? this.#inDirectory(file) ?? this.#longOf(hash);
    if (bytes !== undefined) return bytes;
    void this.#fetch(hash);
    throw new UnavailableError(
      'file-on-its-way',
      `${path} is not in the shared data directory as it is at this node's position; it is being fetched: try again in a moment`,
    );
  }

  #keptOf({ hash, size }: FileStat): Uint8Array | undefined {
    try {
      const bytes = this.#kept.read(hash, size);
      // Somebody may have cleared the folder, or use it as well.
      return bytes !== undefined && contentHash(bytes) === hash ? bytes : undefined;
    } catch {
      return undefined;
    }
  }

  /** A file as the other node has written it, if it has this hash. */
  #inDirectory({ path, hash, size }: FrozenFile): Uint8Array | undefined {
    try {
      const bytes = this.#system.readSync(`${this.#dir}/${path}`, size);
      return bytes?.length === size && contentHash(bytes) === hash ? bytes : undefined;
    } catch {
      return undefined;
    }
  }

  #longOf(hash: ContentHash): Uint8Array | undefined {
    try {
      return this.#system.readSync(this.#staging.file(hash));
    } catch {
      return undefined;
    }
  }

  async #fetch(hash: ContentHash): Promise<void> {
    if (this.#fetching.has(hash) || this.#closing.signal.aborted) return;
    this.#fetching.add(hash);
    try {
      await this.#takeLong(hash, (from) => this.#options.fetchBlob(hash, from));
      this.#tell(undefined);
    } catch (error) {
      // Whoever asks again has it tried again.
      if (!(error instanceof UnavailableError)) this.#tell(messageOf(error));
    } finally {
      this.#fetching.delete(hash);
    }
  }

  async #takeLong(hash: ContentHash, open: OpenFrom): Promise<void> {
    await this.#staging.take(hash, open);
    this.#long.set(hash, this.#clock.monotonicMs() + LONG_KEPT_MS);
    this.#dropLong();
  }

  #dropLong(): void {
    const now = this.#clock.monotonicMs();
    const over = [...this.#long].filter(([, untilMs]) => untilMs <= now);
    for (const [hash] of over) {
      this.#long.delete(hash);
      this.#staging.applied(hash);
    }
    if (over.length > 0) void this.tidy();
  }

  #freeze(): Frozen {
    this.#held++;
    let open = true;
    return {
      quiet: Promise.resolve(),
      readSync: (file, bytesMax) => (file.size > bytesMax ? undefined : this.#read(file)),
      readStream: (file) => Readable.from(this.#streamOf(file), { objectMode: false }),
      readBlobStream: (hash) => this.readStagedBlob(hash),
      release: () => {
        if (open) this.#held--;
        open = false;
      },
    };
  }

  async *#streamOf(file: FrozenFile): AsyncGenerator<Uint8Array> {
    yield* await this.#open(file);
  }

  /** What is long comes from the log, which has it as it should be; without the log, from the directory. */
  async #open(file: FrozenFile): Promise<Readable> {
    const { path, hash } = file;
    const bytes = this.#keptOf(file);
    if (bytes !== undefined) return Readable.from([bytes]);
    if (await this.#staging.has(hash)) return opened(this.readStagedBlob(hash));
    try {
      return Readable.from(await this.#options.fetchBlob(hash, 0), { objectMode: false });
    } catch (error) {
      if (!(error instanceof UnavailableError) || !(await isFileWith(this.#system, `${this.#dir}/${path}`, file)))
        throw error;
      return opened(this.#system.readStream(`${this.#dir}/${path}`));
    }
  }
}

async function wholeOf(hash: ContentHash, body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const bytes = await buffer(body as Readable);
  const actual = contentHash(bytes);
  if (actual !== hash) throw new Error(`the blob ${hash} came with other bytes: their hash is ${actual}`);
  return bytes;
}
