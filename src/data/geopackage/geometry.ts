import { parseWkb } from '../geometry/wkb.ts';
import type { Box } from '../types.ts';

/** Bytes of the envelope by its code: none, xy, xyz, xym, xyzm. */
const ENVELOPE_BYTES = [0, 32, 48, 48, 64] as const;
const HEADER_BYTES = 8;

/**
 * A geometry as GeoPackages hold it: `GP`, version, flags, SRS, envelope, then WKB. Plain WKB, which some writers put there,
 * is taken as well.
 *
 * @throws DataError  `malformed`
 * @see OGC 12-128r19, 2.1.3
 */
export function parseGeoPackageGeometry(bytes: Uint8Array): GeoJSON.Geometry | null {
  if (!hasHeader(bytes)) return bytes.length === 0 ? null : parseWkb(bytes);
  if ((bytes[3]! & 0x20) !== 0) return null; // an extension's own geometry
  return parseWkb(bytes, HEADER_BYTES + envelopeBytes(bytes));
}

/** The envelope in the header; undefined when there is none, or it is empty. */
export function headerBox(bytes: Uint8Array): Box | undefined {
  if (!hasHeader(bytes) || envelopeBytes(bytes) === 0 || bytes.length < HEADER_BYTES + 32) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const littleEndian = (bytes[3]! & 1) === 1;
  const at = (i: number) => view.getFloat64(HEADER_BYTES + i * 8, littleEndian);
  const box: Box = [at(0), at(2), at(1), at(3)];
  return box.some(Number.isNaN) ? undefined : box;
}

function hasHeader(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_BYTES && bytes[0] === 0x47 && bytes[1] === 0x50;
}

function envelopeBytes(bytes: Uint8Array): number {
  return ENVELOPE_BYTES[(bytes[3]! >> 1) & 7] ?? 0;
}
