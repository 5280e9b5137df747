import { type FileHandle, open } from 'node:fs/promises';
import { requireFile, sibling, statFile } from '../files.ts';
import { type RecordIndex, RecordIndexBuilder, readAt } from '../records.ts';
import { type Box, DataError, type GeometryType } from '../types.ts';
import { assembleRings } from './rings.ts';

/**
 * Geometry of shapefiles: points, multipoints, lines and polygons, with Z (kept) and M (dropped).
 *
 * @see ESRI Shapefile Technical Description, July 1998
 */
export interface ShpHeader {
  /** Type of all shapes that are not null. */
  readonly shapeType: number;
  /** As the header claims; undefined when it claims nonsense, as empty files do. */
  readonly box: Box | undefined;
}

const HEADER_BYTES = 100;
const RECORD_HEADER_BYTES = 8;
const SCAN_BYTES = 1024 * 1024;

/** @throws DataError  `malformed`: it is not a shapefile */
export async function readShpHeader(handle: FileHandle, file: string): Promise<ShpHeader> {
  const head = await readAt(handle, 0, HEADER_BYTES);
  if (head.length < HEADER_BYTES || head.readInt32BE(0) !== 9994)
    throw new DataError('malformed', `${file} is not a shapefile: it does not start with the number 9994`);
  const box: Box = [head.readDoubleLE(36), head.readDoubleLE(44), head.readDoubleLE(52), head.readDoubleLE(60)];
  const isBox = box.every(Number.isFinite) && box[0] <= box[2] && box[1] <= box[3];
  return { shapeType: head.readInt32LE(32), box: isBox ? box : undefined };
}

/** GeoServer's type for a shape type: lines and polygons are always multi. */
export function geometryTypeOf(shapeType: number): GeometryType {
  switch (shapeType % 10) {
    case 1:
      return 'Point';
    case 3:
      return 'MultiLineString';
    case 5:
      return 'MultiPolygon';
    case 8:
      return 'MultiPoint';
    default:
      return 'Geometry';
  }
}

/**
 * Places and boxes of all records. Places come from the `.shx`; without one, or with one that points beyond the file, from
 * the records' own headers, one after the other.
 */
export async function readShpIndex(shpFile: string): Promise<RecordIndex> {
  const size = requireFile(shpFile).sizeBytes;
  const handle = await open(shpFile);
  try {
    const places = (await placesFromShx(shpFile, size)) ?? undefined;
    return places === undefined ? await scanRecords(handle, size) : await readBoxes(handle, places, size);
  } finally {
    await handle.close();
  }
}

interface Places {
  readonly offsets: Float64Array;
  readonly lengths: Uint32Array;
}

async function placesFromShx(shpFile: string, shpBytes: number): Promise<Places | undefined> {
  const shxFile = sibling(shpFile, 'shx');
  const facts = statFile(shxFile);
  if (facts === undefined || facts.sizeBytes < HEADER_BYTES) return undefined;
  const count = Math.floor((facts.sizeBytes - HEADER_BYTES) / 8);
  const offsets = new Float64Array(count);
  const lengths = new Uint32Array(count);
  const handle = await open(shxFile);
  try {
    for (let first = 0; first < count; ) {
      const bytes = await readAt(handle, HEADER_BYTES + first * 8, Math.min(SCAN_BYTES, (count - first) * 8));
      const here = Math.floor(bytes.length / 8);
      if (here === 0) return undefined;
      for (let i = 0; i < here; i++) {
        const offset = bytes.readUInt32BE(i * 8) * 2 + RECORD_HEADER_BYTES;
        const length = bytes.readUInt32BE(i * 8 + 4) * 2;
        if (offset + length > shpBytes) return undefined;
        offsets[first + i] = offset;
        lengths[first + i] = length;
      }
      first += here;
    }
  } finally {
    await handle.close();
  }
  return { offsets, lengths };
}

/** Reads the boxes by windows of the file; records in a `.shx` nearly always follow each other. */
async function readBoxes(handle: FileHandle, { offsets, lengths }: Places, size: number): Promise<RecordIndex> {
  const builder = new RecordIndexBuilder();
  let start = 0;
  let window: Buffer = Buffer.alloc(0);
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i]!;
    const needed = Math.min(lengths[i]!, 36);
    if (offset < start || offset + needed > start + window.length) {
      start = offset;
      window = await readAt(handle, start, Math.min(SCAN_BYTES, size - start));
    }
    builder.add(offset, lengths[i]!, shapeBox(window, offset - start, needed));
  }
  return builder.build();
}

async function scanRecords(handle: FileHandle, size: number): Promise<RecordIndex> {
  const builder = new RecordIndexBuilder();
  let start = HEADER_BYTES;
  let window: Buffer = Buffer.alloc(0);
  for (let at = HEADER_BYTES; at + RECORD_HEADER_BYTES <= size; ) {
    if (at < start || at + RECORD_HEADER_BYTES + 36 > start + window.length) {
      start = at;
      window = await readAt(handle, start, Math.min(SCAN_BYTES, size - start));
    }
    const length = window.readInt32BE(at - start + 4) * 2;
    const offset = at + RECORD_HEADER_BYTES;
    if (length < 4 || offset + length > size) break; // cut off: what came before is good
    builder.add(offset, length, shapeBox(window, offset - start, Math.min(length, 36)));
    at = offset + length;
  }
  return builder.build();
}

function shapeBox(bytes: Buffer, at: number, available: number): Box | undefined {
  if (available < 4 || at + available > bytes.length) return undefined;
  const type = bytes.readInt32LE(at);
  if (type === 0) return undefined;
  if (type % 10 === 1) {
    if (available < 20) return undefined;
    const x = bytes.readDoubleLE(at + 4);
    const y = bytes.readDoubleLE(at + 12);
    return Number.isNaN(x) ? undefined : [x, y, x, y];
  }
  if (available < 36) return undefined;
  return [
    bytes.readDoubleLE(at + 4),
    bytes.readDoubleLE(at + 12),
    bytes.readDoubleLE(at + 20),
    bytes.readDoubleLE(at + 28),
  ];
}

/**
 * One shape; null for a null shape, and for one that is cut off or of a type that has no GeoJSON (multipatch).
 *
 * @param bytes  holds the record's contents
 * @param at     where they start: at the shape type
 */
export function decodeShape(bytes: Buffer, at: number, length: number): GeoJSON.Geometry | null {
  if (length < 4 || at + length > bytes.length) return null;
  const type = bytes.readInt32LE(at);
  const hasZ = type > 10 && type < 20;
  const shape = { bytes, at: at + 4, end: at + length, hasZ };
  try {
    switch (type % 10) {
      case 1:
        return type < 30 ? decodePoint(shape) : null;
      case 3: {
        const lines = decodeParts(shape);
        return { type: 'MultiLineString', coordinates: lines };
      }
      case 5:
        return { type: 'MultiPolygon', coordinates: assembleRings(decodeParts(shape)) };
      case 8:
        return decodeMultiPoint(shape);
      default:
        return null;
    }
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

interface Shape {
  readonly bytes: Buffer;
  /** After the shape type. */
  readonly at: number;
  readonly end: number;
  readonly hasZ: boolean;
}

function decodePoint({ bytes, at, end, hasZ }: Shape): GeoJSON.Point | null {
  const x = bytes.readDoubleLE(at);
  const y = bytes.readDoubleLE(at + 8);
  if (Number.isNaN(x) || Number.isNaN(y)) return null;
  return { type: 'Point', coordinates: hasZ && at + 24 <= end ? [x, y, bytes.readDoubleLE(at + 16)] : [x, y] };
}

function decodeMultiPoint({ bytes, at, end, hasZ }: Shape): GeoJSON.MultiPoint {
  const count = bytes.readInt32LE(at + 32);
  return { type: 'MultiPoint', coordinates: decodePositions(bytes, at + 36, count, { end, hasZ }) };
}

function decodeParts({ bytes, at, end, hasZ }: Shape): GeoJSON.Position[][] {
  const partCount = bytes.readInt32LE(at + 32);
  const pointCount = bytes.readInt32LE(at + 36);
  const firstPoint = at + 40 + partCount * 4;
  if (partCount < 0 || firstPoint > end) throw new RangeError('parts beyond the end');
  const positions = decodePositions(bytes, firstPoint, pointCount, { end, hasZ });
  if (partCount === 1) return [positions];
  const parts: GeoJSON.Position[][] = [];
  for (let i = 0; i < partCount; i++) {
    const from = bytes.readInt32LE(at + 40 + i * 4);
    const to = i + 1 < partCount ? bytes.readInt32LE(at + 44 + i * 4) : pointCount;
    if (to > from) parts.push(positions.slice(from, to));
  }
  return parts;
}

/** All x/y; then, when there is Z, its range and all Z. M after it is not read. */
function decodePositions(
  bytes: Buffer,
  at: number,
  count: number,
  { end, hasZ }: { end: number; hasZ: boolean },
): GeoJSON.Position[] {
  if (count < 0 || at + count * 16 > end) throw new RangeError('points beyond the end');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const zAt = at + count * 16 + 16;
  const withZ = hasZ && zAt + count * 8 <= end;
  const positions: GeoJSON.Position[] = new Array(count);
  for (let i = 0; i < count; i++) {
    const x = view.getFloat64(at + i * 16, true);
    const y = view.getFloat64(at + i * 16 + 8, true);
    positions[i] = withZ ? [x, y, view.getFloat64(zAt + i * 8, true)] : [x, y];
  }
  return positions;
}
