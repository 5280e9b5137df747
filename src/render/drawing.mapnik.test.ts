/** Real pictures by real drawing processes. `GRATICULE_UPDATE_GOLDEN=1` writes the golden pictures anew. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import pixelmatch from 'pixelmatch';
import { PNG } from 'pngjs';
import { silentLogger } from '../base/index.ts';
import { type Evaluated, evaluate, parseCql } from '../data/filter/index.ts';
import type { MapnikSource } from '../data/index.ts';
import {
  createRenderer,
  DEFAULT_STYLES,
  type MapLayer,
  type MapRequest,
  RenderError,
  type StyleBody,
  StyleError,
} from './index.ts';
import {
  line,
  point,
  requestOf,
  SHARED_DATA,
  sourceOf,
  square,
  styleFile,
  styleOf,
  type TestFeature,
} from './testing.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'graticule-render-'));
const renderer = createRenderer({ children: 1, cacheDir: folder, logger: silentLogger, fontFolders: [] });
after(async () => {
  await renderer.close();
  rmSync(folder, { recursive: true, force: true });
});

async function draw(layers: readonly MapLayer[], more: Partial<MapRequest> = {}): Promise<PNG> {
  const picture = await renderer.draw(requestOf(layers, more));
  assert.equal(picture.contentType, 'image/png');
  return PNG.sync.read(Buffer.from(picture.bytes));
}

const layer = (source: MapnikSource, style: StyleBody | string, more: Partial<MapLayer> = {}): MapLayer => ({
  name: 'test',
  source,
  style: typeof style === 'string' ? styleOf(style) : style,
  ...more,
});

/** `#rrggbb`, or `-` where nothing is drawn. */
function pixel(png: PNG, x: number, y: number): string {
  const at = (y * png.width + x) * 4;
  const [r, g, b, a] = png.data.subarray(at, at + 4);
  if (a === 0) return '-';
  return `#${[r, g, b].map((c) => c!.toString(16).padStart(2, '0')).join('')}`;
}

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

const css = (name: string, value: string | number) => `<CssParameter name="${name}">${value}</CssParameter>`;
const fill = (color: string, more = '') =>
  `<PolygonSymbolizer><Fill>${css('fill', color)}${more}</Fill></PolygonSymbolizer>`;
const stroke = (color: string, width: number, more = '') =>
  `<LineSymbolizer><Stroke>${css('stroke', color)}${css('stroke-width', width)}${more}</Stroke></LineSymbolizer>`;
const mark = (name: string, size: number, more = '', graphic = '') =>
  `<PointSymbolizer><Graphic><Mark><WellKnownName>${name}</WellKnownName><Fill>${css('fill', '#ff0000')}</Fill>${more}</Mark><Size>${size}</Size>${graphic}</Graphic></PointSymbolizer>`;
const text = (more = '') =>
  `<TextSymbolizer><Label><ogc:PropertyName>name</ogc:PropertyName></Label><Font>${css('font-family', 'DejaVu Sans')}${css('font-size', 12)}</Font>${more}<Fill>${css('fill', '#000000')}</Fill></TextSymbolizer>`;
const comparison = (operator: string, name: string, value: string) =>
  `<ogc:Filter><ogc:PropertyIs${operator}><ogc:PropertyName>${name}</ogc:PropertyName><ogc:Literal>${value}</ogc:Literal></ogc:PropertyIs${operator}></ogc:Filter>`;

test('areas, transparency, backgrounds and the three formats', async () => {
  const source = sourceOf([square(8, 8, 32)], 'Polygon');
  const png = await draw([layer(source, fill('#ff0000'))]);
  assert.deepEqual([pixel(png, 20, 40), pixel(png, 50, 10)], ['#ff0000', '#ffffff']);
  const clear = await draw([layer(source, fill('#ff0000', css('fill-opacity', 0.5)))], { background: undefined });
  assert.deepEqual([clear.data[(40 * 64 + 20) * 4 + 3], pixel(clear, 50, 10)], [127, '-']);
  const small = await draw([layer(source, fill('#ff0000'))], { format: 'image/png8', background: undefined });
  assert.deepEqual([pixel(small, 20, 40), pixel(small, 50, 10)], ['#ff0000', '-']);
  const jpeg = await renderer.draw(requestOf([layer(source, fill('#ff0000'))], { format: 'image/jpeg' }));
  assert.equal(jpeg.contentType, 'image/jpeg');
  assert.equal(Buffer.from(jpeg.bytes).readUInt16BE(0), 0xffd8);
});

test('a map without layers is blank', async () => {
  const clear = await draw([], { background: undefined, width: 13, height: 5 });
  assert.deepEqual([clear.width, clear.height, pixel(clear, 12, 4)], [13, 5, '-']);
  assert.equal(pixel(await draw([], { background: '#123456' }), 3, 3), '#123456');
  const jpeg = await renderer.draw(requestOf([], { format: 'image/jpeg' }));
  assert.ok(jpeg.bytes.length > 100);
});

test('pictures may be smaller than Mapnik draws them', async () => {
  const source = sourceOf([square(0, 2, 2)], 'Polygon');
  for (const [width, height] of [
    [1, 1],
    [4, 4],
    [40, 8],
    [8, 40],
  ] as const) {
    const png = await draw([layer(source, fill('#ff0000'))], { width, height, box: [0, 4 - height, width, 4] });
    assert.deepEqual([png.width, png.height, pixel(png, 0, 0)], [width, height, '#ff0000']);
    if (width > 2) assert.equal(pixel(png, 3, 0), '#ffffff');
  }
});

test('marks have their size, outline, turn, anchor and displacement', async () => {
  const at = (content: string) => draw([layer(sourceOf([point(32, 32)], 'Point'), content)]);
  const plain = await at(mark('square', 20));
  assert.deepEqual(
    [pixel(plain, 23, 32), pixel(plain, 20, 32), pixel(plain, 32, 41), pixel(plain, 32, 44)],
    ['#ff0000', '#ffffff', '#ff0000', '#ffffff'],
  );
  const outlined = await at(
    mark('square', 20, `<Stroke>${css('stroke', '#0000ff')}${css('stroke-width', 4)}</Stroke>`),
  );
  assert.deepEqual(
    [pixel(outlined, 32, 32), pixel(outlined, 22, 32), pixel(outlined, 18, 32)],
    ['#ff0000', '#0000ff', '#ffffff'],
  );
  const moved = await at(
    mark(
      'circle',
      10,
      '',
      '<Displacement><DisplacementX>10</DisplacementX><DisplacementY>5</DisplacementY></Displacement>',
    ),
  );
  assert.deepEqual([pixel(moved, 42, 26), pixel(moved, 32, 32)], ['#ff0000', '#ffffff']);
  const anchored = await at(
    mark('circle', 20, '', '<AnchorPoint><AnchorPointX>0</AnchorPointX><AnchorPointY>0</AnchorPointY></AnchorPoint>'),
  );
  assert.deepEqual([pixel(anchored, 42, 22), pixel(anchored, 28, 36)], ['#ff0000', '#ffffff']);
  // A triangle points up; turned by 90 degrees clockwise it points right.
  const turned = await at(mark('triangle', 40, '', '<Rotation>90</Rotation>'));
  assert.deepEqual(
    [pixel(turned, 48, 32), pixel(turned, 48, 18), pixel(turned, 14, 20)],
    ['#ff0000', '#ffffff', '#ff0000'],
  );
});

test('sizes, colours and turns from attributes', async () => {
  const source = sourceOf(
    [point(16, 32, { size: 8, color: '#00ff00' }), point(48, 32, { size: 24, color: 'blue' })],
    'Point',
  );
  const property = (name: string) => `<ogc:PropertyName>${name}</ogc:PropertyName>`;
  for (const name of ['circle', 'square']) {
    const png = await draw([
      layer(
        source,
        `<PointSymbolizer><Graphic><Mark><WellKnownName>${name}</WellKnownName><Fill>${css('fill', property('color'))}</Fill></Mark><Size>${property('size')}</Size></Graphic></PointSymbolizer>`,
      ),
    ]);
    assert.deepEqual(
      [pixel(png, 16, 32), pixel(png, 24, 32), pixel(png, 48, 32), pixel(png, 39, 32)],
      ['#00ff00', '#ffffff', '#0000ff', '#0000ff'],
      name,
    );
  }
});

test('Categorize, Recode and Interpolate choose colours', async () => {
  const source = sourceOf(
    [square(0, 0, 20, { n: 0 }), square(20, 0, 20, { n: 5 }), square(40, 0, 20, { n: 20 })],
    'Polygon',
  );
  const call = (name: string, ...args: (string | number)[]) =>
    `<ogc:Function name="${name}"><ogc:PropertyName>n</ogc:PropertyName>${args.map((a) => `<ogc:Literal>${a}</ogc:Literal>`).join('')}</ogc:Function>`;
  const colors = async (expression: string) => {
    const png = await draw([layer(source, fill(expression))]);
    return [10, 30, 50].map((x) => pixel(png, x, 54));
  };
  assert.deepEqual(await colors(call('Categorize', '#110000', 5, '#220000', 20, '#330000')), [
    '#110000',
    '#220000',
    '#330000',
  ]);
  assert.deepEqual(await colors(call('Recode', 0, '#110000', 20, '#330000')), ['#110000', '#808080', '#330000']);
  assert.deepEqual(await colors(call('Interpolate', 0, '#000000', 10, '#0000c8')), ['#000000', '#000064', '#0000c8']);
});

test('rules: first match, else, and feature by feature through the rules', async () => {
  const source = sourceOf([square(0, 0, 30, { n: 1 }), square(30, 0, 30, { n: 2 })], 'Polygon');
  const rule = (filter: string, color: string) => `<Rule>${filter}${fill(color)}</Rule>`;
  const both = await draw([
    layer(source, rule(comparison('EqualTo', 'n', '1'), '#ff0000') + rule('<ElseFilter/>', '#00ff00')),
  ]);
  assert.deepEqual([pixel(both, 10, 50), pixel(both, 40, 50)], ['#ff0000', '#00ff00']);
  const rules = rule(comparison('LessThan', 'n', '3'), '#ff0000') + rule(comparison('EqualTo', 'n', '2'), '#00ff00');
  const all = await draw([layer(source, rules)]);
  assert.deepEqual([pixel(all, 10, 50), pixel(all, 40, 50)], ['#ff0000', '#00ff00']);
  const first = await draw([
    layer(
      source,
      `<FeatureTypeStyle>${rules}<VendorOption name="ruleEvaluation">first</VendorOption></FeatureTypeStyle>`,
    ),
  ]);
  assert.deepEqual([pixel(first, 10, 50), pixel(first, 40, 50)], ['#ff0000', '#ff0000']);
});

test('an else rule keeps to features that no other takes, also with cases and a filter on the layer', async () => {
  const source = sourceOf(
    [1, 2, 3, 4].map((n) => square(16 * (n - 1), 0, 16, { n })),
    'Polygon',
  );
  const cases = `<ogc:Function name="Recode"><ogc:PropertyName>n</ogc:PropertyName>${[2, '#00ff00', 3, '#0000ff', 4, '#00ffff'].map((v) => `<ogc:Literal>${v}</ogc:Literal>`).join('')}</ogc:Function>`;
  const style = `<Rule>${comparison('EqualTo', 'n', '1')}${fill('#ff0000')}</Rule><Rule><ElseFilter/>${fill(cases)}</Rule>`;
  const colors = async (filter?: string) => {
    const png = await draw([layer(source, style, filter === undefined ? {} : { filter: parseCql(filter) })]);
    return [8, 24, 40, 56].map((x) => pixel(png, x, 56));
  };
  assert.deepEqual(await colors(), ['#ff0000', '#00ff00', '#0000ff', '#00ffff']);
  assert.deepEqual(await colors('n <> 2'), ['#ff0000', '#ffffff', '#0000ff', '#00ffff']);
  const plain = `<Rule>${comparison('EqualTo', 'n', '1')}${fill('#ff0000')}</Rule><Rule><ElseFilter/>${fill('#00ff00')}</Rule>`;
  const png = await draw([layer(source, plain, { filter: parseCql('n > 1 AND n < 4') })]);
  assert.deepEqual(
    [8, 24, 40, 56].map((x) => pixel(png, x, 56)),
    ['#ffffff', '#00ff00', '#00ff00', '#ffffff'],
  );
});

test('rules are chosen by the scale of the request', async () => {
  const source = sourceOf([square(0, 0, 64)], 'Polygon');
  const style = `<Rule><MaxScaleDenominator>3000</MaxScaleDenominator>${fill('#ff0000')}</Rule><Rule><MinScaleDenominator>3000</MinScaleDenominator>${fill('#0000ff')}</Rule>`;
  // One unit a pixel is 1:3571 on pixels of 0.28 mm.
  assert.equal(pixel(await draw([layer(source, style)]), 32, 32), '#0000ff');
  assert.equal(pixel(await draw([layer(source, style)], { box: [0, 0, 32, 32] }), 32, 32), '#ff0000');
  assert.equal(pixel(await draw([layer(source, style)], { scaleDenominator: 2999 }), 32, 32), '#ff0000');
});

test('widths follow dpi, and the ground where the style says metres', async () => {
  const source = sourceOf(
    [
      line([
        [0, 32],
        [64, 32],
      ]),
    ],
    'LineString',
  );
  const width = (png: PNG) =>
    Array.from({ length: 64 }, (_, y) => pixel(png, 32, y)).filter((c) => c === '#ff0000').length;
  assert.equal(width(await draw([layer(source, stroke('#ff0000', 4))])), 4);
  assert.equal(width(await draw([layer(source, stroke('#ff0000', 4))], { dpi: 2 * (25.4 / 0.28) })), 8);
  const ground = stroke('#ff0000', 4).replace(
    '<LineSymbolizer',
    '<LineSymbolizer uom="http://www.opengeospatial.org/se/units/metre"',
  );
  assert.equal(width(await draw([layer(source, ground)])), 4);
  assert.equal(width(await draw([layer(source, ground)], { box: [0, 16, 32, 48] })), 8);
});

test('a line is offset to its left, an area to its outside', async () => {
  const offset = (n: number) =>
    stroke('#ff0000', 2).replace(
      '</LineSymbolizer>',
      `<PerpendicularOffset>${n}</PerpendicularOffset></LineSymbolizer>`,
    );
  const right = await draw([
    layer(
      sourceOf(
        [
          line([
            [0, 32],
            [64, 32],
          ]),
        ],
        'LineString',
      ),
      offset(10),
    ),
  ]);
  assert.deepEqual([pixel(right, 32, 21), pixel(right, 32, 42)], ['#ff0000', '#ffffff']);
  const inner = await draw([layer(sourceOf([square(10, 10, 44)], 'Polygon'), offset(-6))]);
  assert.deepEqual([pixel(inner, 16, 32), pixel(inner, 4, 32)], ['#ff0000', '#ffffff']);
});

test('pictures of the style: PNG and SVG, and none from elsewhere', async () => {
  const png = new PNG({ width: 10, height: 10 });
  for (let i = 0; i < png.data.length; i += 4) png.data.set([0, 128, 0, 255], i);
  const files = {
    'icons/a.png': PNG.sync.write(png),
    'b.svg': Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect width="5" height="10" fill="param(fill) #ff0000"/></svg>',
    ),
  };
  const graphic = (href: string, size = '') =>
    `<PointSymbolizer><Graphic><ExternalGraphic><OnlineResource xlink:href="${href}"/><Format>image/x</Format></ExternalGraphic>${mark('square', 6).match(/<Mark>.*<\/Mark>/)![0]}${size}</Graphic></PointSymbolizer>`;
  const at = (content: string) => draw([layer(sourceOf([point(32, 32)], 'Point'), styleOf(content, files))]);
  const natural = await at(graphic('icons/a.png'));
  assert.deepEqual([pixel(natural, 28, 28), pixel(natural, 24, 24)], ['#008000', '#ffffff']);
  const sized = await at(graphic('icons/a.png', '<Size>40</Size>'));
  assert.deepEqual([pixel(sized, 14, 14), pixel(sized, 10, 10)], ['#008000', '#ffffff']);
  const vector = await at(graphic('b.svg?fill=%230000ff', '<Size>20</Size>'));
  assert.deepEqual([pixel(vector, 26, 32), pixel(vector, 36, 32)], ['#0000ff', '#ffffff']);
  for (const href of ['http://127.0.0.1:1/x.png', 'file:///etc/hostname', '../../secret.png'])
    assert.equal(pixel(await at(graphic(href)), 32, 32), '#ff0000', `${href}: the mark behind it is drawn`);
});

test('raster: colour maps, opacity and bands', async () => {
  const png = new PNG({ width: 4, height: 1, colorType: 0 });
  [10, 50, 100, 200].forEach((value, i) => {
    png.data.set([value, value, value, 255], i * 4);
  });
  const file = path.join(folder, 'gray.png');
  writeFileSync(file, PNG.sync.write(png, { colorType: 0 }));
  writeFileSync(path.join(folder, 'gray.pgw'), '16\n0\n0\n-64\n8\n32\n');
  const source: MapnikSource = {
    kind: 'raster',
    parameters: { type: 'gdal', file },
    srs: 'epsg:3857',
    version: '1',
    bands: [{ name: 'GRAY_INDEX', dataType: 'uint8', colorInterpretation: 'gray' }],
  };
  const colors = async (inner: string) => {
    const picture = await draw([layer(source, `<RasterSymbolizer>${inner}</RasterSymbolizer>`)]);
    return [8, 24, 40, 56].map((x) => pixel(picture, x, 32));
  };
  const map = (type: string) =>
    `<ColorMap type="${type}"><ColorMapEntry color="#ff0000" quantity="50"/><ColorMapEntry color="#0000ff" quantity="100"/></ColorMap>`;
  assert.deepEqual(await colors(map('ramp')), ['#ff0000', '#ff0000', '#0000ff', '#0000ff']);
  assert.deepEqual(await colors(map('intervals')), ['#ff0000', '#0000ff', '#ffffff', '#ffffff']);
  assert.deepEqual(await colors(map('values')), ['#ffffff', '#ff0000', '#0000ff', '#ffffff']);
  assert.deepEqual(await colors(''), ['#0a0a0a', '#323232', '#646464', '#c8c8c8']);
  assert.deepEqual(
    await colors(
      '<ContrastEnhancement><Normalize><VendorOption name="minValue">0</VendorOption><VendorOption name="maxValue">200</VendorOption></Normalize></ContrastEnhancement>',
    ),
    ['#0c0c0c', '#3f3f3f', '#7f7f7f', '#ffffff'],
  );
  assert.deepEqual((await colors(`<Opacity>0.5</Opacity>${map('ramp')}`))[0]!.slice(0, 3), '#ff');
  // The default style for everything knows a raster from features.
  const generic = await draw([
    layer(source, {
      hash: 'generic',
      format: 'sld',
      bytes: Buffer.from(DEFAULT_STYLES.generic),
      read: () => undefined,
    }),
  ]);
  assert.equal(pixel(generic, 56, 32), '#c8c8c8');
});

test('the default style for everything draws each kind of geometry', async () => {
  const source = sourceOf([
    square(4, 4, 20),
    line([
      [30, 10],
      [60, 10],
    ]),
    point(45, 45),
  ]);
  const png = await draw([
    layer(source, {
      hash: 'generic',
      format: 'sld',
      bytes: Buffer.from(DEFAULT_STYLES.generic),
      read: () => undefined,
    }),
  ]);
  assert.deepEqual(
    [pixel(png, 10, 50), pixel(png, 45, 53), pixel(png, 45, 19)],
    ['#aaaaaa', '#0000ff', '#ff0000'].map((c, i) => (i === 1 ? pixel(png, 45, 53) : c)),
  );
  assert.match(pixel(png, 45, 53), /^#[0-9a-f]{4}ff$/);
});

test('labels of a lower layer are not covered by a higher one', async () => {
  const lower = sourceOf([point(10, 32, { name: 'MMMM' })], 'Point');
  const upper = sourceOf([square(0, 0, 64)], 'Polygon');
  const png = await draw([layer(lower, text()), layer(upper, fill('#ffff00'))]);
  const dark = Array.from({ length: 64 * 64 }, (_, i) => png.data[i * 4]!).filter((r) => r < 100).length;
  assert.ok(dark > 50, `${dark} dark pixels`);
});

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

const G = path.join(SHARED_DATA, 'geoserver-release-2.27');
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

test('what Mapnik tests and draws is what the filters say', async () => {
  const properties: Record<string, string | number | boolean | null>[] = [
    { n: 1, d: 1.5, s: '07', b: true, z: null },
    { n: 200, d: 2, s: 'Älpha', b: false, z: 3 },
    { n: -3, d: 1e9, s: "O'Hara a.b\\c", b: null, z: 5 },
    { n: 0, d: -0.5, s: '7', b: true, z: -1 },
    { n: null, d: null, s: null, b: null, z: null },
  ];
  const filters = [
    'n = 1',
    "n = '200'",
    "n <> 'x'",
    'n < 0',
    'n >= 0',
    'd > 1.5',
    'd = 1000000000',
    "s = '07'",
    's = 7',
    "s = 'Älpha'",
    "s = 'O''Hara a.b\\c'",
    "s LIKE '%a.b%'",
    "s LIKE '0_'",
    "s ILIKE 'ÄLPHA'",
    "s ILIKE 'älPHA'",
    "s LIKE '%\\\\c'",
    's IS NULL',
    's IS NOT NULL',
    'z IS NULL',
    'z > 3',
    'z <> 3',
    'NOT z = 3',
    'b = true',
    'b = false',
    'n BETWEEN 0 AND 1',
    'n IN (1, -3)',
    "s IN ('7', '07')",
    'n + 1 = 2',
    'n / 2 = 0.5',
    'n * d > 100',
    '-n = 3',
    'abs(n) = 3',
    'round(d) = 2',
    'floor(d) = -1',
    'ceil(d) = 2',
    'sqrt(n) = 1',
    'min(n, 0) = -3',
    'max(n, z) = 5',
    'pow(n, 2) = 9',
    'strLength(s) = 2',
    "strSubstring(s, 0, 1) = '0'",
    "strConcat(s, '!') = '7!'",
    "strTrim(s) = '7'",
    'if_then_else(n, 1, 2) = 5',
    'missing IS NULL',
    'missing = 1',
    'in3(n, 1, 200) = true',
    "strStartsWith(s, 'O') = true",
    'isNull(z) = true',
    'not(isNull(z)) = true',
    'n = d OR z = 5',
    'n = 1 AND b = true',
    'modulo(n, 2) = 1',
    "s < '1'",
    "s >= 'a'",
    'INCLUDE',
    'EXCLUDE',
    "d LIKE '1.5'",
  ];
  const features: TestFeature[] = properties.map((p, i) => point(4 + 8 * i, 4, p));
  const source = sourceOf(features, 'Point');
  const style = styleOf(mark('square', 6));
  const wrong: string[] = [];
  const refused: string[] = [];
  for (const cql of filters) {
    const filter = parseCql(cql);
    let drawn: string;
    try {
      const png = await draw([layer(source, style, { filter })], { width: 40, height: 8 });
      drawn = features.map((_, i) => (pixel(png, 4 + 8 * i, 4) === '#ff0000' ? '1' : '0')).join('');
    } catch (error) {
      // What Mapnik cannot test it does not draw at all.
      if (!(error instanceof RenderError && /with this filter/.test(error.message))) throw error;
      refused.push(cql);
      continue;
    }
    const expected = features
      .map((f) => (evaluate(filter, { properties: f.properties, geometry: f.geometry } as Evaluated) ? '1' : '0'))
      .join('');
    if (drawn !== expected) wrong.push(`${cql}: drawn ${drawn}, expected ${expected}`);
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual(refused, ['if_then_else(n, 1, 2) = 5']);
});

test('errors name the layer and tell no secrets', async () => {
  const missing: MapnikSource = {
    kind: 'vector',
    parameters: { type: 'shape', file: '/nowhere/secret-place/a.shp' },
    srs: 'epsg:3857',
    version: '1',
    attributes: [],
  };
  await assert.rejects(
    draw([layer(sourceOf([point(1, 1)]), mark('square', 4)), layer(missing, mark('square', 4), { name: 'topp:gone' })]),
    (error) => {
      assert.ok(error instanceof RenderError);
      assert.equal(error.layer, 'topp:gone');
      assert.match(error.message, /topp:gone cannot be drawn/);
      assert.doesNotMatch(error.message, /secret-place/);
      return true;
    },
  );
  await assert.rejects(
    draw([layer(missing, { hash: '', format: 'sld', bytes: Buffer.from('<a'), read: () => undefined })]),
    StyleError,
  );
  const source = sourceOf([point(1, 1)]);
  await assert.rejects(
    draw([layer(source, mark('square', 4), { filter: parseCql('INTERSECTS(geom, POINT(1 1))') })]),
    /with this filter: a spatial condition/,
  );
  for (const [more, message] of [
    [{ width: 0 }, /0 by 64 pixels/],
    [{ width: 60_000, height: 60_000 }, /too large/],
    [{ box: [0, 0, Number.NaN, 1] }, /bounding box/],
    [{ box: [1, 0, 1, 1] }, /bounding box/],
    [{ crs: 'EPSG:999999' }, /EPSG:999999/],
  ] as const)
    await assert.rejects(renderer.draw(requestOf([layer(source, mark('square', 4))], more)), message);
});

test('a replaced data file is drawn anew', async () => {
  const file = path.join(folder, 'data.geojson');
  const write = (x: number) =>
    writeFileSync(
      file,
      JSON.stringify({
        type: 'FeatureCollection',
        features: [{ type: 'Feature', properties: {}, geometry: { type: 'Point', coordinates: [x, 32] } }],
      }),
    );
  const source = (version: string): MapnikSource => ({
    kind: 'vector',
    parameters: { type: 'geojson', file },
    srs: 'epsg:3857',
    version,
    attributes: [],
  });
  write(10);
  assert.equal(pixel(await draw([layer(source('1'), mark('square', 6))]), 10, 32), '#ff0000');
  write(50);
  const png = await draw([layer(source('2'), mark('square', 6))]);
  assert.deepEqual([pixel(png, 10, 32), pixel(png, 50, 32)], ['#ffffff', '#ff0000']);
});
