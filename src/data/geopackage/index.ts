import type { StatementSync } from 'node:sqlite';
import { messageOf } from '../../base/index.ts';
import { BATCH_FEATURES, clipCount, countOf, isUnrestricted, sift } from '../batches.ts';
import { mapnikSrs } from '../crs.ts';
import { boxOf, unionOf } from '../geometry/box.ts';
import { narrowingSql, type SqlNames, withFilterBox } from '../narrow.ts';
import {
  type AttributeType,
  type AttributeValue,
  type Box,
  DataError,
  type Feature,
  type FeatureQuery,
  type FeatureSchema,
  type FeatureSource,
  type MapnikSource,
  type VectorStore,
} from '../types.ts';
import { databaseVersion, quoteIdentifier, SharedDatabase } from './database.ts';
import { headerBox, parseGeoPackageGeometry } from './geometry.ts';
import { readTable, readView, type Table, tableNames } from './schema.ts';

/**
 * A GeoPackage, read only. The file is looked at again on every use: one that was replaced is opened anew, and the old one is
 * closed when the last reader has finished.
 *
 * @throws DataError  there is no such file, or it is no GeoPackage
 */
export function openGeoPackage(file: string): VectorStore {
  let shared: SharedDatabase | undefined = new SharedDatabase(file);
  const tables = new Map<string, Table>();
  const current = () => {
    if (shared !== undefined && shared.version !== databaseVersion(file)) {
      shared.retire();
      shared = undefined;
      tables.clear();
    }
    shared ??= new SharedDatabase(file);
    return shared;
  };
  if (shared.database.prepare(`SELECT 1 FROM sqlite_master WHERE name = 'gpkg_contents'`).get() === undefined) {
    shared.retire();
    throw new DataError('malformed', `${file} is not a GeoPackage: it has no table gpkg_contents`);
  }
  return {
    async names() {
      return tableNames(current().database);
    },
    async source(nativeName, virtualTable) {
      const database = current();
      const key = virtualTable === undefined ? nativeName : JSON.stringify(virtualTable);
      let table = tables.get(key);
      if (table === undefined) {
        table =
          virtualTable === undefined
            ? readTable(database.database, nativeName)
            : readView(database.database, virtualTable);
        tables.set(key, table);
      }
      return new GeoPackageSource(current, table);
    },
    async close() {
      shared?.retire();
      shared = undefined;
    },
  };
}

class GeoPackageSource implements FeatureSource {
  readonly schema: FeatureSchema;
  readonly #database: () => SharedDatabase;
  readonly #table: Table;

  constructor(database: () => SharedDatabase, table: Table) {
    this.schema = table.schema;
    this.#database = database;
    this.#table = table;
  }

  /** What `gpkg_contents` says when the R-tree agrees with it; otherwise from the geometries themselves. */
  async bounds(): Promise<Box | undefined> {
    const { geometryName } = this.schema;
    if (geometryName === undefined) return undefined;
    const { database } = this.#database();
    const rough = this.#table.rtree === undefined ? undefined : rtreeBounds(database, this.#table.rtree);
    if (rough !== undefined) {
      const row = database
        .prepare(`SELECT min_x, min_y, max_x, max_y FROM gpkg_contents WHERE lower(table_name) = lower(?)`)
        .get(this.schema.name);
      const claimed = row && (Object.values(row) as (number | null)[]);
      if (claimed?.every((value) => value !== null) && agree(claimed as unknown as Box, rough))
        return claimed as unknown as Box;
    }
    let bounds: Box | undefined;
    const sql = `SELECT ${quoteIdentifier(geometryName)} FROM ${this.#table.from}`;
    for await (const rows of this.#rows(sql, []))
      for (const [value] of rows)
        if (value instanceof Uint8Array)
          bounds = unionOf(bounds, headerBox(value) ?? boxOf(parseGeoPackageGeometry(value)));
    return bounds;
  }

  async count(query: FeatureQuery = {}): Promise<number> {
    if (!isUnrestricted(query)) return countOf(this.features(query));
    const row = this.#database().database.prepare(`SELECT count(*) AS n FROM ${this.#table.from}`).get();
    return clipCount(Number(row?.n), query);
  }

  features(query: FeatureQuery = {}, signal?: AbortSignal): AsyncIterable<readonly Feature[]> {
    const { box, filter, limit, offset } = query;
    const narrowed = withFilterBox(query, this.schema);
    const remainder = isUnrestricted(query) ? {} : { box, filter, limit, offset };
    return sift(this.#read(narrowed), this.schema, remainder, signal);
  }

  async mapnik(): Promise<MapnikSource> {
    const { file, version } = this.#database();
    const { isView, from } = this.#table;
    const layer: Record<string, string> = isView
      ? { layer_by_sql: `SELECT * FROM ${from}` }
      : { layer: this.schema.name };
    return {
      kind: 'vector',
      parameters: { type: 'ogr', driver: 'GPKG', file, ...layer },
      srs: mapnikSrs(this.schema),
      version,
      attributes: this.schema.attributes,
    };
  }

  async *#read(query: FeatureQuery): AsyncGenerator<readonly Feature[]> {
    const { schema } = this;
    const values = schema.attributes.filter((attribute) => attribute.type !== 'geometry');
    const { from, rowId, rtree } = this.#table;
    const columns = [
      ...(schema.geometryName === undefined ? ['NULL'] : [quoteIdentifier(schema.geometryName)]),
      ...values.map((attribute) => quoteIdentifier(attribute.name)),
      ...(schema.keyColumns.length > 0 ? schema.keyColumns.map(quoteIdentifier) : rowId !== undefined ? [rowId] : []),
    ];
    let sql = `SELECT ${columns.join(', ')} FROM ${from}`;
    const parameters: (string | number | bigint)[] = [];
    const conditions: string[] = [];
    if (query.box !== undefined && rtree !== undefined && rowId !== undefined) {
      conditions.push(
        `${rowId} IN (SELECT id FROM ${quoteIdentifier(rtree)} WHERE maxx >= ? AND minx <= ? AND maxy >= ? AND miny <= ?)`,
      );
      parameters.push(query.box[0], query.box[2], query.box[1], query.box[3]);
    }
    const narrowing = query.filter && narrowingSql(query.filter, this.#names(parameters));
    if (narrowing !== undefined) conditions.push(`(${narrowing})`);
    if (conditions.length > 0) sql += ` WHERE ${conditions.join(' AND ')}`;
    if (isUnrestricted(query) && (query.limit !== undefined || query.offset !== undefined)) {
      sql += ' LIMIT ? OFFSET ?';
      parameters.push(query.limit ?? -1, query.offset ?? 0);
    }
    const converters = values.map(converterOf);
    const firstKey = 1 + values.length;
    let row = query.offset ?? 0;
    for await (const rows of this.#rows(sql, parameters))
      yield rows.map((cells) => {
        const properties: Record<string, AttributeValue> = {};
        for (let i = 0; i < values.length; i++) properties[values[i]!.name] = converters[i]!(cells[i + 1] ?? null);
        const key = cells.slice(firstKey).join('.');
        row++;
        const shape = cells[0];
        return {
          id: `${schema.name}.${key === '' ? `row${row}` : key}`,
          properties,
          geometry: shape instanceof Uint8Array ? parseGeoPackageGeometry(shape) : null,
        };
      });
  }

  #names(parameters: (string | number | bigint)[]): SqlNames {
    return {
      schema: this.schema,
      column: ({ name }) => quoteIdentifier(name),
      key: quoteIdentifier,
      hasIntegerKey: this.#table.hasIntegerKey,
      add(value) {
        parameters.push(value);
        return '?';
      },
    };
  }

  /** Rows in batches, as arrays of cells. Whole numbers may come as bigint. */
  async *#rows(sql: string, parameters: readonly (string | number | bigint)[]): AsyncGenerator<Cell[][]> {
    const shared = this.#database();
    const release = shared.hold();
    try {
      let statement: StatementSync;
      try {
        statement = shared.database.prepare(sql);
      } catch (error) {
        throw new DataError('malformed', `${this.schema.name} cannot be read: ${messageOf(error)}`, { cause: error });
      }
      statement.setReturnArrays(true);
      statement.setReadBigInts(this.schema.attributes.some((attribute) => attribute.type === 'long'));
      let batch: Cell[][] = [];
      for (const cells of statement.iterate(...parameters) as Iterable<unknown> as Iterable<Cell[]>) {
        batch.push(cells);
        if (batch.length < BATCH_FEATURES) continue;
        yield batch;
        batch = [];
      }
      yield batch;
    } finally {
      release();
    }
  }
}

type Cell = string | number | bigint | Uint8Array | null;

function converterOf(attribute: AttributeType): (cell: Cell) => AttributeValue {
  switch (attribute.type) {
    case 'boolean':
      return (cell) => (cell === null ? null : Number(cell) !== 0);
    case 'date':
    case 'dateTime':
      return (cell) => (typeof cell === 'string' ? dateOf(cell) : null);
    default:
      return (cell) => (typeof cell === 'bigint' && isSafe(cell) ? Number(cell) : cell);
  }
}

const isSafe = (value: bigint) => value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);

/** Dates and times without a zone are in UTC. */
function dateOf(text: string): Date | null {
  const iso = text.trim().replace(' ', 'T');
  const date = new Date(/^\d{4}-\d\d-\d\d$/.test(iso) || /(Z|[-+]\d\d:?\d\d)$/i.test(iso) ? iso : `${iso}Z`);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** Bounds of all boxes in an R-tree, from its root node: big-endian 32-bit floats, rounded outwards. */
function rtreeBounds(database: SharedDatabase['database'], rtree: string): Box | undefined {
  const row = database.prepare(`SELECT data FROM ${quoteIdentifier(`${rtree}_node`)} WHERE nodeno = 1`).get();
  if (!(row?.data instanceof Uint8Array)) return undefined;
  const view = new DataView(row.data.buffer, row.data.byteOffset, row.data.byteLength);
  let bounds: Box | undefined;
  const cells = view.getUint16(2);
  for (let i = 0; i < cells; i++) {
    const at = 4 + i * 24 + 8;
    bounds = unionOf(bounds, [
      view.getFloat32(at),
      view.getFloat32(at + 8),
      view.getFloat32(at + 4),
      view.getFloat32(at + 12),
    ]);
  }
  return bounds;
}

/** Whether two boxes are the same but for 32-bit rounding. */
function agree(exact: Box, rough: Box): boolean {
  return exact.every((value, i) => Math.abs(value - rough[i]!) <= Math.max(1e-6, Math.abs(value) * 1e-6));
}
