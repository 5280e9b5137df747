import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import fastify, { type FastifyInstance, type InjectOptions } from 'fastify';
import { silentLogger } from '../base/index.ts';
import type { DataAccess, MapnikSource } from '../data/index.ts';
import type { MapRequest, Renderer } from '../render/index.ts';
import { parseXml } from '../xml/index.ts';
import { type OgcDependencies, registerOgc } from './index.ts';
import { type TestNode, testNode } from './testing.ts';
import { DIRECTORY } from './wms/fixture.ts';

/** Draws nothing, and remembers what it was asked for. */
class RecordingRenderer implements Renderer {
  readonly asked: MapRequest[] = [];
  failure: Error | undefined;

  draw(request: MapRequest) {
    this.asked.push(request);
    if (this.failure !== undefined && request.layers[0]?.name !== 'exception') return Promise.reject(this.failure);
    return Promise.resolve({ bytes: Buffer.from(`picture ${this.asked.length}`), contentType: request.format });
  }

  stats() {
    return { children: 0, drawing: 0, waiting: 0, drawn: 0, failed: 0, restarts: 0 };
  }

  close() {
    return Promise.resolve();
  }
}

const SOURCE: MapnikSource = {
  kind: 'vector',
  parameters: { type: 'csv' },
  srs: 'epsg:4326',
  version: '1',
  attributes: [],
};

const data = {
  vector: () =>
    Promise.resolve({
      source: (name: string) =>
        Promise.resolve({
          schema: { name, attributes: [], nillable: false, keyColumns: [] },
          mapnik: () => Promise.resolve(SOURCE),
        }),
    }),
} as unknown as DataAccess;

let app: FastifyInstance;
let node: TestNode;
let renderer: RecordingRenderer;
let deps: OgcDependencies;

before(async () => {
  node = testNode(DIRECTORY);
  renderer = new RecordingRenderer();
  deps = {
    node,
    data,
    renderer,
    logger: silentLogger,
    baseUrl: () => 'http://maps.example.org/geoserver',
    limits: { positionWaitMs: 50 },
  };
  app = fastify();
  await app.register(async (scope) => registerOgc(scope, deps), { prefix: '/geoserver' });
});

after(() => app.close());

const get = (path: string, options: InjectOptions = {}) => app.inject({ url: `/geoserver${path}`, ...options });

const MAP =
  'service=WMS&request=GetMap&version=1.1.1&layers=topp:lakes&styles=&srs=EPSG:4326&bbox=10,50,12,51&width=200&height=100&format=image/png';

/** Changes parameters of a query; undefined leaves one out. */
function query(changes: Readonly<Record<string, string | undefined>> = {}): string {
  const parameters = new URLSearchParams(MAP);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) parameters.delete(name);
    else parameters.set(name, value);
  }
  return parameters.toString();
}

const V130 = { version: '1.3.0', srs: undefined, crs: 'EPSG:4326', bbox: '50,10,51,12' };

// ---- what is asked of the renderer

async function asked(changes: Readonly<Record<string, string | undefined>>, path = '/wms'): Promise<MapRequest> {
  const response = await get(`${path}?${query(changes)}`);
  assert.equal(response.headers['x-graticule-exception'], undefined, response.body);
  assert.equal(response.statusCode, 200);
  return renderer.asked.at(-1)!;
}

const EAST_NORTH = [10, 50, 12, 51];

/** Version, name of the CRS, BBOX as sent, CRS and box as drawn. */
const AXES: readonly [string, string, string, string, readonly number[]][] = [
  ['1.1.1', 'EPSG:4326', '10,50,12,51', 'EPSG:4326', EAST_NORTH],
  ['1.1.1', 'epsg:4326', '10,50,12,51', 'EPSG:4326', EAST_NORTH],
  ['1.1.1', 'urn:ogc:def:crs:EPSG::4326', '10,50,12,51', 'EPSG:4326', EAST_NORTH],
  ['1.1.1', 'CRS:84', '10,50,12,51', 'EPSG:4326', EAST_NORTH],
  ['1.3.0', 'EPSG:4326', '50,10,51,12', 'EPSG:4326', EAST_NORTH],
  ['1.3.0', 'urn:ogc:def:crs:EPSG::4326', '50,10,51,12', 'EPSG:4326', EAST_NORTH],
  ['1.3.0', 'http://www.opengis.net/def/crs/EPSG/0/4326', '50,10,51,12', 'EPSG:4326', EAST_NORTH],
  ['1.3.0', 'CRS:84', '10,50,12,51', 'EPSG:4326', EAST_NORTH],
  ['1.3.0', 'EPSG:4258', '50,10,51,12', 'EPSG:4258', EAST_NORTH],
  ['1.3.0', 'EPSG:3857', '1,2,3,4', 'EPSG:3857', [1, 2, 3, 4]],
  ['1.1.1', 'EPSG:31467', '1,2,3,4', 'EPSG:31467', [1, 2, 3, 4]],
  ['1.3.0', 'EPSG:31467', '2,1,4,3', 'EPSG:31467', [1, 2, 3, 4]],
  ['1.3.0', 'EPSG:3035', '2,1,4,3', 'EPSG:3035', [1, 2, 3, 4]],
  ['1.3.0', 'EPSG:2180', '2,1,4,3', 'EPSG:2180', [1, 2, 3, 4]],
  ['1.3.0', 'EPSG:32661', '2,1,4,3', 'EPSG:32661', [1, 2, 3, 4]],
  ['1.3.0', 'EPSG:25832', '1,2,3,4', 'EPSG:25832', [1, 2, 3, 4]],
  ['1.3.0', 'EPSG:2056', '1,2,3,4', 'EPSG:2056', [1, 2, 3, 4]],
  ['1.1.1', 'EPSG:404000', '1,2,3,4', 'EPSG:3857', [1, 2, 3, 4]],
];

for (const [version, crs, bbox, drawnCrs, box] of AXES)
  test(`${version} ${crs} with BBOX ${bbox}`, async () => {
    const request = await asked({ version, bbox, srs: undefined, [version === '1.3.0' ? 'crs' : 'srs']: crs });
    assert.deepEqual([request.crs, request.box], [drawnCrs, box]);
  });

/** Parameters, what the renderer is asked for. */
const ASKED: readonly [Readonly<Record<string, string | undefined>>, Partial<MapRequest>][] = [
  [{}, { width: 200, height: 100, format: 'image/png', background: '#ffffff', timeoutMs: 60_000 }],
  [{ transparent: 'true' }, { background: undefined }],
  [
    { transparent: 'TRUE', format: 'image/jpeg' },
    { background: '#ffffff', format: 'image/jpeg' },
  ],
  [{ bgcolor: '0x00FF00' }, { background: '#00ff00' }],
  [{ bgcolor: '#00FF00' }, { background: '#00ff00' }],
  [{ format: 'image/png; mode=8bit' }, { format: 'image/png8' }],
  [{ format: 'image/png8' }, { format: 'image/png8' }],
  [{ format: 'image/jpg' }, { format: 'image/jpeg' }],
  [{ format: undefined }, { format: 'image/png' }],
  [{ dpi: '180' }, { dpi: 180 }],
  [{ map_resolution: '180' }, { dpi: 180 }],
  [{ dpi: '96', map_resolution: '96', format_options: 'dpi:270' }, { dpi: 270 }],
  [{ format_options: 'timeout:1000;antialias:off' }, { timeoutMs: 1000 }],
  [{ buffer: '12' }, { bufferPx: 12 }],
  [{ env: 'color:red;Size:3' }, { env: { color: 'red', size: '3' } }],
  [{ time: '2020-01-01', elevation: '5', tiled: 'true', tilesorigin: '0,0', angle: '0' }, { width: 200 }],
  [{ styles: undefined }, { width: 200 }],
  [{ version: undefined }, { box: [10, 50, 12, 51] }],
  [{ ...V130, version: undefined }, { box: [10, 50, 12, 51] }],
  [{ version: '1.0.0' }, { box: [10, 50, 12, 51] }],
  [{ version: '1.1.0' }, { box: [10, 50, 12, 51] }],
  [{ request: 'map', version: '1.0.0', wmtver: '1.0.0' }, { box: [10, 50, 12, 51] }],
];

for (const [changes, expected] of ASKED)
  test(`GetMap with ${JSON.stringify(changes)}`, async () => {
    const request = await asked(changes);
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(request[key as keyof MapRequest], value, key);
  });

test('the source is read in the CRS that the catalog forces on it', async () => {
  const [layer] = (await asked({})).layers;
  assert.equal(layer!.source.srs, 'epsg:4258');
  assert.equal(layer!.name, 'topp:lakes');
});

test('variables of the map are given to styles that read them only', async () => {
  node.change({
    'styles/red.sld': DIRECTORY['styles/red.sld']!.replace('#ff0000', "<!-- env('wms_width') -->#ff0000"),
  });
  assert.equal((await asked({ styles: 'red' })).env?.wms_width, '200');
  assert.equal((await asked({})).env, undefined);
});

// ---- media types

test('pictures come with the media type of the format, and the position they were drawn at', async () => {
  const cases = [
    ['image/png', 'image/png'],
    ['image/png8', 'image/png; mode=8bit'],
    ['image/jpeg', 'image/jpeg'],
  ] as const;
  for (const [format, type] of cases) {
    const response = await get(`/wms?${query({ format })}`);
    assert.equal(response.headers['content-type'], type);
    assert.equal(response.headers['x-graticule-position'], String(node.position));
  }
});

// ---- exceptions

/** Parameters, code, locator, status. */
const EXCEPTIONS: readonly [Readonly<Record<string, string | undefined>>, string, string | undefined, number?][] = [
  [{ request: undefined }, 'MissingParameterValue', 'request'],
  [{ request: 'Nonsense' }, 'OperationNotSupported', 'request'],
  [{ request: 'GetFeatureInfo' }, 'OperationNotSupported', 'request'],
  [{ request: 'GetLegendGraphic' }, 'OperationNotSupported', 'request'],
  [{ service: 'WFS' }, 'InvalidParameterValue', 'service'],
  [{ layers: 'nonesuch' }, 'LayerNotDefined', 'layers'],
  [{ layers: undefined }, 'MissingParameterValue', 'layers'],
  [{ styles: 'nonesuch' }, 'StyleNotDefined', 'styles'],
  [{ srs: 'EPSG:999999' }, 'InvalidSRS', 'srs'],
  [{ ...V130, crs: 'EPSG:999999' }, 'InvalidCRS', 'crs'],
  [{ srs: undefined }, 'MissingParameterValue', 'srs'],
  [{ ...V130, crs: undefined }, 'MissingParameterValue', 'crs'],
  [{ format: 'image/webp' }, 'InvalidFormat', 'format'],
  [{ bbox: undefined }, 'MissingParameterValue', 'bbox'],
  [{ bbox: '1,2,3' }, 'InvalidParameterValue', 'bbox'],
  [{ bbox: '1,2,3,x' }, 'InvalidParameterValue', 'bbox'],
  [{ bbox: '1,2,NaN,4' }, 'InvalidParameterValue', 'bbox'],
  [{ bbox: '12,50,10,51' }, 'InvalidParameterValue', 'bbox'],
  [{ bbox: '10,50,10,51' }, 'InvalidParameterValue', 'bbox'],
  [{ width: undefined }, 'MissingParameterValue', 'width'],
  [{ width: '0' }, 'InvalidParameterValue', 'width'],
  [{ height: '-5' }, 'InvalidParameterValue', 'height'],
  [{ width: '20000' }, 'InvalidParameterValue', 'width'],
  [{ height: '20000' }, 'InvalidParameterValue', 'height'],
  [{ width: '8000', height: '8000' }, 'InvalidParameterValue', 'width'],
  [{ transparent: 'maybe' }, 'InvalidParameterValue', 'transparent'],
  [{ bgcolor: 'red' }, 'InvalidParameterValue', 'bgcolor'],
  [{ sld: 'http://example.org/style.sld' }, 'InvalidParameterValue', 'sld'],
  [{ sld_body: '<a' }, 'InvalidParameterValue', 'sld_body'],
  [{ cql_filter: 'x = = y' }, 'InvalidParameterValue', 'cql_filter'],
];

for (const [changes, code, locator, status = 200] of EXCEPTIONS)
  test(`${JSON.stringify(changes)} is ${code}`, async () => {
    const response = await get(`/wms?${query(changes)}`);
    assert.equal(response.statusCode, status);
    assert.equal(response.headers['x-graticule-exception'], code);
    const isNew = changes.version === '1.3.0' || (changes.request === undefined && 'request' in changes);
    if (!isNew) assert.equal(response.headers['content-type'], 'application/vnd.ogc.se_xml;charset=UTF-8');
    else if (changes.version === '1.3.0') assert.equal(response.headers['content-type'], 'text/xml;charset=UTF-8');
    const { root } = parseXml(response.body.replace(/<!DOCTYPE[^>]*>/, ''));
    assert.equal(root.name, 'ServiceExceptionReport');
    const [report] = root.elements;
    assert.equal(report!.attribute('code'), code);
    assert.equal(report!.attribute('locator'), locator);
  });

test('paths that lead nowhere', async () => {
  for (const path of ['/nonesuch/wms', '/topp/nonesuch/wms', '/topp/nonesuch/ows']) {
    const response = await get(`${path}?${query()}`);
    assert.equal(response.statusCode, 404, path);
    assert.match(response.body, /ServiceExceptionReport/);
  }
});

test('each version has its own document', async () => {
  const old = (await get(`/wms?${query({ layers: 'a&b' })}`)).body;
  assert.match(old, /<!DOCTYPE ServiceExceptionReport SYSTEM/);
  assert.match(old, /<ServiceExceptionReport version="1.1.1">/);
  assert.match(old, /there is no layer a&amp;b here/);
  const current = (await get(`/wms?${query({ ...V130, layers: 'a<b' })}`)).body;
  assert.match(current, /<ServiceExceptionReport version="1.3.0" xmlns="http:\/\/www.opengis.net\/ogc"/);
  assert.match(current, /there is no layer a&lt;b here/);
});

test('exceptions as JSON and as pictures', async () => {
  const json = await get(`/wms?${query({ layers: 'x', exceptions: 'application/json' })}`);
  assert.equal(json.headers['content-type'], 'application/json');
  assert.deepEqual(json.json(), {
    version: '1.1.1',
    exceptions: [{ code: 'LayerNotDefined', locator: 'layers', text: 'there is no layer x here' }],
  });
  for (const name of ['application/vnd.ogc.se_inimage', 'INIMAGE', 'application/vnd.ogc.se_blank', 'BLANK']) {
    const response = await get(`/wms?${query({ layers: 'x', exceptions: name, transparent: 'true' })}`);
    assert.equal(response.headers['content-type'], 'image/png');
    const { width, height, layers, background } = renderer.asked.at(-1)!;
    assert.deepEqual(
      [width, height, layers.length, background],
      [200, 100, /blank/i.test(name) ? 0 : 1, undefined],
      name,
    );
  }
});

test('what went wrong inside is not told', async () => {
  renderer.failure = new Error('secret path /srv/x');
  const response = await get(`/wms?${query()}`);
  renderer.failure = undefined;
  assert.equal(response.headers['x-graticule-exception'], 'NoApplicableCode');
  assert.doesNotMatch(response.body, /secret/);
});

test('styles of requests can be turned off', async () => {
  const body = '<StyledLayerDescriptor/>';
  const response = await get(`/topp/wms?${query({ layers: 'lakes', sld_body: body })}`);
  assert.match(response.body, /turned off/);
});

test('styles behind URLs are fetched only where that is allowed', async () => {
  const fetched: string[] = [];
  const open = fastify();
  registerOgc(open, {
    ...deps,
    fetchStyle(url) {
      fetched.push(url);
      if (url.includes('broken')) return Promise.reject(new Error('connect ECONNREFUSED 10.0.0.1'));
      return Promise.resolve(Buffer.from(DIRECTORY['styles/red.sld']!.replace('<Name>x<', '<Name>topp:lakes<')));
    },
  });
  const url = 'http://example.org/style.sld';
  const drawn = await open.inject(`/wms?${query({ sld: url })}`);
  assert.equal(drawn.headers['content-type'], 'image/png', drawn.body);
  assert.deepEqual(fetched, [url]);
  assert.match(Buffer.from(renderer.asked.at(-1)!.layers[0]!.style.bytes).toString(), /ff0000/);
  const broken = await open.inject(`/wms?${query({ sld: 'http://broken.example.org' })}`);
  assert.equal(broken.headers['x-graticule-exception'], 'InvalidParameterValue');
  assert.doesNotMatch(broken.body, /10\.0\.0\.1/);
  await open.close();
});

// ---- capabilities

const CAPABILITIES = 'service=WMS&request=GetCapabilities';

/** Query, version of the answer, media type. */
const NEGOTIATED: readonly [string, string, string][] = [
  ['', '1.3.0', 'text/xml;charset=UTF-8'],
  ['&version=1.3.0', '1.3.0', 'text/xml;charset=UTF-8'],
  ['&version=1.1.1', '1.1.1', 'application/vnd.ogc.wms_xml;charset=UTF-8'],
  ['&version=1.1.0', '1.1.1', 'application/vnd.ogc.wms_xml;charset=UTF-8'],
  ['&version=1.0.0', '1.1.1', 'application/vnd.ogc.wms_xml;charset=UTF-8'],
  ['&version=1.2.9', '1.1.1', 'application/vnd.ogc.wms_xml;charset=UTF-8'],
  ['&version=9.0.0', '1.3.0', 'text/xml;charset=UTF-8'],
  ['&wmtver=1.1.1', '1.1.1', 'application/vnd.ogc.wms_xml;charset=UTF-8'],
];

for (const [more, version, type] of NEGOTIATED)
  test(`GetCapabilities${more} is answered in ${version}`, async () => {
    for (const path of ['/wms', '/ows', '/topp/wms', '/topp/ows', '/topp/lakes/wms']) {
      const response = await get(`${path}?${CAPABILITIES}${more}`);
      assert.equal(response.statusCode, 200);
      assert.equal(response.headers['content-type'], type);
      assert.match(response.body, new RegExp(`_Capabilities version="${version}"`));
    }
  });

test('capabilities come zipped to those who take that', async () => {
  const zipped = await get(`/wms?${CAPABILITIES}`, { headers: { 'accept-encoding': 'br, gzip' } });
  assert.equal(zipped.headers['content-encoding'], 'gzip');
  const plain = await get(`/wms?${CAPABILITIES}`, { headers: { 'accept-encoding': 'gzip;q=0' } });
  assert.equal(plain.headers['content-encoding'], undefined);
  assert.equal(gunzipSync(zipped.rawPayload).toString(), plain.body);
});

test('the update sequence is the position', async () => {
  const { position } = node;
  assert.match((await get(`/wms?${CAPABILITIES}`)).body, new RegExp(`updateSequence="${position}"`));
  const code = async (sequence: number | string) =>
    (await get(`/wms?${CAPABILITIES}&updatesequence=${sequence}`)).headers['x-graticule-exception'];
  assert.equal(await code(position), 'CurrentUpdateSequence');
  assert.equal(await code(position + 1), 'InvalidUpdateSequence');
  assert.equal(await code(position - 1), undefined);
  assert.equal(await code('yesterday'), undefined);
});

test('services by workspace only', async () => {
  const local = testNode({
    ...DIRECTORY,
    'global.xml': '<global><settings><id>s</id></settings><globalServices>false</globalServices></global>',
    'workspaces/cite/wms.xml':
      '<wms><id>w</id><workspace><id>ws-cite</id></workspace><enabled>false</enabled><name>WMS</name></wms>',
  });
  const closed = fastify();
  registerOgc(closed, { ...deps, node: local });
  assert.equal((await closed.inject(`/wms?${CAPABILITIES}`)).statusCode, 404);
  assert.equal((await closed.inject(`/topp/wms?${CAPABILITIES}`)).statusCode, 200);
  assert.match((await closed.inject(`/cite/wms?${CAPABILITIES}`)).body, /turned off/);
  await closed.close();
});

// ---- ways to ask

test('a form by POST, and an XML document', async () => {
  const form = await app.inject({
    method: 'POST',
    url: '/geoserver/wms?service=WMS',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: query({ service: undefined, width: '333' }),
  });
  assert.equal(form.headers['content-type'], 'image/png', form.body);
  assert.equal(renderer.asked.at(-1)!.width, 333);
  const document = `<?xml version="1.0"?>
    <ogc:GetMap xmlns:ogc="http://www.opengis.net/ows" xmlns:gml="http://www.opengis.net/gml" xmlns:sld="http://www.opengis.net/sld" version="1.1.1" service="WMS">
      <sld:StyledLayerDescriptor version="1.0.0"><sld:NamedLayer><sld:Name>topp:lakes</sld:Name><sld:NamedStyle><sld:Name>red</sld:Name></sld:NamedStyle></sld:NamedLayer></sld:StyledLayerDescriptor>
      <BoundingBox srsName="http://www.opengis.net/gml/srs/epsg.xml#4326"><gml:coord><gml:X>10</gml:X><gml:Y>50</gml:Y></gml:coord><gml:coord><gml:X>12</gml:X><gml:Y>51</gml:Y></gml:coord></BoundingBox>
      <Output><Format>image/png</Format><Transparent>true</Transparent><Size><Width>444</Width><Height>222</Height></Size></Output>
    </ogc:GetMap>`;
  const xml = await app.inject({
    method: 'POST',
    url: '/geoserver/wms',
    headers: { 'content-type': 'application/xml' },
    payload: document,
  });
  assert.equal(xml.headers['content-type'], 'image/png', xml.body);
  const { width, height, box, background, layers } = renderer.asked.at(-1)!;
  assert.deepEqual([width, height, box, background], [444, 222, [10, 50, 12, 51], undefined]);
  assert.match(Buffer.from(layers[0]!.style.bytes).toString(), /ff0000/);
  const broken = await app.inject({
    method: 'POST',
    url: '/geoserver/wms',
    headers: { 'content-type': 'text/xml' },
    payload: '<a',
  });
  assert.match(broken.body, /well-formed/);
});

test('a client may wait for a position', async () => {
  const wanted = node.position + 1;
  const path = `/wms?${CAPABILITIES}`;
  const early = await get(path, { headers: { 'x-graticule-min-position': String(wanted) } });
  assert.equal(early.statusCode, 503);
  assert.equal(early.headers['retry-after'], '1');
  assert.match(early.body, /ServiceExceptionReport/);
  const waiting = get(path, { headers: { 'x-graticule-min-position': String(wanted) } });
  node.change({ 'www/x.txt': 'x' });
  const late = await waiting;
  assert.equal(late.statusCode, 200);
  assert.equal(late.headers['x-graticule-position'], String(wanted));
  assert.equal((await get(path, { headers: { 'x-graticule-min-position': 'soon' } })).statusCode, 400);
});

// ---- an independent client

test('GDAL reads the capabilities', { skip: !existsSync('/usr/bin/gdalinfo') && 'needs gdalinfo' }, async () => {
  const server = fastify();
  let base = '';
  registerOgc(server, { ...deps, baseUrl: () => base });
  await server.listen({ port: 0, host: '127.0.0.1' });
  base = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
  try {
    for (const version of ['1.1.1', '1.3.0']) {
      const url = `WMS:${base}/wms?SERVICE=WMS&VERSION=${version}&REQUEST=GetCapabilities`;
      const { stdout } = await promisify(execFile)('gdalinfo', [url]);
      assert.match(stdout, /SUBDATASET_\d+_NAME=WMS:http.*LAYERS=topp%3Alakes/);
      assert.match(stdout, /BBOX=/i);
    }
  } finally {
    await server.close();
  }
});
