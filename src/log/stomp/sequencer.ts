import { type Logger, messageOf, systemClock, UnavailableError } from '../../base/index.ts';
import { type Position, START } from '../../tree/index.ts';
import { Wakeup } from '../wakeup.ts';
import { type ChainState, isBefore } from './chain.ts';
import { decide, type Outcome, remember, sortAppends } from './decide.ts';
import { type Entry, type KnownNode, type Proposal, pack, unpack } from './entries.ts';
import type { Follower } from './follower.ts';
import type { Link, Message, Sending } from './link.ts';
import type { Names } from './names.ts';
import { publish } from './sendings.ts';
import { StandingQueue } from './standing.ts';

export interface SequencerParts {
  readonly names: Names;
  readonly follower: Follower;
  readonly logger: Logger;
  /** How long this node's own queue may take, in milliseconds. */
  readonly timeoutMs: number;
  /** How long the role is kept from others while this node's queues do not tell what it needs for it, in milliseconds. */
  readonly patienceMs: number;
  nodes(): readonly KnownNode[];
  /** From now on this node decides, or no longer: what it has proposed may never be decided where it is. */
  onRole(): void;
}

/** What one transaction decides at most; a longer proposal comes alone. */
const GROUP = { proposals: 200, bytes: 2 * 1024 * 1024 };
const EXCLUSIVE = { ack: 'client-individual', 'activemq.exclusive': 'true', 'activemq.prefetchSize': '200' };

interface Waiting {
  readonly proposal: Proposal;
  readonly body: Buffer;
  /** Absent: it did not come through the broker. */
  readonly acknowledgement?: Sending;
}

/** What a node has that decides, from when it takes over. */
interface Reign {
  readonly link: Link;
  /** Proposals to be decided, and what wakes when there are more. */
  readonly queue: Waiting[];
  readonly more: Wakeup;
  readonly epoch: number;
  readonly standing: StandingQueue;
  readonly recent: Map<string, Outcome>;
  head: Position;
}

/**
 * One node decides which proposals become records: the only consumer of their queue. All that it does goes through the one
 * connection that made it so, in transactions that take proposals and give verdicts; a connection that ends takes the role with it,
 * and nothing of it can happen after the next one has got its first proposal. So what this node proposes itself need not be
 * brought to it by the broker: a verdict on it is as good as any other.
 */
export class Sequencer {
  readonly #parts: SequencerParts;
  /** Milliseconds that this node leaves the role to others, since it could not take it over. */
  pauseMs = 0;
  #trouble: { readonly error: UnavailableError; readonly at: ChainState } | undefined;
  #reign: Reign | undefined;

  constructor(parts: SequencerParts) {
    this.#parts = parts;
  }

  /** Why this node cannot decide though it is its turn, and nobody else has done so since. */
  get trouble(): UnavailableError | undefined {
    const { epoch, head } = this.#parts.follower.state;
    return this.#trouble?.at.epoch === epoch && this.#trouble.at.head === head ? this.#trouble.error : undefined;
  }

  /** @returns whether this node decides, and has taken a proposal of its own. Its verdict comes as any other, unless the role is lost */
  take(proposal: Extract<Proposal, { readonly kind: 'append' }>, body: Buffer): boolean {
    this.#reign?.queue.push({ proposal, body });
    this.#reign?.more.wake();
    return this.#reign !== undefined;
  }

  /** Waits for the role on a new connection, and has it until that ends. */
  async prepare(link: Link): Promise<void> {
    const queue: Waiting[] = [];
    const more = new Wakeup();
    const take = ({ headers, body: bytes }: Message) => {
      const acknowledgement: Sending = ['ACK', { id: headers.ack! }];
      try {
        const { what, body } = unpack<Proposal>(bytes);
        queue.push({ proposal: what, body, acknowledgement });
        more.wake();
      } catch (error) {
        // Taken away, or it would come again for ever.
        this.#parts.logger.warn('log-message-unreadable', { reason: messageOf(error) });
        link.send(acknowledgement);
      }
    };
    link.whenEnded(() => more.wake());
    await link.subscribe(this.#parts.names.proposals, EXCLUSIVE, take);
    this.#lead(link, queue, more).catch((error: Error) => {
      if (error instanceof UnavailableError && error.code !== 'log-unreachable') this.#note(error);
      link.terminate(error);
    });
  }

  #note(error: UnavailableError): void {
    const { follower, logger } = this.#parts;
    // Said once, not at every attempt.
    if (this.trouble?.message !== error.message) logger.warn('log-role-failed', { reason: error.message });
    this.#trouble = { error, at: follower.state };
  }

  async #lead(link: Link, queue: Waiting[], more: Wakeup): Promise<void> {
    const { names, follower, logger, timeoutMs } = this.#parts;
    while (queue.length === 0 && link.open) await more.wait();
    if (!link.open) return;
    // Somebody else may be better placed.
    this.pauseMs = 500 + Math.random() * 1000;
    if (!follower.isReading) throw new UnavailableError('log-unreachable', "this node's own queue is not connected");
    const standing = await StandingQueue.read(link, names.standing, timeoutMs);
    const base = await this.#base(standing);
    const epoch = base.epoch + 1;
    const id = crypto.randomUUID();
    const passed = this.#markerPassed(id);
    passed.catch(() => {});
    await link.transaction(
      publish(names.topic, pack({ kind: 'marker', epoch, head: base.head, id })),
      ...standing.renew(epoch, base.head),
    );
    await passed;
    if (!link.open) return;
    if (follower.state.epoch !== epoch || follower.state.head !== base.head)
      throw new UnavailableError('log-failed', 'somebody else has taken over');
    this.pauseMs = 0;
    logger.info('log-role-taken', { epoch, head: base.head });
    const reign: Reign = { link, queue, more, epoch, standing, ...follower.standpoint };
    this.#begin(reign);
    while (link.open) {
      if (follower.heard.epoch > epoch) throw new UnavailableError('log-failed', 'somebody else has taken over');
      if (queue.length === 0) await more.wait();
      else await this.#decide(reign, takeGroup(queue));
    }
  }

  /** What this node proposes is taken from now on, and no longer when the role is lost. */
  #begin(reign: Reign): void {
    this.#reign = reign;
    reign.link.whenEnded(() => {
      this.#reign = undefined;
      this.#parts.onRole();
    });
    if (!reign.link.open) return;
    this.#parts.onRole();
    // What the broker has given out a second time, or out of its order, is behind what came for places further on.
    sortAppends(reign.queue);
  }

  /** One transaction. */
  async #decide(reign: Reign, group: readonly Waiting[]): Promise<void> {
    const { names } = this.#parts;
    const { link, epoch, standing } = reign;
    const appends = group.flatMap(({ proposal, body }) => (proposal.kind === 'append' ? [{ proposal, body }] : []));
    const { verdicts, decided, ...after } = decide(
      reign,
      appends.map(({ proposal }) => proposal),
    );
    const entries: Buffer[] = [];
    if (verdicts.length > 0) {
      const accepted = new Set(verdicts.flatMap((verdict) => ('bytes' in verdict ? [verdict.id] : [])));
      const bodies: Buffer[] = [];
      // Of a proposal that came twice, one.
      for (const { proposal, body } of appends) if (accepted.delete(proposal.id)) bodies.push(body);
      const first = (reign.head + 1) as Position;
      entries.push(pack({ kind: 'batch', epoch, first, verdicts }, ...bodies));
    }
    let { head } = after;
    for (const { proposal } of group) {
      if (proposal.kind === 'append') continue;
      const { id } = proposal;
      const entry: Entry =
        proposal.kind === 'skip' && proposal.to > head
          ? { kind: 'skip', epoch, head, to: proposal.to, id }
          : { kind: 'standing', epoch, head, id, nodes: this.#parts.nodes() };
      if (entry.kind === 'skip') head = entry.to;
      entries.push(pack(entry));
    }
    const sends = entries.map((entry) => publish(names.topic, entry));
    if (head !== reign.head) sends.push(...standing.renew(epoch, head));
    await link.transaction(
      ...group.flatMap(({ acknowledgement }) => (acknowledgement === undefined ? [] : [acknowledgement])),
      ...sends,
    );
    reign.head = head;
    remember(reign.recent, decided);
  }

  /**
   * Where the log stands at the broker, once this node has it: what comes next is counted from there.
   * @throws UnavailableError  this node does not have all records of the log
   */
  async #base(standing: StandingQueue): Promise<ChainState> {
    const { follower, patienceMs, logger } = this.#parts;
    await follower.stored(patienceMs);
    const known = (): ChainState => standing.known ?? { epoch: 0, head: START };
    let hasIt = await follower.reached(known(), patienceMs);
    if (hasIt && (standing.known === undefined || isBefore(standing.known, follower.state))) {
      // What the last one had not acknowledged comes again, and may come late.
      await systemClock.sleep(patienceMs);
      hasIt = await follower.reached(known(), patienceMs);
    }
    const told = known();
    if (!hasIt)
      throw new UnavailableError(
        'log-copy-behind',
        `the log at the broker ends with record ${told.head}, and this node has it up to ${follower.state.head}: start a node that has the rest`,
      );
    if (isBefore(told, follower.state) && follower.state.epoch > 0)
      logger.warn('log-broker-behind', { broker: told.head, here: follower.state.head });
    return follower.state;
  }

  /** Resolves when this node's marker has come through its own queue. */
  #markerPassed(id: string): Promise<void> {
    const { follower, timeoutMs } = this.#parts;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        follower.forget(id);
        reject(new UnavailableError('log-unreachable', `this node's own queue is silent for ${timeoutMs / 1000} s`));
      }, timeoutMs);
      follower
        .passed(id)
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  }
}

function takeGroup(queue: Waiting[]): Waiting[] {
  let [count, bytes] = [0, 0];
  while (count < queue.length && count < GROUP.proposals) {
    bytes += queue[count]!.body.length;
    if (bytes > GROUP.bytes && count > 0) break;
    count++;
  }
  return queue.splice(0, count);
}
