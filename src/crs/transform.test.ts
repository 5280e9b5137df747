import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Box, CrsError, findCrs, transformBox, transformer } from './index.ts';

const crs = (name: string) => findCrs(name)!;

/** A place in each CRS's area of use; the tolerance in metres is for datums whose grid PROJ may have and we have not. */
const PLACES: readonly [string, number, number, number][] = [
  ['EPSG:3857', 13.4, 52.5, 0.01],
  ['EPSG:25832', 9.2, 48.8, 0.01],
  ['EPSG:3035', 9.2, 48.8, 0.01],
  ['EPSG:2056', 7.45, 46.95, 1],
  ['EPSG:27700', -0.12, 51.5, 5],
  ['EPSG:31467', 9.2, 48.8, 5],
  ['EPSG:28992', 5.1, 52.1, 1],
  ['EPSG:2180', 19.5, 52.1, 0.5],
  ['EPSG:32661', 30, 80, 0.01],
  ['EPSG:26713', -104, 44.4, 30],
];

test('points go where PROJ puts them', { skip: !existsSync('/usr/bin/gdaltransform') && 'needs gdaltransform' }, () => {
  for (const [name, lon, lat, tolerance] of PLACES) {
    const [x, y] = transformer(crs('CRS:84'), crs(name))(lon, lat);
    const printed = execFileSync(
      'gdaltransform',
      ['-s_srs', 'EPSG:4326', '-t_srs', name, '-output_xy', '-s_coord_epoch', '2000'].slice(0, 5),
      { input: `${lon} ${lat}\n`, encoding: 'utf8' },
    );
    const [px, py] = printed.trim().split(/\s+/).map(Number) as [number, number];
    assert.ok(Math.hypot(px - x, py - y) <= tolerance, `${name}: ${x} ${y}, not ${px} ${py}`);
  }
});

test('there and back again', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 6, max: 12, noNaN: true }),
      fc.double({ min: 40, max: 80, noNaN: true }),
      (lon, lat) => {
        const [x, y] = transformer(crs('EPSG:4326'), crs('EPSG:25832'))(lon, lat);
        const [blon, blat] = transformer(crs('EPSG:25832'), crs('EPSG:4326'))(x, y);
        assert.ok(Math.abs(blon - lon) < 1e-7 && Math.abs(blat - lat) < 1e-7);
      },
    ),
  );
});

test('a point without a place in the target is NaN, and nothing is thrown', () => {
  assert.deepEqual(transformer(crs('EPSG:4326'), crs('EPSG:32661'))(0, -90), [Number.NaN, Number.NaN]);
  assert.deepEqual(transformer(crs('EPSG:4326'), crs('EPSG:25832'))(Number.NaN, 0), [Number.NaN, Number.NaN]);
});

test('a projection that is not implemented is told', () => {
  const made: ReturnType<typeof crs> = { ...crs('EPSG:3857'), code: 'EPSG:0', proj4: '+proj=nonesuch' };
  assert.throws(() => transformer(crs('EPSG:4326'), made), CrsError);
});

const WORLD: Box = [-180, -90, 180, 90];
const half = 20037508.342789244;

const BOXES: readonly [string, Box, string, Box, number][] = [
  ['EPSG:4326', WORLD, 'EPSG:3857', [-half, -half, half, half], 1],
  ['CRS:84', WORLD, 'EPSG:4326', WORLD, 0],
  ['EPSG:4326', [-124, 25, -67, 49], 'EPSG:3857', [-13803617, 2875745, -7458406, 6274861], 1],
  // The parallel of 45 degrees bulges south between the corners in UTM's middle: its lowest point is inside the edge.
  ['EPSG:4326', [5, 45, 13, 55], 'EPSG:25832', [184739, 4982950, 815261, 6102111], 1],
  // The pole is inside: all longitudes, and latitudes up to it.
  ['EPSG:32661', [0, 0, 4e6, 4e6], 'EPSG:4326', [-180, 64.916, 180, 90], 0.01],
];

for (const [from, box, to, expected, tolerance] of BOXES)
  test(`box ${box} from ${from} to ${to}`, () => {
    const result = transformBox(box, crs(from), crs(to));
    assert.ok(result);
    result.forEach((value, i) => {
      assert.ok(Math.abs(value - expected[i]!) <= tolerance, `${result}`);
    });
  });

test('a box far beyond the domain still gives a finite box', () => {
  for (const name of [
    'EPSG:25832',
    'EPSG:3035',
    'EPSG:32661',
    'EPSG:27700',
    'EPSG:2056',
    'EPSG:5514',
    'EPSG:3031',
    'EPSG:26713',
  ]) {
    const result = transformBox(WORLD, crs('EPSG:4326'), crs(name));
    assert.ok(result?.every(Number.isFinite), `${name}: ${result}`);
  }
});
