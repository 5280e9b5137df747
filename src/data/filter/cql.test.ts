import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Evaluated, evaluate, FilterError, parseCql } from './index.ts';

const feature: Evaluated = {
  id: 'states.1',
  properties: {
    name: "O'Hara",
    code: '07',
    n: 5,
    big: 9007199254740993n,
    flag: true,
    when: new Date('2020-06-15T12:00:00Z'),
    nothing: null,
    'odd name': 'x',
    größe: 3,
  },
  geometry: { type: 'Point', coordinates: [10, 20] },
};

const holds: [string, boolean][] = [
  ['INCLUDE', true],
  ['EXCLUDE', false],
  ['n = 5', true],
  ["n = '5'", true],
  ["code = '7'", false],
  ['code = 7', true],
  ["code < '8'", true],
  ['n <> 5', false],
  ['n != 6', true],
  ['n BETWEEN 5 AND 6', true],
  ['n NOT BETWEEN 5 AND 6', false],
  ["name = 'O''Hara'", true],
  ["name LIKE 'O%a'", true],
  ["name LIKE 'o%'", false],
  ["name ILIKE 'o_har_'", true],
  ["name NOT LIKE 'x%'", true],
  ['n IN (1, 2, 5)', true],
  ['n NOT IN (1, 2)', true],
  ["IN ('states.1', 'states.2')", true],
  ['nothing IS NULL', true],
  ['missing IS NULL', true],
  ['n IS NOT NULL', true],
  ['nothing = 1', false],
  ['nothing <> 1', true],
  ['NOT n = 5', false],
  ['n = 5 AND code = 7 OR n = 1', true],
  ['n = 1 AND (code = 7 OR n = 5)', false],
  ['(n = 1 AND code = 7) OR n = 5', true],
  ['(n + 1) * 2 = 12', true],
  ['[n + 1] * 2 = 12', true],
  ['((((n = 5))))', true],
  ['n - -1 = 6', true],
  ['-n = -5', true],
  ['n / 2 = 2.5', true],
  ['flag = true', true],
  ["flag = 'yes'", true],
  ['"odd name" = \'x\'', true],
  ['größe = 3', true],
  ['big = 9007199254740993', true],
  ['big = 9007199254740992', false],
  ["strToUpperCase(name) = 'O''HARA'", true],
  ["if_then_else(greaterThan(n, 3), 'a', 'b') = 'a'", true],
  ["Recode(n, 1, 'x', 5, 'y') = 'y'", true],
  ["Categorize(n, 'low', 3, 'mid', 5, 'high') = 'high'", true],
  ["Interpolate(n, 0, '#000000', 10, '#ffffff') = '#808080'", true],
  ['Interpolate(n, 0, 0, 10, 100) = 50', true],
  ["numberFormat('#,##0.00', 1234.5) = '1,234.50'", true],
  ["dateFormat('yyyy-MM-dd', when) = '2020-06-15'", true],
  ['in3(n, 1, 2, 5) = true', true],
  ['max(n, 3) = 5', true],
  ["env('size', 5) = n", true],
  ["geometryType(the_geom) = 'Point'", true],
  ['when > 2020-01-01', true],
  ['when BEFORE 2020-07-01T00:00:00Z', true],
  ['when AFTER 2020-07-01T00:00:00Z', false],
  ['when DURING 2020-06-01T00:00:00Z/P1M', true],
  ['when DURING P1D/2020-06-16T00:00:00Z', true],
  ['when BEFORE OR DURING 2020-06-01T00:00:00Z/2020-06-30T00:00:00Z', true],
  ['when DURING OR AFTER 2021-06-01T00:00:00Z/2021-06-30T00:00:00Z', false],
  ['BBOX(the_geom, 0, 0, 10, 20)', true],
  ["BBOX(the_geom, 0, 0, 9, 20, 'EPSG:4326')", false],
  ['INTERSECTS(the_geom, POLYGON((0 0, 30 0, 30 30, 0 30, 0 0), (9 19, 11 19, 11 21, 9 21, 9 19)))', false],
  ['INTERSECTS(the_geom, SRID=4326;POLYGON((0 0, 30 0, 30 30, 0 0)))', false],
  ['WITHIN(the_geom, ENVELOPE(0, 11, 0, 21))', true],
  ['CONTAINS(the_geom, POINT(10 20))', true],
  ['DISJOINT(the_geom, LINESTRING(0 0, 1 1))', true],
  ['DWITHIN(the_geom, POINT(10 21), 1, meters)', true],
  ['BEYOND(the_geom, POINT(10 21), 1, meters)', false],
];

for (const [text, expected] of holds) {
  test(`CQL: ${text}`, () => assert.equal(evaluate(parseCql(text), feature), expected));
}

const wrong: [string, RegExp][] = [
  ['', /is expected, but the text ends at character 1/],
  ['n =', /the text ends at character 4/],
  ['n = 5 5', /the end is expected, but '5' was found at character 7/],
  ['name LIKE n', /a pattern in quotes is expected/],
  ["name = 'x", /a quote is not closed at character 8/],
  ['n IN (1, 2', /'\)' is expected/],
  ['(n = 5', /'\)' is expected, but the text ends/],
  ['(n = 5 AND) OR x = 1', /'\)' was found at character 11/],
  ['BBOX(g, 1, 2, 3)', /',' is expected/],
  ['INTERSECTS(g, POINT(1))', /a number is expected at character 22/],
  ['n ~ 5', /unexpected '~' at character 3/],
  ['name', /a comparison .* is expected/],
  [`${'('.repeat(300)}n = 1${')'.repeat(300)}`, /nested deeper/],
];

for (const [text, message] of wrong) {
  test(`CQL is refused: ${text.slice(0, 30)}`, () => {
    assert.throws(
      () => parseCql(text),
      (error) => error instanceof FilterError && message.test(error.message),
    );
  });
}

test('what is not implemented says so', () => {
  assert.throws(() => evaluate(parseCql('TOUCHES(g, POINT(1 1))'), feature), /TOUCHES is not supported/);
  assert.throws(() => evaluate(parseCql('nonsense(n) = 1'), feature), /unknown function: nonsense/);
});
