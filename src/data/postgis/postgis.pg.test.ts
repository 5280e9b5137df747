import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { type Postgres, postgresMissing, startPostgres } from '../../../test/services/postgres.ts';
import { until } from '../../../test/waiting.ts';
import type { VirtualTable } from '../../catalog/index.ts';
import { parseCql } from '../filter/index.ts';
import { collect, type TestAccess, testAccess } from '../testing/sources.ts';
import type { VectorStore } from '../types.ts';

describe('PostGIS', { skip: postgresMissing }, () => {
  let postgres: Postgres;
  let database: string;
  let data: TestAccess;
  let store: VectorStore;
  let client: pg.Client;
  const parameters = (more: Record<string, string> = {}) => ({
    dbtype: 'postgis',
    host: postgres.host,
    port: String(postgres.port),
    user: postgres.user,
    database,
    passwd: 'plain:SECRET',
    ...more,
  });

  before(async () => {
    postgres = await startPostgres();
    database = await postgres.createDatabase({ postgis: true });
    client = new pg.Client({ connectionString: postgres.url(database) });
    client.on('error', () => undefined);
    await client.connect();
    await client.query(`
      CREATE TYPE mood AS ENUM ('good', 'bad');
      CREATE DOMAIN percent AS integer CHECK (VALUE <= 100);
      CREATE TABLE "Odd ""Name""" (
        "Id" bigint PRIMARY KEY, geom geometry(MultiPolygon, 25832), other geometry(Point, 4326), place geography(Point, 4326),
        d date, ts timestamp, tz timestamptz, t time, n numeric(10, 2), f real, b boolean, u uuid, j jsonb, m mood, p percent,
        raw bytea, v varchar(20), a integer[], required integer NOT NULL);
      INSERT INTO "Odd ""Name""" VALUES (9007199254740993, 'SRID=25832;MULTIPOLYGON(((0 0, 0 1, 1 1, 0 0)))', 'SRID=4326;POINT(1 2)', 'POINT(3 4)',
        '2024-02-29', '2024-02-29 12:00:00', '2024-02-29 12:00:00+02', '12:34:56', 12.34, 0.1, true, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}', 'good', 50,
        'abc', 'text', '{1,2}', 1);
      CREATE TABLE two_keys (a integer, b text, geom geometry(Point, 4326), PRIMARY KEY (a, b));
      INSERT INTO two_keys VALUES (1, 'x', 'SRID=4326;POINT(1 1)'), (1, 'y', 'SRID=4326;POINT(2 2)');
      CREATE VIEW no_key AS SELECT a, geom::geometry AS geom FROM two_keys;
      CREATE TABLE curves (id serial PRIMARY KEY, geom geometry);
      INSERT INTO curves (geom) VALUES ('SRID=4326;CIRCULARSTRING(0 0, 1 1, 2 0)'), (NULL), ('SRID=4326;POINT EMPTY');
      CREATE TABLE plain (id serial PRIMARY KEY, name text);
      CREATE SCHEMA other; CREATE TABLE other.there (id serial PRIMARY KEY, geom geometry(Point, 3857));
    `);
    data = testAccess();
    store = await data.vector(parameters());
  });
  after(async () => {
    await client?.end();
    await data?.close();
    await postgres?.stop();
  });

  test('names', async () => {
    assert.deepEqual(await store.names(), ['Odd "Name"', 'curves', 'no_key', 'plain', 'two_keys']);
    assert.deepEqual(await (await data.vector(parameters({ schema: 'other' }))).names(), ['there']);
  });

  test('types and values', async () => {
    const source = await store.source('Odd "Name"');
    const types = source.schema.attributes.map(({ name, type, geometryType }) => `${name} ${geometryType ?? type}`);
    assert.deepEqual(types, [
      ...[
        'geom MultiPolygon',
        'other Point',
        'place Point',
        'd date',
        'ts dateTime',
        'tz dateTime',
        't time',
        'n double',
        'f double',
      ],
      ...[
        'b boolean',
        'u string',
        'j string',
        'm string',
        'p integer',
        'raw bytes',
        'v string',
        'a string',
        'required integer',
      ],
    ]);
    assert.equal(source.schema.attributes.find(({ name }) => name === 'v')?.length, 20);
    assert.equal(source.schema.attributes.find(({ name }) => name === 'required')?.nillable, false);
    assert.equal(source.schema.crs, 'EPSG:25832');
    assert.deepEqual(source.schema.keyColumns, ['Id']);
    const [feature] = await collect(source);
    assert.equal(feature!.id, 'Odd "Name".9007199254740993');
    assert.deepEqual(
      { ...feature!.properties, raw: Buffer.from(feature!.properties.raw as Uint8Array).toString() },
      {
        d: new Date('2024-02-29T00:00:00Z'),
        ts: new Date('2024-02-29T12:00:00Z'),
        tz: new Date('2024-02-29T10:00:00Z'),
        t: '12:34:56',
        n: 12.34,
        f: 0.1,
        b: true,
        u: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
        j: '{"a": 1}',
        m: 'good',
        p: 50,
        raw: 'abc',
        v: 'text',
        a: '{1,2}',
        required: 1,
      },
    );
    for (const cql of ['f = 0.1', 'n = 12.34', "v = 'text'", "m = 'good'", 'p >= 50', "u LIKE 'a0%'"])
      assert.equal(await source.count({ filter: parseCql(cql) }), 1, cql);
    assert.equal(await source.count({ filter: { kind: 'ids', ids: [feature!.id] } }), 1);
  });

  test('ids of several keys, and of none', async () => {
    assert.deepEqual(
      (await collect(await store.source('two_keys'))).map(({ id }) => id),
      ['two_keys.1.x', 'two_keys.1.y'],
    );
    const view = await store.source('no_key');
    assert.equal(new Set((await collect(view)).map(({ id }) => id)).size, 2);
    assert.equal(view.schema.crs, 'EPSG:4326', 'from a sample, where the view does not say');
    assert.deepEqual(await view.bounds(), [1, 1, 2, 2]);
  });

  test('keys are attributes only where the store says so', async () => {
    const exposed = await (await data.vector(parameters({ 'Expose primary keys': 'true' }))).source('two_keys');
    assert.deepEqual(
      exposed.schema.attributes.map(({ name }) => name),
      ['a', 'b', 'geom'],
    );
  });

  test('arcs, empty geometries and none', async () => {
    const features = await collect(await store.source('curves'));
    assert.deepEqual(
      features.map(({ geometry }) => geometry?.type),
      ['LineString', undefined, undefined],
    );
    const plain = await store.source('plain');
    assert.equal(plain.schema.geometryName, undefined);
    assert.equal(await plain.bounds(), undefined);
    assert.equal(await plain.count({ box: [0, 0, 1, 1] }), 0);
  });

  const view = (sql: string, more: Partial<VirtualTable> = {}): VirtualTable => ({
    name: 'v',
    sql,
    keyColumns: ['a', 'b'],
    geometries: [{ name: 'geom', type: 'Point', srid: 4326 }],
    parameters: [{ name: 'low', defaultValue: '2', regexpValidator: '^\\d+$' }],
    ...more,
  });

  test('SQL views', async () => {
    const source = await store.source(
      'v',
      view('select a, b, geom, now() as t from two_keys where ST_X(geom) >= %low%;'),
    );
    assert.equal(source.schema.crs, 'EPSG:4326');
    assert.deepEqual(
      source.schema.attributes.map(({ name, type, geometryType }) => `${name} ${geometryType ?? type}`),
      ['a integer', 'b string', 'geom Point', 't dateTime'],
    );
    assert.deepEqual(
      (await collect(source)).map(({ id }) => id),
      ['v.1.y'],
    );
    assert.deepEqual(await source.bounds(), [2, 2, 2, 2]);
    assert.match((await source.mapnik()).parameters.table!, /ST_X\(geom\) >= 2\) AS "vtable"/);
  });

  test('SQL that fails says what the database says', async () => {
    await assert.rejects(store.source('v', view('select nonsense from two_keys')), {
      name: 'DataError',
      code: 'malformed',
      message: /nonsense/,
    });
    await assert.rejects(store.source('nothing'), { name: 'DataError', code: 'not-found' });
  });

  test('SQL cannot write', async () => {
    const writing = view("select a, b, geom, set_config('x.y', 'z', false), nextval('plain_id_seq') from two_keys");
    const source = await store.source('v', writing);
    await assert.rejects(collect(source), { name: 'DataError', message: /read-only/ });
    await assert.rejects(store.source('v', view('delete from two_keys returning *')), { name: 'DataError' });
  });

  test('an endless statement is cancelled with its reader', async () => {
    const endless = view('select a, b, geom from two_keys where pg_sleep(30) is not null');
    const source = await store.source('v', endless);
    const abort = new AbortController();
    const reading = (async () => {
      for await (const _ of source.features({}, abort.signal));
    })();
    const outcome = assert.rejects(reading, /enough/);
    await until(async () => (await active()) > 0, 'the query');
    abort.abort(new Error('enough'));
    await outcome;
    await until(async () => (await active()) === 0, 'its end');
  });

  const active = async () =>
    (
      await client.query(
        `SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND state = 'active' AND pid <> pg_backend_pid()`,
      )
    ).rows.length;

  test('a table that changes is read anew', async () => {
    await client.query('CREATE TABLE changing (id serial PRIMARY KEY, old text, geom geometry(Point, 4326))');
    const source = await store.source('changing');
    await client.query('ALTER TABLE changing RENAME old TO new');
    await assert.rejects(collect(source), { name: 'DataError' });
    const attributes = (await store.source('changing')).schema.attributes;
    assert.deepEqual(
      attributes.map(({ name }) => name),
      ['new', 'geom'],
    );
  });

  test('stores with the same connection share it', async () => {
    const again = await data.vector(parameters());
    await Promise.all([store.names(), again.names()]);
    await again.close();
    assert.ok((await store.names()).length > 0);
  });

  test('the password is in the parameters for Mapnik, and in no message', async () => {
    const source = await store.source('two_keys');
    const mapnik = await source.mapnik();
    assert.equal(mapnik.parameters.password, 'SECRET');
    assert.equal(mapnik.parameters.srid, '4326');
    assert.ok(Number(mapnik.parameters.max_size) >= 8);
    const nowhere = await data.vector(parameters({ port: '1', 'Connection timeout': '1' }));
    await assert.rejects(nowhere.names(), (error: Error & { code: string }) => {
      assert.equal(error.code, 'unreachable');
      assert.match(error.message, /127\.0\.0\.1:1/);
      assert.doesNotMatch(error.message, /SECRET/);
      return true;
    });
  });

  test('a database that comes back is used again', async () => {
    await store.names();
    await client.end();
    await postgres.kill('SIGINT');
    await assert.rejects(store.names(), { name: 'DataError', code: 'unreachable' });
    await postgres.restart();
    assert.ok((await store.names()).includes('two_keys'));
  });
});
