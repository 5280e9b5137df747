import { type Clock, type Logger, messageOf, UnavailableError, UserError } from '../base/index.ts';
import { type Catalog, type CatalogView, draftOf } from '../catalog/index.ts';
import type { ChangeLog, NodeState, NodeStatus } from '../log/index.ts';
import { type Digest, type OpenFile, type Position, RECORD_FORMAT, type Store, type TreePath } from '../tree/index.ts';
import { fetchBlobs } from './blobs.ts';
import type { CatalogCache } from './catalog-cache.ts';
import { conditionOf } from './condition.ts';
import type { Divergence, Divergences } from './divergences.ts';
import { findEdits, publishEdits, publishingWhatIsFound } from './edits.ts';
import { Follower } from './follower.ts';
import { History } from './history/index.ts';
import { Housekeeping } from './housekeeping.ts';
import type { Joining } from './join.ts';
import type { LogLink } from './link.ts';
import { Membership } from './membership.ts';
import { RefusedError } from './origin.ts';
import { PeerDigests } from './peer-digests.ts';
import { Recall } from './recall.ts';
import { RecentChanges } from './recent.ts';
import { Replica } from './replica.ts';
import { type StagedFile, stageFile } from './staging.ts';
import {
  type ClusterNode,
  type NodeCounts,
  type NodeReport,
  NotPrimaryError,
  type Origin,
  type Reloaded,
  type Role,
  type WriteRequest,
  type Written,
} from './types.ts';
import { DONE, SharedQuestion, withinMs } from './waiting.ts';
import { Writer } from './writer.ts';

export interface NodeParts {
  readonly name: string;
  readonly url: string;
  readonly role: Role;
  readonly version: string;
  /** Where the log is, without secrets. */
  readonly logUrl: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly link: LogLink;
  readonly store: Store;
  readonly catalog: Catalog;
  readonly catalogCache: CatalogCache;
  readonly joining: Joining;
  readonly divergences: Divergences;
  /** A primary puts a snapshot into the log after so many records. */
  readonly snapshotEveryRecords: number;
  /** So many records stay in the log below a snapshot. */
  readonly retainRecords: number;
}

/** How long a read waits for the log's answer, and then for what is to be applied. */
const READ_WAIT_MS_MAX = 10_000;
const MEND_WAIT_MS_MAX = 60_000;
/** How long a node that is being closed waits for the change under way. */
const CLOSE_WRITER_MS_MAX = 1_000;
/** How long to wait before looking again whether the disk has taken what waits for it. */
const ROOM_MS = 50;
/** How long somebody waits for this node's disk. */
const WRITTEN_WAIT_MS_MAX = 30_000;

/** A node: who may read and write now, and how it is. The work is done by its follower, writer and membership. */
export class Node implements ClusterNode {
  readonly name: string;
  readonly catalog: CatalogView;
  readonly history: History;
  readonly #parts: NodeParts;
  readonly #replica: Replica;
  readonly #follower: Follower;
  readonly #writer: Writer;
  readonly #membership: Membership;
  readonly #recall: Recall;
  readonly #started = Promise.withResolvers<void>();
  readonly #head: SharedQuestion<Position>;
  readonly #closing = new AbortController();
  readonly #startedAt: string;
  readonly #peerDigests: PeerDigests;
  readonly #counts: NodeCounts = {
    records: 0,
    changes: 0,
    made: 0,
    collisions: 0,
    uncertain: 0,
    divergences: 0,
    peersDiffered: 0,
    snapshots: 0,
  };
  #loops: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;
  #role: Role;
  #joined = false;
  #waitingFor: string | undefined;
  #unreachable: string | undefined;
  /** The log may answer, and a record still be impossible to apply: a blob of it is missing. */
  #obstacle: { readonly after: Position; readonly reason: string } | undefined;
  #halted: string | undefined;
  #heard: Position;
  #state: NodeState = 'starting';
  #since: string;
  /** When this node last held everything that it knew to be in the log. */
  #inStepMs: number;
  readonly #housekeeping: Housekeeping;

  constructor(parts: NodeParts) {
    const { clock, random, logger, store, catalog, link, joining } = parts;
    const comparableFrom = () => joining.comparableFrom;
    this.#parts = parts;
    this.name = parts.name;
    this.catalog = catalog;
    this.#role = parts.role;
    this.#heard = store.tree.position;
    const recent = new RecentChanges(store.tree.position);
    const log = () => link.get();
    this.#recall = new Recall({ recent, log, clock, logger, signal: this.#closing.signal });
    this.#startedAt = new Date(clock.now()).toISOString();
    this.#since = this.#startedAt;
    this.#inStepMs = clock.monotonicMs();
    this.#replica = new Replica({
      tree: store.tree,
      comparableFrom,
      catalog,
      recent,
      clock,
      logger,
      counts: this.#counts,
    });
    this.#head = new SharedQuestion(() => this.#askHead());
    this.#follower = new Follower({
      clock,
      random,
      logger,
      replica: this.#replica,
      connect: (signal) => this.#connect(signal),
      join: async (log, signal) => {
        const head = await joining.join(log, {
          role: this.#role,
          signal,
          onWaiting: (reason) => {
            this.#waitingFor = reason;
            this.#started.resolve();
            this.#lookAround();
          },
          onEdits: (edits, why) => {
            const { signal } = this.#closing;
            void publishEdits(edits, { why, clock, logger, signal, write: (request) => this.write(request) });
          },
        });
        this.#onJoined(head);
      },
      fetchContents: (log, record) => fetchBlobs(log, store, record),
      mend: (log, expected, signal) => joining.mend(log, expected, signal),
      room: async (signal) => {
        // Records come from the log again; what a failing disk does not take must not fill the memory.
        while (store.waitingBytes > store.waitingBytesMax && !signal.aborted)
          await clock.sleep(ROOM_MS, signal).catch(() => {});
      },
      isPaused: () => this.#role === 'paused',
      onReached: (head) => this.#reached(head),
      onUnreachable: (error) => {
        this.#obstacle = { after: this.position, reason: messageOf(error) };
        this.#failed(error);
      },
      onDiverged: ({ position, expected, found }) => {
        this.#counts.divergences++;
        parts.divergences.noticed({ position, expected, found });
      },
      onHalted: (reason, error) => this.#halt(reason, error),
      onBatch: () => this.#lookAround(),
    });
    this.#writer = new Writer({
      nodeName: parts.name,
      clock,
      random,
      logger,
      recent,
      counts: this.#counts,
      view: catalog,
      log,
      draft: () => draftOf(catalog),
      position: () => this.position,
      refusal: () => this.#refusal(),
      applyKnown: async () => {
        await this.#applied(this.#heard);
        this.#follower.check();
        if (!this.#recall.isRead)
          await withinMs(clock, READ_WAIT_MS_MAX, this.#recall.read(), 'reading the last changes');
      },
      staged: (hash, from) => store.readStagedBlob(hash, from),
      heard: (head) => this.#reached(head),
      applyOwn: (position, record, read) => this.#follower.applyOwn(position, record, read),
      askHead: () => this.#head.answer(),
    });
    this.history = new History({
      clock,
      log,
      tree: store.tree,
      logId: () => this.logId,
      draft: () => draftOf(catalog),
      write: (request) => this.write(request),
      stage: (body) => this.#stage(body),
    });
    this.#peerDigests = new PeerDigests({ name: parts.name, counts: this.#counts, logger });
    this.#membership = new Membership({
      clock,
      logger,
      connect: (signal) => this.#connect(signal),
      status: () => this.#announcement(),
      askHead: () => this.#head.answer(),
      onBeat: (outcome) => {
        if ('head' in outcome) this.#reached(outcome.head);
        else this.#failed(outcome.error);
        this.#follower.check();
        this.#lookAround();
      },
      onPeers: (peers) => this.#peerDigests.compare(peers),
    });
    this.#housekeeping = new Housekeeping({
      clock,
      random,
      logger,
      log,
      tree: store.tree,
      treeIsRight: () => this.#treeIsRight(),
      logId: () => this.logId,
      counts: this.#counts,
      members: () => this.members(),
      snapshotEveryRecords: parts.snapshotEveryRecords,
      retainRecords: parts.retainRecords,
      signal: this.#closing.signal,
    });
    this.#replica.onApplied((position) => this.#remember(position));
  }

  /**
   * Starts following; resolves at the first success, or when it is clear that there is none to be had now.
   * @throws RefusedError
   */
  async start(): Promise<void> {
    const { signal } = this.#closing;
    this.#loops = Promise.all([this.#follower.run(signal), this.#membership.run(signal)]);
    if (this.#role === 'paused') this.#started.resolve();
    await this.#started.promise;
    // Short of a long catch-up, who opens a node finds it in step.
    if (this.#joined) await this.#applied(this.#heard).catch(() => {});
  }

  get role(): Role {
    return this.#role;
  }

  get logId(): string {
    return this.#parts.joining.logId;
  }

  get position(): Position {
    return this.#replica.position;
  }

  get digest(): Digest {
    return this.#replica.digest;
  }

  write<Prepared, Result>(request: WriteRequest<Prepared, Result>): Promise<Written<Result>> {
    return this.#writer.write(request);
  }

  async stage(body: AsyncIterable<Uint8Array>): Promise<StagedFile> {
    const refusal = this.#refusal();
    if (refusal) throw refusal;
    return this.#stage(body);
  }

  #stage(body: AsyncIterable<Uint8Array>): Promise<StagedFile> {
    return stageFile(this.#parts.store, body, this.#parts.link.get().promises.blobBytesMax);
  }

  open(path: TreePath): Promise<OpenFile | undefined> {
    return this.#parts.store.tree.open(path);
  }

  async catchUp(signal?: AbortSignal): Promise<Position> {
    this.#mustFollow();
    const head = await orAborted(this.#head.answer(), signal);
    this.#reached(head);
    await this.#applied(head, signal);
    return this.position;
  }

  async waitFor(position: Position, timeoutMs: number): Promise<void> {
    const { recorded, tree } = this.#parts.store;
    // What was edited, or cannot be read, is found out at once; what it should be, when the node joins.
    if (!this.#joined && recorded?.digest !== tree.digest)
      throw new UnavailableError('node-starting', `node ${this.name} has not compared its files with the log yet`);
    await this.#applied(this.#comparable(position), undefined, timeoutMs);
  }

  async written(): Promise<void> {
    const { store, clock } = this.#parts;
    if (store.unwritten === 0) return;
    await withinMs(clock, WRITTEN_WAIT_MS_MAX, store.flush(), `writing ${store.unwritten} changes to this node's disk`);
  }

  members(): readonly NodeStatus[] {
    return this.#membership.members();
  }

  status(): NodeReport {
    const { store, logUrl } = this.#parts;
    return {
      ...this.#announcement(),
      unwritten: store.unwritten,
      logId: this.logId,
      logUrl,
      files: store.tree.files,
      counts: { ...this.#counts },
    };
  }

  onApplied(listener: (position: Position) => void): () => void {
    return this.#replica.onApplied(listener);
  }

  snapshot(): Promise<Position> {
    return this.#housekeeping.snapshot();
  }

  divergences(): readonly Divergence[] {
    return this.#parts.divergences.list();
  }

  async reload(origin: Origin): Promise<Reloaded> {
    const { store, clock } = this.#parts;
    if (store.readOnly)
      throw new UserError(
        409,
        'read-only-node',
        `node ${this.name} is read-only: another node writes the data directory and looks for changes in it; send the reload there`,
      );
    if (this.#role !== 'both') {
      this.#mustFollow();
      const paths = (await findEdits(store)).map(({ path }) => path);
      if (paths.length === 0) return { outcome: 'nothing', paths };
      await withinMs(clock, MEND_WAIT_MS_MAX, this.#follower.mend(), 'mending the files');
      // The files are put right behind; who is answered may look at them.
      await this.written();
      return { outcome: 'undone', paths };
    }
    const { result: paths } = await this.write(publishingWhatIsFound(store, origin));
    return { outcome: paths.length > 0 ? 'published' : 'nothing', paths };
  }

  setRole(role: Role): void {
    if (role === this.#role) return;
    const pausing = role === 'paused' || this.#role === 'paused';
    this.#parts.logger.info('role-changed', { from: this.#role, to: role });
    this.#role = role;
    if (role === 'paused') this.#replica.waiters.rejectAll(this.#notFollowing()!);
    if (pausing) this.#follower.restart();
    this.#lookAround();
    this.#membership.announceSoon();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { clock, logger, store, divergences, catalogCache, link } = this.#parts;
    // Who waits for a log that does not answer is told so when that log is closed.
    await withinMs(clock, CLOSE_WRITER_MS_MAX, this.#writer.close(), 'the last change').catch(() => {});
    this.#closing.abort();
    this.#replica.waiters.rejectAll(new UnavailableError('closing', `node ${this.name} is shutting down`));
    await this.#loops;
    await this.#housekeeping.closed();
    await divergences.saved();
    await catalogCache.close();
    await store.close().catch((error) => {
      // It is safe: the next start takes it out of the log.
      logger.warn('closed-behind', { unwritten: store.unwritten, reason: messageOf(error) });
    });
    await link.close();
  }

  // ---- who may do what now

  /** Why this node takes no changes, if so. */
  #refusal(): Error | undefined {
    if (this.#role === 'replica') return new NotPrimaryError(this.name, this.#primaries());
    if (this.#follower.isMending)
      return new UnavailableError(
        'node-mending',
        `node ${this.name} is undoing edits of its files, as a reload asked when it was a replica; try again in a moment`,
      );
    return this.#notFollowing();
  }

  #notFollowing(): UnavailableError | undefined {
    const { state, reason } = this.#condition();
    if (!this.#joined || state === 'stopped' || state === 'starting' || state === 'paused')
      return new UnavailableError(`node-${state}`, `node ${this.name} is ${state}: ${reason}`);
    return undefined;
  }

  #mustFollow(): void {
    const error = this.#notFollowing();
    if (error) throw error;
  }

  #primaries(): string[] {
    return this.members()
      .filter(({ role, name }) => role === 'both' && name !== this.name)
      .map(({ url }) => url);
  }

  // ---- the log, as last heard of

  #connect(signal: AbortSignal): Promise<ChangeLog> {
    return this.#parts.link.opened(signal, (error) => this.#failed(error));
  }

  /** Linearizable, and checked: a log that is behind what this node has applied has lost something. */
  async #askHead(): Promise<Position> {
    const applied = this.position;
    const head = await withinMs(this.#parts.clock, READ_WAIT_MS_MAX, this.#parts.link.get().head(), 'the log’s answer');
    if (this.#joined && head < applied) this.#follower.halt(this.#parts.joining.aheadText(applied, head));
    return head;
  }

  #reached(head?: Position): void {
    this.#unreachable = undefined;
    if (head !== undefined && head > this.#heard) this.#heard = head;
  }

  #failed(error: unknown): void {
    this.#unreachable = messageOf(error);
    this.#started.resolve();
    this.#lookAround();
  }

  #halt(reason: string | undefined, error?: unknown): void {
    this.#halted = reason;
    // At the start this is an answer to who opens the node; later it is only told.
    if (error instanceof RefusedError) this.#started.reject(error);
    if (reason !== undefined)
      this.#replica.waiters.rejectAll(new UnavailableError('node-stopped', `node ${this.name} is stopped: ${reason}`));
    this.#started.resolve();
    this.#lookAround();
  }

  #onJoined(head: Position): void {
    this.#reached();
    // Also when it is less than before: another state may have been taken from the log.
    this.#heard = Math.max(head, this.position) as Position;
    this.#waitingFor = undefined;
    this.#joined = true;
    this.#recall.joined(this.position);
    this.#started.resolve();
    this.#lookAround();
  }

  /** Notices, and tells, when this node's state is another one than before. */
  #lookAround(): void {
    const { state, reason } = this.#condition();
    const { logger, clock } = this.#parts;
    if (state === 'in-step') this.#inStepMs = clock.monotonicMs();
    if (state === this.#state) return;
    // What an earlier run had staged, and nobody needs.
    if (state === 'in-step') void this.#parts.store.tidy();
    this.#since = new Date(clock.now()).toISOString();
    const facts = { from: this.#state, to: state, position: this.position, ...(reason && { reason }) };
    if (state === 'stopped' || state === 'stale') logger.warn('node-state', facts);
    else logger.info('node-state', facts);
    this.#state = state;
    this.#membership.announceSoon();
  }

  #condition(): ReturnType<typeof conditionOf> {
    const { store } = this.#parts;
    return conditionOf({
      role: this.#role,
      joined: this.#joined,
      holdsState: store.recorded !== undefined && !store.incomplete,
      waitingFor: this.#waitingFor,
      unreachable: this.#unreachable,
      obstacle: this.#obstacle?.after === this.position ? this.#obstacle.reason : undefined,
      halted: this.#halted,
      diskFailure: store.trouble,
      position: this.position,
      head: this.#heard,
    });
  }

  /** Not so while records are replayed after a crash: the tree holds files of later ones already. */
  get #isComparable(): boolean {
    return this.position >= this.#parts.joining.comparableFrom;
  }

  #announcement(): NodeStatus {
    const { url, version, clock } = this.#parts;
    const { state, reason } = this.#condition();
    return {
      name: this.name,
      url,
      role: this.#role,
      version,
      position: this.position,
      // Before it has joined, files may be there that were edited by hand: no cause for alarm elsewhere.
      digest: this.#joined && this.#isComparable ? this.digest : '',
      state,
      since: this.#since,
      ...(reason && { reason }),
      head: Math.max(this.#heard, this.position) as Position,
      lagSeconds: state === 'in-step' ? 0 : Math.round(clock.monotonicMs() - this.#inStepMs) / 1000,
      recordFormat: RECORD_FORMAT,
      readOnly: this.#parts.store.readOnly,
      startedAt: this.#startedAt,
      announcedAt: new Date(clock.now()).toISOString(),
    };
  }

  // ---- what follows from applying

  async #applied(position: Position, signal?: AbortSignal, timeoutMs = READ_WAIT_MS_MAX): Promise<void> {
    if (position <= this.position && this.#halted === undefined) return;
    this.#mustFollow();
    const stop = new AbortController();
    const waiting = this.#replica.waiters.wait(position, signal ? AbortSignal.any([signal, stop.signal]) : stop.signal);
    try {
      await withinMs(this.#parts.clock, timeoutMs, waiting, `applying position ${position}`);
    } finally {
      stop.abort(DONE);
    }
  }

  /** This position, or, after a crash, the one up to which records have to be applied again before the tree is any state of the log. */
  #comparable(position: Position): Position {
    return Math.max(position, this.#parts.joining.comparableFrom) as Position;
  }

  /** @throws UnavailableError  the tree is not, or not known to be, what the log says of its position */
  async #treeIsRight(): Promise<void> {
    this.#mustFollow();
    await this.#applied(this.#comparable(this.position));
    this.#follower.check();
    this.#mustFollow();
  }

  #remember(position: Position): void {
    this.#recall.applied(position);
    if (this.#isComparable) this.#peerDigests.remember(position, this.digest);
    if (this.#role === 'both') this.#housekeeping.applied(position);
  }
}

function orAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return promise;
  signal.throwIfAborted();
  const { promise: cut, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([promise, cut]).finally(() => signal.removeEventListener('abort', onAbort));
}
