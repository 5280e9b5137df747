import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { silentLogger, UnavailableError, UserError } from '../../base/index.ts';
import { DEFAULT_GROUP, isStompUrl, parseStompUrl } from '../../log/index.ts';
import { openNamedLog, whenReached } from '../named-log.ts';
import { clusterSecrets } from '../secret.ts';
import { withoutSecrets } from '../serve/keys.ts';
import { openSharedStore, sharedStore } from '../shared-log.ts';
import { openTls } from '../tls.ts';
import type { DemoOptions } from './options.ts';

/** A log that is none of the demo's own. */
export interface SharedLog {
  /** URL without its passwords. */
  readonly place: string;
  /** Whether it has no records; undefined: that cannot be told before a node follows it. */
  readonly isEmpty: boolean | undefined;
}

const CONNECT_MS = 3000;
const LOG_FILE = 'log-url';

/**
 * Looks for the log at a URL. A store that nodes share is made when it is missing.
 *
 * @throws UserError         the URL is none of a log, or the demo's folder was begun with another
 * @throws UnavailableError  it does not answer, and why
 */
export async function findSharedLog(url: string, options: DemoOptions): Promise<SharedLog> {
  const place = withoutSecrets(url);
  mustBeOf(place, options.dir);
  const store = sharedStore(url);
  if (store !== undefined) {
    await (await openSharedStore(store, silentLogger)).close();
    return { place, isEmpty: undefined };
  }
  // Whoever opens it there becomes one of its nodes: it is enough that somebody listens.
  if (isStompUrl(url)) return { place, isEmpty: await someoneListens(url, place) };
  const secret = () =>
    clusterSecrets({
      given: process.env.GRATICULE_CLUSTER_SECRET,
      file: options.secretFile,
      clusterDir: path.resolve(options.dir),
      holdsLog: false,
    });
  const tls = openTls({}, silentLogger).client;
  const log = await openNamedLog(url, { group: DEFAULT_GROUP, secret, tls, name: 'demo', logger: silentLogger });
  try {
    return { place, isEmpty: (await whenReached(log, url)) === 0 };
  } finally {
    await log.close();
  }
}

/** The folder of a demo belongs to one log; remembers which. */
export function keepToLog(dir: string, { place }: SharedLog): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, LOG_FILE), `${place}\n`);
}

/** @throws UserError  the folder was begun with another log */
function mustBeOf(place: string, folder: string): void {
  const file = path.join(path.resolve(folder), LOG_FILE);
  const before = existsSync(file) ? readFileSync(file, 'utf8').trim() : place;
  if (before !== place)
    throw new UserError(
      409,
      'directory-in-use',
      `${folder} holds the nodes of a cluster whose log is ${before}: choose another folder with --dir, or delete this one`,
    );
}

/** @throws UnavailableError  nobody does */
async function someoneListens(url: string, place: string): Promise<undefined> {
  const { servers } = parseStompUrl(url);
  const tries = servers.map(({ host, port }) => listens(host, port));
  if (!(await Promise.all(tries)).some(Boolean))
    throw new UnavailableError(
      'log-unreachable',
      `${place}: nobody listens there; start ActiveMQ with its STOMP connector`,
    );
}

function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
    socket.once('timeout', () => done(false));
  });
}
