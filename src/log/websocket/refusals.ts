import { type Clock, type Logger, systemClock } from '../../base/index.ts';

/** Who was refused, and why. */
export interface Refusal {
  readonly address: string | undefined;
  /** The name that it gave; nobody has checked it. */
  readonly peer: string | undefined;
  readonly reason: string;
  /** Nobody has to do anything about it: it is said to those alone who look closely (`debug`). */
  readonly expected?: boolean;
}

/** The same refusal is said again after this long. */
const AGAIN_MS = 60_000;
/** Different refusals that are said in that time; whoever knocks under many names must not fill the disk. */
const DIFFERENT_MAX = 100;

/** Writes refusals into the node's log, each once a minute with the number of times that it happened meanwhile. */
export class Refusals {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #said = new Map<string, { untilMs: number; unsaid: number }>();
  #unsaid = 0;

  readonly #event: string;

  constructor(logger: Logger, clock: Clock = systemClock, event = 'peer-refused') {
    this.#event = event;
    this.#logger = logger;
    this.#clock = clock;
  }

  say({ expected = false, ...refusal }: Refusal): void {
    const level = expected ? 'debug' : 'warn';
    const now = this.#clock.monotonicMs();
    const key = JSON.stringify([refusal.address, refusal.peer, refusal.reason]);
    const last = this.#said.get(key);
    if (last !== undefined && now < last.untilMs) {
      last.unsaid++;
      return;
    }
    if (last === undefined && this.#said.size >= DIFFERENT_MAX) this.#forget(now);
    if (last === undefined && this.#said.size >= DIFFERENT_MAX) {
      this.#unsaid++;
      return;
    }
    const others = this.#unsaid;
    this.#unsaid = 0;
    this.#said.set(key, { untilMs: now + AGAIN_MS, unsaid: 0 });
    this.#logger[level](this.#event, {
      ...refusal,
      ...(last?.unsaid ? { timesBefore: last.unsaid } : {}),
      ...(others > 0 ? { othersBefore: others } : {}),
    });
  }

  #forget(now: number): void {
    for (const [key, { untilMs, unsaid }] of this.#said) {
      if (now < untilMs) continue;
      this.#unsaid += unsaid;
      this.#said.delete(key);
    }
  }
}
