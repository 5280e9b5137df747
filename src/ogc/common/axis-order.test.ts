import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { flip, isNorthFirst, type ServiceVersion } from './axis-order.ts';

const SERVICES: readonly ServiceVersion[] = ['WMS 1.1.1', 'WMS 1.3.0', 'WFS 1.0.0', 'WFS 1.1.0', 'WFS 2.0.0'];

/** Name of a CRS, and whether the first coordinate is north in each of the services above. */
const TABLE: readonly [string, boolean, boolean, boolean, boolean, boolean][] = [
  ['EPSG:4326', false, true, false, false, false],
  ['epsg:4326', false, true, false, false, false],
  ['http://www.opengis.net/gml/srs/epsg.xml#4326', false, true, false, false, false],
  ['urn:ogc:def:crs:EPSG::4326', false, true, false, true, true],
  ['urn:x-ogc:def:crs:EPSG:4326', false, true, false, true, true],
  ['http://www.opengis.net/def/crs/EPSG/0/4326', false, true, false, true, true],
  ['CRS:84', false, false, false, false, false],
  ['urn:ogc:def:crs:OGC:1.3:CRS84', false, false, false, false, false],
  ['EPSG:3857', false, false, false, false, false],
  ['urn:ogc:def:crs:EPSG::3857', false, false, false, false, false],
  ['EPSG:900913', false, false, false, false, false],
  ['EPSG:25832', false, false, false, false, false],
  ['EPSG:4258', false, true, false, false, false],
  ['EPSG:4269', false, true, false, false, false],
  ['EPSG:31467', false, true, false, false, false],
  ['EPSG:2180', false, true, false, false, false],
  ['EPSG:3035', false, true, false, false, false],
  ['urn:ogc:def:crs:EPSG::3035', false, true, false, true, true],
  ['EPSG:32661', false, true, false, false, false],
  ['EPSG:2056', false, false, false, false, false],
  ['EPSG:27700', false, false, false, false, false],
  ['EPSG:5514', false, false, false, false, false],
  ['EPSG:404000', false, false, false, false, false],
  ['nonsense', false, false, false, false, false],
];

for (const [crs, ...expected] of TABLE)
  test(`axes of ${crs}`, () =>
    assert.deepEqual(
      SERVICES.map((service) => isNorthFirst(service, crs)),
      expected,
    ));

test('flipping twice changes nothing', () => {
  fc.assert(
    fc.property(fc.tuple(fc.double(), fc.double(), fc.double(), fc.double()), (box) => {
      assert.deepEqual(flip(flip(box)), box);
    }),
  );
});
