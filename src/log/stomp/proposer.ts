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
  readonly proposal: Append;
  readonly body: Buffer;
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
      this.#pending.clear();
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
    for (const [id, pending] of this.#pending) this.#send(id, pending);
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
        this.#abandoned.add(id);
        reject(new UncertainError(`the log has not answered within ${waitMs / 1000} s`));
      }, waitMs);
      const pending: Pending = {
        proposal: { kind: 'append', id, after, bytes: body.length },
        // The caller may use his bytes again.
        body: Buffer.from(body),
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
      this.#send(id, pending);
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
    this.#forget(id);
    pending.resolve(outcome);
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

  #send(id: string, pending: Pending): void {
    const { proposal, body } = pending;
    if (this.#decider(proposal, body)) return;
    const link = this.#link;
    if (link === undefined) return;
    link.confirm(propose(this.#queue, pack(proposal, body))).catch((error: Error) => {
      // Another connection may bring it there; what the broker itself refuses, it has not taken.
      if (!link.open || !this.#pending.has(id)) return;
      this.#forget(id);
      pending.reject(error);
    });
  }

  #forget(id: string): void {
    this.#pending.delete(id);
    if (this.#abandoned.delete(id)) this.#changed.wake();
  }
}
