import path from 'node:path';
import { type Logger, UserError } from '../base/index.ts';
import {
  type ChangeLog,
  type ClusterSecrets,
  isNatsUrl,
  isPostgresUrl,
  isStompUrl,
  type LogFinder,
  openEmbeddedLog,
  openNatsLog,
  openPostgresLog,
  openStompLog,
  openWebSocketLog,
  serveLog,
} from '../log/index.ts';
import type { Door } from '../server/index.ts';
import { DISCOVERED_LOG, findLog, holdsLogAlready } from './find-log.ts';
import { clusterSecrets } from './secret.ts';
import { withoutSecrets } from './serve/keys.ts';
import type { ServeOptions } from './serve-options.ts';
import { openSharedLog, sharedStore } from './shared-log.ts';
import type { NodeTls } from './tls.ts';

export interface LogParts {
  readonly door: Door;
  readonly tls: NodeTls;
  readonly clusterDir: string;
  readonly name: string;
  /** Base URL of the node's HTTP service. */
  readonly url: string;
  readonly logger: Logger;
  /** What is opened here puts its end at the end of these. */
  readonly closers: (() => Promise<unknown> | unknown)[];
}

/** Opens the log that the URL names; one that this process holds is offered to the other nodes at the node's own port. */
export async function openLog(options: ServeOptions, parts: LogParts): Promise<ChangeLog> {
  const { door, tls, clusterDir, name, url, logger, closers } = parts;
  if (isNatsUrl(options.log)) return openOnNats(options, parts);
  // There the nodes do not know each other by a secret: who has the right to the tables is of the cluster.
  if (isPostgresUrl(options.log) && options.discovery !== 'multicast')
    return openInPostgres(options.log, options, parts);
  const shared = sharedStore(options.log);
  const isSharedFolder = shared !== undefined && !isPostgresUrl(shared);
  const secrets = clusterSecrets({
    given: process.env.GRATICULE_CLUSTER_SECRET,
    file: options.secretFile,
    // Who shares the folder of a log shares its secret.
    clusterDir: isSharedFolder ? shared : clusterDir,
    holdsLog:
      isSharedFolder || isEmbedded(options.log) || (options.log === DISCOVERED_LOG && holdsLogAlready(clusterDir)),
    logger,
  });
  const reread = () => {
    void secrets.accepted;
    tls.reread();
  };
  process.on('SIGHUP', reread);
  closers.push(() => process.off('SIGHUP', reread));
  if (options.discovery !== 'multicast') return openAt(options.log, options, parts, secrets);

  const stopping = new AbortController();
  closers.push(() => stopping.abort());
  const found = await findLog(options, {
    clusterDir,
    name,
    url,
    secrets,
    logger,
    signal: stopping.signal,
    onWait: (reason) => door.explainStart(`discovery in the group ${options.group}: ${reason}`),
  });
  door.explainStart('the node is opening its data directory');
  closers.push(() => found.close());
  const log = await openAt(found.log, options, parts, secrets);
  if (isEmbedded(found.log)) found.announce(log);
  return log;
}

/** Its servers say who may come in, and all nodes have its address: neither the cluster's secret nor discovery has a part in it. */
function openOnNats(options: ServeOptions, { tls, name, logger, closers }: LogParts): ChangeLog {
  const { log: url, group } = options;
  if (options.discovery === 'multicast')
    logger.warn('setting-without-effect', { key: 'discovery', reason: 'the log is on NATS, whose servers are named' });
  const reread = () => tls.reread();
  process.on('SIGHUP', reread);
  closers.push(() => process.off('SIGHUP', reread));
  const log = openNatsLog({ url, group, tls: tls.client, name, logger });
  closers.push(() => log.close());
  return log;
}

async function openAt(
  place: string | LogFinder,
  options: ServeOptions,
  parts: LogParts,
  secret: ClusterSecrets,
): Promise<ChangeLog> {
  const { door, tls, clusterDir, name, logger, closers } = parts;
  const { group } = options;
  if (isEmbedded(place)) {
    const log = await openEmbeddedLog({ folder: path.join(clusterDir, 'log'), group });
    closers.push(() => log.close());
    const service = serveLog({
      server: door.server,
      log,
      secret,
      group,
      requireClientCertificate: options.requireClientCert,
      logger,
    });
    closers.push(() => service.close());
    return log;
  }
  const shared = typeof place === 'string' ? sharedStore(place) : undefined;
  if (shared !== undefined) return openSharedLog(shared, options, parts, secret);
  if (typeof place === 'string' && isPostgresUrl(place)) return openInPostgres(place, options, parts);
  if (typeof place === 'string' && isStompUrl(place)) return openOnActiveMq(place, options, parts, secret);
  if (typeof place === 'string' && !/^(?:wss?:\/\/|failover:\()/.test(place))
    throw new UserError(
      400,
      'unknown-log',
      `--log ${withoutSecrets(place)}: this is no log that can be followed; use embedded:, embedded:/shared/folder, ws://host:port, failover:(ws://a:port,ws://b:port), postgres://user@host/database, nats://host:port or stomp://host:port`,
    );
  const log = openWebSocketLog({ url: place, secret, group, tls: tls.client, name, logger });
  closers.push(() => log.close());
  return log;
}

function openInPostgres(url: string, { group }: ServeOptions, { logger, closers }: LogParts): ChangeLog {
  const log = openPostgresLog({ url, group, logger });
  closers.push(() => log.close());
  return log;
}

/** Its broker carries the records; what else there is, the nodes get from each other, at their own ports. */
async function openOnActiveMq(
  place: string,
  options: ServeOptions,
  { door, tls, clusterDir, name, url, logger, closers }: LogParts,
  secret: ClusterSecrets,
): Promise<ChangeLog> {
  const { group, topicName } = options;
  const log = await openStompLog({
    url: place,
    topicName,
    group,
    name,
    folder: path.join(clusterDir, 'log-copy'),
    exchange: {
      secret,
      offer: {
        server: door.server,
        url: `${url.replace(/^http/, 'ws')}/cluster/log`,
        requireClientCertificate: options.requireClientCert,
      },
    },
    tls: tls.client,
    logger,
  });
  closers.push(() => log.close());
  return log;
}

function isEmbedded(place: string | LogFinder): boolean {
  return place === 'embedded:' || place === 'embedded';
}
