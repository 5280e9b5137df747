import { createHmac, randomBytes } from 'node:crypto';
import { type Clock, type Logger, messageOf } from '../../base/index.ts';
import type { SessionStore } from '../../log/index.ts';
import type { Accounts, ConsoleUser } from './accounts.ts';

/** Whoever is known here is not kept waiting for a store that does not answer. */
const STORE_MS = 500;
const KNOWN_MAX = 200;

/**
 * Sessions that the store remembers, so that they go on at every broker on it, and outlive each.
 *
 * A session's key is made from its token, which the browser alone has, and the password: who reads the store can make neither of it,
 * and with another password it is another key, so that a change of the password ends all sessions.
 */
export class ConsoleSessions {
  readonly #store: SessionStore;
  readonly #accounts: Accounts;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Keys that were right here, for the time when the store is away: it is then that the console is looked at. */
  readonly #known = new Set<string>();
  /** Of them those that the store has not got yet. */
  readonly #unsaved = new Set<string>();

  constructor(store: SessionStore, accounts: Accounts, { clock, logger }: { clock: Clock; logger: Logger }) {
    this.#store = store;
    this.#accounts = accounts;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** @returns the token, for the user's browser */
  async begin(user: ConsoleUser): Promise<string> {
    const token = `${user}.${randomBytes(32).toString('base64url')}`;
    const { key } = this.#read(token)!;
    this.#know(key);
    try {
      await this.#store.add(key);
    } catch (error) {
      this.#unsaved.add(key);
      this.#logger.warn('session-not-shared', { user, error: messageOf(error) });
    }
    return token;
  }

  /** Whose session it is; undefined when it is none, or over. */
  async userOf(token: string): Promise<ConsoleUser | undefined> {
    const { user, key } = this.#read(token) ?? {};
    if (user === undefined || key === undefined) return undefined;
    const isKnown = this.#known.has(key);
    const isThere = await this.#isThere(key, isKnown);
    if (isThere === false) this.#forget(key);
    if (isThere === true) this.#know(key);
    return (isThere ?? isKnown) ? user : undefined;
  }

  async end(token: string): Promise<void> {
    const { user, key } = this.#read(token) ?? {};
    if (key === undefined) return;
    this.#forget(key);
    try {
      await this.#store.remove(key);
    } catch (error) {
      this.#logger.warn('session-not-ended', { user, error: messageOf(error) });
    }
  }

  /** @returns undefined when the store does not say */
  async #isThere(key: string, isKnown: boolean): Promise<boolean | undefined> {
    const asked = this.#ask(key).catch(() => undefined);
    if (!isKnown) return asked;
    const enough = new AbortController();
    const tooLong = this.#clock.sleep(STORE_MS, enough.signal).then(
      () => undefined,
      () => undefined,
    );
    return Promise.race([asked, tooLong]).finally(() => enough.abort());
  }

  async #ask(key: string): Promise<boolean> {
    if (this.#unsaved.has(key)) {
      await this.#store.add(key);
      this.#unsaved.delete(key);
    }
    return this.#store.use(key);
  }

  #read(token: string): { readonly user: ConsoleUser; readonly key: string } | undefined {
    const user = (['admin', 'viewer'] as const).find((each) => token.startsWith(`${each}.`));
    const password = user && this.#accounts[user];
    if (user === undefined || password === undefined || token.length > 100) return undefined;
    return { user, key: createHmac('sha256', password).update(`console session ${token}`).digest('hex') };
  }

  #know(key: string): void {
    this.#known.delete(key);
    this.#known.add(key);
    if (this.#known.size > KNOWN_MAX) this.#forget(this.#known.values().next().value!);
  }

  #forget(key: string): void {
    this.#known.delete(key);
    this.#unsaved.delete(key);
  }
}
