import type { FileHandle } from 'node:fs/promises';
import { boxesMeet } from './geometry/box.ts';
import type { Box } from './types.ts';

/**
 * Where the records of a file are, and their bounding boxes: what a file without an index of its own needs to answer box
 * queries without being read from end to end. 44 bytes a record.
 */
export interface RecordIndex {
  readonly count: number;
  /** Bytes from the start of the file. */
  readonly offsets: Float64Array;
  readonly lengths: Uint32Array;
  /** minx, miny, maxx, maxy of each record; NaN for one without a geometry. */
  readonly boxes: Float64Array;
  readonly bounds: Box | undefined;
}

/** Fills a record index one record at a time. */
export class RecordIndexBuilder {
  #offsets = new Float64Array(1024);
  #lengths = new Uint32Array(1024);
  #boxes = new Float64Array(4096);
  #count = 0;

  add(offset: number, length: number, box: Box | undefined): void {
    if (this.#count === this.#offsets.length) this.#grow();
    this.#offsets[this.#count] = offset;
    this.#lengths[this.#count] = length;
    const at = this.#count * 4;
    for (let i = 0; i < 4; i++) this.#boxes[at + i] = box === undefined ? Number.NaN : box[i]!;
    this.#count++;
  }

  build(): RecordIndex {
    const boxes = this.#boxes.slice(0, this.#count * 4);
    return {
      count: this.#count,
      offsets: this.#offsets.slice(0, this.#count),
      lengths: this.#lengths.slice(0, this.#count),
      boxes,
      bounds: boundsOf(boxes),
    };
  }

  #grow(): void {
    const size = this.#offsets.length * 2;
    const offsets = new Float64Array(size);
    const lengths = new Uint32Array(size);
    const boxes = new Float64Array(size * 4);
    offsets.set(this.#offsets);
    lengths.set(this.#lengths);
    boxes.set(this.#boxes);
    this.#offsets = offsets;
    this.#lengths = lengths;
    this.#boxes = boxes;
  }
}

/** The box around all boxes; those with NaN do not count. */
export function boundsOf(boxes: Float64Array): Box | undefined {
  let [minx, miny, maxx, maxy] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let at = 0; at < boxes.length; at += 4) {
    if (boxes[at]! < minx) minx = boxes[at]!;
    if (boxes[at + 1]! < miny) miny = boxes[at + 1]!;
    if (boxes[at + 2]! > maxx) maxx = boxes[at + 2]!;
    if (boxes[at + 3]! > maxy) maxy = boxes[at + 3]!;
  }
  return minx <= maxx ? [minx, miny, maxx, maxy] : undefined;
}

/** Numbers of the records whose boxes meet `box`, ascending; all records without one. */
export function* recordsIn(index: RecordIndex, box: Box | undefined): Generator<number> {
  const { boxes, count, bounds } = index;
  if (box === undefined) {
    for (let i = 0; i < count; i++) yield i;
    return;
  }
  if (bounds === undefined || !boxesMeet(bounds, box)) return;
  const [minx, miny, maxx, maxy] = box;
  for (let i = 0, at = 0; i < count; i++, at += 4)
    if (boxes[at]! <= maxx && boxes[at + 2]! >= minx && boxes[at + 1]! <= maxy && boxes[at + 3]! >= miny) yield i;
}

/** Records that are read with one read. */
export interface Span {
  readonly records: readonly number[];
  readonly offset: number;
  readonly bytes: number;
}

export interface SpanLimits {
  readonly recordsMax: number;
  readonly bytesMax: number;
  /** Bytes between two records that are rather read than skipped. */
  readonly gapBytesMax: number;
  /** Distance between record numbers, for a second file with records of one size. */
  readonly stepMax: number;
}

const SPAN_LIMITS: SpanLimits = { recordsMax: 500, bytesMax: 4 * 1024 * 1024, gapBytesMax: 16 * 1024, stepMax: 200 };

/** Groups records that lie near each other. A record that is larger than the limits is a span of its own. */
export function* spansOf(
  index: RecordIndex,
  records: Iterable<number>,
  limits: SpanLimits = SPAN_LIMITS,
): Generator<Span> {
  let members: number[] = [];
  let start = 0;
  let end = 0;
  let last = 0;
  for (const record of records) {
    const offset = index.offsets[record]!;
    const after = offset + index.lengths[record]!;
    const joins =
      members.length > 0 &&
      members.length < limits.recordsMax &&
      offset >= start &&
      offset - end <= limits.gapBytesMax &&
      after - start <= limits.bytesMax &&
      record - last <= limits.stepMax;
    if (!joins) {
      if (members.length > 0) yield { records: members, offset: start, bytes: end - start };
      members = [];
      start = offset;
      end = offset;
    }
    members.push(record);
    end = Math.max(end, after);
    last = record;
  }
  if (members.length > 0) yield { records: members, offset: start, bytes: end - start };
}

/** Reads bytes at a place; fewer when the file ends before. */
export async function readAt(handle: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  let filled = 0;
  while (filled < bytes) {
    const { bytesRead } = await handle.read(buffer, filled, bytes - filled, offset + filled);
    if (bytesRead === 0) return buffer.subarray(0, filled);
    filled += bytesRead;
  }
  return buffer;
}
