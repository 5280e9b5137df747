import type { Readable } from 'node:stream';
import { setImmediate as nextTick } from 'node:timers/promises';
import { type Clock, type Logger, messageOf, UnavailableError, UncertainError, UserError } from '../base/index.ts';
import type { CatalogView, Draft, FileContents } from '../catalog/index.ts';
import { type BlobSource, bytesSource, type ChangeLog } from '../log/index.ts';
import {
  type Change,
  type ContentHash,
  contentHash,
  encodeRecord,
  type FileOperation,
  INLINE_BYTES_MAX,
  type Position,
} from '../tree/index.ts';
import type { AppliedChange, RecentChanges } from './recent.ts';
import type { ChangesRecord } from './replica.ts';
import type { NodeCounts, WriteRequest, Written } from './types.ts';

/** What the writer needs of its node. */
export interface WriterPorts {
  readonly nodeName: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly recent: RecentChanges;
  readonly counts: NodeCounts;
  readonly view: CatalogView;
  /** The log, or throws `UnavailableError` while there is no connection. */
  log(): ChangeLog;
  /** A new draft on the state at `position()`. */
  draft(): Draft;
  position(): Position;
  /** Why the node takes no changes now, if so. */
  refusal(): Error | undefined;
  /** Resolves when everything that is known to be in the log has been applied, and `recent` holds what the log can tell. */
  applyKnown(): Promise<void>;
  /** Bytes that were staged on this node, from an offset on. */
  staged(hash: ContentHash, from: number): Readable;
  /** Tells the node of a head that the log reported. */
  heard(head: Position): void;
  /**
   * Applies a record of our own, whose contents are inline or staged; nothing happens when it was applied already.
   * @param read  by path, what its files hold
   */
  applyOwn(position: Position, record: ChangesRecord, read?: ReadonlyMap<string, FileContents>): void;
  /** Asks the log for its head. */
  askHead(): Promise<Position>;
}

/** Requests that may wait at once; more are told to come back. */
export const QUEUE_MAX = 10_000;
/** Requests in one record. */
export const GROUP_REQUESTS_MAX = 256;
/** Bytes of file contents in one record, beyond which no further request is taken in. */
export const GROUP_BYTES_MAX = 1 << 20;
/** A group takes no further request after evaluating for so long: other work waits meanwhile. */
const GROUP_EVALUATION_MS_MAX = 10;
/** How often a request is evaluated before it is given up because others were always faster. */
const ATTEMPTS_MAX = 60;
const JITTER_MS_MAX = 50;
/** A blob that was put so long ago is put again, which sends nothing while it is there; far less than what unused blobs are kept for. */
const STORED_BLOB_MS = 600_000;
/** How long the writer tries to find out what became of an append whose answer was lost. */
const UNCERTAIN_MS_MAX = 20_000;

interface Waiting {
  readonly request: WriteRequest<unknown, unknown>;
  readonly id: string;
  prepared: unknown;
  attempts: number;
  /** When the request came, in monotonic milliseconds. */
  readonly sinceMs: number;
  /** The node's position when it came. */
  readonly since: Position;
  resolve(written: Written<unknown>): void;
  reject(error: unknown): void;
}

/** One request of a group, evaluated: what to tell it once it is certain that the state was the newest. */
interface Evaluated {
  readonly waiting: Waiting;
  readonly outcome: { kind: 'done'; result: unknown; changed: boolean } | { kind: 'refused'; error: UserError };
}

interface Group {
  readonly after: Position;
  readonly evaluated: readonly Evaluated[];
  /** As this node applies it: contents inline, or staged; absent when nobody changed anything. */
  readonly record?: ChangesRecord;
  /** By path, what the files of the record hold. */
  readonly read?: ReadonlyMap<string, FileContents>;
}

/** Contents too long for a record, by their hash. */
type Blobs = ReadonlyMap<ContentHash, BlobSource>;

/**
 * Turns requests into records. One group at a time: it takes the requests that wait, evaluates each over the one before,
 * and appends what they did as one record directly after the position that it was evaluated at. The log refuses that when
 * there is a newer record, and the group is evaluated again on the newer state.
 *
 * What is too long for a record is in the log before the record is: a request whose contents are not there yet steps aside while
 * they are sent, which may take minutes, and others go on.
 *
 * Nobody is answered before the log has confirmed that the evaluated state was the newest, because errors (and requests
 * that found nothing to do) are statements about the newest state as well. An accepted append confirms it; a group with
 * nothing to append asks for the head.
 */
export class Writer {
  readonly #ports: WriterPorts;
  #queue: Waiting[] = [];
  /** Those whose contents are on their way to the log. */
  readonly #sending = new Set<Waiting>();
  #running: Promise<void> | undefined;
  #closed = false;
  #groupRequestsMax = GROUP_REQUESTS_MAX;
  /** Blobs that the log was given lately, the latest last, and when, in monotonic milliseconds. */
  readonly #storedBlobs = new Map<ContentHash, number>();
  /** Makes ids unique within this run of the node. */
  #count = 0;
  readonly #run: string;

  constructor(ports: WriterPorts) {
    this.#ports = ports;
    this.#run = randomWord(ports.random);
  }

  /** See `ClusterNode.write`. */
  async write<Prepared, Result>(request: WriteRequest<Prepared, Result>): Promise<Written<Result>> {
    this.#check();
    const key = request.origin.idempotencyKey;
    const waiting = {
      request,
      id: key ?? `${this.#ports.nodeName}-${this.#run}-${++this.#count}`,
      prepared: undefined as unknown,
      attempts: 0,
      sinceMs: this.#ports.clock.monotonicMs(),
      since: this.#ports.position(),
      ...Promise.withResolvers<Written<unknown>>(),
    };
    if (request.prepare) waiting.prepared = await this.#prepare(request);
    this.#check();
    if (this.#queue.length + this.#sending.size >= QUEUE_MAX)
      throw new UnavailableError('busy', `${QUEUE_MAX} changes wait already; try again in a moment`);
    this.#enqueue(waiting as Waiting);
    return (await waiting.promise) as Written<Result>;
  }

  /** Takes no more requests, lets the group under way finish, and rejects the ones that wait. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#rejectAll([...this.#queue, ...this.#sending], closedError(this.#ports.nodeName));
    this.#queue = [];
    await this.#running;
  }

  #check(): void {
    if (this.#closed) throw closedError(this.#ports.nodeName);
    const refusal = this.#ports.refusal();
    if (refusal) throw refusal;
  }

  /** A `UserError` of `prepare` counts only if the state that it looked at was the newest. */
  async #prepare<Prepared>(request: WriteRequest<Prepared, unknown>): Promise<Prepared> {
    for (let attempt = 1; ; attempt++) {
      const seen = this.#ports.position();
      try {
        return await request.prepare!(this.#ports.view);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        this.#ports.heard(await this.#ports.askHead());
        await this.#ports.applyKnown();
        if (this.#ports.position() === seen || attempt >= ATTEMPTS_MAX) throw error;
      }
    }
  }

  #enqueue(waiting: Waiting): void {
    this.#queue.push(waiting);
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined;
    });
  }

  async #work(): Promise<void> {
    // Those who were told of the last record's success send their next request within this tick: one group for all.
    do await nextTick();
    while ((await this.#round()) || this.#queue.length > 0);
  }

  /** @returns whether there was anything to do */
  async #round(): Promise<boolean> {
    if (this.#queue.length === 0) return false;
    try {
      await this.#ports.applyKnown();
    } catch (error) {
      this.#rejectAll(this.#queue.splice(0), error);
      return true;
    }
    const refusal = this.#ports.refusal();
    if (refusal) {
      this.#rejectAll(this.#queue.splice(0), refusal);
      return true;
    }
    const group = this.#evaluateGroup();
    if (group.evaluated.length === 0) return true;
    try {
      await (group.record ? this.#append(group, group.record) : this.#confirm(group));
    } catch (error) {
      this.#rejectAll(
        group.evaluated.map(({ waiting }) => waiting),
        error,
      );
    }
    return true;
  }

  /** One synchronous stretch: the state does not move meanwhile. */
  #evaluateGroup(): Group {
    const { clock, nodeName } = this.#ports;
    const after = this.#ports.position();
    const base = this.#ports.draft();
    const at = new Date(clock.now()).toISOString();
    const deadline = clock.monotonicMs() + GROUP_EVALUATION_MS_MAX;
    const evaluated: Evaluated[] = [];
    const changes: Change[] = [];
    const ids = new Set<string>();
    const later: Waiting[] = [];
    let bytes = 0;

    while (this.#queue.length > 0) {
      const full =
        evaluated.length >= this.#groupRequestsMax || bytes > GROUP_BYTES_MAX || clock.monotonicMs() > deadline;
      if (full && evaluated.length > 0) break;
      const waiting = this.#queue.shift()!;
      const applied = this.#ports.recent.find(waiting.id);
      if (applied) {
        settleRepeated(waiting, applied);
        continue;
      }
      const { idempotencyKey } = waiting.request.origin;
      if (idempotencyKey !== undefined && this.#ports.recent.knownAfter > waiting.since) {
        waiting.reject(passedOver(idempotencyKey));
        continue;
      }
      if (ids.has(waiting.id)) {
        later.push(waiting);
        continue;
      }
      if (++waiting.attempts > ATTEMPTS_MAX) {
        waiting.reject(
          new UnavailableError('contention', `other changes were faster ${ATTEMPTS_MAX} times; nothing was changed`),
        );
        continue;
      }
      const draft = base.fork();
      try {
        const { request } = waiting;
        if (request.prepare && request.stillHolds && !request.stillHolds(waiting.prepared, draft)) {
          void this.#prepareAgain(waiting);
          continue;
        }
        const result = request.evaluate(draft, waiting.prepared);
        const { operations } = draft;
        // What leaves every file as it was is no change, and takes no place in the log.
        const changed = operations.length > 0 && draft.digest() !== base.digest();
        const unsent = changed ? this.#unsent(operations, waiting.sinceMs) : NONE;
        if (unsent.size > 0) {
          waiting.attempts--;
          void this.#sendAside(waiting, unsent);
          continue;
        }
        evaluated.push({ waiting, outcome: { kind: 'done', result, changed } });
        if (changed) {
          draft.keep();
          ids.add(waiting.id);
          const { by, address, why, trace } = request.origin;
          const from = { ...(address && { address }), node: nodeName, why, ...(trace && { trace }) };
          changes.push({ id: waiting.id, at, by, ...from, operations });
          bytes += inlineBytes(operations);
        }
      } catch (error) {
        if (error instanceof UserError) evaluated.push({ waiting, outcome: { kind: 'refused', error } });
        else waiting.reject(error);
      }
    }
    this.#queue.unshift(...later);
    if (changes.length === 0) return { after, evaluated };
    const record: ChangesRecord = { format: 1, kind: 'changes', changes, digest: base.digest() };
    return { after, evaluated, record, read: base.contents() };
  }

  async #prepareAgain(waiting: Waiting): Promise<void> {
    try {
      waiting.prepared = await this.#prepare(waiting.request);
      this.#check();
      this.#enqueue(waiting);
    } catch (error) {
      waiting.reject(error);
    }
  }

  /** Nobody changed anything: what was said of the state holds if it is the newest. */
  async #confirm(group: Group): Promise<void> {
    const head = await this.#ports.askHead();
    if (head <= group.after) return settle(group.evaluated, group.after);
    this.#ports.heard(head);
    await this.#again(group);
  }

  async #append(group: Group, record: ChangesRecord): Promise<void> {
    const log = this.#ports.log();
    const body = encodeRecord(withoutLongContents(record));
    if (body.length > log.promises.recordBytesMax) return this.#tooLarge(group, body.length, log);
    const answer = await this.#appendUntilKnown(log, group.after, body);
    if (answer.kind === 'appended') {
      this.#groupRequestsMax = Math.min(GROUP_REQUESTS_MAX, this.#groupRequestsMax * 2);
      this.#ports.counts.made += record.changes.length;
      this.#ports.applyOwn(answer.position, record, group.read);
      if (this.#ports.position() < answer.position) {
        // The node may be putting its files right, and takes the record from the log once it has.
        this.#ports.heard(answer.position);
        await this.#ports.applyKnown().catch(() => {});
      }
      if (this.#ports.position() < answer.position) throw this.#notVisible(answer.position);
      return settle(group.evaluated, answer.position);
    }
    this.#ports.counts.collisions++;
    this.#ports.heard(answer.head);
    // A log that ends before our state has lost something; the node finds that out, and stops.
    if (answer.head < group.after) await this.#ports.askHead();
    if (!answer.maybeOurs) return this.#again(group);
    await this.#settleFromLog(group, record);
  }

  /**
   * Appends, and when the answer is lost, sends the same again. That is safe, because only one record can ever stand directly
   * after `after`: whichever of the two arrives first takes the place, and the other is refused. So `maybeOurs` says that
   * whether the record that took the place is ours is to be seen from its change ids.
   */
  async #appendUntilKnown(
    log: ChangeLog,
    after: Position,
    body: Uint8Array,
  ): Promise<{ kind: 'appended'; position: Position } | { kind: 'head-moved'; head: Position; maybeOurs: boolean }> {
    const { clock, logger } = this.#ports;
    const deadline = clock.monotonicMs() + UNCERTAIN_MS_MAX;
    let lost: unknown;
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await log.append(after, body);
        return answer.kind === 'appended' ? answer : { ...answer, maybeOurs: lost !== undefined };
      } catch (error) {
        if (error instanceof UncertainError) {
          lost = error;
          this.#ports.counts.uncertain++;
          logger.warn('append-uncertain', { after, reason: messageOf(error) });
        } else if (lost === undefined || !(error instanceof UnavailableError)) throw error;
      }
      if (this.#closed || clock.monotonicMs() > deadline) throw uncertain((after + 1) as Position, messageOf(lost));
      await clock.sleep(Math.min(1000, 20 * 2 ** attempt) * (0.5 + this.#ports.random()));
    }
  }

  /** After a lost answer: those whose change stands in the log are done, the others are evaluated again. */
  async #settleFromLog(group: Group, record: ChangesRecord): Promise<void> {
    const place = (group.after + 1) as Position;
    try {
      await this.#ports.applyKnown();
    } catch (error) {
      // The node cannot look (it was paused, the log has gone): nobody may be told that nothing was done.
      throw uncertain(place, messageOf(error));
    }
    // A client may have sent the same change through another node, whose record it was then.
    const ours = record.changes.every(({ id, node }) => {
      const applied = this.#ports.recent.find(id);
      return applied?.position === place && applied.node === node;
    });
    if (ours) return settle(group.evaluated, place);
    // Passed over with a snapshot, and trimmed: nobody can say any more.
    if (this.#ports.recent.knownAfter >= place) throw uncertain(place, 'the log no longer holds that record');
    await this.#again(group);
  }

  /** Back to the front of the queue, in order. */
  async #again(group: Group): Promise<void> {
    const waiting = group.evaluated.map((one) => one.waiting);
    this.#queue.unshift(...waiting);
    if (this.#closed) return this.#rejectAll(this.#queue.splice(0), closedError(this.#ports.nodeName));
    const attempts = Math.max(...waiting.map((one) => one.attempts));
    if (attempts < 2) return;
    const mostMs = Math.min(JITTER_MS_MAX, 2 ** (attempts - 2));
    await this.#ports.clock.sleep(this.#ports.random() * mostMs);
  }

  async #tooLarge(group: Group, bytes: number, log: ChangeLog): Promise<void> {
    const changing = group.evaluated.filter(({ outcome }) => outcome.kind === 'done' && outcome.changed);
    if (changing.length > 1) {
      this.#groupRequestsMax = Math.max(1, changing.length >> 1);
      for (const { waiting } of group.evaluated) waiting.attempts--;
      return this.#again(group);
    }
    const most = log.promises.recordBytesMax;
    changing[0]!.waiting.reject(
      new UserError(
        413,
        'change-too-large',
        `the change takes ${bytes} bytes in the log, more than ${most}; divide it`,
      ),
    );
    const others = group.evaluated.filter((one) => one !== changing[0]);
    if (others.length > 0) await this.#again({ ...group, evaluated: others });
  }

  /** What the log was not given lately, and not since the request came: what has been lost there is given again. */
  #unsent(operations: readonly FileOperation[], sinceMs: number): Blobs {
    const blobs = longContents(operations, this.#ports.staged);
    const since = Math.max(sinceMs, this.#ports.clock.monotonicMs() - STORED_BLOB_MS);
    for (const hash of blobs.keys())
      if ((this.#storedBlobs.get(hash) ?? Number.NEGATIVE_INFINITY) >= since) blobs.delete(hash);
    return blobs;
  }

  /** Sends what a request needs in the log, and lets it queue again. */
  async #sendAside(waiting: Waiting, blobs: Blobs): Promise<void> {
    this.#sending.add(waiting);
    try {
      const log = this.#ports.log();
      for (const [hash, source] of blobs) {
        if (this.#closed) return;
        await putBlob(log, hash, source);
        this.#stored(hash);
      }
      this.#check();
      this.#enqueue(waiting);
    } catch (error) {
      waiting.reject(error);
    } finally {
      this.#sending.delete(waiting);
    }
  }

  #stored(hash: ContentHash): void {
    const now = this.#ports.clock.monotonicMs();
    this.#storedBlobs.delete(hash);
    this.#storedBlobs.set(hash, now);
    for (const [old, storedMs] of this.#storedBlobs) {
      if (storedMs > now - STORED_BLOB_MS) break;
      this.#storedBlobs.delete(old);
    }
  }

  #notVisible(position: Position): Error {
    const reason = this.#ports.refusal();
    return new UncertainError(
      `the change is recorded at position ${position}, but this node could not apply it${reason ? `: ${reason.message}` : ''}`,
    );
  }

  #rejectAll(waiting: readonly Waiting[], error: unknown): void {
    for (const one of waiting) one.reject(error);
  }
}

function settle(evaluated: readonly Evaluated[], position: Position): void {
  for (const { waiting, outcome } of evaluated) {
    if (outcome.kind === 'refused') waiting.reject(outcome.error);
    else waiting.resolve({ result: outcome.result, position, repeated: false });
  }
}

function settleRepeated(waiting: Waiting, applied: AppliedChange): void {
  const { by, why } = waiting.request.origin;
  if (applied.by !== by || applied.why !== why)
    waiting.reject(
      new UserError(
        422,
        'idempotency-key-reused',
        `Idempotency-Key ${waiting.id} was used for another request (${applied.why}); choose a new key`,
      ),
    );
  else waiting.resolve({ result: undefined, position: applied.position, repeated: true });
}

function inlineBytes(operations: readonly FileOperation[]): number {
  let bytes = 0;
  for (const operation of operations) {
    bytes += 100;
    if (operation.kind === 'put' && operation.content.kind === 'inline')
      bytes += operation.content.bytes.length <= INLINE_BYTES_MAX ? operation.content.bytes.length : 0;
  }
  return bytes;
}

const NONE: Blobs = new Map();

/** @throws UserError  413: longer than the log takes */
async function putBlob(log: ChangeLog, hash: ContentHash, source: BlobSource): Promise<void> {
  const { blobBytesMax } = log.promises;
  if (source.size > blobBytesMax)
    throw new UserError(
      413,
      'file-too-large',
      `a file of the change has ${source.size} bytes, and the log takes files up to ${blobBytesMax}; nothing was changed`,
    );
  await log.putBlob(hash, source);
}

/** What operations put that has to be in the log before their record. */
function longContents(
  operations: readonly FileOperation[],
  staged: WriterPorts['staged'],
): Map<ContentHash, BlobSource> {
  const blobs = new Map<ContentHash, BlobSource>();
  for (const operation of operations) {
    if (operation.kind !== 'put') continue;
    const { content } = operation;
    if (content.kind === 'blob')
      blobs.set(content.hash, { size: content.size, open: (from) => staged(content.hash, from) });
    else if (content.bytes.length > INLINE_BYTES_MAX) blobs.set(contentHash(content.bytes), bytesSource(content.bytes));
  }
  return blobs;
}

/** The record as it goes into the log: what is long is named by its hash. */
function withoutLongContents(record: ChangesRecord): ChangesRecord {
  const replaced = (operation: FileOperation): FileOperation => {
    if (operation.kind !== 'put' || operation.content.kind !== 'inline') return operation;
    const { bytes } = operation.content;
    if (bytes.length <= INLINE_BYTES_MAX) return operation;
    return { ...operation, content: { kind: 'blob', hash: contentHash(bytes), size: bytes.length } };
  };
  const changes = record.changes.map((change) => ({ ...change, operations: change.operations.map(replaced) }));
  return { ...record, changes };
}

/** Its client may have sent it through another node as well, and that record is among those that a snapshot stood for. */
function passedOver(key: string): UncertainError {
  return new UncertainError(
    `it is not known whether the change with the Idempotency-Key ${key} was made through another node meanwhile: ` +
      'this node was away, and the log no longer holds the records of that time',
  );
}

function uncertain(place: Position, reason: string): UncertainError {
  return new UncertainError(`it is not known whether the change was recorded at position ${place}: ${reason}`);
}

/** 80 random bits as text. */
function randomWord(random: () => number): string {
  return Array.from({ length: 5 }, () =>
    Math.floor(random() * 65_536)
      .toString(16)
      .padStart(4, '0'),
  ).join('');
}

function closedError(name: string): UnavailableError {
  return new UnavailableError('closing', `node ${name} is shutting down; nothing was changed`);
}
