import { LRUCache } from 'lru-cache';
import {
  contentHash,
  type FileOperation,
  listSnapshot,
  PathError,
  type Position,
  type Tree,
  TreeDraft,
} from '../../tree/index.ts';
import { baseFor } from './base.ts';
import { noSuchPosition } from './errors.ts';
import { changesOf, type LogReader } from './reader.ts';

/** The tree as it was at a position: names, hashes and sizes, no bytes. It never changes; drafts may lie over it. */
export interface PastState {
  readonly position: Position;
  readonly tree: TreeDraft;
}

/** A state from a snapshot, and states further on that were kept on the way: each lies over the one before. */
interface Chain {
  readonly base: Tree;
  readonly kept: { readonly position: Position; readonly tree: Tree | TreeDraft }[];
  /** Records between two states that are kept. */
  readonly stride: number;
}

const CHAINS_MAX = 3;
/** States that were asked for and lie between those that chains keep. */
const RECENT_MAX = 8;
const STRIDE_MIN = 500;
/** More states over each other make look-ups slow. */
const KEPT_MAX = 24;

/** Rebuilds states of the past from the log: the nearest snapshot or kept state below, and the records after it. */
export class States {
  readonly #reader: LogReader;
  readonly #head: () => Position;
  /** The one used last is the last. */
  readonly #chains: Chain[] = [];
  readonly #recent = new LRUCache<Position, PastState>({ max: RECENT_MAX });
  #last: Promise<unknown> = Promise.resolve();

  /** @param head  of the log, as far as this node knows it */
  constructor(reader: LogReader, head: () => Position) {
    this.#reader = reader;
    this.#head = head;
  }

  /** Whether a state can be had by applying a few records. */
  isNear(position: Position): boolean {
    if (this.#recent.has(position)) return true;
    return this.#chains.some((chain) => {
      const { position: below } = nearest(chain, position) ?? {};
      return below !== undefined && position - below <= STRIDE_MIN;
    });
  }

  /**
   * @throws HistoryTrimmedError  it cannot be rebuilt from what the log still holds
   * @throws UserError  404: it is still to come
   */
  at(position: Position): Promise<PastState> {
    // One at a time: those who ask for neighbouring states share what is kept.
    const state = this.#last.then(() => this.#at(position));
    this.#last = state.catch(() => {});
    return state;
  }

  async #at(position: Position): Promise<PastState> {
    const known = this.#recent.get(position);
    if (known !== undefined) return known;
    if (position > this.#head()) throw noSuchPosition(position, this.#head());
    const chain = await this.#chainFor(position);
    let { position: at, tree } = nearest(chain, position)!;
    let draft = new TreeDraft(tree);
    for await (const { position: next, record } of this.#reader.forwards(at, position)) {
      for (const { operations } of changesOf(record)) for (const operation of operations) run(draft, operation);
      if (record.digest !== draft.digest())
        throw new Error(`the log contradicts itself: its records do not lead to the digest at position ${next}`);
      at = next;
      if (at - chain.kept.at(-1)!.position < chain.stride || chain.kept.length >= KEPT_MAX) continue;
      chain.kept.push({ position: at, tree: draft });
      tree = draft;
      draft = new TreeDraft(draft);
    }
    const state: PastState = { position, tree: draft };
    this.#recent.set(position, state);
    return state;
  }

  async #chainFor(position: Position): Promise<Chain> {
    const reachable = this.#chains.filter((chain) => chain.base.position <= position);
    const best = reachable.reduce<Chain | undefined>(
      (one, other) => (one === undefined || other.base.position > one.base.position ? other : one),
      undefined,
    );
    if (best !== undefined) {
      const below = nearest(best, position)!.position;
      if (position - below <= Math.max(best.stride, FAR)) return this.#use(best);
    }
    const snapshot = await baseFor(this.#reader, position);
    const same = this.#chains.find((chain) => chain.base.position === snapshot.position);
    if (same !== undefined) {
      snapshot.discard();
      return this.#use(same);
    }
    const base = await listSnapshot(snapshot);
    const stride = Math.max(STRIDE_MIN, Math.ceil((this.#head() - base.position) / KEPT_MAX));
    return this.#use({ base, kept: [{ position: base.position, tree: base }], stride });
  }

  #use(chain: Chain): Chain {
    const index = this.#chains.indexOf(chain);
    if (index >= 0) this.#chains.splice(index, 1);
    this.#chains.push(chain);
    if (this.#chains.length > CHAINS_MAX) this.#chains.shift();
    return chain;
  }
}

/** Further than this from what is kept, a newer snapshot is looked for. */
const FAR = 2_000;

function nearest(chain: Chain, position: Position) {
  return chain.kept.findLast((state) => state.position <= position);
}

/** Carries out one step as every node does: what makes no sense does nothing. Bytes are not kept, only their hash. */
export function run(draft: TreeDraft, operation: FileOperation): void {
  try {
    switch (operation.kind) {
      case 'put': {
        const { content, path } = operation;
        const { hash, size } =
          content.kind === 'blob' ? content : { hash: contentHash(content.bytes), size: content.bytes.length };
        draft.put(path, { kind: 'blob', hash, size });
        break;
      }
      case 'delete':
        draft.delete(operation.path);
        break;
      case 'move':
        draft.move(operation.from, operation.to);
        break;
    }
  } catch (error) {
    if (!(error instanceof PathError)) throw error;
  }
}
