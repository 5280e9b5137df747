import path from 'node:path';
import { type Logger, UserError, VERSION } from '../base/index.ts';
import {
  type BrokerStore,
  type ChangeLog,
  type ClusterSecrets,
  isPostgresUrl,
  type LogFinder,
  openBroker,
  openStore,
  openWebSocketLog,
} from '../log/index.ts';
import type { LogParts } from './open-log.ts';
import type { ServeOptions } from './serve-options.ts';

/** Nodes on a store take over from one that gave no sign of life for so long. */
const LEASE_MS = 5000;
const LOG_PATH = 'cluster/log';

/** The store of `embedded:/mnt/shared/log` and `embedded:postgres://...`, which several nodes name; undefined for any other log. */
export function sharedStore(log: string): string | undefined {
  const [, place = ''] = /^embedded:(.+)$/s.exec(log.trim()) ?? [];
  return place === '' ? undefined : place;
}

/**
 * Opens the store of such a log.
 *
 * @throws UserError | UnavailableError  it cannot be used
 */
export async function openSharedStore(place: string, logger: Logger): Promise<BrokerStore> {
  if (!isPostgresUrl(place) && !path.isAbsolute(place))
    throw new UserError(
      400,
      'unknown-log',
      `--log embedded:${place}: a folder that nodes share is named with its whole path, as in embedded:/mnt/shared/log`,
    );
  return openStore({ place, leaseMs: LEASE_MS, logger });
}

/**
 * Opens a log on a store that several nodes share: each runs a broker at its own port, of which one is active, and all use that one,
 * wherever it is.
 *
 * @throws UserError | UnavailableError  the store cannot be used
 */
export async function openSharedLog(
  place: string,
  options: ServeOptions,
  parts: LogParts,
  secret: ClusterSecrets,
): Promise<ChangeLog> {
  const { door, tls, name, url, logger, closers } = parts;
  const store = await openSharedStore(place, logger);
  const broker = openBroker({
    store,
    name,
    url,
    logUrl: `${url}/${LOG_PATH}`.replace(/^http/, 'ws'),
    version: VERSION,
    server: door.server,
    secret,
    requireClientCertificate: options.requireClientCert,
    logger,
  });
  closers.push(() => broker.close());
  const finder: LogFinder = {
    urls: () => broker.logUrls,
    whyNone: () => `no node is heard of on the store of the log`,
  };
  const log = openWebSocketLog({ url: finder, secret, group: options.group, tls: tls.client, name, logger });
  closers.push(() => log.close());
  return log;
}
