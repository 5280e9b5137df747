/** The OpenAPI description, made from the table of routes, so that it cannot say anything else than what is served. */
import { VERSION } from '../base/index.ts';
import { FORMATS } from './negotiation.ts';
import type { Route } from './routes.ts';

/** @see https://spec.openapis.org/oas/v3.1.0 */
export interface ApiDescription {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly components: { readonly securitySchemes: Readonly<Record<string, { type: string; scheme: string }>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, object>> };
  readonly responses: Readonly<Record<string, Response>>;
}

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: { readonly type: 'string' };
  readonly description?: string;
}

interface Response {
  readonly description: string;
  readonly content?: Readonly<Record<string, object>>;
}

/** What of a route is described. */
export type DescribedRoute = Pick<
  Route,
  'method' | 'path' | 'summary' | 'produces' | 'consumes' | 'query' | 'local' | 'status'
>;

export interface ApiAbout {
  readonly title: string;
  readonly description: string;
  /** Why a request may be refused, by status; 503 is said of changes alone. */
  readonly refusals: Readonly<Record<401 | 403 | 404 | 503, string>>;
}

/**
 * @param baseUrl  what stands before `/rest`
 * @param about    what the API is
 */
export function describeApi(
  routes: readonly DescribedRoute[],
  baseUrl: string,
  about: ApiAbout = CONFIGURATION_API,
): ApiDescription {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const path = openApiPath(route);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: describe(route, about.refusals) };
  }
  return {
    openapi: '3.1.0',
    info: { title: about.title, version: VERSION, description: about.description },
    servers: [{ url: `${baseUrl}/rest` }],
    security: [{ basic: [] }],
    components: { securitySchemes: { basic: { type: 'http', scheme: 'basic' } } },
    paths,
  };
}

const CONFIGURATION_API: ApiAbout = {
  title: 'Graticule: configuration API',
  description:
    "GeoServer's REST API. A path extension (.json, .xml, .html) chooses the format before the Accept header does. Answers carry X-Graticule-Position, the place in the log of changes at which they hold.",
  refusals: {
    401: 'Nobody is logged in',
    403: 'Not allowed, or this node is a replica',
    404: 'There is no such thing',
    503: 'The log of changes cannot be reached, or it is not known whether the change took place',
  },
};

/** The path as OpenAPI writes it: `{path*}` has no word there and loses its star. */
export function openApiPath(route: Pick<Route, 'path'>): string {
  return route.path.replaceAll('*}', '}');
}

function describe(route: DescribedRoute, refusals: ApiAbout['refusals']): Operation {
  const changing = route.method !== 'GET';
  const names = [...route.path.matchAll(/\{([a-zA-Z]+)\*?\}/g)].map((match) => match[1]!);
  const parameters: Parameter[] = [
    ...names.map((name): Parameter => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...(route.query ?? []).map(
      (name): Parameter => ({ name, in: 'query', required: false, schema: { type: 'string' } }),
    ),
  ];
  if (changing && route.local === undefined)
    parameters.push({
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      schema: { type: 'string' },
      description: 'Sent again with the same key, a change takes place once.',
    });
  if (!changing && route.local === undefined)
    parameters.push({
      name: 'consistency',
      in: 'query',
      required: false,
      schema: { type: 'string' },
      description: '"local" answers from what this node has, without asking the log.',
    });
  const produced = Object.fromEntries((route.produces ?? []).map((format) => [FORMATS[format].types[0], {}]));
  return {
    summary: route.summary,
    tags: [tagOf(route)],
    parameters,
    ...(route.consumes === undefined
      ? {}
      : { requestBody: { required: true, content: Object.fromEntries(route.consumes.map((type) => [type, {}])) } }),
    responses: {
      [route.status ?? (route.method === 'POST' && route.local === undefined ? 201 : 200)]: {
        description: 'Done',
        ...(route.produces === undefined ? {} : { content: produced }),
      },
      401: { description: refusals[401] },
      403: { description: refusals[403] },
      404: { description: refusals[404] },
      ...(changing ? { 503: { description: refusals[503] } } : {}),
    },
  };
}

/** Groups the operations by what they are about: the last fixed word of the path. */
function tagOf(route: DescribedRoute): string {
  const words = route.path.split('/').filter((part) => part !== '' && !part.includes('{'));
  return words.at(-1) ?? 'rest';
}
