/** Whole pictures, compared with those in testdata/. `GRATICULE_UPDATE_GOLDEN=1` writes these anew. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import pixelmatch from 'pixelmatch';
import { PNG } from 'pngjs';
import { REAL_DATA } from '../../test/real-data.ts';
import type { MapnikSource } from '../data/index.ts';
import { comparison, css, layer, mark, openDrawing, stroke, text } from './drawing.fixture.ts';
import { line, point, sourceOf, square, styleFile } from './testing.ts';

const { close, draw } = openDrawing();
after(close);

/** Part of the pixels that may differ by more than the threshold of `pixelmatch`: fonts differ by a shade between builds. */
const TOLERANCE = 0.005;

function assertGolden(name: string, actual: PNG): void {
  const file = path.join(import.meta.dirname, 'testdata', `${name}.png`);
  if (process.env.GRATICULE_UPDATE_GOLDEN === '1') {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, PNG.sync.write(actual));
    return;
  }
  const golden = PNG.sync.read(readFileSync(file));
  assert.deepEqual([actual.width, actual.height], [golden.width, golden.height]);
  const differing = pixelmatch(golden.data, actual.data, undefined, actual.width, actual.height, { threshold: 0.15 });
  if (differing > actual.width * actual.height * TOLERANCE) {
    const seen = path.join(tmpdir(), `graticule-${name}.png`);
    writeFileSync(seen, PNG.sync.write(actual));
    assert.fail(`${differing} pixels differ from ${file}; the picture is in ${seen}`);
  }
}

test('golden: symbols, patterns, lines and labels', async () => {
  const shapes = [
    'square',
    'circle',
    'triangle',
    'star',
    'cross',
    'x',
    'shape://times',
    'shape://oarrow',
    'shape://plus',
    'wkt://MULTILINESTRING((-1 0, 1 0),(0 -1, 0 1))',
  ];
  const marks = sourceOf(
    shapes.map((name, i) => point(16 + 24 * (i % 5), 184 - 24 * Math.floor(i / 5), { kind: name })),
    'Point',
  );
  const markRules = shapes
    .map(
      (name) =>
        `<Rule>${comparison('EqualTo', 'kind', name)}${mark(name, 16, `<Stroke>${css('stroke', '#000080')}</Stroke>`)}</Rule>`,
    )
    .join('');
  const hatch = (name: string, size: number) =>
    `<PolygonSymbolizer><Fill><GraphicFill><Graphic><Mark><WellKnownName>${name}</WellKnownName><Stroke>${css('stroke', '#000000')}</Stroke></Mark><Size>${size}</Size></Graphic></GraphicFill></Fill><Stroke/></PolygonSymbolizer>`;
  const areas = sourceOf(
    ['shape://slash', 'shape://times', 'circle'].map((kind, i) =>
      square(140 + 40 * (i % 2), 150 - 45 * Math.floor(i / 2), 36, { kind }),
    ),
    'Polygon',
  );
  const areaRules = ['shape://slash', 'shape://times', 'circle']
    .map((name) => `<Rule>${comparison('EqualTo', 'kind', name)}${hatch(name, 8)}</Rule>`)
    .join('');
  const roads = sourceOf(
    [
      line(
        [
          [10, 20],
          [80, 60],
          [120, 60],
          [190, 20],
        ],
        { name: 'Long Winding Road' },
      ),
      line(
        [
          [10, 110],
          [110, 110],
        ],
        { name: 'rail' },
      ),
    ],
    'LineString',
  );
  const sleepers = `<LineSymbolizer><Stroke><GraphicStroke><Graphic><Mark><WellKnownName>shape://vertline</WellKnownName><Stroke>${css('stroke', '#333333')}</Stroke></Mark><Size>10</Size></Graphic></GraphicStroke></Stroke></LineSymbolizer>`;
  const roadRules = `<FeatureTypeStyle><Rule>${comparison('NotEqualTo', 'name', 'rail')}${stroke('#333333', 8, css('stroke-linecap', 'round'))}</Rule><Rule>${comparison('EqualTo', 'name', 'rail')}${stroke('#333333', 2)}${sleepers}</Rule></FeatureTypeStyle><FeatureTypeStyle><Rule>${comparison('NotEqualTo', 'name', 'rail')}${stroke('#ffcc66', 5, css('stroke-linecap', 'round'))}${text('<LabelPlacement><LinePlacement><PerpendicularOffset>9</PerpendicularOffset></LinePlacement></LabelPlacement>').replace('</TextSymbolizer>', '<VendorOption name="followLine">true</VendorOption></TextSymbolizer>')}</Rule></FeatureTypeStyle>`;
  const town = sourceOf([point(60, 85, { name: 'Middletown' })], 'Point');
  const townRule =
    mark('circle', 6) +
    text(
      '<LabelPlacement><PointPlacement><AnchorPoint><AnchorPointX>0.5</AnchorPointX><AnchorPointY>0</AnchorPointY></AnchorPoint><Displacement><DisplacementX>0</DisplacementX><DisplacementY>4</DisplacementY></Displacement></PointPlacement></LabelPlacement><Halo><Radius>2</Radius><Fill><CssParameter name="fill">#ffffcc</CssParameter></Fill></Halo>',
    );
  const png = await draw(
    [layer(marks, markRules), layer(areas, areaRules), layer(roads, roadRules), layer(town, townRule)],
    { width: 220, height: 200 },
  );
  assertGolden('symbols', png);
});

const G = path.join(REAL_DATA, 'geoserver-release-2.27');
const noData = existsSync(G) ? false : `${G} is not there`;

test('golden: the states of the USA by population', { skip: noData }, async () => {
  const number = (name: string) => ({ name, type: 'double', nillable: true }) as const;
  const source: MapnikSource = {
    kind: 'vector',
    parameters: { type: 'shape', file: path.join(G, 'data/shapefiles/states.shp'), encoding: 'iso-8859-1' },
    srs: 'epsg:4326',
    version: '1',
    attributes: [number('PERSONS'), { name: 'STATE_ABBR', type: 'string', nillable: true }],
  };
  const style = styleFile(path.join(G, 'styles/popshade.sld'));
  const request = { crs: 'EPSG:4326', box: [-126, 22, -65, 52], width: 244, height: 120 } as const;
  const png = await draw([layer(source, style)], request);
  assertGolden('states', png);
  const mercator = await draw([layer(source, style)], {
    crs: 'EPSG:3857',
    box: [-14e6, 2.8e6, -7.2e6, 6.5e6],
    width: 272,
    height: 148,
  });
  assertGolden('states-mercator', mercator);
});
