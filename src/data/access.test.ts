import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { gdal, gdalMissing } from '../../test/gdal.ts';
import { attributeOfBinding, bindingOf } from './bindings.ts';
import type { Expression, Filter } from './filter/index.ts';
import { evaluate } from './filter/index.ts';
import { collect, coverageStore, dataStore, emptyView, type TestAccess, testAccess } from './testing/sources.ts';
import type { AttributeType, Feature, FeatureSource } from './types.ts';

describe('stores', () => {
  let data: TestAccess;
  before(() => {
    data = testAccess();
    const feature = {
      type: 'Feature',
      id: 7,
      properties: { a: 1, b: 'x', c: { d: [1] } },
      geometry: { type: 'Point', coordinates: [1, 2] },
    };
    writeFileSync(
      path.join(data.folder, 'one.geojson'),
      JSON.stringify({ type: 'FeatureCollection', features: [feature] }),
    );
    writeFileSync(path.join(data.folder, 'bare.json'), '{"type":"LineString","coordinates":[[0,0],[1,1]]}');
    writeFileSync(
      path.join(data.folder, 'broken.geojson'),
      '{"type":"FeatureCollection","features":[{"type":"Feature",]}',
    );
  });
  after(() => data.close());

  test('are opened once, and anew when their file in the catalog changes', async () => {
    const store = dataStore({ connectionParameters: { url: 'file:one.geojson' } });
    const first = await data.access.vector(store, emptyView);
    assert.equal(await data.access.vector(store, emptyView), first);
    const changed = { ...store, hash: '1'.repeat(64) as typeof store.hash };
    const second = await data.access.vector(changed, emptyView);
    assert.notEqual(second, first);
    data.access.forget(store.id);
    assert.notEqual(await data.access.vector(changed, emptyView), second);
  });

  test('a failure is not remembered', async () => {
    const store = dataStore({ connectionParameters: { url: 'file:later.geojson' } });
    await assert.rejects(data.access.vector(store, emptyView), { name: 'DataError', code: 'not-found' });
    writeFileSync(path.join(data.folder, 'later.geojson'), '{"type":"FeatureCollection","features":[]}');
    const source = await (await data.access.vector(store, emptyView)).source('later');
    assert.equal(await source.count(), 0);
    assert.equal(await source.bounds(), undefined);
  });

  test('what cannot be opened says why', async () => {
    const cases: readonly [Parameters<typeof dataStore>[0], code: string, message: RegExp][] = [
      [
        { type: 'Oracle NG', connectionParameters: { dbtype: 'oracle' } },
        'no-driver',
        /"Oracle NG".*PostGIS, GeoPackage/,
      ],
      [{ connectionParameters: { dbtype: 'mysql' } }, 'no-driver', /"mysql"/],
      [
        { type: 'Generalizing data store', connectionParameters: { RepositoryClassName: 'x' } },
        'no-driver',
        /Generalizing/,
      ],
      [{ enabled: false, connectionParameters: { url: 'file:one.geojson' } }, 'refused', /disabled/],
      [{ connectionParameters: { url: 'file:../one.geojson' } }, 'refused', /leads out/],
      [{ connectionParameters: { dbtype: 'geopkg', database: 'one.geojson' } }, 'malformed', /no SQLite/],
      [
        {
          type: 'PostGIS (JNDI)',
          connectionParameters: { dbtype: 'postgis', jndiReferenceName: 'java:comp/env/jdbc/x' },
        },
        'no-driver',
        /JNDI.*java:comp.*set host/,
      ],
      [{ connectionParameters: { dbtype: 'postgis', passwd: 'crypt1:SECRET' } }, 'refused', /key store/],
    ];
    for (const [parts, code, message] of cases)
      await assert.rejects(data.access.vector(dataStore(parts), emptyView), { name: 'DataError', code, message });
    const raster = coverageStore({ type: 'GRIB', url: 'file:x.grib' });
    await assert.rejects(data.access.raster(raster, emptyView), { code: 'no-driver', message: /"GRIB"/ });
  });

  test('GeoJSON in its other forms', async () => {
    const one = await (await data.vector({ file: 'one.geojson' })).source('one');
    const [feature] = await collect(one);
    assert.deepEqual(feature, {
      id: 'one.7',
      properties: { a: 1, b: 'x', c: '{"d":[1]}' },
      geometry: { type: 'Point', coordinates: [1, 2] },
    });
    const bare = await (await data.vector({ url: 'file:bare.json' })).source('bare');
    assert.deepEqual(await bare.bounds(), [0, 0, 1, 1]);
    assert.equal((await collect(bare)).length, 1);
    await assert.rejects((await data.vector({ url: 'file:broken.geojson' })).source('broken'), {
      code: 'malformed',
      message: /not JSON/,
    });
  });

  test('nothing is opened after the end', async () => {
    const other = testAccess();
    await other.close();
    await assert.rejects(other.vector({ url: 'file:x.shp' }), { code: 'refused', message: /stopping/ });
  });
});

test('bindings go both ways', () => {
  const types: AttributeType['type'][] = [
    'string',
    'integer',
    'long',
    'double',
    'boolean',
    'date',
    'dateTime',
    'time',
    'bytes',
  ];
  for (const type of types) assert.deepEqual(attributeOfBinding(bindingOf({ type })), { type });
  const geometry = { type: 'geometry', geometryType: 'MultiPolygon' } as const;
  assert.equal(bindingOf(geometry), 'org.locationtech.jts.geom.MultiPolygon');
  assert.deepEqual(attributeOfBinding('org.locationtech.jts.geom.MultiPolygon'), geometry);
  assert.deepEqual(attributeOfBinding('com.vividsolutions.jts.geom.Point'), {
    type: 'geometry',
    geometryType: 'Point',
  });
  assert.deepEqual(attributeOfBinding('java.math.BigDecimal'), { type: 'double' });
  assert.deepEqual(attributeOfBinding('com.example.Unknown'), { type: 'string' });
});

describe('filters', { skip: gdalMissing }, () => {
  let data: TestAccess;
  let source: FeatureSource;
  let all: Feature[];
  before(async () => {
    data = testAccess();
    const texts = ['a', 'A', 'b', '', '5', "it's", 'a%', 'a_b', null];
    const features = Array.from({ length: 200 }, (_, i) => ({
      type: 'Feature',
      properties: { i: i - 100, r: i % 9 === 0 ? null : i / 7, s: texts[i % texts.length] },
      geometry: i % 11 === 0 ? null : { type: 'Point', coordinates: [i % 20, Math.floor(i / 20)] },
    }));
    const geojson = path.join(data.folder, 'f.geojson');
    writeFileSync(geojson, JSON.stringify({ type: 'FeatureCollection', features }));
    gdal('ogr2ogr', path.join(data.folder, 'f.gpkg'), geojson);
    source = await (await data.vector({ dbtype: 'geopkg', database: 'f.gpkg' })).source('f');
    all = await collect(source);
  });
  after(() => data.close());

  const property = fc.constantFrom('i', 'r', 's').map((name): Expression => ({ kind: 'property', name }));
  const literal = fc
    .oneof(
      fc.integer({ min: -120, max: 120 }),
      fc.double({ min: -5, max: 30, noNaN: true }),
      fc.constantFrom('a', 'A', '5', '', 'a%', "it's", '5.0', 'x'),
    )
    .map((value): Expression => ({ kind: 'literal', value }));
  const box = fc
    .tuple(...Array.from({ length: 4 }, () => fc.integer({ min: -2, max: 22 })))
    .map(([a, b, c, d]) => [Math.min(a!, c!), Math.min(b!, d!), Math.max(a!, c!), Math.max(b!, d!)] as const);
  const operator = fc.constantFrom('=', '<>', '<', '<=', '>', '>=' as const);
  const leaf: fc.Arbitrary<Filter> = fc.oneof(
    fc.tuple(operator, property, literal, fc.boolean(), fc.boolean()).map(
      ([op, left, right, matchCase, turned]): Filter => ({
        kind: 'comparison',
        operator: op as '=',
        left: turned ? right : left,
        right: turned ? left : right,
        matchCase,
      }),
    ),
    fc
      .tuple(property, literal, literal)
      .map(([value, lower, upper]): Filter => ({ kind: 'between', value, lower, upper })),
    fc.tuple(property, fc.constantFrom('a*', '*', '?', 'a!*', '5', '*_*'), fc.boolean()).map(
      ([value, pattern, matchCase]): Filter => ({
        kind: 'like',
        value,
        pattern,
        wildcard: '*',
        single: '?',
        escape: '!',
        matchCase,
      }),
    ),
    box.map((b): Filter => ({ kind: 'bbox', value: { kind: 'property', name: '' }, box: b })),
    property.map((value): Filter => ({ kind: 'null', value })),
    fc
      .array(fc.constantFrom('f.1', 'f.17', 'f.200', 'f.999', 'g.1', 'f.x'), { maxLength: 3 })
      .map((ids): Filter => ({ kind: 'ids', ids })),
    fc.constantFrom<Filter>({ kind: 'include' }, { kind: 'exclude' }),
  );
  const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
    filter: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      tie('filter').map((inner): Filter => ({ kind: 'not', filter: inner })),
      fc
        .tuple(fc.constantFrom('and', 'or'), fc.array(tie('filter'), { minLength: 1, maxLength: 3 }))
        .map(([kind, filters]): Filter => ({ kind: kind as 'and', filters })),
    ),
  }));

  test('what the database leaves out is never what the filter would keep', async () => {
    await fc.assert(
      fc.asyncProperty(filter, fc.option(box, { nil: undefined }), async (condition, within) => {
        const context = { geometryName: source.schema.geometryName! };
        const meets = (feature: Feature) => {
          if (within === undefined) return true;
          if (feature.geometry === null) return false;
          const [x, y] = (feature.geometry as GeoJSON.Point).coordinates as [number, number];
          return x >= within[0] && x <= within[2] && y >= within[1] && y <= within[3];
        };
        const expected = all
          .filter((feature) => meets(feature) && evaluate(condition, feature, context))
          .map(({ id }) => id);
        const found = await collect(source, { filter: condition, ...(within === undefined ? {} : { box: within }) });
        assert.deepEqual(
          found.map(({ id }) => id),
          expected,
        );
      }),
      { numRuns: 400 },
    );
  });
});
