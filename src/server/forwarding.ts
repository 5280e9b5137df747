import { randomUUID } from 'node:crypto';
import { type ClientRequest, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Clock, type Logger, messageOf, UnavailableError, UncertainError } from '../base/index.ts';
import { type ClusterNode, NotPrimaryError } from '../cluster/index.ts';

export interface ForwardingOptions {
  readonly node: ClusterNode;
  readonly clock: Clock;
  readonly logger: Logger;
  /** URL of this server as the client sees it, with the context path. */
  baseUrl(request: FastifyRequest): string;
}

/** Set on what is forwarded, with the forwarding node's name: such a request is not forwarded again. */
const FORWARDED = 'x-graticule-forwarded';
/** How a node says that it took nothing, because it is no primary. */
const REFUSED = 'x-graticule-refused';

/** A body up to this size is held in memory, so that it can be sent again. */
const HELD_BYTES_MAX = 1024 * 1024;
const CONNECT_MS = 3_000;
/** How long to wait for a word of the primary before the body is sent. */
const CONTINUE_MS = 1_000;
/** How long a primary may be silent. */
const SILENCE_MS = 300_000;
/** How long the node's own apply loop may take for what the primary has acknowledged. */
const APPLY_MS = 10_000;
/** Tries, while a request may be sent again. */
const TRIES_MAX = 5;
const PAUSE_MS = 250;

/** What ends at this connection, and is not passed on. @see RFC 9110, 7.6.1 */
const HOP_BY_HOP = new Set([
  'connection',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

type Attempt =
  | { readonly kind: 'answer'; readonly answer: IncomingMessage }
  /** Surely nothing was done. `used`: part of the body is gone, so that it cannot be sent again. */
  | { readonly kind: 'not-taken'; readonly reason: string; readonly used: boolean }
  | { readonly kind: 'uncertain'; readonly reason: string };

/**
 * Passes a changing request of a replica on to a primary that the node has heard of, and answers with what that says, as soon as
 * this node has applied the change.
 *
 * A primary that surely did not take the request is passed over for the next. When it may have taken it, the request is sent again
 * only where its body is still at hand, and always under one idempotency key.
 *
 * @throws UnavailableError  no primary took it; nothing was done
 * @throws UncertainError    it is not known whether one did
 * @throws NotPrimaryError   it was forwarded to this node, which is a replica as well
 */
export function forwarder(
  options: ForwardingOptions,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> {
  const { node, clock, logger } = options;
  return async (request, reply) => {
    if (request.headers[FORWARDED] !== undefined) throw new NotPrimaryError(node.name, primaries(node));
    const given = request.headers['idempotency-key'];
    const key = typeof given === 'string' && given !== '' ? given : randomUUID();
    const body = await heldBody(request.raw);
    const headers = forwardedHeaders(request, { name: node.name, key });
    const reasons: string[] = [];
    let uncertain = false;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const targets = primaries(node);
      const target = targets[tries % Math.max(1, targets.length)];
      if (target === undefined) break;
      // A second round, or the same one again: it may be about to come back.
      if (tries > 0 && tries % targets.length === 0) await clock.sleep(PAUSE_MS * tries);
      const attempt = await send(request, { target, headers, body });
      if (attempt.kind === 'answer') {
        const { answer } = attempt;
        if (answer.headers[REFUSED] === undefined) return give(answer, { request, reply, target });
        answer.resume();
        reasons.push(`${target}: it is a replica now`);
        if (body === undefined) break;
        continue;
      }
      reasons.push(`${target}: ${attempt.reason}`);
      logger.warn('forward-failed', { target, id: request.id, reason: attempt.reason, outcome: attempt.kind });
      if (attempt.kind === 'uncertain') uncertain = true;
      if (body === undefined && (attempt.kind === 'uncertain' || attempt.used)) break;
    }
    if (uncertain) {
      reply.header('idempotency-key', key);
      throw new UncertainError(
        `no answer came from the primary (${reasons.join('; ')}); its Idempotency-Key is ${key}`,
      );
    }
    throw new UnavailableError(
      'no-primary',
      reasons.length === 0
        ? `node ${node.name} is a replica, and hears of no primary now; nothing was changed`
        : `node ${node.name} is a replica, and no primary took the request (${reasons.join('; ')}); nothing was changed`,
      { retryAfterSeconds: 2 },
    );
  };

  async function give(
    answer: IncomingMessage,
    { request, reply, target }: { request: FastifyRequest; reply: FastifyReply; target: string },
  ): Promise<FastifyReply> {
    const status = answer.statusCode ?? 502;
    const position = Number(answer.headers['x-graticule-position']);
    if (status < 400 && Number.isSafeInteger(position))
      await node
        .waitFor(position as typeof node.position, APPLY_MS)
        .catch((error) => logger.warn('forward-unapplied', { target, position, reason: messageOf(error) }));
    for (const [name, value] of Object.entries(answer.headers))
      if (value !== undefined && !HOP_BY_HOP.has(name) && name !== 'x-request-id') reply.header(name, value);
    const { location } = answer.headers;
    // The client goes on with the node that it knows.
    if (location?.startsWith(`${target}/`))
      reply.header('location', options.baseUrl(request) + location.slice(target.length));
    return reply.code(status).send(answer);
  }
}

/** Those that are in step first. */
function primaries(node: ClusterNode): string[] {
  const own = node.status();
  return node
    .members()
    .filter(({ role, name, url, state }) => {
      // A node that has just taken another name is heard of under the former for some seconds.
      const isOther = name !== own.name && url !== own.url;
      return role === 'both' && isOther && state !== 'stopped';
    })
    .sort((a, b) => Number(b.state === 'in-step') - Number(a.state === 'in-step'))
    .map(({ url }) => url);
}

/** The body, if it is short or empty; undefined for one that has to be passed on as it comes. */
async function heldBody(raw: IncomingMessage): Promise<Buffer | undefined> {
  const length = raw.headers['content-length'];
  if (length === undefined && raw.headers['transfer-encoding'] === undefined) return Buffer.alloc(0);
  if (length === undefined || Number(length) > HELD_BYTES_MAX) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of raw) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function forwardedHeaders(request: FastifyRequest, own: { name: string; key: string }): OutgoingHttpHeaders {
  const named = String(request.headers.connection ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase());
  const headers: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(request.headers))
    if (!HOP_BY_HOP.has(name) && !named.includes(name)) headers[name] = value;
  const { remoteAddress } = request.raw.socket;
  const chain = [request.headers['x-forwarded-for'], remoteAddress].filter((item) => item !== undefined);
  headers['x-forwarded-for'] = chain.join(', ');
  headers['x-forwarded-host'] ??= request.headers.host;
  headers['x-forwarded-proto'] ??= 'encrypted' in request.raw.socket ? 'https' : 'http';
  headers['x-request-id'] = request.id;
  headers.traceparent = request.trace;
  headers['idempotency-key'] = own.key;
  headers[FORWARDED] = own.name;
  return headers;
}

interface Sending {
  readonly target: string;
  readonly headers: OutgoingHttpHeaders;
  /** Undefined: it is streamed from the request. */
  readonly body: Buffer | undefined;
}

/** Sends a request once. Each has a connection of its own: one that is broken off before it stood took nothing. */
function send(request: FastifyRequest, { target, headers, body }: Sending): Promise<Attempt> {
  const url = new URL(target);
  // The path as the client wrote it, below the context path of the other.
  const own = request.url.indexOf('/rest');
  const path = url.pathname.replace(/\/$/, '') + request.url.slice(own);
  const streams = body === undefined;
  const { raw } = request;
  return new Promise((resolve) => {
    let connected = false;
    let sent = false;
    let settled = false;
    const outgoing: ClientRequest = (url.protocol === 'https:' ? httpsRequest : httpRequest)({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port || undefined,
      method: request.method,
      path,
      agent: false,
      headers: { ...headers, ...(streams ? { expect: '100-continue' } : { 'content-length': body.length }) },
    });
    const timers: NodeJS.Timeout[] = [];
    const onClientGone = () => {
      if (!raw.complete) outgoing.destroy(new Error('the client went away'));
    };
    const settle = (attempt: Attempt) => {
      if (settled) return;
      settled = true;
      for (const timer of timers) clearTimeout(timer);
      if (sent && streams) {
        raw.unpipe(outgoing);
        // What is still to come is of no use, and must not keep the client from reading its answer.
        raw.resume();
      }
      raw.off('close', onClientGone);
      resolve(attempt);
    };
    const sendBody = () => {
      if (sent || settled) return;
      sent = true;
      if (streams) raw.pipe(outgoing);
    };
    timers.push(setTimeout(() => !connected && outgoing.destroy(new Error('it does not answer')), CONNECT_MS));
    outgoing.once('socket', (socket) => {
      const event = url.protocol === 'https:' ? 'secureConnect' : 'connect';
      socket.once(event, () => {
        connected = true;
        if (streams) timers.push(setTimeout(sendBody, CONTINUE_MS));
      });
    });
    outgoing.setTimeout(SILENCE_MS, () => outgoing.destroy(new Error('it fell silent')));
    outgoing.once('continue', sendBody);
    outgoing.once('response', (answer) => {
      answer.once('error', () => {});
      settle({ kind: 'answer', answer });
    });
    outgoing.on('error', (error) => {
      const reason = messageOf(error) || (error as NodeJS.ErrnoException).code || 'it cannot be reached';
      // Without a connection nothing was sent; without its body, a request cannot be carried out.
      if (!connected || (streams && !sent)) settle({ kind: 'not-taken', reason, used: false });
      else settle({ kind: 'uncertain', reason });
    });
    if (streams) {
      raw.once('close', onClientGone);
      outgoing.flushHeaders();
    } else outgoing.end(body);
  });
}
