import type { NodeReport } from '../cluster/index.ts';

/** What a probe is told. */
export interface Health {
  readonly status: 'ready' | 'degraded' | 'starting' | 'stopping';
  readonly node: string;
  readonly role: NodeReport['role'];
  readonly state: NodeReport['state'];
  /** ISO 8601: when that state began. */
  readonly since: string;
  /** Why it is not simply ready. */
  readonly reason?: string;
  readonly position: number;
  readonly head: number;
  /** Records behind the head. */
  readonly lag: number;
  readonly lagSeconds: number;
}

/**
 * Whether traffic should come here. A node that is behind, or cannot reach the log, goes on serving maps from what it has: it
 * is `degraded`, with a reason, and answers 200. Otherwise a lost log would take all nodes out of the load balancer.
 */
export function healthOf(
  report: NodeReport,
  stopping: boolean,
): { readonly httpStatus: 200 | 503; readonly health: Health } {
  // A node that must not go on before it has taken the cluster's state has nothing to serve.
  const hasNothing = report.state === 'starting' || (report.state === 'stopped' && report.position === 0);
  const status = stopping
    ? 'stopping'
    : hasNothing
      ? 'starting'
      : report.state === 'in-step' || report.state === 'paused'
        ? 'ready'
        : 'degraded';
  return {
    httpStatus: status === 'ready' || status === 'degraded' ? 200 : 503,
    health: {
      status,
      node: report.name,
      role: report.role,
      state: report.state,
      since: report.since,
      reason: stopping ? 'the node is being stopped' : report.reason,
      position: report.position,
      head: report.head,
      lag: Math.max(0, report.head - report.position),
      lagSeconds: report.lagSeconds,
    },
  };
}
