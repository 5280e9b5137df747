import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import fastify, { type FastifyInstance } from 'fastify';
import { PNG } from 'pngjs';
import { REAL_DATA } from '../../../test/real-data.ts';
import { temporaryFolder } from '../../../test/temporary-folder.ts';
import { silentLogger } from '../../base/index.ts';
import { findCrs, transformBox, transformer } from '../../crs/index.ts';
import { type DataAccess, openDataAccess } from '../../data/index.ts';
import { createRenderer, type Renderer } from '../../render/index.ts';
import { registerOgc } from '../index.ts';
import { filesOf, testNode } from '../testing.ts';

const DATA_DIR = `${REAL_DATA}/geoserver-release-2.27`;
/** Where to leave the pictures for people to look at. */
const KEEP = process.env.GRATICULE_TEST_PICTURES;

const STATES = [-125, 24, -66, 50] as const;
const WIDTH = 590;
const HEIGHT = 260;

/** Places on the map (longitude, latitude), and whether a state is there. */
const PLACES: readonly [string, number, number, boolean][] = [
  ['Texas', -99, 31.5, true],
  ['Montana', -109, 47, true],
  ['Maine', -69, 45.3, true],
  ['Gulf of Mexico', -90, 26, false],
  ['Pacific', -123, 32, false],
  ['Atlantic', -70, 35, false],
  ['Canada', -100, 49.7, false],
];

describe('maps of a real data directory', { skip: !existsSync(DATA_DIR) && `${DATA_DIR} is not there` }, () => {
  let app: FastifyInstance;
  let data: DataAccess;
  let renderer: Renderer;
  const cacheDir = temporaryFolder('wms');

  before(() => {
    const logger = silentLogger;
    data = openDataAccess({ dataDir: DATA_DIR, cacheDir, logger });
    renderer = createRenderer({ children: 1, cacheDir, logger });
    app = fastify();
    registerOgc(app, {
      node: testNode(filesOf(DATA_DIR)),
      data,
      renderer,
      logger,
      baseUrl: () => 'http://localhost/geoserver',
    });
  });

  after(async () => {
    await app.close();
    await renderer.close();
    await data.close();
  });

  async function map(parameters: Readonly<Record<string, string | number>>): Promise<PNG> {
    const query = new URLSearchParams({ service: 'WMS', request: 'GetMap', format: 'image/png', styles: '' });
    for (const [name, value] of Object.entries(parameters)) query.set(name, String(value));
    const response = await app.inject(`/wms?${query}`);
    assert.equal(response.headers['x-graticule-exception'], undefined, response.body);
    assert.equal(response.headers['content-type'], 'image/png');
    const name = `${parameters.layers}-${parameters.srs ?? parameters.crs}-${parameters.version}`.replaceAll(
      /[^\w.-]/g,
      '_',
    );
    if (KEEP !== undefined) writeFileSync(path.join(KEEP, `${name}.png`), response.rawPayload);
    return PNG.sync.read(response.rawPayload);
  }

  const states = (parameters: Readonly<Record<string, string | number>>) =>
    map({ layers: 'topp:states', width: WIDTH, height: HEIGHT, ...parameters });

  /** Whether something is drawn at a place. */
  function isDrawn(
    picture: PNG,
    crsName: string,
    box: readonly number[],
    [, lon, lat]: (typeof PLACES)[number],
  ): boolean {
    const [x, y] = transformer(findCrs('CRS:84')!, findCrs(crsName)!)(lon, lat);
    const column = Math.floor(((x - box[0]!) / (box[2]! - box[0]!)) * picture.width);
    const row = Math.floor(((box[3]! - y) / (box[3]! - box[1]!)) * picture.height);
    const at = (row * picture.width + column) * 4;
    return picture.data.subarray(at, at + 3).some((channel) => channel !== 255);
  }

  test('every way to write the same longitudes and latitudes gives the same picture', async () => {
    const [w, s, e, n] = STATES;
    const pictures = await Promise.all([
      states({ version: '1.1.1', srs: 'EPSG:4326', bbox: `${w},${s},${e},${n}` }),
      states({ version: '1.3.0', crs: 'CRS:84', bbox: `${w},${s},${e},${n}` }),
      states({ version: '1.3.0', crs: 'EPSG:4326', bbox: `${s},${w},${n},${e}` }),
      states({ version: '1.3.0', crs: 'urn:ogc:def:crs:EPSG::4326', bbox: `${s},${w},${n},${e}` }),
    ]);
    for (const place of PLACES) assert.equal(isDrawn(pictures[0], 'CRS:84', STATES, place), place[3], place[0]);
    for (const picture of pictures.slice(1)) assert.ok(picture.data.equals(pictures[0].data));
  });

  // Geographic with latitude first, conic, and transverse far beyond its zone.
  for (const name of ['EPSG:3857', 'EPSG:4269', 'EPSG:5070', 'EPSG:32615'])
    test(`states in ${name}, in both versions`, async () => {
      const crs = findCrs(name)!;
      const [w, s, e, n] = transformBox(STATES, findCrs('CRS:84')!, crs)!;
      const swapped = crs.northFirst ? `${s},${w},${n},${e}` : `${w},${s},${e},${n}`;
      const height = Math.round((WIDTH * (n - s)) / (e - w));
      const old = await states({ version: '1.1.1', srs: name, bbox: `${w},${s},${e},${n}`, height });
      const current = await states({ version: '1.3.0', crs: name, bbox: swapped, height });
      assert.ok(old.data.equals(current.data));
      for (const place of PLACES) assert.equal(isDrawn(old, name, [w, s, e, n], place), place[3], place[0]);
    });

  test('a filter leaves out what it does not let through', async () => {
    const [w, s, e, n] = STATES;
    const picture = await states({
      version: '1.1.1',
      srs: 'EPSG:4326',
      bbox: `${w},${s},${e},${n}`,
      cql_filter: "STATE_NAME = 'Texas'",
    });
    for (const place of PLACES) assert.equal(isDrawn(picture, 'CRS:84', STATES, place), place[0] === 'Texas', place[0]);
  });

  test('a style of the request is drawn', async () => {
    const [w, s, e, n] = STATES;
    const sld = `<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld"><NamedLayer><Name>topp:states</Name><UserStyle><FeatureTypeStyle><Rule><PolygonSymbolizer><Fill><CssParameter name="fill">#ff00ff</CssParameter></Fill></PolygonSymbolizer></Rule></FeatureTypeStyle></UserStyle></NamedLayer></StyledLayerDescriptor>`;
    const picture = await states({ version: '1.1.1', srs: 'EPSG:4326', bbox: `${w},${s},${e},${n}`, sld_body: sld });
    const column = Math.floor(((-99 - w) / (e - w)) * WIDTH);
    const row = Math.floor(((n - 31.5) / (n - s)) * HEIGHT);
    assert.deepEqual([...picture.data.subarray((row * WIDTH + column) * 4).subarray(0, 3)], [255, 0, 255]);
  });

  /** Group or layer, CRS, box. */
  const OTHERS: readonly [string, string, string][] = [
    ['tiger-ny', 'EPSG:4326', '-74.047185,40.679648,-73.907005,40.882078'],
    ['spearfish', 'EPSG:26713', '589425,4913959,609518,4928082'],
    ['tasmania', 'EPSG:4326', '143.83,-43.65,148.48,-39.57'],
    ['nurc:Arc_Sample', 'EPSG:4326', '-180,-90,180,90'],
    ['nurc:Img_Sample', 'EPSG:4326', '-130.85,20.7,-62,54.1'],
    ['sf:sfdem', 'EPSG:26713', '589980,4913700,609000,4928010'],
  ];
  for (const [layers, srs, bbox] of OTHERS)
    test(`${layers} shows something`, async () => {
      const picture = await map({ layers, srs, bbox, version: '1.1.1', width: 400, height: 400 });
      const colors = new Set<number>();
      for (let i = 0; i < picture.data.length; i += 4) colors.add(picture.data.readUInt32BE(i));
      assert.ok(colors.size > 3, `${colors.size} colors`);
    });

  test('a layer without its data is listed, and its map tells so without telling where it was looked for', async () => {
    const { body } = await app.inject('/wms?service=WMS&request=GetCapabilities');
    assert.match(body, /<Name>ne:countries</);
    const map = 'request=GetMap&version=1.1.1&layers=ne:countries&srs=EPSG:4326&bbox=0,0,1,1&width=9&height=9';
    const response = await app.inject(`/wms?${map}`);
    assert.match(response.body, /layer ne:countries cannot be drawn: its data is not there/);
    assert.doesNotMatch(response.body, /gpkg/);
  });

  test('an exception can be read in the picture', async () => {
    const query = `request=GetMap&version=1.1.1&layers=nonesuch&srs=EPSG:4326&bbox=0,0,1,1&width=300&height=120&format=image/png&exceptions=INIMAGE`;
    const response = await app.inject(`/wms?${query}`);
    assert.equal(response.headers['content-type'], 'image/png');
    if (KEEP !== undefined) writeFileSync(path.join(KEEP, 'exception.png'), response.rawPayload);
    const picture = PNG.sync.read(response.rawPayload);
    assert.deepEqual([picture.width, picture.height], [300, 120]);
    assert.ok(
      picture.data.some((channel) => channel < 200),
      'there is ink',
    );
  });
});
