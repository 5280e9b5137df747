import { type Clock, type Logger, messageOf } from '../base/index.ts';
import type { ChangeLog, NodeStatus } from '../log/index.ts';
import { type Position, type Tree, writeSnapshot } from '../tree/index.ts';
import { withItsBlobs } from './blobs.ts';
import { collectGarbage } from './garbage.ts';
import type { NodeCounts } from './types.ts';

export interface HousekeepingParts {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** @throws UnavailableError */
  log(): ChangeLog;
  readonly tree: Tree;
  /** Rejects when the tree is not what the log says: a snapshot of it would mislead all who take it. */
  treeIsRight(): Promise<void>;
  logId(): string;
  readonly counts: NodeCounts;
  /** Everyone heard of. */
  members(): readonly NodeStatus[];
  readonly snapshotEveryRecords: number;
  readonly retainRecords: number;
  /** Aborted when the node is closed. */
  readonly signal: AbortSignal;
}

/** Primaries that are due at the same record wait a random time up to this: usually one does the work. */
const SPREAD_MS_MAX = 5000;
/** The log keeps so many times `retainRecords` at most for a node that is heard of and does not apply them. */
const RETAIN_FACTOR_MAX = 10;

/** What primaries do for the log from time to time: put snapshots into it, and remove what nobody needs any more. */
export class Housekeeping {
  readonly #parts: HousekeepingParts;
  /** Of the latest snapshot, as far as this node knows; at the start, where it began to count. */
  #snapshotAt: Position | undefined;
  #snapshotting: Promise<Position> | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(parts: HousekeepingParts) {
    this.#parts = parts;
  }

  /** A record was applied: something may be due. */
  applied(position: Position): void {
    this.#snapshotAt ??= position;
    if (position - this.#snapshotAt < this.#parts.snapshotEveryRecords) return;
    // Now, so that the next record does not ask again.
    this.#snapshotAt = position;
    this.#running = this.#keepHouse().catch((error) =>
      this.#parts.logger.warn('housekeeping-failed', { position, reason: messageOf(error) }),
    );
  }

  /** Puts a snapshot of the present state into the log. */
  snapshot(): Promise<Position> {
    this.#snapshotting ??= this.#putSnapshot().finally(() => {
      this.#snapshotting = undefined;
    });
    return this.#snapshotting;
  }

  /** Resolves when nothing is under way. */
  async closed(): Promise<void> {
    await this.#snapshotting?.catch(() => {});
    if (this.#parts.signal.aborted) await this.#running;
  }

  async #keepHouse(): Promise<void> {
    const { clock, random, signal, log, tree, snapshotEveryRecords } = this.#parts;
    await clock.sleep(random() * SPREAD_MS_MAX, signal);
    // Another primary may just have done it.
    const latest = await log().latestSnapshot();
    latest?.body.destroy();
    if (latest && tree.position - latest.at < snapshotEveryRecords) {
      this.#snapshotAt = latest.at;
      return;
    }
    await this.#trim(await this.snapshot());
    const removed = await collectGarbage(log(), signal);
    if (removed > 0) this.#parts.logger.info('blobs-removed', { count: removed });
  }

  async #putSnapshot(): Promise<Position> {
    const { clock, logger, tree, logId, log, counts } = this.#parts;
    const startedMs = clock.monotonicMs();
    await this.#parts.treeIsRight();
    const written = writeSnapshot(tree, logId(), { large: 'by-hash' });
    const { position: at } = written;
    await withItsBlobs(log(), written, (body) => log().putSnapshot(at, body));
    this.#snapshotAt = at;
    counts.snapshots++;
    logger.info('snapshot', { position: at, tookMs: Math.round(clock.monotonicMs() - startedMs) });
    return at;
  }

  /** Removes old records, but none that a node which is heard of has still to apply, within reason. */
  async #trim(snapshotAt: Position): Promise<void> {
    const { logger, log, members, retainRecords } = this.#parts;
    const slowest = Math.min(...members().map(({ position }) => position));
    const most = snapshotAt - retainRecords;
    const upTo = Math.max(
      0,
      Math.min(most, Math.max(slowest, most - retainRecords * (RETAIN_FACTOR_MAX - 1))),
    ) as Position;
    if (upTo <= (await log().trimmed())) return;
    await log().trim(upTo);
    logger.info('log-trimmed-to', { upTo, snapshotAt });
  }
}
