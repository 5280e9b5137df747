import { type Clock, type Logger, silentLogger, systemClock } from '../../base/index.ts';
import { isPostgresUrl } from '../postgres/index.ts';
import { openFolderStore } from './folder/store.ts';
import { openPostgresStore } from './postgres/store.ts';
import type { BrokerStore } from './store.ts';

export { type BrokerOptions, openBroker, type RunningBroker } from './broker.ts';
export { isFolderStore } from './folder/store.ts';
export type { SessionStore } from './sessions.ts';
export type { BrokerStore } from './store.ts';
export type * from './types.ts';

export interface StoreOptions {
  /** A folder, absolute, or `postgres://user@host/database`. */
  readonly place: string;
  /** An active broker that gave no sign of life for so long has lost the store, in milliseconds. */
  readonly leaseMs: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** A node is forgotten that was not heard of for so long. */
  readonly peerTtlMs?: number;
}

/**
 * Opens the store that a place names.
 *
 * @throws UserError         it cannot be one
 * @throws UnavailableError  it cannot be used now
 */
export async function openStore(options: StoreOptions): Promise<BrokerStore> {
  const { place, clock = systemClock, logger = silentLogger } = options;
  if (isPostgresUrl(place)) return openPostgresStore({ ...options, clock, logger, url: place });
  return openFolderStore({ ...options, clock, logger, folder: place });
}
