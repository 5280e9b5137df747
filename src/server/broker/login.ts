import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock, Logger } from '../../base/index.ts';
import type { SessionStore } from '../../log/index.ts';
import { sameText } from '../../security/index.ts';
import { parseBasic } from '../login.ts';
import type { Accounts, ConsoleUser } from './accounts.ts';
import { ConsoleSessions } from './sessions.ts';

/** What the page says with every request; pages of other places cannot, without being asked first. */
export const PAGE_HEADER = 'x-graticule-console';

/** Why a request is not let in. */
export interface Refused {
  readonly status: 401 | 403;
  readonly code: string;
  readonly message: string;
}

/** Who asks, or why that is not answered. */
export type Admission = { readonly user: ConsoleUser; readonly refused?: undefined } | { readonly refused: Refused };

export interface ConsoleLoginOptions {
  readonly accounts: Accounts;
  readonly sessions: SessionStore;
  /** Of the cookie: the same at all brokers on a store, for browsers keep the cookies of all ports of a machine together. */
  readonly cookie: string;
  /** Whether cookies travel by HTTPS alone; behind a proxy that speaks it, they do as well. */
  readonly encrypted: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Wrong passwords are answered later and later, up to this; the count is forgotten after a while. */
const DELAY_FIRST_MS = 100;
const DELAY_MAX_MS = 2_000;
const FAILURES_REMEMBERED_MS = 60_000;
/** Answers that are being held back; beyond this, wrong passwords are answered at once. */
const DELAYED_MAX = 100;

const CHALLENGE = 'Basic realm="Graticule broker", charset="UTF-8"';

/**
 * Lets people and programs in: by HTTP Basic, or by the cookie of a session, which the page begins.
 *
 * A browser sends cookies, and Basic credentials that it was once given, along with requests that other sites' pages make. Such
 * a page cannot set `PAGE_HEADER`, for no answer here permits it to; so a change that has a cookie or comes from a page needs it.
 */
export class ConsoleLogin {
  readonly #options: ConsoleLoginOptions;
  readonly #sessions: ConsoleSessions;
  #failures = { count: 0, lastMs: 0 };
  #delayed = 0;

  constructor(options: ConsoleLoginOptions) {
    this.#options = options;
    this.#sessions = new ConsoleSessions(options.sessions, options.accounts, options);
  }

  async check(request: FastifyRequest): Promise<Admission> {
    const changes = request.method !== 'GET' && request.method !== 'HEAD';
    const fromPage = request.headers[PAGE_HEADER] !== undefined;
    const token = this.#tokenOf(request);
    const header = request.headers.authorization;
    if (changes && !fromPage && (request.headers.origin !== undefined || (token !== undefined && header === undefined)))
      return { refused: otherSite() };
    let user: ConsoleUser | undefined;
    if (header !== undefined) {
      const given = parseBasic(header);
      if (given === undefined) return unauthorized('log in with HTTP Basic authentication');
      user = await this.userOf(given.user, given.password, request.ip);
      if (user === undefined) return unauthorized(WRONG);
    } else if (token !== undefined) user = await this.#sessions.userOf(token);
    if (user === undefined) return unauthorized('log in as admin, or as viewer');
    return changes && user === 'viewer' ? { refused: readOnly() } : { user };
  }

  /** The challenge makes a browser ask for a password itself; the page does that. */
  challenge(request: FastifyRequest, reply: FastifyReply): void {
    if (request.headers[PAGE_HEADER] === undefined) reply.header('www-authenticate', CHALLENGE);
  }

  /** Begins a session. @returns whose; undefined when the password is wrong */
  async signIn(
    user: string,
    password: string,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<ConsoleUser | undefined> {
    const found = await this.userOf(user, password, request.ip);
    if (found !== undefined) this.#setCookie(request, reply, await this.#sessions.begin(found));
    return found;
  }

  async signOut(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const token = this.#tokenOf(request);
    if (token !== undefined) await this.#sessions.end(token);
    this.#setCookie(request, reply, '', '; Max-Age=0');
  }

  /** Whose name and password these are; it takes its time when they are nobody's. */
  async userOf(user: string, password: string, address: string): Promise<ConsoleUser | undefined> {
    const { accounts, clock, logger } = this.#options;
    // All are compared, whatever the first says: the time of an answer tells nothing.
    const isAdmin = [sameText(user, 'admin'), sameText(password, accounts.admin)].every(Boolean);
    const isViewer = [sameText(user, 'viewer'), sameText(password, accounts.viewer ?? accounts.admin)].every(Boolean);
    if (isAdmin) return 'admin';
    if (isViewer && accounts.viewer !== undefined) return 'viewer';
    const now = clock.monotonicMs();
    const count = now - this.#failures.lastMs > FAILURES_REMEMBERED_MS ? 1 : this.#failures.count + 1;
    this.#failures = { count, lastMs: now };
    logger.warn('login-refused', { user: user.slice(0, 100), address });
    if (this.#delayed < DELAYED_MAX) {
      this.#delayed++;
      await clock
        .sleep(Math.min(DELAY_MAX_MS, DELAY_FIRST_MS * 2 ** Math.min(count, 10)))
        .finally(() => this.#delayed--);
    }
    return undefined;
  }

  #tokenOf(request: FastifyRequest): string | undefined {
    for (const pair of (request.headers.cookie ?? '').split(';')) {
      const [name, value] = pair.trim().split('=', 2);
      if (name === this.#options.cookie && value) return value;
    }
    return undefined;
  }

  /** Browsers keep it until they end, and the store as long as it is used. */
  #setCookie(request: FastifyRequest, reply: FastifyReply, token: string, age = ''): void {
    const { cookie, encrypted } = this.#options;
    const secure = encrypted || request.headers['x-forwarded-proto'] === 'https' ? '; Secure' : '';
    reply.header('set-cookie', `${cookie}=${token}; Path=/${age}; HttpOnly; SameSite=Strict${secure}`);
  }
}

export const WRONG = 'user or password is wrong';

function unauthorized(message: string): { readonly refused: Refused } {
  return { refused: { status: 401, code: 'login-needed', message } };
}

function otherSite(): Refused {
  return {
    status: 403,
    code: 'other-site',
    message: `changes that a browser asks for carry the header ${PAGE_HEADER}, so that no page of another site can ask`,
  };
}

function readOnly(): Refused {
  return { status: 403, code: 'read-only-account', message: 'viewer may look and change nothing: log in as admin' };
}
