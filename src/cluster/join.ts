import { type Clock, type Logger, UncertainError } from '../base/index.ts';
import { type Catalog, type FileContents, readContents } from '../catalog/index.ts';
import type { ChangeLog } from '../log/index.ts';
import {
  type Digest,
  decodeRecord,
  encodeRecord,
  type Position,
  type Snapshot,
  START,
  type Store,
  writeSnapshot,
} from '../tree/index.ts';
import { withItsBlobs } from './blobs.ts';
import type { Divergences } from './divergences.ts';
import { type Edit, editsOf } from './edits.ts';
import { latestSnapshot, logIdOf, RefusedError, recordAfter } from './origin.ts';
import { rebuild } from './rebuild.ts';
import type { Role } from './types.ts';

export interface JoinParts {
  readonly name: string;
  readonly store: Store;
  readonly catalog: Catalog;
  /** The node's own folder, absolute. */
  readonly clusterDir: string;
  readonly logUrl: string;
  /** The cluster's state is to be taken, whatever this directory holds; its files are moved aside. */
  readonly adopt: boolean;
  /** What becomes of files that were changed while the node was down. */
  readonly onDrift: OnDrift;
  /** What a node does that holds more than its log. */
  readonly onAhead: OnAhead;
  readonly divergences: Divergences;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

export interface JoinOptions {
  readonly role: Role;
  readonly signal: AbortSignal;
  /** Called when joining has to wait for somebody else. */
  onWaiting(reason: string): void;
  /** Called with files that a primary has and the log has not: they are to be published. `why` is for history. */
  onEdits(edits: readonly Edit[], why: string): void;
}

/**
 * Files that were changed by hand while a node was down: `publish` makes a change of them, where the node is a primary; `restore`
 * (and a replica, always) moves them aside and takes the cluster's; `refuse` does not let the node start.
 */
export type OnDrift = 'publish' | 'restore' | 'refuse';

/** A log that has lost records which this node holds: `publish` appends the difference anew, as one change, on a primary. */
export type OnAhead = 'refuse' | 'publish';

/**
 * Brings a directory and a log together. Afterwards the tree is the log's state at the tree's position (or, after a crash, will
 * be at `comparableFrom`), and the record after it can be read; or `RefusedError` says why not.
 */
export class Joining {
  readonly #parts: JoinParts;
  /** `adopt` is for the first time: who is told to adopt is not told to do so again and again. */
  #mayAdopt: boolean;
  /** Joined before, in this process: from then on the tree has been compared with the log at every record. */
  #wasInStep = false;

  #comparableFrom: Position;

  constructor(parts: JoinParts) {
    this.#parts = parts;
    this.#mayAdopt = parts.adopt;
    this.#comparableFrom = parts.store.comparableFrom;
  }

  /** Before this position the tree may hold files of later records already, after a crash; its digest says nothing then. */
  get comparableFrom(): Position {
    return this.#comparableFrom;
  }

  get logId(): string {
    return this.#parts.store.recorded?.logId ?? '';
  }

  /**
   * @returns a head of the log, not older than the call
   * @throws RefusedError
   */
  async join(log: ChangeLog, options: JoinOptions): Promise<Position> {
    const { store } = this.#parts;
    // Before the log is asked: records of our own that come meanwhile may be newer than its answer.
    const recorded = store.recorded && this.#certain();
    const head = await log.head();
    const isNew = !recorded || (head === START && recorded.position === START);
    if (isNew) {
      // A node that follows in memory has nothing to begin with: the one that writes the directory begins.
      if (head === START && options.role === 'both' && !store.readOnly) await this.#begin(log);
      else await this.#enter(log, options);
    } else await this.#resume(log, { recorded, head, ...options });
    this.#mayAdopt = false;
    this.#wasInStep = true;
    return isNew ? log.head() : head;
  }

  /** Text for an operator whose node knows more than its log. */
  aheadText(position: Position, head: Position): string {
    const { store, logUrl } = this.#parts;
    const lost =
      `this node is at position ${position}, and the log ${logUrl} ends at ${head}: the log has lost records ` +
      '(it was restored from a backup, or its engine did not sync). Restore the log; or ';
    if (store.readOnly) return `${lost}start this node again, which takes the log’s state: it keeps none of its own`;
    return (
      `${lost}start this node with ` +
      '`--on-ahead publish`, which appends what the log has lost from the files here, or with `--adopt`, which takes ' +
      `the log's state and keeps these files in ${this.#parts.clusterDir}/aside-*`
    );
  }

  // ---- a log without records

  /** Makes this directory the state that the log starts from. Somebody else may be faster; then the next try enters theirs. */
  async #begin(log: ChangeLog): Promise<void> {
    const { store, name, clock, random, logger, logUrl } = this.#parts;
    const logId = uuid(random);
    const written = writeSnapshot(store.tree, logId, { large: 'by-hash' });
    // A blob is put under its hash, which is known when all has been written: so it is written here first.
    const snapshot = await withItsBlobs(log, written, (body) => store.stage(body));
    try {
      await log.putBlob(snapshot.hash, snapshot);
    } finally {
      snapshot.release();
    }
    const { hash, size } = snapshot;
    const { digest } = store.tree;
    const at = new Date(clock.now()).toISOString();
    const body = encodeRecord({ format: 1, kind: 'genesis', logId, snapshot: { hash, size }, digest, at, node: name });
    try {
      const answer = await log.append(START, body);
      if (answer.kind === 'head-moved') return this.#enterAfterRace(log);
    } catch (error) {
      if (!(error instanceof UncertainError)) throw error;
      // Whether it was written shows when we look again: then the log has our id, or another's, or is still empty.
      if ((await log.head()) === START) throw error;
      if ((await logIdOf(log)) !== logId) return this.#enterAfterRace(log);
    }
    await store.bind(logId);
    logger.info('log-begun', { logId, logUrl, files: store.tree.files, digest });
  }

  #enterAfterRace(log: ChangeLog): Promise<void> {
    return this.#enter(log, { role: 'both', signal: new AbortController().signal, onWaiting() {}, onEdits() {} });
  }

  // ---- a directory that has followed no log

  async #enter(log: ChangeLog, { signal, onWaiting }: JoinOptions): Promise<void> {
    const { store, logger, logUrl } = this.#parts;
    if ((await log.head()) === START) {
      onWaiting(`the log ${logUrl} is empty; a primary has to start it with its data directory`);
      if (!(await recordAfter(log, START, signal))) return;
    }
    const snapshot = await latestSnapshot(log);
    const foreign = store.tree.files > 0 && !store.incomplete && !(await this.#isOfThisLog(log, snapshot, signal));
    if (foreign && !this.#mayAdopt) {
      snapshot.discard();
      throw new RefusedError(
        `the data directory holds ${store.tree.files} files that are not the state of the log ${logUrl} (${snapshot.logId}): ` +
          'start with an empty directory, or with `--adopt` to take the cluster’s state; ' +
          `the present files are then kept in ${this.#parts.clusterDir}/aside-*`,
      );
    }
    await this.#restore(snapshot, foreign ? this.#aside() : undefined);
    logger.info('log-entered', { logId: snapshot.logId, position: snapshot.position, files: store.tree.files });
  }

  /** Whether the directory's files are what the log says at some position it still knows of. */
  async #isOfThisLog(log: ChangeLog, snapshot: Snapshot, signal: AbortSignal): Promise<boolean> {
    const { digest } = this.#parts.store.tree;
    if (snapshot.digest === digest) return true;
    const head = await log.head();
    if (head <= snapshot.position) return false;
    for await (const batch of log.read(snapshot.position, signal))
      for (const { position, body } of batch) {
        if (decodeRecord(body).digest === digest) return true;
        if (position >= head) return false;
      }
    return false;
  }

  // ---- a directory that has followed a log

  async #resume(
    log: ChangeLog,
    options: JoinOptions & { readonly recorded: Certain; readonly head: Position },
  ): Promise<void> {
    const { store, logger, onAhead } = this.#parts;
    const { recorded, head } = options;
    const trimmed = await log.trimmed();
    const refusal = await this.#whyNotResume(log, { recorded, head, trimmed, signal: options.signal });
    if (refusal !== undefined) {
      const { text, reason } = refusal;
      if (reason === 'ahead' && onAhead === 'publish' && options.role === 'both' && !store.readOnly)
        return this.#giveBack(log, head, options);
      if (!this.#mayAdopt || head === START) throw new RefusedError(text);
      logger.warn('log-adopted', { reason: text });
      await this.#restore(await latestSnapshot(log), this.#aside());
      return;
    }
    if (store.incomplete || store.tree.position < trimmed) {
      logger.info('snapshot-needed', { position: store.tree.position, trimmed, incomplete: store.incomplete });
      await this.#restore(await latestSnapshot(log), undefined);
      return;
    }
    // After a crash the files are a mixture, until the records that were being written have been applied again.
    // A record of this node's own may have been applied while the log was being asked: what counts is where the node is now.
    if (this.#comparableFrom <= recorded.position) await this.#compare(log, this.#certain(), options);
  }

  /** Compares the files with what this node's state says of them, and that with the log. */
  async #compare(log: ChangeLog, recorded: Certain, { role, signal, onEdits }: JoinOptions): Promise<void> {
    const { store, logger, onDrift, name, divergences } = this.#parts;
    const { position, digest, logDigest } = recorded;
    if (logDigest !== undefined) {
      // The process ended before it could mend itself. Its own files are not what anybody wanted: they are not published.
      divergences.noticed({ position, expected: logDigest, found: digest });
      await this.mend(log, logDigest, signal);
    } else if (store.tree.digest !== digest) {
      // Somebody changed files while the node was down. They go into the order of changes, not around it.
      logger.warn('directory-differs', { position });
      if (onDrift === 'refuse') throw await this.#refuseDrift(log, signal);
      const edits = await this.mend(log, digest, signal);
      if (role === 'both' && onDrift === 'publish')
        onEdits(edits, `files changed by hand on node ${name} while it was down`);
    }
  }

  async #refuseDrift(log: ChangeLog, signal: AbortSignal): Promise<RefusedError> {
    const { store, clusterDir } = this.#parts;
    const { differing } = await rebuild({ log, store, logId: this.logId, upTo: store.tree.position, signal });
    const [more, first] = [differing.length - 20, differing.slice(0, 20).join(', ')];
    return new RefusedError(
      `${differing.length} files of the data directory were changed while this node was down: ${first}` +
        `${more > 0 ? ` and ${more} more` : ''}. Start it with \`--on-drift publish\` to make them a change of the cluster, ` +
        `or with \`--on-drift restore\` to take the cluster's files and keep these in ${clusterDir}/aside-*`,
    );
  }

  /** The log has lost records: what their changes made of the files, this node appends again, as far as nobody else has. */
  async #giveBack(log: ChangeLog, head: Position, { signal, onEdits }: JoinOptions): Promise<void> {
    const { store, logger, name } = this.#parts;
    const { position } = store.tree;
    const why = `what the log had lost of positions ${head + 1} to ${position}, from the files of node ${name}`;
    if (head === START) {
      await store.unbind();
      logger.warn('log-begun-again', { position });
      return this.#begin(log);
    }
    const { snapshot, differing, tree } = await rebuild({ log, store, logId: this.logId, upTo: head, signal });
    const edits = editsOf(store, differing, tree);
    await this.#restore(snapshot, this.#aside());
    logger.warn('log-behind', { position, head, differing: differing.length, paths: differing.slice(0, 100) });
    onEdits(edits, why);
  }

  /** Where this node is, as far as it is certain of it: while records are replayed after a crash, where it was before. */
  #certain(): Certain {
    const { store } = this.#parts;
    const { position, digest } = store.tree;
    if (this.#wasInStep && !store.incomplete && position >= this.#comparableFrom)
      return { logId: this.logId, position, digest };
    return store.recorded!;
  }

  async #whyNotResume(
    log: ChangeLog,
    options: {
      readonly recorded: Certain;
      readonly head: Position;
      readonly trimmed: Position;
      readonly signal: AbortSignal;
    },
  ): Promise<{ readonly text: string; readonly reason: 'ahead' | 'another' } | undefined> {
    const { store, logUrl } = this.#parts;
    const { recorded, head, trimmed, signal } = options;
    const another = (text: string) => ({ text, reason: 'another' as const });
    const ahead = () => ({ text: this.aheadText(reached, head), reason: 'ahead' as const });
    const reached = Math.max(recorded.position, store.incomplete ? START : this.#comparableFrom) as Position;
    if (head === START) return ahead();
    const logId = await logIdOf(log);
    if (logId !== recorded.logId)
      return another(
        `this node follows the log ${recorded.logId}, and ${logUrl} is the log ${logId}: ` +
          'give the node its own log, or start it with `--adopt` to take the state of this one',
      );
    if (head < reached) return ahead();
    if (recorded.position > trimmed && !store.incomplete) {
      const record = await recordAfter(log, (recorded.position - 1) as Position, signal);
      if (record && record.digest !== (recorded.logDigest ?? recorded.digest))
        return another(
          `the log ${logUrl} has another record at position ${recorded.position} than the one this node has applied: ` +
            'it was restored from a backup and written since. Restore the log, or start this node with `--adopt` to take its state',
        );
    }
    return undefined;
  }

  // ---- the tree

  /**
   * Makes tree and files what the log says they are at the tree's position. Files that differ are moved aside.
   * @returns how the files were; nothing when the log's oldest state is newer than the tree
   */
  async mend(log: ChangeLog, expected: Digest, signal: AbortSignal): Promise<readonly Edit[]> {
    const { store, logger, divergences } = this.#parts;
    const { position } = store.tree;
    const { snapshot, differing, tree } = await rebuild({ log, store, logId: this.logId, upTo: position, signal });
    if (snapshot.position === position && snapshot.digest !== expected)
      throw new RefusedError(
        `the log contradicts itself at position ${position}: its records lead to the digest ${snapshot.digest}, ` +
          `and the record says ${expected}`,
      );
    // The log may have no state as old as ours: then a file that differs was edited, or is only out of date. Nobody can tell.
    const isOurs = snapshot.position === position;
    const edits = isOurs ? editsOf(store, differing, tree) : [];
    const aside = this.#aside();
    await this.#restore(snapshot, aside);
    divergences.mended(differing, aside);
    logger.warn('tree-mended', { position, differing: differing.length, paths: differing.slice(0, 100), aside });
    return edits;
  }

  async #restore(snapshot: Snapshot, keepIn: string | undefined): Promise<void> {
    const { store, catalog, clock, logger } = this.#parts;
    const startedMs = clock.monotonicMs();
    // Read while the snapshot comes in, where others have their turn; taken in all at once.
    const read = new Map<string, FileContents>();
    const touched = await store.restore(snapshot, {
      ...(keepIn !== undefined && { keepIn }),
      onContents(path, hash, bytes) {
        const contents = readContents(path, hash, () => bytes);
        if (contents !== undefined) read.set(path, contents);
      },
    });
    const restoredMs = clock.monotonicMs();
    catalog.apply(touched, read);
    logger.info('snapshot-taken', {
      position: snapshot.position,
      files: store.tree.files,
      read: read.size,
      restoreMs: Math.round(restoredMs - startedMs),
      catalogMs: Math.round(clock.monotonicMs() - restoredMs),
    });
    this.#comparableFrom = snapshot.position;
  }

  /** Where files go that give way; nowhere when another node writes them. */
  #aside(): string | undefined {
    if (this.#parts.store.readOnly) return undefined;
    const at = new Date(this.#parts.clock.now()).toISOString().replaceAll(':', '-');
    return `${this.#parts.clusterDir}/aside-${at}`;
  }
}

interface Certain {
  readonly logId: string;
  readonly position: Position;
  readonly digest: Digest;
  /** What the log says instead, if so. */
  readonly logDigest?: Digest;
}

/** A version 4 UUID. */
function uuid(random: () => number): string {
  return 'xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx'.replace(/[xy]/g, (x) => {
    const digit = Math.floor(random() * 16);
    return (x === 'x' ? digit : (digit & 3) | 8).toString(16);
  });
}
