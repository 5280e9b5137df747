import { type Clock, messageOf } from '../base/index.ts';
import { originOf } from './draft.ts';
import type { Effect } from './folder.ts';
import { type StoreState, writeState } from './state.ts';
import { type Stage, Steps, type StepsOptions } from './steps.ts';
import type { RecordWork } from './tree.ts';
import type { Digest, Position, TreePath } from './types.ts';

/**
 * So many operations are taken together at most; then the position on disk advances. Who catches up over many changes of the
 * same files writes each of them once a batch.
 */
const BATCH_STEPS_MAX = 50_000;
const RETRY_MS = { first: 100, most: 10_000 };
/** So long a store that is being closed goes on writing. */
const CLOSING_MS_MAX = 2000;
/**
 * Records that come within this time share a batch, unless somebody waits for the disk: the syncs of a batch compete with
 * those of the log, on which every change waits.
 */
const GATHER_MS = 500;
/** With more records than these waiting, writing is as urgent as anything else. */
const PATIENT_RECORDS_MAX = 200;

export interface WriterOptions extends StepsOptions {
  readonly stateFile: string;
  readonly clock: Clock;
  readonly state: StoreState;
  /** Operations of the record after `state.position` that are on disk already. */
  readonly operationsDone: number;
  /** Files left behind by an interrupted run, to be removed before the first write. */
  readonly leftovers: readonly string[];
  /** Called when everything is on disk. Must not throw. */
  readonly onIdle: () => Promise<void>;
  /** Called with the text of a failure, and with undefined when it is over. */
  readonly onTrouble: (trouble: string | undefined) => void;
}

/** The files of a snapshot, to take the place of those that are there. */
export interface RestoreWork {
  readonly logId: string;
  readonly position: Position;
  readonly digest: Digest;
  readonly effects: readonly Effect[];
  /** Where files are moved that would be lost, absolute; undefined: they are removed. */
  readonly keepIn: string | undefined;
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
  readonly #steps: Steps;
  readonly #queue: RecordWork[] = [];
  /** Comes before the queue. */
  #restore: RestoreWork | undefined;
  /** Moves that have not taken place on disk; the first one may be taking place now. */
  readonly #moves: { from: TreePath; to: TreePath }[] = [];
  readonly #closing = new AbortController();
  #state: StoreState;
  #operationsDone: number;
  #leftovers: readonly string[];
  /** Bytes that were in memory when it was enqueued. */
  readonly #bytes = new Map<RecordWork | RestoreWork, number>();
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #held = 0;
  #trouble: string | undefined;
  #broken: Error | undefined;
  #waiters: { position: number; resolve: () => void; reject: (error: unknown) => void }[] = [];
  /** Aborted when there is a reason not to wait for more records. */
  #gathering = new AbortController();

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#steps = new Steps(options);
    this.#state = options.state;
    this.#operationsDone = options.operationsDone;
    this.#leftovers = options.leftovers;
  }

  /** As written to disk. */
  get state(): StoreState {
    return this.#state;
  }

  /** The snapshot whose files are on their way to disk. */
  get restoring(): RestoreWork | undefined {
    return this.#restore;
  }

  /** Records that are not on disk; a snapshot counts as one. */
  get unwritten(): number {
    return this.#queue.length + (this.#restore === undefined ? 0 : 1);
  }

  /** Contents in memory that are not on disk. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get held(): boolean {
    return this.#held > 0;
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  enqueue(work: RecordWork): void {
    this.#queue.push(work);
    for (const { effect } of work.steps) if (effect.kind === 'move') this.#moves.push(effect);
    this.#count(work, bytesOf(work.steps.map(({ effect }) => effect)));
    this.#start();
  }

  /** Writes the files of a snapshot, and then that they are there. Only while the writer is held and quiet, and nothing waits. */
  enqueueRestore(work: RestoreWork): void {
    this.#restore = work;
    this.#count(work, bytesOf(work.effects));
    this.#start();
  }

  /** Resolves when everything enqueued so far is on disk. @throws what the disk said, when the writer is closed first */
  flush(): Promise<void> {
    const last = this.#queue.at(-1) ?? this.#restore;
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
        return `${this.#options.dir}/${originOf(path, moves)}`;
      },
      release: () => {
        if (!open) return;
        open = false;
        this.#held--;
        this.#start();
      },
    };
  }

  /** Runs effects of a restore at once. Only while the writer is held and quiet. */
  async runNow({ effects, keepIn }: Pick<RestoreWork, 'effects' | 'keepIn'>): Promise<void> {
    if (effects.length === 0) return;
    if (this.#state.restoring !== true) await this.#advance({ ...this.#state, writing: undefined, restoring: true });
    await this.#removeLeftovers();
    if (keepIn !== undefined) await this.#attempt(() => this.#steps.keep(effects, keepIn));
    await this.#attempt(async () => {
      const stage: Stage = new Map();
      for (const effect of effects) await this.#steps.run(effect, stage);
      await this.#steps.writeStage(stage);
    });
    await this.#attempt(() => this.#steps.syncFolders());
  }

  /** Where on disk the bytes of a file lie that is not pending: at most two places, while it is being moved. */
  placesOf(path: TreePath): string[] {
    if (this.#moves.length === 0) return [`${this.#options.dir}/${path}`];
    const [before, after] = [originOf(path, this.#moves), originOf(path, this.#moves.slice(1))];
    return before === after
      ? [`${this.#options.dir}/${before}`]
      : [`${this.#options.dir}/${before}`, `${this.#options.dir}/${after}`];
  }

  /**
   * Writes what is pending, for two seconds at most: after a long catch-up that may be much.
   * @throws when the disk fails or is late; the rest is given up, and will come out of the log again
   */
  async close(): Promise<void> {
    const flushed = this.#trouble === undefined ? this.flush() : Promise.reject(new Error(this.#trouble));
    flushed.catch(() => {});
    this.#closing.abort();
    this.#gathering.abort();
    this.#start();
    const inTime = new AbortController();
    void this.#options.clock.sleep(CLOSING_MS_MAX, inTime.signal).then(
      () => {
        this.#broken ??= new Error(`${this.unwritten} records were not on disk after ${CLOSING_MS_MAX} ms`);
      },
      () => {},
    );
    try {
      await flushed;
    } finally {
      inTime.abort();
      this.#broken ??= new Error('the tree store has been closed');
      await this.#running;
    }
  }

  get #paused(): boolean {
    return this.#held > 0 && !this.#closing.signal.aborted;
  }

  #start(): void {
    if (this.#running !== undefined || this.#paused || this.#broken !== undefined || this.unwritten === 0) return;
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
      this.#start();
    });
  }

  async #work(): Promise<void> {
    try {
      while (this.unwritten > 0) {
        this.#options.system.setUrgent(this.#isUrgent);
        if (this.#restore !== undefined) await this.#writeRestore(this.#restore);
        else {
          await this.#gather();
          if (this.#paused) return;
          this.#options.system.setUrgent(this.#isUrgent);
          const batch = this.#nextBatch();
          await this.#writeBatch(batch);
          this.#queue.splice(0, batch.length);
          for (const work of batch) this.#count(work, 0);
        }
        const reached = this.#waiters.filter((waiter) => waiter.position <= this.#state.position);
        this.#waiters = this.#waiters.filter((waiter) => !reached.includes(waiter));
        for (const waiter of reached) waiter.resolve();
        if (this.unwritten > 0) continue;
        this.#options.system.setUrgent(false);
        await this.#options.onIdle();
      }
    } catch (error) {
      // Only when closed: until then, failures are tried again.
      this.#broken = error as Error;
      for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
    }
  }

  get #isUrgent(): boolean {
    const isAwaited = this.#waiters.length > 0 || this.#held > 0 || this.#closing.signal.aborted;
    return isAwaited || this.#restore !== undefined || this.#queue.length > PATIENT_RECORDS_MAX;
  }

  async #gather(): Promise<void> {
    if (this.#waiters.length > 0 || this.#held > 0 || this.#closing.signal.aborted) return;
    this.#gathering = new AbortController();
    await this.#options.clock.sleep(GATHER_MS, this.#gathering.signal).catch(() => {});
  }

  async #writeRestore(work: RestoreWork): Promise<void> {
    const { logId, position, digest } = work;
    await this.runNow(work);
    await this.#advance({ logId, position, digest });
    this.#operationsDone = 0;
    this.#restore = undefined;
    this.#count(work, 0);
  }

  #count(work: RecordWork | RestoreWork, bytes: number): void {
    this.#waitingBytes += bytes - (this.#bytes.get(work) ?? 0);
    if (bytes > 0) this.#bytes.set(work, bytes);
    else this.#bytes.delete(work);
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
    await this.#removeLeftovers();
    const stage: Stage = new Map();
    for (const [i, { position, steps }] of batch.entries()) {
      // The state that is complete before this record.
      const before = i === 0 ? this.#state : batch[i - 1]!;
      const done = { logId, position: (position - 1) as typeof position, ...digestsOf(before) };
      for (const { operation, effect } of steps) {
        if (effect.kind !== 'move' && effect.kind !== 'pass') {
          await this.#attempt(() => this.#steps.run(effect, stage));
          continue;
        }
        await this.#attempt(() => this.#steps.writeStage(stage));
        await this.#attempt(() => this.#steps.syncFolders());
        if (effect.kind === 'move') {
          const { from, to } = effect;
          await this.#advance({ ...done, writing: { upTo, operations: operation, move: { from, to } } });
          await this.#attempt(() => this.#steps.move(from, to));
          await this.#attempt(() => this.#steps.syncFolders());
        }
        await this.#advance({ ...done, writing: { upTo, operations: operation + 1 } });
        if (effect.kind === 'move') this.#moves.shift();
      }
    }
    await this.#attempt(() => this.#steps.writeStage(stage));
    await this.#attempt(() => this.#steps.syncFolders());
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

  async #removeLeftovers(): Promise<void> {
    await this.#steps.removeLeftovers(this.#leftovers);
    this.#leftovers = [];
  }
}

/** Bytes of contents that are held in memory. */
function bytesOf(effects: readonly Effect[]): number {
  let bytes = 0;
  for (const effect of effects)
    if (effect.kind === 'put' && effect.entry.pending?.kind === 'inline') bytes += effect.entry.pending.bytes.length;
  return bytes;
}

function digestsOf({ digest, logDigest }: StoreState | RecordWork): Pick<StoreState, 'digest' | 'logDigest'> {
  return { digest, ...(logDigest && { logDigest }) };
}
