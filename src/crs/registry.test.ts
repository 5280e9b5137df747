import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCrs, scaleDenominator } from './index.ts';
import { axisSource } from './proj-db.ts';

test('axis orders come from the data set that Mapnik brings along', () => {
  assert.equal(axisSource(), 'proj.db');
});

/** Name, code, kind, whether the authority puts north first, metres per unit. */
const CASES: readonly [string, string, string, boolean, number][] = [
  ['EPSG:4326', 'EPSG:4326', 'geographic', true, 111319.4908],
  ['epsg:4326', 'EPSG:4326', 'geographic', true, 111319.4908],
  [' EPSG:4326 ', 'EPSG:4326', 'geographic', true, 111319.4908],
  ['urn:ogc:def:crs:EPSG::4326', 'EPSG:4326', 'geographic', true, 111319.4908],
  ['urn:ogc:def:crs:EPSG:6.11.2:4326', 'EPSG:4326', 'geographic', true, 111319.4908],
  ['urn:x-ogc:def:crs:EPSG:4326', 'EPSG:4326', 'geographic', true, 111319.4908],
  ['http://www.opengis.net/def/crs/EPSG/0/4326', 'EPSG:4326', 'geographic', true, 111319.4908],
  ['http://www.opengis.net/gml/srs/epsg.xml#4326', 'EPSG:4326', 'geographic', true, 111319.4908],
  ['CRS:84', 'CRS:84', 'geographic', false, 111319.4908],
  ['OGC:CRS84', 'CRS:84', 'geographic', false, 111319.4908],
  ['urn:ogc:def:crs:OGC:1.3:CRS84', 'CRS:84', 'geographic', false, 111319.4908],
  ['http://www.opengis.net/def/crs/OGC/1.3/CRS84', 'CRS:84', 'geographic', false, 111319.4908],
  ['CRS:83', 'CRS:83', 'geographic', false, 111319.4908],
  ['EPSG:4258', 'EPSG:4258', 'geographic', true, 111319.4908],
  ['EPSG:4269', 'EPSG:4269', 'geographic', true, 111319.4908],
  ['EPSG:4979', 'EPSG:4979', 'geographic', true, 111319.4908],
  ['EPSG:3857', 'EPSG:3857', 'projected', false, 1],
  ['EPSG:900913', 'EPSG:900913', 'projected', false, 1],
  ['EPSG:25832', 'EPSG:25832', 'projected', false, 1],
  ['EPSG:31467', 'EPSG:31467', 'projected', true, 1],
  ['EPSG:2056', 'EPSG:2056', 'projected', false, 1],
  ['EPSG:3035', 'EPSG:3035', 'projected', true, 1],
  ['EPSG:27700', 'EPSG:27700', 'projected', false, 1],
  ['EPSG:5514', 'EPSG:5514', 'projected', false, 1],
  ['EPSG:2180', 'EPSG:2180', 'projected', true, 1],
  ['EPSG:32661', 'EPSG:32661', 'projected', true, 1],
  ['EPSG:3995', 'EPSG:3995', 'projected', false, 1],
  ['EPSG:2263', 'EPSG:2263', 'projected', false, 0.3048006],
  ['EPSG:7415', 'EPSG:7415', 'projected', false, 1],
  ['EPSG:54030', 'ESRI:54030', 'projected', false, 1],
  ['ESRI:54030', 'ESRI:54030', 'projected', false, 1],
  ['EPSG:404000', 'EPSG:404000', 'engineering', false, 1],
];

for (const [name, code, kind, northFirst, metersPerUnit] of CASES)
  test(`findCrs ${name}`, () => {
    const crs = findCrs(name);
    assert.ok(crs);
    assert.deepEqual([crs.code, crs.kind, crs.northFirst], [code, kind, northFirst]);
    assert.ok(Math.abs(crs.metersPerUnit - metersPerUnit) < 1e-4, String(crs.metersPerUnit));
    assert.equal(findCrs(name), crs, 'one object for one code');
  });

for (const name of [
  '',
  'EPSG:',
  'EPSG:999999',
  'EPSG:99999999999',
  'EPSG:4326x',
  'FOO:1',
  'CRS:85',
  'EPSG:5773',
  'EPSG:4978',
  '../4326',
])
  test(`findCrs knows no ${JSON.stringify(name)}`, () => assert.equal(findCrs(name), undefined));

test('the twin of CRS:84 in registries is EPSG:4326', () => assert.equal(findCrs('CRS:84')?.registryCode, 'EPSG:4326'));

test('scale of the 0.28 mm pixel', () => {
  const web = findCrs('EPSG:3857')!;
  // Level 0 of the well-known scale set GoogleMapsCompatible (OGC 07-057r7, annex E.4).
  const half = 20037508.342789244;
  assert.ok(Math.abs(scaleDenominator([-half, -half, half, half], web, 256) - 559082264.0287178) < 1e-4);
  // Level 0 of GlobalCRS84Pixel's sibling GlobalCRS84Geometric: 180 degrees in 256 pixels.
  assert.ok(Math.abs(scaleDenominator([-180, -90, 0, 90], findCrs('CRS:84')!, 256) - 279541132.0143589) < 1e-4);
});
