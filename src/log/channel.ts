import { type Facts, type Logger, messageOf, systemClock, UnavailableError } from '../base/index.ts';
import { backOffMs } from './backoff.ts';
import { isUnreachable, LogClosedError, LogRefusedError } from './errors.ts';
import { Wakeup } from './wakeup.ts';

/** One connection to one server: it ends, and is never resumed. */
export interface EndingLink {
  readonly open: boolean;
  /** Resolves with the reason. */
  readonly ended: Promise<Error>;
  terminate(why?: Error): void;
}

/** A server that a connection may be made to. */
export interface Server<Link> {
  /** As this process's log names it. */
  readonly facts: Facts;
  /**
   * @param soon  another server has said that one of them will soon have the log
   * @throws LogRefusedError   it will not have us
   * @throws UnavailableError  it cannot be reached
   */
  open(signal: AbortSignal, soon: boolean): Promise<Link>;
}

export interface ChannelOptions<Link> {
  /** One or more, tried in this order; asked before each attempt. @throws UnavailableError  none is known now */
  readonly servers: () => readonly Server<Link>[];
  /** Looks at a new connection, or prepares it, before it is used; when it throws, the next server is tried. */
  readonly prepare?: (link: Link) => Promise<void>;
  /** Which server is tried first after a connection was lost. Default: the one that was lost. */
  readonly afterLoss?: 'same' | 'next';
  /** How long to wait before the next connection, in milliseconds, though the last one was good. */
  readonly pauseMs?: () => number;
  /** Whether a server's refusal says that one of them will soon have the log: then all are asked again at short intervals. */
  readonly isSoon?: (error: unknown) => boolean;
  /** How long a call waits for a connection, in milliseconds. */
  readonly connectionWaitMs: number;
  /** Told when it is connected, when that is lost, and when it cannot be. */
  readonly logger: Logger;
}

/** Pauses grow up to here while one of the servers will soon have the log. */
const SOON_MS = 200;

/** Is connected again and again, to the first of several servers that answers, from `start` or the first call on, until it is closed. */
export class Channel<Link extends EndingLink> {
  readonly closing: AbortSignal;
  /** Wakes when there is a connection, or a reason why there is none. */
  readonly changed = new Wakeup();
  readonly #options: ChannelOptions<Link>;
  #running: Promise<void> | undefined;
  /** Made last; not to be used before it is prepared. */
  #newest: Link | undefined;
  #link: Link | undefined;
  #failure: Error | undefined;

  /** @param closing  closes it when aborted */
  constructor(options: ChannelOptions<Link>, closing: AbortSignal) {
    this.#options = options;
    this.closing = closing;
    closing.addEventListener('abort', () => {
      this.#newest?.terminate(new LogClosedError());
      this.changed.wake();
    });
  }

  start(): void {
    this.#running ??= this.#stayConnected();
  }

  /** The connection, if there is one now. */
  get link(): Link | undefined {
    return this.#link?.open ? this.#link : undefined;
  }

  /** Why there is no connection, when one was lost, or could not be made. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Why there will be no connection until somebody has changed something. */
  get refusal(): LogRefusedError | undefined {
    return this.#failure instanceof LogRefusedError ? this.#failure : undefined;
  }

  /** The connection, waiting for it a little. @throws UnavailableError  why there is none */
  async connected(): Promise<Link> {
    this.start();
    const deadlineMs = performance.now() + this.#options.connectionWaitMs;
    for (;;) {
      if (this.closing.aborted) throw new LogClosedError();
      if (this.link !== undefined) return this.link;
      if (this.refusal !== undefined) throw this.refusal;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw noConnection(this.#failure);
      await this.changed.wait(AbortSignal.timeout(Math.ceil(leftMs)));
    }
  }

  /** The connection, waiting for it as long as it takes; undefined when the signal is aborted first. */
  async next(signal: AbortSignal): Promise<Link | undefined> {
    this.start();
    while (!signal.aborted) {
      if (this.link !== undefined) return this.link;
      await this.changed.wait(signal);
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

  /** Resolves when it is closed and its connection has ended. */
  async closed(): Promise<void> {
    await this.#running;
  }

  async #stayConnected(): Promise<void> {
    const { logger, servers, prepare, afterLoss = 'same', pauseMs = () => 0, isSoon = () => false } = this.#options;
    let soon = false;
    for (let next = 0, failures = 0; !this.closing.aborted; ) {
      let [count, facts]: [number, Facts] = [1, {}];
      try {
        const all = servers();
        const server = all[next % all.length]!;
        [count, facts] = [all.length, server.facts];
        const link = await this.#open(server, soon, prepare);
        failures = 0;
        soon = false;
        this.#link = link;
        this.#failure = undefined;
        logger.info('log-connected', facts);
        this.changed.wake();
        const why = await link.ended;
        this.#link = undefined;
        if (this.closing.aborted) return;
        this.#failure = why;
        logger.warn('log-connection-lost', { ...facts, reason: why.message });
        if (afterLoss === 'next') next++;
        await this.#sleep(pauseMs());
      } catch (error) {
        if (this.closing.aborted) return;
        // Said once, not at every attempt.
        if (this.#failure?.message !== messageOf(error))
          logger.warn('log-unreachable', { ...facts, error: messageOf(error) });
        this.#failure = error as Error;
        this.changed.wake();
        // Until the round ends in which it was said.
        soon = isSoon(error) || (soon && failures % count > 0);
        next++;
        failures++;
        // The others are tried at once.
        if (failures % count === 0) await this.#sleep(backOffMs(failures / count, error, soon ? SOON_MS : undefined));
      }
    }
  }

  async #open(server: Server<Link>, soon: boolean, prepare: ChannelOptions<Link>['prepare']): Promise<Link> {
    const link = await server.open(this.closing, soon);
    this.#newest = link;
    try {
      if (!this.closing.aborted) await prepare?.(link);
      if (this.closing.aborted) throw new LogClosedError();
      return link;
    } catch (error) {
      link.terminate(error as Error);
      throw error;
    }
  }

  async #sleep(ms: number): Promise<void> {
    if (ms > 0) await systemClock.sleep(ms, this.closing).catch(() => {});
  }
}

/** What a call fails with that finds no connection. */
export function noConnection(why: Error | undefined): UnavailableError {
  return new UnavailableError('log-unreachable', `the log cannot be reached: ${why?.message ?? 'no connection yet'}`, {
    cause: why,
  });
}
