import path from 'node:path';
import { type Logger, messageOf, systemClock, UserError, VERSION } from '../../base/index.ts';
import { type ClusterNode, openNode, RefusedError } from '../../cluster/index.ts';
import type { DataAccess } from '../../data/index.ts';
import type { ChangeLog } from '../../log/index.ts';
import type { Renderer } from '../../render/index.ts';
import type { ClusterSettings } from '../../rest/index.ts';
import { type Door, type RunningServer, startServer } from '../../server/index.ts';
import { StateFileError } from '../../tree/index.ts';
import type { DirectoryLock } from '../directory-lock.ts';
import { DISCOVERED_LOG } from '../find-log.ts';
import { openLog } from '../open-log.ts';
import type { ServeOptions } from '../serve-options.ts';
import type { NodeTls } from '../tls.ts';
import { withoutSecrets } from './keys.ts';

/** Folder for uploads while they are looked at, in the node's own. */
export const UPLOADS = 'uploads';

/** What stays when the node is opened again. */
export interface Host {
  readonly door: Door;
  readonly tls: NodeTls;
  readonly data: DataAccess;
  readonly renderer: Renderer;
  /** Absolute. */
  readonly dataDir: string;
  readonly clusterDir: string;
  /** Base URL that others reach this process at. */
  readonly url: string;
  readonly logger: Logger;
  readonly adminPassword?: string;
  /** On the data directory; taken by a node that writes there. */
  readonly lock: DirectoryLock;
}

/** Options of a node that has a name. */
export type NodeOptions = ServeOptions & { readonly name: string };

/** A log that is open. */
export interface OpenLog {
  /** Two with the same key are the same log, opened the same way. */
  readonly key: string;
  readonly log: ChangeLog;
  close(): Promise<void>;
}

export function logKey(options: NodeOptions): string {
  const isEmbedded = /^embedded:?$/.test(options.log);
  // Other nodes hear the name of one that connects; a log of one's own has no use for it.
  return JSON.stringify([
    isEmbedded ? 'embedded:' : options.log,
    options.group,
    options.topicName,
    options.secretFile,
    options.discovery === 'multicast' && [options.discoveryAddress, options.discoveryInterface],
    isEmbedded || options.log === DISCOVERED_LOG || options.name,
  ]);
}

/** @throws UserError | UnavailableError  the URL is none of a log, there is no secret, the folder is in use, ... */
export async function openLogOf(options: NodeOptions, host: Host): Promise<OpenLog> {
  const closers: (() => Promise<unknown> | unknown)[] = [];
  const close = async () => {
    for (const each of closers.splice(0).toReversed()) await each();
  };
  try {
    const { door, tls, clusterDir, url, logger } = host;
    const log = await openLog(options, { door, tls, clusterDir, name: options.name, url, logger, closers });
    return { key: logKey(options), log, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A node that takes part in its cluster, and the services that the door leads to. */
export interface RunningNode {
  readonly node: ClusterNode;
  readonly server: RunningServer;
}

/**
 * Opens a node on a log, and gives it the door.
 *
 * @param live  what is asked anew at every request
 * @throws UserError  409: the directory and the log do not belong together
 */
export async function openRunningNode(
  options: NodeOptions,
  log: ChangeLog,
  host: Host,
  live: { readonly settings: ClusterSettings; forwardWrites(): boolean },
): Promise<RunningNode> {
  const { door, data, renderer, dataDir, clusterDir, url, logger } = host;
  const { name, role, group, readOnly, onDrift, onAhead, retainRecords } = options;
  // Whoever wrote the directory until now lets another node do so.
  if (readOnly) host.lock.release();
  else await host.lock.take(name, logger);
  const steering = { group, readOnly, onDrift, onAhead, retainRecords };
  const node = await openNode({
    dataDir,
    clusterDir,
    name,
    url,
    role,
    version: VERSION,
    log,
    logUrl: withoutSecrets(options.log),
    clock: systemClock,
    random: Math.random,
    logger,
    adopt: options.adopt ?? false,
    snapshotEveryRecords: options.snapshotEvery,
    ...steering,
  }).catch((error: unknown) => {
    if (error instanceof RefusedError || error instanceof StateFileError)
      throw new UserError(409, 'node-refused', error.message, { cause: error });
    throw error;
  });
  try {
    const server = await startServer({
      door,
      node,
      data,
      renderer,
      clock: systemClock,
      random: Math.random,
      logger,
      ownUrl: url,
      adminPassword: host.adminPassword,
      proxyBaseUrl: options.proxyBaseUrl,
      trustProxy: options.trustProxy,
      cors: options.cors,
      tempDir: path.join(clusterDir, UPLOADS),
      uploadBytesMax: options.uploadBytesMax,
      settings: live.settings,
      forwardWrites: live.forwardWrites,
    });
    return { node, server };
  } catch (error) {
    await node.close().catch((problem) => logger.error('close-failed', { reason: messageOf(problem) }));
    throw error;
  }
}
