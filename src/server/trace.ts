/** W3C Trace Context, level 1: https://www.w3.org/TR/trace-context/ */
import { randomHex } from '../base/index.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** `traceparent` of this request's own span: it goes into the record of a change, and into every node's log line of it. */
    trace: string;
  }
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = '01';

/**
 * The `traceparent` of a new span: in the caller's trace when it sent a valid `traceparent`, otherwise in a trace of its own.
 *
 * @see Trace Context section 3.2.2: version ff, ids of zeros, and for version 00 anything behind the flags, are invalid
 */
export function spanOf(traceparent: unknown): string {
  const [, version, trace, parent, flags, more] =
    (typeof traceparent === 'string' && TRACEPARENT.exec(traceparent)) || [];
  const span = randomHex(8);
  const valid =
    trace !== undefined &&
    version !== 'ff' &&
    (version !== '00' || more === undefined) &&
    !/^0+$/.test(trace) &&
    !/^0+$/.test(parent!);
  return valid ? `00-${trace}-${span}-${flags}` : `00-${randomHex(16)}-${span}-${SAMPLED}`;
}
