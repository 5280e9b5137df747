import { DataError } from '../types.ts';
import { strokeArcs } from './arc.ts';

/**
 * Well-known binary to GeoJSON. Understands the OGC form, ISO (type + 1000 for Z, 2000 for M, 3000 for both) and
 * PostGIS' EWKB (flags and SRID). Z is kept, M and SRID are dropped, arcs become lines. A point without coordinates is null.
 *
 * @param bytes  one geometry, starting at `offset`
 * @throws DataError  `malformed`: it ends too early, or has an unknown type
 * @see OGC 06-103r4, 8.2; ISO/IEC 13249-3
 */
export function parseWkb(bytes: Uint8Array, offset = 0): GeoJSON.Geometry | null {
  const reader: Reader = {
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    at: offset,
    littleEndian: true,
    dimensions: 2,
    hasZ: false,
  };
  try {
    return readGeometry(reader, 0);
  } catch (error) {
    if (error instanceof RangeError)
      throw new DataError('malformed', `a geometry of ${bytes.length} bytes ends too early`, { cause: error });
    throw error;
  }
}

interface Reader {
  readonly view: DataView;
  at: number;
  littleEndian: boolean;
  dimensions: number;
  hasZ: boolean;
}

/** Collections within collections: more is an attack, not data. */
const DEPTH_MAX = 16;

function readGeometry(reader: Reader, depth: number): GeoJSON.Geometry | null {
  if (depth > DEPTH_MAX) throw new DataError('malformed', `a geometry is nested more than ${DEPTH_MAX} deep`);
  switch (readHead(reader)) {
    case 1: {
      const point = readPoint(reader);
      return Number.isNaN(point[0]) ? null : { type: 'Point', coordinates: point };
    }
    case 2:
      return { type: 'LineString', coordinates: readPoints(reader) };
    case 8:
      return { type: 'LineString', coordinates: strokeArcs(readPoints(reader)) };
    case 9:
      return { type: 'LineString', coordinates: joinLines(readParts(reader, depth)) };
    case 3:
    case 17:
      return { type: 'Polygon', coordinates: readRings(reader) };
    case 10:
      return { type: 'Polygon', coordinates: linesOf(readParts(reader, depth)) };
    case 4:
      return {
        type: 'MultiPoint',
        coordinates: readParts(reader, depth).flatMap((part) => (part.type === 'Point' ? [part.coordinates] : [])),
      };
    case 5:
    case 11:
      return { type: 'MultiLineString', coordinates: linesOf(readParts(reader, depth)) };
    case 6:
    case 12:
    case 15:
    case 16:
      return {
        type: 'MultiPolygon',
        coordinates: readParts(reader, depth).flatMap((part) => (part.type === 'Polygon' ? [part.coordinates] : [])),
      };
    case 7:
      return { type: 'GeometryCollection', geometries: readParts(reader, depth) };
    default:
      throw new DataError('malformed', 'a geometry has an unknown type');
  }
}

/** Reads byte order, type and flags; returns the type without its dimensions. */
function readHead(reader: Reader): number {
  reader.littleEndian = reader.view.getUint8(reader.at) === 1;
  const word = reader.view.getUint32(reader.at + 1, reader.littleEndian);
  reader.at += 5;
  if ((word & 0x20000000) !== 0) reader.at += 4;
  const code = word & 0x0fffffff;
  const thousands = Math.floor(code / 1000);
  reader.hasZ = (word & 0x80000000) !== 0 || thousands === 1 || thousands === 3;
  const hasM = (word & 0x40000000) !== 0 || thousands === 2 || thousands === 3;
  reader.dimensions = 2 + (reader.hasZ ? 1 : 0) + (hasM ? 1 : 0);
  return code % 1000;
}

function readCount(reader: Reader, bytesEach: number): number {
  const count = reader.view.getUint32(reader.at, reader.littleEndian);
  reader.at += 4;
  // Checked before anything of that size is made.
  if (count * bytesEach > reader.view.byteLength - reader.at) throw new RangeError('count beyond the end');
  return count;
}

function readPoint(reader: Reader): GeoJSON.Position {
  const { view, at, littleEndian } = reader;
  const x = view.getFloat64(at, littleEndian);
  const y = view.getFloat64(at + 8, littleEndian);
  reader.at += reader.dimensions * 8;
  // With a RangeError for a point that is cut off in its Z or M.
  if (reader.at > view.byteLength) throw new RangeError('point beyond the end');
  return reader.hasZ ? [x, y, view.getFloat64(at + 16, littleEndian)] : [x, y];
}

function readPoints(reader: Reader): GeoJSON.Position[] {
  const count = readCount(reader, reader.dimensions * 8);
  const points: GeoJSON.Position[] = new Array(count);
  for (let i = 0; i < count; i++) points[i] = readPoint(reader);
  return points;
}

function readRings(reader: Reader): GeoJSON.Position[][] {
  const count = readCount(reader, 4);
  const rings: GeoJSON.Position[][] = [];
  for (let i = 0; i < count; i++) rings.push(readPoints(reader));
  return rings;
}

function readParts(reader: Reader, depth: number): GeoJSON.Geometry[] {
  const count = readCount(reader, 5);
  const parts: GeoJSON.Geometry[] = [];
  for (let i = 0; i < count; i++) {
    const part = readGeometry(reader, depth + 1);
    if (part !== null) parts.push(part);
  }
  return parts;
}

function linesOf(parts: readonly GeoJSON.Geometry[]): GeoJSON.Position[][] {
  return parts.flatMap((part) => (part.type === 'LineString' ? [part.coordinates] : []));
}

/** The pieces of a compound curve follow each other: an end is the next one's start. */
function joinLines(parts: readonly GeoJSON.Geometry[]): GeoJSON.Position[] {
  const joined: GeoJSON.Position[] = [];
  for (const line of linesOf(parts)) joined.push(...(joined.length > 0 ? line.slice(1) : line));
  return joined;
}
