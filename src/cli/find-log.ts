import path from 'node:path';
import { type Logger, messageOf, systemClock, UserError } from '../base/index.ts';
import {
  type ChangeLog,
  type ClusterSecrets,
  DEFAULT_DISCOVERY_ADDRESS,
  Discovery,
  isLogFolder,
  type LogFinder,
  multicast,
  parseMulticastAddress,
} from '../log/index.ts';
import { nodeFileSystem, recordedLogId } from '../tree/index.ts';
import type { ServeOptions } from './serve-options.ts';

/** `--log` of a node that finds its log by discovery. */
export const DISCOVERED_LOG = 'discovered:';
/** How often an announcement takes up where the log is by now. */
const REFRESH_MS = 1000;
const LOG_PATH = 'cluster/log';

export interface FindLogParts {
  readonly clusterDir: string;
  readonly name: string;
  /** Base URL of the node's HTTP service. */
  readonly url: string;
  readonly secrets: ClusterSecrets;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Hears what the node waits for. */
  readonly onWait: (reason: string) => void;
}

/** A node's part in discovery. */
export interface FoundLog {
  /** `embedded:`, the log's URL as it was given, or who knows where it is. */
  readonly log: string | LogFinder;
  /** From now on, others hear that this node holds the log. */
  announce(log: ChangeLog): void;
  close(): Promise<void>;
}

/** Whether the node holds a log already, which discovery then announces. */
export function holdsLogAlready(clusterDir: string): boolean {
  return isLogFolder(path.join(clusterDir, 'log'));
}

/**
 * Takes part in discovery. Resolves when it is known whether this node starts a log or follows one; a node that belongs to a log
 * already does not wait for it.
 *
 * @throws UserError  the network cannot be used, or several logs claim the group
 */
export async function findLog(options: ServeOptions, parts: FindLogParts): Promise<FoundLog> {
  const { clusterDir, name, url, secrets, logger, signal } = parts;
  const { group, role, log } = options;
  const mustFind = log === DISCOVERED_LOG;
  const holds = mustFind ? holdsLogAlready(clusterDir) : /^embedded:?$/.test(log);
  const belongs = logIdIn(clusterDir);
  const network = multicast(
    parseMulticastAddress(options.discoveryAddress ?? DEFAULT_DISCOVERY_ADDRESS),
    options.discoveryInterface === undefined ? undefined : [options.discoveryInterface],
  );
  const candidate = mustFind && !holds && belongs === undefined && role === 'both';
  const logUrl = announcedLogUrl(options, url);
  const discovery = await Discovery.open(
    { group, name, url, secrets, network, clock: systemClock, random: Math.random, logger },
    { candidate, follows: belongs, ...(holds ? { log: { url: logUrl, id: belongs, position: 0 } } : {}) },
  );
  const refreshing = new AbortController();
  const refresh = async (own: ChangeLog | undefined) => {
    while (!refreshing.signal.aborted) {
      const id = logIdIn(clusterDir);
      const position = await own?.head().catch(() => undefined);
      if (refreshing.signal.aborted) return;
      discovery.say({ follows: id, ...(own && position !== undefined ? { log: { url: logUrl, id, position } } : {}) });
      await systemClock.sleep(REFRESH_MS, refreshing.signal).catch(() => {});
    }
  };
  const close = async () => {
    refreshing.abort();
    await discovery.close();
  };
  const announce = (own?: ChangeLog) =>
    void refresh(own).catch((error) => logger.error('discovery-stopped', { reason: messageOf(error) }));
  if (!mustFind) {
    if (!holds) announce();
    return { log, announce, close };
  }
  if (holds) return { log: 'embedded:', announce, close };
  if (belongs === undefined) {
    try {
      const place = await discovery.found(signal, parts.onWait);
      logger.info('log-found', place.kind === 'start' ? { started: true } : { urls: place.urls });
      if (place.kind === 'start') {
        // Said before it is there, so that nobody else starts one meanwhile.
        discovery.say({ log: { url: logUrl, position: 0 } });
        return { log: 'embedded:', announce, close };
      }
    } catch (error) {
      await close();
      throw error;
    }
  }
  discovery.say({ follows: belongs });
  discovery.urls();
  announce();
  const finder: LogFinder = {
    urls: () => discovery.urls(),
    whyNone: () => {
      const place = discovery.place();
      return 'reason' in place ? `discovery in the group ${group}: ${place.reason}` : '';
    },
  };
  return { log: finder, announce, close };
}

/** @throws UserError  the node's own state cannot be understood */
function logIdIn(clusterDir: string): string | undefined {
  try {
    return recordedLogId(nodeFileSystem, clusterDir);
  } catch (cause) {
    throw new UserError(409, 'node-refused', messageOf(cause), { cause });
  }
}

/**
 * Where others reach a log that is held here: at the node's URL if the operator gave one, otherwise at the address that the
 * announcement comes from, for the name of a machine often means nothing to others. With TLS, the name must stand in the certificate.
 */
function announcedLogUrl(options: ServeOptions, url: string): string {
  const announced = new URL(`${url}/${LOG_PATH}`.replace(/^http/, 'ws'));
  const isGiven = options.url !== undefined || options.host !== undefined;
  if (!isGiven && announced.protocol === 'ws:') announced.hostname = '0.0.0.0';
  return announced.href;
}
