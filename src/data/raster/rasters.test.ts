import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { gdal, gdalMissing } from '../../../test/gdal.ts';
import { REAL_DATA } from '../../../test/real-data.ts';
import { coverageDimensions } from '../dimensions.ts';
import { type TestAccess, testAccess } from '../testing/sources.ts';
import type { Band, CoverageSource } from '../types.ts';
import { parseMetaFile, parseWorldFile } from './georeference.ts';

const release = path.join(REAL_DATA, 'geoserver-release-2.27');

interface GdalInfo {
  readonly size: [number, number];
  readonly geoTransform: [number, number, number, number, number, number];
  readonly stac?: { 'proj:epsg'?: number };
  readonly bands: { type: string; colorInterpretation: string; noDataValue?: number; checksum?: number }[];
}

const info = (file: string, ...more: string[]) => JSON.parse(gdal('gdalinfo', '-json', ...more, file)) as GdalInfo;
const checksums = (file: string) => info(file, '-checksum').bands.map(({ checksum }) => checksum);
const fileOf = async (coverage: CoverageSource) => (await coverage.mapnik()).parameters.file!;

function assertPlacedLike(
  coverage: Pick<CoverageSource, 'width' | 'height' | 'origin' | 'transform'>,
  other: GdalInfo,
): void {
  assert.deepEqual([coverage.width, coverage.height], other.size);
  const [x, a, b, y, c, d] = other.geoTransform;
  const close = (actual: number, expected: number) =>
    assert.ok(Math.abs(actual - expected) <= Math.abs(expected) * 1e-12 + 1e-12, `${actual}, not ${expected}`);
  close(coverage.origin[0], x);
  close(coverage.origin[1], y);
  for (const [i, value] of [a, b, c, d].entries()) close(coverage.transform[i]!, value);
}

describe('coverages of a GeoServer release', {
  skip: existsSync(release) ? gdalMissing : `nothing in ${release}`,
}, () => {
  let data: TestAccess;
  before(() => {
    data = testAccess(release);
  });
  after(() => data.close());

  test('GeoTIFF', async () => {
    const coverage = await (await data.raster('file:data/sf/sfdem.tif', { type: 'GeoTIFF' })).source('sfdem');
    assertPlacedLike(coverage, info(path.join(release, 'data/sf/sfdem.tif')));
    assert.equal(coverage.name, 'sfdem');
    assert.equal(coverage.crs, 'EPSG:26713');
    assert.equal(coverage.format, 'GeoTIFF');
    assert.deepEqual(coverage.box, [589980, 4913700, 609000, 4928010]);
    assert.deepEqual(
      coverage.bands.map(({ name, dataType }) => [name, dataType]),
      [['GRAY_INDEX', 'float32']],
    );
    assert.deepEqual((await coverage.mapnik()).parameters, {
      type: 'gdal',
      file: path.join(release, 'data/sf/sfdem.tif'),
    });
  });

  test('ArcGrid becomes a TIFF with the same values', async () => {
    const file = path.join(release, 'coverages/arc_sample/precip30min.asc');
    const coverage = await (
      await data.raster('file:coverages/arc_sample/precip30min.asc', { type: 'ArcGrid' })
    ).source();
    const { transform } = coverage;
    assertPlacedLike(coverage, info(file));
    assert.deepEqual(transform, [0.5, 0, 0, -0.5]);
    const converted = await fileOf(coverage);
    assertPlacedLike(coverage, info(converted));
    assert.equal(info(converted).bands[0]!.noDataValue, -9999);
    const same = path.join(data.folder, 'same.tif');
    gdal('gdal_translate', '-ot', 'Float32', file, same);
    assert.deepEqual(checksums(converted), checksums(same));
    assert.equal(
      await fileOf(await (await data.raster('file:coverages/arc_sample/precip30min.asc')).source()),
      converted,
    );
  });

  test('world image, placed by its world file', async () => {
    const coverage = await (
      await data.raster('file:coverages/img_sample/Pk50095.tif', { type: 'WorldImage' })
    ).source();
    assertPlacedLike(coverage, info(path.join(release, 'coverages/img_sample/Pk50095.tif')));
    assert.equal(coverage.crs, 'EPSG:32633');
    assertPlacedLike(coverage, info(await fileOf(coverage)));
  });

  test('world image, placed by its .meta file', async () => {
    const coverage = await (await data.raster('file:coverages/img_sample/usa.jpeg', { type: 'WorldImage' })).source();
    assert.deepEqual(
      coverage.box.map((value) => Math.round(value * 1e4) / 1e4),
      [-130.8517, 20.7052, -62.0054, 54.1141],
    );
    assertPlacedLike(coverage, info(await fileOf(coverage)));
    assert.deepEqual(coverageDimensions(coverage)[0], {
      name: 'RED_BAND',
      description: 'GridSampleDimension[0.0,255.0]',
      range: { min: '0.0', max: '255.0' },
      nullValues: [],
      dimensionType: 'UNSIGNED_8BITS',
    });
  });

  for (const url of ['file:coverages/mosaic_sample/mosaic.shp', 'file:coverages/mosaic_sample'])
    test(`mosaic: ${url}`, async () => {
      const folder = path.join(release, 'coverages/mosaic_sample');
      const before = readdirSync(folder);
      const coverage = await (await data.raster(url, { type: 'ImageMosaic' })).source('mosaic');
      assert.equal(coverage.name, 'mosaic');
      assert.deepEqual([coverage.width, coverage.height], [250, 250]);
      assert.equal(coverage.crs, 'EPSG:4326');
      const other = path.join(data.folder, 'other.vrt');
      const granules = before.filter((name) => name.endsWith('.png')).map((name) => path.join(folder, name));
      gdal('gdalbuildvrt', '-overwrite', other, ...granules);
      const file = await fileOf(coverage);
      assert.deepEqual(checksums(file).slice(0, 3), checksums(other));
      assert.deepEqual(
        info(file).bands.map(({ colorInterpretation }) => colorInterpretation),
        ['Red', 'Green', 'Blue', 'Alpha'],
      );
      assert.deepEqual(readdirSync(folder), before);
    });
});

describe('coverages made here', { skip: gdalMissing }, () => {
  let data: TestAccess;
  const at = (...parts: string[]) => path.join(data.folder, ...parts);
  const open = async (url: string, type?: string) =>
    (await data.raster(`file:${url}`, type === undefined ? {} : { type })).source();

  before(() => {
    data = testAccess();
    // A ramp with a hole, so that a wrong row or column shows.
    const rows = Array.from({ length: 40 }, (_, y) =>
      Array.from({ length: 60 }, (_, x) => (x === 5 && y === 7 ? -9999 : x * 100 + y)),
    );
    const head = 'ncols 60\nnrows 40\nxllcorner 10\nyllcorner 50\ncellsize 0.5\nNODATA_value -9999\n';
    writeFileSync(at('ramp.asc'), head + rows.map((row) => row.join(' ')).join('\n'));
    gdal('gdal_translate', '-a_srs', 'EPSG:4326', at('ramp.asc'), at('ramp.tif'));
    gdal(
      'gdal_translate',
      '-ot',
      'Byte',
      '-scale',
      '0',
      '6000',
      '0',
      '255',
      '-a_nodata',
      'none',
      at('ramp.tif'),
      at('byte.tif'),
    );
  });
  after(() => data.close());

  test('types of bands', async () => {
    const cases: readonly [string, Band['dataType']][] = [
      ['Byte', 'uint8'],
      ['Int16', 'int16'],
      ['UInt16', 'uint16'],
      ['Int32', 'int32'],
      ['UInt32', 'uint32'],
      ['Float32', 'float32'],
      ['Float64', 'float64'],
    ];
    for (const [type, expected] of cases) {
      gdal('gdal_translate', '-ot', type, at('ramp.tif'), at(`${type}.tif`));
      const coverage = await open(`${type}.tif`);
      assert.equal(coverage.bands[0]!.dataType, expected);
      assertPlacedLike(coverage, info(at(`${type}.tif`)));
    }
  });

  test('compressions that cannot be decoded by Mapnik are converted', async () => {
    for (const codec of ['ZSTD', 'LERC']) {
      for (const source of ['ramp', 'byte']) {
        const name = `${source}-${codec}.tif`;
        gdal(
          'gdal_translate',
          '-co',
          `COMPRESS=${codec}`,
          '-co',
          'TILED=YES',
          '-co',
          'BLOCKXSIZE=16',
          '-co',
          'BLOCKYSIZE=16',
          at(`${source}.tif`),
          at(name),
        );
        const coverage = await open(name);
        const file = await fileOf(coverage);
        assert.notEqual(file, at(name));
        assert.deepEqual(checksums(file), checksums(at(`${source}.tif`)), name);
        assertPlacedLike(coverage, info(file));
      }
    }
  });

  test('a compression that nobody here can decode is named', async () => {
    gdal('gdal_translate', '-co', 'COMPRESS=WEBP', '-b', '1', '-b', '1', '-b', '1', at('byte.tif'), at('webp.tif'));
    const coverage = await open('webp.tif');
    await assert.rejects(coverage.mapnik(), { name: 'DataError', code: 'no-driver', message: /WebP/ });
  });

  test('a palette', async () => {
    gdal('rgb2pct.py', rgb('rgb.tif'), at('palette.tif'));
    const coverage = await open('palette.tif');
    assert.deepEqual(
      coverage.bands.map(({ name, colorInterpretation }) => [name, colorInterpretation]),
      [['PALETTE_INDEX', 'palette']],
    );
  });

  function rgb(name: string): string {
    gdal('gdal_translate', '-b', '1', '-b', '1', '-b', '1', '-colorinterp', 'red,green,blue', at('byte.tif'), at(name));
    return at(name);
  }

  test('a mosaic of palettes, grays and colours is one picture', async () => {
    mkdirSync(at('mixed'));
    gdal('rgb2pct.py', rgb('rgb.tif'), at('left.tif'));
    gdal('gdal_translate', '-srcwin', '0', '0', '20', '40', at('left.tif'), at('mixed', 'a.tif'));
    gdal('gdal_translate', '-srcwin', '20', '0', '20', '40', rgb('rgb.tif'), at('mixed', 'b.tif'));
    gdal('gdal_translate', '-srcwin', '40', '0', '10', '40', at('byte.tif'), at('mixed', 'c.tif'));
    const coverage = await open('mixed', 'ImageMosaic');
    assert.deepEqual([coverage.width, coverage.height], [50, 40]);
    // One pixel of a virtual raster is read by GDAL 3.6 without its palette: so all of them.
    const file = at('mixed-pixels.tif');
    gdal('gdal_translate', await fileOf(coverage), file);
    const pixel = (x: number, from: string) =>
      gdal('gdallocationinfo', '-valonly', from, String(x), '20').trim().split(/\s+/).map(Number);
    gdal('gdal_translate', '-expand', 'rgb', at('left.tif'), at('expanded.tif'));
    for (const x of [2, 12, 25, 38, 41, 49]) {
      const [red, green, blue, alpha] = pixel(x, file) as [number, number, number, number];
      assert.deepEqual([red, green, blue], pixel(x, x < 20 ? at('expanded.tif') : at('rgb.tif')), `column ${x}`);
      assert.equal(alpha, 255);
    }
  });

  test('a mosaic without an index takes all images below, and keeps nodata', async () => {
    mkdirSync(at('dem', 'deep'), { recursive: true });
    gdal('gdal_translate', '-srcwin', '0', '0', '30', '40', at('ramp.tif'), at('dem', 'a.tif'));
    gdal('gdal_translate', '-srcwin', '30', '0', '30', '40', at('ramp.tif'), at('dem', 'deep', 'b.tif'));
    writeFileSync(at('dem', 'broken.tif'), 'no tiff');
    const coverage = await open('dem');
    assert.equal(coverage.format, 'ImageMosaic');
    assert.equal(coverage.bands[0]!.noData, -9999);
    assert.deepEqual(checksums(await fileOf(coverage)), checksums(at('ramp.tif')));
    const { version } = await coverage.mapnik();
    rmSync(at('dem', 'a.tif'));
    const again = await (await data.raster('file:dem')).source();
    assert.equal(again.width, 30);
    assert.notEqual((await again.mapnik()).version, version);
    mkdirSync(at('empty'));
    await assert.rejects(open('empty'), { name: 'DataError', code: 'malformed', message: /no image/ });
  });

  test('a pyramid', async () => {
    mkdirSync(at('pyramid'));
    gdal(
      'gdal_retile.py',
      '-q',
      '-r',
      'near',
      '-ps',
      '20',
      '20',
      '-levels',
      '2',
      '-targetDir',
      at('pyramid'),
      at('ramp.tif'),
    );
    mkdirSync(at('pyramid', '0'));
    for (const name of readdirSync(at('pyramid')).filter((file) => file.endsWith('.tif')))
      copyFileSync(at('pyramid', name), at('pyramid', '0', name));
    const coverage = await open('pyramid', 'ImagePyramid');
    assert.deepEqual([coverage.width, coverage.height], [60, 40]);
    const file = await fileOf(coverage);
    assert.deepEqual(checksums(file), checksums(at('ramp.tif')));
    assert.match(gdal('gdalinfo', file), /Overviews: 30x20/);
  });

  test('a turned raster is described as it is, and drawn upright', async () => {
    gdal('gdal_translate', '-a_ullr', '0', '0', '1', '1', at('byte.tif'), at('turned.tif'));
    writeFileSync(at('turned.tfw'), '1\n1\n1\n-1\n1000\n2000\n');
    gdal('gdal_translate', '-of', 'PNG', at('byte.tif'), at('turned.png'));
    copyFileSync(at('turned.tfw'), at('turned.pgw'));
    const coverage = await open('turned.png', 'WorldImage');
    assert.deepEqual(coverage.transform, [1, 1, 1, -1]);
    assert.deepEqual(coverage.origin, [999, 2000]);
    assert.deepEqual(coverage.box, [999, 1960, 1099, 2060]);
    const upright = info(await fileOf(coverage));
    assert.ok(upright.geoTransform[1] > 0 && upright.geoTransform[5] < 0);
    assert.equal(upright.bands.at(-1)!.colorInterpretation, 'Alpha');
  });

  test('a grid compressed with gzip, of GRASS, with centres, or broken', async () => {
    const rows = '1 2 3\n4 5 *\n';
    const write = (name: string, text: string | Buffer) => writeFileSync(at(name), text);
    write('z.asc.gz', gzipSync(`ncols 3\nnrows 2\nxllcenter 0.5\nyllcenter 10.5\ncellsize 1\n${rows}`));
    write('grass.asc', `north: 12\nsouth: 10\neast: 3\nwest: 0\nrows: 2\ncols: 3\n${rows}`);
    write('short.asc', 'ncols 3\nnrows 2\nxllcorner 0\nyllcorner 10\ncellsize 1\n1 2 3 4\n');
    write('word.asc', 'ncols 3\nnrows 2\nxllcorner 0\nyllcorner 10\ncellsize 1\n1 2 three 4 5 6\n');
    write('nowhere.asc', 'ncols 3\nnrows 2\n1 2 3 4 5 6\n');
    for (const name of ['z.asc.gz', 'grass.asc']) {
      const coverage = await open(name, 'ArcGrid');
      assert.deepEqual(coverage.box, [0, 10, 3, 12], name);
      const file = await fileOf(coverage);
      assert.equal(gdal('gdallocationinfo', '-valonly', file, '1', '1').trim(), '5');
      assert.equal(gdal('gdallocationinfo', '-valonly', file, '2', '1').trim(), 'nan');
    }
    await assert.rejects(async () => (await open('short.asc')).mapnik(), {
      code: 'malformed',
      message: /ends in row 2 of 2/,
    });
    await assert.rejects(async () => (await open('word.asc')).mapnik(), {
      code: 'malformed',
      message: /"three" in row 1/,
    });
    await assert.rejects(open('nowhere.asc'), { code: 'malformed', message: /where the grid is/ });
  });

  test('images without a place, or that are none', async () => {
    gdal('gdal_translate', '-of', 'PNG', at('byte.tif'), at('lost.png'));
    rmSync(at('lost.png.aux.xml'), { force: true });
    await assert.rejects(open('lost.png'), { code: 'malformed', message: /where on the earth/ });
    writeFileSync(at('text.tif'), 'no tiff');
    await assert.rejects(open('text.tif'), { name: 'DataError', code: 'no-driver' });
    writeFileSync(at('half.tif'), Buffer.from('II*\0\x08\0\0\0\xff\xff', 'latin1'));
    await assert.rejects(open('half.tif'), { name: 'DataError', code: 'malformed' });
    await assert.rejects(open('nothing.tif'), { name: 'DataError', code: 'not-found' });
    await assert.rejects(open('x.nc', 'NetCDF'), { name: 'DataError', code: 'no-driver', message: /NetCDF.*GeoTIFF/ });
  });
});

test('world files', () => {
  assert.deepEqual(parseWorldFile('2\n0\n0\n-2\n101\n199\n'), { origin: [100, 200], transform: [2, 0, 0, -2] });
  assert.deepEqual(parseWorldFile('0,5\r\n0\r\n0\r\n-0,5\r\n0,25\r\n-0,25'), {
    origin: [0, 0],
    transform: [0.5, 0, 0, -0.5],
  });
  assert.equal(parseWorldFile('1 2 3'), undefined);
  assert.equal(parseWorldFile('0 0 0 0 0 0'), undefined);
  assert.equal(parseMetaFile('Origin Longitude = x', 1, 1), undefined);
});
