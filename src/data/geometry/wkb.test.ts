import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DataError } from '../types.ts';
import { parseWkb } from './wkb.ts';

/** Written by PostGIS: ST_AsBinary and ST_AsEWKB. */
const CASES: readonly [what: string, hex: string, expected: GeoJSON.Geometry | null][] = [
  ['point, little-endian', '0101000000000000000000f03f0000000000000040', { type: 'Point', coordinates: [1, 2] }],
  ['point, big-endian', '00000000013ff00000000000004000000000000000', { type: 'Point', coordinates: [1, 2] }],
  ['EWKB with SRID', '0101000020e6100000000000000000f03f0000000000000040', { type: 'Point', coordinates: [1, 2] }],
  ['ISO Z', '01e9030000000000000000f03f00000000000000400000000000000840', { type: 'Point', coordinates: [1, 2, 3] }],
  ['EWKB Z', '0101000080000000000000f03f00000000000000400000000000000840', { type: 'Point', coordinates: [1, 2, 3] }],
  [
    'ISO M is dropped',
    '01d1070000000000000000f03f00000000000000400000000000000840',
    { type: 'Point', coordinates: [1, 2] },
  ],
  ['empty point', '0101000000000000000000f87f000000000000f87f', null],
  ['empty line', '010200000000000000', { type: 'LineString', coordinates: [] }],
  [
    'line',
    '010200000002000000000000000000000000000000000000000000000000000040000000000000f03f',
    {
      type: 'LineString',
      coordinates: [
        [0, 0],
        [2, 1],
      ],
    },
  ],
  [
    'multipoint',
    '0104000000010000000101000000000000000000f03f0000000000000040',
    { type: 'MultiPoint', coordinates: [[1, 2]] },
  ],
  [
    'collection',
    '0107000000010000000101000000000000000000f03f0000000000000040',
    { type: 'GeometryCollection', geometries: [{ type: 'Point', coordinates: [1, 2] }] },
  ],
];

test('reads what databases write', () => {
  for (const [what, hex, expected] of CASES) assert.deepEqual(parseWkb(Buffer.from(hex, 'hex')), expected, what);
});

test('an arc becomes a line on its circle', () => {
  // CIRCULARSTRING(0 0, 1 1, 2 0)
  const hex = `010800000003000000${[0, 0, 1, 1, 2, 0].map(float).join('')}`;
  const line = parseWkb(Buffer.from(hex, 'hex')) as GeoJSON.LineString;
  assert.equal(line.type, 'LineString');
  assert.deepEqual(line.coordinates[0], [0, 0]);
  assert.deepEqual(line.coordinates.at(-1), [2, 0]);
  assert.ok(line.coordinates.length > 30);
  for (const [x, y] of line.coordinates as [number, number][]) {
    assert.ok(Math.abs(Math.hypot(x - 1, y) - 1) < 1e-9);
    assert.ok(y >= -1e-9);
  }
});

function float(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes.toString('hex');
}

test('bytes that are no geometry are an error and nothing worse', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        parseWkb(bytes);
      } catch (error) {
        assert.ok(error instanceof DataError);
      }
    }),
  );
  for (const [what, hex] of CASES)
    for (let length = 0; length < hex.length / 2; length++)
      assert.throws(() => parseWkb(Buffer.from(hex, 'hex').subarray(0, length)), DataError, `${what}, ${length} bytes`);
});
