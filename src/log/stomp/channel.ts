import { type Logger, messageOf, systemClock, UnavailableError } from '../../base/index.ts';
import { LogClosedError, LogRefusedError } from '../errors.ts';
import { Wakeup } from '../wakeup.ts';
import type { TlsIdentity } from '../websocket/index.ts';
import { Link } from './link.ts';
import type { StompPlace } from './url.ts';

const RETRY_MS = { first: 50, most: 2000, refused: 10_000 };

export interface ChannelOptions {
  readonly place: StompPlace;
  readonly tls?: () => TlsIdentity;
  readonly timeoutMs: number;
  readonly heartbeatMs: number;
  /** How long a call waits for a connection, in milliseconds. */
  readonly connectionWaitMs: number;
  /** Said when it is connected, lost, or cannot be; a node has several channels to one broker, and one says so. */
  readonly logger: Logger;
  /** Prepares a new connection before it is used. */
  readonly prepare?: (link: Link) => Promise<void>;
  /** How long to wait before the next connection, in milliseconds, though the last one was good. */
  readonly pauseMs?: () => number;
}

/** Is connected again and again, to the first of several brokers that answers, until it is closed. */
export class Channel {
  readonly #options: ChannelOptions;
  readonly #closing: AbortSignal;
  /** Wakes when there is a connection, or a reason why there is none. */
  readonly changed = new Wakeup();
  readonly #running: Promise<void>;
  #link: Link | undefined;
  /** Why there is no connection. */
  #failure: Error | undefined;

  constructor(options: ChannelOptions, closing: AbortSignal) {
    this.#options = options;
    this.#closing = closing;
    closing.addEventListener('abort', () => {
      this.#link?.terminate(new LogClosedError());
      this.changed.wake();
    });
    this.#running = this.#stayConnected();
  }

  get link(): Link | undefined {
    return this.#link?.open ? this.#link : undefined;
  }

  /** The reason why there is no connection, if there was one. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Why there will be no connection until somebody has changed something. */
  get refusal(): LogRefusedError | undefined {
    return this.#failure instanceof LogRefusedError ? this.#failure : undefined;
  }

  /** The connection, waiting for it a little. @throws UnavailableError  why there is none */
  async connected(waitMs = this.#options.connectionWaitMs): Promise<Link> {
    const deadlineMs = performance.now() + waitMs;
    for (;;) {
      if (this.#closing.aborted) throw new LogClosedError();
      if (this.#link?.open) return this.#link;
      if (this.#failure instanceof LogRefusedError) throw this.#failure;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw unreachable(this.#failure);
      await this.changed.wait(AbortSignal.timeout(Math.ceil(leftMs)));
    }
  }

  /** The connection, waiting for it as long as it takes; undefined when the signal is aborted first. */
  async next(signal: AbortSignal): Promise<Link | undefined> {
    while (!signal.aborted) {
      if (this.#link?.open) return this.#link;
      await this.changed.wait(signal);
    }
    return undefined;
  }

  closed(): Promise<void> {
    return this.#running;
  }

  async #stayConnected(): Promise<void> {
    const { logger, place, tls, prepare, timeoutMs, heartbeatMs } = this.#options;
    const { servers } = place;
    const signal = this.#closing;
    for (let next = 0, failures = 0; !signal.aborted; ) {
      const server = servers[next % servers.length]!;
      const name = `${server.host}:${server.port}`;
      try {
        const link = await Link.open({ place, server, tls: tls?.(), timeoutMs, heartbeatMs, signal });
        // So that closing ends what is prepared, too.
        const end = () => link.terminate(new LogClosedError());
        signal.addEventListener('abort', end, { once: true });
        try {
          if (signal.aborted) return end();
          await prepare?.(link);
        } catch (error) {
          link.terminate(error as Error);
          throw error;
        } finally {
          signal.removeEventListener('abort', end);
        }
        if (signal.aborted) return link.terminate(new LogClosedError());
        failures = 0;
        this.#link = link;
        this.#failure = undefined;
        logger.info('log-connected', { server: name });
        this.changed.wake();
        const why = await link.ended;
        this.#link = undefined;
        if (signal.aborted) return;
        this.#failure = why;
        logger.warn('log-connection-lost', { server: name, reason: why.message });
        const pauseMs = this.#options.pauseMs?.() ?? 0;
        if (pauseMs > 0) await systemClock.sleep(pauseMs, signal).catch(() => {});
      } catch (error) {
        if (signal.aborted) return;
        // Said once, not at every attempt.
        if (this.#failure?.message !== messageOf(error))
          logger.warn('log-unreachable', { server: name, error: messageOf(error) });
        this.#failure = error as Error;
        this.changed.wake();
        next++;
        failures++;
        await systemClock.sleep(this.#pauseMs(failures, servers.length), signal).catch(() => {});
      }
    }
  }

  /** The other brokers are tried at once; after all have failed, there is a growing pause, of uneven length for each node. */
  #pauseMs(failures: number, servers: number): number {
    if (failures % servers > 0) return 0;
    if (this.#failure instanceof LogRefusedError) return RETRY_MS.refused;
    return Math.min(RETRY_MS.first * 2 ** (failures / servers - 1), RETRY_MS.most) * (0.5 + Math.random() / 2);
  }
}

export function unreachable(why: Error | undefined): UnavailableError {
  return new UnavailableError('log-unreachable', `the log cannot be reached: ${why?.message ?? 'no connection yet'}`, {
    cause: why,
  });
}
