import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OgcException } from './exceptions.ts';
import {
  bool,
  color,
  count,
  list,
  number,
  optional,
  Parameters,
  type ParameterType,
  pairs,
  readTable,
  required,
  splitOutside,
} from './parameters.ts';

test('names are without regard to case, values are decoded', () => {
  const parameters = Parameters.parse('layers=a%3Ab,c&Service=WMS&x=1+2&bad=%zz', 'FORMAT=image%2Fpng');
  assert.equal(parameters.get('LAYERS'), 'a:b,c');
  assert.equal(parameters.get('SERVICE'), 'WMS');
  assert.equal(parameters.get('X'), '1 2');
  assert.equal(parameters.get('BAD'), '%zz');
  assert.equal(parameters.get('FORMAT'), 'image/png');
  assert.equal(parameters.get('STYLES'), undefined);
  assert.equal(Parameters.parse('STYLES=').get('STYLES'), '');
});

test('a repeated parameter counts once when the values agree, and is refused when they do not', () => {
  assert.equal(Parameters.parse('service=WMS&SERVICE=WMS').get('SERVICE'), 'WMS');
  assert.throws(() => Parameters.parse('width=1&WIDTH=2').get('WIDTH'), {
    code: 'InvalidParameterValue',
    locator: 'width',
  });
});

test('what a query says wins over what a body says', () => {
  const parameters = Parameters.parse('version=1.3.0').with([
    ['VERSION', '1.1.1'],
    ['request', 'GetMap'],
  ]);
  assert.equal(parameters.get('VERSION'), '1.3.0');
  assert.equal(parameters.get('REQUEST'), 'GetMap');
});

/** Type, text, value; undefined for what is refused. */
const VALUES: readonly [string, ParameterType<unknown>, string, unknown][] = [
  ['number', number, ' 1.5e3 ', 1500],
  ['number', number, '', undefined],
  ['number', number, '12px', undefined],
  ['number', number, 'Infinity', undefined],
  ['count', count, '256', 256],
  ['count', count, '256.0', 256],
  ['count', count, '0', undefined],
  ['count', count, '-1', undefined],
  ['count', count, '1.5', undefined],
  ['bool', bool, 'TRUE', true],
  ['bool', bool, 'false', false],
  ['bool', bool, '1', true],
  ['bool', bool, 'maybe', undefined],
  ['list', list, 'a, b,,c', ['a', 'b', '', 'c']],
  ['list', list, '', ['']],
  ['color', color, '0xFF00aa', '#ff00aa'],
  ['color', color, '#FF00AA', '#ff00aa'],
  ['color', color, 'FF00AA', '#ff00aa'],
  ['color', color, 'red', undefined],
  ['color', color, '0xFFF', undefined],
  ['pairs', pairs, 'dpi:180;Antialias:off', { dpi: '180', antialias: 'off' }],
  ['pairs', pairs, 'a:b\\:c;d:e\\;f;', { a: 'b:c', d: 'e;f' }],
  ['pairs', pairs, 'flag', { flag: 'true' }],
];

for (const [name, type, text, value] of VALUES)
  test(`${name} ${JSON.stringify(text)} is ${JSON.stringify(value)}`, () => assert.deepEqual(type(text), value));

test('splitting keeps quoted separators', () => {
  assert.deepEqual(splitOutside(`a = 'x;y';b = "p;q";c`, ';'), [`a = 'x;y'`, `b = "p;q"`, 'c']);
  assert.deepEqual(splitOutside(`a = 'it''s; so'`, ';'), [`a = 'it''s; so'`]);
  assert.deepEqual(splitOutside(';', ';'), ['', '']);
});

test('a table is read line by line', () => {
  const table = {
    width: required('WIDTH', count, 'InvalidParameterValue', 'a whole number'),
    clear: optional('TRANSPARENT', bool, false, 'InvalidParameterValue', 'TRUE or FALSE'),
  };
  assert.deepEqual(readTable(table, Parameters.parse('width=3&transparent=')), { width: 3, clear: false });
  assert.deepEqual(readTable(table, Parameters.parse('width=3&transparent=true')), { width: 3, clear: true });
  const problem = (query: string) => {
    try {
      readTable(table, Parameters.parse(query));
    } catch (error) {
      assert.ok(error instanceof OgcException);
      return [error.code, error.locator, error.message];
    }
    return assert.fail('nothing was thrown');
  };
  assert.deepEqual(problem(''), ['MissingParameterValue', 'width', 'WIDTH is missing; it must be a whole number']);
  assert.deepEqual(problem('width=x'), ['InvalidParameterValue', 'width', 'WIDTH must be a whole number, not x']);
  assert.deepEqual(problem('width=1&transparent=x').slice(0, 2), ['InvalidParameterValue', 'transparent']);
});
