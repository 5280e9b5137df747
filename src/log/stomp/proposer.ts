import { UnavailableError, UncertainError } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import { LogClosedError } from '../errors.ts';
import { Wakeup } from '../wakeup.ts';
import type { Outcome } from './decide.ts';
import { type Proposal, pack } from './entries.ts';
import type { Link } from './link.ts';
import { propose } from './sendings.ts';

/** Whoever decides, when it is this node. @returns whether it is */
type Decider = (proposal: Append, body: Buffer) => boolean;
type Append = Extract<Proposal, { readonly kind: 'append' }>;

interface Pending {
  proposal: Append;
  readonly body: Buffer;
  /** How often somebody was given it who may decide it, or has it decided. */
  handedOver: number;
  /** The connection on which it was sent last. */
  sentOn?: Link;
  resolve(outcome: Outcome): void;
  reject(error: Error): void;
}

/**
 * This node's proposals that nobody has decided yet. Each has an id, and is sent again on a new connection, and when this node begins
 * or ceases to decide, until its verdict is read: whichever comes first is decided, and the other gets the same verdict.
 */
export class Proposer {
  readonly #queue: string;
  readonly #decider: Decider;
  readonly #closing: AbortSignal;
  readonly #pending = new Map<string, Pending>();
  /**
   * Those that came to be decided before others of this node which they follow, as a broker that gives out messages a second time may
   * bring it about: they are proposed anew behind those. The verdict is what they have got.
   */
  readonly #early = new Map<Pending, Outcome>();
  /** Those whose callers have been told that it is not known. */
  readonly #abandoned = new Set<string>();
  readonly #changed = new Wakeup();
  #link: Link | undefined;

  constructor(queue: string, decider: Decider, closing: AbortSignal) {
    this.#queue = queue;
    this.#decider = decider;
    this.#closing = closing;
    closing.addEventListener('abort', () => {
      for (const { reject } of this.#pending.values())
        reject(new UncertainError('the log was closed before it answered'));
      for (const [{ resolve }, outcome] of this.#early) resolve(outcome);
      this.#pending.clear();
      this.#early.clear();
      this.#abandoned.clear();
      this.#changed.wake();
    });
  }

  prepare(link: Link): void {
    this.#link = link;
    link.whenEnded(() => {
      if (this.#link === link) this.#link = undefined;
    });
    this.sendAgain();
  }

  /** For when proposals may have been lost, or verdicts have passed unread. */
  sendAgain(): void {
    for (const pending of this.#pending.values()) pending.sentOn = undefined;
    this.handOver();
  }

  /** For when this node begins or ceases to decide. What the broker has been sent on this connection is still there, or decided. */
  handOver(): void {
    for (const pending of byPlace(this.#pending.values())) this.#send(pending);
  }

  /**
   * @throws UncertainError    no verdict came in time
   * @throws UnavailableError  the broker did not take it
   */
  append(after: Position, body: Uint8Array, waitMs: number): Promise<Outcome> {
    const id = crypto.randomUUID();
    return new Promise((resolve, reject) => {
      if (this.#closing.aborted) return reject(new LogClosedError());
      const timer = setTimeout(() => {
        const verdict = this.#early.get(pending);
        this.#early.delete(pending);
        if (verdict !== undefined) return resolve(verdict);
        this.#abandoned.add(pending.proposal.id);
        reject(new UncertainError(`the log has not answered within ${waitMs / 1000} s`));
      }, waitMs);
      const pending: Pending = {
        proposal: { kind: 'append', id, after, bytes: body.length },
        // The caller may use his bytes again.
        body: Buffer.from(body),
        handedOver: 0,
        resolve: (outcome) => {
          clearTimeout(timer);
          resolve(outcome);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#pending.set(id, pending);
      this.#send(pending);
    });
  }

  /** Proposes something that is answered by an entry with its id. */
  async ask(link: Link, proposal: Exclude<Proposal, { readonly kind: 'append' }>): Promise<void> {
    await link.confirm(propose(this.#queue, pack(proposal)));
  }

  /** @returns whether it was one of these */
  decided(id: string, outcome: Outcome): boolean {
    const pending = this.#pending.get(id);
    if (pending === undefined) return false;
    const isAwaited = !this.#abandoned.has(id);
    this.#forget(id);
    const { after } = pending.proposal;
    const isEarly = outcome.kind === 'head-moved' && outcome.head < after && this.#first < after;
    if (isEarly && isAwaited) this.#early.set(pending, outcome);
    else pending.resolve(outcome);
    this.#proposeAnew();
    return true;
  }

  /** Resolves when every proposal has been decided whose caller does not know what became of it. @throws UnavailableError */
  async settled(waitMs: number): Promise<void> {
    const deadline = AbortSignal.timeout(waitMs);
    while (this.#abandoned.size > 0) {
      if (deadline.aborted)
        throw new UnavailableError('log-unreachable', 'the log has not said yet what became of an earlier append');
      await this.#changed.wait(deadline);
    }
    if (this.#closing.aborted) throw new LogClosedError();
  }

  #send(pending: Pending): void {
    const { proposal, body } = pending;
    const { id } = proposal;
    if (this.#decider(proposal, body)) {
      pending.handedOver++;
      return;
    }
    const link = this.#link;
    if (link === undefined || link === pending.sentOn) return;
    pending.sentOn = link;
    pending.handedOver++;
    link.confirm(propose(this.#queue, pack(proposal, body))).catch((error: Error) => {
      // Another connection may bring it there; what the broker itself refuses, it has not taken.
      if (!link.open || this.#pending.get(id) !== pending) return;
      if (pending.handedOver > 1) {
        // What was given to somebody before may be decided yet.
        pending.sentOn = undefined;
        return;
      }
      this.#forget(id);
      pending.reject(error);
      this.#proposeAnew();
    });
  }

  /** The lowest place that something undecided is to follow. */
  get #first(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { proposal } of this.#pending.values()) first = Math.min(first, proposal.after);
    return first;
  }

  /** Those that came too early and have nothing before them any more: a verdict is final for its id, so they get another. */
  #proposeAnew(): void {
    if (this.#early.size === 0) return;
    const first = this.#first;
    for (const pending of byPlace(this.#early.keys())) {
      if (pending.proposal.after > first) return;
      this.#early.delete(pending);
      pending.proposal = { ...pending.proposal, id: crypto.randomUUID() };
      pending.handedOver = 0;
      pending.sentOn = undefined;
      this.#pending.set(pending.proposal.id, pending);
      this.#send(pending);
    }
  }

  #forget(id: string): void {
    this.#pending.delete(id);
    if (this.#abandoned.delete(id)) this.#changed.wake();
  }
}

function byPlace(some: Iterable<Pending>): readonly Pending[] {
  return [...some].sort((a, b) => a.proposal.after - b.proposal.after);
}
