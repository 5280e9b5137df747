import { UnavailableError } from '../../base/index.ts';
import { type ChainState, isBefore } from './chain.ts';
import { pack, type Standing, unpack } from './entries.ts';
import type { Link, Sending } from './link.ts';
import { sendTo } from './sendings.ts';

const HEADERS = { ack: 'client-individual', 'activemq.exclusive': 'true', 'activemq.prefetchSize': '200' };

/**
 * The queue that tells where the log stands, for who decides next. Its message is renewed by each transaction that moves the log, never
 * later: who takes over must know of every record that there is, also when it is none of those that its own queue still has.
 */
export class StandingQueue {
  readonly #link: Link;
  readonly #name: string;
  #known: ChainState | undefined;
  readonly #ends = new Map<string, () => void>();
  /** Acknowledgements of what the queue has told before. */
  readonly #old: Sending[] = [];

  private constructor(link: Link, name: string) {
    this.#link = link;
    this.#name = name;
  }

  /** Reads it to its end. @throws UnavailableError  the end does not come in time */
  static async read(link: Link, name: string, waitMs: number): Promise<StandingQueue> {
    const standing = new StandingQueue(link, name);
    await link.subscribe(name, HEADERS, ({ headers, body }) => standing.#take(headers.ack!, body));
    const id = crypto.randomUUID();
    let timer: NodeJS.Timeout | undefined;
    const end = new Promise<void>((resolve, reject) => {
      standing.#ends.set(id, resolve);
      link.whenEnded(reject);
      timer = setTimeout(() => {
        const why = `what was sent to the broker's queue ${name} has not come back within ${waitMs / 1000} s: see that nothing but the nodes reads that queue`;
        reject(new UnavailableError('log-failed', why));
      }, waitMs);
    });
    end.catch(() => {});
    try {
      await link.transaction(sendTo(name, pack({ kind: 'end', id })));
      await end;
    } finally {
      clearTimeout(timer);
    }
    return standing;
  }

  /** What it has told. What was given to somebody before comes again, and may come later than the end. */
  get known(): ChainState | undefined {
    return this.#known;
  }

  /** What says here where the log stands, for the transaction that makes it so. */
  renew(epoch: number, head: ChainState['head']): Sending[] {
    return [sendTo(this.#name, pack({ kind: 'standing', epoch, head })), ...this.#old.splice(0)];
  }

  #take(id: string, body: Buffer): void {
    const acknowledgement: Sending = ['ACK', { id }];
    const { what } = unpack<Standing>(body);
    if (what.kind === 'end') {
      // At once: those of attempts that failed would fill what the broker gives out before it hears of any, and hide the next one's.
      this.#link.send(acknowledgement);
      this.#ends.get(what.id)?.();
      return;
    }
    this.#old.push(acknowledgement);
    if (this.#known === undefined || isBefore(this.#known, what)) this.#known = { epoch: what.epoch, head: what.head };
  }
}
