import type { Readable } from 'node:stream';
import type { ContentHash, Position } from '../tree/index.ts';

/** One entry of the log. */
export interface LogRecord {
  readonly position: Position;
  readonly body: Uint8Array;
}

/** The record is durable at this position. */
export interface Appended {
  readonly kind: 'appended';
  readonly position: Position;
}

/** Another record stands at the place: nothing was written. */
export interface HeadMoved {
  readonly kind: 'head-moved';
  /** The log's head now. */
  readonly head: Position;
}

/**
 * How a node is. `stale`: the log cannot be reached; `stopped`: it can, but the node must not go on (a record that it cannot
 * apply, another log, a failing disk).
 */
export type NodeState = 'starting' | 'in-step' | 'behind' | 'stale' | 'stopped' | 'paused';

/** What a node tells the others about itself; kept nowhere. */
export interface NodeStatus {
  /** Unique and stable name of the node in its cluster. */
  readonly name: string;
  /** Base URL of its HTTP service, with the context path: `http://host:8080/geoserver`. */
  readonly url: string;
  readonly role: 'both' | 'replica' | 'paused';
  readonly version: string;
  readonly position: Position;
  readonly digest: string;
  readonly state: NodeState;
  /** ISO 8601: when that state began. */
  readonly since: string;
  /** Why the state is what it is, for people; absent when in step. */
  readonly reason?: string;
  /** The log's head as the node last heard of it. */
  readonly head: Position;
  /** How long the node has not held everything that it knew to be in the log, in seconds; 0 when it does. */
  readonly lagSeconds: number;
  /** Newest format of records that the node can read. */
  readonly recordFormat: number;
  /** The node writes nothing to its data directory, which another one keeps. */
  readonly readOnly: boolean;
  /** ISO 8601: when the process started. */
  readonly startedAt: string;
  /** ISO 8601: when this was announced, by the node's own clock. */
  readonly announcedAt: string;
}

/** What a driver promises; the contract suite tests it as declared. */
export interface LogPromises {
  /** What an acknowledged append survives. */
  readonly durability: 'memory' | 'process-crash' | 'power-loss';
  /** Longest record in bytes. */
  readonly recordBytesMax: number;
}

/**
 * A totally ordered, durable sequence of records, with compare-and-append; beside it snapshots, blobs, and heartbeats.
 *
 * All methods reject with `UnavailableError` when the log cannot be reached, and after `close()`.
 */
export interface ChangeLog {
  readonly promises: LogPromises;

  /**
   * Appends a record directly after `after`; resolves once it is durable as `promises.durability` says.
   *
   * @returns `HeadMoved` if another record took the place; nothing was written
   * @throws UncertainError    it is not known whether the record was written
   * @throws UnavailableError  the log was not reached; nothing was written
   * @throws RangeError        the record is longer than `promises.recordBytesMax`
   */
  append(after: Position, body: Uint8Array): Promise<Appended | HeadMoved>;

  /**
   * Yields the records after `after`, in order and without gaps, then waits for new ones, until `signal` is aborted (the
   * iteration then ends without error). Reconnects by itself and resumes where it was.
   *
   * @throws TrimmedError  the record after `after` is no longer in the log: take the latest snapshot
   */
  read(after: Position, signal: AbortSignal): AsyncIterable<readonly LogRecord[]>;

  /** The position of the last record; linearizable: not older than any append acknowledged before the call. */
  head(): Promise<Position>;

  /** Stores a snapshot of the state at a position. The latest position wins. */
  putSnapshot(at: Position, body: Readable): Promise<void>;
  latestSnapshot(): Promise<{ readonly at: Position; readonly body: Readable } | undefined>;

  /** Stores a blob. The bytes are verified against the hash; a blob that is there already is left alone. */
  putBlob(hash: ContentHash, body: Readable): Promise<void>;
  hasBlob(hash: ContentHash): Promise<boolean>;
  getBlob(hash: ContentHash): Promise<Readable | undefined>;

  /** Tells the other nodes about this one; forgotten after a few seconds unless it is said again. */
  announce(status: NodeStatus): Promise<void>;

  /** Yields the list of the nodes heard of in the last seconds, now and whenever it changes, until `signal` is aborted. */
  peers(signal: AbortSignal): AsyncIterable<readonly NodeStatus[]>;

  /** Removes the records up to and including `upTo`, which must not lie above the latest snapshot. */
  trim(upTo: Position): Promise<void>;

  /** Oldest position that can be read, minus one: 0 when nothing was trimmed. */
  trimmed(): Promise<Position>;

  close(): Promise<void>;
}

/** A reader asked for records that were trimmed. */
export class TrimmedError extends Error {
  /** The last position that is gone. */
  readonly trimmed: Position;

  constructor(trimmed: Position) {
    super(`the log no longer holds the records up to ${trimmed}; take the latest snapshot`);
    this.name = 'TrimmedError';
    this.trimmed = trimmed;
  }
}
