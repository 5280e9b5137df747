import { mkdirSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { openDataAccess } from '../data/index.ts';
import { createRenderer } from '../render/index.ts';
import { CONTEXT_PATH, openDoor, openLogger, urlHost } from '../server/index.ts';
import { DirectoryLock } from './directory-lock.ts';
import { clusterFolder } from './serve/cluster-folder.ts';
import { type Closer, stopOnSignals, tellingParent, tellParent } from './serve/process.ts';
import { UPLOADS } from './serve/running-node.ts';
import { Steering } from './serve/steering.ts';
import type { ServeOptions } from './serve-options.ts';
import { openTls } from './tls.ts';

export type { NodeMessage } from './serve/process.ts';

/** Requests under way get this long when the process ends. */
const DRAIN_MS = 6_000;

/** How an option was given, if it was. */
export type SourceOf = (option: string) => 'command line' | 'environment' | undefined;

/** Runs a node until a signal ends it. Options that were not given come from `cluster.properties`. */
export async function serve(given: ServeOptions, sourceOf: SourceOf): Promise<void> {
  const startedAt = performance.now();
  const dataDir = path.resolve(given.dataDir);
  const clusterDir = clusterFolder(given, sourceOf('clusterDir'));
  mkdirSync(dataDir, { recursive: true });

  const loggerOf = (node: string) =>
    openLogger({ level: given.logLevel, format: given.logFormat ?? (process.stdout.isTTY ? 'text' : 'json'), node });
  let current = loggerOf(given.name ?? hostname());
  const logger = tellingParent(() => current);
  const closers: Closer[] = [];
  const stop = stopOnSignals(logger, closers);

  const tls = openTls(given, logger);
  const door = await openDoor({ port: given.port, host: given.host, tls: tls.door });
  closers.push(() => door.close(DRAIN_MS));
  const scheme = door.encrypted ? 'https' : 'http';
  const url = given.url ?? `${scheme}://${publicHost(given.host)}:${door.port}${CONTEXT_PATH}`;
  logger.info('listening', { port: door.port, dataDir, pid: process.pid });

  const cacheDir = path.join(clusterDir, 'cache');
  mkdirSync(cacheDir, { recursive: true });
  // What a run left behind that was killed.
  const uploads = path.join(clusterDir, UPLOADS);
  rmSync(uploads, { recursive: true, force: true });
  mkdirSync(uploads, { recursive: true });
  const data = openDataAccess({ dataDir, cacheDir, logger });
  closers.push(() => data.close());
  const renderer = createRenderer({ children: given.renderProcesses, cacheDir, logger });
  closers.push(() => renderer.close());
  const adminPassword = process.env.GEOSERVER_ADMIN_PASSWORD || undefined;
  const lock = new DirectoryLock(dataDir);
  closers.push(() => lock.release());
  const steering = await Steering.open({
    host: { door, tls, data, renderer, dataDir, clusterDir, url, logger, adminPassword, lock },
    input: { given, sourceOf, env: process.env },
    defaultName: `${hostname()}-${door.port}`,
    onName: (name) => {
      current = loggerOf(name);
    },
    onLost: () => stop('node-lost', 1),
  });
  closers.push(() => steering.close(DRAIN_MS));
  // A terminal that is closed ends what runs in it; elsewhere the signal says that the settings have changed.
  process.on('SIGHUP', () => (process.stdout.isTTY ? stop('SIGHUP', 0) : void steering.reread().catch(() => {})));

  const { node } = steering;
  logger.info('node-ready', {
    url,
    name: node.name,
    role: node.role,
    position: node.position,
    files: node.status().files,
    tookMs: Math.round(performance.now() - startedAt),
  });
  tellParent({ kind: 'ready', name: node.name, url, position: node.position });
}

/** A host that others can use, for an address that one listens at. */
function publicHost(host: string | undefined): string {
  if (host === undefined || host === '0.0.0.0' || host === '::') return hostname();
  return host === '127.0.0.1' || host === '::1' ? 'localhost' : urlHost(host);
}
