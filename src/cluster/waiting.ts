import { setImmediate as nextTick } from 'node:timers/promises';
import { type Clock, UnavailableError } from '../base/index.ts';
import type { Position } from '../tree/index.ts';

/** Reason of an abort that nobody looks at; without one, each abort would make an error with its stack. */
export const DONE = Symbol('done');

/**
 * The promise's outcome, or `UnavailableError` after `ms`. What the promise does after that is ignored: it is for questions
 * that may be asked again.
 */
export async function withinMs<T>(clock: Clock, ms: number, promise: Promise<T>, what: string): Promise<T> {
  const timer = new AbortController();
  const late = clock.sleep(ms, timer.signal).then(
    () => Promise.reject(new UnavailableError('timeout', `${what} took longer than ${ms} ms`)),
    () => undefined as never,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort(DONE);
  }
}

/**
 * Shares questions whose answer must be newer than the asking. All who come before a question is sent share its answer;
 * who comes later must not, because an answer under way may be older than what that caller already knows: it gets the next.
 */
export class SharedQuestion<T> {
  readonly #ask: () => Promise<T>;
  #unsent: Promise<T> | undefined;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  answer(): Promise<T> {
    this.#unsent ??= this.#send();
    return this.#unsent;
  }

  async #send(): Promise<T> {
    // The end of the tick, so that all requests which the network delivered together share one question.
    await nextTick();
    this.#unsent = undefined;
    return this.#ask();
  }
}

/** Promises for positions that are still to come. */
export class PositionWaiters {
  readonly #waiting = new Map<Position, PromiseWithResolvers<void>[]>();
  #lowest = Number.POSITIVE_INFINITY;

  /** Resolves at the first `reached` of `position` or more; rejects when the signal is aborted, or by `rejectAll`. */
  wait(position: Position, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const one = Promise.withResolvers<void>();
    const others = this.#waiting.get(position);
    if (others) others.push(one);
    else this.#waiting.set(position, [one]);
    this.#lowest = Math.min(this.#lowest, position);
    if (!signal) return one.promise;
    const onAbort = () => {
      const list = this.#waiting.get(position);
      const rest = list?.filter((other) => other !== one) ?? [];
      if (rest.length > 0) this.#waiting.set(position, rest);
      else this.#waiting.delete(position);
      one.reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    return one.promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  reached(position: Position): void {
    if (position < this.#lowest) return;
    this.#lowest = Number.POSITIVE_INFINITY;
    for (const [wanted, list] of this.#waiting) {
      if (wanted <= position) {
        this.#waiting.delete(wanted);
        for (const one of list) one.resolve();
      } else this.#lowest = Math.min(this.#lowest, wanted);
    }
  }

  rejectAll(error: Error): void {
    for (const list of this.#waiting.values()) for (const one of list) one.reject(error);
    this.#waiting.clear();
    this.#lowest = Number.POSITIVE_INFINITY;
  }
}
