/** One suite for every driver of features: the same features, written by GDAL into each format, read alike. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gdal, gdalMissing } from '../../test/gdal.ts';
import { type Postgres, postgresMissing, startPostgres } from '../../test/services/postgres.ts';
import { parseCql } from './filter/index.ts';
import { collect, type TestAccess, testAccess } from './testing/sources.ts';
import type { Feature, FeatureSource } from './types.ts';

/** Points on a grid of 40 by 30, with gaps in some values. */
const FEATURES = Array.from({ length: 1200 }, (_, i) => {
  const [x, y] = [(i % 40) * 0.25 + 5, Math.floor(i / 40) * 0.5 + 40];
  return {
    type: 'Feature' as const,
    properties: {
      num: i,
      name: i % 7 === 0 ? null : `Straße ${i}`,
      height: i % 5 === 0 ? null : i / 8,
      big: 1_000_000_000_000 + i,
    },
    geometry:
      i % 100 === 99
        ? null
        : i % 3 === 0
          ? square(x, y, 0.1)
          : {
              type: 'MultiPolygon' as const,
              coordinates: [squareRings(x, y, 0.1, 0.02), squareRings(x + 0.15, y, 0.02)],
            },
  };
});

/** Numbers that every format writes in full. */
function cents(value: number): number {
  return Math.round(value * 100) / 100;
}

function squareRings(x: number, y: number, size: number, hole = 0): number[][][] {
  const ring = (d: number) => [
    [cents(x - d), cents(y - d)],
    [cents(x - d), cents(y + d)],
    [cents(x + d), cents(y + d)],
    [cents(x + d), cents(y - d)],
    [cents(x - d), cents(y - d)],
  ];
  return hole > 0 ? [ring(size), ring(hole).reverse()] : [ring(size)];
}

function square(x: number, y: number, size: number) {
  return { type: 'MultiPolygon' as const, coordinates: [squareRings(x, y, size)] };
}

interface Driver {
  readonly name: string;
  /** Parts of GeoServer's name for an attribute that differ. */
  readonly geometryName: string;
  readonly skip?: string | undefined;
  /** Writes the features, and says how the store is found. */
  prepare(folder: string, geojson: string): Promise<Record<string, string>> | Record<string, string>;
}

let postgres: Postgres | undefined;

const drivers: readonly Driver[] = [
  {
    name: 'Shapefile',
    geometryName: 'the_geom',
    prepare(folder, geojson) {
      gdal('ogr2ogr', '-lco', 'ENCODING=UTF-8', '-nlt', 'MULTIPOLYGON', path.join(folder, 'parcels.shp'), geojson);
      return { url: 'file:shapefile/parcels.shp' };
    },
  },
  {
    name: 'directory of shapefiles',
    geometryName: 'the_geom',
    prepare(folder, geojson) {
      mkdirSync(path.join(folder, 'with space'));
      gdal(
        'ogr2ogr',
        '-lco',
        'ENCODING=UTF-8',
        '-nlt',
        'MULTIPOLYGON',
        path.join(folder, 'with space', 'parcels.shp'),
        geojson,
      );
      return { url: 'file:directory%20of%20shapefiles/with%20space' };
    },
  },
  {
    name: 'GeoPackage',
    geometryName: 'geom',
    prepare(folder, geojson) {
      gdal('ogr2ogr', '-nlt', 'MULTIPOLYGON', path.join(folder, 'all.gpkg'), geojson, '-nln', 'parcels');
      return { dbtype: 'geopkg', database: 'file:geopackage/all.gpkg' };
    },
  },
  {
    name: 'GeoPackage without an index',
    geometryName: 'geom',
    prepare(folder, geojson) {
      gdal(
        'ogr2ogr',
        '-nlt',
        'MULTIPOLYGON',
        '-lco',
        'SPATIAL_INDEX=NO',
        path.join(folder, 'a.gpkg'),
        geojson,
        '-nln',
        'parcels',
      );
      return { dbtype: 'geopkg', database: path.join(folder, 'a.gpkg') };
    },
  },
  {
    name: 'GeoJSON',
    geometryName: 'geometry',
    prepare(_, geojson) {
      return { url: `file://${geojson}` };
    },
  },
  {
    name: 'properties',
    geometryName: 'shape',
    prepare(folder, geojson) {
      const csv = gdal(
        'ogr2ogr',
        '-f',
        'CSV',
        '/vsistdout/',
        geojson,
        '-lco',
        'GEOMETRY=AS_WKT',
        '-lco',
        'SEPARATOR=TAB',
        '-lco',
        'STRING_QUOTING=IF_NEEDED',
      );
      const lines = csv
        .trim()
        .split('\n')
        .slice(1)
        .map((line, i) => {
          const [wkt = '', num, name, height, big] = line.split('\t').map((cell) => cell.replace(/^"|"$/g, ''));
          const values = [num, name === '' ? '<null>' : name, height === '' ? '<null>' : height, big, wkt];
          return `parcels.${i + 1}=${values.join('|')}`;
        });
      const header = '_=num:Integer,name:String,height:Double,big:Long,shape:MultiPolygon:srid=4326';
      writeFileSync(path.join(folder, 'parcels.properties'), [header, '# a comment', ...lines, ''].join('\n'));
      return { directory: 'file:properties' };
    },
  },
  {
    name: 'PostGIS',
    geometryName: 'geom',
    skip: postgresMissing,
    async prepare(_, geojson) {
      postgres ??= await startPostgres();
      const database = await postgres.createDatabase({ postgis: true });
      const { host, port, user } = postgres;
      gdal(
        'ogr2ogr',
        '-f',
        'PostgreSQL',
        `PG:host=${host} port=${port} user=${user} dbname=${database}`,
        geojson,
        '-nln',
        'parcels',
        '-nlt',
        'MULTIPOLYGON',
        '-lco',
        'GEOMETRY_NAME=geom',
        '-lco',
        'FID=fid',
      );
      return { dbtype: 'postgis', host, port: String(port), user, database, schema: 'public', passwd: 'plain:none' };
    },
  },
];

const withGeometry = FEATURES.filter((feature) => feature.geometry !== null).length;

for (const driver of drivers)
  describe(driver.name, { skip: gdalMissing ?? driver.skip }, () => {
    let test_: TestAccess;
    let source: FeatureSource;
    let all: Feature[];

    before(async () => {
      test_ = testAccess();
      const geojson = path.join(test_.folder, 'parcels.geojson');
      writeFileSync(geojson, JSON.stringify({ type: 'FeatureCollection', features: FEATURES }));
      const folder = path.join(test_.folder, driver.name.toLowerCase());
      mkdirSync(folder);
      const store = await test_.vector(await driver.prepare(folder, geojson));
      assert.deepEqual(await store.names(), ['parcels']);
      source = await store.source('parcels');
      all = await collect(source);
    });
    after(async () => {
      await test_.close();
    });

    test('says its attributes, geometry and CRS', () => {
      const { schema } = source;
      assert.equal(schema.name, 'parcels');
      assert.equal(schema.geometryName, driver.geometryName);
      assert.equal(schema.crs, 'EPSG:4326');
      assert.match(schema.crsWkt ?? '', /WGS/);
      const types = Object.fromEntries(schema.attributes.map(({ name, type }) => [name, type]));
      assert.equal(types[driver.geometryName], 'geometry');
      assert.equal(schema.attributes.find(({ type }) => type === 'geometry')?.geometryType, 'MultiPolygon');
      assert.equal(types.name, 'string');
      assert.equal(types.height, 'double');
      assert.equal(types.big, 'long');
      assert.deepEqual(Object.keys(types).sort(), ['big', 'height', 'name', 'num', driver.geometryName].sort());
    });

    test('reads every feature as it was written', () => {
      assert.equal(all.length, FEATURES.length);
      for (const [i, feature] of all.entries()) {
        const expected = FEATURES[i]!;
        const { num, name, height, big } = feature.properties;
        assert.equal(num, i);
        assert.equal(big, expected.properties.big);
        assert.equal(height, expected.properties.height);
        // dBASE has no null text.
        assert.equal(name || null, expected.properties.name);
        assertSameGeometry(feature.geometry, expected.geometry, i);
      }
    });

    test('ids are unique, and start with the type', () => {
      assert.equal(new Set(all.map(({ id }) => id)).size, FEATURES.length);
      assert.ok(all.every(({ id }) => id.startsWith('parcels.')));
    });

    test('ids are the same in every reading', async () => {
      const some = await collect(source, { box: [7, 42, 9, 45] });
      const known = new Map(all.map((feature) => [feature.id, feature.properties.num]));
      for (const { id, properties } of some) assert.equal(known.get(id), properties.num);
    });

    test('bounds hold all features', async () => {
      const [minx, miny, maxx, maxy] = (await source.bounds())!;
      const close = (actual: number, expected: number) =>
        assert.ok(Math.abs(actual - expected) < 1e-5, `${actual}, not ${expected}`);
      close(minx, 4.9);
      close(miny, 39.9);
      close(maxx, 14.92);
      close(maxy, 54.6);
    });

    test('counts', async () => {
      assert.equal(await source.count(), FEATURES.length);
      assert.equal(await source.count({ offset: 1190 }), 10);
      assert.equal(await source.count({ offset: 1190, limit: 3 }), 3);
      assert.equal(await source.count({ offset: 5000 }), 0);
      assert.equal(await source.count({ box: [-180, -90, 180, 90] }), withGeometry);
      assert.equal(await source.count({ filter: parseCql('num < 10') }), 10);
    });

    test('answers boxes exactly, their edges included', async () => {
      const boxes = [
        [7, 42, 9, 45],
        [4.9, 39.9, 4.9, 39.9],
        [4.9, 39.9, 14.92, 54.6],
        [14.9201, 30, 20, 60],
        [0, 0, 1, 1],
        [5.1, 40.1, 5.1, 40.1],
        [5.11, 40.11, 5.14, 40.14],
      ] as const;
      for (const box of boxes) {
        const expected = FEATURES.flatMap(({ geometry }, i) => (geometry !== null && meets(geometry, box) ? [i] : []));
        const found = (await collect(source, { box })).map(({ properties }) => properties.num);
        assert.deepEqual(
          found.sort((a, b) => Number(a) - Number(b)),
          expected,
          `box ${box}`,
        );
        assert.equal(await source.count({ box }), expected.length);
      }
    });

    test('limits and offsets', async () => {
      const numbers = async (query: Parameters<FeatureSource['features']>[0]) =>
        (await collect(source, query)).map(({ properties }) => properties.num);
      assert.deepEqual(await numbers({ limit: 3 }), [0, 1, 2]);
      assert.deepEqual(await numbers({ offset: 1198 }), [1198, 1199]);
      assert.deepEqual(await numbers({ offset: 600, limit: 2 }), [600, 601]);
      assert.deepEqual(await numbers({ limit: 0 }), []);
      const inBox = await numbers({ box: [7, 42, 9, 45] });
      assert.deepEqual(await numbers({ box: [7, 42, 9, 45], offset: 5, limit: 4 }), inBox.slice(5, 9));
      const filter = parseCql('num >= 100 AND num < 200');
      assert.deepEqual(await numbers({ filter, offset: 10, limit: 2 }), [110, 111]);
    });

    test('filters', async () => {
      const cases: readonly [cql: string, expected: number][] = [
        ['num BETWEEN 10 AND 19', 10],
        ["name = 'Straße 15'", 1],
        ["name LIKE 'Straße 11_'", 8],
        ['height IS NULL', 240],
        ['height > 149', 6],
        ['big = 1000000000005', 1],
        [
          `BBOX(${driver.geometryName}, 7, 42, 9, 45)`,
          FEATURES.filter(({ geometry: g }) => g && meets(g, [7, 42, 9, 45])).length,
        ],
        ['EXCLUDE', 0],
        ['INCLUDE', 1200],
      ];
      for (const [cql, expected] of cases) {
        const filter = parseCql(cql);
        assert.equal((await collect(source, { filter })).length, expected, cql);
        assert.equal(await source.count({ filter }), expected, cql);
      }
    });

    test('a feature is found by its id', async () => {
      const { id } = all[777]!;
      const found = await collect(source, { filter: { kind: 'ids', ids: [id, 'parcels.nothing'] } });
      assert.deepEqual(
        found.map((feature) => feature.properties.num),
        [777],
      );
    });

    test('comes in batches, and a reader may stop at any time', async () => {
      let batches = 0;
      for await (const batch of source.features()) {
        assert.ok(batch.length > 0 && batch.length <= 500);
        if (++batches === 2) break;
      }
      assert.equal(batches, 2);
      assert.equal((await collect(source, { limit: 1 })).length, 1);
    });

    test('stops when it is told to', async () => {
      const abort = new AbortController();
      await assert.rejects(async () => {
        for await (const _ of source.features({}, abort.signal)) abort.abort(new Error('enough'));
      }, /enough/);
      assert.equal((await collect(source, { limit: 1 })).length, 1);
    });

    test('two readers do not disturb each other', async () => {
      const [a, b] = await Promise.all([collect(source), collect(source, { box: [7, 42, 9, 45] })]);
      assert.equal(a.length, FEATURES.length);
      assert.ok(b.length > 0 && b.length < 100);
    });

    test('tells Mapnik where it is', async () => {
      const mapnik = await source.mapnik();
      assert.equal(mapnik.kind, 'vector');
      assert.equal(mapnik.srs, 'epsg:4326');
      assert.ok(mapnik.parameters.type);
      assert.deepEqual(await source.mapnik(), mapnik);
    });

    test('a type that is not there is a clear error', async () => {
      const store = await test_.vector(await paramsAgain(driver, test_));
      await assert.rejects(store.source('nothing'), { name: 'DataError', code: 'not-found' });
    });
  });

after(() => postgres?.stop());

/** The same store once more, without writing the features again. */
async function paramsAgain(driver: Driver, { folder }: TestAccess): Promise<Record<string, string>> {
  if (driver.name === 'PostGIS')
    return {
      dbtype: 'postgis',
      host: postgres!.host,
      port: String(postgres!.port),
      user: postgres!.user,
      database: 'test_1',
    };
  const places: Record<string, Record<string, string>> = {
    Shapefile: { url: 'file:shapefile/parcels.shp' },
    'directory of shapefiles': { url: 'file:directory%20of%20shapefiles/with%20space' },
    GeoPackage: { dbtype: 'geopkg', database: 'geopackage/all.gpkg' },
    'GeoPackage without an index': { dbtype: 'geopkg', database: `file:${folder}/geopackage without an index/a.gpkg` },
    GeoJSON: { file: `file:parcels.geojson` },
    properties: { directory: 'file:properties' },
  };
  return places[driver.name]!;
}

function meets(geometry: GeoJSON.MultiPolygon, box: readonly [number, number, number, number]): boolean {
  const points = geometry.coordinates.flat(2) as [number, number][];
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  return (
    Math.min(...xs) <= box[2] && Math.max(...xs) >= box[0] && Math.min(...ys) <= box[3] && Math.max(...ys) >= box[1]
  );
}

/** Rings may start elsewhere and turn the other way round. */
function assertSameGeometry(actual: GeoJSON.Geometry | null, expected: GeoJSON.MultiPolygon | null, i: number): void {
  if (expected === null) {
    assert.equal(actual, null, `geometry of ${i}`);
    return;
  }
  assert.equal(actual?.type, 'MultiPolygon');
  const form = (geometry: GeoJSON.MultiPolygon) =>
    geometry.coordinates.map((polygon) =>
      polygon.map((ring) =>
        ring
          .map((point) => point.join(' '))
          .sort()
          .join(', '),
      ),
    );
  assert.deepEqual(form(actual as GeoJSON.MultiPolygon), form(expected), `geometry of ${i}`);
}
