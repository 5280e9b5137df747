import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type Clock, messageOf, systemClock, UnavailableError } from '../base/index.ts';
import { contentHash, digestOf, EMPTY_DIGEST } from './digest.ts';
import { codeOf, type FileSystem, makeFolders } from './files.ts';
import { type Effect, type FileEntry, Files, type Touched } from './folder.ts';
import { HashKeeper } from './hash-keeper.ts';
import { nodeFileSystem } from './node-files.ts';
import { isWithin } from './path.ts';
import { type Scan, type SkippedFile, scanFolder } from './scan.ts';
import type { Snapshot } from './snapshot.ts';
import { readState, type StoreState } from './state.ts';
import { type Backing, type Frozen, type RecordWork, Tree } from './tree.ts';
import { type Content, type ContentHash, type Position, START, type TreePath } from './types.ts';
import { WriteBehind } from './writer.ts';

export interface TreeStoreOptions {
  /** The node's own folder, absolute. Default: `cluster` in the data directory. */
  readonly clusterDir?: string;
  /** Default: the real one. */
  readonly system?: FileSystem;
  /** For the pauses between attempts on a failing disk. */
  readonly clock?: Clock;
  /** Gives the bytes of a blob that was not staged. */
  readonly fetchBlob?: (hash: ContentHash) => Promise<Readable>;
  /**
   * The hashes of files are kept in `cluster/cache/hashes` when so many would have to be read at the next start.
   * Default: 1000.
   */
  readonly keepHashesFrom?: number;
  /** Called with the text when the disk fails, and with undefined when it works again. */
  readonly onTrouble?: (trouble: string | undefined) => void;
}

/** How the files of a data directory differ from the tree. */
export interface Drift {
  /** Other bytes than the tree says. */
  readonly changed: readonly TreePath[];
  /** Not in the tree. */
  readonly added: readonly TreePath[];
  /** In the tree, and not there. */
  readonly removed: readonly TreePath[];
  /** What could not be looked at; files below are in none of the lists. */
  readonly skipped: readonly SkippedFile[];
}

export interface RestoreOptions {
  /** Where files are moved that would be lost, absolute; default: they are deleted. */
  readonly keepIn?: string;
}

const KEEP_HASHES_FROM = 1000;

/** Small files of a snapshot are written in portions of so many bytes. */
const RESTORE_BYTES = 32 * 1024 * 1024;

/**
 * A data directory as a replicated tree. Opening it reads every file of the tree that is not as it was when it was last read,
 * and changes nothing; from then on the files follow the tree, behind it and in order, and `cluster/state.json` says how far they have come.
 */
export class TreeStore {
  /** The tree; the same object for the store's life. */
  readonly tree: Tree;
  /** What lies in the data directory and does not take part, as of the last scan. */
  skipped: readonly SkippedFile[];
  /**
   * From this position on, the tree's digest is that of the log. Before it, after a crash, files of later records may be there
   * already; applying the records up to here makes the tree right.
   */
  readonly comparableFrom: Position;
  readonly #dir: string;
  readonly #clusterDir: string;
  readonly #options: TreeStoreOptions;
  readonly #system: FileSystem;
  readonly #writer: WriteBehind;
  readonly #hashes: HashKeeper;
  /** Blobs that were staged for records that are not applied yet. */
  readonly #expected = new Set<ContentHash>();
  #stages = 0;
  /** Ends when no staged blob is being removed. */
  #dropping: Promise<void> = Promise.resolve();

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
      onIdle: () => {
        this.#hashes.idle();
        return this.#dropBlobs();
      },
      onTrouble: options.onTrouble ?? (() => {}),
    });
    const backing: Backing = {
      read: (path) => this.#read(path),
      readBlob: (hash) => this.#system.readSync(this.#stagedFile(hash))!,
      enqueue: (work) => this.#enqueue(work),
      freeze: () => this.#freeze(),
    };
    this.tree = new Tree({ files: scan.files, position: state?.position ?? START, backing, operationsDone });
  }

  /** The state as last written to disk; undefined when this directory has followed no log yet. */
  get recorded(): Pick<StoreState, 'logId' | 'position' | 'digest' | 'logDigest'> | undefined {
    return this.#writer.state.logId === '' ? undefined : this.#writer.state;
  }

  /** A restore was interrupted: the files are neither here nor there until another one has succeeded. */
  get incomplete(): boolean {
    return this.#writer.state.restoring === true;
  }

  /** All records up to here are on disk. */
  get persisted(): Position {
    return this.#writer.state.position;
  }

  /** Records not yet on disk. */
  get unwritten(): number {
    return this.#writer.unwritten;
  }

  /** What the disk says when it fails; undefined when all is well. */
  get trouble(): string | undefined {
    return this.#writer.trouble;
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
      if (this.tree.position !== START)
        throw new Error(`the directory is at position ${this.tree.position} of a log already`);
      await this.#writer.replaceState({ logId, position: START, digest: this.tree.digest });
    });
  }

  /** Makes this directory, as it is, one that has followed no log. */
  unbind(): Promise<void> {
    return this.#quietly(async () => {
      await this.#writer.replaceState({ logId: '', position: START, digest: this.tree.digest });
      this.tree.replace(this.tree.layer, START);
    });
  }

  /** The bytes of a file as they are on disk now, tree or not; undefined when it is not there. */
  readDisk(path: TreePath): Uint8Array | undefined {
    try {
      return this.#system.readSync(`${this.#dir}/${path}`);
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
      throw error;
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
  async hasBlob(hash: ContentHash): Promise<boolean> {
    return (await this.#system.stat(this.#stagedFile(hash))) !== undefined;
  }

  /**
   * Takes the bytes of a blob, before a record that puts it somewhere is applied.
   * @throws Error  the bytes have another hash
   */
  async stageBlob(hash: ContentHash, body: AsyncIterable<Uint8Array>): Promise<void> {
    this.#expected.add(hash);
    // What is there may be about to be removed.
    await this.#dropping;
    if (await this.hasBlob(hash)) return drain(body);
    const folder = `${this.#clusterDir}/blobs`;
    await makeFolders(this.#system, folder);
    const temporary = `${folder}/${hash}.${++this.#stages}.tmp`;
    const digest = createHash('sha256');
    try {
      await this.#system.write(temporary, hashing(body, digest));
      const actual = digest.digest('hex');
      if (actual !== hash) throw new Error(`the blob ${hash} came with other bytes: their hash is ${actual}`);
      await this.#system.rename(temporary, this.#stagedFile(hash));
      await this.#system.syncFolder(folder);
    } catch (error) {
      await this.#system.removeFile(temporary).catch(() => {});
      throw error;
    }
  }

  /** The bytes of a staged blob. */
  readStagedBlob(hash: ContentHash): Readable {
    return this.#system.readStream(this.#stagedFile(hash));
  }

  /**
   * Makes tree and files those of a snapshot; only files that differ are written. Waits for what is pending.
   * @returns what became of each file, for views of the tree
   * @throws Error  the snapshot is damaged or the disk failed; the directory is `incomplete` then
   */
  restore(snapshot: Snapshot, options: RestoreOptions = {}): Promise<Touched[]> {
    return this.#quietly(async () => {
      const { logId, position, digest } = snapshot;
      const before = await this.#scan();
      await this.#writer.replaceState({ ...this.#writer.state, writing: undefined, restoring: true });
      const target = new Files();
      const effects: Effect[] = [];
      const put: Touched[] = [];
      const old = this.tree.layer;
      let bytesWaiting = 0;
      const write = async () => {
        if (options.keepIn !== undefined) await this.#keep(effects, options.keepIn);
        await this.#writer.runNow(effects);
        effects.length = 0;
        bytesWaiting = 0;
      };
      for await (const file of snapshot.files()) {
        const { path } = file;
        const content: Content =
          file.bytes !== undefined
            ? { kind: 'inline', bytes: file.bytes }
            : await this.#stageUnknown(file.size, file.body);
        const hash = content.kind === 'inline' ? contentHash(content.bytes) : content.hash;
        const entry: FileEntry = { hash, size: file.size, pending: content };
        if (before.files.get(path)?.hash === hash) entry.pending = undefined;
        else {
          const steps: Effect[] = [];
          before.files.put(path, entry, [], steps);
          effects.push(...steps);
          if (content.kind === 'inline') bytesWaiting += content.bytes.length;
        }
        if (old.get(path)?.hash !== hash) put.push({ kind: 'put', path });
        target.load(path, entry);
        if (bytesWaiting > RESTORE_BYTES) await write();
      }
      if (digestOf(target.sum) !== digest)
        throw new Error(
          `the snapshot is damaged: its files have the digest ${digestOf(target.sum)}, and it says ${digest}`,
        );
      for (const [path] of [...before.files.within('')])
        if (target.get(path) === undefined) before.files.remove(path, [], effects);
      const deleted: Touched[] = [];
      for (const [path] of old.within('')) if (target.get(path) === undefined) deleted.push({ kind: 'deleted', path });
      await write();
      await this.#writer.replaceState({ logId, position, digest });
      this.tree.replace(target, position);
      await this.#dropBlobs();
      this.#hashes.idle();
      return [...deleted, ...put];
    });
  }

  /** Everything as it is on disk: nothing is taken from the cache. */
  #scan(): Promise<Scan> {
    const { clock = systemClock } = this.#options;
    return scanFolder(this.#system, this.#dir, { local: [this.#clusterDir], nowMs: clock.now() });
  }

  #enqueue(work: RecordWork): void {
    if (this.#writer.state.logId === '')
      throw new Error('the tree has to be bound to a log before records are applied');
    for (const { effect } of work.steps) if (effect.kind === 'put') this.#expected.delete(effect.entry.hash);
    this.#writer.enqueue(work);
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

  #freeze(): Frozen {
    const hold = this.#writer.hold();
    return {
      quiet: hold.quiet,
      readSync: (path, bytesMax) => this.#system.readSync(hold.placeOf(path), bytesMax),
      readStream: (path) => this.#system.readStream(hold.placeOf(path)),
      readBlobStream: (hash) => this.#system.readStream(this.#stagedFile(hash)),
      release: hold.release,
    };
  }

  #stagedFile(hash: ContentHash): string {
    return `${this.#clusterDir}/blobs/${hash}`;
  }

  async #blobFile(hash: ContentHash): Promise<string> {
    if (!(await this.hasBlob(hash))) {
      if (this.#options.fetchBlob === undefined) throw new Error(`the blob ${hash} is not here`);
      await this.stageBlob(hash, await this.#options.fetchBlob(hash));
      this.#expected.delete(hash);
    }
    return this.#stagedFile(hash);
  }

  /** A long file of a snapshot goes to disk at once. */
  async #stageUnknown(size: number, body: Readable): Promise<Content> {
    const folder = `${this.#clusterDir}/blobs`;
    await makeFolders(this.#system, folder);
    const temporary = `${folder}/snapshot.${++this.#stages}.tmp`;
    const digest = createHash('sha256');
    await this.#system.write(temporary, hashing(body, digest));
    const hash = digest.digest('hex') as ContentHash;
    await this.#system.rename(temporary, this.#stagedFile(hash));
    return { kind: 'blob', hash, size };
  }

  /** Removes staged blobs that nobody waits for. */
  #dropBlobs(): Promise<void> {
    this.#dropping = this.#dropping.then(() => this.#dropUnneeded());
    return this.#dropping;
  }

  async #dropUnneeded(): Promise<void> {
    const folder = `${this.#clusterDir}/blobs`;
    try {
      for (const { name } of this.#system.listSync(folder)) {
        // A record that came meanwhile may put one of them at its place.
        if (this.#writer.unwritten > 0) return;
        if (!name.endsWith('.tmp') && !this.#expected.has(name as ContentHash))
          await this.#system.removeFile(`${folder}/${name}`);
      }
    } catch {
      // No such folder, or a file that stays for now.
    }
  }

  /** Moves away what the steps would overwrite or remove. */
  async #keep(effects: readonly Effect[], folder: string): Promise<void> {
    for (const effect of effects) {
      if (effect.kind === 'move' || effect.kind === 'pass') continue;
      const { path } = effect;
      const stat = await this.#system.stat(`${this.#dir}/${path}`);
      if (stat === undefined) continue;
      const kept = `${folder}/${path}`;
      await makeFolders(this.#system, kept.slice(0, kept.lastIndexOf('/')));
      await this.#system.rename(`${this.#dir}/${path}`, kept);
    }
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

async function* hashing(
  body: AsyncIterable<Uint8Array>,
  digest: ReturnType<typeof createHash>,
): AsyncIterable<Uint8Array> {
  for await (const chunk of body) {
    digest.update(chunk);
    yield chunk;
  }
}

async function drain(body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _chunk of body);
}
