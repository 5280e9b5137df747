import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Clock, type Logger, messageOf, UnavailableError, UncertainError, UserError } from '../base/index.ts';
import { type ClusterNode, NotPrimaryError } from '../cluster/index.ts';
import type { DataAccess } from '../data/index.ts';
import { registerOgc } from '../ogc/index.ts';
import type { Renderer } from '../render/index.ts';
import { type ClusterSettings, registerRest, uploadLimits } from '../rest/index.ts';
import { Authenticator, RestRules } from '../security/index.ts';
import { appBehindDoor } from './app.ts';
import { BaseUrls, CONTEXT_PATH } from './base-url.ts';
import { compressTexts } from './compress.ts';
import { type CorsOption, corsHook } from './cors.ts';
import type { Door } from './door.ts';
import { EXPOSITION_TYPE } from './exposition.ts';
import { forwarder } from './forwarding.ts';
import { healthOf } from './health.ts';
import { restLogin } from './login.ts';
import { Metrics, requestClass } from './metrics.ts';
import { Overviews } from './overview.ts';
import { registerPage } from './page.ts';
import { PAGE_FOLDER } from './static-files.ts';
import { spanOf } from './trace.ts';

export interface ServerOptions {
  /** Already listening; requests are answered from here on by what follows. */
  readonly door: Door;
  readonly node: ClusterNode;
  readonly data: DataAccess;
  readonly renderer: Renderer;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Base URL of this node, as the other nodes know it. */
  readonly ownUrl: string;
  /** Password of `admin` on this node, whatever the files say. */
  readonly adminPassword?: string;
  /** Base URL for all links, instead of the one in the global settings. */
  readonly proxyBaseUrl?: string;
  /** Believe `Forwarded` and `X-Forwarded-*`. */
  readonly trustProxy?: boolean;
  /** Origins whose pages may read answers. Absent: none. */
  readonly cors?: CorsOption;
  /** Folder of the built web page. */
  readonly pageFolder?: string;
  /** Folder for uploads while they are looked at. Default: the system's. */
  readonly tempDir?: string;
  /** Longest upload, in bytes. */
  readonly uploadBytesMax?: number;
  /** What `/rest/cluster` shows and changes. */
  readonly settings?: ClusterSettings;
  /** Whether a replica passes changes on to a primary now. Default: no. */
  readonly forwardWrites?: () => boolean;
}

export interface RunningServer {
  /** Takes no more requests, lets those under way end, and cuts off what takes longer than `graceMs`. */
  close(graceMs: number): Promise<void>;
  /** Lets go of everything but the door, which has been given to another server. */
  detach(): Promise<void>;
}

/** Longest body where a route does not say otherwise, in bytes. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;
const TEXT = 'text/plain;charset=UTF-8';

/** Puts the services of a node behind an open door. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { door, node, logger } = options;
  const metrics = new Metrics();
  const authenticator = new Authenticator({
    adminPassword: options.adminPassword,
    clock: options.clock,
    key: randomBytes(32),
    logger,
  });
  const note = () =>
    authenticator.canAnyoneLogIn(node.catalog) ? undefined : authenticator.explainLogin(node.catalog);
  const baseUrls = new BaseUrls({
    proxyBaseUrl: options.proxyBaseUrl,
    trustProxy: options.trustProxy ?? false,
    ownUrl: options.ownUrl,
  });
  const baseUrl = (request: FastifyRequest) =>
    baseUrls.of({ headers: request.headers, encrypted: isEncrypted(request.raw) }, node.catalog);

  const { app, answer } = appBehindDoor({ bodyBytesMax: BODY_BYTES_MAX, trustProxy: options.trustProxy ?? false });
  app.decorateRequest('principal');
  app.decorateRequest('trace', '');
  addCommonHooks(app, { ...options, metrics });
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply, logger));
  app.setNotFoundHandler((request, reply) =>
    reply
      .status(404)
      .type(TEXT)
      .send(`There is nothing at ${request.url.replace(/\?.*/s, '').slice(0, 200)}\n`),
  );

  const forward = forwarder({ node, clock: options.clock, logger, baseUrl });
  registerOperations(app, { ...options, metrics, note });
  registerPage(app, { folder: options.pageFolder ?? PAGE_FOLDER, note });
  const inContext = { prefix: CONTEXT_PATH };
  await app.register(async (scope) => {
    scope.addHook('onRequest', restLogin({ authenticator, rules: new RestRules(), view: node.catalog }));
    await registerRest(scope, {
      node,
      data: options.data,
      clock: options.clock,
      random: options.random,
      logger,
      baseUrl,
      settings: options.settings,
      tempDir: options.tempDir,
      limits: uploadLimits(options.uploadBytesMax),
      get forward() {
        return options.forwardWrites?.() ? forward : undefined;
      },
    });
  }, inContext);
  await app.register(async (scope) => {
    await registerOgc(scope, {
      node,
      data: options.data,
      renderer: options.renderer,
      logger,
      baseUrl,
    });
  }, inContext);
  await app.ready();
  door.open(answer);
  // Says in the log at once if nobody can log in, and not only when somebody tries.
  note();

  const detach = async () => {
    await app.close();
    metrics.close();
  };
  return {
    close: async (graceMs) => {
      await door.close(graceMs);
      await detach();
    },
    detach,
  };
}

function addCommonHooks(app: FastifyInstance, options: ServerOptions & { metrics: Metrics }): void {
  const { metrics, logger } = options;
  if (options.cors !== undefined) app.addHook('onRequest', corsHook(options.cors));
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    request.trace = spanOf(request.headers.traceparent);
    reply.header('traceresponse', request.trace);
  });
  app.addHook('onSend', compressTexts);
  app.addHook('onResponse', async (request, reply) => {
    const what = requestClass(request.url.replace(/[?#].*/s, ''));
    metrics.count(what, reply.statusCode, reply.elapsedTime / 1000);
    logger.debug('request', {
      id: request.id,
      method: request.method,
      url: request.url.slice(0, 500),
      status: reply.statusCode,
      tookMs: Math.round(reply.elapsedTime),
      user: request.principal?.name,
      trace: request.trace,
    });
  });
}

/** Health, metrics and what the page asks for; at the root, and below the context path for proxies that pass only that. */
function registerOperations(
  app: FastifyInstance,
  options: ServerOptions & { metrics: Metrics; note: () => string | undefined },
): void {
  const { door, node, renderer, metrics } = options;
  const overviews = new Overviews(node, options.note);
  for (const prefix of ['', CONTEXT_PATH]) {
    app.get(`${prefix}/health/live`, async () => ({ status: 'live' }));
    app.get(`${prefix}/health/ready`, (_, reply) => {
      const { httpStatus, health } = healthOf(node.status(), door.closing);
      return reply.status(httpStatus).header('cache-control', 'no-store').send(health);
    });
    app.get(`${prefix}/metrics`, (_, reply) => reply.type(EXPOSITION_TYPE).send(metrics.text(node, renderer.stats())));
  }
  app.get(`${CONTEXT_PATH}/cluster/overview.json`, (_, reply) =>
    reply.type('application/json').header('cache-control', 'no-store').send(overviews.json()),
  );
}

function isEncrypted(request: IncomingMessage): boolean {
  return (request.socket as Partial<TLSSocket>).encrypted === true;
}

/** What no room has answered itself. The log hears of our own bugs in full; the client hears an id to ask about. */
function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): FastifyReply {
  const send = (status: number, text: string) => reply.status(status).type(TEXT).send(`${text}\n`);
  if (error instanceof UserError) return send(error.status, error.message);
  if (error instanceof NotPrimaryError) return send(403, error.message);
  if (error instanceof UnavailableError)
    return reply
      .header('retry-after', String(error.retryAfterSeconds))
      .status(503)
      .type(TEXT)
      .send(`${error.message}\n`);
  if (error instanceof UncertainError) return send(503, error.message);
  // Fastify's own: bad content length, body too large, unsupported media type, ...
  const status = (error as { statusCode?: unknown } | undefined)?.statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500) return send(status, messageOf(error));
  logger.error('request-failed', {
    id: request.id,
    trace: request.trace,
    method: request.method,
    url: request.url.slice(0, 500),
    error,
  });
  return send(500, `Something went wrong here; the node's log has the details under ${request.id}`);
}
