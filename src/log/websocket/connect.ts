import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ClientOptions, WebSocket } from 'ws';
import { messageOf, UnavailableError } from '../../base/index.ts';
import type { LogPromises } from '../change-log.ts';
import { LogRefusedError } from '../errors.ts';
import { CHANNEL_PROTOCOL, explainTls, type TlsIdentity } from './certificates.ts';
import {
  type Challenge,
  type ClusterSecrets,
  type Hello,
  isProof,
  newNonce,
  type Proof,
  type Purpose,
  proofOf,
  type RefusalCode,
  type Refused,
  type Welcome,
} from './handshake.ts';
import { MESSAGE_OVERHEAD_BYTES, PROTOCOL } from './wire.ts';

export interface ConnectOptions {
  readonly url: string;
  readonly group: string;
  readonly secrets: ClusterSecrets;
  /** For `wss://`. */
  readonly tls?: TlsIdentity;
  /** Name of the node, for the server's log. */
  readonly name: string;
  readonly purpose: Purpose;
  /** For the whole handshake. */
  readonly timeoutMs: number;
  readonly recordBytesMax: number;
  readonly signal?: AbortSignal;
}

export interface Connected {
  readonly socket: WebSocket;
  readonly stream: Duplex | undefined;
  readonly promises: LogPromises;
}

/** Code of a failure: the server is there, and another one has the log now. */
export const LOG_WAITS = 'log-waits';

/** A server that we do not trust yet says why it refuses us. */
const REASON_CHARACTERS_MAX = 300;

/**
 * Connects to a served log and makes sure that both sides know the secret.
 *
 * @throws LogRefusedError   the server does not want this client, or is not one of ours
 * @throws UnavailableError  it cannot be reached, or does not answer
 */
export function connect(options: ConnectOptions): Promise<Connected> {
  const { url, group, secrets, name, purpose, timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new UnavailableError('log-unreachable', 'the log has been closed'));
    const hello: Hello = { protocol: PROTOCOL, group, name, purpose, nonce: newNonce() };
    const secret = secrets.accepted[0]!;
    let challenge: Challenge | undefined;
    let stream: Duplex | undefined;
    const socket = new WebSocket(url, socketOptions(options));
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('message', onMessage);
      socket.off('close', onClose);
    };
    const fail = (error: Error) => {
      settle();
      socket.terminate();
      reject(error);
    };
    const unreachable = (why: string, cause?: unknown) =>
      fail(new UnavailableError('log-unreachable', `${url}: ${why}`, { cause }));
    const refused = (why: string, cause?: unknown) => fail(new LogRefusedError(`${url}: ${why}`, { cause }));
    const timer = setTimeout(() => unreachable(`no answer within ${timeoutMs} ms`), timeoutMs);
    const onAbort = () => unreachable('the log has been closed');
    const onClose = () => unreachable('the connection was closed');
    const onMessage = (data: Buffer) => {
      let message: Partial<Challenge & Proof & Welcome & Refused>;
      try {
        message = JSON.parse(data.toString()) ?? {};
      } catch {
        message = {};
      }
      if (message.refused !== undefined && message.code === 'waiting')
        fail(new UnavailableError(LOG_WAITS, `${url}: ${plain(message.refused)}`));
      else if (message.refused !== undefined)
        refused(`this node was refused, because ${plain(message.refused)}${remedy(message.code, options)}`);
      else if (challenge !== undefined) {
        if (!isProof(message.proof, proofOf(secret, 'server', hello, challenge)) || message.promises === undefined)
          refused(`it does not know the cluster's secret (here ${secrets.source}), so this node does not trust it`);
        else {
          settle();
          resolve({ socket, stream, promises: message.promises });
        }
      } else if (typeof message.nonce === 'string') {
        challenge = { nonce: message.nonce };
        socket.send(JSON.stringify({ proof: proofOf(secret, 'client', hello, challenge) } satisfies Proof));
      } else refused('it does not speak the protocol of the log');
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.on('error', (error) => {
      const distrust = explainTls(error, url);
      if (distrust === undefined) unreachable(messageOf(error) + hint(error, url), error);
      else refused(distrust, error);
    });
    socket.on('close', onClose);
    socket.on('message', onMessage);
    socket.on('upgrade', (response: IncomingMessage) => {
      stream = response.socket;
    });
    socket.on('open', () => socket.send(JSON.stringify(hello)));
  });
}

function socketOptions({ url, tls, timeoutMs, recordBytesMax }: ConnectOptions): ClientOptions {
  const options: ClientOptions & { ALPNProtocols?: string[] } = {
    perMessageDeflate: false,
    maxPayload: recordBytesMax + MESSAGE_OVERHEAD_BYTES,
    handshakeTimeout: timeoutMs,
  };
  if (!url.startsWith('wss:')) return options;
  // A proxy in between, or a node that asks for no certificates, takes the second.
  options.ALPNProtocols = [CHANNEL_PROTOCOL, 'http/1.1'];
  return { ...options, ...tls };
}

/** A port that speaks HTTPS hangs up on who does not. */
function hint(error: NodeJS.ErrnoException, url: string): string {
  return url.startsWith('ws:') && error.code === 'ECONNRESET' ? '; if it speaks HTTPS there, write wss://' : '';
}

function remedy(code: RefusalCode | undefined, { secrets }: ConnectOptions): string {
  switch (code) {
    case 'secret':
      return `; the first secret counts, and it is from ${secrets.source}`;
    case 'group':
      return '; start this node with the --group of the cluster, or give it another --log';
    case 'version':
      return '; run the same version on all nodes of a cluster';
    default:
      return '';
  }
}

function plain(said: unknown): string {
  return String(said).replace(/\p{C}/gu, ' ').slice(0, REASON_CHARACTERS_MAX);
}
