import { DatabaseSync } from 'node:sqlite';

/** A table of features in longitude and latitude. */
export interface FeatureTable {
  readonly name: string;
  readonly title: string;
  readonly geometryType: 'POINT' | 'MULTILINESTRING' | 'MULTIPOLYGON';
  /** Name and SQL type of each attribute. */
  readonly columns: Readonly<Record<string, 'TEXT' | 'INTEGER' | 'REAL'>>;
  readonly rows: readonly FeatureRow[];
}

export interface FeatureRow {
  readonly geometry: GeoJSON.Geometry;
  readonly values: readonly (string | number)[];
}

/** minx, miny, maxx, maxy in degrees. */
export type Bounds = readonly [number, number, number, number];

/**
 * Writes a GeoPackage with spatial indexes. The same tables make the same bytes, so that every copy of the demo is alike.
 *
 * @returns the bounds of each table
 * @see OGC 12-128r18 (GeoPackage 1.3.1)
 */
export function writeGeoPackage(file: string, tables: readonly FeatureTable[]): ReadonlyMap<string, Bounds> {
  const db = new DatabaseSync(file);
  try {
    // No journal: a file that was not finished is made again.
    db.exec(
      `PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA application_id = 0x47504B47; PRAGMA user_version = 10300;`,
    );
    db.exec(METADATA);
    const bounds = new Map<string, Bounds>();
    db.exec('BEGIN');
    for (const table of tables) bounds.set(table.name, writeTable(db, table));
    db.exec('COMMIT');
    return bounds;
  } finally {
    db.close();
  }
}

const METADATA = `
  CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY,
    organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
  INSERT INTO gpkg_spatial_ref_sys VALUES
    ('Undefined cartesian', -1, 'NONE', -1, 'undefined', NULL),
    ('Undefined geographic', 0, 'NONE', 0, 'undefined', NULL),
    ('WGS 84', 4326, 'EPSG', 4326, '${wkt84()}', 'longitude and latitude');
  CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
    description TEXT DEFAULT '', last_change DATETIME NOT NULL, min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
    srs_id INTEGER REFERENCES gpkg_spatial_ref_sys(srs_id));
  CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL UNIQUE REFERENCES gpkg_contents(table_name),
    column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL REFERENCES gpkg_spatial_ref_sys(srs_id),
    z TINYINT NOT NULL, m TINYINT NOT NULL, PRIMARY KEY (table_name, column_name));
  CREATE TABLE gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
    scope TEXT NOT NULL, UNIQUE (table_name, column_name, extension_name));
`;

/** WGS 84 as WKT 1, longitude and latitude in degrees. */
export function wkt84(): string {
  return 'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]]';
}

function writeTable(db: DatabaseSync, table: FeatureTable): Bounds {
  const { name } = table;
  const columns = Object.entries(table.columns);
  db.exec(
    `CREATE TABLE "${name}" (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom ${table.geometryType}` +
      `${columns.map(([column, type]) => `, "${column}" ${type}`).join('')});
     CREATE VIRTUAL TABLE "rtree_${name}_geom" USING rtree(id, minx, maxx, miny, maxy);`,
  );
  const insert = db.prepare(`INSERT INTO "${name}" VALUES (${['?', '?', ...columns.map(() => '?')].join(', ')})`);
  const index = db.prepare(`INSERT INTO "rtree_${name}_geom" VALUES (?, ?, ?, ?, ?)`);
  let all: Bounds = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [i, row] of table.rows.entries()) {
    const box = boundsOf(row.geometry);
    insert.run(i + 1, encodeGeometry(row.geometry, box), ...row.values);
    index.run(i + 1, box[0], box[2], box[1], box[3]);
    all = [Math.min(all[0], box[0]), Math.min(all[1], box[1]), Math.max(all[2], box[2]), Math.max(all[3], box[3])];
  }
  db.prepare(
    `INSERT INTO gpkg_contents VALUES (?, 'features', ?, '', '2026-01-01T00:00:00.000Z', ?, ?, ?, ?, 4326)`,
  ).run(name, table.title, ...all);
  db.prepare(`INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, 4326, 0, 0)`).run(name, table.geometryType);
  db.prepare(
    `INSERT INTO gpkg_extensions VALUES (?, 'geom', 'gpkg_rtree_index', 'http://www.geopackage.org/spec131/#extension_rtree', 'write-only')`,
  ).run(name);
  // Programs that edit the table keep its index with these; their ST_ functions are the program's own.
  const box = `(NEW.fid, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom))`;
  const filled = 'NEW.geom NOT NULL AND NOT ST_IsEmpty(NEW.geom)';
  db.exec(`
    CREATE TRIGGER "rtree_${name}_geom_insert" AFTER INSERT ON "${name}" WHEN (${filled})
      BEGIN INSERT OR REPLACE INTO "rtree_${name}_geom" VALUES ${box}; END;
    CREATE TRIGGER "rtree_${name}_geom_update" AFTER UPDATE ON "${name}" WHEN (${filled})
      BEGIN DELETE FROM "rtree_${name}_geom" WHERE id = OLD.fid; INSERT OR REPLACE INTO "rtree_${name}_geom" VALUES ${box}; END;
    CREATE TRIGGER "rtree_${name}_geom_delete" AFTER DELETE ON "${name}" WHEN (OLD.geom NOT NULL)
      BEGIN DELETE FROM "rtree_${name}_geom" WHERE id = OLD.fid; END;`);
  return all;
}

function boundsOf(geometry: GeoJSON.Geometry): Bounds {
  let [minx, miny, maxx, maxy] = [Infinity, Infinity, -Infinity, -Infinity];
  const visit = (coordinates: unknown): void => {
    if (!Array.isArray(coordinates)) return;
    const [x, y] = coordinates as [unknown, unknown];
    if (typeof x === 'number' && typeof y === 'number')
      [minx, miny, maxx, maxy] = [Math.min(minx, x), Math.min(miny, y), Math.max(maxx, x), Math.max(maxy, y)];
    else for (const part of coordinates) visit(part);
  };
  if (geometry.type !== 'GeometryCollection') visit(geometry.coordinates);
  return [minx, miny, maxx, maxy];
}

/** GeoPackage's header (magic, version, flags, SRS, envelope), then ISO WKB, all little-endian. @see clause 2.1.3 */
function encodeGeometry(geometry: GeoJSON.Geometry, box: Bounds): Uint8Array {
  const out: number[] = [];
  const bytes = Buffer.alloc(8);
  const uint32 = (value: number) => {
    bytes.writeUInt32LE(value);
    out.push(bytes[0]!, bytes[1]!, bytes[2]!, bytes[3]!);
  };
  const double = (value: number) => {
    bytes.writeDoubleLE(value);
    for (const byte of bytes) out.push(byte);
  };
  const points = (list: readonly GeoJSON.Position[]) => {
    uint32(list.length);
    for (const [x, y] of list) {
      double(x!);
      double(y!);
    }
  };
  const header = (type: number) => {
    out.push(1);
    uint32(type);
  };
  const write = (shape: GeoJSON.Geometry) => {
    switch (shape.type) {
      case 'Point':
        header(1);
        double(shape.coordinates[0]!);
        double(shape.coordinates[1]!);
        return;
      case 'LineString':
        header(2);
        points(shape.coordinates);
        return;
      case 'Polygon':
        header(3);
        uint32(shape.coordinates.length);
        shape.coordinates.forEach(points);
        return;
      case 'MultiLineString':
        header(5);
        uint32(shape.coordinates.length);
        for (const coordinates of shape.coordinates) write({ type: 'LineString', coordinates });
        return;
      case 'MultiPolygon':
        header(6);
        uint32(shape.coordinates.length);
        for (const coordinates of shape.coordinates) write({ type: 'Polygon', coordinates });
        return;
      default:
        throw new Error(`the demo has no ${shape.type}`);
    }
  };
  out.push(0x47, 0x50, 0, 0b0000_0011);
  uint32(4326);
  for (const value of [box[0], box[2], box[1], box[3]]) double(value);
  write(geometry);
  return Uint8Array.from(out);
}
