import { setImmediate as nextTick } from 'node:timers/promises';
import { type Clock, type Logger, messageOf } from '../base/index.ts';
import type { Catalog, FileContents } from '../catalog/index.ts';
import type { Digest, Position, Touched, Tree, TreeRecord } from '../tree/index.ts';
import type { RecentChanges } from './recent.ts';
import type { NodeCounts } from './types.ts';
import { PositionWaiters } from './waiting.ts';
import type { PlacedRecord } from './window.ts';

export type ChangesRecord = Extract<TreeRecord, { kind: 'changes' }>;

/** The tree after a record is not the one that the record's writer had. */
export class DigestMismatchError extends Error {
  readonly position: Position;
  readonly expected: Digest;
  readonly found: Digest;

  constructor(position: Position, expected: Digest, found: Digest) {
    super(`at position ${position} this node's tree has digest ${short(found)}, and the log says ${short(expected)}`);
    this.name = 'DigestMismatchError';
    this.position = position;
    this.expected = expected;
    this.found = found;
  }
}

const short = (digest: Digest) => `${digest.slice(0, 12)}…`;

export interface ReplicaParts {
  readonly tree: Tree;
  /** From which position on the tree's digest must be the log's; see `Joining`. */
  comparableFrom(): Position;
  readonly catalog: Catalog;
  readonly recent: RecentChanges;
  readonly counts: NodeCounts;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The thread is given back after this long: a long catch-up must not hold up maps. */
const STRETCH_MS_MAX = 5;

/** Tree and catalog, moved on together, one record or some records a step; and those who wait for a position. */
export class Replica {
  readonly #parts: ReplicaParts;
  readonly waiters = new PositionWaiters();
  readonly #listeners = new Set<(position: Position) => void>();
  #stretchEndsMs: number | undefined;
  /** What the log last confirmed. It says nothing of a tree that has been moved to another position since, by a snapshot. */
  #confirmed: { readonly position: Position; readonly digest: Digest } | undefined;

  constructor(parts: ReplicaParts) {
    this.#parts = parts;
  }

  get position(): Position {
    return this.#parts.tree.position;
  }

  get digest(): Digest {
    return this.#parts.tree.digest;
  }

  onApplied(listener: (position: Position) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Applies the next records in one step: the tree at each of them is compared with the log, and the catalog looks at what has
   * become of the files. Those that have been applied already are passed over.
   *
   * @param read  by path, what files hold that have been read already
   * @throws DigestMismatchError  the tree is not what it should be after a record; that is applied, and those behind it are not:
   *   call `replaced` once it is mended
   */
  applyAll(records: readonly PlacedRecord[], read?: ReadonlyMap<string, FileContents>): void {
    const { tree, comparableFrom, catalog } = this.#parts;
    const touched: Touched[] = [];
    let mismatch: DigestMismatchError | undefined;
    const before = tree.position;
    try {
      for (const { position, record } of records) {
        if (position <= tree.position) continue;
        for (const touch of this.#applyToTree(position, record)) touched.push(touch);
        const comparable = position >= comparableFrom();
        this.#confirmed = comparable ? { position, digest: record.digest } : undefined;
        if (!comparable || tree.digest === record.digest) continue;
        mismatch = new DigestMismatchError(position, record.digest, tree.digest);
        break;
      }
    } finally {
      catalog.apply(touched, read);
    }
    if (mismatch !== undefined) throw mismatch;
    if (tree.position > before) this.#settled();
  }

  #applyToTree(position: Position, record: ChangesRecord): readonly Touched[] {
    const { tree, recent, counts, logger } = this.#parts;
    const touched = tree.apply(
      position,
      record.changes.flatMap((change) => change.operations),
      record.digest,
    );
    recent.add(position, record.changes);
    counts.records++;
    counts.changes += record.changes.length;
    for (const { operations, node: origin, ...change } of record.changes)
      logger.info('change-applied', { position, origin, ...change, operations: operations.length });
    return touched;
  }

  /**
   * Whether the tree is what it was when it was last compared with the log. A node whose memory is wrong must find out before
   * it writes: the digest in its record would make all others doubt themselves.
   */
  check(): DigestMismatchError | undefined {
    const { position, digest } = this.#parts.tree;
    const confirmed = this.#confirmed;
    if (confirmed === undefined || confirmed.position !== position || confirmed.digest === digest) return undefined;
    return new DigestMismatchError(position, confirmed.digest, digest);
  }

  /** Another state has been taken from the log; it is right. */
  replaced(): void {
    const { position, digest } = this.#parts.tree;
    this.#confirmed = position >= this.#parts.comparableFrom() ? { position, digest } : undefined;
    this.#settled();
  }

  /** The tree is right at its position: tells who waits and who listens. */
  #settled(): void {
    const { position } = this;
    this.waiters.reached(position);
    for (const listener of this.#listeners) {
      try {
        listener(position);
      } catch (error) {
        this.#parts.logger.error('listener-failed', { position, reason: messageOf(error) });
      }
    }
  }

  /** To be awaited between records: gives the thread back when it has been held for long enough. */
  async breathe(): Promise<void> {
    const now = this.#parts.clock.monotonicMs();
    this.#stretchEndsMs ??= now + STRETCH_MS_MAX;
    if (now < this.#stretchEndsMs) return;
    this.#stretchEndsMs = undefined;
    await nextTick();
  }
}
