import { type Logger, messageOf, UnavailableError } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import { type ChangeLog, TrimmedError } from '../change-log.ts';
import { LogClosedError, LogRefusedError } from '../errors.ts';
import { Wakeup } from '../wakeup.ts';
import { Acknowledgements } from './acknowledgements.ts';
import {
  after,
  before,
  type ChainEntry,
  type ChainState,
  isBefore,
  isChainEntry,
  placeOf,
  recordsOf,
} from './chain.ts';
import type { Copy } from './copy.ts';
import { type Outcome, outcomesOf, remember, type Standpoint } from './decide.ts';
import { type Entry, type KnownNode, unpack } from './entries.ts';
import type { Link, Message } from './link.ts';

export interface FollowerParts {
  readonly copy: Copy;
  /** Queue of this node. */
  readonly queue: string;
  readonly logger: Logger;
  /** How long something may be missing, which a new connection may bring, before others are asked for it; in milliseconds. */
  readonly graceMs: number;
  /** The others' copies, nearest first. */
  others(): readonly { readonly name: string; readonly log: ChangeLog }[];
  /** A trim or a removal has its turn. */
  onNote(note: Extract<Entry, { readonly kind: 'trim' | 'remove' }>): Promise<void>;
  /** The log goes on after a snapshot. @throws UnavailableError  nobody can be asked for it */
  onSkip(to: Position): Promise<void>;
  /** Somebody has said which nodes there are. */
  onStanding(nodes: readonly KnownNode[]): void;
  /**
   * What has become of a proposal: the broker has it on its disk. Said in the order of the log, but of what was known before, when it
   * comes again; so it may be said twice.
   * @returns whether somebody here has waited for that
   */
  onOutcome(id: string, outcome: Outcome): boolean;
  /** Records came from another node, without the verdicts on them. */
  onCaughtUp(): void;
}

interface Held {
  readonly entry: Entry;
  readonly body: Buffer;
  /** To be told that it is stored. */
  readonly acknowledge: () => void;
  readonly sinceMs: number;
  /** It came where it belongs; what it says of proposals has been told. */
  readonly inOrder: boolean;
}

/** What an entry was when it came. */
type Coming = 'in-order' | 'answered' | 'other';

/** Messages that a broker sends before it has heard that they are stored: what a node has in memory of them is bounded by that alone. */
const PREFETCH = '64';
/** Where all who wait for records have been told, the copy takes several of them with one sync: so many, or after so many milliseconds. */
const TOGETHER = { most: 16, bytes: 256 * 1024, ms: 10 };
/** After its messages could not be applied, a node does not ask for them again at once. */
const PAUSE_MS = { failed: 1000, contrary: 10_000 };

/**
 * Reads this node's queue: tells proposers what has become of their proposals, since the broker has that on its disk; stores what is
 * next in the copy, and tells those who wait for that; and only then the broker.
 */
export class Follower {
  readonly #parts: FollowerParts;
  readonly #closing: AbortSignal;
  readonly #changed = new Wakeup();
  #link: Link | undefined;
  #acknowledgements: Acknowledgements | undefined;
  #held: Held[] = [];
  #heard: ChainState;
  #working: Promise<void> = Promise.resolve();
  #isWorking = false;
  readonly #recent = new Map<string, Outcome>();
  readonly #waiting = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  /** The queue goes on before what others still have: all of it is passed over until somebody says where the log stands. */
  #isPassingOver = false;
  /** Why nothing that follows can be applied. */
  #trouble: Error | undefined;
  #heldAlarm: NodeJS.Timeout | undefined;
  #unhurried: { timer: NodeJS.Timeout; bytes: number; count: number } | undefined;

  constructor(parts: FollowerParts, closing: AbortSignal) {
    this.#parts = parts;
    this.#closing = closing;
    this.#heard = parts.copy.state;
    closing.addEventListener('abort', () => {
      clearTimeout(this.#heldAlarm);
      clearTimeout(this.#unhurried?.timer);
      this.#changed.wake();
    });
  }

  /** Where the log stands as far as it is stored here. */
  get state(): ChainState {
    return this.#parts.copy.state;
  }

  /** Where the log stands as far as it has come here in its order: stored, or about to be. */
  get heard(): ChainState {
    return isBefore(this.#heard, this.state) ? this.state : this.#heard;
  }

  get trouble(): Error | undefined {
    return this.#trouble;
  }

  get isReading(): boolean {
    return this.#link !== undefined;
  }

  /** How long to wait before reading on a new connection. */
  pauseMs = 0;

  /** How things stand for who decides next, who may change what he is given. */
  get standpoint(): Standpoint & { readonly recent: Map<string, Outcome> } {
    return { head: this.state.head, recent: new Map(this.#recent) };
  }

  /** Begins to read on a new connection. What was not acknowledged on the last one comes again. */
  async prepare(link: Link): Promise<void> {
    this.#link = link;
    this.#acknowledgements = new Acknowledgements(link);
    link.whenEnded((why) => {
      if (this.#link !== link) return;
      this.#link = undefined;
      // Somebody has been told of these, and the broker may be gone for good.
      this.#held = this.#held.filter(({ inOrder }) => inOrder);
      for (const { reject } of this.#waiting.values()) reject(why);
      this.#waiting.clear();
    });
    const headers = { ack: 'client-individual', 'activemq.exclusive': 'true', 'activemq.prefetchSize': PREFETCH };
    await link.subscribe(this.#parts.queue, headers, (message) => {
      if (link === this.#link) this.#take(message);
    });
  }

  /** Resolves when the entry with that id has come on the connection that there is now, and all before it is stored. */
  passed(id: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closing.aborted) return reject(new LogClosedError());
      if (this.#link === undefined) return reject(new UnavailableError('log-unreachable', 'the connection was lost'));
      this.#waiting.set(id, { resolve, reject });
    });
  }

  forget(id: string): void {
    this.#waiting.delete(id);
  }

  /** Waits until the log is stored here up to some place, for as long as it gets nearer. @returns whether it is */
  async reached(place: ChainState, patienceMs: number): Promise<boolean> {
    while (isBefore(this.state, place)) {
      const patience = AbortSignal.timeout(Math.ceil(patienceMs));
      await this.#changed.wait(patience);
      if (patience.aborted || this.#closing.aborted) return !isBefore(this.state, place);
    }
    return true;
  }

  /** Resolves when all that has come in order is stored. @throws UnavailableError  it takes too long */
  async stored(waitMs: number): Promise<void> {
    this.#work();
    if (!(await this.reached(this.heard, waitMs)))
      throw new UnavailableError('log-failed', 'this node does not get its copy of the log onto its disk');
  }

  /** Tells the broker of all that is stored. */
  async acknowledged(): Promise<void> {
    await this.#acknowledgements?.send();
  }

  closed(): Promise<void> {
    return this.#working;
  }

  #take({ headers, body: bytes }: Message): void {
    const to = this.#acknowledgements;
    const acknowledge = () => to?.add(['ACK', { id: headers.ack! }], bytes.length);
    try {
      const { what, body } = unpack<Entry>(bytes);
      if (what.kind === 'standing') this.#parts.onStanding(what.nodes);
      const coming = this.#hear(what);
      this.#held.push({ entry: what, body, acknowledge, sinceMs: performance.now(), inOrder: coming !== 'other' });
      if (coming === 'answered') this.#workSoon(bytes.length);
      else this.#work();
    } catch (error) {
      this.#parts.logger.warn('log-message-unreadable', { reason: messageOf(error) });
      acknowledge();
    }
  }

  /**
   * Tells what an entry says of proposals, when it has come where it belongs. A broker gives out what a transaction has brought when it is
   * on its disk, and it is in this queue until it is stored here: nothing can undo it any more.
   */
  #hear(entry: Entry): Coming {
    const { heard } = this;
    // A log that goes on elsewhere does so when the snapshot is here.
    if (this.#isPassingOver || !isChainEntry(entry) || entry.kind === 'skip' || entry.kind === 'standing')
      return 'other';
    const from = before(entry);
    if (from.epoch !== heard.epoch || from.head !== heard.head) return 'other';
    this.#heard = after(entry);
    if (entry.kind !== 'batch') return 'in-order';
    const isOurs = [...outcomesOf(entry.first, entry.verdicts)].map(([id, outcome]) =>
      this.#parts.onOutcome(id, outcome),
    );
    // What others have proposed somebody here may wait to read.
    return isOurs.every(Boolean) ? 'answered' : 'in-order';
  }

  /** For what nobody waits for any more. */
  #workSoon(bytes: number): void {
    this.#unhurried ??= { timer: setTimeout(() => this.#work(), TOGETHER.ms), bytes: 0, count: 0 };
    this.#unhurried.bytes += bytes;
    this.#unhurried.count++;
    if (this.#unhurried.bytes >= TOGETHER.bytes || this.#unhurried.count >= TOGETHER.most) this.#work();
  }

  #work(): void {
    clearTimeout(this.#unhurried?.timer);
    this.#unhurried = undefined;
    if (this.#isWorking || this.#closing.aborted) return;
    this.#isWorking = true;
    this.#working = this.#apply()
      .catch((error: unknown) => {
        if (this.#closing.aborted) return;
        this.#parts.logger.error('log-copy-failed', { reason: messageOf(error) });
        this.pauseMs = error instanceof LogRefusedError ? PAUSE_MS.contrary : PAUSE_MS.failed;
        // All that is not stored comes again.
        this.#link?.terminate(new UnavailableError('log-failed', `the copy of the log failed: ${messageOf(error)}`));
        if (this.#held.length > 0) this.#alarm(this.pauseMs);
      })
      .finally(() => {
        this.#isWorking = false;
      });
  }

  async #apply(): Promise<void> {
    // Several messages are there at once when one has come; they share a sync. Who was told of one may go on first.
    await new Promise(setImmediate);
    while (this.#held.length > 0 && !this.#closing.aborted) {
      const seen = this.#held.length;
      const done = await this.#pass();
      if (done.length > 0) {
        this.pauseMs = 0;
        const gone = new Set(done);
        this.#held = this.#held.filter((each) => !gone.has(each));
        for (const { acknowledge } of done) acknowledge();
        this.#changed.wake();
        continue;
      }
      // Nothing comes again to a node that has never had anything.
      const graceMs = this.state.epoch === 0 ? 0 : this.#parts.graceMs;
      const oldestMs = graceMs - (performance.now() - Math.min(...this.#held.map(({ sinceMs }) => sinceMs)));
      if (oldestMs <= 0 && (await this.#catchUp())) continue;
      // What has come in order meanwhile does not wait.
      if (this.#held.slice(seen).some(({ inOrder }) => inOrder)) continue;
      this.#alarm(oldestMs > 0 ? oldestMs : this.#parts.graceMs);
      return;
    }
  }

  #alarm(ms: number): void {
    clearTimeout(this.#heldAlarm);
    this.#heldAlarm = setTimeout(() => this.#work(), ms).unref();
  }

  /** Applies what can be, in the order in which it came. @returns what is done with */
  async #pass(): Promise<Held[]> {
    const done: Held[] = [];
    const outcomes: [string, Outcome][] = [];
    const told: [string, Outcome][] = [];
    const passed: string[] = [];
    const bodies: Uint8Array[] = [];
    const notes: Promise<void>[] = [];
    let { epoch, head, since } = this.state;
    let isHolding = false;
    for (const held of [...this.#held]) {
      const { entry } = held;
      if (!isChainEntry(entry)) {
        // Its place is behind what came before it.
        if (isHolding) continue;
        if (entry.kind !== 'barrier') notes.push(this.#parts.onNote(entry));
        passed.push(entry.id);
        done.push(held);
        continue;
      }
      const place = placeOf({ epoch, head, since }, entry);
      // What answers this connection's own question comes after all that was stored from it.
      const answersUs = entry.kind === 'standing' && this.#waiting.has(entry.id);
      if (place === 'contrary' || (answersUs && isBefore(entry, { epoch, head }))) {
        if (done.length === 0) throw this.#contrary(entry);
        // What came before it has been told, and is to be stored; then it has its turn.
        isHolding = true;
        break;
      }
      if (place === 'ahead') {
        if (this.#isPassingOver && !(entry.kind === 'standing' && this.#waiting.has(entry.id))) done.push(held);
        else isHolding = true;
        continue;
      }
      if (entry.kind === 'batch') {
        if (place === 'next')
          for (const record of recordsOf(entry, held.body)) {
            if (record.position <= head) continue;
            bodies.push(record.body);
            head = record.position;
          }
        const decided = [...outcomesOf(entry.first, entry.verdicts)];
        outcomes.push(...decided);
        // Of an earlier epoch whose end is not known here this may be wrong; who still waits for it has asked once more.
        if (entry.epoch === epoch || since !== undefined) told.push(...decided);
      } else if (entry.kind === 'marker' && place === 'next') {
        await this.#parts.copy.store(bodies.splice(0));
        await this.#parts.copy.enter(entry.epoch, entry.head);
        ({ epoch, since } = this.state);
      } else if (entry.kind === 'skip' && place === 'next') {
        await this.#parts.copy.store(bodies.splice(0));
        await this.#parts.onSkip(entry.to);
        head = this.state.head;
      }
      if (entry.kind !== 'batch') passed.push(entry.id);
      done.push(held);
    }
    await this.#parts.copy.store(bodies);
    await Promise.all(notes);
    remember(this.#recent, outcomes);
    for (const [id, outcome] of told) this.#parts.onOutcome(id, outcome);
    if (done.length > 0 && !isHolding && this.#link !== undefined) this.#trouble = undefined;
    for (const id of passed) {
      this.#waiting.get(id)?.resolve();
      this.#waiting.delete(id);
    }
    return done;
  }

  /** Gets what is missing before the first of what is held from another node. @returns whether that did it */
  async #catchUp(): Promise<boolean> {
    const chain = this.#held.map(({ entry }) => entry).filter(isChainEntry);
    const [first] = chain.map(before).sort((a, b) => (isBefore(a, b) ? -1 : 1));
    if (first === undefined) return false;
    const { copy, logger } = this.#parts;
    const listed = chain.find((entry) => entry.kind === 'standing')?.nodes ?? [];
    const failures: string[] = [];
    logger.warn('log-copy-behind', { at: this.state.head, until: first.head });
    for (const { name, log } of this.#parts.others()) {
      try {
        await copy.catchUp(log, first, AbortSignal.any([this.#closing, AbortSignal.timeout(60_000)]));
        logger.info('log-copy-caught-up', { at: this.state.head, from: name });
        this.#isPassingOver = false;
        this.#changed.wake();
        this.#parts.onCaughtUp();
        return true;
      } catch (error) {
        if (this.#closing.aborted) return false;
        if (error instanceof TrimmedError && !this.#isPassingOver) {
          this.#isPassingOver = true;
          return true;
        }
        failures.push(`${name}: ${messageOf(error)}`);
      }
    }
    const names = listed.map(({ name }) => name).join(', ');
    this.#trouble = new UnavailableError(
      'log-copy-behind',
      `this node has the log up to record ${this.state.head}, and ${first.head - this.state.head} that follow have left its queue at the broker; another node that has them must run and be reachable over HTTP${
        failures.length > 0 ? ` (${failures.join('; ')})` : names === '' ? ', and none is heard of' : ` (${names})`
      }`,
    );
    this.#changed.wake();
    return false;
  }

  #contrary(entry: ChainEntry): Error {
    const at = `record ${before(entry).head} of epoch ${before(entry).epoch}`;
    const { epoch, head } = this.state;
    this.#trouble = new LogRefusedError(
      `this node's copy of the log (record ${head} of epoch ${epoch}) has another history than the log at the broker (${at}): if the broker's store was replaced, or this is another cluster's, stop the node and move its folder cluster/log-copy away; it is made anew from the other nodes`,
    );
    return this.#trouble;
  }
}
