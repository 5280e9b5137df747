import type pg from 'pg';
import type { VirtualTable } from '../../catalog/index.ts';
import { crsOfCode, crsOfWkt, type NativeCrs } from '../crs.ts';
import { geometryTypeNamed } from '../geometry/names.ts';
import { expandView } from '../sql-view.ts';
import { type AttributeType, DataError, type FeatureSchema, type GeometryType } from '../types.ts';

/** What a query for features is made from. */
export interface Relation {
  readonly schema: FeatureSchema;
  readonly columns: readonly Column[];
  /** What stands after FROM. */
  readonly from: string;
  /** Number of the default geometry's CRS in `spatial_ref_sys`; 0 when unknown. */
  readonly srid: number;
  /** Whether the key is one column of whole numbers. */
  readonly hasIntegerKey: boolean;
  /** Absent for SQL views. */
  readonly table?: { readonly schema: string; readonly name: string };
}

/** One attribute, and the expressions that yield it. */
export interface Column {
  readonly attribute: AttributeType;
  /** For this driver: a geometry as geometry, types that it does not know as text. */
  readonly sql: string;
  /** For Mapnik, which knows no dates either. */
  readonly mapnikSql: string;
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Tables and views of a schema that may be read, but PostGIS' own, in the order of names. */
export async function relationNames(pool: pg.Pool, schema: string): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND has_table_privilege(c.oid, 'SELECT')
       AND c.relname NOT IN ('geometry_columns', 'geography_columns', 'spatial_ref_sys', 'raster_columns', 'raster_overviews')
     ORDER BY 1`,
    [schema],
  );
  return rows.map((row) => row.name);
}

interface ColumnFacts {
  readonly name: string;
  /** Of the base type, where it is a domain. */
  readonly type: string;
  /** With modifiers: `geometry(Point,4326)`, `character varying(20)`. */
  readonly declared: string;
  readonly required: boolean;
  /** Place in the primary key, from 1. */
  readonly key: number | null;
}

export interface TableName {
  readonly schema: string;
  readonly name: string;
  readonly exposePrimaryKeys: boolean;
}

/** @throws DataError  `not-found` */
export async function readTable(pool: pg.Pool, { schema, name, exposePrimaryKeys }: TableName): Promise<Relation> {
  const { rows } = await pool.query<ColumnFacts>(
    `SELECT a.attname AS name, coalesce(b.typname, t.typname) AS type, a.attnotnull AS required,
            CASE WHEN b.oid IS NULL THEN format_type(a.atttypid, a.atttypmod) ELSE format_type(b.oid, t.typtypmod) END AS declared,
            array_position(k.conkey, a.attnum) AS key
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       JOIN pg_type t ON t.oid = a.atttypid
       LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
       LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
     WHERE n.nspname = $1 AND c.relname = $2 ORDER BY a.attnum`,
    [schema, name],
  );
  if (rows.length === 0) throw new DataError('not-found', `there is no table ${schema}.${name} in the database`);
  const key = rows.filter((row) => row.key !== null).sort((a, b) => a.key! - b.key!);
  const from = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
  const columns = rows
    .filter((row) => exposePrimaryKeys || row.key === null)
    .map(columnOf)
    .filter((column) => column !== undefined);
  const geometry = geometryFacts(rows);
  let srid = geometry?.srid ?? 0;
  if (geometry !== undefined && srid === 0) srid = (await constrainedSrid(pool, schema, name, geometry.name)) ?? 0;
  if (geometry !== undefined && srid === 0) srid = await sampleSrid(pool, from, geometry.name);
  const keyColumns = key.map((row) => row.name);
  return {
    ...(await finish(pool, {
      name,
      columns,
      geometryName: geometry?.name,
      srid,
      keyColumns,
      hasIntegerKey: isIntegerKey(keyColumns, rows),
    })),
    from,
    table: { schema, name },
  };
}

/** A SQL view of GeoServer: its columns are what the database says about the query. */
export async function readView(pool: pg.Pool, view: VirtualTable): Promise<Relation> {
  const from = `(${expandView(view)}) AS "vtable"`;
  const described = await pool.query(`SELECT * FROM ${from} LIMIT 0`);
  const types = await pool.query<{ oid: number; type: string }>(
    'SELECT t.oid::int AS oid, coalesce(b.typname, t.typname) AS type FROM pg_type t LEFT JOIN pg_type b ON b.oid = t.typbasetype AND t.typtype = $2 WHERE t.oid = ANY($1::oid[])',
    [described.fields.map((field) => field.dataTypeID), 'd'],
  );
  const typeOf = new Map(types.rows.map((row) => [row.oid, row.type]));
  const facts: ColumnFacts[] = described.fields.map((field) => {
    const declared = view.geometries.find((geometry) => geometry.name === field.name);
    const type = typeOf.get(field.dataTypeID) ?? 'text';
    return {
      name: field.name,
      type,
      declared: declared === undefined ? type : `${type}(${declared.type},${declared.srid})`,
      required: false,
      key: null,
    };
  });
  const keyColumns = view.keyColumns.filter((key) => facts.some((fact) => fact.name === key));
  const columns = facts.map(columnOf).filter((column) => column !== undefined);
  const first = view.geometries.find((geometry) => facts.some((fact) => fact.name === geometry.name));
  const geometry = geometryFacts(first === undefined ? facts : facts.filter((fact) => fact.name === first.name));
  let srid = Math.max(0, geometry?.srid ?? 0);
  if (geometry !== undefined && srid === 0) srid = await sampleSrid(pool, from, geometry.name);
  return {
    ...(await finish(pool, {
      name: view.name,
      columns,
      geometryName: geometry?.name,
      srid,
      keyColumns,
      hasIntegerKey: isIntegerKey(keyColumns, facts),
    })),
    from,
  };
}

function isIntegerKey([key, ...others]: readonly string[], facts: readonly ColumnFacts[]): boolean {
  return others.length === 0 && facts.some(({ name, type }) => name === key && /^int[248]$/.test(type));
}

interface Unfinished {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly geometryName: string | undefined;
  readonly srid: number;
  readonly keyColumns: readonly string[];
  readonly hasIntegerKey: boolean;
}

async function finish(pool: pg.Pool, parts: Unfinished): Promise<Omit<Relation, 'from'>> {
  const { name, columns, geometryName, srid, keyColumns, hasIntegerKey } = parts;
  const schema: FeatureSchema = {
    name,
    attributes: columns.map((column) => column.attribute),
    ...(geometryName === undefined ? {} : { geometryName, ...(await crsOfSrid(pool, srid)) }),
    keyColumns,
  };
  return { schema, columns, srid, hasIntegerKey };
}

/** The first geometry column, with what its declaration says. */
function geometryFacts(facts: readonly ColumnFacts[]): { name: string; srid: number } | undefined {
  const column = facts.find(({ type }) => type === 'geometry' || type === 'geography');
  if (column === undefined) return undefined;
  const srid = /,\s*(\d+)\)$/.exec(column.declared)?.[1];
  return { name: column.name, srid: Number(srid ?? (column.type === 'geography' ? 4326 : 0)) };
}

/** From the check constraints of tables made with `AddGeometryColumn(..., use_typmod => false)`. */
async function constrainedSrid(
  pool: pg.Pool,
  schema: string,
  table: string,
  column: string,
): Promise<number | undefined> {
  const { rows } = await pool.query<{ srid: number }>(
    'SELECT srid FROM geometry_columns WHERE f_table_schema = $1 AND f_table_name = $2 AND f_geometry_column = $3',
    [schema, table, column],
  );
  return rows[0]?.srid;
}

async function sampleSrid(pool: pg.Pool, from: string, column: string): Promise<number> {
  const geometry = `${quoteIdentifier(column)}::geometry`;
  const { rows } = await pool.query<{ srid: number }>(
    `SELECT ST_SRID(${geometry}) AS srid FROM ${from} WHERE ${quoteIdentifier(column)} IS NOT NULL LIMIT 1`,
  );
  return rows[0]?.srid ?? 0;
}

async function crsOfSrid(pool: pg.Pool, srid: number): Promise<NativeCrs> {
  if (srid <= 0) return {};
  const { rows } = await pool.query<{ authority: string | null; code: number | null; wkt: string | null }>(
    'SELECT auth_name AS authority, auth_srid AS code, srtext AS wkt FROM spatial_ref_sys WHERE srid = $1',
    [srid],
  );
  const row = rows[0];
  const known = row === undefined || row.authority?.toUpperCase() === 'EPSG' ? crsOfCode(row?.code ?? srid) : {};
  return known.crs === undefined ? crsOfWkt(row?.wkt ?? undefined) : known;
}

/** Undefined for rasters. */
function columnOf(facts: ColumnFacts): Column | undefined {
  const { name, type, declared, required } = facts;
  const quoted = quoteIdentifier(name);
  const of = (attribute: Omit<AttributeType, 'name' | 'nillable'>, sql = quoted, mapnikSql = sql): Column => ({
    attribute: { name, nillable: !required, ...attribute },
    sql,
    mapnikSql,
  });
  switch (type) {
    case 'geometry':
    case 'geography': {
      const declaredType = /\(\s*"?([a-z]+)/i.exec(declared)?.[1];
      const geometryType: GeometryType = geometryTypeNamed(declaredType ?? '') ?? 'Geometry';
      return of({ type: 'geometry', geometryType }, type === 'geography' ? `${quoted}::geometry` : quoted);
    }
    case 'int2':
    case 'int4':
      return of({ type: 'integer' });
    case 'int8':
      return of({ type: 'long' });
    case 'float4':
    case 'float8':
    case 'numeric':
      return of({ type: 'double' });
    case 'bool':
      return of({ type: 'boolean' });
    case 'date':
      return of({ type: 'date' }, quoted, `${quoted}::text`);
    case 'timestamp':
    case 'timestamptz':
      return of({ type: 'dateTime' }, quoted, `${quoted}::text`);
    case 'time':
    case 'timetz':
      return of({ type: 'time' }, `${quoted}::text`);
    case 'bytea':
      return of({ type: 'bytes' });
    case 'text':
    case 'varchar':
    case 'bpchar': {
      const length = /\((\d+)\)$/.exec(declared)?.[1];
      return of(length === undefined ? { type: 'string' } : { type: 'string', length: Number(length) });
    }
    case 'raster':
      return undefined;
    default:
      return of({ type: 'string' }, `${quoted}::text`);
  }
}
