/** Which features a style draws, and in which colours. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Evaluated, evaluate, parseCql } from '../data/filter/index.ts';
import { comparison, fill, layer, mark, openDrawing, pixel } from './drawing.fixture.ts';
import { RenderError } from './index.ts';
import { point, sourceOf, square, styleOf, type TestFeature } from './testing.ts';

const { close, draw } = openDrawing();
after(close);

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
