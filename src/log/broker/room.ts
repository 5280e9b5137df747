import { type Clock, type Logger, messageOf } from '../../base/index.ts';
import { Wakeup } from '../wakeup.ts';
import type { DiskRoom, StoreRoom } from './types.ts';

/** A disk is nearly full when less than this part of it is left, and less than so many bytes: a tenth of a large one is plenty. */
const LOW_PART = 0.1;
const LOW_BYTES = 10 * 1024 ** 3;
/** Looking at a store with many files takes a while: the pause is at least so many times as long. */
const PAUSE_TIMES = 20;

export interface RoomWatchOptions {
  /** Bytes that the store takes; undefined where that is not known, or not asked for now. */
  readonly bytes: () => Promise<number | undefined>;
  readonly disk: () => Promise<DiskRoom | undefined>;
  /** Milliseconds between two looks. */
  readonly everyMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Looks from time to time at how much room a store takes and has, and warns when there is little. */
export class RoomWatch {
  readonly #options: RoomWatchOptions;
  readonly #again = new Wakeup();
  #room: StoreRoom = {};
  #warned = false;

  constructor(options: RoomWatchOptions) {
    this.#options = options;
  }

  /** As of the last look. */
  get room(): StoreRoom {
    return this.#room;
  }

  /** Looks until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, everyMs } = this.#options;
    while (!signal.aborted) {
      const beganMs = clock.monotonicMs();
      const enough = new AbortController();
      const either = AbortSignal.any([signal, enough.signal]);
      const woken = this.#again.wait(either);
      await this.look();
      const pauseMs = Math.max(everyMs, PAUSE_TIMES * (clock.monotonicMs() - beganMs));
      await Promise.race([woken, clock.sleep(pauseMs, either).catch(() => {})]);
      enough.abort();
    }
  }

  /** Has it looked at once, for much may be different. */
  lookSoon(): void {
    this.#again.wake();
  }

  async look(): Promise<void> {
    const { bytes, disk, logger } = this.#options;
    const [taken, left] = await Promise.all([known(bytes), known(disk)]);
    const warning = left && whyLow(left);
    this.#room = { bytes: taken, disk: left, warning };
    if (warning !== undefined && !this.#warned) logger.warn('store-nearly-full', { warning, ...left });
    if (warning === undefined && left !== undefined && this.#warned) logger.info('store-has-room', { ...left });
    if (left !== undefined) this.#warned = warning !== undefined;

    async function known<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
      try {
        return await ask();
      } catch (error) {
        // That it cannot be used is said where it is used.
        logger.debug('store-room-unknown', { error: messageOf(error) });
        return undefined;
      }
    }
  }
}

function whyLow({ freeBytes, totalBytes }: DiskRoom): string | undefined {
  if (freeBytes >= Math.min(LOW_BYTES, LOW_PART * totalBytes)) return undefined;
  const megabytes = (bytes: number) => `${Math.floor(bytes / 1024 ** 2).toLocaleString('en')} MB`;
  return `the disk of the store is nearly full: ${megabytes(freeBytes)} of ${megabytes(totalBytes)} are left`;
}
