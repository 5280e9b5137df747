import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { UnavailableError } from '../base/index.ts';
import type { Position } from '../tree/index.ts';
import { OgcException } from './common/exceptions.ts';
import { Parameters } from './common/parameters.ts';
import { OGC_LIMITS, type OgcDependencies } from './dependencies.ts';
import { exceptionDocument } from './wms/exceptions.ts';
import { pairsOfXml, type WmsAnswer, WmsService } from './wms/index.ts';

export type { ExceptionCode } from './common/exceptions.ts';
export type { OgcDependencies, OgcLimits } from './dependencies.ts';

interface PathNames {
  readonly workspace?: string;
  readonly layer?: string;
}

const PATHS = [
  '/wms',
  '/ows',
  '/:workspace/wms',
  '/:workspace/ows',
  '/:workspace/:layer/wms',
  '/:workspace/:layer/ows',
];

/**
 * Serves the OGC protocols: WMS 1.1.1 and 1.3.0, for everything (`/wms`, `/ows`), for a workspace (`/{workspace}/wms`), and for a
 * layer (`/{workspace}/{layer}/wms`).
 *
 * Requests are answered from local state at once. `X-Graticule-Position` says which state that was; a client that sends
 * `X-Graticule-Min-Position: n` waits until this node has applied n, or gets 503.
 */
export function registerOgc(app: FastifyInstance, deps: OgcDependencies): void {
  const limits = { ...OGC_LIMITS, ...deps.limits };
  // In a scope of its own, so that reading bodies as bytes holds for these routes only.
  app.register(async (scope) => {
    const wms = new WmsService(deps);
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: limits.bodyBytesMax }, (_, body, done) =>
      done(null, body),
    );
    const handle = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const late = await waitForPosition(request, deps, limits.positionWaitMs);
      reply.header('x-graticule-position', deps.node.position);
      const answer = late ?? (await answerWms(wms, deps, request, closed(reply)));
      return send(reply, answer);
    };
    for (const url of PATHS) scope.route({ method: ['GET', 'POST'], url, handler: handle });
  });
}

async function answerWms(
  wms: WmsService,
  deps: OgcDependencies,
  request: FastifyRequest,
  signal: AbortSignal,
): Promise<WmsAnswer> {
  const { workspace, layer } = request.params as PathNames;
  const rest = {
    workspace,
    layer,
    baseUrl: deps.baseUrl(request),
    acceptsGzip: /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$))/i.test(String(request.headers['accept-encoding'] ?? '')),
  };
  const query = queryOf(request);
  try {
    return await wms.handle({ ...rest, parameters: readParameters(request, query) }, signal);
  } catch (error) {
    if (!(error instanceof OgcException)) throw error;
    return { status: 200, ...exceptionDocument(error, '1.3.0', 'xml'), exception: error.code };
  }
}

function queryOf(request: FastifyRequest): string {
  const url = request.raw.url ?? '';
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark + 1);
}

/** From the query, and from the body of a POST: a form, or an XML document. */
function readParameters(request: FastifyRequest, query: string): Parameters {
  const body = request.body instanceof Uint8Array && request.body.length > 0 ? request.body : undefined;
  if (body === undefined) return Parameters.parse(query);
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '');
  if (isForm) return Parameters.parse(query, Buffer.from(body).toString('utf8'));
  return Parameters.parse(query).with(pairsOfXml(body));
}

/** Waits for the position that the client wants to see; an answer when that does not come. */
async function waitForPosition(
  request: FastifyRequest,
  { node }: OgcDependencies,
  waitMs: number,
): Promise<WmsAnswer | undefined> {
  const wanted = request.headers['x-graticule-min-position'];
  if (wanted === undefined) return undefined;
  const position = Number(wanted);
  if (!Number.isSafeInteger(position) || position < 0) {
    const problem = new OgcException('InvalidParameterValue', 'X-Graticule-Min-Position must be a whole number');
    return { status: 400, ...exceptionDocument(problem, '1.3.0', 'xml'), exception: problem.code };
  }
  if (node.position >= position) return undefined;
  try {
    await node.waitFor(position as Position, waitMs);
    return undefined;
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    const problem = new OgcException(
      'NoApplicableCode',
      `this node has not yet applied position ${position}; try again`,
    );
    return { status: 503, ...exceptionDocument(problem, '1.3.0', 'xml'), exception: problem.code };
  }
}

/** Aborted when the client goes away before it has its answer. */
function closed(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

function send(reply: FastifyReply, answer: WmsAnswer): FastifyReply {
  reply.code(answer.status).header('content-type', answer.contentType).header('vary', 'Accept-Encoding');
  if (answer.encoding !== undefined) reply.header('content-encoding', answer.encoding);
  // An exception comes with status 200, as WMS has it; this tells programs that it is one.
  if (answer.exception !== undefined) reply.header('x-graticule-exception', answer.exception);
  if (answer.status === 503) reply.header('retry-after', '1');
  const { body } = answer;
  // Always bytes: to a text Fastify would add a charset of its own.
  return reply.send(
    typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength),
  );
}
