import type { Clock } from '../base/index.ts';
import type { NodeStatus } from './change-log.ts';
import { LogClosedError } from './errors.ts';
import { Wakeup } from './wakeup.ts';

/** A node is forgotten when it was not heard of for this long, unless the log says otherwise. */
export const PEER_TTL_MS = 10_000;

/** The nodes heard of in the last seconds. */
export class PeerList {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #heard = new Map<string, { status: NodeStatus; untilMs: number }>();
  readonly #wakeup = new Wakeup();
  #revision = 0;
  #closed = false;

  constructor(clock: Clock, ttlMs: number = PEER_TTL_MS) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  announce(status: NodeStatus): void {
    this.#heard.set(status.name, { status, untilMs: this.#clock.monotonicMs() + this.#ttlMs });
    this.#changed();
  }

  close(): void {
    this.#closed = true;
    this.#changed();
  }

  /** Yields the list, by name, now and whenever it changes, until `signal` is aborted. */
  async *watch(signal: AbortSignal): AsyncIterableIterator<readonly NodeStatus[]> {
    for (let seen = -1; !signal.aborted; ) {
      if (this.#closed) throw new LogClosedError();
      this.#expire();
      if (seen !== this.#revision) {
        seen = this.#revision;
        yield this.#list();
        continue;
      }
      await this.#nextChange(signal);
    }
  }

  #list(): readonly NodeStatus[] {
    return [...this.#heard.values()].map((each) => each.status).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #changed(): void {
    this.#revision++;
    this.#wakeup.wake();
  }

  #expire(): void {
    const now = this.#clock.monotonicMs();
    let gone = false;
    for (const [name, { untilMs }] of this.#heard) if (untilMs <= now) gone = this.#heard.delete(name) || gone;
    if (gone) this.#changed();
  }

  /** Resolves when somebody was heard of, or when the next one may have to be forgotten. */
  async #nextChange(signal: AbortSignal): Promise<void> {
    const earliestMs = Math.min(...[...this.#heard.values()].map((each) => each.untilMs));
    const changed = this.#wakeup.wait(signal);
    if (earliestMs === Number.POSITIVE_INFINITY) return changed;
    const enough = new AbortController();
    const timer = this.#clock.sleep(Math.max(1, earliestMs - this.#clock.monotonicMs()), enough.signal).catch(() => {});
    await Promise.race([changed, timer]);
    enough.abort();
  }
}
