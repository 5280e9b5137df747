import type { Readable } from 'node:stream';
import { type Clock, messageOf, systemClock, UnavailableError } from '../base/index.ts';
import { contentHash, digestOf, EMPTY_DIGEST } from './digest.ts';
import { codeOf, type FileSystem } from './files.ts';
import { type Effect, type FileEntry, Files, type Touched } from './folder.ts';
import { HashKeeper } from './hash-keeper.ts';
import { nodeFileSystem } from './node-files.ts';
import { isWithin } from './path.ts';
import { type Scan, type SkippedFile, scanFolder } from './scan.ts';
import type { Snapshot, SnapshotFile } from './snapshot.ts';
import { type OpenFrom, type StagedBlob, Staging } from './staging.ts';
import { readState, type StoreState } from './state.ts';
import type { Drift, RestoreOptions, Store } from './store-types.ts';
import { type Backing, type FileStat, type Frozen, opened, type RecordWork, Tree } from './tree.ts';
import { type ContentHash, INLINE_BYTES_MAX, type Position, START, type TreePath } from './types.ts';
import { WriteBehind } from './writer.ts';

export interface TreeStoreOptions {
  /** The node's own folder, absolute. Default: `cluster` in the data directory. */
  readonly clusterDir?: string;
  /** Default: the real one. */
  readonly system?: FileSystem;
  /** For the pauses between attempts on a failing disk. */
  readonly clock?: Clock;
  /** Gives the bytes of a blob that was not staged, from an offset on. */
  readonly fetchBlob?: (hash: ContentHash, from: number) => Promise<AsyncIterable<Uint8Array>>;
  /** Default: 256 MiB. */
  readonly waitingBytesMax?: number;
  /**
   * The hashes of files are kept in `cluster/cache/hashes` when so many would have to be read at the next start.
   * Default: 1000.
   */
  readonly keepHashesFrom?: number;
  /** Called with the text when the disk fails, and with undefined when it works again. */
  readonly onTrouble?: (trouble: string | undefined) => void;
}

const KEEP_HASHES_FROM = 1000;

/** What a scan found. */
interface OnDisk {
  readonly files: Files;
  /** Where long files lie, by their contents. */
  readonly places: ReadonlyMap<ContentHash, TreePath>;
}

const WAITING_BYTES_MAX = 256 * 1024 * 1024;

/** What a disk says when it is full, broken, or must not be written to. */
const DISK_FAILURES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EACCES', 'EPERM', 'EMFILE']);

/**
 * A data directory as a replicated tree. Opening it reads every file of the tree that is not as it was when it was last read,
 * and changes nothing; from then on the files follow the tree, behind it and in order, and `cluster/state.json` says how far they have come.
 */
export class TreeStore implements Store {
  readonly readOnly = false;
  /** The tree; the same object for the store's life. */
  readonly tree: Tree;
  /** What lies in the data directory and does not take part, as of the last scan. */
  skipped: readonly SkippedFile[];
  /**
   * From this position on, the tree's digest is that of the log. Before it, after a crash, files of later records may be there
   * already; applying the records up to here makes the tree right.
   */
  readonly comparableFrom: Position;
  /** Contents that may wait in memory for the disk; who writes should not add to more. Bytes. */
  readonly waitingBytesMax: number;
  readonly #dir: string;
  readonly #clusterDir: string;
  readonly #options: TreeStoreOptions;
  readonly #system: FileSystem;
  readonly #writer: WriteBehind;
  readonly #hashes: HashKeeper;
  readonly #staging: Staging;
  /** Staged for a snapshot, and on their way to their places. */
  readonly #unplaced: StagedBlob[] = [];
  #stagingTrouble: string | undefined;
  /** A snapshot is being read, to replace the tree. */
  #replacing = false;

  /**
   * @param dir  absolute; need not exist
   * @throws StateFileError  the state file cannot be understood
   */
  static async open(dir: string, options: TreeStoreOptions = {}): Promise<TreeStore> {
    const system = options.system ?? nodeFileSystem;
    const clusterDir = options.clusterDir ?? `${dir}/cluster`;
    const state = readState(system, `${clusterDir}/state.json`);
    const { clock = systemClock, keepHashesFrom = KEEP_HASHES_FROM } = options;
    const hashes = new HashKeeper({
      system,
      file: `${clusterDir}/cache/hashes`,
      clock,
      worthFiles: keepHashesFrom,
      scan: (known, signal) => scanFolder(system, dir, { local: [clusterDir], known, nowMs: clock.now(), signal }),
    });
    const known = hashes.read();
    let scan = await scanFolder(system, dir, { local: [clusterDir], known, nowMs: clock.now() });
    // Before anything is called drift, nothing is taken on trust.
    if (known !== undefined && state?.writing === undefined && digestOf(scan.files.sum) !== state?.digest)
      scan = await scanFolder(system, dir, { local: [clusterDir], nowMs: clock.now() });
    hashes.scanned(scan);
    let operationsDone = state?.writing?.operations ?? 0;
    const move = state?.writing?.move;
    if (move !== undefined && (await system.stat(`${dir}/${move.from}`)) === undefined) operationsDone++;
    return new TreeStore({ dir, clusterDir, options, scan, hashes, state, operationsDone });
  }

  private constructor(parts: {
    readonly dir: string;
    readonly clusterDir: string;
    readonly options: TreeStoreOptions;
    readonly scan: Scan;
    readonly hashes: HashKeeper;
    readonly state: StoreState | undefined;
    readonly operationsDone: number;
  }) {
    const { dir, clusterDir, options, scan, state, operationsDone } = parts;
    this.#hashes = parts.hashes;
    this.#dir = dir;
    this.#clusterDir = clusterDir;
    this.#options = options;
    this.#system = options.system ?? nodeFileSystem;
    this.#staging = new Staging(this.#system, `${clusterDir}/blobs`, () => void this.tidy());
    this.waitingBytesMax = options.waitingBytesMax ?? WAITING_BYTES_MAX;
    this.skipped = scan.skipped;
    this.comparableFrom = state?.writing?.upTo ?? state?.position ?? START;
    this.#writer = new WriteBehind({
      system: this.#system,
      dir,
      stateFile: `${clusterDir}/state.json`,
      clock: options.clock ?? systemClock,
      state: state ?? { logId: '', position: START, digest: EMPTY_DIGEST },
      operationsDone,
      leftovers: scan.leftovers,
      blobFile: (hash) => this.#blobFile(hash),
      written: (entry, content) => {
        this.#hashes.wrote(1);
        if (entry.pending === content) entry.pending = undefined;
      },
      onIdle: () => this.#onIdle(),
      onTrouble: () => options.onTrouble?.(this.trouble),
    });
    const backing: Backing = {
      read: (path) => this.#read(path),
      open: (path, { size }) => this.#open(path, size),
      readBlob: (hash) => this.#system.readSync(this.#staging.file(hash))!,
      openBlob: (hash) => this.readStagedBlob(hash),
      enqueue: (work) => this.#enqueue(work),
      freeze: () => this.#freeze(),
    };
    this.tree = new Tree({ files: scan.files, position: state?.position ?? START, backing, operationsDone });
  }

  /** What log this directory follows, and how far it had come when that was last written down; undefined: none yet. */
  get recorded(): Pick<StoreState, 'logId' | 'position' | 'digest' | 'logDigest'> | undefined {
    const known = this.#writer.restoring ?? this.#writer.state;
    return known.logId === '' ? undefined : known;
  }

  /** A restore was interrupted: the files are neither here nor there until another one has succeeded. */
  get incomplete(): boolean {
    return this.#writer.restoring === undefined && this.#writer.state.restoring === true;
  }

  /** All records up to here are on disk. */
  get persisted(): Position {
    const { restoring, state } = this.#writer;
    return restoring !== undefined || state.restoring ? START : state.position;
  }

  /** Records not yet on disk; a snapshot counts as one. */
  get unwritten(): number {
    return this.#writer.unwritten;
  }

  /** Contents in memory that wait for the disk. Bytes. */
  get waitingBytes(): number {
    return this.#writer.waitingBytes;
  }

  /** What the disk says when it fails; undefined when all is well. */
  get trouble(): string | undefined {
    return this.#writer.trouble ?? this.#stagingTrouble;
  }

  /** Resolves when everything applied so far is on disk. Waits as long as the disk fails. */
  flush(): Promise<void> {
    return this.#writer.flush();
  }

  /** Writes what is pending. @throws Error  the disk fails: what is missing there will come out of the log again */
  async close(): Promise<void> {
    await this.#hashes.close();
    await this.#writer.close();
  }

  /** Makes this directory, as it is, the start of a log: the tree is at position 0 of it. */
  bind(logId: string): Promise<void> {
    return this.#quietly(async () => {
      const { position, digest } = this.tree;
      if (position !== START) throw new Error(`the directory is at position ${position} of a log already`);
      this.#writer.enqueueRestore({ logId, position, digest, effects: [], keepIn: undefined });
    });
  }

  /** Makes this directory, as it is, one that has followed no log. */
  unbind(): Promise<void> {
    return this.#quietly(async () => {
      const { digest } = this.tree;
      this.#writer.enqueueRestore({ logId: '', position: START, digest, effects: [], keepIn: undefined });
      this.tree.replace(this.tree.layer, START);
    });
  }

  /** The bytes of a file as they are on disk now, tree or not; undefined when it is not there. @throws UnavailableError */
  readDisk(path: TreePath): Uint8Array | undefined {
    try {
      return this.#system.readSync(`${this.#dir}/${path}`);
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
      throw new UnavailableError('file-unreadable', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Compares the files with the tree: what somebody changed behind our back. */
  drift(): Promise<Drift> {
    return this.#quietly(async () => {
      const expected = new Map([...this.tree.walk()].map(([path, { hash }]) => [path, hash]));
      const { files, skipped } = await this.#scan();
      this.skipped = skipped;
      return { ...differences(expected, files, skipped), skipped };
    });
  }

  /** Whether a blob's bytes are here, ready to be put at their place. */
  hasBlob(hash: ContentHash): Promise<boolean> {
    return this.#staging.has(hash);
  }

  /**
   * Takes the bytes of a blob, before a record that puts it somewhere is applied. What came of an earlier transfer that broke
   * off is gone on with.
   * @throws Error  the bytes have another hash
   */
  stageBlob(hash: ContentHash, _size: number, open: OpenFrom): Promise<void> {
    return this.#noting(() => this.#staging.take(hash, open));
  }

  /**
   * Takes contents for a draft to name by their hash; they stay on disk, ready, until released. A disk that has no room for them
   * is told to the caller alone: the node can go on.
   */
  stage(body: AsyncIterable<Uint8Array>): Promise<StagedBlob> {
    return this.#staging.takeUnknown(body);
  }

  /** Removes what was staged, by an earlier run too, and is not waited for; nothing while something is to be written. */
  async tidy(): Promise<void> {
    // Who reads a frozen tree may still want them.
    if (!this.#writer.held && this.#writer.unwritten === 0)
      await this.#staging.drop(() => this.#writer.held || this.#writer.unwritten > 0);
  }

  /** The bytes of a staged blob. */
  readStagedBlob(hash: ContentHash, from = 0): Readable {
    return this.#system.readStream(this.#staging.file(hash), from);
  }

  /**
   * Makes the tree that of a snapshot, at once, and the files behind it; only those that differ are written. Waits for what is
   * pending, and for the disk when more than `waitingBytesMax` would be in memory.
   *
   * @returns what became of each file, for views of the tree
   * @throws Error  the snapshot is damaged, or a blob could not be had; nothing has happened then, or the directory is
   *   `incomplete`
   */
  restore(snapshot: Snapshot, options: RestoreOptions = {}): Promise<Touched[]> {
    return this.#quietly(async () => {
      const { logId, position, digest } = snapshot;
      const { keepIn, onContents } = options;
      const before = await this.#scan();
      this.skipped = before.skipped;
      const target = new Files();
      let effects: Effect[] = [];
      const put: Touched[] = [];
      const old = this.tree.layer;
      let bytesWaiting = 0;
      const places = new Map<ContentHash, TreePath>();
      for (const [path, { hash, size }] of before.files.within('')) if (size > INLINE_BYTES_MAX) places.set(hash, path);
      const here = { files: before.files, places };
      this.#replacing = true;
      try {
        for await (const file of snapshot.files()) {
          const { path } = file;
          const entry = await this.#entryOf(file, here, snapshot);
          if (entry.pending !== undefined) {
            const steps: Effect[] = [];
            before.files.put(path, entry, [], steps);
            effects.push(...steps);
            if (entry.pending.kind === 'inline') bytesWaiting += entry.size;
          }
          if (old.get(path)?.hash !== entry.hash) {
            put.push({ kind: 'put', path });
            if (file.bytes !== undefined) onContents?.(path, entry.hash, file.bytes);
          }
          target.load(path, entry);
          if (bytesWaiting > this.waitingBytesMax) {
            await this.#writer.runNow({ effects, keepIn });
            effects = [];
            bytesWaiting = 0;
          }
        }
      } finally {
        this.#replacing = false;
      }
      if (digestOf(target.sum) !== digest)
        throw new Error(
          `the snapshot is damaged: its files have the digest ${digestOf(target.sum)}, and it says ${digest}`,
        );
      for (const [path] of [...before.files.within('')])
        if (target.get(path) === undefined) before.files.remove(path, [], effects);
      const deleted: Touched[] = [];
      for (const [path] of old.within('')) if (target.get(path) === undefined) deleted.push({ kind: 'deleted', path });
      for (const effect of effects) if (effect.kind === 'put') this.#staging.applied(effect.entry.hash);
      this.#stagingFailed(undefined);
      this.#writer.enqueueRestore({ logId, position, digest, effects, keepIn });
      this.tree.replace(target, position);
      return [...deleted, ...put];
    });
  }

  /** Everything as it is on disk: nothing is taken from the cache. */
  #scan(): Promise<Scan> {
    const { clock = systemClock } = this.#options;
    return scanFolder(this.#system, this.#dir, { local: [this.#clusterDir], nowMs: clock.now() });
  }

  /** A file of a snapshot; its contents are taken only when what is on disk is something else. */
  async #entryOf(file: SnapshotFile, here: OnDisk, snapshot: Snapshot): Promise<FileEntry> {
    const { path, size, bytes, body } = file;
    const hash = file.hash ?? (bytes && contentHash(bytes));
    const hashHere = here.files.get(path)?.hash;
    if (hash !== undefined && hash === hashHere) return { hash, size, pending: undefined };
    if (hash !== undefined && bytes !== undefined) return { hash, size, pending: { kind: 'inline', bytes } };
    if (hash !== undefined) {
      const elsewhere = here.places.get(hash);
      const copied = elsewhere !== undefined && (await this.#stageCopy({ hash, size }, elsewhere));
      if (!copied) await this.stageBlob(hash, size, (from) => snapshot.openBlob(hash, from));
      return { hash, size, pending: { kind: 'blob', hash, size } };
    }
    const staged = await this.#noting(() => this.stage(body));
    this.#unplaced.push(staged);
    const same = staged.hash === hashHere;
    return { hash: staged.hash, size, pending: same ? undefined : { kind: 'blob', hash: staged.hash, size } };
  }

  /** A long file that lies at another place already need not be sent. */
  async #stageCopy({ hash, size }: FileStat, path: TreePath): Promise<boolean> {
    try {
      await this.stageBlob(hash, size, (from) => this.#system.readStream(`${this.#dir}/${path}`, from));
      return true;
    } catch {
      // It has been changed, or is gone.
      return false;
    }
  }

  #enqueue(work: RecordWork): void {
    if (this.recorded === undefined) throw new Error('the tree has to be bound to a log before records are applied');
    if (this.#replacing) throw new Error(`record ${work.position} cannot be applied while the tree is being replaced`);
    for (const { effect } of work.steps) if (effect.kind === 'put') this.#staging.applied(effect.entry.hash);
    // Whatever could not be staged before is not needed, or is there by now.
    this.#stagingFailed(undefined);
    this.#writer.enqueue(work);
  }

  /** Runs a step that writes staged files, and tells when the disk fails it. */
  async #noting<T>(step: () => Promise<T>): Promise<T> {
    try {
      const result = await step();
      this.#stagingFailed(undefined);
      return result;
    } catch (error) {
      if (DISK_FAILURES.has(codeOf(error) ?? '')) this.#stagingFailed(messageOf(error));
      throw error;
    }
  }

  #stagingFailed(trouble: string | undefined): void {
    if (trouble === this.#stagingTrouble) return;
    this.#stagingTrouble = trouble;
    this.#options.onTrouble?.(this.trouble);
  }

  /** Runs something while disk and tree agree and nothing is being written. Records may be applied meanwhile. */
  async #quietly<T>(run: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.#writer.flush();
      const hold = this.#writer.hold();
      try {
        await hold.quiet;
        if (this.#writer.unwritten === 0) return await run();
      } finally {
        hold.release();
      }
    }
  }

  #read(path: TreePath): Uint8Array {
    let failure: unknown;
    for (const place of this.#writer.placesOf(path)) {
      try {
        return this.#system.readSync(place)!;
      } catch (error) {
        failure ??= error;
      }
    }
    throw new UnavailableError(
      'file-missing',
      `${path} cannot be read (${messageOf(failure)}); somebody has changed the data directory, which a reload puts right`,
      { cause: failure },
    );
  }

  async #open(path: TreePath, size: number): Promise<Readable> {
    for (const place of this.#writer.placesOf(path))
      if ((await this.#system.stat(place))?.size === size) return opened(this.#system.readStream(place));
    throw new UnavailableError(
      'file-missing',
      `${path} cannot be read as the cluster has it; somebody has changed the data directory, which a reload puts right`,
    );
  }

  #freeze(): Frozen {
    const hold = this.#writer.hold();
    return {
      quiet: hold.quiet,
      readSync: ({ path }, bytesMax) => this.#system.readSync(hold.placeOf(path), bytesMax),
      readStream: ({ path }) => this.#system.readStream(hold.placeOf(path)),
      readBlobStream: (hash) => this.#system.readStream(this.#staging.file(hash)),
      release: hold.release,
    };
  }

  async #blobFile(hash: ContentHash): Promise<string> {
    if (!(await this.hasBlob(hash))) {
      const { fetchBlob } = this.#options;
      if (fetchBlob === undefined) throw new Error(`the blob ${hash} is not here`);
      await this.#staging.take(hash, (from) => fetchBlob(hash, from));
      this.#staging.applied(hash);
    }
    return this.#staging.file(hash);
  }

  /** Everything is on disk: what was staged and waits for nothing can go. */
  async #onIdle(): Promise<void> {
    // The disk works. Who still has something to stage tries again, and says so again if it fails.
    this.#stagingFailed(undefined);
    // Who reads a frozen tree may still want them.
    if (this.#writer.held) return;
    this.#hashes.idle();
    for (const staged of this.#unplaced.splice(0)) staged.release();
    await this.tidy();
  }
}

function differences(
  expected: ReadonlyMap<TreePath, ContentHash>,
  actual: Files,
  skipped: readonly SkippedFile[],
): Omit<Drift, 'skipped'> {
  const changed: TreePath[] = [];
  const added: TreePath[] = [];
  for (const [path, { hash }] of actual.within('')) {
    const known = expected.get(path);
    if (known === undefined) added.push(path);
    else if (known !== hash) changed.push(path);
  }
  const unknown = (path: TreePath) => skipped.some((each) => isWithin(path, each.path));
  const removed = [...expected.keys()].filter((path) => actual.get(path) === undefined && !unknown(path));
  return { changed, added, removed };
}
