/** Mounts the API on a server: finds the route, reads at the newest state, renders answers and errors. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { messageOf, UnavailableError, UncertainError, UserError } from '../base/index.ts';
import { NotPrimaryError } from '../cluster/index.ts';
import { DataError } from '../data/index.ts';
import { XmlError } from '../xml/index.ts';
import { aboutRoutes } from './about.ts';
import { type Rendered, render, TEXT } from './answers.ts';
import { changeRoutes } from './changes.ts';
import { clusterRoutes } from './cluster.ts';
import { coverageRoutes } from './coverages.ts';
import { principalOf, type RestDependencies } from './dependencies.ts';
import { Exchange, splitUrl } from './exchange.ts';
import { featureTypeRoutes } from './feature-types.ts';
import { indexRoutes } from './home.ts';
import { layerGroupRoutes } from './layer-groups.ts';
import { layerRoutes } from './layers.ts';
import { JsonError } from './lenient-json.ts';
import { maintenanceRoutes } from './maintenance.ts';
import { namespaceRoutes } from './namespaces.ts';
import { type Format, type Negotiated, negotiate, parseBoolean } from './negotiation.ts';
import { remoteLayerRoutes } from './remote-layers.ts';
import { resourceRoutes } from './resources.ts';
import { type Matched, type Route, Router } from './routes.ts';
import { settingsRoutes } from './settings.ts';
import { storeRoutes } from './stores.ts';
import { styleRoutes } from './styles.ts';
import { uploadRoutes } from './uploads.ts';
import { workspaceRoutes } from './workspaces.ts';

const served: readonly Route[] = [
  ...aboutRoutes,
  ...workspaceRoutes,
  ...namespaceRoutes,
  ...storeRoutes,
  ...uploadRoutes,
  ...featureTypeRoutes,
  ...coverageRoutes,
  ...remoteLayerRoutes,
  ...layerRoutes,
  ...layerGroupRoutes,
  ...styleRoutes,
  ...settingsRoutes,
  ...maintenanceRoutes,
  ...resourceRoutes,
  ...clusterRoutes,
  ...changeRoutes,
];

/** Every endpoint of the API, in the order of the description. */
export const ROUTES: readonly Route[] = [...indexRoutes(served), ...served];

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'] as const;

/** Serves the API under `/rest`, below the prefix of `app`. */
export function registerRest(app: FastifyInstance, deps: RestDependencies): void {
  const router = new Router(ROUTES);
  const prefix = `${app.prefix}/rest`;
  app.register(async (scope) => {
    // Handlers read bodies themselves, each within its own bound.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    const handler = (request: FastifyRequest, reply: FastifyReply) => answer(router, deps, { request, reply, prefix });
    for (const url of ['/rest', '/rest/*'])
      scope.route({ method: [...METHODS], url, exposeHeadRoute: false, bodyLimit: Number.MAX_SAFE_INTEGER, handler });
  });
}

interface Call {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly prefix: string;
}

async function answer(router: Router, deps: RestDependencies, call: Call): Promise<unknown> {
  const { request, reply } = call;
  const started: { exchange?: Exchange } = {};
  let rendered: Rendered | 'forwarded';
  try {
    rendered = await evaluate(router, deps, { ...call, started });
    if (rendered === 'forwarded') return reply;
  } catch (error) {
    rendered = renderError(error, { request, deps });
  }
  if (started.exchange !== undefined) reply.header('x-graticule-position', String(started.exchange.position));
  reply.code(rendered.status).headers(rendered.headers);
  return rendered.body === '' && rendered.headers['content-type'] === undefined
    ? reply.send()
    : reply.send(rendered.body);
}

async function evaluate(
  router: Router,
  deps: RestDependencies,
  call: Call & { started: { exchange?: Exchange } },
): Promise<Rendered | 'forwarded'> {
  const { request, reply, prefix } = call;
  const principal = principalOf(request);
  if (principal === undefined) {
    const headers = { 'www-authenticate': 'Basic realm="GeoServer Realm"', 'content-type': TEXT };
    return { status: 401, headers, body: 'Full authentication is required to access this resource' };
  }
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const matched = router.find(method, splitUrl(request.url).path.slice(prefix.length));
  if (matched.kind !== 'route') return withoutRoute(request, matched);

  const { route } = matched;
  const changing = method !== 'GET' && route.local === undefined;
  if (changing && deps.node.role === 'replica' && deps.forward !== undefined) {
    await deps.forward(request, reply);
    return 'forwarded';
  }
  const negotiated = negotiateFor(route, matched.extension, request);
  if (method === 'GET' && route.local === undefined && !isLocalRead(request)) await deps.node.catchUp();
  const exchange = new Exchange({
    request,
    deps,
    params: matched.params,
    extension: matched.extension,
    negotiated,
    user: principal.name,
  });
  call.started.exchange = exchange;
  try {
    return render(await route.handle(exchange), negotiated);
  } finally {
    exchange.release();
  }
}

function isLocalRead(request: FastifyRequest): boolean {
  return (request.query as Record<string, unknown>).consistency === 'local';
}

function negotiateFor(route: Route, extension: string | undefined, request: FastifyRequest): Negotiated {
  const offered: readonly Format[] = route.produces ?? ['text'];
  const { format } = request.query as Record<string, string | undefined>;
  const { accept } = request.headers;
  // Files have a format of their own: only how folders are shown can be chosen, and by the parameter alone.
  const asked = route.isFile ? { format } : { extension, format, accept };
  const found = negotiate(offered, asked);
  if (found !== undefined) return found;
  // What a change answers is a name or nothing, which suits everybody.
  if (route.method !== 'GET') return negotiate(offered, {})!;
  throw new UserError(406, 'not-acceptable', `this resource is available as ${offered.join(', ')}`);
}

function withoutRoute(request: FastifyRequest, matched: Exclude<Matched, { kind: 'route' }>): Rendered {
  if (matched.kind === 'none')
    return {
      status: 404,
      headers: { 'content-type': TEXT },
      body: `There is no resource ${splitUrl(request.url).path}`,
    };
  const methods = new Set<string>(matched.allowed);
  if (methods.has('GET')) methods.add('HEAD');
  methods.add('OPTIONS');
  const allow = [...methods].join(', ');
  if (request.method === 'OPTIONS') return { status: 200, headers: { allow }, body: '' };
  return {
    status: 405,
    headers: { allow, 'content-type': TEXT },
    body: `${request.method} is not allowed here, but ${allow}`,
  };
}

function renderError(error: unknown, at: { request: FastifyRequest; deps: RestDependencies }): Rendered {
  const text = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Rendered => ({
    status,
    headers: { 'content-type': TEXT, ...headers },
    body,
  });
  if (error instanceof UserError) return text(error.status, error.status === 404 && isQuiet(at) ? '' : error.message);
  if (error instanceof XmlError) return text(400, `The body is not well-formed XML: ${error.message}`);
  if (error instanceof JsonError) return text(400, `The body is not well-formed JSON: ${error.message}`);
  if (error instanceof NotPrimaryError) return text(403, error.message, { 'x-graticule-refused': 'replica' });
  if (error instanceof UnavailableError)
    return text(503, error.message, { 'retry-after': String(error.retryAfterSeconds) });
  if (error instanceof UncertainError)
    return text(
      503,
      `It is not known whether the change took place: ${error.message}. Look at the current state, or repeat the request with the same Idempotency-Key`,
      { 'retry-after': '1' },
    );
  if (error instanceof DataError) {
    if (error.code === 'unreachable') return text(503, error.message, { 'retry-after': '5' });
    return text(400, error.message);
  }
  // Who asked has gone in the middle of the body: nothing of ours has failed, and nobody reads the answer.
  if (isBrokenOff(at.request)) return text(400, 'The body broke off');
  at.deps.logger.error('rest-failed', {
    method: at.request.method,
    path: splitUrl(at.request.url).path,
    error: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  return text(500, 'The server failed to answer this request; its log says why');
}

/** Also when all of the body had come, and had not been read: then the error is what the stream was destroyed with. */
function isBrokenOff({ raw }: FastifyRequest): boolean {
  return raw.errored !== null || (raw.destroyed && !raw.complete);
}

/** A 404 without a text: wanted by the request, or by the settings. */
function isQuiet({ request, deps }: { request: FastifyRequest; deps: RestDependencies }): boolean {
  const asked = (request.query as Record<string, string | undefined>).quietOnNotFound;
  const wanted = typeof asked === 'string' ? parseBoolean(asked) : undefined;
  return wanted ?? deps.node.catalog.globalSettings()?.quietOnNotFound ?? false;
}
