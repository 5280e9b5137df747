import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { isIPv6 } from 'node:net';
import { UserError } from '../base/index.ts';
import { createHttpsServer, type DoorTls } from './tls.ts';

/**
 * The HTTP or HTTPS port of a node. It listens before the node is there, so that probes and people get an answer while a large
 * directory is being opened, and so that other nodes reach a log that this process holds.
 */
export interface Door {
  readonly server: Server;
  /** Whether it speaks HTTPS. */
  readonly encrypted: boolean;
  /** The port that it really listens at. */
  readonly port: number;
  /** What those who ask for the node's health hear before there is a node. */
  explainStart(reason: string): void;
  /** From now on, requests go to this handler. */
  open(handler: RequestListener): void;
  /** Whether it is being closed: health answers that the node is leaving. */
  readonly closing: boolean;
  /** Takes no more connections, and waits for the requests under way; after `graceMs` it cuts them off. */
  close(graceMs: number): Promise<void>;
}

/** A client must have sent its whole request after this long; uploads of large files take their time. */
const REQUEST_TIMEOUT_MS = 15 * 60_000;
const HEADERS_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 65_000;
/** Event of the server: no request is under way. */
const IDLE = 'graticule-idle';

/**
 * @param port  0 for any that is free
 * @throws UserError  the port is taken, or may not be used
 */
export async function openDoor(options: {
  readonly port: number;
  readonly host?: string;
  readonly tls?: DoorTls;
}): Promise<Door> {
  let starting = 'the node is opening its data directory';
  let handler: RequestListener = (request, response) => stillStarting(request, response, starting);
  let closing = false;
  let underWay = 0;
  const settings = { keepAliveTimeout: KEEP_ALIVE_MS };
  const server: Server = options.tls === undefined ? createServer(settings) : createHttpsServer(options.tls, settings);
  server.on('request', (request, response) => {
    underWay++;
    response.once('close', () => {
      underWay--;
      if (underWay === 0) server.emit(IDLE);
    });
    if (closing) response.setHeader('connection', 'close');
    handler(request, response);
  });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explained(error, options)));
    server.listen({ port: options.port, host: options.host }, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    server,
    encrypted: options.tls !== undefined,
    port: address.port,
    explainStart: (reason) => {
      starting = reason;
    },
    open: (next) => {
      handler = next;
    },
    get closing() {
      return closing;
    },
    close: async (graceMs) => {
      closing = true;
      // Its own promise would wait for sockets as well that were upgraded: other nodes that read a log here.
      server.close();
      if (underWay > 0) {
        const idle = new Promise<void>((resolve) => server.once(IDLE, resolve));
        const deadline = AbortSignal.timeout(graceMs);
        await Promise.race([idle, new Promise((resolve) => deadline.addEventListener('abort', resolve))]);
      }
      server.closeAllConnections();
    },
  };
}

/** `host` as it stands in a URL. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

function explained(error: NodeJS.ErrnoException, options: { port: number; host?: string }): Error {
  const where = `port ${options.port}${options.host === undefined ? '' : ` of ${options.host}`}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new UserError(409, 'port-taken', `${where} is taken by another program; choose another with --port`, {
        cause: error,
      });
    case 'EACCES':
      return new UserError(
        403,
        'port-refused',
        `this user may not listen at ${where}; choose one above 1023 with --port`,
        {
          cause: error,
        },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new UserError(400, 'no-such-host', `this machine has no address ${options.host}; check --host`, {
        cause: error,
      });
    default:
      return error;
  }
}

function stillStarting(request: IncomingMessage, response: ServerResponse, reason: string): void {
  const path = (request.url ?? '/').replace(/\?.*/s, '');
  const send = (status: number, contentType: string, body: string) =>
    response
      .writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body), 'retry-after': '1' })
      .end(request.method === 'HEAD' ? undefined : body);
  if (/^(?:\/geoserver)?\/health\/live$/.test(path)) send(200, 'application/json', '{"status":"live"}');
  else if (/^(?:\/geoserver)?\/health\/ready$/.test(path))
    send(503, 'application/json', JSON.stringify({ status: 'starting', reason }));
  else send(503, 'text/plain;charset=UTF-8', 'The node is starting. Try again in a moment.\n');
}
