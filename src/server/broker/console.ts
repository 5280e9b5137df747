import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  type Clock,
  type Logger,
  messageOf,
  systemClock,
  UnavailableError,
  UncertainError,
  UserError,
  VERSION,
} from '../../base/index.ts';
import {
  type Broker,
  type BrokerPresence,
  type BrokerStatus,
  type SessionStore,
  TrimmedError,
} from '../../log/index.ts';
import { appBehindDoor } from '../app.ts';
import { compressTexts } from '../compress.ts';
import type { Door } from '../door.ts';
import { EXPOSITION_TYPE, ProcessMetrics } from '../exposition.ts';
import { PAGE_FOLDER, readPage, sendFile } from '../static-files.ts';
import type { Accounts, ConsoleUser } from './accounts.ts';
import { brokerHealth } from './health.ts';
import { ConsoleLogin, type Refused, WRONG } from './login.ts';
import { brokerMetrics } from './metrics.ts';
import { type ConsoleRequest, consoleRoutes } from './routes.ts';

export interface ConsoleOptions {
  /** Already listening; requests are answered from here on by the console. */
  readonly door: Door;
  readonly broker: Broker;
  /** See `consoleAccounts`. */
  readonly accounts: Accounts;
  /** Of the broker's store. */
  readonly sessions: SessionStore;
  /** Whether metrics need a login, as everything else does. Default: no. */
  readonly metricsLogin?: boolean;
  readonly logger: Logger;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Folder of the built pages. */
  readonly pageFolder?: string;
}

export interface RunningConsole {
  /** Takes no more requests, lets those under way end, and cuts off what takes longer than `graceMs`. Leaves the broker open. */
  close(graceMs: number): Promise<void>;
}

const BODY_BYTES_MAX = 64 * 1024;
const REST = '/rest';
const SESSION = `${REST}/broker/session`;
const POLICY =
  "default-src 'self'; img-src 'self' data:; connect-src 'self'; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

/** Puts the console of a broker behind an open door: page, REST, health, metrics. */
export async function startConsole(options: ConsoleOptions): Promise<RunningConsole> {
  const { door, broker, logger, clock = systemClock } = options;
  const { app, answer } = appBehindDoor({ bodyBytesMax: BODY_BYTES_MAX, trustProxy: false });
  const ofProcess = new ProcessMetrics();
  const login = new ConsoleLogin({
    accounts: options.accounts,
    sessions: options.sessions,
    cookie: cookieName(await broker.status()),
    encrypted: door.encrypted,
    clock,
    logger,
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'x-request-id': request.id,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
    });
  });
  app.addHook('onSend', compressTexts);
  app.setErrorHandler((error, request, reply) => refuse(error, request, reply, { broker, logger }));
  app.setNotFoundHandler((request, reply) =>
    sendRefusal(reply, 404, {
      code: 'not-found',
      message: `there is nothing at ${request.url.replace(/\?.*/s, '').slice(0, 200)}`,
    }),
  );
  registerHealth(app, { door, broker });
  registerMetrics(app, { broker, login, ofProcess, needsLogin: options.metricsLogin ?? false });
  registerPage(app, options.pageFolder ?? PAGE_FOLDER);
  registerSession(app, login);
  registerRest(app, { broker, login, logger, door });
  await app.ready();
  door.open(answer);
  return {
    close: async (graceMs) => {
      await door.close(graceMs);
      await app.close();
      ofProcess.close();
    },
  };
}

function cookieName({ store: { kind, place } }: BrokerStatus): string {
  return `graticule-broker-${createHash('sha256').update(`${kind} ${place}`).digest('hex').slice(0, 8)}`;
}

function registerHealth(app: FastifyInstance, { door, broker }: { door: Door; broker: Broker }): void {
  app.get('/health/live', async () => ({ status: 'live' }));
  for (const which of ['ready', 'active'] as const)
    app.get(`/health/${which}`, async (_, reply) => {
      const answer = brokerHealth(await broker.status(), door.closing);
      return reply
        .status(answer[which] ? 200 : 503)
        .header('cache-control', 'no-store')
        .send(answer.health);
    });
}

function registerMetrics(
  app: FastifyInstance,
  parts: { broker: Broker; login: ConsoleLogin; ofProcess: ProcessMetrics; needsLogin: boolean },
): void {
  const { broker, login, ofProcess, needsLogin } = parts;
  app.get('/metrics', async (request, reply) => {
    // Whoever gives a password hears that it is wrong.
    if (needsLogin || request.headers.authorization !== undefined) {
      const { refused } = await login.check(request);
      if (refused !== undefined) return refuseLogin(login, request, reply, refused);
    }
    const status = await broker.status();
    // It may stop being active at any moment.
    const groups = status.state === 'active' ? await broker.groups().catch(() => undefined) : undefined;
    return reply.type(EXPOSITION_TYPE).send(brokerMetrics(status, groups, ofProcess));
  });
}

function registerPage(app: FastifyInstance, folder: string): void {
  const files = readPage(folder, 'broker.html');
  const page = files.get('broker.html');
  app.get('/', (request, reply) =>
    page === undefined ? reply.type('text/html;charset=UTF-8').send(NOT_BUILT) : sendFile(request, reply, page, POLICY),
  );
  for (const [name, file] of files) app.get(`/${name}`, (request, reply) => sendFile(request, reply, file, POLICY));
}

const NOT_BUILT = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Graticule broker</title></head>
<body style="font-family: sans-serif; max-width: 40em; margin: 3em auto; line-height: 1.5">
<h1>Graticule broker ${VERSION}</h1>
<p>The broker runs. Its page has not been built in this installation; <code>npm run prepare</code> builds it, and the next
start serves it. Until then: <a href="./rest/broker">REST</a>, <a href="./health/ready">health</a>, <a href="./metrics">metrics</a>.</p>
</body></html>
`;

function registerSession(app: FastifyInstance, login: ConsoleLogin): void {
  app.post(SESSION, async (request, reply) => {
    const { user, password } = (request.body ?? {}) as { user?: unknown; password?: unknown };
    if (typeof user !== 'string' || typeof password !== 'string')
      return sendRefusal(reply, 400, { code: 'bad-body', message: 'user and password are expected, as JSON' });
    const found = await login.signIn(user, password, request, reply);
    if (found === undefined) return sendRefusal(reply, 401, { code: 'login-refused', message: WRONG });
    return reply.header('cache-control', 'no-store').send({ user: found });
  });
  app.delete(SESSION, async (request, reply) => {
    await login.signOut(request, reply);
    return reply.status(204).send();
  });
}

function registerRest(
  app: FastifyInstance,
  parts: { broker: Broker; login: ConsoleLogin; logger: Logger; door: Door },
): void {
  const { broker, login, logger, door } = parts;
  const users = new WeakMap<FastifyRequest, ConsoleUser>();
  for (const route of consoleRoutes)
    app.route({
      method: route.method,
      url: REST + route.path.replace(/\{(\w+)\}/g, ':$1'),
      onRequest: async (request, reply) => {
        const admission = await login.check(request);
        if (admission.refused !== undefined) return refuseLogin(login, request, reply, admission.refused);
        users.set(request, admission.user);
      },
      handler: async (request, reply) => {
        const answer = await route.handle(exchange(request, { user: users.get(request)!, broker, logger, door }));
        return reply
          .headers(API_HEADERS)
          .status(route.status ?? 200)
          .send(answer);
      },
    });
}

function refuseLogin(login: ConsoleLogin, request: FastifyRequest, reply: FastifyReply, refused: Refused) {
  if (refused.status === 401) login.challenge(request, reply);
  return sendRefusal(reply, refused.status, refused);
}

const API_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

function exchange(
  request: FastifyRequest,
  { user, broker, logger, door }: { user: ConsoleUser; broker: Broker; logger: Logger; door: Door },
): ConsoleRequest {
  const by = `${user} from ${request.ip.replace(/^::ffff:/i, '')}`;
  return {
    broker,
    user,
    by,
    baseUrl: `${door.encrypted ? 'https' : 'http'}://${request.headers.host ?? `localhost:${door.port}`}`,
    param: (name) => (request.params as Record<string, string>)[name] ?? '',
    query: (name) => {
      const value = (request.query as Record<string, string | string[] | undefined>)[name];
      return Array.isArray(value) ? value.at(-1) : value;
    },
    body: (...keys) => {
      const given = request.body ?? {};
      if (typeof given !== 'object' || Array.isArray(given))
        throw new UserError(400, 'bad-body', 'the body is to be a JSON object');
      const unknown = Object.keys(given).filter((key) => !keys.includes(key));
      if (unknown.length > 0)
        throw new UserError(
          400,
          'bad-body',
          `unknown: ${unknown.join(', ').slice(0, 200)}; what can be given is ${keys.join(', ') || 'nothing'}`,
        );
      return given as Readonly<Record<string, unknown>>;
    },
    note: (action, facts) => logger.info('console-action', { action, by, ...facts }),
  };
}

/** A refusal, as JSON. */
export interface Refusal {
  /** Stable word for programs. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  /** The broker that can do it. */
  readonly active?: Pick<BrokerPresence, 'name' | 'url'>;
}

function sendRefusal(reply: FastifyReply, status: number, { code, message, active }: Refusal): FastifyReply {
  return reply
    .status(status)
    .headers(API_HEADERS)
    .send({ code, message, ...(active && { active }) });
}

async function refuse(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { broker, logger }: { broker: Broker; logger: Logger },
): Promise<FastifyReply> {
  const message = messageOf(error);
  if (error instanceof UserError) return sendRefusal(reply, error.status, { code: error.code, message });
  if (error instanceof TrimmedError) return sendRefusal(reply, 410, { code: 'trimmed', message });
  if (error instanceof UncertainError) return sendRefusal(reply, 503, { code: 'uncertain', message });
  if (error instanceof UnavailableError) {
    reply.header('retry-after', String(error.retryAfterSeconds));
    const active = await activeElsewhere(broker);
    return sendRefusal(reply, 503, { code: error.code, message, ...(active && { active }) });
  }
  // Fastify's own: a body that is no JSON, or too long.
  const status = (error as { statusCode?: unknown } | undefined)?.statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500)
    return sendRefusal(reply, status, { code: 'bad-request', message });
  logger.error('request-failed', { id: request.id, method: request.method, url: request.url.slice(0, 500), error });
  return sendRefusal(reply, 500, {
    code: 'internal',
    message: `Something went wrong here; the broker's log has the details under ${request.id}`,
  });
}

async function activeElsewhere(broker: Broker): Promise<Refusal['active']> {
  const status = await broker.status().catch(() => undefined);
  const active = status?.brokers.find((each) => each.state === 'active' && each.name !== status.name);
  return active && { name: active.name, url: active.url };
}
