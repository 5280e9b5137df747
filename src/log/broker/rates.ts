import type { GroupRates } from './types.ts';

const COUNTED = ['appends', 'appendedBytes', 'conflicts', 'readRecords'] as const;
type Counted = (typeof COUNTED)[number];

const SECONDS = 60;

/** Counts events, all of them and those of the last minute. */
export class Rates {
  readonly #monotonicMs: () => number;
  readonly #beganMs: number;
  readonly #totals = zeroes();
  /** One for each of the last seconds, by the second modulo their number. */
  readonly #slots = Array.from({ length: SECONDS }, () => ({ second: -1, counts: zeroes() }));

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#beganMs = monotonicMs();
  }

  count(what: Counted, number = 1): void {
    const second = Math.floor(this.#monotonicMs() / 1000);
    const slot = this.#slots[second % SECONDS]!;
    if (slot.second !== second) {
      slot.second = second;
      slot.counts = zeroes();
    }
    slot.counts[what] += number;
    this.#totals[what] += number;
  }

  get now(): GroupRates {
    const nowMs = this.#monotonicMs();
    const second = Math.floor(nowMs / 1000);
    const seconds = Math.min(SECONDS, Math.max(1, (nowMs - this.#beganMs) / 1000));
    const lately = zeroes();
    for (const slot of this.#slots)
      if (slot.second > second - SECONDS) for (const what of COUNTED) lately[what] += slot.counts[what];
    const perSecond = (what: Counted) => Math.round((lately[what] / seconds) * 100) / 100;
    return {
      ...this.#totals,
      appendsPerSecond: perSecond('appends'),
      appendedBytesPerSecond: perSecond('appendedBytes'),
      conflictsPerSecond: perSecond('conflicts'),
      readRecordsPerSecond: perSecond('readRecords'),
    };
  }
}

function zeroes(): Record<Counted, number> {
  return { appends: 0, appendedBytes: 0, conflicts: 0, readRecords: 0 };
}
