import type { DatabaseSync } from 'node:sqlite';
import type { VirtualTable } from '../../catalog/index.ts';
import { crsOfCode, crsOfWkt, type NativeCrs } from '../crs.ts';
import { geometryTypeNamed } from '../geometry/names.ts';
import { expandView } from '../sql-view.ts';
import { type AttributeType, DataError, type FeatureSchema, type GeometryType } from '../types.ts';
import { quoteIdentifier } from './database.ts';

/** What a query for features is made from. */
export interface Table {
  readonly schema: FeatureSchema;
  /** What stands after FROM. */
  readonly from: string;
  /** Expression for the row's number; undefined for views without one. */
  readonly rowId: string | undefined;
  /** Name of the R-tree over the default geometry. */
  readonly rtree: string | undefined;
  readonly isView: boolean;
  readonly hasIntegerKey: boolean;
}

/** Tables with features or plain attributes, in the order of names. Entries of tables that do not exist are passed over. */
export function tableNames(database: DatabaseSync): string[] {
  const rows = database
    .prepare(
      `SELECT c.table_name AS name FROM gpkg_contents c JOIN sqlite_master m ON lower(m.name) = lower(c.table_name)
       WHERE c.data_type IN ('features', 'attributes', 'aspatial') AND m.type IN ('table', 'view') ORDER BY 1`,
    )
    .all() as { name: string }[];
  return rows.map((row) => row.name);
}

/** @throws DataError  `not-found` */
export function readTable(database: DatabaseSync, name: string): Table {
  const columns = database.prepare(`PRAGMA table_info(${quoteIdentifier(name)})`).all() as unknown as ColumnInfo[];
  if (columns.length === 0) throw new DataError('not-found', `there is no table ${name} in the GeoPackage`);
  const geometries = geometryColumns(database, name);
  const key = columns.filter((column) => column.pk > 0).sort((a, b) => a.pk - b.pk);
  const geometryNames = new Set(geometries.map((geometry) => geometry.name.toLowerCase()));
  const attributes: AttributeType[] = [];
  for (const column of columns) {
    if (column.pk > 0 && isInteger(column.type)) continue; // GeoServer hides it: it is the feature's id
    const geometry = geometries.find(({ name: own }) => own.toLowerCase() === column.name.toLowerCase());
    const nillable = column.notnull === 0;
    // A second geometry column cannot be registered, but some files have one.
    const geometryType = geometry?.type ?? geometryTypeNamed(column.type);
    if (geometryType !== undefined) attributes.push({ name: column.name, type: 'geometry', geometryType, nillable });
    else attributes.push({ name: column.name, nillable, ...typeOfColumn(column.type) });
  }
  const main = attributes.find((attribute) => geometryNames.has(attribute.name.toLowerCase()));
  const srsId = geometries.find(({ name: own }) => own.toLowerCase() === main?.name.toLowerCase())?.srsId;
  const isTable = database
    .prepare(`SELECT 1 FROM sqlite_master WHERE lower(name) = lower(?) AND type = 'table'`)
    .get(name);
  return {
    schema: {
      name,
      attributes,
      ...(main === undefined ? {} : { geometryName: main.name }),
      ...(srsId === undefined ? {} : crsOfSrs(database, srsId)),
      keyColumns: key.map((column) => column.name),
    },
    from: quoteIdentifier(name),
    rowId: isTable !== undefined ? 'rowid' : undefined,
    rtree: main === undefined || isTable === undefined ? undefined : rtreeOf(database, name, main.name),
    isView: false,
    hasIntegerKey: key.length === 1 && isInteger(key[0]!.type),
  };
}

/** A SQL view: its columns are those of its first row. */
export function readView(database: DatabaseSync, view: VirtualTable): Table {
  const sql = expandView(view);
  const from = `(${sql})`;
  let statement: ReturnType<DatabaseSync['prepare']>;
  try {
    statement = database.prepare(`SELECT * FROM ${from}`);
  } catch (error) {
    throw new DataError('malformed', `the SQL view ${view.name} is not understood by the database`, { cause: error });
  }
  const sample = statement.get() as Record<string, unknown> | undefined;
  const attributes: AttributeType[] = [];
  for (const column of statement.columns()) {
    if (column.name === null || view.keyColumns.includes(column.name)) continue;
    const geometry = view.geometries.find(({ name }) => name === column.name);
    if (geometry !== undefined)
      attributes.push({
        name: column.name,
        type: 'geometry',
        geometryType: geometryTypeNamed(geometry.type) ?? 'Geometry',
        nillable: true,
      });
    else
      attributes.push({
        name: column.name,
        nillable: true,
        ...(column.type === null ? typeOfValue(sample?.[column.name]) : typeOfColumn(column.type)),
      });
  }
  const main = view.geometries.find(({ name }) => attributes.some((attribute) => attribute.name === name));
  return {
    schema: {
      name: view.name,
      attributes,
      ...(main === undefined ? {} : { geometryName: main.name, ...crsOfSrs(database, main.srid) }),
      keyColumns: view.keyColumns,
    },
    from,
    rowId: undefined,
    rtree: undefined,
    isView: true,
    hasIntegerKey: false,
  };
}

interface ColumnInfo {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
  readonly pk: number;
}

function geometryColumns(database: DatabaseSync, table: string): { name: string; type: GeometryType; srsId: number }[] {
  const rows = database
    .prepare(
      `SELECT column_name AS name, geometry_type_name AS type, srs_id AS srsId FROM gpkg_geometry_columns
       WHERE lower(table_name) = lower(?)`,
    )
    .all(table) as { name: string; type: string; srsId: number }[];
  return rows.map((row) => ({ ...row, type: geometryTypeNamed(row.type) ?? 'Geometry' }));
}

const isInteger = (type: string) => /INT/i.test(type);

/** @see OGC 12-128r19 (GeoPackage 1.4), table 1; what is not in it, by SQLite's rules of affinity */
function typeOfColumn(declared: string): Pick<AttributeType, 'type' | 'length'> {
  const type = declared.toUpperCase();
  if (type === 'BOOLEAN') return { type: 'boolean' };
  if (/^(TINYINT|SMALLINT|MEDIUMINT)\b/.test(type)) return { type: 'integer' };
  if (type === 'DATE') return { type: 'date' };
  if (/^(DATETIME|TIMESTAMP)\b/.test(type)) return { type: 'dateTime' };
  if (type === 'TIME') return { type: 'time' };
  if (isInteger(type)) return { type: 'long' };
  if (/CHAR|CLOB|TEXT/.test(type)) {
    const length = /\((\d+)\)/.exec(type)?.[1];
    return length === undefined ? { type: 'string' } : { type: 'string', length: Number(length) };
  }
  if (type === '' || type.includes('BLOB')) return { type: 'bytes' };
  if (/REAL|FLOA|DOUB|NUMERIC|DECIMAL/.test(type)) return { type: 'double' };
  return { type: 'string' };
}

function typeOfValue(value: unknown): Pick<AttributeType, 'type'> {
  if (typeof value === 'number') return { type: Number.isInteger(value) ? 'long' : 'double' };
  return { type: value instanceof Uint8Array ? 'bytes' : 'string' };
}

function crsOfSrs(database: DatabaseSync, srsId: number): NativeCrs {
  const row = database
    .prepare(
      `SELECT organization, organization_coordsys_id AS code, definition FROM gpkg_spatial_ref_sys WHERE srs_id = ?`,
    )
    .get(srsId) as { organization: string; code: number; definition: string } | undefined;
  if (row?.organization.toUpperCase() === 'EPSG') {
    const known = crsOfCode(row.code);
    if (known.crs !== undefined) return known;
  }
  return row === undefined || row.definition === 'undefined' ? {} : crsOfWkt(row.definition);
}

/** Undefined as well when the index is there by name only, as in files that were cut down by hand. */
function rtreeOf(database: DatabaseSync, table: string, column: string): string | undefined {
  const row = database
    .prepare(
      `SELECT r.name FROM sqlite_master r JOIN sqlite_master n ON n.name = r.name || '_node'
       WHERE r.sql LIKE 'CREATE VIRTUAL TABLE%rtree%' AND lower(r.name) = lower(?)`,
    )
    .get(`rtree_${table}_${column}`) as { name: string } | undefined;
  return row?.name;
}
