import type { IncomingMessage, Server } from 'node:http';
import { type Duplex, Readable } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Logger, messageOf, silentLogger } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import type { BlobSource, ChangeLog, NodeStatus } from '../change-log.ts';
import { Wakeup } from '../wakeup.ts';
import { admit, NotAdmittedError } from './admission.ts';
import { PEER_TLS_ENDED, whyNotCertificate } from './certificates.ts';
import { type ClusterSecrets, DEFAULT_GROUP, type Hello, secretsOf } from './handshake.ts';
import { Heartbeat, Outlet } from './link.ts';
import { Refusals } from './refusals.ts';
import { type GetRequest, TransferLink, type TransferRequest } from './transfer.ts';
import {
  bytesOf,
  DEFAULT_PATH,
  decode,
  encode,
  MESSAGE_OVERHEAD_BYTES,
  packError,
  READ_WINDOW_BYTES,
  type Reply,
  type Request,
} from './wire.ts';

/** The logs of several groups, served at one address. */
export interface GroupLogs {
  /** Longest record in bytes of any of them. */
  readonly recordBytesMax: number;
  /**
   * The log of a group.
   * @throws RefusalError  there is none for this client; it is told why
   */
  open(group: string): Promise<ChangeLog>;
}

export interface ServeLogOptions {
  /** The log of one group, or those of several. */
  readonly log: ChangeLog | GroupLogs;
  /** The cluster's secret, or several: who does not know one of them is turned away. */
  readonly secret: string | ClusterSecrets;
  /** Of one log: nodes of other groups are turned away. Default: `geoserver-cluster`. */
  readonly group?: string;
  /** Whether a client must show a certificate of an authority that `server` trusts. Default: no. */
  readonly requireClientCertificate?: boolean;
  /** Server to listen on for upgrades of `path`. Without it, call `handleUpgrade` yourself. */
  readonly server?: Server;
  /** Default: `/geoserver/cluster/log`. */
  readonly path?: string;
  readonly logger?: Logger;
  /** Milliseconds between signs of life; a connection that is silent for three times as long is cut. Default: 5000. */
  readonly heartbeatMs?: number;
}

/** A connection on which a node calls a log. */
export interface LogConnection {
  readonly group: string;
  /** The node. */
  readonly name: string;
  readonly address: string | undefined;
  /** ISO 8601. */
  readonly since: string;
  /** Last position that was sent to it for reading. */
  readonly sent: Position | undefined;
}

export interface LogServer {
  /** Names of the nodes that are connected, by name. */
  readonly clients: readonly string[];
  /** Their connections, oldest first. */
  readonly connections: readonly LogConnection[];
  /** Takes an upgrade request for the log's path. @returns false when it is for another path */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Cuts the connections of some, or all, transfers too; they may come again. @returns how many there were */
  cut(which?: { readonly group: string; readonly name: string }): number;
  /** Cuts all connections; the log stays open. */
  close(): Promise<void>;
}

/** Clients that have not proved themselves yet; more are turned away. */
const STRANGERS_MAX = 100;

const ENDED_DURING_TLS =
  "it came for the log and ended the connection when it saw this node's certificate: it does not trust it, and its own log says why";

/** Sockets that a log server has taken. */
const taken = new WeakSet<Duplex>();

interface Client {
  readonly hello: Hello;
  readonly address: string | undefined;
  readonly since: string;
  /** Absent: it transfers. */
  readonly calls: CallServer | undefined;
}

/** Lets other nodes use a log, or those of several groups, over WebSocket. */
export function serveLog(options: ServeLogOptions): LogServer {
  const { log, server, path = DEFAULT_PATH, logger = silentLogger, heartbeatMs = 5000 } = options;
  const group = 'open' in log ? undefined : (options.group ?? DEFAULT_GROUP);
  const secrets = secretsOf(options.secret);
  if (secrets.accepted.length === 0 || secrets.accepted.includes(''))
    throw new Error('a log is not served without a secret');
  const refusals = new Refusals(logger);
  const { recordBytesMax } = 'open' in log ? log : log.promises;
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: recordBytesMax + MESSAGE_OVERHEAD_BYTES,
  });
  const clients = new Map<WebSocket, Client>();
  let strangers = 0;

  const handleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): boolean => {
    if (request.url?.split('?', 1)[0] !== path) return false;
    // While one log follows another at the same address, the first is asked.
    if (taken.has(socket)) return true;
    taken.add(socket);
    if (strangers >= STRANGERS_MAX) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n');
      return true;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      strangers++;
      const address = request.socket.remoteAddress;
      // Errors of a connection are followed by its end, which is what counts.
      webSocket.on('error', (error) => logger.debug('log-connection-failed', { address, error: error.message }));
      const rules = {
        group,
        secrets,
        whyNotCertificate: options.requireClientCertificate ? whyNotCertificate(request.socket) : undefined,
      };
      const find = async (hello: Hello) => {
        const found = 'open' in log ? await log.open(hello.group) : log;
        return { hello, log: found, promises: found.promises };
      };
      admit(webSocket, rules, find)
        .finally(() => strangers--)
        .then(
          ({ hello, log: found }) => {
            const client = { client: hello.name, ...(group === undefined ? { group: hello.group } : {}), address };
            const isTransfer = hello.purpose === 'transfer';
            if (isTransfer) serveTransfers(webSocket, found, heartbeatMs);
            else logger.info('log-client-connected', client);
            clients.set(webSocket, {
              hello,
              address,
              since: new Date().toISOString(),
              calls: isTransfer ? undefined : new CallServer(webSocket, socket, found, heartbeatMs),
            });
            webSocket.once('close', () => {
              clients.delete(webSocket);
              if (!isTransfer) logger.info('log-client-gone', client);
            });
          },
          (error) =>
            refusals.say({
              address,
              peer: error instanceof NotAdmittedError ? error.peer : undefined,
              reason: messageOf(error),
              expected: error instanceof NotAdmittedError && error.expected,
            }),
        );
    });
    return true;
  };
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Nobody else would answer.
    if (!handleUpgrade(request, socket, head) && server?.listenerCount('upgrade') === 1)
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
  };
  server?.on('upgrade', onUpgrade);
  // A client that does not like our certificate goes without a word.
  const onTlsEnded = (address: string | undefined) =>
    refusals.say({ address, peer: undefined, reason: ENDED_DURING_TLS });
  server?.on(PEER_TLS_ENDED, onTlsEnded);

  const connections = () => [...clients.values()].filter(({ calls }) => calls !== undefined);
  return {
    get clients() {
      return connections()
        .map(({ hello }) => hello.name)
        .sort();
    },
    get connections() {
      return connections().map(({ hello, address, since, calls }) => {
        return { group: hello.group, name: hello.name, address, since, sent: calls?.sent };
      });
    },
    handleUpgrade,
    cut(which) {
      let count = 0;
      for (const [socket, { hello }] of clients)
        if (which === undefined || (hello.group === which.group && hello.name === which.name)) {
          socket.terminate();
          count++;
        }
      return count;
    },
    async close() {
      server?.off('upgrade', onUpgrade);
      server?.off(PEER_TLS_ENDED, onTlsEnded);
      for (const socket of sockets.clients) socket.terminate();
      await new Promise<void>((resolve) => sockets.close(() => resolve()));
    },
  };
}

/** Answers the calls of one client. */
class CallServer {
  readonly #log: ChangeLog;
  readonly #outlet: Outlet;
  readonly #gone = new AbortController();
  /** What goes on until it is cancelled. */
  readonly #subscriptions = new Map<number, Subscription>();
  #sent: Position | undefined;

  constructor(socket: WebSocket, stream: Duplex, log: ChangeLog, heartbeatMs: number) {
    this.#log = log;
    this.#outlet = new Outlet(socket, stream);
    new Heartbeat(socket, heartbeatMs);
    socket.on('message', (data: Buffer) => {
      try {
        this.#receive(decode(data) as Request);
      } catch {
        // Whoever sends nonsense cannot be told which call it was.
        socket.terminate();
      }
    });
    socket.once('close', () => this.#gone.abort());
  }

  /** Last position that was sent to it for reading. */
  get sent(): Position | undefined {
    return this.#sent;
  }

  #receive(request: Request): void {
    const { id } = request;
    switch (request.kind) {
      case 'read':
        this.#subscribe(id, (subscription) => this.#sendRecords(request.position, id, subscription));
        break;
      case 'peers':
        this.#subscribe(id, async ({ signal }) => {
          for await (const nodes of this.#log.peers(signal))
            this.#outlet.send(encode({ kind: 'nodes', id, json: nodes }));
        });
        break;
      case 'cancel':
        this.#subscriptions.get(id)?.cancel();
        break;
      case 'credit': {
        const subscription = this.#subscriptions.get(id);
        if (subscription === undefined) break;
        subscription.credit += request.bytes;
        subscription.more.wake();
        break;
      }
      default:
        this.#call(request).then(
          (reply) => this.#outlet.send(encode(reply)),
          (error) => this.#outlet.send(encode({ kind: 'failed', id, json: packError(error) })),
        );
    }
  }

  async #call(request: Exclude<Request, { kind: 'read' | 'peers' | 'cancel' | 'credit' }>): Promise<Reply> {
    const { id } = request;
    switch (request.kind) {
      case 'append': {
        const result = await this.#log.append(request.after, request.body);
        return result.kind === 'appended'
          ? { kind: 'appended', id, position: result.position }
          : { kind: 'head-moved', id, position: result.head };
      }
      case 'head':
        return { kind: 'position', id, position: await this.#log.head() };
      case 'trimmed':
        return { kind: 'position', id, position: await this.#log.trimmed() };
      case 'trim':
        await this.#log.trim(request.position);
        return { kind: 'done', id };
      case 'has-blob':
        return { kind: (await this.#log.hasBlob(request.hash)) ? 'yes' : 'no', id };
      case 'snapshots':
        return { kind: 'list', id, json: await this.#log.snapshots() };
      case 'announce':
        await this.#log.announce(request.json as NodeStatus);
        return { kind: 'done', id };
      default:
        throw new RangeError('this is no call');
    }
  }

  async #sendRecords(after: Position, id: number, subscription: Subscription): Promise<void> {
    const { signal, more } = subscription;
    for await (const records of this.#log.read(after, signal)) {
      while (subscription.credit <= 0 && !signal.aborted) await more.wait(signal);
      if (signal.aborted) return;
      subscription.credit -= bytesOf(records);
      this.#outlet.send(encode({ kind: 'records', id, records }));
      this.#sent = records.at(-1)?.position;
    }
  }

  #subscribe(id: number, run: (subscription: Subscription) => Promise<void>): void {
    const stop = new AbortController();
    const subscription: Subscription = {
      signal: AbortSignal.any([stop.signal, this.#gone.signal]),
      credit: READ_WINDOW_BYTES,
      more: new Wakeup(),
      cancel: () => stop.abort(),
    };
    this.#subscriptions.set(id, subscription);
    run(subscription)
      .catch((error) => this.#outlet.send(encode({ kind: 'failed', id, json: packError(error) })))
      .finally(() => this.#subscriptions.delete(id));
  }
}

interface Subscription {
  readonly signal: AbortSignal;
  /** Bytes that may still be sent; a batch may take it below zero. */
  credit: number;
  readonly more: Wakeup;
  cancel(): void;
}

/** Serves the transfers of a connection, one after the other. */
async function serveTransfers(socket: WebSocket, log: ChangeLog, heartbeatMs: number): Promise<void> {
  const link = new TransferLink(socket);
  const alive = setInterval(() => link.busy && socket.ping(), heartbeatMs).unref();
  socket.once('close', () => clearInterval(alive));
  while (link.open) {
    // The client has gone, and that is all right.
    const request = await link.hear<TransferRequest>().catch(() => undefined);
    if (request === undefined) return;
    link.busy = true;
    try {
      await serveTransfer(request, link, log);
      link.busy = false;
    } catch (error) {
      link.say({ failed: packError(error) });
      link.close();
      return;
    }
  }
}

async function serveTransfer(request: TransferRequest, link: TransferLink, log: ChangeLog): Promise<void> {
  if ('get' in request) {
    const { at, body } = await find(request, log);
    link.say({ found: body !== undefined, at });
    try {
      if (body !== undefined) await link.send(body);
    } catch (error) {
      link.say({ broken: packError(error) });
      throw error;
    }
    return;
  }
  const open = (from: number) => {
    const body = link.body();
    link.say({ send: from });
    return body;
  };
  if ('remove' in request) await log.removeBlobs(request.remove, request.storedBefore);
  else if (request.put === 'snapshot') await log.putSnapshot(request.at, open(0));
  else await log.putBlob(request.hash, { size: request.size, open } satisfies BlobSource);
  link.say({ done: true });
}

async function find(request: GetRequest, log: ChangeLog): Promise<{ at?: Position; body?: Readable }> {
  if (request.get === 'blob') return { body: await log.getBlob(request.hash, request.from) };
  if (request.get === 'snapshot') return (await log.latestSnapshot(request.upTo)) ?? {};
  return { body: Readable.from(lines(log.blobs()), { objectMode: false }) };
}

async function* lines(batches: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  for await (const batch of batches) yield Buffer.from(`${JSON.stringify(batch)}\n`);
}
