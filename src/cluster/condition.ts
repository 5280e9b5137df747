import type { NodeState } from '../log/index.ts';
import type { Position } from '../tree/index.ts';
import type { Role } from './types.ts';

/** Everything that decides how a node is. */
export interface Facts {
  readonly role: Role;
  /** The tree is the cluster's as of `position`, and the log is the one that it belongs to. */
  readonly joined: boolean;
  /** The tree is one that the cluster had: good enough to serve from while the log is away. */
  readonly holdsState: boolean;
  /** Why it has not joined yet. */
  readonly waitingFor?: string;
  /** Why the log does not answer. */
  readonly unreachable?: string;
  /** Why the record after `position` could not be applied when that was last tried. */
  readonly obstacle?: string;
  /** Why this node must not go on. */
  readonly halted?: string;
  /** Why nothing more is written to disk. */
  readonly diskFailure?: string;
  readonly position: Position;
  /** The log's head as last heard of. */
  readonly head: Position;
}

/** The worst that is true of a node, and why. */
export function conditionOf(facts: Facts): { readonly state: NodeState; readonly reason?: string } {
  if (facts.halted !== undefined) return { state: 'stopped', reason: facts.halted };
  if (facts.diskFailure !== undefined)
    return { state: 'stopped', reason: `changes cannot be written to disk: ${facts.diskFailure}` };
  if (facts.role === 'paused')
    return { state: 'paused', reason: 'this node does not follow the log until it is given another role' };
  if (!facts.joined && !(facts.holdsState && facts.unreachable !== undefined))
    return { state: 'starting', reason: facts.unreachable ?? facts.waitingFor ?? 'joining the cluster' };
  if (facts.unreachable !== undefined) return { state: 'stale', reason: facts.unreachable };
  if (facts.head > facts.position) {
    const left = `${facts.head - facts.position} records are still to be applied`;
    return { state: 'behind', reason: facts.obstacle === undefined ? left : `${left}: ${facts.obstacle}` };
  }
  return { state: 'in-step' };
}
