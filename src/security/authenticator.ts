import { createHmac } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Clock, type Logger, UnavailableError } from '../base/index.ts';
import type { CatalogView } from '../catalog/index.ts';
import { checkPassword, sameText } from './passwords.ts';
import { isCurrent, type Registry, ROLE_ADMINISTRATOR, readRegistry } from './registry.ts';

/** Somebody who has proved who they are. */
export interface Principal {
  readonly name: string;
  /** Role names as in the files, and the system roles that follow from them. */
  readonly roles: readonly string[];
  readonly isAdmin: boolean;
}

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export type Authentication =
  | { readonly kind: 'granted'; readonly principal: Principal }
  | {
      readonly kind: 'refused';
      /** For the client: says nothing about which part was wrong. */
      readonly message: string;
      /** For the log. */
      readonly reason: string;
    };

export interface AuthenticatorOptions {
  /** Password of the user `admin` on this node, whatever the files say; from `GEOSERVER_ADMIN_PASSWORD`. */
  readonly adminPassword?: string;
  readonly clock: Clock;
  /** Key of this process for remembered credentials, 32 random bytes. */
  readonly key: Uint8Array;
  readonly logger: Logger;
}

/** What to do where nobody can log in. */
export const NO_USERS =
  'this data directory has no users, so nobody can log in; set GEOSERVER_ADMIN_PASSWORD and start the node again: the user is admin';

/** Credentials that were right, kept so that their next request costs no 100,000 rounds. */
const REMEMBERED_MAX = 1_000;
/** Password checks waiting for their turn; each takes about 50 ms. */
const WAITING_MAX = 40;
const DELAY_FIRST_MS = 100;
const DELAY_MAX_MS = 2_000;
/** Answers that are being held back; beyond this, wrong passwords are answered at once. */
const DELAYED_MAX = 100;
/** A password that nobody has. */
const UNKNOWN_USER = `digest1:${'A'.repeat(64)}`;
const FAILURES_REMEMBERED_MS = 5 * 60_000;

/**
 * Tells who sends a request, from the users and roles in the tree.
 *
 * Right credentials are remembered, as a keyed hash, until one of the files that they were checked with changes. Checks
 * take turns, so that a flood of wrong passwords costs at most one core's share, and wrong passwords are answered later
 * and later.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  #registry: Registry | undefined;
  readonly #remembered = new LRUCache<string, true>({ max: REMEMBERED_MAX });
  readonly #checking = new Map<string, Promise<Authentication>>();
  readonly #failures = new LRUCache<string, number>({ max: 10_000, ttl: FAILURES_REMEMBERED_MS });
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #delayed = 0;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** Whether anybody at all could log in. */
  canAnyoneLogIn(view: CatalogView): boolean {
    return this.#options.adminPassword !== undefined || this.#current(view).userCount > 0;
  }

  /** What to tell somebody who has not logged in. */
  explainLogin(view: CatalogView): string {
    return this.canAnyoneLogIn(view) ? 'log in as a user who may do this' : NO_USERS;
  }

  /** @throws UnavailableError  too many passwords are being checked at this moment */
  async authenticate(credentials: Credentials, view: CatalogView): Promise<Authentication> {
    const registry = this.#current(view);
    if (credentials.user === 'admin' && this.#options.adminPassword !== undefined) {
      if (sameText(credentials.password, this.#options.adminPassword)) return granted(adminOf(registry));
      return this.#refuse(credentials.user, 'wrong password (GEOSERVER_ADMIN_PASSWORD is set on this node)');
    }
    const key = createHmac('sha256', this.#options.key)
      .update(`${credentials.user.length}:${credentials.user}${credentials.password}`)
      .digest('base64');
    if (this.#remembered.get(key)) return granted(principal(credentials.user, registry));
    const running = this.#checking.get(key);
    if (running !== undefined) return running;
    const check = this.#check(credentials, registry, key).finally(() => this.#checking.delete(key));
    this.#checking.set(key, check);
    return check;
  }

  async #check(credentials: Credentials, registry: Registry, key: string): Promise<Authentication> {
    const users = registry.users(credentials.user);
    if (users.length === 0) {
      if (registry.userCount === 0) return { kind: 'refused', message: NO_USERS, reason: 'no users' };
      // The time of an answer must not tell which names exist.
      await this.#inTurn(() => checkPassword(credentials.password, UNKNOWN_USER));
      return this.#refuse(credentials.user, 'no such user');
    }
    let reason = 'wrong password';
    for (const user of users) {
      const check = await this.#inTurn(() => checkPassword(credentials.password, user.password));
      if (check.kind === 'unreadable') reason = check.reason;
      if (check.kind !== 'match') continue;
      if (!user.enabled) {
        reason = 'the user is disabled';
        continue;
      }
      // The files may have changed while the password was being checked: then this result is not remembered.
      if (registry === this.#registry) this.#remembered.set(key, true);
      this.#failures.delete(credentials.user);
      return granted(principal(user.name, registry));
    }
    return this.#refuse(credentials.user, reason);
  }

  #current(view: CatalogView): Registry {
    if (this.#registry === undefined || !isCurrent(this.#registry, view)) {
      this.#registry = readRegistry(view);
      this.#remembered.clear();
      for (const problem of this.#registry.problems)
        this.#options.logger.error('security-file-unreadable', { problem });
      if (this.#registry.userCount === 0 && this.#options.adminPassword === undefined)
        this.#options.logger.warn('nobody-can-log-in', { remedy: NO_USERS });
    }
    return this.#registry;
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#waiting >= WAITING_MAX)
      throw new UnavailableError('login-busy', 'too many passwords are being checked now; try again in a moment');
    this.#waiting++;
    const mine = this.#turn.then(work).finally(() => this.#waiting--);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #refuse(user: string, reason: string): Promise<Authentication> {
    const failures = (this.#failures.get(user) ?? 0) + 1;
    this.#failures.set(user, failures);
    this.#options.logger.warn('login-refused', { user: user.slice(0, 100), reason, failures });
    if (this.#delayed < DELAYED_MAX) {
      this.#delayed++;
      const delayMs = Math.min(DELAY_MAX_MS, DELAY_FIRST_MS * 2 ** Math.min(failures - 1, 10));
      await this.#options.clock.sleep(delayMs).finally(() => this.#delayed--);
    }
    return { kind: 'refused', message: 'wrong user name or password', reason };
  }
}

function granted(who: Principal): Authentication {
  return { kind: 'granted', principal: who };
}

function principal(name: string, registry: Registry): Principal {
  const roles = registry.rolesOf(name);
  return { name, roles: [...roles], isAdmin: roles.has(ROLE_ADMINISTRATOR) };
}

/** The operator's own account: always an administrator, and whatever else the files give it. */
function adminOf(registry: Registry): Principal {
  const roles = new Set([...registry.rolesOf('admin'), 'ADMIN', ROLE_ADMINISTRATOR]);
  return { name: 'admin', roles: [...roles], isAdmin: true };
}
