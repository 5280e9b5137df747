import { type Clock, type Logger, messageOf, UnavailableError } from '../base/index.ts';
import type { ChangeLog } from '../log/index.ts';

const RETRY_MS_MAX = 5000;

/** The connection to the log: given by the caller, or opened here, as often as it takes. */
export class LogLink {
  readonly #open: (() => Promise<ChangeLog>) | undefined;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #log: ChangeLog | undefined;
  #opening: Promise<ChangeLog> | undefined;
  #failure: unknown;

  constructor(options: { log: ChangeLog | (() => Promise<ChangeLog>); clock: Clock; logger: Logger }) {
    if (typeof options.log === 'function') this.#open = options.log;
    else this.#log = options.log;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** @throws UnavailableError  there has been no connection yet */
  get(): ChangeLog {
    if (this.#log) return this.#log;
    if (this.#failure instanceof UnavailableError) throw this.#failure;
    const reason =
      this.#failure === undefined ? 'has not been reached yet' : `cannot be opened: ${messageOf(this.#failure)}`;
    throw new UnavailableError('log-unreachable', `the log ${reason}`, { cause: this.#failure });
  }

  /** One try. */
  async open(): Promise<ChangeLog> {
    if (this.#log) return this.#log;
    this.#opening ??= this.#open!().finally(() => {
      this.#opening = undefined;
    });
    const opened = await this.#opening;
    this.#log = opened;
    return opened;
  }

  /** Tries until there is a connection. */
  async opened(signal: AbortSignal, onFailure: (error: unknown) => void): Promise<ChangeLog> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.open();
      } catch (error) {
        if (attempt === 0) this.#logger.warn('log-unreachable', { reason: messageOf(error) });
        this.#failure = error;
        onFailure(error);
        await this.#clock.sleep(Math.min(RETRY_MS_MAX, 100 * 2 ** attempt), signal);
      }
    }
  }

  /** Closes what was opened here; a log that was given stays open, for it is the caller's. */
  async close(): Promise<void> {
    if (!this.#open) return;
    const log = this.#log ?? (await this.#opening?.catch(() => undefined));
    await log?.close();
  }
}
