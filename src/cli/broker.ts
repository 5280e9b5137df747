import { hostname } from 'node:os';
import path from 'node:path';
import { systemClock, UserError, VERSION } from '../base/index.ts';
import { isPostgresUrl, openBroker, openStore } from '../log/index.ts';
import { type ConsoleUser, consoleAccounts, PASSWORD_VARIABLES, startConsole } from '../server/broker/index.ts';
import { openDoor, openLogger, urlHost } from '../server/index.ts';
import type { BrokerCommandOptions } from './broker-options.ts';
import { parseBaseUrl } from './options.ts';
import { clusterSecrets } from './secret.ts';
import { type Closer, stopOnSignals } from './serve/process.ts';
import { openTls } from './tls.ts';

/** Requests under way get this long when the process ends. */
const DRAIN_MS = 2_000;

/** Runs a broker until a signal ends it. */
export async function broker(given: BrokerCommandOptions): Promise<void> {
  const place = storePlace(given.store);
  const givenUrl = given.url === undefined ? undefined : ownUrl(given.url);
  const format = given.logFormat ?? (process.stdout.isTTY ? 'text' : 'json');
  let logger = openLogger({ level: given.logLevel, format, node: given.name ?? hostname() });
  const closers: Closer[] = [];
  const tls = openTls(given, logger);
  const secret = brokerSecrets(place, given.secretFile);
  const passwords = passwordSources(place, given);
  const door = await openDoor({ port: given.port, host: given.host, tls: tls.door });
  const name = given.name ?? `${hostname()}-${door.port}`;
  logger = openLogger({ level: given.logLevel, format, node: name });
  stopOnSignals(logger, closers);
  closers.push(() => door.close(DRAIN_MS));
  door.explainStart('the broker is opening its store');
  const url = givenUrl ?? `${door.encrypted ? 'https' : 'http'}://${publicHost(given.host)}:${door.port}`;
  logger.info('listening', { port: door.port, url, pid: process.pid });

  const store = await openStore({ place, leaseMs: given.leaseSeconds * 1000, clock: systemClock, logger });
  const accounts = await consoleAccounts(passwords, logger);
  const opened = openBroker({
    store,
    name,
    url,
    logUrl: url.replace(/^http/, 'ws'),
    version: VERSION,
    server: door.server,
    secret,
    requireClientCertificate: given.requireClientCert,
    groupsMax: given.groupsMax,
    logger,
  });
  closers.push(() => opened.close());
  const shown = await startConsole({
    door,
    broker: opened,
    accounts,
    sessions: store.sessions,
    metricsLogin: given.metricsLogin,
    logger,
  });
  closers.push(() => shown.close(DRAIN_MS));
  process.on('SIGHUP', () => {
    void secret.accepted;
    tls.reread();
  });
  logger.info('broker-ready', { name, url, store: store.info });
}

/** @throws UserError */
function storePlace(store: string | undefined): string {
  if (store === undefined || store.trim() === '')
    throw new UserError(
      400,
      'no-store',
      'a broker needs --store: a folder for its logs, or postgres://user@host/database',
    );
  if (isPostgresUrl(store)) return store;
  if (/^[a-z][a-z0-9+.-]+:/i.test(store))
    throw new UserError(
      400,
      'unknown-store',
      'this is no store: give --store a folder, or postgres://user@host/database',
    );
  return path.resolve(store);
}

/** @throws UserError */
function ownUrl(text: string): string {
  try {
    return parseBaseUrl(text);
  } catch (cause) {
    throw new UserError(
      400,
      'bad-url',
      `--url (GRATICULE_BROKER_URL) is to be the one URL at which this broker is reached, as in http://broker-1:7070, and not ${text}`,
      { cause },
    );
  }
}

function brokerSecrets(place: string, file: string | undefined) {
  const given = process.env.GRATICULE_CLUSTER_SECRET;
  if (isPostgresUrl(place) && file === undefined && !given)
    throw new UserError(
      400,
      'no-secret',
      "a broker whose store is no folder needs the cluster's secret: give --secret-file, or set GRATICULE_CLUSTER_SECRET",
    );
  return clusterSecrets({ given, file, clusterDir: place, holdsLog: true });
}

/** A folder has a file for each password; elsewhere, whoever wants an account names where its password is. */
function passwordSources(place: string, options: BrokerCommandOptions) {
  const source = (user: ConsoleUser, named: string | undefined) => {
    const given = process.env[PASSWORD_VARIABLES[user]];
    if (named !== undefined) return { given, file: path.resolve(named) };
    if (!isPostgresUrl(place)) return { given, file: path.join(place, PASSWORD_FILES[user]) };
    return given ? { given, file: '' } : undefined;
  };
  const admin = source('admin', options.passwordFile);
  if (admin === undefined)
    throw new UserError(
      400,
      'no-password',
      `a broker whose store is no folder needs a password for its console: set ${PASSWORD_VARIABLES.admin}, or give --password-file`,
    );
  return { admin, viewer: source('viewer', options.viewerPasswordFile) };
}

const PASSWORD_FILES = { admin: 'console-password', viewer: 'viewer-password' } as const;

/** A host that others can use, for an address that one listens at. */
function publicHost(host: string | undefined): string {
  if (host === undefined || host === '0.0.0.0' || host === '::') return hostname();
  return host === '127.0.0.1' || host === '::1' ? 'localhost' : urlHost(host);
}
