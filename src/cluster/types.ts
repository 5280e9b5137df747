import type { CatalogView, Draft } from '../catalog/index.ts';
import type { NodeStatus } from '../log/index.ts';
import type { Digest, OpenFile, Position, TreePath } from '../tree/index.ts';
import type { Divergence } from './divergences.ts';
import type { History } from './history/index.ts';
import type { StagedFile } from './staging.ts';

export type Role = 'both' | 'replica' | 'paused';

/** Who asks, from where, and what for: what history will say of a change. */
export interface Origin {
  readonly by: string;
  readonly address?: string;
  readonly why: string;
  /** W3C trace context (`traceparent`) of the request: every node's log line of the change carries it. */
  readonly trace?: string;
  /** A client's own id for the change; sending it again repeats the answer's effect at most once. */
  readonly idempotencyKey?: string;
}

/**
 * A change to the configuration, in two steps.
 *
 * `prepare` does what is slow or asynchronous (reading a file's header, asking a database) and runs outside the order of
 * changes. `evaluate` is synchronous and pure: it looks things up in the draft, throws a `UserError`, or records file
 * operations; it may run several times, each time on a newer state.
 */
export interface WriteRequest<Prepared, Result> {
  readonly origin: Origin;
  prepare?(view: CatalogView): Promise<Prepared>;
  /** Whether what `prepare` relied on still holds; when it does not, `prepare` runs again. Default: always. */
  stillHolds?(prepared: Prepared, draft: CatalogView): boolean;
  evaluate(draft: Draft, prepared: Prepared): Result;
}

export interface Written<Result> {
  readonly result: Result;
  /** Where the change stands in the log; the node's position when it had nothing to record. */
  readonly position: Position;
  /**
   * The `idempotencyKey` names a change that was applied before: nothing was done now, `evaluate` was not run, and `result`
   * is undefined. Never true for a request without a key.
   */
  readonly repeated: boolean;
}

/** What a reload found, and what became of it. */
export interface Reloaded {
  /** `published`: the other nodes have it now; `undone`: this node has the cluster's files again. */
  readonly outcome: 'nothing' | 'published' | 'undone';
  /** Files that were other than the tree said, not in the tree, or gone; in order. */
  readonly paths: readonly TreePath[];
}

/** A node of a cluster, to the rooms above. */
export interface ClusterNode {
  readonly name: string;
  readonly role: Role;
  /** Id of the log that the node follows. */
  readonly logId: string;
  /** The catalog as of `position`. The same object for the node's life; what it answers changes with every record. */
  readonly catalog: CatalogView;
  readonly position: Position;
  readonly digest: Digest;

  /**
   * Makes a change. When it resolves, the change is durable in the log and visible on this node.
   *
   * @throws UserError         thrown by `evaluate` (or `prepare`) on the newest state; 422 `idempotency-key-reused` when the
   *                           key belongs to a change of another user or for another purpose; 413 `change-too-large`
   * @throws NotPrimaryError   this node is a replica
   * @throws UnavailableError  the log cannot be reached, or others were always faster: nothing was changed
   * @throws UncertainError    it could not be found out whether the change took place
   */
  write<Prepared, Result>(request: WriteRequest<Prepared, Result>): Promise<Written<Result>>;

  /**
   * Takes contents for a change to put somewhere, piece by piece; who stages them releases them once the change has been made, or
   * not.
   *
   * @throws UserError         413: longer than the log takes; 507: this node's disk is full
   * @throws NotPrimaryError   this node is a replica
   * @throws UnavailableError  this node takes no changes now, or its disk fails
   */
  stage(body: AsyncIterable<Uint8Array>): Promise<StagedFile>;

  /** Opens a file of the tree, to be read piece by piece; undefined when there is none. */
  open(path: TreePath): Promise<OpenFile | undefined>;

  /**
   * Resolves when this node has applied everything that was in the log at the time of the call.
   *
   * @throws UnavailableError  the log did not answer in time, or this node does not follow it now
   */
  catchUp(signal?: AbortSignal): Promise<Position>;

  /** Resolves when this node has applied `position`; rejects with `UnavailableError` after `timeoutMs`. */
  waitFor(position: Position, timeoutMs: number): Promise<void>;

  /**
   * Resolves when everything that this node has applied by now is on its disk: who opens a file by its name, geodata above
   * all, asks first. Files are written behind, up to half a second later when nobody waits.
   *
   * @throws UnavailableError  the disk fails, or does not keep up
   */
  written(): Promise<void>;

  /**
   * Puts a snapshot of the present state into the log, for nodes that join later.
   *
   * @returns the position that it was taken at
   */
  snapshot(): Promise<Position>;

  /**
   * Compares the data directory with the tree: what somebody changed by hand. On a primary the difference becomes a change; on
   * a replica it is undone, and the files are kept in `cluster/aside-*`.
   *
   * @throws  as `write` does
   */
  reload(origin: Origin): Promise<Reloaded>;

  /** Who changed what and when, as far as the log holds it; and the way back. */
  readonly history: History;

  /** Changes what this node does, until it is closed; `paused` stops it from following, anything else resumes it. */
  setRole(role: Role): void;

  /** Everyone heard of in the last seconds, this node included; by name. */
  members(): readonly NodeStatus[];

  /** When this node's tree was not what the log said, what differed, and how it was mended; oldest first, the last 100. */
  divergences(): readonly Divergence[];

  /** How the node is: for health, `/rest/cluster/status` and the page. */
  status(): NodeReport;

  /** Calls `listener` after each applied record, or batch of records, until `unsubscribe`. */
  onApplied(listener: (position: Position) => void): () => void;

  close(): Promise<void>;
}

export interface NodeReport extends NodeStatus {
  /** Records not yet written to this node's disk. */
  readonly unwritten: number;
  readonly logId: string;
  /** Where the log is, without secrets. */
  readonly logUrl: string;
  readonly files: number;
  readonly counts: NodeCounts;
}

/** What happened since the node was opened. */
export interface NodeCounts {
  /** Records and changes applied, whoever made them. */
  records: number;
  changes: number;
  /** Changes made through this node. */
  made: number;
  /** Records of this node that found another one in their place, and were computed again. */
  collisions: number;
  /** Records whose fate had to be looked up in the log. */
  uncertain: number;
  /** Times that the tree was not what the log said. */
  divergences: number;
  /** Times that another node announced another digest for a position than this node's. */
  peersDiffered: number;
  snapshots: number;
}

/** The node takes no changes; the text names those that do. */
export class NotPrimaryError extends Error {
  /** Base URLs of the primaries heard of. */
  readonly primaries: readonly string[];

  constructor(name: string, primaries: readonly string[]) {
    const where =
      primaries.length > 0 ? `send changes to a primary: ${primaries.join(', ')}` : 'no primary is known now';
    super(`node ${name} is a replica and takes no changes; ${where}`);
    this.name = 'NotPrimaryError';
    this.primaries = primaries;
  }
}
