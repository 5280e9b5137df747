import type { Logger } from '../base/index.ts';
import type { NodeStatus } from '../log/index.ts';
import type { Digest, Position } from '../tree/index.ts';
import type { NodeCounts } from './types.ts';

/** Digests kept to compare with what other nodes announce. */
const KEPT = 256;

/**
 * Compares what other nodes announce with this node's own digests at the same positions. It only tells: each node compares with
 * the log by itself, and mends itself.
 */
export class PeerDigests {
  readonly #own = new Map<Position, Digest>();
  /** Nodes that were told of. */
  readonly #alarms = new Set<string>();
  readonly #parts: { readonly name: string; readonly counts: NodeCounts; readonly logger: Logger };

  constructor(parts: { readonly name: string; readonly counts: NodeCounts; readonly logger: Logger }) {
    this.#parts = parts;
  }

  remember(position: Position, digest: Digest): void {
    this.#own.set(position, digest);
    if (this.#own.size > KEPT) this.#own.delete(this.#own.keys().next().value!);
  }

  compare(peers: readonly NodeStatus[]): void {
    const { name: ownName, counts, logger } = this.#parts;
    for (const { name, position, digest } of peers) {
      // At 0 a node has not taken the state of the cluster yet; without a digest it is still being put right after a crash.
      const own = position === 0 || digest === '' ? undefined : this.#own.get(position);
      if (name === ownName || own === undefined || own === digest || this.#alarms.has(name)) continue;
      this.#alarms.add(name);
      counts.peersDiffered++;
      logger.error('peer-differs', { peer: name, position, digest, own });
    }
  }
}
