import { open } from 'node:fs/promises';
import type { Logger } from '../../base/index.ts';
import { BATCH_FEATURES, clipCount, countOf, isUnrestricted, sift } from '../batches.ts';
import { crsOfWkt, mapnikSrs } from '../crs.ts';
import { baseName, readSidecar, requireFile, sibling, statFile } from '../files.ts';
import { lazily } from '../lazily.ts';
import { withFilterBox } from '../narrow.ts';
import { type RecordIndex, readAt, recordsIn, spansOf } from '../records.ts';
import type {
  AttributeValue,
  Box,
  Feature,
  FeatureQuery,
  FeatureSchema,
  FeatureSource,
  GeometryType,
  MapnikSource,
} from '../types.ts';
import { attributeOf, countDeleted, type DbfHeader, isDeleted, readDbfHeader, recordDecoder } from './dbf.ts';
import { type Encoding, encodingOf } from './encoding.ts';
import { indexedCopy } from './mapnik-index.ts';
import { decodeShape, geometryTypeOf, readShpHeader, readShpIndex } from './shp.ts';

/** Name that GeoServer gives to the geometry of a shapefile. */
const GEOMETRY_NAME = 'the_geom';

export interface ShapefileOptions {
  /** The store's charset; absent: as the `.cpg` says, or ISO-8859-1. */
  readonly charset?: string;
  readonly cacheDir: string;
  readonly logger: Logger;
}

/** What files a shapefile consists of, at one moment. */
export function shapefileVersion(shpFile: string): string {
  const version = (extension: string) => statFile(sibling(shpFile, extension))?.version ?? '';
  return [requireFile(shpFile).version, ...['shx', 'dbf', 'prj', 'cpg'].map(version)].join('.');
}

/** @throws DataError  not there, or not a shapefile */
export async function openShapefile(shpFile: string, options: ShapefileOptions): Promise<FeatureSource> {
  const version = shapefileVersion(shpFile);
  const encoding = encodingOf(options.charset, readSidecar(sibling(shpFile, 'cpg')));
  if (!encoding.isKnown) options.logger.warn('shapefile-encoding-unknown', { file: shpFile, charset: options.charset });
  const handle = await open(shpFile);
  const header = await readShpHeader(handle, shpFile).finally(() => handle.close());
  const dbfFile = sibling(shpFile, 'dbf');
  const dbf = statFile(dbfFile) === undefined ? undefined : await readDbfHeader(dbfFile, encoding.decode);
  const schema = schemaOf(shpFile, geometryTypeOf(header.shapeType), dbf);
  return new Shapefile({ shpFile, dbfFile, version, schema, dbf, encoding, options });
}

function schemaOf(shpFile: string, geometryType: GeometryType, dbf: DbfHeader | undefined): FeatureSchema {
  return {
    name: baseName(shpFile),
    attributes: [
      { name: GEOMETRY_NAME, type: 'geometry', geometryType, nillable: true },
      ...(dbf?.fields ?? []).map(attributeOf).filter((attribute) => attribute !== undefined),
    ],
    geometryName: GEOMETRY_NAME,
    ...crsOfWkt(readSidecar(sibling(shpFile, 'prj'))),
    keyColumns: [],
  };
}

interface Parts {
  readonly shpFile: string;
  readonly dbfFile: string;
  readonly version: string;
  readonly schema: FeatureSchema;
  readonly dbf: DbfHeader | undefined;
  readonly encoding: Encoding;
  readonly options: ShapefileOptions;
}

class Shapefile implements FeatureSource {
  readonly schema: FeatureSchema;
  readonly #parts: Parts;
  readonly #records: () => Promise<RecordIndex>;
  readonly #deleted: () => Promise<number>;
  readonly #fileForMapnik: () => Promise<string>;

  constructor(parts: Parts) {
    this.schema = parts.schema;
    this.#parts = parts;
    const { shpFile, version, options } = parts;
    this.#records = lazily(() => readShpIndex(shpFile));
    this.#deleted = lazily(async () => this.#countDeleted((await this.#records()).count));
    this.#fileForMapnik = lazily(async () =>
      indexedCopy({ shpFile, version, features: (await this.#records()).count, ...options }),
    );
  }

  async bounds(): Promise<Box | undefined> {
    return (await this.#records()).bounds;
  }

  async count(query: FeatureQuery = {}): Promise<number> {
    if (!isUnrestricted(query)) return countOf(this.features(query));
    const index = await this.#records();
    return clipCount(index.count - (await this.#deleted()), query);
  }

  features(query: FeatureQuery = {}, signal?: AbortSignal): AsyncIterable<readonly Feature[]> {
    const { filter, limit, offset } = query; // the box is answered exactly by the index
    const narrowed = withFilterBox(query, this.schema);
    return sift(this.#read(narrowed), this.schema, { filter, limit, offset }, signal);
  }

  async mapnik(): Promise<MapnikSource> {
    const { version, schema, encoding } = this.#parts;
    return {
      kind: 'vector',
      parameters: { type: 'shape', file: await this.#fileForMapnik(), encoding: encoding.name },
      srs: mapnikSrs(schema),
      version,
      attributes: schema.attributes,
    };
  }

  async #countDeleted(records: number): Promise<number> {
    const { dbf, dbfFile } = this.#parts;
    if (dbf === undefined) return 0;
    const handle = await open(dbfFile);
    return countDeleted(handle, dbf, records).finally(() => handle.close());
  }

  async *#read(query: FeatureQuery): AsyncGenerator<readonly Feature[]> {
    const { shpFile, dbfFile, schema, dbf, encoding } = this.#parts;
    const index = await this.#records();
    const decodeRecord = dbf && recordDecoder(dbf, encoding.decode);
    const noValues: Record<string, AttributeValue> = {};
    for (const attribute of schema.attributes) if (attribute.type !== 'geometry') noValues[attribute.name] = null;
    const wanted = (query.offset ?? 0) + (query.limit ?? Number.POSITIVE_INFINITY);
    const limits = {
      recordsMax: Math.max(1, Math.min(BATCH_FEATURES, isUnrestricted(query) ? wanted : BATCH_FEATURES)),
      bytesMax: 4 * 1024 * 1024,
      gapBytesMax: 16 * 1024,
      stepMax: 200,
    };
    const shp = await open(shpFile);
    const table = dbf && (await open(dbfFile));
    try {
      for (const span of spansOf(index, recordsIn(index, query.box), limits)) {
        const shapes = await readAt(shp, span.offset, span.bytes);
        const first = span.records[0]!;
        const rows = Math.min(span.records.at(-1)! + 1, dbf?.recordCount ?? 0) - first;
        const values =
          table && dbf && rows > 0
            ? await readAt(table, dbf.headerBytes + first * dbf.recordBytes, rows * dbf.recordBytes)
            : undefined;
        const batch: Feature[] = [];
        for (const record of span.records) {
          const at = (record - first) * (dbf?.recordBytes ?? 0);
          const hasValues =
            values !== undefined && decodeRecord !== undefined && at + dbf!.recordBytes <= values.length;
          if (hasValues && isDeleted(values, at)) continue;
          batch.push({
            id: `${schema.name}.${record + 1}`,
            properties: hasValues ? decodeRecord(values, at) : { ...noValues },
            geometry: decodeShape(shapes, index.offsets[record]! - span.offset, index.lengths[record]!),
          });
        }
        yield batch;
      }
    } finally {
      await shp.close();
      await table?.close();
    }
  }
}
