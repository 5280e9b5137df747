import type { Box } from '../types.ts';

/** Whether two boxes share at least a point; edges count. */
export function boxesMeet(a: Box, b: Box): boolean {
  return a[0] <= b[2] && a[2] >= b[0] && a[1] <= b[3] && a[3] >= b[1];
}

/** Bounding box of a geometry; undefined when it has no coordinates. */
export function boxOf(geometry: GeoJSON.Geometry | null): Box | undefined {
  if (geometry === null) return undefined;
  const box: MutableBox = [Infinity, Infinity, -Infinity, -Infinity];
  growByGeometry(box, geometry);
  return box[0] <= box[2] ? box : undefined;
}

/** The smallest box around both. */
export function unionOf(a: Box | undefined, b: Box | undefined): Box | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}

type MutableBox = [number, number, number, number];
type Nested = readonly (number | Nested)[];

function growByGeometry(box: MutableBox, geometry: GeoJSON.Geometry): void {
  if (geometry.type === 'GeometryCollection') for (const part of geometry.geometries) growByGeometry(box, part);
  else grow(box, geometry.coordinates as Nested);
}

function grow(box: MutableBox, coordinates: Nested): void {
  if (typeof coordinates[0] !== 'number') {
    for (const part of coordinates) grow(box, part as Nested);
    return;
  }
  const x = coordinates[0];
  const y = coordinates[1] as number;
  if (x < box[0]) box[0] = x;
  if (x > box[2]) box[2] = x;
  if (y < box[1]) box[1] = y;
  if (y > box[3]) box[3] = y;
}
