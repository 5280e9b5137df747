import { type Clock, messageOf } from '../base/index.ts';
import { originOf } from './draft.ts';
import { codeOf, type FileSystem, inParallel, makeFolders, parentFolder } from './files.ts';
import type { Effect, FileEntry } from './folder.ts';
import { type StoreState, writeState } from './state.ts';
import type { RecordWork } from './tree.ts';
import type { Content, ContentHash, Position, TreePath } from './types.ts';

/**
 * So many operations are taken together at most; then the position on disk advances. Who catches up over many changes of the
 * same files writes each of them once a batch.
 */
const BATCH_STEPS_MAX = 50_000;
/** So many files are written before they are synced; each is open meanwhile. */
const PUTS_AT_ONCE = 256;
const RETRY_MS = { first: 100, most: 10_000 };
/**
 * Records that come within this time share a batch, unless somebody waits for the disk: the syncs of a batch compete with
 * those of the log, on which every change waits.
 */
const GATHER_MS = 500;

export interface WriterOptions {
  readonly system: FileSystem;
  /** Absolute. */
  readonly dir: string;
  readonly stateFile: string;
  readonly clock: Clock;
  readonly state: StoreState;
  /** Operations of the record after `state.position` that are on disk already. */
  readonly operationsDone: number;
  /** Files left behind by an interrupted run, to be removed before the first write. */
  readonly leftovers: readonly string[];
  /** A blob's bytes, in a file on the same disk or another. */
  readonly blobFile: (hash: ContentHash) => Promise<string>;
  /** Called when the bytes of a file have reached its place. */
  readonly written: (entry: FileEntry, content: Content) => void;
  /** Called when everything is on disk. Must not throw. */
  readonly onIdle: () => Promise<void>;
  /** Called with the text of a failure, and with undefined when it is over. */
  readonly onTrouble: (trouble: string | undefined) => void;
}

export interface Hold {
  readonly quiet: Promise<void>;
  /** Where, once it is quiet, a file lies that was in the tree and not pending at the time of the hold. */
  placeOf(path: TreePath): string;
  release(): void;
}

/**
 * Writes what records did behind them, in order. Of the puts between two moves only the last one of each path is written.
 * When the disk fails, everything stays pending, and the failed step is tried again, ever more slowly.
 */
export class WriteBehind {
  readonly #options: WriterOptions;
  readonly #queue: RecordWork[] = [];
  /** Moves that have not taken place on disk; the first one may be taking place now. */
  readonly #moves: { from: TreePath; to: TreePath }[] = [];
  readonly #closing = new AbortController();
  #state: StoreState;
  #operationsDone: number;
  #leftovers: readonly string[];
  /** Folders in which names changed since the last sync. */
  #dirty = new Set<string>();
  #temporaries = 0;
  #running: Promise<void> | undefined;
  #held = 0;
  #trouble: string | undefined;
  #broken: Error | undefined;
  #waiters: { position: number; resolve: () => void; reject: (error: unknown) => void }[] = [];
  /** Aborted when there is a reason not to wait for more records. */
  #gathering = new AbortController();

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#operationsDone = options.operationsDone;
    this.#leftovers = options.leftovers;
  }

  get state(): StoreState {
    return this.#state;
  }

  /** Records that are not on disk. */
  get unwritten(): number {
    return this.#queue.length;
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  enqueue(work: RecordWork): void {
    this.#queue.push(work);
    for (const { effect } of work.steps) if (effect.kind === 'move') this.#moves.push(effect);
    this.#start();
  }

  /** Resolves when everything enqueued so far is on disk. @throws what the disk said, when the writer is closed first */
  flush(): Promise<void> {
    const last = this.#queue.at(-1);
    if (last === undefined) return this.#running ?? Promise.resolve();
    const flushed = new Promise<void>((resolve, reject) =>
      this.#waiters.push({ position: last.position, resolve, reject }),
    );
    this.#gathering.abort();
    return flushed;
  }

  /** Stops after the batch under way, until `release`; while held, and once quiet, the files stay as they are. */
  hold(): Hold {
    this.#held++;
    this.#gathering.abort();
    let open = true;
    const last = this.#moves.at(-1);
    return {
      quiet: this.#running ?? Promise.resolve(),
      placeOf: (path) => {
        // Moves that came later have nothing to do with the files as they were.
        const moves = last === undefined ? [] : this.#moves.slice(0, this.#moves.indexOf(last) + 1);
        return this.#place(originOf(path, moves));
      },
      release: () => {
        if (!open) return;
        open = false;
        this.#held--;
        this.#start();
      },
    };
  }

  /** Writes another state. Only while nothing is being written. */
  async replaceState(state: StoreState): Promise<void> {
    await writeState(this.#options.system, this.#options.stateFile, state);
    this.#state = state;
    this.#operationsDone = 0;
  }

  /** Runs steps at once, in order. Only while the writer is held and quiet. @throws what the disk says */
  async runNow(effects: readonly Effect[]): Promise<void> {
    const stage: Stage = new Map();
    for (const effect of effects) await this.#run(effect, stage);
    await this.#writeStage(stage);
    await this.#syncFolders();
  }

  /** Where on disk the bytes of a file lie that is not pending: at most two places, while it is being moved. */
  placesOf(path: TreePath): string[] {
    if (this.#moves.length === 0) return [`${this.#options.dir}/${path}`];
    const [before, after] = [originOf(path, this.#moves), originOf(path, this.#moves.slice(1))];
    return before === after
      ? [`${this.#options.dir}/${before}`]
      : [`${this.#options.dir}/${before}`, `${this.#options.dir}/${after}`];
  }

  /** Writes what is pending. When the disk fails now, the rest is given up: it will come out of the log again. */
  async close(): Promise<void> {
    const flushed = this.#trouble === undefined ? this.flush() : Promise.reject(new Error(this.#trouble));
    flushed.catch(() => {});
    this.#closing.abort();
    this.#gathering.abort();
    this.#start();
    try {
      await flushed;
    } finally {
      this.#broken ??= new Error('the tree store has been closed');
      await this.#running;
    }
  }

  get #paused(): boolean {
    return this.#held > 0 && !this.#closing.signal.aborted;
  }

  #start(): void {
    if (this.#running !== undefined || this.#paused || this.#broken !== undefined || this.#queue.length === 0) return;
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
      this.#start();
    });
  }

  async #work(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        await this.#gather();
        if (this.#paused) return;
        const batch = this.#nextBatch();
        await this.#writeBatch(batch);
        this.#queue.splice(0, batch.length);
        const reached = this.#waiters.filter((waiter) => waiter.position <= this.#state.position);
        this.#waiters = this.#waiters.filter((waiter) => !reached.includes(waiter));
        for (const waiter of reached) waiter.resolve();
        if (this.#queue.length === 0) await this.#options.onIdle();
      }
    } catch (error) {
      // Only when closed: until then, failures are tried again.
      this.#broken = error as Error;
      for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
    }
  }

  async #gather(): Promise<void> {
    if (this.#waiters.length > 0 || this.#held > 0 || this.#closing.signal.aborted) return;
    this.#gathering = new AbortController();
    await this.#options.clock.sleep(GATHER_MS, this.#gathering.signal).catch(() => {});
  }

  #nextBatch(): RecordWork[] {
    const batch: RecordWork[] = [];
    for (let steps = 0; batch.length < this.#queue.length && (batch.length === 0 || steps < BATCH_STEPS_MAX); ) {
      const work = this.#queue[batch.length]!;
      steps += work.steps.length;
      batch.push(work);
    }
    return batch;
  }

  async #writeBatch(batch: readonly RecordWork[]): Promise<void> {
    const last = batch.at(-1)!;
    // After a crash, files of records that come later than this batch may be there as well.
    const upTo = Math.max(last.position, this.#state.writing?.upTo ?? 0) as Position;
    const { logId } = this.#state;
    if (batch.some((work) => work.steps.length > 0))
      await this.#advance({ ...this.#state, writing: { upTo, operations: this.#operationsDone } });
    if (this.#leftovers.length > 0) await this.#removeLeftovers();
    const stage: Stage = new Map();
    for (const [i, { position, steps }] of batch.entries()) {
      // The state that is complete before this record.
      const before = i === 0 ? this.#state : batch[i - 1]!;
      const done = { logId, position: (position - 1) as typeof position, ...digestsOf(before) };
      for (const { operation, effect } of steps) {
        if (effect.kind !== 'move' && effect.kind !== 'pass') {
          await this.#attempt(() => this.#run(effect, stage));
          continue;
        }
        await this.#attempt(() => this.#writeStage(stage));
        await this.#attempt(() => this.#syncFolders());
        if (effect.kind === 'move') {
          const { from, to } = effect;
          await this.#advance({ ...done, writing: { upTo, operations: operation, move: { from, to } } });
          await this.#attempt(() => this.#move(from, to));
          await this.#attempt(() => this.#syncFolders());
        }
        await this.#advance({ ...done, writing: { upTo, operations: operation + 1 } });
        if (effect.kind === 'move') this.#moves.shift();
      }
    }
    await this.#attempt(() => this.#writeStage(stage));
    await this.#attempt(() => this.#syncFolders());
    const complete = { logId, position: last.position, ...digestsOf(last) };
    await this.#advance(upTo > last.position ? { ...complete, writing: { upTo, operations: 0 } } : complete);
    this.#operationsDone = 0;
  }

  async #advance(state: StoreState): Promise<void> {
    await this.#attempt(() => writeState(this.#options.system, this.#options.stateFile, state));
    this.#state = state;
  }

  /** Runs a step until it succeeds. Every step can be run again after it failed half-way. */
  async #attempt(step: () => Promise<void>): Promise<void> {
    for (let waitMs = RETRY_MS.first; ; waitMs = Math.min(2 * waitMs, RETRY_MS.most)) {
      if (this.#broken !== undefined) throw this.#broken;
      try {
        await step();
        if (this.#trouble !== undefined) this.#tell(undefined);
        return;
      } catch (error) {
        this.#tell(messageOf(error));
        if (this.#closing.signal.aborted) throw error;
        await this.#options.clock.sleep(waitMs, this.#closing.signal).catch(() => {});
      }
    }
  }

  #tell(trouble: string | undefined): void {
    this.#trouble = trouble;
    this.#options.onTrouble(trouble);
  }

  async #run(effect: Effect, stage: Stage): Promise<void> {
    switch (effect.kind) {
      case 'put':
        stage.set(effect.path, effect.entry);
        break;
      case 'remove-file':
        stage.set(effect.path, null);
        break;
      case 'remove-folder':
        await this.#writeStage(stage);
        await this.#removeAll(this.#place(effect.path));
        await this.#pruneAbove(effect.path);
        break;
      case 'move':
        await this.#writeStage(stage);
        await this.#move(effect.from, effect.to);
        break;
      case 'pass':
        break;
    }
  }

  /** Removes, then writes, and empties the stage. */
  async #writeStage(stage: Stage): Promise<void> {
    const puts: Put[] = [];
    for (const [path, entry] of stage) {
      if (entry === null) await this.#removeFile(path);
      else if (entry.pending !== undefined) puts.push(this.#planPut(path, entry, entry.pending));
    }
    for (let start = 0; start < puts.length; start += PUTS_AT_ONCE)
      await this.#putAll(puts.slice(start, start + PUTS_AT_ONCE));
    stage.clear();
  }

  #planPut(path: TreePath, entry: FileEntry, content: Content): Put {
    const target = this.#place(path);
    const folder = parentFolder(target);
    return { target, folder, temporary: `${folder}/.graticule-${++this.#temporaries}.tmp`, entry, content };
  }

  /** Writes files beside their targets, makes them durable, and only then gives them their names. */
  async #putAll(puts: readonly Put[]): Promise<void> {
    const { system } = this.#options;
    const folders = new Set(puts.map((put) => put.folder));
    const made = (folder: string) => this.#dirty.add(parentFolder(folder));
    try {
      try {
        await inParallel([...folders], (folder) => makeFolders(system, folder, made));
        await this.#writeTemporaries(puts);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
        for (const folder of folders) await this.#clearAndMakeFolders(folder);
        await this.#writeTemporaries(puts);
      }
      await inParallel(puts, (put) => this.#rename(put.temporary, put.target));
    } catch (error) {
      // On a full disk, half-written files would be in the way of the next attempt.
      for (const put of puts) await system.removeFile(put.temporary).catch(() => {});
      throw error;
    }
    for (const { entry, content } of puts) this.#options.written(entry, content);
  }

  async #writeTemporaries(puts: readonly Put[]): Promise<void> {
    const small: { file: string; bytes: Uint8Array }[] = [];
    for (const { temporary, content } of puts) {
      if (content.kind === 'inline') small.push({ file: temporary, bytes: content.bytes });
      else await this.#placeBlob(content.hash, temporary);
    }
    await this.#options.system.writeAll(small);
  }

  /** A blob that waits in a file of its own becomes the target, without a copy where that is possible. */
  async #placeBlob(hash: ContentHash, target: string): Promise<void> {
    const { system } = this.#options;
    const source = await this.#options.blobFile(hash);
    // Two files of the tree must not be one on disk: somebody may edit one of them in place.
    if ((await system.stat(source))?.links === 1) {
      try {
        await system.link(source, target);
        return;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') throw error;
        if (codeOf(error) === 'EEXIST') await system.removeFile(target);
      }
    }
    await system.copy(source, target);
  }

  async #move(from: TreePath, to: TreePath): Promise<void> {
    const source = this.#place(from);
    // Gone: the move took place before a failure that came after it.
    if ((await this.#options.system.stat(source)) === undefined) return;
    const target = this.#place(to);
    await this.#clearAndMakeFolders(parentFolder(target));
    await this.#rename(source, target);
    this.#dirty.add(parentFolder(source));
    await this.#pruneAbove(from);
  }

  /** Renames; what is unknown to the tree and in the way is moved aside, never overwritten. */
  async #rename(from: string, to: string): Promise<void> {
    const { system } = this.#options;
    try {
      await system.rename(from, to);
    } catch (error) {
      if (!['EISDIR', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error;
      await this.#moveAside(to);
      await system.rename(from, to);
    }
    this.#dirty.add(parentFolder(to));
  }

  async #moveAside(path: string): Promise<void> {
    for (let n = 1; ; n++) {
      const aside = `${path}.aside-${n}~`;
      if ((await this.#options.system.stat(aside)) !== undefined) continue;
      await this.#options.system.rename(path, aside);
      return;
    }
  }

  async #clearAndMakeFolders(folder: string): Promise<void> {
    const { system, dir } = this.#options;
    // A file that the tree does not know may stand where a folder is needed.
    for (let slash = folder.indexOf('/', dir.length + 1); ; slash = folder.indexOf('/', slash + 1)) {
      const above = slash < 0 ? folder : folder.slice(0, slash);
      const kind = above.length > dir.length ? (await system.stat(above))?.kind : undefined;
      if (kind === 'file' || kind === 'other') await this.#moveAside(above);
      if (slash < 0) break;
    }
    await makeFolders(system, folder, (made) => this.#dirty.add(parentFolder(made)));
  }

  async #removeFile(path: TreePath): Promise<void> {
    try {
      await this.#options.system.removeFile(this.#place(path));
    } catch (error) {
      // Not there, or something else that the tree does not know: what was to go is gone.
      if (!['ENOENT', 'ENOTDIR', 'EISDIR', 'EPERM'].includes(codeOf(error) ?? '')) throw error;
      return;
    }
    await this.#pruneAbove(path);
  }

  async #removeAll(folder: string): Promise<void> {
    const { system } = this.#options;
    let entries: ReturnType<FileSystem['listSync']>;
    try {
      entries = system.listSync(folder);
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return;
      throw error;
    }
    for (const { name, kind } of entries) {
      if (kind === 'folder') await this.#removeAll(`${folder}/${name}`);
      else await system.removeFile(`${folder}/${name}`);
    }
    await system.removeFolder(folder);
  }

  /** Removes the folders above a path that have become empty, and makes the change durable with the next sync. */
  async #pruneAbove(path: TreePath): Promise<void> {
    const { system, dir } = this.#options;
    let folder = parentFolder(this.#place(path));
    try {
      for (; folder !== dir; folder = parentFolder(folder)) await system.removeFolder(folder);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return this.#pruneAbove(folder.slice(dir.length + 1) as TreePath);
      if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(codeOf(error) ?? '')) throw error;
    }
    this.#dirty.add(folder);
  }

  async #syncFolders(): Promise<void> {
    const folders = this.#dirty;
    this.#dirty = new Set();
    try {
      await inParallel([...folders], async (folder) => {
        try {
          await this.#options.system.syncFolder(folder);
        } catch (error) {
          if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
        }
      });
    } catch (error) {
      for (const folder of folders) this.#dirty.add(folder);
      throw error;
    }
  }

  async #removeLeftovers(): Promise<void> {
    for (const file of this.#leftovers) {
      await this.#options.system.removeFile(file).catch(() => {});
      this.#dirty.add(parentFolder(file));
    }
    this.#leftovers = [];
  }

  #place(path: TreePath): string {
    return `${this.#options.dir}/${path}`;
  }
}

interface Put {
  readonly target: string;
  readonly folder: string;
  readonly temporary: string;
  readonly entry: FileEntry;
  readonly content: Content;
}

/** The last put of each path, or `null` where it is to be removed. */
type Stage = Map<TreePath, FileEntry | null>;

function digestsOf({ digest, logDigest }: StoreState | RecordWork): Pick<StoreState, 'digest' | 'logDigest'> {
  return { digest, ...(logDigest && { logDigest }) };
}
