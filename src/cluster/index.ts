export { RefusedError } from './join.ts';
export { type OpenNodeOptions, openNode } from './open.ts';
export {
  type ClusterNode,
  type NodeReport,
  NotPrimaryError,
  type Origin,
  type Role,
  type WriteRequest,
  type Written,
} from './types.ts';
