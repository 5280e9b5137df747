import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { type Logger, messageOf, systemClock, UserError, VERSION } from '../base/index.ts';
import { openNode, RefusedError } from '../cluster/index.ts';
import { openDataAccess } from '../data/index.ts';
import { createRenderer } from '../render/index.ts';
import { CONTEXT_PATH, openDoor, openLogger, startServer, urlHost } from '../server/index.ts';
import { StateFileError } from '../tree/index.ts';
import { readClusterProperties } from './cluster-properties.ts';
import { openLog, withoutSecrets } from './open-log.ts';
import type { ServeOptions } from './serve-options.ts';
import { openTls } from './tls.ts';

/** What a parent process is told over its channel. */
export type NodeMessage =
  | { readonly kind: 'ready'; readonly name: string; readonly url: string; readonly position: number }
  | { readonly kind: 'trouble'; readonly event: string; readonly reason: string };

const REASON_CHARACTERS_MAX = 300;
/** Requests under way get this long; everything together is over in `STOP_MAX_MS`. */
const DRAIN_MS = 6_000;
const STOP_MAX_MS = 10_000;

/**
 * Runs a node until a signal ends it.
 *
 * @param isGiven  whether an option comes from the command line or the environment: `cluster.properties` gives the others
 */
export async function serve(given: ServeOptions, isGiven: (key: string) => boolean): Promise<void> {
  const startedAt = performance.now();
  const dataDir = path.resolve(given.dataDir);
  const clusterDir = path.resolve(given.clusterDir ?? path.join(dataDir, 'cluster'));
  const properties = readClusterProperties(clusterDir);
  const fromFile = Object.entries(properties.options).filter(([key]) => !isGiven(key));
  const options: ServeOptions = { ...given, ...Object.fromEntries(fromFile) };
  mkdirSync(dataDir, { recursive: true });

  const closers: (() => Promise<unknown> | unknown)[] = [];
  const logger = tellingParent(
    openLogger({
      level: options.logLevel,
      format: options.logFormat ?? (process.stdout.isTTY ? 'text' : 'json'),
      node: options.name ?? hostname(),
    }),
  );
  stopOnSignals(logger, closers);

  const tls = openTls(options, logger);
  const door = await openDoor({ port: options.port, host: options.host, tls: tls.door });
  closers.push(() => door.close(DRAIN_MS));
  const name = options.name ?? `${hostname()}-${door.port}`;
  const url =
    options.url ?? `${door.encrypted ? 'https' : 'http'}://${publicHost(options.host)}:${door.port}${CONTEXT_PATH}`;
  logger.info('listening', { port: door.port, name, dataDir, pid: process.pid });

  const log = await openLog(options, { door, tls, clusterDir, name, logger, closers });
  const cacheDir = path.join(clusterDir, 'cache');
  mkdirSync(cacheDir, { recursive: true });
  const data = openDataAccess({ dataDir, cacheDir, logger });
  closers.push(() => data.close());
  const renderer = createRenderer({ children: options.renderProcesses, cacheDir, logger });
  closers.push(() => renderer.close());
  const node = await openNode({
    dataDir,
    clusterDir,
    name,
    url,
    role: options.role,
    version: VERSION,
    log,
    logUrl: withoutSecrets(options.log),
    clock: systemClock,
    random: Math.random,
    logger,
    adopt: options.adopt ?? false,
  }).catch((error: unknown) => {
    if (error instanceof RefusedError || error instanceof StateFileError)
      throw new UserError(409, 'node-refused', error.message, { cause: error });
    throw error;
  });
  closers.push(() => node.close());
  const server = await startServer({
    door,
    node,
    data,
    renderer,
    clock: systemClock,
    random: Math.random,
    logger,
    ownUrl: url,
    adminPassword: process.env.GEOSERVER_ADMIN_PASSWORD || undefined,
    proxyBaseUrl: options.proxyBaseUrl,
    trustProxy: options.trustProxy,
    cors: options.cors,
    clusterProperties: () => properties.entries,
  });
  closers.push(() => server.close(DRAIN_MS));
  logger.info('node-ready', {
    url,
    role: node.role,
    position: node.position,
    files: node.status().files,
    tookMs: Math.round(performance.now() - startedAt),
  });
  tellParent({ kind: 'ready', name, url, position: node.position });
}

/** Ends everything in the opposite order of its beginning, at most once, and then the process. */
function stopOnSignals(logger: Logger, closers: (() => Promise<unknown> | unknown)[]): void {
  let stopping = false;
  const stop = (why: string, exitCode: number) => {
    if (stopping) {
      if (why === 'SIGINT') process.exit(130);
      return;
    }
    stopping = true;
    logger.info('stopping', { why });
    setTimeout(() => {
      logger.error('stop-timed-out', { afterMs: STOP_MAX_MS });
      process.exit(1);
    }, STOP_MAX_MS).unref();
    void (async () => {
      for (const close of closers.toReversed()) {
        try {
          await close();
        } catch (error) {
          logger.error('close-failed', { error });
          exitCode ||= 1;
        }
      }
      logger.info('stopped');
      process.exit(exitCode);
    })();
  };
  process.on('SIGINT', () => stop('SIGINT', 0));
  process.on('SIGTERM', () => stop('SIGTERM', 0));
  // The parent of a demo node has gone, however it ended.
  process.on('disconnect', () => stop('parent-gone', 0));
  process.on('uncaughtException', (error) => {
    logger.error('uncaught-error', { error });
    stop('uncaught-error', 1);
  });
}

function tellParent(message: NodeMessage): void {
  if (process.connected) process.send?.(message);
}

/** A logger whose errors reach the parent process as well. */
function tellingParent(logger: Logger): Logger {
  return {
    ...logger,
    error: (event, facts) => {
      logger.error(event, facts);
      const said = facts?.reason ?? facts?.remedy ?? facts?.problem ?? (facts?.error && messageOf(facts.error));
      const reason =
        said ??
        Object.entries(facts ?? {})
          .map(([key, value]) => `${key}=${value}`)
          .join(' ');
      tellParent({ kind: 'trouble', event, reason: String(reason).slice(0, REASON_CHARACTERS_MAX) });
    },
  };
}

/** A host that others can use, for an address that one listens at. */
function publicHost(host: string | undefined): string {
  if (host === undefined || host === '0.0.0.0' || host === '::') return hostname();
  return host === '127.0.0.1' || host === '::1' ? 'localhost' : urlHost(host);
}
