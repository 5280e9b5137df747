import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutLine, cutPolygon } from './antimeridian.ts';

type Ring = [number, number][];

test('polygons are cut at the 180th meridian', () => {
  const table: [what: string, rings: Ring[], parts: Ring[][]][] = [
    [
      'one that stays on its side',
      [
        [
          [0, 0],
          [10, 0],
          [10, 10],
          [0, 0],
        ],
      ],
      [
        [
          [
            [0, 0],
            [10, 0],
            [10, 10],
            [0, 0],
          ],
        ],
      ],
    ],
    [
      'a square across it',
      [
        [
          [170, 0],
          [-170, 0],
          [-170, 10],
          [170, 10],
          [170, 0],
        ],
      ],
      [
        [
          [
            [170, 0],
            [180, 0],
            [180, 10],
            [170, 10],
            [170, 0],
          ],
        ],
        [
          [
            [-180, 0],
            [-170, 0],
            [-170, 10],
            [-180, 10],
            [-180, 0],
          ],
        ],
      ],
    ],
    [
      'a cap around the South Pole',
      [
        [
          [-180, -70],
          [-60, -70],
          [60, -70],
          [-180, -70],
        ],
      ],
      [
        [
          [
            [-180, -70],
            [-60, -70],
            [60, -70],
            [180, -70],
            [180, -90],
            [-180, -90],
            [-180, -70],
          ],
        ],
      ],
    ],
    [
      'a cap whose pole is a ring',
      [
        [
          [-180, -89.999],
          [-60, -89.999],
          [60, -89.999],
          [-180, -89.999],
        ],
        [
          [-180, -70],
          [-60, -70],
          [60, -70],
          [-180, -70],
        ],
      ],
      [
        [
          [
            [-180, -70],
            [-60, -70],
            [60, -70],
            [180, -70],
            [180, -90],
            [-180, -90],
            [-180, -70],
          ],
        ],
      ],
    ],
    [
      'a hole on the far side',
      [
        [
          [160, 0],
          [-160, 0],
          [-160, 10],
          [160, 10],
          [160, 0],
        ],
        [
          [-175, 2],
          [-170, 2],
          [-170, 4],
          [-175, 2],
        ],
      ],
      [
        [
          [
            [160, 0],
            [180, 0],
            [180, 10],
            [160, 10],
            [160, 0],
          ],
        ],
        [
          [
            [-180, 0],
            [-160, 0],
            [-160, 10],
            [-180, 10],
            [-180, 0],
          ],
          [
            [-175, 2],
            [-170, 2],
            [-170, 4],
            [-175, 2],
          ],
        ],
      ],
    ],
  ];
  const area = (ring: number[][]) =>
    Math.abs(ring.slice(1).reduce((sum, [x, y], i) => sum + ring[i]![0]! * y! - x! * ring[i]![1]!, 0) / 2);
  for (const [what, rings, parts] of table) {
    const cut = cutPolygon(rings);
    const sizes = (polygons: number[][][][]) => polygons.map((polygon) => polygon.map(area)).sort();
    assert.deepEqual(sizes(cut), sizes(parts), what);
    for (const [x] of cut.flat(2)) assert.ok(x! >= -180 && x! <= 180, what);
  }
});

test('lines are cut at the 180th meridian', () => {
  assert.deepEqual(
    cutLine([
      [0, 0],
      [10, 5],
    ]),
    [
      [
        [0, 0],
        [10, 5],
      ],
    ],
  );
  assert.deepEqual(
    cutLine([
      [170, 0],
      [-170, 10],
    ]),
    [
      [
        [170, 0],
        [180, 5],
      ],
      [
        [-180, 5],
        [-170, 10],
      ],
    ],
  );
  assert.deepEqual(
    cutLine([
      [-170, 0],
      [170, 10],
    ]),
    [
      [
        [-170, 0],
        [-180, 5],
      ],
      [
        [180, 5],
        [170, 10],
      ],
    ],
  );
});
