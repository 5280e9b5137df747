import path from 'node:path';
import { type Logger, messageOf, UnavailableError, UserError } from '../base/index.ts';
import {
  type ChangeLog,
  type ClusterSecrets,
  isFolderStore,
  isLogFolder,
  isNatsUrl,
  isPostgresUrl,
  isStompUrl,
  openEmbeddedLog,
  openNatsLog,
  openPostgresLog,
  openWebSocketLog,
  type TlsIdentity,
} from '../log/index.ts';
import { nodeFileSystem, type Position, recordedLogId } from '../tree/index.ts';
import { withoutSecrets } from './serve/keys.ts';

export interface NamedLogOptions {
  readonly group: string;
  /** Asked for where the nodes of a cluster know each other by its secret. */
  readonly secret: () => ClusterSecrets;
  readonly tls: () => TlsIdentity;
  /** Who opens it, for the servers' lists. */
  readonly name: string;
  readonly logger: Logger;
}

/** `embedded:/srv/data/cluster/log` is the log in that folder, which no process may have open. */
const IN_FOLDER = /^embedded:(.+)$/;
const REACH_MS = 5_000;
const PAUSE_MS = 200;

/**
 * Opens a log by its URL, as somebody who is no node: one that is in a folder, or one that others keep.
 *
 * @throws UserError  the URL is none of a log
 */
export async function openNamedLog(url: string, options: NamedLogOptions): Promise<ChangeLog> {
  const { group, tls, name, logger } = options;
  const folder = IN_FOLDER.exec(url)?.[1];
  if (folder !== undefined) return openInFolder(path.resolve(folder), group);
  if (isNatsUrl(url)) return openNatsLog({ url, group, tls, name, logger });
  if (isPostgresUrl(url)) return openPostgresLog({ url, group, logger });
  if (isStompUrl(url))
    throw new UserError(
      400,
      'log-in-nodes',
      `${withoutSecrets(url)}: the log on ActiveMQ is kept by its nodes. Name one of them, ws://host:port; or, to copy into it, ` +
        'embedded:FOLDER with the folder cluster/log-copy of the node that moves first',
    );
  if (/^(?:wss?:\/\/|failover:\()/.test(url))
    return openWebSocketLog({ url, secret: options.secret(), group, tls, name, logger });
  throw new UserError(
    400,
    'unknown-log',
    `${withoutSecrets(url)} names no log: write embedded:FOLDER with the folder cluster/log of a node that is stopped, ` +
      'ws://host:port, failover:(ws://a:port,ws://b:port), postgres://user@host/database or nats://host:port',
  );
}

/**
 * Waits a little for a log to answer.
 *
 * @returns its head
 * @throws UnavailableError  it does not; with its URL, and why
 */
export async function whenReached(log: ChangeLog, url: string): Promise<Position> {
  const deadlineMs = performance.now() + REACH_MS;
  for (;;) {
    try {
      return await log.head();
    } catch (error) {
      const isHopeless = !(error instanceof UnavailableError) || error.code === 'log-refused';
      if (isHopeless || performance.now() > deadlineMs)
        throw new UnavailableError('log-unreachable', withoutSecrets(`${url}: ${messageOf(error)}`), { cause: error });
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** A folder that is misspelt, or is no node's, is not made into a log that nobody reads. */
async function openInFolder(folder: string, group: string): Promise<ChangeLog> {
  if (isFolderStore(folder) || isFolderStore(path.resolve(folder, '../..')))
    throw new UserError(
      400,
      'log-of-brokers',
      `nodes or brokers share the folder ${folder}: name one of them, ws://host:port, or start one for this, graticule broker --store ${folder}`,
    );
  if (!isLogFolder(folder) && !isClusterFolder(path.dirname(folder)))
    throw new UserError(
      404,
      'no-folder',
      `${folder} is not the log of a node: that is the folder cluster/log of one that belongs to the cluster (with ActiveMQ, cluster/log-copy); a folder that nodes or brokers are to share is written by one of them, ws://host:port`,
    );
  return openEmbeddedLog({ folder, group });
}

function isClusterFolder(folder: string): boolean {
  return recordedLogId(nodeFileSystem, folder) !== undefined;
}
