import { crc32 } from 'node:zlib';

/*
 * A segment: a file to which records are added at its end. It begins with a header, followed by frames, followed by zeros or by what a
 * crash left of a frame.
 *
 *   header  "graticule log 1\n" (16 bytes)  first position (8)  trimmed position (8)  checksum (4)
 *   frame   length of the body (4)  checksum of all that follows (4)  kind (1)  position (8)  body
 *
 * Numbers are big-endian, positions doubles, checksums CRC-32. Kind 1 is a record, kind 2 says up to where the log is trimmed, and kind 3
 * is a record that was written together with the one before: of what is written and synced together, a crash may leave any part.
 */

export const HEADER_BYTES = 36;
export const FRAME_BYTES = 17;
export const RECORD = 1;
export const TRIMMED = 2;
export const FURTHER_RECORD = 3;
const MAGIC = Buffer.from('graticule log 1\n');

export interface Header {
  /** Position of its first record, whether it is there yet or not. */
  readonly first: number;
  /** Last position that was gone when the segment was begun. */
  readonly trimmed: number;
}

export function encodeHeader({ first, trimmed }: Header): Buffer {
  const buffer = Buffer.alloc(HEADER_BYTES);
  buffer.set(MAGIC);
  buffer.writeDoubleBE(first, 16);
  buffer.writeDoubleBE(trimmed, 24);
  buffer.writeUInt32BE(crc32(buffer.subarray(0, 32)), 32);
  return buffer;
}

/** @returns undefined when it is none, or not all there */
export function decodeHeader(buffer: Buffer): Header | undefined {
  if (buffer.length < HEADER_BYTES || !buffer.subarray(0, 16).equals(MAGIC)) return undefined;
  if (buffer.readUInt32BE(32) !== crc32(buffer.subarray(0, 32))) return undefined;
  return { first: buffer.readDoubleBE(16), trimmed: buffer.readDoubleBE(24) };
}

export function encodeFrame(kind: number, position: number, body: Uint8Array): Buffer {
  const buffer = Buffer.allocUnsafe(FRAME_BYTES + body.length);
  buffer.writeUInt32BE(body.length, 0);
  buffer[8] = kind;
  buffer.writeDoubleBE(position, 9);
  buffer.set(body, FRAME_BYTES);
  buffer.writeUInt32BE(crc32(buffer.subarray(8)), 4);
  return buffer;
}

export interface Frame {
  readonly kind: number;
  readonly position: number;
  /** Where the body begins and ends in the buffer, which is where the frame ends. */
  readonly start: number;
  readonly end: number;
}

/** The frame that begins there; undefined when there is none, or not all of it. */
export function frameAt(buffer: Buffer, at: number): Frame | undefined {
  if (at + FRAME_BYTES > buffer.length) return undefined;
  const start = at + FRAME_BYTES;
  const end = start + buffer.readUInt32BE(at);
  const kind = buffer[at + 8]!;
  if (kind === 0 || end > buffer.length) return undefined;
  if (buffer.readUInt32BE(at + 4) !== crc32(buffer.subarray(at + 8, end))) return undefined;
  return { kind, position: buffer.readDoubleBE(at + 9), start, end };
}

/**
 * Whether something was written after what is broken: then that had been synced before, and no crash has left it so.
 *
 * @param at        where the broken frame begins
 * @param expected  the position that a record there would have
 */
export function isWrittenBehind(buffer: Buffer, at: number, expected: number): boolean {
  for (let next = at + 1; next + FRAME_BYTES <= buffer.length; next++) {
    const kind = buffer[next + 8]!;
    if (kind !== RECORD && kind !== TRIMMED) continue;
    const position = buffer.readDoubleBE(next + 9);
    if (!Number.isSafeInteger(position) || (kind === RECORD && position <= expected)) continue;
    if (frameAt(buffer, next) !== undefined) return true;
  }
  return false;
}
