/** What clients do with data: upload it, publish it, style it, group it; by the steps that their libraries take. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { REAL_DATA } from '../../test/real-data.ts';
import { treePath } from '../tree/index.ts';
import { parseXml } from '../xml/index.ts';
import { openTestApi, type TestApi } from './test-api.ts';
import { writeZip } from './zip.ts';

let api: TestApi;
before(async () => {
  api = await openTestApi();
  await api.send('POST', '/workspaces', { json: { workspace: { name: 'demo' } } });
});
after(() => api.close());

const SLD = `<?xml version="1.0" encoding="UTF-8"?>
<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld">
  <NamedLayer><Name>dots</Name><UserStyle><Name>dots</Name><FeatureTypeStyle><Rule><PointSymbolizer><Graphic><Mark>
    <WellKnownName>circle</WellKnownName><Fill><CssParameter name="fill">#ff0000</CssParameter></Fill></Mark><Size>6</Size>
  </Graphic></PointSymbolizer></Rule></FeatureTypeStyle></UserStyle></NamedLayer>
</StyledLayerDescriptor>
`;

const points = JSON.stringify({
  type: 'FeatureCollection',
  features: [
    { type: 'Feature', id: 'a', properties: { name: 'A', size: 1 }, geometry: { type: 'Point', coordinates: [8, 47] } },
    { type: 'Feature', id: 'b', properties: { name: 'B', size: 2 }, geometry: { type: 'Point', coordinates: [9, 48] } },
  ],
});

describe('uploads', () => {
  test('a GeoJSON file becomes store, feature type and layer in one change', async () => {
    const { position } = api.node;
    const answer = await api.send('PUT', '/workspaces/demo/datastores/places/file.geojson', {
      type: 'application/geo+json',
      body: points,
    });
    assert.deepEqual([answer.statusCode, answer.body], [201, '']);
    assert.equal(api.node.position, position + 1);
    const { featureTypes } = await api.json('/workspaces/demo/datastores/places/featuretypes.json');
    assert.deepEqual(featureTypes, {
      featureType: [
        { name: 'places', href: 'http://h/geoserver/rest/workspaces/demo/datastores/places/featuretypes/places.json' },
      ],
    });
    const { featureType } = await api.json('/workspaces/demo/datastores/places/featuretypes/places.json');
    assert.equal(featureType.srs, 'EPSG:4326');
    assert.deepEqual(featureType.nativeBoundingBox, { minx: 8, maxx: 9, miny: 47, maxy: 48, crs: 'EPSG:4326' });
    assert.deepEqual(featureType.store, {
      '@class': 'dataStore',
      name: 'demo:places',
      href: 'http://h/geoserver/rest/workspaces/demo/datastores/places.json',
    });
    assert.deepEqual(featureType.namespace, { name: 'demo', href: 'http://h/geoserver/rest/namespaces/demo.json' });
    assert.deepEqual(featureType.keywords, { string: ['features', 'places'] });
    assert.ok(
      featureType.attributes.attribute.some(
        (a: { binding: string }) => a.binding === 'org.locationtech.jts.geom.Point',
      ),
    );
    const { layer } = await api.json('/layers/demo:places.json');
    assert.equal(layer.type, 'VECTOR');
    assert.deepEqual(layer.defaultStyle, { name: 'point', href: 'http://h/geoserver/rest/styles/point.json' });
    assert.deepEqual(layer.resource, {
      '@class': 'featureType',
      name: 'demo:places',
      href: 'http://h/geoserver/rest/workspaces/demo/datastores/places/featuretypes/places.json',
    });
    assert.ok(api.node.catalog.exists(treePath('data/demo/places/places.geojson')));
  });

  test('the five default styles are there with it', async () => {
    const { styles } = await api.json('/styles.json');
    const names = styles.style.map((style: { name: string }) => style.name);
    assert.deepEqual(names, ['generic', 'line', 'point', 'polygon', 'raster']);
  });

  test('again with other data moves the boxes of what is published, and a clash of names gets a number', async () => {
    const moved = points.replace('[9,48]', '[10,50]');
    assert.equal(
      (
        await api.send('PUT', '/workspaces/demo/datastores/places/file.geojson', {
          type: 'application/geo+json',
          body: moved,
        })
      ).statusCode,
      201,
    );
    const { featureType } = await api.json('/workspaces/demo/featuretypes/places.json');
    assert.equal(featureType.nativeBoundingBox.maxx, 10);
    assert.equal(featureType.latLonBoundingBox.maxy, 50);
    await api.send('PUT', '/workspaces/demo/datastores/places2/file.geojson?filename=places.geojson', {
      type: 'application/geo+json',
      body: points,
    });
    assert.equal(
      (await api.json('/workspaces/demo/datastores/places2/featuretypes.json')).featureTypes.featureType[0].name,
      'places1',
    );
  });

  test('configure=none publishes nothing; what is available is told, and published by its name', async () => {
    await api.send('PUT', '/workspaces/demo/datastores/later/file.geojson?configure=none', {
      type: 'application/geo+json',
      body: points,
    });
    const path = '/workspaces/demo/datastores/later/featuretypes';
    assert.deepEqual(await api.json(`${path}.json`), { featureTypes: '' });
    assert.deepEqual(await api.json(`${path}.json?list=available`), { list: { string: ['later'] } });
    assert.deepEqual(await api.json(`${path}.json?list=available_with_geom`), { list: { string: ['later'] } });
    assert.match(
      (await api.send('GET', `${path}.xml?list=all`)).body,
      /<list>\s*<featureTypeName>later<\/featureTypeName>/,
    );
    const made = await api.send('POST', path, { xml: '<featureType><name>later</name></featureType>' });
    assert.deepEqual([made.statusCode, made.body], [201, '']);
    assert.equal(made.headers.location, `http://h/geoserver/rest${path}/later`);
    assert.deepEqual(await api.json(`${path}.json?list=available`), { list: { string: [] } });
    const again = await api.send('POST', path, { json: { featureType: { name: 'later' } } });
    assert.equal(again.statusCode, 500);
    const missing = await api.send('POST', path, { json: { featureType: { name: 'nothing' } } });
    assert.equal(missing.statusCode, 400);
    assert.match(missing.body, /no attributes were specified/);
  });

  test('the files come back as an archive', async () => {
    const { statusCode, headers, rawPayload } = await api.send(
      'GET',
      '/workspaces/demo/datastores/places/file.geojson',
    );
    assert.equal(statusCode, 200);
    assert.equal(headers['content-type'], 'application/zip');
    assert.equal(rawPayload.subarray(0, 2).toString(), 'PK');
    assert.ok(rawPayload.includes('places.geojson'));
  });

  test('an archive with a way out, or too much in it, changes nothing', async () => {
    const digest = api.node.digest;
    const put = (body: Buffer) =>
      api.send('PUT', '/workspaces/demo/datastores/evil/file.shp', { type: 'application/zip', body });
    const way = await put(writeZip([{ path: '../../evil.shp', bytes: Buffer.from('x') }]));
    assert.equal(way.statusCode, 400, way.body);
    const bomb = await put(writeZip([{ path: 'a.shp', bytes: Buffer.alloc(64 * 1024 * 1024) }]));
    assert.equal(bomb.statusCode, 413, bomb.body);
    const other = await put(writeZip([{ path: 'readme.txt', bytes: Buffer.from('x') }]));
    assert.deepEqual([other.statusCode, other.body], [400, 'Could not find appropriate shp file in archive']);
    assert.equal(api.node.digest, digest);
  });
});

describe('feature types', () => {
  const path = '/workspaces/demo/datastores/places/featuretypes/places';

  test('a PUT lays over what is there', async () => {
    await api.send('PUT', path, {
      xml: '<featureType><title>Places</title><keywords><string>a</string></keywords></featureType>',
    });
    const { featureType } = await api.json(`${path}.json`);
    assert.equal(featureType.title, 'Places');
    assert.deepEqual(featureType.keywords, { string: 'a' });
    assert.equal(featureType.srs, 'EPSG:4326');
  });

  test('boxes are computed again when they are asked for, or when the CRS changes', async () => {
    const box = { minx: 0, maxx: 1, miny: 0, maxy: 1, crs: 'EPSG:4326' };
    await api.send('PUT', path, { json: { featureType: { nativeBoundingBox: box, latLonBoundingBox: box } } });
    assert.equal((await api.json(`${path}.json`)).featureType.nativeBoundingBox.maxx, 1);
    await api.send('PUT', `${path}?recalculate=nativebbox,latlonbbox`, { json: { featureType: { enabled: true } } });
    const { featureType } = await api.json(`${path}.json`);
    assert.equal(featureType.nativeBoundingBox.maxx, 10);
    assert.equal(featureType.latLonBoundingBox.maxx, 10);
    await api.send('PUT', path, { json: { featureType: { srs: 'EPSG:3857' } } });
    const declared = (await api.json(`${path}.json`)).featureType;
    assert.equal(declared.nativeBoundingBox.crs.$, 'EPSG:3857');
    assert.ok(declared.latLonBoundingBox.maxx < 0.001);
    await api.send('PUT', path, { json: { featureType: { srs: 'EPSG:4326' } } });
    assert.equal((await api.json(`${path}.json`)).featureType.latLonBoundingBox.maxx, 10);
  });

  test('it is HTML when nothing else is asked for', async () => {
    assert.match(String((await api.send('GET', path)).headers['content-type']), /^text\/html/);
  });

  test('the workspace alone finds it too; another workspace or store in the body is refused', async () => {
    assert.equal((await api.json('/workspaces/demo/featuretypes/places.json')).featureType.name, 'places');
    const answer = await api.send('PUT', path, { json: { featureType: { store: { name: 'demo:other' } } } });
    assert.equal(answer.statusCode, 403);
  });

  test('a layer keeps it from being removed, unless both are', async () => {
    const refused = await api.send('DELETE', '/workspaces/demo/datastores/places2/featuretypes/places1');
    assert.deepEqual([refused.statusCode, refused.body], [403, 'feature type referenced by layer(s)']);
    assert.equal(
      (await api.send('DELETE', '/workspaces/demo/datastores/places2/featuretypes/places1?recurse=true')).statusCode,
      200,
    );
    assert.equal((await api.send('GET', '/layers/demo:places1.json')).statusCode, 404);
  });
});

describe('styles', () => {
  test('the entry first, then the body, as clients do it', async () => {
    const made = await api.send('POST', '/styles', {
      xml: '<style><name>dots</name><filename>dots.sld</filename></style>',
      headers: { accept: 'text/plain' },
    });
    assert.deepEqual([made.statusCode, made.body], [201, 'dots']);
    const put = await api.send('PUT', '/styles/dots', { type: 'application/vnd.ogc.sld+xml', body: SLD });
    assert.deepEqual([put.statusCode, put.body], [200, '']);
    const body = await api.send('GET', '/styles/dots.sld');
    assert.equal(body.headers['content-type'], 'application/vnd.ogc.sld+xml');
    assert.equal(body.body, SLD);
    const { style } = await api.json('/styles/dots.json');
    assert.equal(style.name, 'dots');
    assert.equal(style.format, 'sld');
    assert.deepEqual(style.languageVersion, { version: '1.0.0' });
    assert.equal(style.filename, 'dots.sld');
  });

  test('a body makes a style, named by parameter or by itself', async () => {
    const named = await api.send('POST', '/workspaces/demo/styles?name=mine', {
      type: 'application/vnd.ogc.sld+xml; charset=utf-8',
      body: SLD,
    });
    assert.deepEqual([named.statusCode, named.body], [201, 'mine']);
    assert.equal((await api.json('/workspaces/demo/styles/mine.json')).style.workspace.name, 'demo');
    assert.equal((await api.send('GET', '/styles/mine.json')).statusCode, 404);
    const itself = await api.send('POST', '/workspaces/demo/styles', {
      type: 'application/vnd.ogc.sld+xml',
      body: SLD,
    });
    assert.equal(itself.body, 'dots');
    const again = await api.send('POST', '/workspaces/demo/styles', { type: 'application/vnd.ogc.sld+xml', body: SLD });
    assert.equal(again.statusCode, 403);
  });

  test('what cannot be a style is refused, unless it is to be stored raw', async () => {
    const digest = api.node.digest;
    const sld = { type: 'application/vnd.ogc.sld+xml', body: '<StyledLayerDescriptor version="1.0.0"><Named' };
    const refused = await api.send('PUT', '/styles/dots', sld);
    assert.equal(refused.statusCode, 400);
    assert.match(refused.body, /^Invalid style:.*line 1/);
    assert.equal(api.node.digest, digest);
    assert.equal((await api.send('PUT', '/styles/dots?raw=true', sld)).statusCode, 200);
    assert.equal((await api.send('GET', '/styles/dots.sld')).body, sld.body);
    assert.equal((await api.send('PUT', '/styles/dots.sld', { ...sld, body: SLD })).statusCode, 200);
  });

  test('an archive brings the icons along', async () => {
    const icon = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>');
    const zip = writeZip([
      { path: 'cafe.sld', bytes: Buffer.from(SLD) },
      { path: 'icons/cafe.svg', bytes: icon },
      { path: 'readme.txt', bytes: Buffer.from('x') },
    ]);
    const made = await api.send('POST', '/styles?name=cafe', { type: 'application/zip', body: zip });
    assert.deepEqual([made.statusCode, made.body], [201, 'cafe']);
    assert.deepEqual((await api.send('GET', '/resource/styles/icons/cafe.svg')).rawPayload, icon);
    assert.equal((await api.send('GET', '/resource/styles/readme.txt')).statusCode, 404);
    const empty = await api.send('POST', '/styles?name=none', {
      type: 'application/zip',
      body: writeZip([{ path: 'a.png', bytes: icon }]),
    });
    assert.equal(empty.statusCode, 403);
  });

  test('it is assigned to a layer, and then cannot be removed without taking it off', async () => {
    const put = await api.send('PUT', '/layers/demo:places', {
      xml: '<layer><defaultStyle><name>dots</name></defaultStyle><styles><style><name>point</name></style><style><name>demo:mine</name></style></styles></layer>',
    });
    assert.equal(put.statusCode, 200, put.body);
    const { layer } = await api.json('/layers/demo:places.json');
    assert.equal(layer.defaultStyle.name, 'dots');
    assert.deepEqual(layer.styles.style.map((style: { name: string }) => style.name).sort(), ['demo:mine', 'point']);
    assert.equal(layer.resource.name, 'demo:places');
    assert.deepEqual((await api.json('/layers/demo:places/styles.json')).styles.style.length, 2);
    const added = await api.send('POST', '/layers/places/styles?default=true', { json: { style: { name: 'cafe' } } });
    assert.equal(added.statusCode, 201, added.body);
    assert.equal((await api.json('/workspaces/demo/layers/places.json')).layer.defaultStyle.name, 'cafe');
    const refused = await api.send('DELETE', '/styles/cafe?purge=true');
    assert.equal(refused.statusCode, 403);
    const digest = api.node.digest;
    assert.equal((await api.send('DELETE', '/styles/cafe?purge=all')).statusCode, 400);
    assert.equal(api.node.digest, digest);
    assert.equal((await api.send('DELETE', '/styles/cafe?purge=true&recurse=true')).statusCode, 200);
    assert.equal((await api.json('/layers/demo:places.json')).layer.defaultStyle.name, 'generic');
    assert.equal((await api.send('GET', '/resource/styles/cafe.sld')).statusCode, 404);
  });

  test('one layer in the list, with its workspace there and without it in its own', async () => {
    const { layers } = await api.json('/layers');
    assert.ok(
      layers.layer.some(
        (layer: { name: string; href: string }) =>
          layer.name === 'demo:places' && layer.href.endsWith('/layers/demo%3Aplaces.json'),
      ),
    );
    const own = await api.json('/workspaces/demo/layers');
    assert.ok(own.layers.layer.some((layer: { name: string }) => layer.name === 'places'));
  });
});

describe('layer groups', () => {
  test('a group of layers, with bounds computed and null for default styles', async () => {
    const made = await api.send('POST', '/workspaces/demo/layergroups', {
      json: {
        layerGroup: {
          name: 'all',
          publishables: {
            published: [
              { '@type': 'layer', name: 'demo:places' },
              { '@type': 'layer', name: 'demo:later' },
            ],
          },
          styles: { style: ['null', { name: 'dots' }] },
        },
      },
    });
    assert.deepEqual([made.statusCode, made.body], [201, 'all']);
    assert.equal(made.headers.location, 'http://h/geoserver/rest/layergroups/all');
    const { layerGroup } = await api.json('/workspaces/demo/layergroups/all.json');
    assert.equal(layerGroup.mode, 'SINGLE');
    assert.deepEqual(layerGroup.workspace, { name: 'demo' });
    assert.deepEqual(layerGroup.publishables.published[0], {
      '@type': 'layer',
      name: 'demo:places',
      href: 'http://h/geoserver/rest/workspaces/demo/layers/places.json',
    });
    assert.deepEqual(layerGroup.styles.style[0], 'null');
    assert.equal(layerGroup.styles.style[1].name, 'dots');
    assert.deepEqual(layerGroup.bounds, { minx: 8, maxx: 10, miny: 47, maxy: 50, crs: 'EPSG:4326' });
    assert.match((await api.send('GET', '/workspaces/demo/layergroups/all.xml')).body, /<styles>\s*<style\/>/);
  });

  test('its old form, of layers by name', async () => {
    const made = await api.send('POST', '/layergroups', {
      xml: '<layerGroup><name>old</name><layers><layer>demo:places</layer></layers></layerGroup>',
    });
    assert.deepEqual([made.statusCode, made.body], [201, 'old']);
    const { layerGroups } = await api.json('/layergroups');
    assert.deepEqual(layerGroups.layerGroup, [{ name: 'old', href: 'http://h/geoserver/rest/layergroups/old.json' }]);
    assert.equal((await api.json('/layergroups/old.json')).layerGroup.publishables.published.name, 'demo:places');
  });

  test('names stay, the rest can be changed; what was read can be written', async () => {
    assert.equal(
      (await api.send('PUT', '/layergroups/old', { json: { layerGroup: { name: 'new' } } })).statusCode,
      403,
    );
    assert.equal(
      (await api.send('PUT', '/layergroups/old', { json: { layerGroup: { title: 'Old' } } })).statusCode,
      200,
    );
    const read = (await api.send('GET', '/workspaces/demo/layergroups/all.json')).body;
    const written = await api.send('PUT', '/workspaces/demo/layergroups/all', { type: 'application/json', body: read });
    assert.equal(written.statusCode, 200, written.body);
    const { layerGroup } = await api.json('/workspaces/demo/layergroups/all.json');
    assert.deepEqual(layerGroup.styles.style[0], 'null');
    assert.deepEqual(layerGroup.publishables.published.length, 2);
  });

  test('a layer leaves its groups when it goes with all that hangs on it', async () => {
    assert.notEqual((await api.send('DELETE', '/layers/demo:later')).statusCode, 200);
    assert.equal((await api.send('DELETE', '/layers/demo:later?recurse=true')).statusCode, 200);
    const { layerGroup } = await api.json('/workspaces/demo/layergroups/all.json');
    assert.equal(layerGroup.publishables.published.name, 'demo:places');
    assert.equal((await api.send('DELETE', '/layergroups/old')).statusCode, 200);
    assert.equal((await api.send('GET', '/layergroups/old')).statusCode, 404);
  });
});

const RASTER = `${REAL_DATA}/geoserver-release-2.27/data/sf/sfdem.tif`;
const SHAPES = `${REAL_DATA}/geoserver-rest-testdata/rest/pds.zip`;
const GPKG = `${REAL_DATA}/geoserver-rest-testdata/gpkg/stations.gpkg`;
const missing = (file: string) => (existsSync(file) ? false : `${file} is not there`);

describe('real data', () => {
  test('a shapefile in an archive', { skip: missing(SHAPES) }, async () => {
    const answer = await api.send(
      'PUT',
      '/workspaces/demo/datastores/pds/file.shp?filename=pds.zip&update=overwrite&charset=UTF-8&target=shp',
      {
        type: 'application/zip',
        body: readFileSync(SHAPES),
      },
    );
    assert.deepEqual([answer.statusCode, answer.body], [201, '']);
    const { featureType } = await api.json('/workspaces/demo/datastores/pds/featuretypes/pds.json');
    assert.equal(featureType.nativeName, 'pds');
    const { layer } = await api.json('/layers/demo:pds.json');
    assert.ok(['point', 'line', 'polygon'].includes(layer.defaultStyle.name));
    const { dataStore } = await api.json('/workspaces/demo/datastores/pds.json');
    const url = dataStore.connectionParameters.entry.find((entry: Record<string, string>) => entry['@key'] === 'url');
    assert.equal(url.$, 'file:data/demo/pds');
  });

  test('a GeoPackage, all of it', { skip: missing(GPKG) }, async () => {
    const answer = await api.send('PUT', '/workspaces/demo/datastores/stations/file.gpkg?configure=all', {
      type: 'application/geopackage+sqlite3',
      body: readFileSync(GPKG),
    });
    assert.deepEqual([answer.statusCode, answer.body], [201, '']);
    const { featureTypes } = await api.json('/workspaces/demo/datastores/stations/featuretypes.json');
    assert.ok(featureTypes.featureType.length >= 1);
  });

  test('a GeoTIFF', { skip: missing(RASTER) }, async () => {
    const answer = await api.send('PUT', '/workspaces/demo/coveragestores/dem/file.geotiff?coverageName=dem', {
      type: 'image/tiff',
      body: readFileSync(RASTER),
      headers: { accept: 'application/json' },
    });
    assert.equal(answer.statusCode, 201, answer.body);
    const { coverageStore } = JSON.parse(answer.body);
    assert.equal(coverageStore.url, 'file:data/demo/dem/dem.geotiff');
    assert.equal(coverageStore.type, 'GeoTIFF');
    const { coverage } = await api.json('/workspaces/demo/coveragestores/dem/coverages/dem.json');
    assert.equal(coverage.srs, 'EPSG:26713');
    assert.equal(coverage.grid['@dimension'], '2');
    assert.equal(coverage.grid.range.low, '0 0');
    assert.equal(coverage.nativeFormat, 'GeoTIFF');
    assert.equal((await api.json('/layers/demo:dem.json')).layer.defaultStyle.name, 'raster');
    const xml = await api.send('GET', '/workspaces/demo/coveragestores/dem/coverages/dem');
    assert.equal(parseXml(xml.body).root.name, 'coverage');
  });
});
