import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UserError } from '../base/index.ts';
import { type Format, negotiate, parseBoolean } from './negotiation.ts';
import { type Method, type Route, Router } from './routes.ts';

const route = (method: Method, path: string, more: Partial<Route> = {}): Route => ({
  method,
  path,
  summary: path,
  handle: () => ({ kind: 'empty', status: 200 }),
  ...more,
});

const router = new Router([
  route('GET', '/workspaces'),
  route('POST', '/workspaces'),
  route('GET', '/workspaces/{workspace}'),
  route('GET', '/workspaces/{workspace}/settings'),
  route('GET', '/workspaces/{workspace}/datastores/{store}'),
  route('GET', '/workspaces/{workspace}/datastores/{store}/featuretypes'),
  route('PUT', '/workspaces/{workspace}/datastores/{store}/{method}.{format}', { keepExtension: true }),
  route('GET', '/layers/{layer}'),
  route('PUT', '/layers/{layer}'),
  route('GET', '/styles/{style}'),
  route('GET', '/services/{service}/settings'),
  route('GET', '/resource', { keepExtension: true, isFile: true }),
  route('GET', '/resource/{path*}', { keepExtension: true, isFile: true }),
]);

describe('routes', () => {
  const found: [method: Method, path: string, route: string, params: Record<string, string>, extension?: string][] = [
    ['GET', '/workspaces', '/workspaces', {}],
    ['GET', '/workspaces/', '/workspaces', {}],
    ['GET', '/workspaces.json', '/workspaces', {}, 'json'],
    ['GET', '/workspaces/topp.xml', '/workspaces/{workspace}', { workspace: 'topp' }, 'xml'],
    ['GET', '/workspaces/a%20b', '/workspaces/{workspace}', { workspace: 'a b' }],
    ['GET', '/workspaces/a+b.html', '/workspaces/{workspace}', { workspace: 'a b' }, 'html'],
    ['GET', '/layers/roads.v2', '/layers/{layer}', { layer: 'roads.v2' }],
    ['GET', '/layers/roads.xml.json', '/layers/{layer}', { layer: 'roads.xml' }, 'json'],
    ['GET', '/layers/topp:roads', '/layers/{layer}', { layer: 'topp:roads' }],
    ['GET', '/layers/topp%3Aroads.json', '/layers/{layer}', { layer: 'topp:roads' }, 'json'],
    ['GET', '/layers/roads.sld', '/layers/{layer}', { layer: 'roads.sld' }],
    ['GET', '/styles/roads.sld', '/styles/{style}', { style: 'roads' }, 'sld'],
    [
      'PUT',
      '/workspaces/a/datastores/s/file.shp',
      '/workspaces/{workspace}/datastores/{store}/{method}.{format}',
      { workspace: 'a', store: 's', method: 'file', format: 'shp' },
    ],
    [
      'PUT',
      '/workspaces/a/datastores/s/file.json',
      '/workspaces/{workspace}/datastores/{store}/{method}.{format}',
      { workspace: 'a', store: 's', method: 'file', format: 'json' },
    ],
    [
      'GET',
      '/workspaces/a/datastores/s/featuretypes.json',
      '/workspaces/{workspace}/datastores/{store}/featuretypes',
      { workspace: 'a', store: 's' },
      'json',
    ],
    ['GET', '/workspaces/a/settings.json', '/workspaces/{workspace}/settings', { workspace: 'a' }, 'json'],
    ['GET', '/services/wms/settings', '/services/{service}/settings', { service: 'wms' }],
    ['GET', '/resource', '/resource', {}],
    ['GET', '/resource/styles/a+b.json', '/resource/{path*}', { path: 'styles/a+b.json' }],
  ];
  for (const [method, path, expected, params, extension] of found)
    test(`${method} ${path}`, () => {
      const match = router.find(method, path);
      assert.ok(match.kind === 'route');
      assert.equal(match.route.path, expected);
      assert.deepEqual({ ...match.params }, params);
      assert.equal(match.extension, extension);
    });

  test('another method is told which there are', () => {
    assert.deepEqual(router.find('DELETE', '/workspaces'), { kind: 'other-methods', allowed: ['GET', 'POST'] });
    assert.deepEqual(router.find('POST', '/layers/a'), { kind: 'other-methods', allowed: ['GET', 'PUT'] });
  });

  test('what is not served is not found', () => {
    for (const path of ['/nothing', '/workspaces/a/b/c', '/services/xyz/settings'])
      assert.equal(router.find('GET', path).kind, 'none');
  });

  const bad = [
    '/workspaces/..',
    '/workspaces/%2e%2e',
    '/workspaces/a%2F..%2Fb',
    '/workspaces/a%5Cb',
    '/workspaces/%00',
    '/workspaces/%ff',
    '/resource/styles/../x',
    '/resource/styles/%2e%2e/x',
    '/workspaces//settings',
  ];
  for (const path of bad)
    test(`refused: ${path}`, () =>
      assert.throws(
        () => router.find('GET', path),
        (error) => error instanceof UserError && error.status === 400,
      ));
});

describe('formats', () => {
  const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
  const offered: readonly Format[] = ['json', 'xml', 'html'];
  const cases: [asked: Parameters<typeof negotiate>[1], format: string | undefined][] = [
    [{}, 'json application/json'],
    [{ accept: '*/*' }, 'json application/json'],
    [{ accept: '' }, 'json application/json'],
    [{ accept: 'application/xml' }, 'xml application/xml'],
    [{ accept: 'text/xml' }, 'xml text/xml'],
    [{ accept: 'text/json' }, 'json text/json'],
    [{ accept: browser }, 'html text/html'],
    [{ accept: 'application/json;q=0.2, application/xml;q=0.5' }, 'xml application/xml'],
    [{ accept: 'application/*' }, 'json application/json'],
    [{ extension: 'xml', accept: 'application/json' }, 'xml application/xml'],
    [{ format: 'xml', accept: 'application/json' }, 'xml application/xml'],
    [{ extension: 'json', format: 'xml' }, 'json application/json'],
    [{ accept: 'image/png' }, undefined],
    [{ accept: 'image/png, */*;q=0.1' }, 'json application/json'],
    [{ extension: 'sld' }, undefined],
  ];
  for (const [asked, expected] of cases)
    test(JSON.stringify(asked), () => {
      const found = negotiate(offered, asked);
      assert.equal(found && `${found.format} ${found.contentType}`, expected);
    });

  test('booleans as clients write them', () => {
    for (const text of ['true', 'True', 'on', 'YES', '1']) assert.equal(parseBoolean(text), true);
    for (const text of ['false', 'False', 'off', 'no', '0']) assert.equal(parseBoolean(text), false);
    for (const text of ['all', '2', 'y']) assert.equal(parseBoolean(text), undefined);
  });
});
