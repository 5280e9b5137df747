import { setImmediate as nextTick } from 'node:timers/promises';
import { type Clock, type Logger, messageOf, UnavailableError } from '../base/index.ts';
import type { FileContents } from '../catalog/index.ts';
import { type ChangeLog, type LogRecord, TrimmedError } from '../log/index.ts';
import { CorruptRecordError, type Digest, decodeRecord, NewerFormatError, type Position } from '../tree/index.ts';
import { blobsOf } from './blobs.ts';
import { RefusedError } from './origin.ts';
import { type ChangesRecord, DigestMismatchError, type Replica } from './replica.ts';
import { moves, RecordWindow } from './window.ts';

export interface FollowerPorts {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly replica: Replica;
  /** A connection to the log; waits for one. */
  connect(signal: AbortSignal): Promise<ChangeLog>;
  /**
   * Makes sure that tree and log belong together, and that the next record is there to be read. Waits for a log to begin.
   * @throws RefusedError
   */
  join(log: ChangeLog, signal: AbortSignal): Promise<void>;
  /** Gets the blobs that a record names, so that it can be applied. */
  fetchContents(log: ChangeLog, record: ChangesRecord, signal: AbortSignal): Promise<void>;
  /** Makes the tree what the log says it is at the tree's position, where its digest should be `expected`. */
  mend(log: ChangeLog, expected: Digest, signal: AbortSignal): Promise<unknown>;
  isPaused(): boolean;
  /** The log has answered, or not; and how far it is known to be. */
  onReached(head?: Position): void;
  onUnreachable(error: unknown): void;
  /** Resolves when there is room in memory for what further records bring. */
  room(signal: AbortSignal): Promise<void>;
  /** The tree is not what the log says. */
  onDiverged(error: DigestMismatchError): void;
  /** Must not go on; undefined: may again. */
  onHalted(reason: string | undefined, error?: unknown): void;
  /** A batch of records has been applied. */
  onBatch(): void;
}

const RETRY_MS_MAX = 2000;

/** Follows the log: joins, reads, applies, and starts over when anything goes wrong, until it is told to stop. */
export class Follower {
  readonly #ports: FollowerPorts;
  /** Aborted when the reader is to start over. */
  #turn = new AbortController();
  #mismatch: DigestMismatchError | undefined;
  #halted = false;
  #wish: PromiseWithResolvers<void> | undefined;

  constructor(ports: FollowerPorts) {
    this.#ports = ports;
  }

  /** Something changed that the loop should look at: the role, or the tree. */
  restart(): void {
    this.#turn.abort();
  }

  /** Stops for good: only an operator can help. */
  halt(reason: string, error?: unknown): void {
    this.#halted = true;
    this.#ports.logger.error('node-stopped', { reason });
    this.#ports.onHalted(reason, error);
    this.restart();
  }

  /** A record of this node's own, just appended. */
  applyOwn(position: Position, record: ChangesRecord, read?: ReadonlyMap<string, FileContents>): void {
    // What is being mended becomes what it was when that began; the record is read from the log afterwards.
    if (this.#halted || this.#mismatch || this.isMending) return;
    try {
      this.#ports.replica.applyAll([{ position, record }], read);
    } catch (error) {
      if (!(error instanceof DigestMismatchError)) throw error;
      this.#differs(error);
    }
  }

  /** Looks whether the tree is still what the log last confirmed, and has it mended if not. */
  check(): void {
    if (this.#halted || this.#mismatch) return;
    const error = this.#ports.replica.check();
    if (error) this.#differs(error);
  }

  /** Whether files are being put right that somebody has edited. */
  get isMending(): boolean {
    return this.#wish !== undefined;
  }

  /** Has the files made what the tree says, though the tree is right; resolves when it is done. */
  mend(): Promise<void> {
    this.#wish ??= Promise.withResolvers<void>();
    this.restart();
    return this.#wish.promise;
  }

  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      this.#turn = new AbortController();
      const turn = AbortSignal.any([signal, this.#turn.signal]);
      if (this.#halted || this.#ports.isPaused()) {
        await aborted(turn);
        continue;
      }
      const { clock, replica } = this.#ports;
      const [startedMs, from] = [clock.monotonicMs(), replica.position];
      try {
        await this.#follow(turn);
      } catch (error) {
        if (!turn.aborted) this.#failed(error);
      }
      if (turn.aborted) continue;
      // To connect and to join is no success: what fails at the same record again and again is tried ever more slowly.
      const cameOn = replica.position > from || clock.monotonicMs() - startedMs > RETRY_MS_MAX;
      failures = cameOn ? 1 : failures + 1;
      const pauseMs = Math.min(RETRY_MS_MAX, 10 * 2 ** Math.min(failures, 10)) * (0.5 + this.#ports.random());
      await clock.sleep(pauseMs, turn).catch(() => {});
    }
  }

  async #follow(turn: AbortSignal): Promise<void> {
    const { replica, ...ports } = this.#ports;
    const log = await ports.connect(turn);
    if (this.#mismatch) {
      await ports.mend(log, this.#mismatch.expected, turn);
      this.#mismatch = undefined;
      ports.onHalted(undefined);
    }
    const wrong = replica.check();
    if (wrong) throw wrong;
    if (this.#wish) {
      await ports.mend(log, replica.digest, turn);
      this.#wish.resolve();
      this.#wish = undefined;
    }
    await ports.join(log, turn);
    replica.replaced();
    for await (const batch of log.read(replica.position, turn)) {
      ports.onReached(batch.at(-1)!.position);
      // Where the log is served from here, its answers and records for the others leave before this node applies its own.
      await nextTick();
      for (let next = 0; next < batch.length; ) {
        if (turn.aborted) return;
        next = await this.#take(log, batch, next, turn);
        await replica.breathe();
        await ports.room(turn);
      }
      ports.onBatch();
    }
  }

  /**
   * Takes in some records of a batch, in one step.
   * @returns the index of the first that is not among them
   */
  async #take(log: ChangeLog, batch: readonly LogRecord[], from: number, signal: AbortSignal): Promise<number> {
    const { replica, fetchContents } = this.#ports;
    const breathe = () => replica.breathe();
    const window = new RecordWindow();
    let next = from;
    for (; next < batch.length && !window.isFull; next++) {
      const { position, body } = batch[next]!;
      if (position <= replica.position) continue;
      const first = window.records.length === 0;
      let record: ChangesRecord;
      try {
        record = changesOf(position, body);
      } catch (error) {
        // What comes before it is taken in first.
        if (first) throw error;
        break;
      }
      const alone = moves(record) || blobsOf(record).size > 0;
      if (alone && !first) break;
      if (alone) await fetchContents(log, record, signal);
      window.add(position, record);
      await breathe();
      if (!alone) continue;
      next++;
      break;
    }
    const read = await window.readAhead(breathe);
    if (!signal.aborted) replica.applyAll(window.records, read);
    return next;
  }

  #differs(error: DigestMismatchError): void {
    this.#mismatch = error;
    this.#ports.onDiverged(error);
    this.#ports.logger.error('digest-mismatch', { position: error.position, reason: error.message });
    this.#ports.onHalted(`${error.message}; the difference is being mended`);
    this.restart();
  }

  #failed(error: unknown): void {
    const { logger } = this.#ports;
    if (error instanceof DigestMismatchError) this.#differs(error);
    else if (error instanceof RefusedError || error instanceof NewerFormatError || error instanceof CorruptRecordError)
      this.halt(messageOf(error), error);
    else if (error instanceof TrimmedError) logger.warn('log-trimmed', { trimmed: error.trimmed });
    else {
      if (!(error instanceof UnavailableError)) logger.error('follow-failed', { reason: messageOf(error), error });
      this.#ports.onUnreachable(error);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function changesOf(position: Position, body: Uint8Array): ChangesRecord {
  const record = decodeRecord(body);
  if (record.kind === 'changes') return record;
  if (position !== 1) throw new CorruptRecordError(`the record at position ${position} begins a log anew`);
  // What the log begins with is the tree that we have: see `Joining`.
  return { format: 1, kind: 'changes', changes: [], digest: record.digest };
}
