import { type Clock, type Logger, messageOf, UnavailableError } from '../base/index.ts';
import type { ChangeLog, NodeStatus } from '../log/index.ts';
import type { Position } from '../tree/index.ts';
import { withinMs } from './waiting.ts';

export interface MembershipPorts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** A connection to the log; waits for one. */
  connect(signal: AbortSignal): Promise<ChangeLog>;
  /** This node now. */
  status(): NodeStatus;
  /** The log answered: `head`, or why it did not. Called after every beat. */
  onBeat(outcome: { readonly head: Position } | { readonly error: unknown }): void;
  /** The others changed. */
  onPeers(peers: readonly NodeStatus[]): void;
  /** Asks the log for its head, knowing that it may be behind what was asked before. */
  askHead(): Promise<Position>;
}

/** How often a node says how it is, and asks how far the log is. */
export const BEAT_MS = 1000;
const BEAT_ANSWER_MS_MAX = 5000;

/** Says once a second how this node is, listens to the others, and notices when the log goes away or comes back. */
export class Membership {
  readonly #ports: MembershipPorts;
  #peers: readonly NodeStatus[] = [];
  /** Aborted to beat before the time is up. */
  #early = new AbortController();

  constructor(ports: MembershipPorts) {
    this.#ports = ports;
  }

  /** Runs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#beat(signal), this.#listen(signal)]);
  }

  /** Everyone heard of, this node as it is now; by name. */
  members(): readonly NodeStatus[] {
    const own = this.#ports.status();
    return [...this.#peers.filter(({ name }) => name !== own.name), own].sort((a, b) =>
      a.name < b.name ? -1 : a.name > b.name ? 1 : 0,
    );
  }

  /** Something that others should know has changed. */
  announceSoon(): void {
    this.#early.abort();
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    while (!signal.aborted) {
      this.#early = new AbortController();
      try {
        const log = await this.#ports.connect(signal);
        const both = Promise.all([log.announce(this.#ports.status()), this.#ports.askHead()]);
        const [, head] = await withinMs(clock, BEAT_ANSWER_MS_MAX, both, 'the log’s answer');
        if (!signal.aborted) this.#ports.onBeat({ head });
      } catch (error) {
        if (!signal.aborted) this.#ports.onBeat({ error });
      }
      await clock.sleep(BEAT_MS, AbortSignal.any([signal, this.#early.signal])).catch(() => {});
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#ports;
    while (!signal.aborted) {
      try {
        const log = await this.#ports.connect(signal);
        for await (const peers of log.peers(signal)) {
          this.#peers = peers;
          this.#ports.onPeers(peers);
        }
      } catch (error) {
        this.#peers = [];
        if (!signal.aborted && !(error instanceof UnavailableError))
          logger.warn('peers-failed', { reason: messageOf(error) });
      }
      await clock.sleep(BEAT_MS, signal).catch(() => {});
    }
  }
}
