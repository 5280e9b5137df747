import type { LogRecord, NodeStatus, SnapshotInfo } from '../change-log.ts';

/** `active`: it holds the store and serves the logs; `waiting`: another one does. */
export type BrokerState = 'starting' | 'active' | 'waiting' | 'stopping';

/** Where brokers keep their logs. Any number of them may share one. */
export interface StoreInfo {
  readonly kind: 'folder' | 'postgresql';
  /** Folder, or URL without its password. */
  readonly place: string;
}

/** How much room a store takes and has, where that is known. */
export interface StoreRoom {
  /** Bytes that the store takes. */
  readonly bytes?: number;
  readonly disk?: DiskRoom;
  /** The disk is nearly full; in words. */
  readonly warning?: string;
}

/** The disk that a store is on. */
export interface DiskRoom {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** A broker as the others on its store know it. */
export interface BrokerPresence {
  /** Unique on the store. */
  readonly name: string;
  /** Base URL of its console. */
  readonly url: string;
  /** Where nodes reach its logs: `ws://host:port`. */
  readonly logUrl: string;
  readonly version: string;
  readonly state: BrokerState;
  /** ISO 8601: when that state began. */
  readonly since: string;
  /** ISO 8601, by the store's clock: when it was last heard of. */
  readonly heardAt: string;
}

export interface BrokerStatus extends Omit<BrokerPresence, 'heardAt'> {
  readonly store: StoreInfo;
  /** Goes up by one with each broker that becomes active; what was begun in an older term counts no more. */
  readonly term: number;
  /** Why it waits, or why it lost the active role last. */
  readonly reason?: string;
  readonly startedAt: string;
  /** As of the last half minute. Only the active broker knows how much the store takes. */
  readonly room: StoreRoom;
  /** All brokers on the store that were heard of in the last seconds, this one too, the active one first. */
  readonly brokers: readonly BrokerPresence[];
}

/** A node as the broker sees it: what it says about itself, and its connection. */
export interface GroupNode {
  readonly name: string;
  readonly connected: boolean;
  /** Address of its newest connection. */
  readonly address?: string;
  /** ISO 8601: since when it is connected, or not any more. */
  readonly since: string;
  /** Last position that was sent to it for reading. */
  readonly sent?: number;
  /** Of its last announcement. */
  readonly status?: NodeStatus;
}

/** What has come since the broker became active, and how much of it in the last minute. */
export interface GroupRates {
  readonly appends: number;
  readonly appendsPerSecond: number;
  readonly appendedBytes: number;
  readonly appendedBytesPerSecond: number;
  /** Appends that found another record at their place. */
  readonly conflicts: number;
  readonly conflictsPerSecond: number;
  readonly readRecords: number;
  readonly readRecordsPerSecond: number;
}

/** Who has paused a group, and why. */
export interface GroupPause {
  /** ISO 8601. */
  readonly since: string;
  readonly by: string;
  readonly reason?: string;
}

/** One group's log. Known to the active broker only. */
export interface GroupStatus {
  readonly group: string;
  /** Position of the last record. */
  readonly head: number;
  /** Last position that is gone; `head - trimmed` records are retained. */
  readonly trimmed: number;
  /** Bytes that its records take, where that is known. */
  readonly recordBytes?: number;
  readonly blobs: { readonly count: number; readonly bytes: number };
  readonly snapshots: readonly SnapshotInfo[];
  /** Nothing is appended to a paused group; reading goes on. Remembered by the store. */
  readonly paused?: GroupPause;
  readonly nodes: readonly GroupNode[];
  readonly rates: GroupRates;
}

/** A log server on a store: one of any number. All operations but `status`, `takeOver` and `close` need the active one. */
export interface Broker {
  status(): Promise<BrokerStatus>;
  /** @throws UnavailableError  another broker is active; the message names it */
  groups(): Promise<readonly GroupStatus[]>;
  /** @throws UserError 404  there is no such group */
  group(name: string): Promise<GroupStatus>;
  /** Up to `limit` records after a position. @throws TrimmedError */
  records(group: string, after: number, limit: number): Promise<readonly LogRecord[]>;
  /**
   * From the answer on, appends to the group are refused with a message that says who paused it and why. Of a group that is paused
   * already, the reason is replaced, if there is one.
   */
  pause(group: string, by: string, reason?: string): Promise<void>;
  resume(group: string): Promise<void>;
  /** Trims to the newest snapshot at or below `upTo` (default: the newest of all). @returns the last position that is gone */
  trim(group: string, upTo?: number): Promise<number>;
  /** Cuts the connections of a node; it may come again. @returns how many there were */
  disconnect(group: string, node: string): Promise<number>;
  /**
   * Hands the active role over: to a waiting broker by name, or to whichever is first. On the active broker it steps down
   * once what is under way has its outcome; on a waiting one it asks the active one to.
   *
   * @throws UserError 409  nobody waits, or not that one
   */
  takeOver(to?: string): Promise<void>;
  close(): Promise<void>;
}
