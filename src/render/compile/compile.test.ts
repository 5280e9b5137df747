import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Expression, parseCql, parseCqlExpression } from '../../data/filter/index.ts';
import type { AttributeType, MapnikSource } from '../../data/index.ts';
import { parseXml } from '../../xml/index.ts';
import { chooseStyle, parseStyle } from '../style/index.ts';
import { styleOf } from '../testing.ts';
import { expandCases } from './cases.ts';
import { type CompileContext, Untranslatable } from './context.ts';
import { fold, translate } from './expressions.ts';
import { translateFilter } from './filters.ts';
import { chooseFace } from './fonts.ts';
import { compileLayer } from './layer.ts';
import { mapXml } from './map.ts';
import { colorizerOf } from './raster.ts';
import { shapeOf } from './shapes.ts';
import { drawTile, prepareSvg } from './svg.ts';
import { parseColor } from './values.ts';

const attributes: AttributeType[] = [
  { name: 'n', type: 'integer', nillable: true },
  { name: 'd', type: 'double', nillable: true },
  { name: 's', type: 'string', nillable: true },
  { name: 'b', type: 'boolean', nillable: true },
  { name: 't', type: 'date', nillable: true },
  { name: 'geom', type: 'geometry', geometryType: 'Polygon', nillable: true },
];
const source: MapnikSource = {
  kind: 'vector',
  parameters: { type: 'postgis' },
  srs: 'epsg:3857',
  version: '1',
  attributes,
};
const contextOf = (more: Partial<CompileContext> = {}): CompileContext => ({
  source,
  env: { color: '#00ff00' },
  scaleDenominator: 1000,
  metersPerPixel: 0.28,
  assets: { put: (_, extension) => `/assets/x.${extension}` },
  faces: new Set(['DejaVu Sans Book', 'DejaVu Sans Bold', 'DejaVu Serif Bold Italic', 'Noto Sans Regular']),
  read: () => undefined,
  warnings: new Set(),
  interpolation: 'nearest',
  ...more,
});

const filters: [string, string | boolean][] = [
  ["n = '5'", '[n] = 5'],
  ["n = 'five'", false],
  ["n <> 'five'", true],
  ["s = '5'", "[s] = '5'"],
  ["s = 'O''Hara'", "[s] = 'O\\'Hara'"],
  ['5 < n', '[n] > 5'],
  ['n BETWEEN 1 AND 3', '([n] >= 1) and ([n] <= 3)'],
  ["b = 'yes'", '[b] = true'],
  ["s LIKE 'a.%_'", "[s].match('a\\\\..*.')"],
  ["s ILIKE 'a'", "[s].match('(?i)a')"],
  ["n LIKE '1%'", "str([n]).match('1.*')"],
  ['s IS NULL', '[s] = null'],
  ['missing IS NULL', true],
  ['missing = 1', false],
  ['NOT s IS NULL', 'not ([s] = null)'],
  ['n = 1 OR missing = 2', '([n] = 1)'],
  ['n = 1 AND 1 = 1', '([n] = 1)'],
  ['n / 2 > 1', '([n] != null) and ((1.0*[n]/2) > 1)'],
  ['t > 2020-01-31', "[t] > '2020-01-31'"],
  ['t DURING 2020-01-01T00:00:00Z/2020-02-01T00:00:00Z', "([t] > '2020-01-01') and ([t] < '2020-02-01')"],
  ['n = d', '[n] = [d]'],
  ['n = s', '[n] = float([s])'],
  ['in3(n, 1, 2) = true', '([n] = 1) or ([n] = 2)'],
  ["env('color', 'x') = '#00ff00'", true],
  ['dimension(geom) = 2', '[mapnik::geometry_type] = 3'],
  ['isCoverage() = true', false],
];
for (const [cql, expected] of filters)
  test(`Mapnik's filter of ${cql}`, () => assert.equal(translateFilter(parseCql(cql), contextOf()), expected));

test('what Mapnik cannot test is refused, never guessed', () => {
  for (const cql of [
    'INTERSECTS(geom, POINT(1 1))',
    'BBOX(geom, 0, 0, 1, 1)',
    "IN ('a.1')",
    'area(geom) > 1',
    "strStripAccents(s) = 'x'",
  ])
    assert.throws(() => translateFilter(parseCql(cql), contextOf()), Untranslatable, cql);
});

test('many alternatives of one text are one regular expression', () => {
  const words = Array.from({ length: 30 }, (_, i) => `'w.${i}'`).join(',');
  assert.match(String(translateFilter(parseCql(`s IN (${words})`), contextOf())), /^\[s\]\.match\('w\\\\.0\|/);
});

const expressions: [string, string][] = [
  ['n + 1.5', '([n]+1.5)'],
  ["strConcat(s, ' m')", "(''+[s]+' m')"],
  ['Concatenate(s, n)', "(''+[s]+str([n]))"],
  ['round(d)', '(int(([d]+0.5))-(([d]+0.5) < int(([d]+0.5))))'],
  ['strSubstring(s, 0, 3)', "([s]).replace('^.{0,0}(.{0,3}).*$','$1')"],
  ['-2 + n', '((-2)+[n])'],
  ['1e-7 * d', '(0.0000001*[d])'],
];
for (const [cql, expected] of expressions)
  test(`Mapnik's expression of ${cql}`, () =>
    assert.equal(translate(fold(parseCqlExpression(cql), contextOf()), contextOf()).text, expected));

test('conditional functions become cases', () => {
  const cases = (cql: string) => {
    const refold = (e: Expression) => fold(e, contextOf());
    return expandCases({ width: refold(parseCqlExpression(cql)) }, refold).map(({ when, value }) => [
      when === undefined ? true : translateFilter(when, contextOf()),
      translate(value.width, contextOf()).text,
    ]);
  };
  assert.deepEqual(cases('if_then_else(greaterThan(n, 3), 5, d)'), [
    ['[n] > 3', '5'],
    ['not ([n] > 3)', '[d]'],
  ]);
  assert.deepEqual(cases("Recode(s, 'a', 1, 'b', 2)"), [
    ["[s] = 'a'", '1'],
    ["[s] = 'b'", '2'],
    ["not (([s] = 'a') or ([s] = 'b'))", 'null'],
  ]);
  assert.deepEqual(cases('Categorize(n, 1, 10, 2)').slice(0, 2), [
    ['[n] < 10', '1'],
    ['[n] >= 10', '2'],
  ]);
  assert.deepEqual(cases('2 * Interpolate(n, 0, 1, 10, 3)').slice(0, 3), [
    ['[n] <= 0', '2'],
    ['([n] > 0) and ([n] <= 10)', '(2*(1+((1.0*([n]-0)/10)*2)))'],
    ['[n] > 10', '6'],
  ]);
});

const compile = (content: string, more: Partial<CompileContext> = {}) => {
  const context = contextOf(more);
  const compiled = compileLayer(chooseStyle(parseStyle(styleOf(content)))!.style, undefined, context);
  const text = mapXml([{ source: context.source, compiled, opacity: 1 }], 'epsg:3857');
  return { root: parseXml(text).root, text, warnings: [...context.warnings] };
};
const fill = (color: string) =>
  `<PolygonSymbolizer><Fill><CssParameter name="fill">${color}</CssParameter></Fill></PolygonSymbolizer>`;
const is = (name: string, value: string) =>
  `<ogc:Filter><ogc:PropertyIsEqualTo><ogc:PropertyName>${name}</ogc:PropertyName><ogc:Literal>${value}</ogc:Literal></ogc:PropertyIsEqualTo></ogc:Filter>`;

test('rules out of scale are left out, and the scale test is min <= n < max', () => {
  const rules = (scaleDenominator: number) =>
    compile(
      `<Rule><MaxScaleDenominator>1000</MaxScaleDenominator>${fill('#000001')}</Rule><Rule><MinScaleDenominator>1000</MinScaleDenominator>${fill('#000002')}</Rule>`,
      { scaleDenominator },
    ).text.match(/#00000\d/g);
  assert.deepEqual(rules(999), ['#000001']);
  assert.deepEqual(rules(1000), ['#000002']);
});

test('plain areas and lines are clipped and simplified, dashes are not', () => {
  const { root } = compile(
    '<LineSymbolizer><Stroke/></LineSymbolizer><LineSymbolizer><Stroke><CssParameter name="stroke-dasharray">3</CssParameter></Stroke></LineSymbolizer>',
  );
  const [plain, dashed] = root.find('Style', 'Rule')!.elements;
  assert.equal(plain!.attribute('simplify-algorithm'), 'radial-distance');
  assert.equal(dashed!.attribute('simplify'), undefined);
  assert.equal(dashed!.attribute('stroke-dasharray'), '3,3');
});

test('labels come after the shapes of all layers, in one data source when there is one layer', () => {
  const text = '<TextSymbolizer><Label><ogc:PropertyName>s</ogc:PropertyName></Label></TextSymbolizer>';
  const one = compile(text + fill('#ff0000'));
  assert.equal(one.root.childrenNamed('Layer').length, 1);
  assert.deepEqual(
    one.root.childrenNamed('Style').map((s) => s.find('Rule')!.elements[0]!.name),
    ['PolygonSymbolizer', 'TextSymbolizer'],
  );
  const context = contextOf();
  const compiled = compileLayer(chooseStyle(parseStyle(styleOf(text + fill('#ff0000'))))!.style, undefined, context);
  const two = parseXml(
    mapXml(
      [
        { source, compiled, opacity: 1 },
        { source, compiled, opacity: 0.5 },
      ],
      'epsg:3857',
    ),
  ).root;
  assert.deepEqual(
    two.childrenNamed('Layer').map((l) => [l.attribute('name'), l.attribute('opacity')]),
    [
      ['0.0', undefined],
      ['1.0', '0.5'],
      ['0.t0', undefined],
      ['1.t0', '0.5'],
    ],
  );
});

test('a rule whose symbol has cases still counts for the else rule', () => {
  const { root } = compile(
    `<Rule>${is('s', 'a')}<PolygonSymbolizer><Fill><CssParameter name="fill"><ogc:Function name="if_then_else"><ogc:Function name="greaterThan"><ogc:PropertyName>n</ogc:PropertyName><ogc:Literal>1</ogc:Literal></ogc:Function><ogc:Literal>#111111</ogc:Literal><ogc:Literal>#222222</ogc:Literal></ogc:Function></CssParameter></Fill></PolygonSymbolizer></Rule><Rule><ElseFilter/>${fill('#333333')}</Rule>`,
  );
  const rules = root.find('Style')!.elements;
  assert.deepEqual(
    rules.map((r) => [r.childText('Filter') ?? 'else', r.elements[1]?.attribute('fill')]),
    [
      ["[s] = 'a'", undefined], // takes the feature, draws nothing
      ["([s] = 'a') and ([n] > 1)", '#111111'],
      ["([s] = 'a') and (not ([n] > 1))", '#222222'],
      ['else', '#333333'],
    ],
  );
});

test('sizes in metres follow the scale, environment variables are put in, vendor options are heard', () => {
  const { text } = compile(
    `<FeatureTypeStyle><Rule><LineSymbolizer uom="http://www.opengeospatial.org/se/units/metre"><Stroke><CssParameter name="stroke"><ogc:Function name="env"><ogc:Literal>color</ogc:Literal></ogc:Function></CssParameter><CssParameter name="stroke-width">2.8</CssParameter></Stroke></LineSymbolizer></Rule><VendorOption name="composite">multiply, 0.5</VendorOption><VendorOption name="sortBy">n D</VendorOption><VendorOption name="ruleEvaluation">first</VendorOption></FeatureTypeStyle>`,
  );
  assert.match(text, /stroke="#00ff00" stroke-width="10"/);
  assert.match(text, /filter-mode="first" comp-op="multiply" opacity="0.5"/);
  assert.match(text, /sort-by="n desc"/);
});

test('colour maps: ramps reach below their first stop, intervals end at their quantity', () => {
  const entries = [
    { color: { kind: 'literal', value: '#ff0000' }, quantity: { kind: 'literal', value: '10' } },
    {
      color: { kind: 'literal', value: '#0000ff' },
      quantity: { kind: 'literal', value: '20' },
      opacity: { kind: 'literal', value: '0.5' },
    },
  ] as const;
  const stops = (type: 'ramp' | 'intervals' | 'values') =>
    parseXml(colorizerOf({ type, entries }, contextOf())).root.elements.map((e) => [
      e.attribute('value'),
      e.attribute('color'),
    ]);
  assert.deepEqual(stops('ramp'), [
    ['-1e30', '#ff0000'],
    ['10', '#ff0000'],
    ['20', 'rgba(0,0,255,0.5)'],
  ]);
  assert.deepEqual(stops('intervals'), [
    ['-1e30', '#ff0000'],
    ['10', 'rgba(0,0,255,0.5)'],
    ['20', 'rgba(0,0,0,0)'],
  ]);
  assert.deepEqual(stops('values'), [
    ['10', '#ff0000'],
    ['20', 'rgba(0,0,255,0.5)'],
  ]);
});

test('what cannot be drawn is left out with a warning', () => {
  const { warnings, text } = compile(
    `<Rule><ogc:Filter><ogc:PropertyIsGreaterThan><ogc:Function name="area"><ogc:PropertyName>geom</ogc:PropertyName></ogc:Function><ogc:Literal>1</ogc:Literal></ogc:PropertyIsGreaterThan></ogc:Filter>${fill('#000001')}</Rule><Rule><PointSymbolizer><Graphic><ExternalGraphic><OnlineResource xlink:href="http://example.com/x.png"/></ExternalGraphic></Graphic></PointSymbolizer></Rule>`,
  );
  assert.doesNotMatch(text, /Symbolizer/);
  assert.match(warnings.join('\n'), /the function area cannot be tested/);
  assert.match(warnings.join('\n'), /not fetched from other servers/);
});

test('fonts: family, style and weight, else the nearest that there is', () => {
  const faces = contextOf().faces;
  const face = (families: string[], bold = false, italic = false) => chooseFace({ families, bold, italic }, faces);
  assert.deepEqual(face(['DejaVu Sans']), { face: 'DejaVu Sans Book', exact: true });
  assert.deepEqual(face(['DejaVu Sans'], true), { face: 'DejaVu Sans Bold', exact: true });
  assert.deepEqual(face(['Nothing', 'Noto Sans']), { face: 'Noto Sans Regular', exact: true });
  assert.deepEqual(face(['Times New Roman'], true, true), { face: 'DejaVu Serif Bold Italic', exact: false });
  assert.deepEqual(face(['Arial']), { face: 'DejaVu Sans Book', exact: true });
});

test('colours', () => {
  const cases: [string, string | undefined][] = [
    ['#FF0000', '#ff0000'],
    ['#f00', '#ff0000'],
    ['0xff0000', '#ff0000'],
    ['FF0000', '#ff0000'],
    ['rgb(255, 0, 16)', '#ff0010'],
    ['Red', '#ff0000'],
    ['nonsense', undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseColor(text), expected, text);
});

test('tiles hold nothing outside themselves, and foreign SVG gets its frame', () => {
  const tile = drawTile({
    shape: shapeOf('shape://slash')!,
    size: 10,
    paint: { stroke: '#000000', strokeOpacity: 1, strokeWidth: 2, fillOpacity: 1 },
    rotation: 0,
    margin: [0, 0, 0, 0],
  });
  const numbers = [...tile.svg.matchAll(/[ML](-?[\d.]+),(-?[\d.]+)/g)].flatMap((m) => [Number(m[1]), Number(m[2])]);
  assert.ok(numbers.length > 0 && numbers.every((n) => n >= 0 && n <= 10));

  const svg = `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY ns "http://www.w3.org/2000/svg">]><svg xmlns="&ns;" width="10mm" viewBox="0 0 20 40"><path fill="param(fill) #ff0000" d="M0,0 L1,1"/></svg>`;
  const prepared = prepareSvg(Buffer.from(svg), 'fill=%2300ff00')!;
  assert.ok(Math.abs(prepared.width - 37.795) < 0.01);
  assert.equal(prepared.height, 40);
  assert.match(prepared.svg, /<rect x="0" y="0" width="20" height="40" fill="none"/);
  assert.match(prepared.svg, /fill="#00ff00"/);
  assert.equal(prepareSvg(Buffer.from('<svg><g></svg>'), ''), undefined);
});
