import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { constants, createGzip, gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

const compress = promisify(gzip);

/** Below this, a packet is a packet. */
const BYTES_MIN = 1_400;
const TEXTUAL =
  /^(?:text\/|application\/(?:json|xml|javascript|vnd\.ogc|geo\+json|[\w.+-]*\+(?:xml|json)\b))|^image\/svg/;

/** An `onSend` hook that compresses texts for clients that take gzip, in the thread pool. */
export async function compressTexts(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  if (!TEXTUAL.test(String(reply.getHeader('content-type') ?? ''))) return payload;
  reply.header('vary', [reply.getHeader('vary'), 'Accept-Encoding'].filter(Boolean).join(', '));
  const skip =
    !takesGzip(request.headers['accept-encoding']) ||
    request.method === 'HEAD' ||
    [204, 206, 304].includes(reply.statusCode) ||
    reply.hasHeader('content-encoding');
  if (skip) return payload;
  const options = { level: constants.Z_BEST_SPEED + 3 };
  if (typeof payload === 'string' || payload instanceof Uint8Array) {
    if (Buffer.byteLength(payload) < BYTES_MIN) return payload;
    reply.header('content-encoding', 'gzip').removeHeader('content-length');
    return compress(payload, options);
  }
  if (!(payload instanceof Readable)) return payload;
  reply.header('content-encoding', 'gzip').removeHeader('content-length');
  return pipeline(payload, createGzip(options), () => {});
}

function takesGzip(header: string | string[] | undefined): boolean {
  return String(header ?? '')
    .split(',')
    .some((item) => /^\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/i.test(item));
}
