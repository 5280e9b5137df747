import type { GroupNode } from '../../log/index.ts';

/**
 * How many records a node has not applied, as far as is known; undefined while it has said nothing.
 *
 * What a node says is up to a heartbeat old. One that was in step then applies what it is sent at once: that counts as applied, or
 * every node would seem to be behind while changes are made.
 */
export function lagOf({ status, sent = 0 }: Pick<GroupNode, 'status' | 'sent'>, head: number): number | undefined {
  if (status === undefined) return undefined;
  const applied = status.state === 'in-step' ? Math.max(status.position, sent) : status.position;
  return Math.max(0, head - applied);
}
