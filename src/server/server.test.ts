import assert from 'node:assert/strict';
import { get as httpGet } from 'node:http';
import { test } from 'node:test';
import type { CatalogView } from '../catalog/index.ts';
import { BaseUrls } from './base-url.ts';
import { openDoor } from './door.ts';
import { healthOf } from './health.ts';
import { openLogger } from './logger.ts';
import { parseBasic } from './login.ts';
import { requestClass } from './metrics.ts';

const view = (settings: { proxyBaseUrl?: string }, global = '<global/>') =>
  ({
    globalSettings: () => settings,
    hash: () => global,
    read: () => Buffer.from(global),
  }) as unknown as CatalogView;

test('base URLs, from settings and from what proxies say', () => {
  const plain = view({});
  const trusting = view({}, '<global><settings><useHeadersProxyURL>true</useHeadersProxyURL></settings></global>');
  const fixed = view({ proxyBaseUrl: 'https://maps.example.org/geoserver/' });
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are GeoServer's placeholders
  const template = view({ proxyBaseUrl: '${X-Forwarded-Proto}://${X-Forwarded-Host}/gs http://fallback/geoserver' });
  const rfc7239 = view({ proxyBaseUrl: '${Forwarded.proto}://${Forwarded.host}/geoserver' });
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: end
  const table: [view: CatalogView, trust: boolean, headers: Record<string, string>, url: string][] = [
    [plain, false, { host: 'localhost:8080' }, 'http://localhost:8080/geoserver'],
    [plain, false, { host: '[::1]:8080' }, 'http://[::1]:8080/geoserver'],
    [plain, false, {}, 'http://own:1/geoserver'],
    [plain, false, { host: 'a"><script>' }, 'http://own:1/geoserver'],
    [plain, false, { host: 'h', 'x-forwarded-host': 'evil' }, 'http://h/geoserver'],
    [
      plain,
      true,
      { host: 'h', 'x-forwarded-host': 'maps.org, inner', 'x-forwarded-proto': 'https,http' },
      'https://maps.org/geoserver',
    ],
    [
      trusting,
      false,
      { host: 'h', 'x-forwarded-host': 'maps.org', 'x-forwarded-proto': 'https' },
      'https://maps.org/geoserver',
    ],
    [
      plain,
      true,
      { host: 'h', 'x-forwarded-host': 'maps.org', 'x-forwarded-port': '8443', 'x-forwarded-proto': 'https' },
      'https://maps.org:8443/geoserver',
    ],
    [
      plain,
      true,
      { host: 'h', 'x-forwarded-host': 'maps.org', 'x-forwarded-port': '443', 'x-forwarded-proto': 'https' },
      'https://maps.org/geoserver',
    ],
    [
      plain,
      true,
      { host: 'h', 'x-forwarded-host': 'maps.org:99', 'x-forwarded-port': '443' },
      'http://maps.org:99/geoserver',
    ],
    [plain, true, { host: 'h', 'x-forwarded-prefix': '/carto/' }, 'http://h/carto/geoserver'],
    [plain, true, { host: 'h', 'x-forwarded-path': '/gs' }, 'http://h/gs'],
    [
      plain,
      true,
      { host: 'h', forwarded: 'for=1.2.3.4;proto=https;host="maps.org:444", for=5.6.7.8' },
      'https://maps.org:444/geoserver',
    ],
    [plain, true, { host: 'h', 'x-forwarded-proto': 'javascript' }, 'http://own:1/geoserver'],
    [fixed, true, { host: 'h', 'x-forwarded-host': 'other' }, 'https://maps.example.org/geoserver'],
    [
      template,
      false,
      { host: 'h', 'x-forwarded-host': 'maps.org', 'x-forwarded-proto': 'https' },
      'https://maps.org/gs',
    ],
    [template, false, { host: 'h', 'x-forwarded-host': 'maps.org' }, 'http://fallback/geoserver'],
    [rfc7239, false, { host: 'h', forwarded: 'host=maps.org;proto=https' }, 'https://maps.org/geoserver'],
    [rfc7239, false, { host: 'h', forwarded: 'host="<b>";proto=https' }, 'http://h/geoserver'],
  ];
  for (const [settings, trustProxy, headers, url] of table) {
    const urls = new BaseUrls({ trustProxy, ownUrl: 'http://own:1/geoserver' });
    assert.equal(urls.of({ headers, encrypted: false }, settings), url, JSON.stringify(headers));
  }
});

test('kinds of requests are a bounded set', () => {
  const table: [path: string, kind: string][] = [
    ['/geoserver/rest/workspaces/a.json', 'rest'],
    ['/geoserver/wms', 'wms'],
    ['/geoserver/topp/states/WMS', 'wms'],
    ['/geoserver/topp/ows', 'ows'],
    ['/geoserver/gwc/service/wmts', 'gwc'],
    ['/geoserver/', 'page'],
    ['/geoserver/web/', 'page'],
    ['/', 'page'],
    ['/geoserver/health/ready', 'other'],
    ['/geoserver/cluster/overview.json', 'cluster'],
    ['/.env', 'other'],
  ];
  for (const [path, kind] of table) assert.equal(requestClass(path), kind, path);
});

test('basic credentials', () => {
  const encode = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  assert.deepEqual(parseBasic(encode('ann:p:w')), { user: 'ann', password: 'p:w' });
  assert.deepEqual(parseBasic(encode('jörg:pä')), { user: 'jörg', password: 'pä' });
  assert.deepEqual(parseBasic(encode(':')), { user: '', password: '' });
  for (const header of ['Bearer x', 'Basic', 'Basic !', encode('nocolon')])
    assert.equal(parseBasic(header), undefined, header);
});

test('health of a node in each state', () => {
  const report = { name: 'a', position: 5, head: 7 };
  const table: [state: string, stopping: boolean, httpStatus: number, status: string][] = [
    ['starting', false, 503, 'starting'],
    ['in-step', false, 200, 'ready'],
    ['behind', false, 200, 'degraded'],
    ['stale', false, 200, 'degraded'],
    ['stopped', false, 200, 'degraded'],
    ['paused', false, 200, 'ready'],
    ['in-step', true, 503, 'stopping'],
  ];
  assert.equal(healthOf({ ...report, position: 0, state: 'stopped' } as never, false).httpStatus, 503);
  for (const [state, stopping, httpStatus, status] of table) {
    const answer = healthOf({ ...report, state } as never, stopping);
    assert.deepEqual([answer.httpStatus, answer.health.status, answer.health.lag], [httpStatus, status, 2], state);
  }
});

test('a log for machines and one for people', () => {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  openLogger({ level: 'info', format: 'json', node: 'a', write }).info('node-ready', { position: 3 });
  openLogger({ level: 'info', format: 'text', node: 'a', write }).warn('trouble', {
    error: new Error('no disk'),
    what: 'x',
  });
  openLogger({ level: 'info', format: 'json', node: 'a', write }).debug('unseen');
  assert.equal(lines.length, 2);
  const { level, node, event, position } = JSON.parse(lines[0]!);
  assert.deepEqual([level, node, event, position], ['info', 'a', 'node-ready', 3]);
  assert.match(lines[1]!, /^\d\d:\d\d:\d\d\.\d{3} warn {2}trouble error="no disk" what=x\n$/);
});

test('a door answers before there is a node, and closes when requests have ended', async () => {
  const door = await openDoor({ port: 0, host: '127.0.0.1' });
  const at = (path: string) => fetch(`http://127.0.0.1:${door.port}${path}`);
  assert.equal((await at('/health/live')).status, 200);
  assert.equal((await at('/geoserver/health/ready')).status, 503);
  const early = await at('/geoserver/rest/about/version.json');
  assert.deepEqual([early.status, early.headers.get('retry-after')], [503, '1']);
  await assert.rejects(openDoor({ port: door.port, host: '127.0.0.1' }), /taken by another program.*--port/);

  let finish = () => {};
  const arrived = new Promise<void>((resolve) => {
    door.open((_, response) => {
      finish = () => response.end('done');
      resolve();
    });
  });
  const answer = new Promise<string>((resolve, reject) => {
    httpGet({ port: door.port, host: '127.0.0.1' }, (response) => response.setEncoding('utf8').on('data', resolve)).on(
      'error',
      reject,
    );
  });
  await arrived;
  const closed = door.close(5_000);
  finish();
  assert.equal(await answer, 'done');
  await closed;
  await assert.rejects(at('/health/live'));
});
