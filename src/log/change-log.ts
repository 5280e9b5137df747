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
  /** Of its tree at `position`; empty while that says nothing, because records are replayed after a crash. */
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
  /** Largest blob in bytes. */
  readonly blobBytesMax: number;
}

/** Where the bytes of a blob come from; it may be opened again, from the middle, when a transfer broke off. */
export interface BlobSource {
  /** In bytes. */
  readonly size: number;
  /** @param from  byte to begin with; the log has the ones before it already */
  open(from: number): Readable;
}

/** A blob that the log holds. */
export interface BlobInfo {
  readonly hash: ContentHash;
  /** In bytes. */
  readonly size: number;
  /** ISO 8601, by the clock of whoever keeps the log: when it was last put, or put again. */
  readonly storedAt: string;
}

/** A snapshot that the log holds. */
export interface SnapshotInfo {
  readonly at: Position;
  /** In bytes. */
  readonly size: number;
  /** ISO 8601, by the clock of whoever keeps the log. */
  readonly storedAt: string;
}

/** A snapshot, to be read or destroyed. */
export interface SnapshotBody {
  readonly at: Position;
  readonly body: Readable;
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

  /**
   * Stores a snapshot of the state at a position, beside those that are there; one at the same position takes its place. A
   * snapshot that broke off is not kept: it has to be put again from its beginning.
   */
  putSnapshot(at: Position, body: Readable): Promise<void>;

  /** The newest snapshot at or below `upTo`; by default the newest of all. */
  latestSnapshot(upTo?: Position): Promise<SnapshotBody | undefined>;

  /** The snapshots that the log holds, ascending. */
  snapshots(): Promise<readonly SnapshotInfo[]>;

  /**
   * Stores a blob, verified against its hash. When a transfer breaks off, the next one resumes where it ended, whoever
   * begins it and through whichever handle. A blob that is there already is not sent; it only counts as stored just now.
   *
   * @throws RangeError         it is larger than `promises.blobBytesMax`
   * @throws BlobMismatchError  the bytes are not those of the hash, or not as many as `source.size`; nothing was stored
   */
  putBlob(hash: ContentHash, source: BlobSource): Promise<void>;
  hasBlob(hash: ContentHash): Promise<boolean>;

  /**
   * The bytes of a blob from byte `from` on (default: all), or undefined. What is read to its end is complete; it fails
   * otherwise, and may then be asked for again from where it ended.
   *
   * @throws RangeError  `from` lies behind the end
   */
  getBlob(hash: ContentHash, from?: number): Promise<Readable | undefined>;

  /** All blobs, in batches and in no particular order. One that comes or goes meanwhile may be in it or not. */
  blobs(): AsyncIterable<readonly BlobInfo[]>;

  /**
   * Removes those of the blobs that were stored before a moment (ISO 8601), and leaves the others: a blob that somebody puts
   * again at the same time stays, or is gone before and sent anew.
   */
  removeBlobs(hashes: readonly ContentHash[], storedBefore: string): Promise<void>;

  /** Tells the other nodes about this one; forgotten after a few seconds unless it is said again. */
  announce(status: NodeStatus): Promise<void>;

  /** Yields the list of the nodes heard of in the last seconds, now and whenever it changes, until `signal` is aborted. */
  peers(signal: AbortSignal): AsyncIterable<readonly NodeStatus[]>;

  /**
   * Removes what is older than the newest snapshot at or below `upTo`: the records up to its position, and the snapshots
   * before it; nothing when there is none. So a trimmed log always holds the snapshot that its oldest record follows, and
   * an untrimmed one all records. A log that ends before that snapshot goes on after it: so an empty one is made to begin
   * at another's position. Nobody else may use it meanwhile.
   *
   * @throws RangeError  `upTo` lies above the newest snapshot
   */
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
