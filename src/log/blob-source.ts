import { Readable } from 'node:stream';
import type { BlobSource } from './change-log.ts';

/** A blob whose bytes are in memory. */
export function bytesSource(bytes: Uint8Array): BlobSource {
  return {
    size: bytes.length,
    open: (from) => Readable.from(from < bytes.length ? [bytes.subarray(from)] : [], { objectMode: false }),
  };
}
