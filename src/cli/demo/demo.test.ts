import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { before, test } from 'node:test';
import { temporaryFolder } from '../../../test/temporary-folder.ts';
import { parseXml } from '../../xml/index.ts';
import { CITIES } from './cities.ts';
import { copyDataDirectory, makeDemoDirectory } from './data-directory.ts';
import { worldTables } from './world.ts';

let folder = '';
before(async () => {
  folder = temporaryFolder('demo');
  await makeDemoDirectory(path.join(folder, 'one'), { adminPassword: 'geoserver', salt: new Uint8Array(16) });
});

const filesIn = (dir: string) =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((file) => statSync(path.join(dir, file)).isFile())
    .sort();

test('two demo directories are identical', async () => {
  await makeDemoDirectory(path.join(folder, 'two'), { adminPassword: 'geoserver', salt: new Uint8Array(16) });
  const hashes = (name: string) =>
    filesIn(path.join(folder, name)).map(
      (file) =>
        `${file} ${createHash('sha256')
          .update(readFileSync(path.join(folder, name, file)))
          .digest('hex')}`,
    );
  assert.deepEqual(hashes('two'), hashes('one'));
});

test('every document is well-formed, and every reference leads somewhere', () => {
  const dir = path.join(folder, 'one');
  const ids = new Set<string>();
  const references: string[] = [];
  for (const file of filesIn(dir).filter((name) => /\.(?:xml|sld|svg)$/.test(name))) {
    const { root } = parseXml(readFileSync(path.join(dir, file)));
    const id = root.childText('id');
    if (id !== undefined) ids.add(id);
    for (const match of readFileSync(path.join(dir, file), 'utf8').matchAll(/<id>([^<]*-demo:[^<]*)<\/id>/g))
      references.push(match[1]!);
    const body = root.childText('filename');
    if (body !== undefined) statSync(path.join(dir, 'styles', body));
    for (const match of readFileSync(path.join(dir, file), 'utf8').matchAll(/xlink:href="([^"]+)"/g))
      if (file.startsWith('styles/')) statSync(path.join(dir, 'styles', match[1]!));
  }
  assert.deepEqual(
    [...new Set(references)].filter((id) => !ids.has(id) && !id.startsWith('SettingsInfoImpl')),
    [],
  );
});

test('the GeoPackage holds what the layers name', () => {
  const db = new DatabaseSync(path.join(folder, 'one/data/natural_earth.gpkg'), { readOnly: true });
  const counts = db
    .prepare('SELECT table_name AS name FROM gpkg_contents ORDER BY name')
    .all()
    .map(({ name }) => [name, Number(db.prepare(`SELECT count(*) AS n FROM "rtree_${name}_geom"`).get()!.n)]);
  db.close();
  const expected = {
    circles: 5,
    cities: CITIES.length,
    countries: 241,
    country_names: 241,
    graticule: 54,

    ocean: 1,
  };
  const { borders, land, ...others } = Object.fromEntries(counts) as Record<string, number>;
  assert.deepEqual(others, expected);
  assert.ok(borders! > 1000 && land! > 1000);
});

test('neighbours differ in colour, areas are about right, and names lie inside their country', () => {
  const countries = worldTables().find((table) => table.name === 'countries')!;
  const column = Object.keys(countries.columns);
  const of = (name: string) => countries.rows.find((row) => row.values[column.indexOf('name')] === name)!.values;
  const pairs = [
    ['France', 'Germany'],
    ['France', 'Spain'],
    ['Germany', 'Poland'],
    ['China', 'Russia'],
    ['Brazil', 'Peru'],
    ['Chad', 'Niger'],
  ];
  for (const [a, b] of pairs)
    assert.notEqual(of(a!)[column.indexOf('color')], of(b!)[column.indexOf('color')], `${a} and ${b}`);
  for (const [name, areaKm2] of [
    ['France', 640_000],
    ['Australia', 7_690_000],
    ['Lesotho', 30_355],
  ] as const) {
    const computed = Number(of(name)[column.indexOf('areakm2')]);
    assert.ok(Math.abs(computed / areaKm2 - 1) < 0.05, `${name}: ${computed} km²`);
  }
  assert.equal(Math.max(...countries.rows.map((row) => Number(row.values[column.indexOf('color')]))), 6);
});

test('nothing is drawn along the edge of the map', () => {
  const borders = worldTables().find((table) => table.name === 'borders')!;
  for (const { geometry } of borders.rows) {
    if (geometry.type !== 'MultiLineString') throw new Error(geometry.type);
    for (const line of geometry.coordinates)
      for (const [i, point] of line.entries())
        assert.ok(i === 0 || Math.abs(point[0]!) < 179.99 || Math.abs(line[i - 1]![0]!) < 179.99);
  }
});

test('cities are on the globe and told apart', () => {
  for (const city of CITIES)
    assert.ok(
      Math.abs(city.longitude) <= 180 && Math.abs(city.latitude) < 72 && city.populationThousands > 0,
      city.name,
    );
  assert.equal(new Set(CITIES.map((city) => `${city.name}, ${city.country}`)).size, CITIES.length);
});

test('copying a data directory leaves out what belongs to its node', () => {
  const from = path.join(folder, 'from');
  for (const file of [
    'global.xml',
    'cluster/state.json',
    'logs/geoserver.log',
    'logs/QUIET_LOGGING.xml',
    'gwc/a/b.png',
    'styles/a.sld',
    'data/logs/keep.txt',
  ]) {
    mkdirSync(path.dirname(path.join(from, file)), { recursive: true });
    writeFileSync(path.join(from, file), file);
  }
  copyDataDirectory(from, path.join(folder, 'to'));
  assert.deepEqual(filesIn(path.join(folder, 'to')), [
    'data/logs/keep.txt',
    'global.xml',
    'logs/QUIET_LOGGING.xml',
    'styles/a.sld',
  ]);
  assert.throws(() => copyDataDirectory(path.join(folder, 'absent'), path.join(folder, 'x')), /no such folder/);
  assert.throws(
    () => copyDataDirectory(path.join(folder, 'from/data'), path.join(folder, 'x')),
    /not a GeoServer data directory/,
  );
});
