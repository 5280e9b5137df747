/** Sessions of people at the console, which all brokers on a store know. A key says nothing to whoever reads it in the store. */
export interface SessionStore {
  /** A session begins. Those that nobody uses any more are forgotten, and of too many the ones that were used longest ago. */
  add(key: string): Promise<void>;
  /** Whether there is such a session; it counts as used now. */
  use(key: string): Promise<boolean>;
  remove(key: string): Promise<void>;
}

/** A session that nobody uses ends after this long. */
export const SESSION_IDLE_MS = 12 * 3600_000;
export const SESSIONS_MAX = 100;
/** That a session is used is written down so often at most. */
export const SESSION_USE_MS = 60_000;
