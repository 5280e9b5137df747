import type { FastifyReply, FastifyRequest } from 'fastify';

/** `*` for everybody, or the origins (`https://maps.example.org`) that may. */
export type CorsOption = '*' | readonly string[];

/** Lets pages of other origins read answers, and answers their preflight requests. Cookies are never involved. */
export function corsHook(
  allowed: CorsOption,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined> {
  return async (request, reply) => {
    const { origin } = request.headers;
    if (origin === undefined) return undefined;
    if (allowed !== '*') {
      reply.header('vary', 'Origin');
      if (!allowed.includes(origin)) return undefined;
    }
    reply.header('access-control-allow-origin', allowed === '*' ? '*' : origin);
    reply.header('access-control-expose-headers', 'X-Graticule-Position, X-Request-Id, Location');
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined)
      return undefined;
    reply.header('access-control-allow-methods', 'GET, HEAD, POST, PUT, DELETE');
    reply.header(
      'access-control-allow-headers',
      'Authorization, Content-Type, Idempotency-Key, X-Graticule-Min-Position',
    );
    reply.header('access-control-max-age', '3600');
    return reply.status(204).send();
  };
}
