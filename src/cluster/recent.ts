import { setImmediate as nextTick } from 'node:timers/promises';
import type { ChangeLog } from '../log/index.ts';
import { type Change, decodeRecord, type Position } from '../tree/index.ts';

/** A change that stands in the log: enough to recognise it, and to tell whether a second request is the same one. */
export interface AppliedChange {
  readonly position: Position;
  readonly by: string;
  readonly why: string;
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

  constructor(max = RECENT_CHANGES_MAX) {
    this.#max = max;
  }

  get size(): number {
    return this.#byId.size;
  }

  find(id: string): AppliedChange | undefined {
    return this.#byId.get(id);
  }

  /** Takes in the changes of one record; records come in the order of the log. */
  add(position: Position, changes: readonly Change[]): void {
    for (const { id, by, why } of changes) {
      // The first one stands: a change is applied once.
      if (this.#byId.has(id)) continue;
      this.#byId.set(id, { position, by, why });
      if (this.#byId.size > this.#max) this.#byId.delete(this.#byId.keys().next().value!);
    }
  }

  /** Puts what was read back from the log's tail before what is there; newer entries stay when there is not room for all. */
  addOlder(older: RecentChanges): void {
    const merged = new Map(older.#byId);
    for (const [id, applied] of this.#byId) if (!merged.has(id)) merged.set(id, applied);
    let surplus = merged.size - this.#max;
    for (const id of merged.keys()) {
      if (surplus-- <= 0) break;
      merged.delete(id);
    }
    this.#byId = merged;
  }
}

/** Reads back from the log the changes up to a position, as far as it still holds them and they are remembered. */
export async function readRecent(log: ChangeLog, upTo: Position, signal: AbortSignal): Promise<RecentChanges> {
  const recent = new RecentChanges();
  const from = Math.max(await log.trimmed(), upTo - RECENT_CHANGES_MAX) as Position;
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
  return recent;
}
