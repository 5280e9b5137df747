import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CatalogView, VirtualTable } from '../catalog/index.ts';
import { resolveFile } from './files.ts';
import { parametersOf } from './parameters.ts';
import { expandView } from './sql-view.ts';
import { dataStore, emptyView } from './testing/sources.ts';

test('locations of files', () => {
  const cases: readonly [location: string, file: string | RegExp][] = [
    ['file:data/x.shp', '/dd/data/x.shp'],
    ['file:./data/x.shp', '/dd/data/x.shp'],
    ['file:data/with%20space/a%2Bb.shp', '/dd/data/with space/a+b.shp'],
    ['file:data/100%.shp', '/dd/data/100%.shp'],
    ['file:///abs/x.tif', '/abs/x.tif'],
    ['file:/abs/x.tif', '/abs/x.tif'],
    ['file://localhost/abs/x.tif', '/abs/x.tif'],
    ['/abs/x.gpkg', '/abs/x.gpkg'],
    ['data/x.gpkg', '/dd/data/x.gpkg'],
    ['data/100%25.gpkg', '/dd/data/100%25.gpkg'],
    ['FILE:data/x.shp', '/dd/data/x.shp'],
    ['file:data/../coverages/x.tif', '/dd/coverages/x.tif'],
    ['file:../other/x.tif', /leads out of the data directory/],
    ['file:data/%2e%2e/%2e%2e/etc/passwd', /leads out of the data directory/],
    ['../../etc/passwd', /leads out of the data directory/],
    ['file:data/a%00b', /NUL/],
    ['file://host/share/x.shp', /on another host/],
    ['http://example.com/x.tif', /only files/],
    ['s3://bucket/x.tif', /only files/],
  ];
  for (const [location, expected] of cases)
    if (typeof expected === 'string') assert.equal(resolveFile('/dd', location), expected, location);
    else assert.throws(() => resolveFile('/dd', location), { name: 'DataError', message: expected }, location);
});

const placeholder = (name: string) => `$\{${name}}`;

test('parameters', () => {
  const store = dataStore({
    connectionParameters: {
      Host: 'db',
      passwd: 'plain:a:b',
      port: ' 5433 ',
      'Loose bbox': 'TRUE',
      schema: ' ',
      user: placeholder('USER_NAME'),
    },
  });
  const parameters = parametersOf(store, { env: { USER_NAME: 'someone' }, view: emptyView });
  assert.equal(parameters.text('host'), 'db');
  assert.equal(parameters.text('schema'), undefined);
  assert.equal(parameters.integer('port', 1), 5433);
  assert.equal(parameters.flag('loose bbox', false), true);
  assert.equal(parameters.password('passwd'), 'a:b');
  assert.equal(parameters.text('user'), placeholder('USER_NAME'), 'placeholders only when they are allowed');
});

test('placeholders', () => {
  const store = dataStore({
    connectionParameters: { a: placeholder('A'), b: `x-${placeholder('B')}-${placeholder('C')}` },
  });
  const view = {
    read: (path: string) =>
      path === 'geoserver-environment.properties' ? Buffer.from('B = from file\nA=no') : undefined,
  };
  const env = { ALLOW_ENV_PARAMETRIZATION: 'true', A: 'from env' };
  const parameters = parametersOf(store, { env, view: view as Partial<CatalogView> as CatalogView });
  assert.equal(parameters.text('a'), 'from env');
  assert.equal(parameters.text('b'), `x-from file-${placeholder('C')}`);
});

test('an encrypted password is refused, and not shown', () => {
  for (const stored of ['crypt1:SECRETSECRET', 'crypt2:SECRETSECRET']) {
    const parameters = parametersOf(dataStore({ connectionParameters: { passwd: stored } }), {
      env: {},
      view: emptyView,
    });
    assert.throws(
      () => parameters.password('passwd'),
      (error: Error) => /key store cannot be read/.test(error.message) && !error.message.includes('SECRET'),
    );
  }
  const bare = parametersOf(dataStore({ connectionParameters: { passwd: 'as is' } }), { env: {}, view: emptyView });
  assert.equal(bare.password('passwd'), 'as is');
});

test('SQL views: parameters get their defaults, if these are allowed', () => {
  const view = (sql: string, ...parameters: VirtualTable['parameters']): VirtualTable => ({
    name: 'v',
    sql,
    keyColumns: [],
    geometries: [],
    parameters,
  });
  const cases: readonly [VirtualTable, string | RegExp][] = [
    [view('select 1;\r\n'), 'select 1'],
    [view('select %a%', { name: 'a', defaultValue: '5' }), 'select 5'],
    [view("select '%a%' || '%b%'", { name: 'a', defaultValue: 'x' }, { name: 'b' }), "select 'x' || ''"],
    [view("select '100%' where a like '%b%'"), "select '100%' where a like '%b%'"],
    [view('select %a%', { name: 'a', defaultValue: '1; drop table x' }), /does not allow/],
    [view('select %a%', { name: 'a', defaultValue: '12', regexpValidator: '[\\d]' }), /does not allow/],
    [view('select %a%', { name: 'a', defaultValue: '12', regexpValidator: '^[\\d]+$' }), 'select 12'],
    [view('select %a%', { name: 'a', defaultValue: '12', regexpValidator: '(' }), /not understood/],
    [
      view('%a% %b%', { name: 'a', defaultValue: '%b%', regexpValidator: '.*' }, { name: 'b', defaultValue: 'x' }),
      '%b% x',
    ],
  ];
  for (const [table, expected] of cases)
    if (typeof expected === 'string') assert.equal(expandView(table), expected);
    else assert.throws(() => expandView(table), { name: 'DataError', message: expected });
  assert.equal(expandView(view('%a%', { name: 'a', defaultValue: '1' }), { a: '2' }), '2');
});
