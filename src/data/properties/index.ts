import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { crsOfCode } from '../crs.ts';
import { baseName, requireFile } from '../files.ts';
import { parseWkt } from '../filter/index.ts';
import { boxOf } from '../geometry/box.ts';
import { geometryTypeNamed } from '../geometry/names.ts';
import { type IndexedType, openIndexedFile } from '../indexed-file.ts';
import { RecordIndexBuilder } from '../records.ts';
import { type AttributeType, type AttributeValue, DataError, type FeatureSchema, type VectorStore } from '../types.ts';
import { joinLines, linesOf, splitValues } from './lines.ts';
import { convertToGeoJson } from './mapnik.ts';

export interface PropertiesOptions {
  readonly cacheDir: string;
}

/** The driver is for samples and tests; what is larger does not belong into such a file. */
const FILE_BYTES_MAX = 256 * 1024 * 1024;

/**
 * GeoTools' property data store: a folder of `.properties` files (or one of them), each a type. A first line
 * `_=name:String,geom:MultiPolygon:srid=4326` says the attributes, and each other line is a feature: `id=value|value`, with
 * geometries in WKT, `<null>` for no value. A `*` before a name makes it the default geometry.
 *
 * @throws DataError  `not-found`
 */
export function openProperties(location: string, options: PropertiesOptions): VectorStore {
  const isFolder = requireFile(location).isFolder;
  return openIndexedFile({
    location,
    types: () => (isFolder ? propertyFilesIn(location) : new Map([[baseName(location), location]])),
    read: readType,
    mapnik: async (file, version, schema, srs, source) => ({
      kind: 'vector',
      parameters: { type: 'geojson', file: await convertToGeoJson({ file, version, source, ...options }) },
      srs,
      version,
      attributes: schema.attributes,
    }),
  });
}

function propertyFilesIn(folder: string): Map<string, string> {
  const names = readdirSync(folder).filter((name) => name.endsWith('.properties'));
  return new Map(names.sort().map((name) => [baseName(name), path.join(folder, name)]));
}

async function readType(file: string, name: string): Promise<IndexedType> {
  if (requireFile(file).sizeBytes > FILE_BYTES_MAX)
    throw new DataError('refused', `${file} is larger than ${FILE_BYTES_MAX} bytes: use a GeoPackage`);
  const builder = new RecordIndexBuilder();
  let schema: FeatureSchema | undefined;
  for (const line of linesOf(await readFile(file))) {
    if (schema === undefined) {
      if (!line.text.startsWith('_=')) break;
      schema = parseHeader(line.text.slice(2), name, file);
    } else builder.add(line.offset, line.length, boxOf(geometryOf(line.text, schema, file)));
  }
  if (schema === undefined) throw new DataError('malformed', `${file} does not start with "_=" and its attributes`);
  const known = schema;
  return {
    schema: known,
    index: builder.build(),
    decode(bytes) {
      const text = joinLines(bytes.toString());
      const values = valuesOf(text);
      const properties: Record<string, AttributeValue> = {};
      known.attributes.forEach((attribute, i) => {
        if (attribute.type !== 'geometry') properties[attribute.name] = parseValue(values[i], attribute);
      });
      return { id: idOf(text), properties, geometry: geometryOf(text, known, file) };
    },
  };
}

function parseHeader(text: string, name: string, file: string): FeatureSchema {
  const attributes: AttributeType[] = [];
  let geometryName: string | undefined;
  let srid = 0;
  let isMarked = false;
  for (const part of text.split(',')) {
    const [written = '', type = 'String', ...options] = part.trim().split(':');
    const isDefault = written.startsWith('*');
    const attribute = { name: written.replace(/^\*/, ''), nillable: true, ...typeNamed(type) };
    if (attribute.name === '') throw new DataError('malformed', `${file}: an attribute in the first line has no name`);
    attributes.push(attribute);
    if (attribute.type !== 'geometry' || (geometryName !== undefined && (isMarked || !isDefault))) continue;
    geometryName = attribute.name;
    isMarked = isDefault;
    srid = Number(
      options.map((option) => /^srid=(\d+)$/i.exec(option.trim())?.[1]).find((code) => code !== undefined) ?? 0,
    );
  }
  return {
    name,
    attributes,
    ...(geometryName === undefined ? {} : { geometryName, ...crsOfCode(srid) }),
    keyColumns: [],
  };
}

const TYPES: Readonly<Record<string, AttributeType['type']>> = {
  string: 'string',
  integer: 'integer',
  int: 'integer',
  short: 'integer',
  byte: 'integer',
  long: 'long',
  biginteger: 'long',
  double: 'double',
  float: 'double',
  bigdecimal: 'double',
  boolean: 'boolean',
  date: 'dateTime',
  timestamp: 'dateTime',
  datetime: 'dateTime',
  time: 'time',
};

/** Short names, and whole Java classes: `String`, `java.sql.Date`, `org.locationtech.jts.geom.Point`. */
function typeNamed(written: string): Pick<AttributeType, 'type' | 'geometryType'> {
  if (written.trim() === 'java.sql.Date') return { type: 'date' };
  const word = written
    .trim()
    .slice(written.trim().lastIndexOf('.') + 1)
    .toLowerCase();
  const geometryType = geometryTypeNamed(word);
  return geometryType === undefined ? { type: TYPES[word] ?? 'string' } : { type: 'geometry', geometryType };
}

function idOf(text: string): string {
  return text.slice(0, text.indexOf('=')).trim();
}

function valuesOf(text: string): string[] {
  return splitValues(text.slice(text.indexOf('=') + 1));
}

function geometryOf(text: string, schema: FeatureSchema, file: string): GeoJSON.Geometry | null {
  const at = schema.attributes.findIndex((attribute) => attribute.name === schema.geometryName);
  const written = at === -1 ? undefined : valuesOf(text)[at]?.trim();
  if (written === undefined || written === '' || written === '<null>') return null;
  try {
    return parseWkt(written).geometry;
  } catch (error) {
    throw new DataError('malformed', `${file}: the geometry of ${idOf(text)} is not well-known text`, { cause: error });
  }
}

function parseValue(written: string | undefined, { type }: AttributeType): AttributeValue {
  if (written === undefined || written === '<null>') return null;
  const text = written.trim();
  if (type === 'string') return written;
  if (text === '') return null;
  switch (type) {
    case 'integer':
    case 'long':
    case 'double': {
      const number = Number(text);
      if (Number.isInteger(number) && !Number.isSafeInteger(number) && /^[-+]?\d+$/.test(text)) return BigInt(text);
      return Number.isNaN(number) ? null : number;
    }
    case 'boolean':
      return /^(true|yes|1|t|y)$/i.test(text);
    case 'date':
    case 'dateTime': {
      const iso = text.replace(' ', 'T');
      const date = new Date(/^\d{4}-\d\d-\d\d$|Z$|[-+]\d\d:?\d\d$/i.test(iso) ? iso : `${iso}Z`);
      return Number.isNaN(date.getTime()) ? null : date;
    }
    default:
      return written;
  }
}
