import type { Sending } from './link.ts';

/** How long a node may be away and find in its queue what it missed; after that it takes it from the others. */
const KEPT_MS = 7 * 24 * 3600 * 1000;

/** To the queue of each node. What one that has gone for good does not fetch must not fill the broker's store. */
export function publish(topic: string, body: Uint8Array): Sending {
  return ['SEND', { destination: topic, persistent: 'true', expires: `${Date.now() + KEPT_MS}` }, body];
}

/** Kept by the broker until it has been taken. */
export function sendTo(destination: string, body: Uint8Array): Sending {
  return ['SEND', { destination, persistent: 'true' }, body];
}

/** The broker need not keep it: it is sent again when the broker has been lost. So an append waits for one sync there, not for two. */
export function propose(destination: string, body: Uint8Array): Sending {
  return ['SEND', { destination, persistent: 'false' }, body];
}
