import pg from 'pg';
import Cursor from 'pg-cursor';
import { BATCH_FEATURES, countOf, isUnrestricted, sift } from '../batches.ts';
import { mapnikSrs } from '../crs.ts';
import { parseWkb } from '../geometry/wkb.ts';
import { narrowingSql, withFilterBox } from '../narrow.ts';
import type {
  AttributeValue,
  Box,
  Feature,
  FeatureQuery,
  FeatureSchema,
  FeatureSource,
  MapnikSource,
} from '../types.ts';
import { databaseError } from './pools.ts';
import { quoteIdentifier, type Relation } from './schema.ts';
import type { PostgisSettings } from './settings.ts';

export interface PostgisSourceParts {
  readonly pool: pg.Pool;
  readonly settings: PostgisSettings;
  readonly relation: Relation;
  /** Called when the relation turns out not to be as it was read. */
  readonly onStale: () => void;
}

/** How long the extent that Mapnik is told stays unchecked. */
const EXTENT_MS_MAX = 60_000;
/** Mapnik's pool is per process and does not wait: it must hold all of one process's renderings, with a reserve. */
const MAPNIK_CONNECTIONS_MIN = 8;

export class PostgisSource implements FeatureSource {
  readonly schema: FeatureSchema;
  readonly #parts: PostgisSourceParts;
  #extent: { readonly box: Box; readonly checkedAtMs: number } | undefined;

  constructor(parts: PostgisSourceParts) {
    this.schema = parts.relation.schema;
    this.#parts = parts;
  }

  /** Estimated from the planner's statistics where the store allows it, as GeoServer does. */
  async bounds(): Promise<Box | undefined> {
    const { relation, settings } = this.#parts;
    const geometry = this.#geometrySql();
    if (geometry === undefined) return undefined;
    if (settings.estimatedExtents && relation.table !== undefined) {
      const { schema, name } = relation.table;
      // Without statistics, and for views, it is an error or null: then the features are asked.
      const estimate = await this.#parts.pool
        .query({
          text: extentSql('SELECT ST_EstimatedExtent($1, $2, $3) AS b'),
          values: [schema, name, this.schema.geometryName],
          rowMode: 'array',
        })
        .then((result) => boxOfRow(result.rows[0] as (number | null)[]))
        .catch(() => undefined);
      if (estimate !== undefined) return estimate;
    }
    return boxOfRow(await this.#row(extentSql(`SELECT ST_Extent(${geometry}) AS b FROM ${relation.from}`), []));
  }

  async count(query: FeatureQuery = {}): Promise<number> {
    if (!isPushable(query)) return countOf(this.features(query));
    const values: unknown[] = [];
    const where = this.#where(query, values);
    const total = Number(
      (await this.#row(`SELECT count(*) FROM ${this.#parts.relation.from}${where}`, values))?.[0] ?? 0,
    );
    return Math.max(0, Math.min(total - (query.offset ?? 0), query.limit ?? Number.POSITIVE_INFINITY));
  }

  features(query: FeatureQuery = {}, signal?: AbortSignal): AsyncIterable<readonly Feature[]> {
    const { filter, limit, offset } = query;
    return sift(
      this.#read(withFilterBox(query, this.schema), signal),
      this.schema,
      isPushable(query) ? {} : { filter, limit, offset },
      signal,
    );
  }

  async mapnik(): Promise<MapnikSource> {
    const { relation, settings } = this.#parts;
    const { connection } = settings;
    const { columns } = relation;
    const keys = this.schema.keyColumns.filter((key) => !columns.some(({ attribute }) => attribute.name === key));
    const select = [
      ...columns.map(({ attribute, mapnikSql }) => `${mapnikSql} AS ${quoteIdentifier(attribute.name)}`),
      ...keys.map(quoteIdentifier),
    ].join(', ');
    const extent = await this.#mapnikExtent();
    return {
      kind: 'vector',
      parameters: {
        type: 'postgis',
        host: connection.host,
        port: String(connection.port),
        dbname: connection.database,
        ...(connection.user === undefined ? {} : { user: connection.user }),
        ...(connection.password === undefined ? {} : { password: connection.password }),
        table: `(SELECT ${select} FROM ${relation.from}) AS "features"`,
        ...(this.schema.geometryName === undefined ? {} : { geometry_field: this.schema.geometryName }),
        srid: String(relation.srid),
        extent: extent.join(','),
        max_size: String(Math.max(MAPNIK_CONNECTIONS_MIN, connection.connectionsMax)),
        connect_timeout: String(Math.ceil(connection.connectTimeoutMs / 1000)),
      },
      srs: mapnikSrs(this.schema),
      version: '0', // rows are read anew each time
      attributes: this.schema.attributes,
    };
  }

  /** Mapnik skips a layer outside its extent: so it gets one with a margin for what is added later. */
  async #mapnikExtent(): Promise<Box> {
    const now = performance.now();
    if (this.#extent === undefined || now - this.#extent.checkedAtMs > EXTENT_MS_MAX) {
      const bounds = await this.bounds();
      const known = this.#extent?.box;
      const stillHolds = known !== undefined && (bounds === undefined || holds(known, bounds));
      this.#extent = { box: stillHolds ? known : withMargin(bounds), checkedAtMs: now };
    }
    return this.#extent.box;
  }

  #geometrySql(): string | undefined {
    return this.#parts.relation.columns.find(({ attribute }) => attribute.name === this.schema.geometryName)?.sql;
  }

  /** Appends the values that it refers to. */
  #where(query: FeatureQuery, values: unknown[]): string {
    const { relation } = this.#parts;
    const conditions: string[] = [];
    if (query.box !== undefined) conditions.push(this.#boxSql(query.box, values));
    const narrowing =
      query.filter &&
      narrowingSql(query.filter, {
        schema: this.schema,
        column: ({ name }) => relation.columns.find(({ attribute }) => attribute.name === name)!.sql,
        key: quoteIdentifier,
        hasIntegerKey: relation.hasIntegerKey,
        add: (value, type) => `$${values.push(value)}::${SQL_TYPES[type]}`,
      });
    if (narrowing !== undefined) conditions.push(`(${narrowing})`);
    return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  }

  #boxSql(box: Box, values: unknown[]): string {
    const geometry = this.#geometrySql();
    if (geometry === undefined) return 'false';
    const [minx, miny, maxx, maxy] = box.map((value) => `$${values.push(value)}::float8`);
    // && goes through the index, whose boxes are rounded to 32 bits; the rest makes it exact.
    return (
      `${geometry} && ST_MakeEnvelope(${minx}, ${miny}, ${maxx}, ${maxy}, ${this.#parts.relation.srid})` +
      ` AND ST_XMax(${geometry}) >= ${minx} AND ST_XMin(${geometry}) <= ${maxx}` +
      ` AND ST_YMax(${geometry}) >= ${miny} AND ST_YMin(${geometry}) <= ${maxy}`
    );
  }

  async *#read(query: FeatureQuery, signal: AbortSignal | undefined): AsyncGenerator<readonly Feature[]> {
    const { relation } = this.#parts;
    const { schema } = this;
    const columns = relation.columns.filter(({ attribute }) => attribute.type !== 'geometry');
    const geometry = this.#geometrySql();
    const select = [
      geometry === undefined ? 'NULL' : `ST_AsBinary(${geometry})`,
      ...columns.map((column) => column.sql),
      // Under another name, or ORDER BY would mean the text.
      ...schema.keyColumns.map((key, i) => `${quoteIdentifier(key)}::text AS "key ${i}"`),
    ].join(', ');
    const values: unknown[] = [];
    let sql = `SELECT ${select} FROM ${relation.from}${this.#where(query, values)}`;
    if (query.offset !== undefined && schema.keyColumns.length > 0)
      sql += ` ORDER BY ${schema.keyColumns.map(quoteIdentifier).join(', ')}`;
    if (isPushable(query) && query.limit !== undefined) sql += ` LIMIT ${Math.floor(query.limit)}`;
    if (isPushable(query) && query.offset !== undefined) sql += ` OFFSET ${Math.floor(query.offset)}`;
    const names = columns.map(({ attribute }) => attribute.name);
    let row = query.offset ?? 0;
    for await (const rows of this.#rows(sql, values, signal))
      yield rows.map((cells) => {
        const properties: Record<string, AttributeValue> = {};
        for (let i = 0; i < names.length; i++) properties[names[i]!] = cells[i + 1] as AttributeValue;
        row++;
        const key = schema.keyColumns.length > 0 ? cells.slice(1 + names.length).join('.') : `row${row}`;
        return {
          id: `${schema.name}.${key}`,
          properties,
          geometry: cells[0] instanceof Uint8Array ? parseWkb(cells[0]) : null,
        };
      });
  }

  /** Rows through a cursor, so that a slow reader holds the database back and not our memory. */
  async *#rows(text: string, values: unknown[], signal: AbortSignal | undefined): AsyncGenerator<unknown[][]> {
    const { pool, settings } = this.#parts;
    const batch = Math.min(settings.fetchSize, BATCH_FEATURES);
    let client: pg.PoolClient;
    try {
      client = await pool.connect();
    } catch (error) {
      throw this.#error(error);
    }
    const cancel = () => {
      const pid = (client as unknown as { processID: number }).processID;
      pool.query('SELECT pg_cancel_backend($1)', [pid]).catch(() => undefined);
    };
    signal?.addEventListener('abort', cancel, { once: true });
    let failure: Error | undefined;
    try {
      signal?.throwIfAborted();
      const cursor = client.query(new Cursor<unknown[]>(text, values, { rowMode: 'array', types: TYPES }));
      try {
        for (;;) {
          const rows = await cursor.read(batch);
          if (rows.length > 0) yield rows;
          if (rows.length < batch) return;
        }
      } finally {
        await cursor.close();
      }
    } catch (error) {
      signal?.throwIfAborted();
      failure = this.#error(error);
      throw failure;
    } finally {
      signal?.removeEventListener('abort', cancel);
      // A cancellation that comes late must not hit the connection's next user.
      client.release(failure !== undefined || signal?.aborted === true);
    }
  }

  async #row(text: string, values: unknown[]): Promise<(number | null)[] | undefined> {
    try {
      const result = await this.#parts.pool.query({ text, values, rowMode: 'array' });
      return result.rows[0] as (number | null)[] | undefined;
    } catch (error) {
      throw this.#error(error);
    }
  }

  #error(error: unknown): Error {
    const code = (error as { code?: unknown }).code;
    if (typeof code === 'string' && code.startsWith('42')) this.#parts.onStale();
    return databaseError(error, this.#parts.settings.connection, this.schema.name);
  }
}

const SQL_TYPES = { integer: 'int8', double: 'float8', text: 'text' } as const;

/** Whether SQL answers all of it, limit and offset included. */
function isPushable(query: FeatureQuery): boolean {
  return isUnrestricted({ ...query, box: undefined });
}

/** @param from  a subquery's text with one box named b */
function extentSql(from: string): string {
  return `SELECT ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b) FROM (${from}) AS e`;
}

function boxOfRow(row: readonly (number | null)[] | undefined): Box | undefined {
  if (row === undefined || row.some((value) => value === null)) return undefined;
  return row as unknown as Box;
}

function holds(outer: Box, inner: Box): boolean {
  return outer[0] <= inner[0] && outer[1] <= inner[1] && outer[2] >= inner[2] && outer[3] >= inner[3];
}

const WORLD: Box = [-180, -90, 180, 90];

function withMargin(bounds: Box | undefined): Box {
  if (bounds === undefined) return WORLD;
  const dx = Math.max((bounds[2] - bounds[0]) * 0.1, 1e-6);
  const dy = Math.max((bounds[3] - bounds[1]) * 0.1, 1e-6);
  return [bounds[0] - dx, bounds[1] - dy, bounds[2] + dx, bounds[3] + dy];
}

const { builtins } = pg.types;

/** Dates and times without a zone are in UTC; whole numbers of 64 bits are numbers while they are safe. */
const TYPES: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    switch (oid) {
      case builtins.INT8:
        return (text: string) => (Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text));
      case builtins.NUMERIC:
        return Number;
      case builtins.DATE:
        return (text: string) => instant(text, 'T00:00:00Z');
      case builtins.TIMESTAMP:
        return (text: string) => instant(text.replace(' ', 'T'), 'Z');
      default:
        return pg.types.getTypeParser(oid, format as 'text');
    }
  }) as pg.CustomTypesConfig['getTypeParser'],
};

/** Null for `infinity`, and for years that JavaScript does not reach. */
function instant(text: string, rest: string): Date | null {
  const date = new Date(text + rest);
  return Number.isNaN(date.getTime()) ? null : date;
}
