import { Readable } from 'node:stream';
import type { BlobSource } from './change-log.ts';

/** A blob whose bytes are in memory. */
export function bytesSource(bytes: Uint8Array): BlobSource {
  return {
    size: bytes.length,
    open: (from) => Readable.from(from < bytes.length ? [bytes.subarray(from)] : [], { objectMode: false }),
  };
}

/**
 * A blob that is made anew each time, always the same, and only from its beginning: what the log has already is dropped.
 * @param size  in bytes
 */
export function generatedSource(size: number, generate: () => Readable): BlobSource {
  return {
    size,
    open: (from) => {
      const body = generate();
      return from === 0 ? body : Readable.from(without(body, from), { objectMode: false });
    },
  };
}

async function* without(body: Readable, first: number): AsyncGenerator<Uint8Array> {
  let left = first;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    if (chunk.length > left) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}
