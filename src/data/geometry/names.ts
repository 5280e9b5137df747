import type { GeometryType } from '../types.ts';

const TYPES: Readonly<Record<string, GeometryType>> = {
  POINT: 'Point',
  LINESTRING: 'LineString',
  POLYGON: 'Polygon',
  MULTIPOINT: 'MultiPoint',
  MULTILINESTRING: 'MultiLineString',
  MULTIPOLYGON: 'MultiPolygon',
  GEOMETRYCOLLECTION: 'GeometryCollection',
  GEOMCOLLECTION: 'GeometryCollection',
  GEOMETRY: 'Geometry',
  // As what they are read as:
  LINEARRING: 'LineString',
  CURVE: 'LineString',
  CIRCULARSTRING: 'LineString',
  COMPOUNDCURVE: 'LineString',
  CURVEPOLYGON: 'Polygon',
  SURFACE: 'Polygon',
  TRIANGLE: 'Polygon',
  MULTICURVE: 'MultiLineString',
  MULTISURFACE: 'MultiPolygon',
  POLYHEDRALSURFACE: 'MultiPolygon',
  TIN: 'MultiPolygon',
};

/** A geometry type by any database's or file's name for it, in any case, with or without its dimensions; else undefined. */
export function geometryTypeNamed(name: string): GeometryType | undefined {
  return TYPES[
    name
      .trim()
      .toUpperCase()
      .replace(/\s*(ZM|Z|M)$/, '')
  ];
}
