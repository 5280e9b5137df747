import { type Logger, messageOf, UnavailableError } from '../../base/index.ts';
import { backOffMs } from '../backoff.ts';
import { LogClosedError, LogRefusedError } from '../errors.ts';
import { type Circumstances, explained, isDefinite, LostError } from './failures.ts';
import { type Row, Session, type Statement } from './session.ts';
import { encryptions } from './tls.ts';
import { type PostgresPlace, type PostgresServer, placeText, serverText } from './url.ts';

export interface SessionsOptions {
  readonly place: PostgresPlace;
  readonly schema: string;
  /** Run in each new session, with one answer: the server must be of use. */
  readonly greet: (session: Session, timeoutMs: number) => Promise<void>;
  readonly logger: Logger;
  /** Most sessions at a time. */
  readonly most: number;
  /** How long a call waits for a session. */
  readonly connectionWaitMs: number;
  /** How long a call waits for its answer, and how long a server may take to let us in. */
  readonly answerWaitMs: number;
}

const RETRY_MS_MAX = 1000;
/** A session that nobody has needed for so long is closed; one is kept. */
const IDLE_MS = 60_000;

interface Waiting {
  readonly resolve: (session: Session) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Sessions with the first of the servers that is a primary; they are made when they are needed, given to one call at a time, and kept
 * for the next ones. Whoever finds none waits, but never for long.
 */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #closing = new AbortController();
  readonly #all = new Set<Session>();
  #idle: { readonly session: Session; readonly sinceMs: number }[] = [];
  #waiting: Waiting[] = [];
  #opening = 0;
  /** Index of the server that is tried first: the one that served last. */
  #server = 0;
  #failure: Error | undefined;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  readonly #sweeper: NodeJS.Timeout;
  #user = '';

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#sweeper = setInterval(() => this.#sweep(), IDLE_MS / 2);
    this.#sweeper.unref();
  }

  /** What a failure of one of the sessions means. */
  explain(error: unknown): UnavailableError {
    return this.#closing.signal.aborted ? new LogClosedError() : explained(error, this.#where());
  }

  /** @throws UnavailableError  there is none within the time */
  async acquire(): Promise<Session> {
    if (this.#closing.signal.aborted) throw new LogClosedError();
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle.session;
    const { promise, resolve, reject } = Promise.withResolvers<Session>();
    const waiting = { resolve, reject };
    this.#waiting.push(waiting);
    const { connectionWaitMs } = this.#options;
    const timer = setTimeout(() => {
      this.#waiting = this.#waiting.filter((each) => each !== waiting);
      reject(this.#failure ?? this.explain(new Error(`no connection within ${connectionWaitMs} ms`)));
    }, connectionWaitMs);
    this.#grow();
    return promise.finally(() => clearTimeout(timer));
  }

  release(session: Session): void {
    if (!session.usable) return;
    const next = this.#waiting.shift();
    if (next !== undefined) next.resolve(session);
    else this.#idle.push({ session, sinceMs: performance.now() });
  }

  /**
   * Asks what may be asked twice: again when the connection breaks, as long as the time for a connection lasts.
   *
   * @throws UnavailableError
   */
  async ask(statement: Statement | string, timeoutMs = this.#options.answerWaitMs): Promise<readonly Row[]> {
    return this.#ask(statement, timeoutMs, true);
  }

  /**
   * Asks once; when it fails, the statement may have been carried out.
   *
   * @throws UnavailableError
   */
  async askOnce(statement: Statement, timeoutMs = this.#options.answerWaitMs): Promise<readonly Row[]> {
    return this.#ask(statement, timeoutMs, false);
  }

  async #ask(statement: Statement | string, timeoutMs: number, again: boolean): Promise<readonly Row[]> {
    const deadlineMs = performance.now() + this.#options.connectionWaitMs;
    for (;;) {
      const session = await this.acquire();
      try {
        return await session.query(statement, timeoutMs);
      } catch (error) {
        if (!again || isDefinite(error) || performance.now() > deadlineMs || this.#closing.signal.aborted)
          throw this.explain(error);
      } finally {
        this.release(session);
      }
    }
  }

  /** A session that is not one of those that are lent. */
  async open(): Promise<Session> {
    try {
      return await this.#open();
    } catch (error) {
      throw this.explain(error);
    }
  }

  close(): void {
    this.#closing.abort();
    clearInterval(this.#sweeper);
    clearTimeout(this.#retry);
    for (const { reject } of this.#waiting.splice(0)) reject(new LogClosedError());
    for (const session of this.#all) session.destroy();
  }

  #grow(): void {
    const { most } = this.#options;
    if (this.#retry !== undefined) {
      // It is known already why there is none, and asking again would not change that.
      if (this.#failure instanceof LogRefusedError) this.#refuseAll(this.#failure);
      return;
    }
    while (this.#opening < this.#waiting.length && this.#all.size + this.#opening < most) {
      this.#opening++;
      this.#open().then(
        (session) => {
          this.#opening--;
          this.#failure = undefined;
          this.#failures = 0;
          this.release(session);
        },
        (error) => {
          this.#opening--;
          if (this.#closing.signal.aborted) return;
          this.#failed(this.explain(error));
        },
      );
    }
  }

  #failed(failure: UnavailableError): void {
    this.#failure = failure;
    if (failure instanceof LogRefusedError) this.#refuseAll(failure);
    if (this.#retry !== undefined) return;
    this.#retry = setTimeout(
      () => {
        this.#retry = undefined;
        this.#grow();
      },
      backOffMs(++this.#failures, failure, RETRY_MS_MAX),
    );
    this.#retry.unref();
  }

  #refuseAll(failure: LogRefusedError): void {
    for (const { reject } of this.#waiting.splice(0)) reject(failure);
  }

  /** Tries the servers in turn, beginning with the one that served last. */
  async #open(): Promise<Session> {
    const { servers } = this.#options.place;
    const first = this.#server;
    const failures: UnavailableError[] = [];
    for (let tried = 0; tried < servers.length; tried++) {
      const index = (first + tried) % servers.length;
      try {
        const session = await this.#openAt(servers[index]!);
        this.#server = index;
        return session;
      } catch (error) {
        if (this.#closing.signal.aborted) throw error;
        failures.push(explained(error, { ...this.#where(), place: this.#placeText(servers[index]!) }));
        // One that does not answer is not waited for each time.
        if (this.#server === index) this.#server = (index + 1) % servers.length;
      }
    }
    if (failures.length === 1) throw failures[0];
    const text = failures.map(messageOf).join('; ');
    // While one of them cannot be reached, it may yet be the one that lets us in.
    throw failures.every((failure) => failure instanceof LogRefusedError)
      ? new LogRefusedError(text)
      : new UnavailableError('log-unreachable', text);
  }

  async #openAt(server: PostgresServer): Promise<Session> {
    const { place, greet, answerWaitMs } = this.#options;
    const timeoutMs = place.connectTimeoutMs ?? answerWaitMs;
    const ways = encryptions(place);
    for (const [index, ssl] of ways.entries()) {
      let session: Session;
      try {
        session = await Session.open(place, server, ssl, { timeoutMs, signal: this.#closing.signal });
      } catch (error) {
        // The other way helps against a server without TLS, and one that asks for it; not when there is no server.
        if (index < ways.length - 1 && isAboutEncryption(error)) continue;
        throw error;
      }
      this.#user = session.user;
      this.#all.add(session);
      session.ended.addEventListener('abort', () => this.#forget(session), { once: true });
      try {
        await greet(session, timeoutMs);
        return session;
      } catch (error) {
        session.destroy();
        throw error;
      }
    }
    throw new LostError('there is no way to connect');
  }

  #forget(session: Session): void {
    this.#all.delete(session);
    this.#idle = this.#idle.filter((each) => each.session !== session);
    if (!this.#closing.signal.aborted) this.#grow();
  }

  #sweep(): void {
    const beforeMs = performance.now() - IDLE_MS;
    for (const { session, sinceMs } of this.#idle.slice(0, -1)) if (sinceMs < beforeMs) session.destroy();
  }

  #where(): Circumstances {
    const { place, schema } = this.#options;
    return { place: placeText(place), schema, user: this.#user || place.user || 'of this node' };
  }

  #placeText(server: PostgresServer): string {
    return `${this.#options.place.database ?? 'the default database'} at ${serverText(server)}`;
  }
}

function isAboutEncryption(error: unknown): boolean {
  const text = messageOf(error);
  const { code } = error as { code?: string };
  return /SSL|TLS|EPROTO/i.test(text) || code === '28000';
}
