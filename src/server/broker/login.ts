import { createHash, randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock, Logger } from '../../base/index.ts';
import { sameText } from '../../security/index.ts';
import { parseBasic } from '../login.ts';
import { CONSOLE_USER } from './password.ts';

/** What the page says with every request; pages of other places cannot, without being asked first. */
export const PAGE_HEADER = 'x-graticule-console';

/** Why a request is not let in. */
export interface Refused {
  readonly status: 401 | 403;
  readonly code: string;
  readonly message: string;
}

export interface ConsoleLoginOptions {
  readonly password: string;
  /** Part of the cookie's name: browsers keep the cookies of all ports of a machine together. */
  readonly port: number;
  /** Whether cookies travel by HTTPS alone; behind a proxy that speaks it, they do as well. */
  readonly encrypted: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A session that nobody uses ends after this long. */
const IDLE_MS = 12 * 3600_000;
/** Beyond this, the one that was not used for longest ends. */
const SESSIONS_MAX = 100;
/** Wrong passwords are answered later and later, up to this; the count is forgotten after a while. */
const DELAY_FIRST_MS = 100;
const DELAY_MAX_MS = 2_000;
const FAILURES_REMEMBERED_MS = 60_000;
/** Answers that are being held back; beyond this, wrong passwords are answered at once. */
const DELAYED_MAX = 100;

const CHALLENGE = 'Basic realm="Graticule broker", charset="UTF-8"';

/**
 * Lets the administrator in: by HTTP Basic, or by the cookie of a session, which the page begins.
 *
 * A browser sends cookies, and Basic credentials that it was once given, along with requests that other sites' pages make. Such
 * a page cannot set `PAGE_HEADER`, for no answer here permits it to; so a change that has a cookie or comes from a page needs it.
 */
export class ConsoleLogin {
  readonly #options: ConsoleLoginOptions;
  readonly #cookie: string;
  /** By hash of the token, the one used last at the end. */
  readonly #sessions = new Map<string, { usedMs: number }>();
  #failures = { count: 0, lastMs: 0 };
  #delayed = 0;

  constructor(options: ConsoleLoginOptions) {
    this.#options = options;
    this.#cookie = `graticule-broker-${options.port}`;
  }

  /** @returns why the request is refused; undefined when it may do what it asks for */
  async check(request: FastifyRequest): Promise<Refused | undefined> {
    const changes = request.method !== 'GET' && request.method !== 'HEAD';
    const fromPage = request.headers[PAGE_HEADER] !== undefined;
    const token = this.#tokenOf(request);
    const header = request.headers.authorization;
    if (changes && !fromPage && (request.headers.origin !== undefined || (token !== undefined && header === undefined)))
      return {
        status: 403,
        code: 'other-site',
        message: `changes that a browser asks for carry the header ${PAGE_HEADER}, so that no page of another site can ask`,
      };
    if (header !== undefined) {
      const given = parseBasic(header);
      if (given === undefined) return unauthorized('log in with HTTP Basic authentication');
      return (await this.isAdmin(given.user, given.password, request.ip)) ? undefined : unauthorized(WRONG);
    }
    if (token !== undefined && this.#isCurrent(token)) return undefined;
    return unauthorized(`log in as ${CONSOLE_USER}`);
  }

  /** The challenge makes a browser ask for a password itself; the page does that. */
  challenge(request: FastifyRequest, reply: FastifyReply): void {
    if (request.headers[PAGE_HEADER] === undefined) reply.header('www-authenticate', CHALLENGE);
  }

  /** Begins a session. @returns whether the password was right */
  async signIn(user: string, password: string, request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    if (!(await this.isAdmin(user, password, request.ip))) return false;
    const token = randomBytes(32).toString('base64url');
    if (this.#sessions.size >= SESSIONS_MAX) this.#sessions.delete(this.#sessions.keys().next().value!);
    this.#sessions.set(hashOf(token), { usedMs: this.#options.clock.monotonicMs() });
    this.#setCookie(request, reply, token);
    return true;
  }

  signOut(request: FastifyRequest, reply: FastifyReply): void {
    const token = this.#tokenOf(request);
    if (token !== undefined) this.#sessions.delete(hashOf(token));
    this.#setCookie(request, reply, '', '; Max-Age=0');
  }

  async isAdmin(user: string, password: string, address: string): Promise<boolean> {
    const { clock, logger } = this.#options;
    // Both are compared, whatever the first says: the time of an answer tells nothing.
    const [rightUser, rightPassword] = [sameText(user, CONSOLE_USER), sameText(password, this.#options.password)];
    if (rightUser && rightPassword) return true;
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
    return false;
  }

  #isCurrent(token: string): boolean {
    const key = hashOf(token);
    const session = this.#sessions.get(key);
    const now = this.#options.clock.monotonicMs();
    this.#sessions.delete(key);
    if (session === undefined || now - session.usedMs > IDLE_MS) return false;
    this.#sessions.set(key, { usedMs: now });
    return true;
  }

  #tokenOf(request: FastifyRequest): string | undefined {
    for (const pair of (request.headers.cookie ?? '').split(';')) {
      const [name, value] = pair.trim().split('=', 2);
      if (name === this.#cookie && value) return value;
    }
    return undefined;
  }

  /** Browsers keep it until they end, and this process as long as it is used. */
  #setCookie(request: FastifyRequest, reply: FastifyReply, token: string, age = ''): void {
    const isSecure = this.#options.encrypted || request.headers['x-forwarded-proto'] === 'https';
    const secure = isSecure ? '; Secure' : '';
    reply.header('set-cookie', `${this.#cookie}=${token}; Path=/${age}; HttpOnly; SameSite=Strict${secure}`);
  }
}

export const WRONG = 'user or password is wrong';

function unauthorized(message: string): Refused {
  return { status: 401, code: 'login-needed', message };
}

/** What a copy of this process' memory would show is of no use as a cookie. */
function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
