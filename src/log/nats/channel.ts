import { type Logger, messageOf, systemClock, UnavailableError } from '../../base/index.ts';
import { LogClosedError, LogRefusedError } from '../errors.ts';
import { Wakeup } from '../wakeup.ts';
import { Link, type LinkOptions } from './link.ts';

const RETRY_MS = { first: 50, most: 2000, refused: 10_000 };

export interface ChannelOptions extends Omit<LinkOptions, 'server' | 'tls' | 'signal'> {
  readonly tls?: () => LinkOptions['tls'];
  readonly logger: Logger;
  /** How long a call waits for a connection, in milliseconds. */
  readonly connectionWaitMs: number;
  /** Looks at a new connection, or prepares it, before it is used. */
  readonly prepare?: (link: Link) => Promise<void>;
}

/** Is connected again and again, to the first of several servers that answers, from the first call until it is closed. */
export class Channel {
  readonly closing: AbortSignal;
  readonly #options: ChannelOptions;
  readonly #changed = new Wakeup();
  #running: Promise<void> | undefined;
  #link: Link | undefined;
  /** Why there is no connection. */
  #failure: Error | undefined;

  constructor(options: ChannelOptions, closing: AbortSignal) {
    this.#options = options;
    this.closing = closing;
    closing.addEventListener('abort', () => {
      this.#link?.terminate(new LogClosedError());
      this.#changed.wake();
    });
  }

  start(): void {
    this.#running ??= this.#stayConnected();
  }

  /** The connection, waiting for it a little. @throws UnavailableError  why there is none */
  async connected(): Promise<Link> {
    this.start();
    const deadlineMs = performance.now() + this.#options.connectionWaitMs;
    for (;;) {
      if (this.closing.aborted) throw new LogClosedError();
      if (this.#link?.open) return this.#link;
      if (this.#failure instanceof LogRefusedError) throw this.#failure;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0)
        throw new UnavailableError(
          'log-unreachable',
          `the log cannot be reached: ${this.#failure?.message ?? 'no connection yet'}`,
          { cause: this.#failure },
        );
      await this.#changed.wait(AbortSignal.timeout(Math.ceil(leftMs)));
    }
  }

  /** The connection, waiting for it as long as it takes; undefined when the signal is aborted first. */
  async next(signal: AbortSignal): Promise<Link | undefined> {
    this.start();
    while (!signal.aborted) {
      if (this.#link?.open) return this.#link;
      await this.#changed.wait(signal);
    }
    return undefined;
  }

  /** Runs what changes nothing, or nothing more when it is done twice: again if the connection is lost meanwhile. */
  async ask<T>(run: (link: Link) => Promise<T>): Promise<T> {
    const link = await this.connected();
    try {
      return await run(link);
    } catch (error) {
      if (link.open || this.closing.aborted || !isUnreachable(error)) throw error;
      return run(await this.connected());
    }
  }

  async closed(): Promise<void> {
    await this.#running;
  }

  async #stayConnected(): Promise<void> {
    const { logger, place, tls, prepare, timeoutMs } = this.#options;
    const { servers } = place;
    for (let next = 0, failures = 0; !this.closing.aborted; ) {
      const server = servers[next % servers.length]!;
      try {
        const link = await Link.open({ ...this.#options, server, tls: tls?.(), timeoutMs, signal: this.closing });
        if (this.closing.aborted) return link.terminate(new LogClosedError());
        // So that closing ends what is prepared, too.
        const end = () => link.terminate(new LogClosedError());
        this.closing.addEventListener('abort', end, { once: true });
        try {
          await prepare?.(link);
        } catch (error) {
          link.terminate();
          throw error;
        } finally {
          this.closing.removeEventListener('abort', end);
        }
        failures = 0;
        this.#link = link;
        this.#failure = undefined;
        logger.info('log-connected', { server });
        this.#changed.wake();
        await link.ended;
        this.#link = undefined;
        if (this.closing.aborted) return;
        this.#failure = new UnavailableError('log-unreachable', `${server}: the connection was lost`);
        logger.warn('log-connection-lost', { server });
      } catch (error) {
        if (this.closing.aborted) return;
        // Said once, not at every attempt.
        if (this.#failure?.message !== messageOf(error))
          logger.warn('log-unreachable', { server, error: messageOf(error) });
        this.#failure = error as Error;
        this.#changed.wake();
        next++;
        failures++;
        await systemClock.sleep(this.#pauseMs(failures, servers.length), this.closing).catch(() => {});
      }
    }
  }

  /** The other servers are tried at once; after all have failed, there is a growing pause, of uneven length for each node. */
  #pauseMs(failures: number, servers: number): number {
    if (failures % servers > 0) return 0;
    if (this.#failure instanceof LogRefusedError) return RETRY_MS.refused;
    return Math.min(RETRY_MS.first * 2 ** (failures / servers - 1), RETRY_MS.most) * (0.5 + Math.random() / 2);
  }
}

/** Whether this may pass by itself. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof UnavailableError && error.code === 'log-unreachable';
}
