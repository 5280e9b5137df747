export type { Divergence } from './divergences.ts';
export * from './history/index.ts';
export type { OnAhead, OnDrift } from './join.ts';
export { type OpenNodeOptions, openNode } from './open.ts';
export { RefusedError } from './origin.ts';
export type { StagedFile } from './staging.ts';
export {
  type ClusterNode,
  type NodeCounts,
  type NodeReport,
  NotPrimaryError,
  type Origin,
  type Reloaded,
  type Role,
  type WriteRequest,
  type Written,
} from './types.ts';
