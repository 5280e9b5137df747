import { createReadStream, readFileSync } from 'node:fs';
import { messageOf } from '../../base/index.ts';
import { crsOfName, type NativeCrs } from '../crs.ts';
import { baseName, requireFile } from '../files.ts';
import { boxOf } from '../geometry/box.ts';
import { readGeometry } from '../geometry/geojson.ts';
import { type IndexedType, openIndexedFile } from '../indexed-file.ts';
import { RecordIndexBuilder } from '../records.ts';
import {
  type AttributeType,
  DataError,
  type Feature,
  type FeatureSchema,
  type MapnikSource,
  type VectorStore,
} from '../types.ts';
import { Inference } from './inference.ts';
import { indexedGeoJson } from './mapnik-index.ts';
import { FeatureScanner } from './scan.ts';

/** A document that is one feature or geometry is parsed whole: larger ones are not such. */
const SINGLE_BYTES_MAX = 64 * 1024 * 1024;

export interface GeoJsonOptions {
  readonly cacheDir: string;
}

/**
 * A GeoJSON file: a FeatureCollection of any size, one feature, or one geometry. Types of attributes are found by a look at
 * all features. Coordinates are longitude and latitude (RFC 7946), but for files with the older `crs` member.
 *
 * @throws DataError  `not-found`
 */
export function openGeoJson(file: string, options: GeoJsonOptions): VectorStore {
  requireFile(file);
  return openIndexedFile({
    location: file,
    types: () => new Map([[baseName(file), file]]),
    read: readType,
    mapnik: async (path, version, schema, native) =>
      ({
        kind: 'vector',
        parameters: { type: 'geojson', ...(await indexedGeoJson({ file: path, version, ...options })) },
        srs: native,
        version,
        attributes: schema.attributes,
      }) satisfies MapnikSource,
  });
}

/** Name that GeoServer gives to the geometry of GeoJSON. */
const GEOMETRY_NAME = 'geometry';

async function readType(file: string, name: string): Promise<IndexedType> {
  const builder = new RecordIndexBuilder();
  const inference = new Inference();
  let crs: NativeCrs = crsOfName('EPSG:4326');
  let isCollection = false;
  const see = (feature: GeoJSON.Feature, offset: number, length: number) => {
    const geometry = readGeometry(feature.geometry);
    inference.add(feature.properties, geometry);
    builder.add(offset, length, boxOf(geometry));
  };
  const scanner = new FeatureScanner({
    feature(bytes, offset) {
      isCollection = true;
      see(parse(file, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()), offset, bytes.length);
    },
    member(member, json) {
      if (member === 'crs') crs = crsOfMember(json) ?? crs;
      if (member === 'type' && json === '"FeatureCollection"') isCollection = true;
    },
  });
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) scanner.push(chunk as Buffer);
  if (!isCollection) {
    const { sizeBytes } = requireFile(file);
    if (sizeBytes > SINGLE_BYTES_MAX) throw new DataError('malformed', `${file} is no GeoJSON FeatureCollection`);
    see(toFeature(file, parse(file, readFileSync(file, 'utf8'))), 0, sizeBytes);
  }
  const attributes: AttributeType[] = [
    { name: GEOMETRY_NAME, type: 'geometry', geometryType: inference.geometryType(), nillable: true },
    ...inference.attributes(),
  ];
  const schema: FeatureSchema = { name, attributes, geometryName: GEOMETRY_NAME, ...crs, keyColumns: [] };
  const names = attributes.slice(1);
  return {
    schema,
    index: builder.build(),
    decode(bytes, record) {
      const feature = toFeature(file, parse(file, bytes.toString()));
      return {
        id: idOf(feature, name, record),
        properties: valuesOf(feature, names),
        geometry: readGeometry(feature.geometry),
      };
    },
  };
}

function parse(file: string, text: string): GeoJSON.Feature {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, '')) as GeoJSON.Feature;
  } catch (error) {
    throw new DataError('malformed', `${file} is not JSON: ${messageOf(error)}`, { cause: error });
  }
}

/** A document may be a bare geometry. */
function toFeature(file: string, json: GeoJSON.Feature | GeoJSON.Geometry): GeoJSON.Feature {
  if (json?.type === 'Feature') return json;
  if (typeof json?.type === 'string' && ('coordinates' in json || 'geometries' in json))
    return { type: 'Feature', properties: {}, geometry: json };
  throw new DataError('malformed', `${file} is no GeoJSON: there is no feature, collection or geometry in it`);
}

/** `type.id`; an id that has that form already is kept. Without one, the place in the file counts, from 0 as in GeoServer. */
function idOf(feature: GeoJSON.Feature, name: string, record: number): string {
  const id = String(feature.id ?? record);
  return id.startsWith(`${name}.`) ? id : `${name}.${id}`;
}

function valuesOf(feature: GeoJSON.Feature, attributes: readonly AttributeType[]): Feature['properties'] {
  const values: Record<string, Feature['properties'][string]> = {};
  for (const { name, type } of attributes) {
    const value: unknown = feature.properties?.[name] ?? null;
    values[name] =
      value === null || typeof value === 'number' || typeof value === 'boolean'
        ? type === 'string' && value !== null
          ? String(value)
          : value
        : typeof value === 'string'
          ? value
          : JSON.stringify(value);
  }
  return values;
}

function crsOfMember(json: string): NativeCrs | undefined {
  if (json === 'null') return undefined;
  const name = (JSON.parse(json) as { properties?: { name?: unknown } }).properties?.name;
  return typeof name === 'string' ? crsOfName(name) : undefined;
}
