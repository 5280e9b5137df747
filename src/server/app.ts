import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import fastify, { type FastifyInstance } from 'fastify';
import { randomHex } from '../base/index.ts';

/** Longest name in a path, in characters. */
const PARAMETER_CHARACTERS_MAX = 2_000;

/** A Fastify that has no port: a door has it, and passes on what it hears to `answer` once the application is ready. */
export function appBehindDoor(options: {
  /** Longest body where a route does not say otherwise. */
  readonly bodyBytesMax: number;
  /** Believe `X-Forwarded-*`. */
  readonly trustProxy: boolean;
}): { readonly app: FastifyInstance; readonly answer: RequestListener } {
  let answer: RequestListener = () => {};
  const app = fastify({
    serverFactory: (handler) => {
      answer = handler;
      return createServer();
    },
    bodyLimit: options.bodyBytesMax,
    routerOptions: { maxParamLength: PARAMETER_CHARACTERS_MAX, caseSensitive: true },
    trustProxy: options.trustProxy,
    genReqId: requestId,
    // Our own door closes, and answers 503 to probes, before Fastify does.
    return503OnClosing: false,
    forceCloseConnections: false,
  });
  return { app, answer: (request, response) => answer(request, response) };
}

/** The client's own id where it sends a plausible one, so that its log and ours can be put side by side. */
function requestId(request: { headers: IncomingMessage['headers'] }): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : randomHex(8);
}
