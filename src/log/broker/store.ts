import type { ChangeLog } from '../change-log.ts';
import type { SessionStore } from './sessions.ts';
import type { BrokerPresence, DiskRoom, GroupPause, StoreInfo } from './types.ts';

/** What a broker says about itself to the others on its store. */
export interface BrokerWord extends Omit<BrokerPresence, 'heardAt'> {
  /** It asks the active broker to hand over to the one of this name. */
  readonly handOverTo?: string;
}

/** A broker as it was heard of. */
export interface HeardBroker extends BrokerWord {
  /** ISO 8601, by the store's clock. */
  readonly heardAt: string;
}

/** Where brokers keep logs, and find out which of them is active: one at a time. */
export interface BrokerStore {
  readonly info: StoreInfo;
  /**
   * Says how this broker is. @returns all that were heard of in the last seconds, this one too
   * @throws UnavailableError
   */
  meet(own: BrokerWord): Promise<readonly HeardBroker[]>;
  /** This broker is heard of no more. */
  leave(name: string): Promise<void>;
  /** Waits until this broker is the active one; rejects with the signal's reason. It bears with a store that is away for a while. */
  lead(name: string, signal: AbortSignal): Promise<Term>;
  /** They go on whoever is active. */
  readonly sessions: SessionStore;
  /** Of the disk that it is on, where that is known. */
  disk(): Promise<DiskRoom | undefined>;
  close(): Promise<void>;
}

/** The time in which one broker is active. What it acknowledges is in the store, and was there before anybody else's term began. */
export interface Term {
  /** Higher than that of any term before. */
  readonly number: number;
  /** Aborted, with an error that says why, when it is over though nobody ended it here. */
  readonly lost: AbortSignal;
  /** Names of the groups that have a log. */
  groups(): Promise<readonly string[]>;
  /** Opens the log of a group, once; it is made when there is none. */
  open(group: string): Promise<StoredGroup>;
  /** Bytes that the store takes, where that is known. */
  bytes(): Promise<number | undefined>;
  /**
   * Ends the term: everything that was opened is closed, then the next broker may begin at once.
   * @param to  name of the only one that may; when it does not, the others may a little later
   */
  end(to?: string): Promise<void>;
}

export interface StoredGroup {
  readonly log: ChangeLog;
  /** As the store remembers it. */
  readonly paused: GroupPause | undefined;
  pause(pause: GroupPause | undefined): Promise<void>;
  /** Bytes that its records take, where that is known. */
  recordBytes(): Promise<number | undefined>;
}
