import path from 'node:path';
import { type Clock, type Logger, messageOf } from '../base/index.ts';
import { Catalog } from '../catalog/index.ts';
import type { ChangeLog } from '../log/index.ts';
import { type ContentHash, type FileSystem, nodeFileSystem, ReadOnlyStore, TreeStore } from '../tree/index.ts';
import { fetchBlob } from './blobs.ts';
import { CatalogCache } from './catalog-cache.ts';
import { Divergences } from './divergences.ts';
import { Joining, type OnAhead, type OnDrift } from './join.ts';
import { LogLink } from './link.ts';
import { Node } from './node.ts';
import { RefusedError } from './origin.ts';
import type { ClusterNode, Role } from './types.ts';

const SNAPSHOT_EVERY_RECORDS = 10_000;
const RETAIN_RECORDS = 100_000;

export interface OpenNodeOptions {
  /** The data directory; made when it is not there. */
  readonly dataDir: string;
  /** The node's own folder: its position, and what was moved aside. Default: `cluster` in the data directory. */
  readonly clusterDir?: string;
  /** Unique and stable in the cluster. */
  readonly name: string;
  /** Base URL of the node's HTTP service, with the context path. */
  readonly url: string;
  readonly role: Role;
  readonly version: string;
  /** The log, which the caller closes; or how to reach it, tried until it succeeds, and closed with the node. */
  readonly log: ChangeLog | (() => Promise<ChangeLog>);
  /** Where the log is, for people; without secrets. */
  readonly logUrl: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** Take the cluster's state even if this directory holds another one, which is moved aside then. Default: refuse. */
  readonly adopt?: boolean;
  /**
   * Another node writes the data directory, which is shared: this one follows in memory, and changes nothing in it. It needs a
   * `clusterDir` of its own. Default: false.
   */
  readonly readOnly?: boolean;
  /** Files that were changed by hand while the node was down. Default: `publish`. */
  readonly onDrift?: OnDrift;
  /** A log that has lost what this node holds. Default: `refuse`. */
  readonly onAhead?: OnAhead;
  /** A primary puts a snapshot into the log after so many records. Default: 10,000. */
  readonly snapshotEveryRecords?: number;
  /**
   * So many records below a snapshot stay in the log, for history and for nodes that come back; older ones are removed. More
   * stay while a node that is heard of has still to apply them. Default: 100,000.
   */
  readonly retainRecords?: number;
  /**
   * What was read from files is kept in the node's own folder when the next start would have to read so many. Default: 1000
   * files.
   */
  readonly keepCachesFrom?: number;
  /** Default: the real one. */
  readonly system?: FileSystem;
}

const KEEP_CACHES_FROM = 1000;

/**
 * Opens a data directory as a node of a cluster. Resolves when the node has joined, or when it is clear that it cannot now:
 * without the log it serves what it has, says so in its status, and catches up when the log comes.
 *
 * @throws RefusedError    the directory and the log do not belong together; the text says what to do
 * @throws StateFileError  the node's own state cannot be understood
 */
export async function openNode(options: OpenNodeOptions): Promise<ClusterNode> {
  const { log, clock, random, logger, name, role, version, url, logUrl } = options;
  const dataDir = path.resolve(options.dataDir);
  const clusterDir = path.resolve(options.clusterDir ?? path.join(dataDir, 'cluster'));
  const readOnly = options.readOnly ?? false;
  if (readOnly && clusterDir === path.join(dataDir, 'cluster'))
    throw new RefusedError(
      `a read-only node needs a cluster folder of its own, and ${clusterDir} is that of the node that writes the data ` +
        'directory: set CLUSTER_CONFIG_DIR (or `--cluster-dir`) to another folder, for example `cluster/NAME`',
    );
  const startedMs = clock.monotonicMs();
  const link = new LogLink({ log, clock, logger });
  const system = options.system ?? nodeFileSystem;
  const keepCachesFrom = options.keepCachesFrom ?? KEEP_CACHES_FROM;
  const file = `${clusterDir}/cache/catalog`;
  const catalogCache = new CatalogCache({ system, file, clock, logger, worthFiles: keepCachesFrom });
  // While the files are being looked at in another thread.
  const reading = catalogCache.read();
  const storeOptions = {
    clusterDir,
    clock,
    system,
    fetchBlob: (hash: ContentHash, from: number) => fetchBlob(link.get(), hash, from),
    onTrouble: (reason: string | undefined) =>
      reason === undefined ? logger.info('disk-recovered') : logger.error('disk-failed', { reason }),
  };
  const store = readOnly
    ? await ReadOnlyStore.open(dataDir, storeOptions)
    : await TreeStore.open(dataDir, { ...storeOptions, keepHashesFrom: keepCachesFrom });
  for (const { path: file, reason, message } of store.skipped) logger.warn('file-skipped', { file, reason, message });
  const scannedMs = clock.monotonicMs();
  const catalog = await Catalog.open(store.tree, await reading);
  // (What follows in memory begins with an empty tree, to which a cache is of no use.)
  if (!readOnly) catalogCache.keep(catalog);
  logger.info(readOnly ? 'read-only' : 'directory-read', {
    dataDir,
    files: store.tree.files,
    position: store.tree.position,
    scanMs: Math.round(scannedMs - startedMs),
    catalogMs: Math.round(clock.monotonicMs() - scannedMs),
  });
  for (const { path: file, problem } of catalog.broken()) logger.warn('file-broken', { file, problem });

  const divergences = new Divergences({
    system,
    file: `${clusterDir}/divergences.json`,
    clock,
    logger,
  });
  const joining = new Joining({
    name,
    store,
    catalog,
    clusterDir,
    logUrl,
    adopt: options.adopt ?? false,
    onDrift: options.onDrift ?? 'publish',
    onAhead: options.onAhead ?? 'refuse',
    divergences,
    clock,
    random,
    logger,
  });
  const node = new Node({
    name,
    url,
    role,
    version,
    logUrl,
    clock,
    random,
    logger,
    link,
    store,
    catalog,
    catalogCache,
    joining,
    divergences,
    snapshotEveryRecords: options.snapshotEveryRecords ?? SNAPSHOT_EVERY_RECORDS,
    retainRecords: options.retainRecords ?? RETAIN_RECORDS,
  });
  try {
    await node.start();
  } catch (error) {
    await node.close().catch((problem) => logger.warn('close-failed', { reason: messageOf(problem) }));
    throw error;
  }
  return node;
}
