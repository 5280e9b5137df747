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
  readonly #name: string;
  #known: ChainState | undefined;
  readonly #ends = new Map<string, () => void>();
  /** Acknowledgements of what the queue holds. */
  readonly #old: Sending[] = [];

  private constructor(name: string) {
    this.#name = name;
  }

  /** Reads it to its end. */
  static async read(link: Link, name: string): Promise<StandingQueue> {
    const standing = new StandingQueue(name);
    await link.subscribe(name, HEADERS, ({ headers, body }) => standing.#take(headers.ack!, body));
    const id = crypto.randomUUID();
    const end = new Promise<void>((resolve, reject) => {
      standing.#ends.set(id, resolve);
      link.whenEnded(reject);
    });
    end.catch(() => {});
    await link.transaction(sendTo(name, pack({ kind: 'end', id })));
    await end;
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
    this.#old.push(['ACK', { id }]);
    const { what } = unpack<Standing>(body);
    if (what.kind === 'end') this.#ends.get(what.id)?.();
    else if (this.#known === undefined || isBefore(this.#known, what))
      this.#known = { epoch: what.epoch, head: what.head };
  }
}
