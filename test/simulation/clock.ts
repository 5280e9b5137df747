import type { Clock } from '../../src/base/index.ts';

interface Sleeper {
  readonly atMs: number;
  readonly order: number;
  wake: (() => void) | undefined;
}

/** Where simulated time begins, as wall time. */
const EPOCH_MS = Date.UTC(2024, 0, 1);

/** Time that passes when the driver says so, from one sleeper to the next. */
export class SimulatedClock implements Clock {
  #nowMs = 0;
  #count = 0;
  /** A binary heap: the first is the earliest. */
  readonly #heap: Sleeper[] = [];

  now(): number {
    return EPOCH_MS + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      // Whole milliseconds, so that things happen at the same moment now and then.
      const sleeper: Sleeper = {
        atMs: this.#nowMs + Math.max(0, Math.ceil(ms)),
        order: ++this.#count,
        wake: undefined,
      };
      const onAbort = () => {
        sleeper.wake = undefined;
        reject(signal!.reason);
      };
      sleeper.wake = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#push(sleeper);
    });
  }

  /** To the next sleeper; all of that moment wake. @returns false when nobody sleeps: nothing will happen any more */
  advance(): boolean {
    while (this.#heap.length > 0 && this.#heap[0]!.wake === undefined) this.#pop();
    const next = this.#heap[0];
    if (next === undefined) return false;
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    while (this.#heap.length > 0 && this.#heap[0]!.atMs <= this.#nowMs) this.#pop().wake?.();
    return true;
  }

  #push(sleeper: Sleeper): void {
    const heap = this.#heap;
    let at = heap.push(sleeper) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!before(sleeper, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = sleeper;
  }

  #pop(): Sleeper {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && before(heap[below + 1]!, heap[below]!)) below++;
      if (!before(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}

function before(one: Sleeper, other: Sleeper): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
