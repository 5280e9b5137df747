import { systemClock } from '../base/index.ts';
import { isUnreachable, LogClosedError } from './errors.ts';

/** A transfer that breaks off is continued, and given up when nothing has come through for so long. */
const PATIENCE_MS = 20_000;
const RETRY_MS = { first: 50, most: 1000 };

/** How long a transfer that breaks off is begun again. */
export class Patience {
  readonly #closing: AbortSignal;
  #untilMs = performance.now() + PATIENCE_MS;
  #pauseMs = RETRY_MS.first;

  constructor(closing: AbortSignal) {
    this.#closing = closing;
  }

  /** Something has come through. */
  refresh(): void {
    this.#untilMs = performance.now() + PATIENCE_MS;
    this.#pauseMs = RETRY_MS.first;
  }

  /** Waits a little before the next try. @throws the error, when another try is of no use */
  async bear(error: unknown): Promise<void> {
    if (this.#closing.aborted) throw new LogClosedError();
    if (!isUnreachable(error) || performance.now() > this.#untilMs) throw error;
    await systemClock.sleep(this.#pauseMs, this.#closing).catch(() => {});
    this.#pauseMs = Math.min(2 * this.#pauseMs, RETRY_MS.most);
  }
}
