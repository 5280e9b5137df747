import type { AttributeType, GeometryType } from './types.ts';

const JTS = 'org.locationtech.jts.geom.';
/** JTS before it moved to LocationTech, as in files of GeoServer before 2.14. */
const OLD_JTS = 'com.vividsolutions.jts.geom.';

const BINDINGS: Readonly<Record<Exclude<AttributeType['type'], 'geometry'>, string>> = {
  string: 'java.lang.String',
  integer: 'java.lang.Integer',
  long: 'java.lang.Long',
  double: 'java.lang.Double',
  boolean: 'java.lang.Boolean',
  date: 'java.sql.Date',
  dateTime: 'java.sql.Timestamp',
  time: 'java.sql.Time',
  bytes: '[B',
};

/** Java classes that GeoServer's files and clients use besides those above. */
const OTHER_BINDINGS: Readonly<Record<string, AttributeType['type']>> = {
  'java.lang.Short': 'integer',
  'java.lang.Byte': 'integer',
  'java.math.BigInteger': 'long',
  'java.lang.Float': 'double',
  'java.math.BigDecimal': 'double',
  'java.lang.Number': 'double',
  'java.util.Date': 'dateTime',
  'java.util.Calendar': 'dateTime',
  'java.util.UUID': 'string',
  'java.lang.Character': 'string',
  'java.lang.Object': 'string',
  'java.net.URI': 'string',
  'java.net.URL': 'string',
};

const GEOMETRY_TYPES: readonly GeometryType[] = [
  'Point',
  'LineString',
  'Polygon',
  'MultiPoint',
  'MultiLineString',
  'MultiPolygon',
  'GeometryCollection',
  'Geometry',
];

/** The Java class that GeoServer names as an attribute's `binding`. */
export function bindingOf(attribute: Pick<AttributeType, 'type' | 'geometryType'>): string {
  return attribute.type === 'geometry' ? `${JTS}${attribute.geometryType ?? 'Geometry'}` : BINDINGS[attribute.type];
}

/** The type behind a `binding`; text for classes that are not known. */
export function attributeOfBinding(binding: string): Pick<AttributeType, 'type' | 'geometryType'> {
  const prefix = [JTS, OLD_JTS].find((start) => binding.startsWith(start));
  if (prefix !== undefined) {
    const name = binding.slice(prefix.length).replace('LinearRing', 'LineString');
    return { type: 'geometry', geometryType: GEOMETRY_TYPES.find((type) => type === name) ?? 'Geometry' };
  }
  for (const [type, name] of Object.entries(BINDINGS))
    if (name === binding) return { type: type as AttributeType['type'] };
  return { type: OTHER_BINDINGS[binding] ?? 'string' };
}
