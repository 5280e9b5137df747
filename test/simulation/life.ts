import type { Clock } from '../../src/base/index.ts';
import { UncertainError } from '../../src/base/index.ts';

/**
 * One run of a process. Once it is dead, nothing that it still waits for ever comes: its program stands still wherever it is,
 * as a killed process does, and those who wait for its answer do not get one.
 */
export class Life {
  dead = false;
  readonly #died = Promise.withResolvers<never>();

  constructor() {
    this.#died.promise.catch(() => {});
  }

  end(): void {
    this.dead = true;
    this.#died.reject(new UncertainError('the connection was lost'));
  }

  /** What the process gets: nothing, when it died meanwhile. */
  async inside<T>(outcome: Promise<T>): Promise<T> {
    try {
      const value = await outcome;
      if (!this.dead) return value;
    } catch (error) {
      if (!this.dead) throw error;
    }
    return never();
  }

  /** What a client of the process gets: `UncertainError`, when it died meanwhile. */
  outside<T>(outcome: Promise<T>): Promise<T> {
    return Promise.race([outcome, this.#died.promise]);
  }
}

export function never(): Promise<never> {
  return new Promise(() => {});
}

/** How a process sees time. */
export interface Pace {
  /** Its wall clock is wrong by so much. */
  wallErrorMs: number;
  /** It gets its turn only so often; 0: always. */
  turnMs: number;
}

/** The clock of one process: its wall time may jump, its timers are late when it is slow, and end with its life. */
export function clockOf(clock: Clock, life: Life, pace: Pace): Clock {
  return {
    now: () => clock.now() + pace.wallErrorMs,
    monotonicMs: () => clock.monotonicMs(),
    sleep: (ms, signal) => life.inside(clock.sleep(untilTurn(clock, pace, ms), signal)),
  };
}

/** How long something takes that would take `ms`, until the process has its turn. */
export function untilTurn(clock: Clock, { turnMs }: Pace, ms: number): number {
  if (turnMs === 0) return ms;
  const now = clock.monotonicMs();
  return Math.ceil((now + ms) / turnMs) * turnMs - now;
}
