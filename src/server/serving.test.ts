/** A node behind its door: a real cluster node on a log in memory; only the drawing is left out. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { basic } from '../../test/basic.ts';
import { temporaryFolder } from '../../test/temporary-folder.ts';
import { silentLogger, systemClock } from '../base/index.ts';
import { type ClusterNode, openNode } from '../cluster/index.ts';
import { openDataAccess } from '../data/index.ts';
import { memoryLog } from '../log/index.ts';
import type { Renderer } from '../render/index.ts';
import { newSecurityFiles } from '../security/index.ts';
import { type Door, openDoor, type RunningServer, startServer } from './index.ts';

let folder = '';
let door: Door;
let node: ClusterNode;
let server: RunningServer;
const renderer: Renderer = {
  draw: () => Promise.reject(new Error('nothing is drawn here')),
  stats: () => ({ children: 0, drawing: 0, waiting: 0, drawn: 5, failed: 0, restarts: 0 }),
  close: async () => {},
};

before(async () => {
  folder = temporaryFolder('server');
  const dataDir = path.join(folder, 'data');
  const pageFolder = path.join(folder, 'page');
  const write = (file: string, content: string | Uint8Array) => {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  };
  for (const file of await newSecurityFiles({ adminPassword: 'pw', salt: new Uint8Array(16) }))
    write(path.join(dataDir, file.path), file.bytes);
  write(path.join(dataDir, 'global.xml'), '<global><settings><id>s</id></settings></global>');
  for (const name of ['topp', 'ne']) {
    write(
      path.join(dataDir, `workspaces/${name}/workspace.xml`),
      `<workspace><id>w-${name}</id><name>${name}</name></workspace>`,
    );
    write(
      path.join(dataDir, `workspaces/${name}/namespace.xml`),
      `<namespace><id>n-${name}</id><prefix>${name}</prefix><uri>http://${name}</uri></namespace>`,
    );
  }
  write(path.join(pageFolder, 'index.html'), `<!doctype html><title>page</title>${' '.repeat(2000)}`);
  write(path.join(pageFolder, 'assets/index-1a2b.js'), 'void 0;');
  door = await openDoor({ port: 0, host: '127.0.0.1' });
  const url = `http://127.0.0.1:${door.port}/geoserver`;
  const common = { clock: systemClock, random: Math.random, logger: silentLogger };
  node = await openNode({
    ...common,
    dataDir,
    name: 'a',
    url,
    role: 'both',
    version: '0',
    log: memoryLog().open(),
    logUrl: 'memory:',
  });
  server = await startServer({
    ...common,
    door,
    node,
    renderer,
    data: openDataAccess({ dataDir, cacheDir: path.join(folder, 'cache'), logger: silentLogger }),
    ownUrl: url,
    pageFolder,
    cors: ['https://maps.example.org'],
  });
});
after(async () => {
  await server.close(1_000);
  await node.close();
});

const at = (target: string, init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${door.port}${target}`, { redirect: 'manual', ...init });
const login = (user: string, password: string) => ({ authorization: basic(user, password) });

test('where requests lead', async () => {
  const table: [path: string, status: number, type: RegExp, location?: string][] = [
    ['/', 302, /^/, '/geoserver/'],
    ['/geoserver', 302, /^/, '/geoserver/'],
    ['/geoserver/', 200, /text\/html/],
    ['/geoserver/web', 302, /^/, '/geoserver/web/'],
    ['/geoserver/web/', 200, /text\/html/],
    ['/geoserver/assets/index-1a2b.js', 200, /javascript/],
    ['/geoserver/web/assets/index-1a2b.js', 200, /javascript/],
    ['/geoserver/assets/../../data/global.xml', 404, /text\/plain/],
    ['/health/live', 200, /json/],
    ['/health/ready', 200, /json/],
    ['/geoserver/health/ready', 200, /json/],
    ['/metrics', 200, /text\/plain;version=0.0.4/],
    ['/geoserver/cluster/overview.json', 200, /json/],
    ['/geoserver/rest/workspaces.json', 401, /text\/plain/],
    ['/.env', 404, /text\/plain/],
    ['/geoserver/nothing/here', 404, /text\/plain/],
  ];
  for (const [target, status, type, location] of table) {
    const answer = await at(target);
    assert.equal(answer.status, status, target);
    assert.match(answer.headers.get('content-type') ?? '', type, target);
    if (location !== undefined) assert.equal(answer.headers.get('location'), location, target);
    await answer.arrayBuffer();
  }
});

test('who may use REST', async () => {
  const table: [headers: Record<string, string>, status: number][] = [
    [{}, 401],
    [login('admin', 'pw'), 200],
    [login('admin', 'no'), 401],
    [login('nobody', 'pw'), 401],
    [{ authorization: 'Bearer x' }, 401],
  ];
  for (const [headers, status] of table)
    assert.equal((await at('/geoserver/rest/workspaces.json', { headers })).status, status, JSON.stringify(headers));
  const challenge = (await at('/geoserver/rest/workspaces.json')).headers.get('www-authenticate');
  assert.match(challenge!, /^Basic realm="GeoServer Realm"/);
});

test('the overview tells nodes and layers, and no secrets', async () => {
  const overview = (await (await at('/geoserver/cluster/overview.json')).json()) as {
    node: string;
    nodes: { name: string; state: string; lag: number }[];
    layers: unknown[];
  };
  assert.equal(overview.node, 'a');
  assert.deepEqual(
    overview.nodes.map(({ name, state, lag }) => ({ name, state, lag })),
    [{ name: 'a', state: 'in-step', lag: 0 }],
  );
  assert.deepEqual(overview.layers, []);
});

test('metrics follow requests and the node', async () => {
  await at('/geoserver/rest/workspaces.json', { headers: login('admin', 'pw') });
  const text = await (await at('/metrics')).text();
  for (const line of [
    /^graticule_requests_total\{class="rest",status="200"\} \d+$/m,
    /^graticule_position \d+$/m,
    /^graticule_renderer_drawn_total 5$/m,
    /^graticule_node_state\{state="in-step"\} 1$/m,
    /^graticule_request_seconds_bucket\{class="rest",le="\+Inf"\} \d+$/m,
  ])
    assert.match(text, line);
  for (const line of text.trimEnd().split('\n'))
    assert.match(line, /^(?:# (?:HELP|TYPE) \S+ .+|[a-z_0-9]+(?:\{[^}]*\})? -?[\d.e+-]+|\S+ NaN)$/, line);
});

test('texts are compressed for those who take it, and kept by those who have them', async () => {
  const raw = await fetch(`http://127.0.0.1:${door.port}/geoserver/`, { headers: { 'accept-encoding': 'identity' } });
  assert.equal(raw.headers.get('content-encoding'), null);
  const etag = raw.headers.get('etag')!;
  assert.equal((await at('/geoserver/', { headers: { 'if-none-match': etag } })).status, 304);
  const { get } = await import('node:http');
  const packed = await new Promise<Buffer>((resolve, reject) => {
    get(
      { port: door.port, host: '127.0.0.1', path: '/geoserver/', headers: { 'accept-encoding': 'gzip;q=0.5, br' } },
      (answer) => {
        assert.equal(answer.headers['content-encoding'], 'gzip');
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks)));
      },
    ).on('error', reject);
  });
  assert.equal(gunzipSync(packed).toString(), await raw.text());
});

test('only pages of allowed origins may read', async () => {
  const allowed = await at('/geoserver/cluster/overview.json', { headers: { origin: 'https://maps.example.org' } });
  assert.equal(allowed.headers.get('access-control-allow-origin'), 'https://maps.example.org');
  const other = await at('/geoserver/cluster/overview.json', { headers: { origin: 'https://evil.example.org' } });
  assert.equal(other.headers.get('access-control-allow-origin'), null);
  const preflight = await at('/geoserver/rest/workspaces', {
    method: 'OPTIONS',
    headers: { origin: 'https://maps.example.org', 'access-control-request-method': 'POST' },
  });
  assert.equal(preflight.status, 204);
});

test('a request has an id: the client’s own where it has one', async () => {
  assert.equal(
    (await at('/health/live', { headers: { 'x-request-id': 'mine-1' } })).headers.get('x-request-id'),
    'mine-1',
  );
  assert.match(
    (await at('/health/live', { headers: { 'x-request-id': 'a b' } })).headers.get('x-request-id')!,
    /^[0-9a-f]{16}$/,
  );
});
