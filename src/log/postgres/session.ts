import { Socket } from 'node:net';
import pg from 'pg';
import { isDefinite, LostError } from './failures.ts';
import type { Encryption } from './tls.ts';
import type { PostgresPlace, PostgresServer } from './url.ts';

export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** A statement with a name is prepared once in each session. */
  readonly name?: string;
}

export type Row = Readonly<Record<string, unknown>>;

/** A connection to a server. One statement at a time; every one has an outcome within a time. */
export class Session {
  readonly #client: pg.Client;
  readonly #socket: Socket;
  #lost: Error | undefined;
  /** Ends the statement under way. */
  #onLost: (error: Error) => void = () => {};
  readonly #ended = new AbortController();
  onNotice: (payload: string) => void = () => {};

  private constructor(client: pg.Client, socket: Socket) {
    this.#client = client;
    this.#socket = socket;
    client.on('error', (error) => this.#end(error));
    client.on('end', () => this.#end(new Error('the connection was closed')));
    client.on('notification', ({ payload }) => this.onNotice(payload ?? ''));
  }

  /** @throws whatever the network, TLS or the server say; LostError after `timeoutMs`, or when the signal is aborted */
  static async open(
    place: PostgresPlace,
    server: PostgresServer,
    ssl: Encryption,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<Session> {
    const { signal, timeoutMs } = options;
    const socket = new Socket();
    const client = new pg.Client({
      ...server,
      database: place.database,
      user: place.user,
      password: place.password,
      application_name: place.applicationName ?? 'graticule',
      ssl,
      keepAlive: true,
      stream: () => socket,
    });
    const session = new Session(client, socket);
    await session.#within(client.connect(), timeoutMs, signal);
    return session;
  }

  get user(): string {
    return this.#client.user ?? '';
  }

  /** Aborted when the connection has ended. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  get usable(): boolean {
    return this.#lost === undefined;
  }

  /**
   * @throws LostError         it is not known whether the statement was carried out; the session is of no more use
   * @throws pg.DatabaseError  the server says no
   */
  async query(statement: Statement | string, timeoutMs: number): Promise<readonly Row[]> {
    if (this.#lost !== undefined) throw new LostError(this.#lost.message, { cause: this.#lost });
    const config =
      typeof statement === 'string' ? { text: statement } : { ...statement, values: statement.values?.slice() };
    const result = await this.#within(this.#client.query(config), timeoutMs);
    // Several statements in one text have several results.
    return (Array.isArray(result) ? result.at(-1) : result).rows;
  }

  destroy(): void {
    this.#end(new Error('the connection was given up'));
  }

  async #within<T>(asked: Promise<T>, timeoutMs: number, signal?: AbortSignal): Promise<T> {
    const ended = Promise.withResolvers<never>();
    this.#onLost = ended.reject;
    const timer = setTimeout(() => this.#end(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const onAbort = () => this.destroy();
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    try {
      return await Promise.race([asked, ended.promise]);
    } catch (error) {
      if (isDefinite(error)) throw error;
      // Whatever else went wrong: nothing is known of the other end.
      const reason = this.#lost ?? (error as Error);
      this.#end(reason);
      throw error instanceof pg.DatabaseError ? error : new LostError(reason.message, { cause: reason });
    } finally {
      this.#onLost = () => {};
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #end(error: Error): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    this.#socket.destroy();
    this.#onLost(error);
    this.#ended.abort();
  }
}
