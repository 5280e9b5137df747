/** What makes trouble: one fault after the other, several at once, at random by the run's seed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/base/index.ts';
import type { Board } from './board.ts';
import { type FaultCluster, readsAgain } from './cluster.ts';
import { HandEdits } from './hand-edits.ts';
import type { FaultNode } from './node.ts';
import type { Network } from './proxy.ts';
import type { Random } from './random.ts';

export const FAULT_KINDS = [
  'kill',
  'kill-log',
  'freeze',
  'freeze-log',
  'terminate',
  'terminate-log',
  'cut',
  'refuse',
  'hole',
  'half-hole',
  'slow',
  'disk-full',
  'log-disk-full',
  'wipe',
  'hand-edit',
  'kill-server',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

const AT_ONCE_MAX = 3;
/** A node that is not in step so long after a fault is left to the next one. */
const RECOVERY_MS_MAX = 20_000;

export interface NemesisOptions {
  readonly cluster: FaultCluster;
  readonly board: Board;
  readonly random: Random;
  /** Longest time between the beginnings of two faults, and longest fault, in milliseconds. */
  readonly pauseMsMax: number;
  readonly lengthMsMax: number;
  /** Default: all that this machine allows. */
  readonly kinds?: readonly FaultKind[];
}

export class Nemesis {
  readonly #options: NemesisOptions;
  readonly #edits: HandEdits;
  readonly #busy = new Set<FaultNode>();
  readonly #running = new Set<Promise<void>>();
  /** Faults of the log that have begun, and that are in force: what comes into the recovery of a follower. */
  #logFaults = 0;
  #logFaultsNow = 0;

  constructor(options: NemesisOptions) {
    this.#options = options;
    this.#edits = new HandEdits(options.board);
  }

  get edits(): HandEdits {
    return this.#edits;
  }

  /** Faults that are in force now. */
  get underWay(): number {
    return this.#running.size;
  }

  /** Until the signal is aborted; then everything is mended. */
  async run(signal: AbortSignal): Promise<void> {
    const { random, pauseMsMax } = this.#options;
    let bag: FaultKind[] = [];
    while (!signal.aborted) {
      await sleep(random.between(pauseMsMax / 4, pauseMsMax), undefined, { signal }).catch(() => {});
      if (signal.aborted || this.#running.size >= AT_ONCE_MAX) continue;
      // Every kind comes before any comes again.
      if (bag.length === 0) bag = random.shuffled(this.#kinds());
      const kind = bag.find((each) => this.#candidates(each).length > 0);
      if (kind === undefined) continue;
      bag.splice(bag.indexOf(kind), 1);
      const node = random.pick(this.#candidates(kind));
      const running = this.#inflict(kind, node, signal);
      this.#running.add(running);
      void running.finally(() => this.#running.delete(running));
    }
    await Promise.all(this.#running);
  }

  /** Starts whoever does not run, and mends disks and networks. */
  async healAll(): Promise<void> {
    const { cluster } = this.#options;
    for (const node of cluster.nodes) {
      node.resume();
      node.parts.disk?.free();
      if (node.parts.network) node.parts.network.state = { kind: 'fine' };
      if (!node.running) node.start();
    }
    await Promise.all(cluster.nodes.map((node) => node.ready()));
  }

  /** The kinds that this machine and this engine allow. */
  #kinds(): readonly FaultKind[] {
    const { cluster, kinds = FAULT_KINDS } = this.#options;
    return kinds.filter((kind) => {
      // These come by the clock: see `killServers`.
      if (kind === 'kill-server') return false;
      // A kind that never finds a node would be the last in the bag for ever.
      if (kind.includes('log') && cluster.holder === undefined) return false;
      if (kind === 'disk-full' || kind === 'log-disk-full') return cluster.hasSmallDisks;
      return true;
    });
  }

  #candidates(kind: FaultKind): readonly FaultNode[] {
    const { cluster } = this.#options;
    const free = cluster.nodes.filter((node) => node.up && !this.#busy.has(node));
    const { holder } = cluster;
    const followers = free.filter((node) => node !== holder);
    switch (kind) {
      case 'kill-log':
      case 'freeze-log':
      case 'terminate-log':
        return free.filter((node) => node === holder);
      case 'log-disk-full':
        return free.filter((node) => node === holder && node.parts.disk !== undefined);
      case 'disk-full':
        return followers.filter((node) => node.parts.disk !== undefined);
      case 'hand-edit':
        return free;
      default:
        return followers;
    }
  }

  async #inflict(kind: FaultKind, node: FaultNode, signal: AbortSignal): Promise<void> {
    const { board, cluster, random, lengthMsMax } = this.#options;
    const isOfLog = node === cluster.holder;
    // Without the log nothing is written, so that there is less to go wrong.
    const mostMs = isOfLog ? lengthMsMax / 2 : lengthMsMax;
    const lengthMs = random.between(mostMs / 8, mostMs) * (random.chance(0.1) ? 2 : 1);
    this.#busy.add(node);
    if (isOfLog) {
      this.#logFaults++;
      this.#logFaultsNow++;
    }
    board.fault(kind, node.name, { lengthMs: Math.round(lengthMs) });
    node.note(`fault: ${kind}, for ${Math.round(lengthMs)} ms`);
    try {
      const mend = await this.#begin(kind, node);
      if (mend === undefined) return;
      await sleep(lengthMs, undefined, { signal }).catch(() => {});
      node.note(`mended: ${kind}`);
      const mendedMs = board.nowMs;
      const logFaults = this.#logFaults;
      const isAlone = isOfLog || this.#logFaultsNow === 0;
      await mend();
      if (!(await readsAgain(node, { timeoutMs: RECOVERY_MS_MAX, signal }))) return;
      node.isEmpty = false;
      const tookMs = board.nowMs - mendedMs;
      const undisturbed = isAlone && logFaults === this.#logFaults;
      board.tell({ recovered: kind, node: node.name, tookMs, undisturbed });
      if (undisturbed) board.recoveries.push({ fault: kind, node: node.name, tookMs });
    } catch (error) {
      if (!signal.aborted || node !== cluster.holder)
        board.violate('not-recovered', `${kind} of ${node.name}: ${messageOf(error)}`);
    } finally {
      this.#busy.delete(node);
      if (isOfLog) this.#logFaultsNow--;
    }
  }

  /** @returns how it ends; undefined: it has ended already */
  async #begin(kind: FaultKind, node: FaultNode): Promise<(() => Promise<void>) | undefined> {
    const { random } = this.#options;
    const again = async () => {
      node.start();
      await node.ready();
    };
    const network = (state: Network) => {
      node.parts.network!.state = state;
      return async () => {
        node.parts.network!.state = { kind: 'fine' };
      };
    };
    switch (kind) {
      case 'kill':
      case 'kill-log':
        await node.kill();
        return again;
      case 'terminate':
      case 'terminate-log':
        await node.terminate();
        return again;
      case 'wipe':
        await node.kill();
        node.wipe();
        return again;
      case 'freeze':
      case 'freeze-log':
        node.freeze();
        return async () => node.resume();
      case 'cut':
        node.parts.network!.cut();
        return async () => {};
      case 'refuse':
        return network({ kind: 'refuse' });
      case 'hole':
        return network({ kind: 'hole', direction: 'both' });
      case 'half-hole':
        return network({ kind: 'hole', direction: random.pick(['up', 'down']) });
      case 'slow':
        return network({ kind: 'slow', delayMs: random.between(50, 600) });
      case 'disk-full':
      case 'log-disk-full':
        await node.parts.disk!.fill();
        return async () => node.parts.disk!.free();
      case 'kill-server':
        return undefined;
      case 'hand-edit':
        await this.#edits.edit(node, random);
        return undefined;
    }
  }
}
