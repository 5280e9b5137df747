import { DataError } from '../types.ts';

/** How deep the numbers of each type are. */
const DEPTHS: Readonly<Record<string, number>> = {
  Point: 1,
  MultiPoint: 2,
  LineString: 2,
  MultiLineString: 3,
  Polygon: 3,
  MultiPolygon: 4,
};

/**
 * A geometry as read from JSON that somebody else wrote. Members that do not belong there are dropped; an empty point is null.
 *
 * @throws DataError  `malformed`: it is no geometry
 */
export function readGeometry(json: unknown, depth = 0): GeoJSON.Geometry | null {
  if (json === null || json === undefined) return null;
  const { type, coordinates, geometries } = json as { type?: unknown; coordinates?: unknown; geometries?: unknown };
  if (type === 'GeometryCollection' && Array.isArray(geometries) && depth < 16)
    return {
      type,
      geometries: geometries.map((part) => readGeometry(part, depth + 1)).filter((part) => part !== null),
    };
  const levels = typeof type === 'string' ? DEPTHS[type] : undefined;
  if (levels === undefined || !Array.isArray(coordinates))
    throw new DataError('malformed', `a GeoJSON geometry has the type ${JSON.stringify(type)}, or no coordinates`);
  if (coordinates.length === 0 && type === 'Point') return null;
  if (!isNested(coordinates, levels))
    throw new DataError('malformed', `a GeoJSON ${type} has coordinates of another form`);
  return { type, coordinates } as GeoJSON.Geometry;
}

function isNested(value: unknown, levels: number): boolean {
  if (!Array.isArray(value)) return false;
  if (levels === 1) return value.length >= 2 && typeof value[0] === 'number' && typeof value[1] === 'number';
  return value.every((part) => isNested(part, levels - 1));
}
