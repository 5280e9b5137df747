import type { BrokerState, BrokerStatus } from '../../log/index.ts';

/** What a probe is told. */
export interface BrokerHealth {
  readonly status: 'ready' | 'starting' | 'stopping';
  readonly broker: string;
  readonly state: BrokerState;
  /** ISO 8601: when that state began. */
  readonly since: string;
  /** Of the active one. */
  readonly term?: number;
  /** Why it waits. */
  readonly reason?: string;
  /** What somebody should look after soon. */
  readonly warning?: string;
  /** Base URL of the console of the active broker, where that is known. */
  readonly active?: string;
}

/**
 * Whether a broker is well, and whether it is the one that serves the logs. One that waits is well: it is there to take over, and is
 * not to be restarted for waiting.
 */
export function brokerHealth(
  { name, state, since, term, reason, room, brokers }: BrokerStatus,
  stopping: boolean,
): { readonly ready: boolean; readonly active: boolean; readonly health: BrokerHealth } {
  const status = stopping || state === 'stopping' ? 'stopping' : state === 'starting' ? 'starting' : 'ready';
  const active = brokers.find((each) => each.state === 'active')?.url;
  return {
    ready: status === 'ready',
    active: status === 'ready' && state === 'active',
    health: {
      status,
      broker: name,
      state,
      since,
      ...(state === 'active' && { term }),
      ...(reason && { reason }),
      ...(room.warning && { warning: room.warning }),
      ...(active && { active }),
    },
  };
}
