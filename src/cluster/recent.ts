import { setImmediate as nextTick } from 'node:timers/promises';
import type { ChangeLog } from '../log/index.ts';
import { type Change, decodeRecord, type Position } from '../tree/index.ts';

/** A change that stands in the log: enough to recognise it, and to tell whether a second request is the same one. */
export interface AppliedChange {
  readonly position: Position;
  readonly by: string;
  readonly why: string;
  /** Name of the node that made it. */
  readonly node: string;
}

/**
 * How many applied changes are remembered by id. An `Idempotency-Key` is good for at least this many changes of the whole
 * cluster; what a restarted node finds of them is what the log still holds.
 */
export const RECENT_CHANGES_MAX = 10_000;

/**
 * The changes applied last, by id: the newest `max` of them. The map's own order is that of the log, so the oldest
 * is always the first key.
 */
export class RecentChanges {
  readonly #max: number;
  #byId = new Map<string, AppliedChange>();
  #knownAfter: Position;

  /** @param knownAfter  changes from the record after this one on are going to be added */
  constructor(knownAfter: Position, max = RECENT_CHANGES_MAX) {
    this.#knownAfter = knownAfter;
    this.#max = max;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** All changes after this position are known; of others, some. */
  get knownAfter(): Position {
    return this.#knownAfter;
  }

  find(id: string): AppliedChange | undefined {
    return this.#byId.get(id);
  }

  /** Takes in the changes of one record; records come in the order of the log. */
  add(position: Position, changes: readonly Change[]): void {
    for (const { id, by, why, node } of changes) {
      // The first one stands: a change is applied once.
      if (!this.#byId.has(id)) this.#byId.set(id, { position, by, why, node });
    }
    this.#forget();
  }

  /** Records were passed over, for a snapshot: what is known goes on from here. */
  skipTo(position: Position): void {
    this.#knownAfter = position;
  }

  /** Takes in what was read back from the log, up to the position that is known here from or later. */
  merge(older: RecentChanges): void {
    const all = [...older.#byId, ...this.#byId].sort(([, a], [, b]) => a.position - b.position);
    this.#byId = new Map();
    for (const [id, applied] of all) if (!this.#byId.has(id)) this.#byId.set(id, applied);
    this.#knownAfter = Math.min(this.#knownAfter, older.#knownAfter) as Position;
    this.#forget();
  }

  #forget(): void {
    for (const [id, { position }] of this.#byId) {
      if (this.#byId.size <= this.#max) break;
      this.#byId.delete(id);
      this.#knownAfter = Math.max(this.#knownAfter, position) as Position;
    }
  }
}

/** Reads back from the log the changes up to a position, as far as it still holds them and they are remembered. */
export async function readRecent(log: ChangeLog, upTo: Position, signal: AbortSignal): Promise<RecentChanges> {
  const from = Math.max(await log.trimmed(), upTo - RECENT_CHANGES_MAX) as Position;
  const recent = new RecentChanges(Math.min(from, upTo) as Position);
  if (from >= upTo) return recent;
  for await (const batch of log.read(from, signal)) {
    for (const { position, body } of batch) {
      if (position > upTo) return recent;
      const record = decodeRecord(body);
      if (record.kind === 'changes') recent.add(position, record.changes);
      if (position === upTo) return recent;
      if (position % 64 === 0) await nextTick();
    }
  }
  signal.throwIfAborted();
  return recent;
}
