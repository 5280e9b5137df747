/** Publishing from a database: tables, SQL views, and databases that do not answer. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { type Postgres, postgresMissing, startPostgres } from '../../test/services/postgres.ts';
import { openTestApi, type TestApi } from './test-api.ts';

describe('feature types of PostGIS', { skip: postgresMissing ?? false }, () => {
  let postgres: Postgres;
  let api: TestApi;
  const types = '/workspaces/w/datastores/pg/featuretypes';

  before(async () => {
    postgres = await startPostgres();
    const database = await postgres.createDatabase({ postgis: true });
    const client = new pg.Client({ connectionString: postgres.url(database) });
    await client.connect();
    await client.query(`
      create table cities (id serial primary key, name varchar(40) not null, pop integer, geom geometry(Point, 3857));
      insert into cities (name, pop, geom) values ('a', 1, st_setsrid(st_makepoint(0, 0), 3857)), ('b', 2000, st_setsrid(st_makepoint(111319.49079327358, 111325.1428663851), 3857));
      create table facts (id serial primary key, what text);
    `);
    await client.end();
    api = await openTestApi();
    await api.send('POST', '/workspaces', { json: { workspace: { name: 'w' } } });
    const connectionParameters = {
      dbtype: 'postgis',
      host: postgres.host,
      port: postgres.port,
      database,
      user: postgres.user,
      passwd: 'x',
    };
    await api.send('POST', '/workspaces/w/datastores', { json: { dataStore: { name: 'pg', connectionParameters } } });
  });
  after(async () => {
    await api?.close();
    await postgres?.stop();
  });

  test('a table is published by its name alone', async () => {
    assert.deepEqual((await api.json(`${types}.json?list=available`)).list.string.sort(), ['cities', 'facts']);
    assert.deepEqual(await api.json(`${types}.json?list=available_with_geom`), { list: { string: ['cities'] } });
    const made = await api.send('POST', types, { json: { featureType: { name: 'towns', nativeName: 'cities' } } });
    assert.equal(made.statusCode, 201, made.body);
    const { featureType } = await api.json(`${types}/towns.json`);
    assert.equal(featureType.srs, 'EPSG:3857');
    assert.equal(featureType.nativeCRS['@class'], 'projected');
    assert.deepEqual(featureType.nativeBoundingBox.crs, { '@class': 'projected', $: 'EPSG:3857' });
    assert.ok(Math.abs(featureType.latLonBoundingBox.maxx - 1) < 1e-6);
    assert.ok(Math.abs(featureType.latLonBoundingBox.maxy - 1) < 1e-6);
    const byName = Object.fromEntries(featureType.attributes.attribute.map((a: { name: string }) => [a.name, a]));
    assert.deepEqual(byName.name, {
      name: 'name',
      minOccurs: 1,
      maxOccurs: 1,
      nillable: false,
      binding: 'java.lang.String',
      length: 40,
    });
    assert.equal(byName.geom.binding, 'org.locationtech.jts.geom.Point');
  });

  test('a table without geometries', async () => {
    const made = await api.send('POST', types, { json: { featureType: { name: 'facts' } } });
    assert.equal(made.statusCode, 201, made.body);
    assert.equal((await api.json('/layers/w:facts.json')).layer.type, 'VECTOR');
  });

  test('a SQL view', async () => {
    const made = await api.send('POST', types, {
      xml: `<featureType><name>big</name><metadata><entry key="JDBC_VIRTUAL_TABLE"><virtualTable><name>big</name>
        <sql>select id, name, geom from cities where pop &gt; %minpop%</sql><escapeSql>false</escapeSql><keyColumn>id</keyColumn>
        <geometry><name>geom</name><type>Point</type><srid>3857</srid></geometry>
        <parameter><name>minpop</name><defaultValue>1000</defaultValue><regexpValidator>^[\\d]+$</regexpValidator></parameter>
        </virtualTable></entry></metadata></featureType>`,
    });
    assert.equal(made.statusCode, 201, made.body);
    const { featureType } = await api.json(`${types}/big.json`);
    assert.equal(featureType.srs, 'EPSG:3857');
    assert.equal(featureType.metadata.entry.virtualTable.parameter.defaultValue, 1000);
    assert.ok(Math.abs(featureType.nativeBoundingBox.minx - 111319.49) < 1);
    assert.equal((await api.json('/layers/w:big.json')).layer.defaultStyle.name, 'point');
  });

  test('a wrong view and a database that does not answer change nothing', async () => {
    const digest = api.node.digest;
    const wrong = await api.send('POST', types, {
      xml: '<featureType><name>no</name><metadata><entry key="JDBC_VIRTUAL_TABLE"><virtualTable><name>no</name><sql>select nothing from nowhere</sql></virtualTable></entry></metadata></featureType>',
    });
    assert.equal(wrong.statusCode, 400, wrong.body);
    await postgres.kill('SIGKILL');
    const dead = await api.send('POST', types, { json: { featureType: { name: 'cities' } } });
    assert.equal(dead.statusCode, 503, dead.body);
    assert.equal(api.node.digest, digest);
    // What is stored is shown all the same, and what is told in full is taken.
    assert.equal((await api.json(`${types}/towns.json`)).featureType.name, 'towns');
    const box = { minx: 0, maxx: 1, miny: 0, maxy: 1, crs: 'EPSG:4326' };
    const full = {
      name: 'blind',
      nativeName: 'cities',
      srs: 'EPSG:4326',
      nativeBoundingBox: box,
      latLonBoundingBox: box,
    };
    assert.equal((await api.send('POST', types, { json: { featureType: full } })).statusCode, 201);
  });
});
