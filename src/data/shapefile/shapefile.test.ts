import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gdal, gdalMissing } from '../../../test/gdal.ts';
import { REAL_DATA } from '../../../test/real-data.ts';
import { collect, type TestAccess, testAccess } from '../testing/sources.ts';
import { encodingOf } from './encoding.ts';
import { assembleRings } from './rings.ts';

const release = path.join(REAL_DATA, 'geoserver-release-2.27');
const noRelease = existsSync(release) ? undefined : `no data directory of a GeoServer release in ${release}`;

describe('shapefiles of a GeoServer release', { skip: noRelease ?? gdalMissing }, () => {
  let data: TestAccess;
  before(() => {
    data = testAccess(release);
  });
  after(() => data.close());

  for (const folder of ['shapefiles', 'nyc', 'sf', 'taz_shapes'])
    test(`data/${folder}: as GDAL reads them`, async () => {
      const store = await data.vector({ url: `file:data/${folder}` });
      for (const name of await store.names()) {
        const source = await store.source(name);
        const file = path.join(release, 'data', folder, `${name}.shp`);
        const info = gdal('ogrinfo', '-so', '-al', file);
        const features = await collect(source);
        assert.equal(features.length, Number(/Feature Count: (\d+)/.exec(info)![1]), name);
        assert.equal(await source.count(), features.length);
        const extent = /Extent: \(([^,]+), ([^)]+)\) - \(([^,]+), ([^)]+)\)/.exec(info)!.slice(1).map(Number);
        (await source.bounds())!.forEach((value, i) => {
          assert.ok(Math.abs(value - extent[i]!) < 1e-5, `${name}: ${value}`);
        });
        const written = JSON.parse(
          gdal(
            'ogr2ogr',
            '-f',
            'GeoJSON',
            '/vsistdout/',
            '-lco',
            'COORDINATE_PRECISION=15',
            '-lco',
            'RFC7946=NO',
            file,
          ),
        ) as GeoJSON.FeatureCollection;
        if (name === 'giant_polygon') continue; // GDAL passes over features of a table without columns
        for (const [i, { properties, geometry }] of features.entries()) {
          const other = written.features[i]!;
          const [own, theirs] = [properties, other.properties!].map((values) =>
            Object.values(values).map((value) =>
              value instanceof Date ? value.toISOString().slice(0, 10) : value === '' ? null : value,
            ),
          );
          assert.deepEqual(own, theirs, `${name} ${i}`);
          const points = (g: GeoJSON.Geometry | null) => JSON.stringify(g).match(/\[-?\d[^[\]]*\]/g)?.length;
          assert.equal(points(geometry), points(other.geometry), `${name} ${i}`);
        }
      }
    });

  test('states: ids, geometry name and CRS are those of GeoServer', async () => {
    const source = await (await data.vector({ url: 'file:data/shapefiles/states.shp' })).source('states');
    const [illinois] = await collect(source, { limit: 1 });
    assert.equal(illinois!.id, 'states.1');
    assert.equal(illinois!.properties.STATE_NAME, 'Illinois');
    assert.equal(source.schema.crs, 'EPSG:4326');
    assert.deepEqual(source.schema.attributes[0], {
      name: 'the_geom',
      type: 'geometry',
      geometryType: 'MultiPolygon',
      nillable: true,
    });
  });

  test('an index for Mapnik is made in the cache, and nothing in the data directory', async () => {
    const folder = path.join(release, 'data', 'nyc');
    const names = readdirSync(folder);
    const source = await (await data.vector({ url: 'file:data/nyc' })).source('tiger_roads');
    const { parameters } = await source.mapnik();
    assert.equal(parameters.type, 'shape');
    assert.ok(parameters.file!.startsWith(data.folder), parameters.file);
    assert.ok(existsSync(parameters.file!.replace(/shp$/, 'index')));
    assert.deepEqual(readdirSync(folder), names);
  });
});

describe('shapefiles that are not as they should be', { skip: gdalMissing }, () => {
  let data: TestAccess;
  let file: string;
  before(() => {
    data = testAccess();
    file = path.join(data.folder, 'a.shp');
    const features = Array.from({ length: 5 }, (_, i) => ({
      type: 'Feature',
      properties: { n: i, day: `2024-02-0${i + 1}`, yes: i % 2 === 0 },
      geometry: { type: 'Point', coordinates: [i, i] },
    }));
    const geojson = path.join(data.folder, 'a.geojson');
    writeFileSync(geojson, JSON.stringify({ type: 'FeatureCollection', features }));
    gdal('ogr2ogr', file, geojson);
  });
  after(() => data.close());

  const copy = (name: string) => {
    for (const extension of ['shp', 'shx', 'dbf', 'prj'])
      copyFileSync(file.replace(/shp$/, extension), path.join(data.folder, `${name}.${extension}`));
    return path.join(data.folder, name);
  };
  const numbers = async (name: string) => {
    const source = await (await data.vector({ url: `file:${name}.shp` })).source(name);
    const features = await collect(source);
    assert.equal(await source.count(), features.length);
    return features.map(({ properties }) => properties.n);
  };

  test('dates and booleans', async () => {
    const source = await (await data.vector({ url: 'file:a.shp' })).source('a');
    const [first] = await collect(source);
    assert.deepEqual(first!.properties.day, new Date('2024-02-01T00:00:00Z'));
  });

  test('deleted records are passed over', async () => {
    const stem = copy('deleted');
    const dbf = readFileSync(`${stem}.dbf`);
    dbf[dbf.readUInt16LE(8) + 2 * dbf.readUInt16LE(10)] = 0x2a;
    writeFileSync(`${stem}.dbf`, dbf);
    assert.deepEqual(await numbers('deleted'), [0, 1, 3, 4]);
  });

  test('without a .shx', async () => {
    rmSync(`${copy('noshx')}.shx`);
    assert.deepEqual(await numbers('noshx'), [0, 1, 2, 3, 4]);
  });

  test('with a .shx of something else', async () => {
    const stem = copy('badshx');
    const shx = readFileSync(`${stem}.shx`);
    shx.writeUInt32BE(0x7fffff00, 100);
    writeFileSync(`${stem}.shx`, shx);
    assert.deepEqual(await numbers('badshx'), [0, 1, 2, 3, 4]);
  });

  test('cut off', async () => {
    const stem = copy('cut');
    truncateSync(`${stem}.shp`, statSync(`${stem}.shp`).size - 30);
    assert.deepEqual(await numbers('cut'), [0, 1, 2]);
  });

  test('without a .dbf, or with too short a one', async () => {
    rmSync(`${copy('nodbf')}.dbf`);
    assert.deepEqual(await numbers('nodbf'), Array(5).fill(undefined));
    const stem = copy('shortdbf');
    truncateSync(`${stem}.dbf`, statSync(`${stem}.dbf`).size - 20);
    assert.deepEqual(await numbers('shortdbf'), [0, 1, 2, 3, null]);
  });

  test('extensions in capitals', async () => {
    const stem = copy('upper');
    for (const extension of ['shp', 'shx', 'dbf', 'prj']) {
      copyFileSync(`${stem}.${extension}`, path.join(data.folder, `UPPER.${extension.toUpperCase()}`));
    }
    const source = await (await data.vector({ url: 'file:UPPER.SHP' })).source('UPPER');
    assert.equal((await collect(source)).length, 5);
    const { parameters } = await source.mapnik();
    assert.ok(existsSync(parameters.file!.replace(/shp$/, 'dbf')));
  });

  test('a file that is replaced is read anew', async () => {
    const stem = copy('replaced');
    assert.equal((await numbers('replaced')).length, 5);
    const store = await data.vector({ url: 'file:replaced.shp' });
    const before = await (await store.source('replaced')).mapnik();
    gdal('ogr2ogr', '-overwrite', `${stem}.shp`, file, '-where', 'n < 2');
    assert.deepEqual(
      (await collect(await store.source('replaced'))).map(({ properties }) => properties.n),
      [0, 1],
    );
    assert.notEqual((await (await store.source('replaced')).mapnik()).version, before.version);
  });

  test('not a shapefile at all', async () => {
    writeFileSync(path.join(data.folder, 'text.shp'), 'x'.repeat(200));
    const store = await data.vector({ url: 'file:text.shp' });
    await assert.rejects(store.source('text'), { name: 'DataError', code: 'malformed', message: /not a shapefile/ });
    await assert.rejects(data.vector({ url: 'file:nothing.shp' }), { name: 'DataError', code: 'not-found' });
  });
});

test('encodings', () => {
  const cases: readonly [
    charset: string | undefined,
    cpg: string | undefined,
    hex: string,
    text: string,
    name: string,
  ][] = [
    [undefined, undefined, 'e9', 'é', 'iso-8859-1'],
    [undefined, 'UTF-8\n', 'c3a9', 'é', 'utf-8'],
    ['ISO-8859-1', 'UTF-8', 'e9', 'é', 'iso-8859-1'],
    ['windows-1252', undefined, '80', '€', 'windows-1252'],
    [undefined, 'ANSI 1251', 'e9', 'й', 'windows-1251'],
    [undefined, 'CP437', '82', 'é', 'ibm437'],
    [undefined, 'OEM 850', '82', 'é', 'ibm850'],
    [undefined, '936', 'c4e3', '你', 'gbk'],
    ['UTF8', undefined, 'c3a9', 'é', 'utf-8'],
    [undefined, 'ISO 8859-15', 'a4', '€', 'iso-8859-15'],
    ['no such thing', undefined, 'e9', 'é', 'iso-8859-1'],
  ];
  for (const [charset, cpg, hex, text, name] of cases) {
    const bytes = Buffer.from(hex, 'hex');
    const encoding = encodingOf(charset, cpg);
    assert.equal(encoding.decode(bytes, 0, bytes.length), text, charset ?? cpg);
    assert.equal(encoding.name, name);
    assert.equal(encoding.isKnown, charset !== 'no such thing');
  }
});

test('rings become polygons', () => {
  const box = (x: number, y: number, size: number, clockwise: boolean) => {
    const ring = [
      [x, y],
      [x, y + size],
      [x + size, y + size],
      [x + size, y],
      [x, y],
    ];
    return clockwise ? ring : ring.reverse();
  };
  const outer = box(0, 0, 10, true);
  const hole = box(1, 1, 5, false);
  const island = box(2, 2, 3, true);
  const pond = box(3, 3, 1, false);
  const far = box(100, 0, 10, true);
  assert.deepEqual(assembleRings([outer]), [[outer]]);
  assert.deepEqual(assembleRings([outer, hole]), [[outer, hole]]);
  assert.deepEqual(assembleRings([hole, outer]), [[outer, hole]]);
  assert.deepEqual(assembleRings([far, outer, pond, hole, island]), [[far], [outer, hole], [island, pond]]);
  assert.deepEqual(assembleRings([hole]), [[hole]], 'a shell that turns the wrong way');
  assert.deepEqual(assembleRings([outer, far, box(50, 50, 1, false)]).length, 3, 'a hole outside every shell');
});
