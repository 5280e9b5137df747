import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { treePath } from '../tree/index.ts';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
before(async () => {
  api = await openTestApi();
  await api.send('POST', '/workspaces', { json: { workspace: { name: 'topp' } } });
});
after(() => api.close());

const file = (path: string) => Buffer.from(api.node.catalog.read(treePath(path)) ?? '').toString();
const parameters = async (store: string): Promise<Record<string, string>> => {
  const { dataStore } = await api.json(`/workspaces/topp/datastores/${store}.json`);
  const entries = [dataStore.connectionParameters.entry].flat();
  return Object.fromEntries(entries.map((entry: Record<string, string>) => [entry['@key'], entry.$]));
};

describe('data stores', () => {
  test('a new one is enabled and carries the namespace', async () => {
    const answer = await api.send('POST', '/workspaces/topp/datastores', {
      xml: `<dataStore><name>pg</name><enabled>false</enabled><connectionParameters>
        <host>db</host><port>5432</port><dbtype>postgis</dbtype><passwd>s3cret</passwd></connectionParameters></dataStore>`,
    });
    assert.deepEqual([answer.statusCode, answer.body], [201, 'pg']);
    assert.equal(answer.headers.location, 'http://h/geoserver/rest/workspaces/topp/datastores/pg');
    const { dataStore } = await api.json('/workspaces/topp/datastores/pg.json');
    assert.equal(dataStore.enabled, true);
    assert.equal(dataStore._default, false);
    assert.deepEqual(dataStore.workspace, { name: 'topp', href: 'http://h/geoserver/rest/workspaces/topp.json' });
    assert.equal(dataStore.featureTypes, 'http://h/geoserver/rest/workspaces/topp/datastores/pg/featuretypes.json');
    assert.deepEqual((await parameters('pg')).namespace, 'http://topp');
    assert.equal(dataStore.id, undefined);
  });

  test('its password is not shown, survives a read and write, and can be replaced', async () => {
    assert.match(file('workspaces/topp/pg/datastore.xml'), /<entry key="passwd">(plain:)?s3cret<\/entry>/);
    for (const path of ['.json', '.xml', '.html']) {
      const shown = (await api.send('GET', `/workspaces/topp/datastores/pg${path}`)).body;
      assert.ok(!shown.includes('s3cret'), path);
    }
    const read = (await api.send('GET', '/workspaces/topp/datastores/pg.xml')).body;
    assert.match(read, /<entry key="passwd">crypt1:/);
    const before = file('workspaces/topp/pg/datastore.xml');
    const changed = read.replace('<entry key="host">db</entry>', '<entry key="host">db2</entry>');
    assert.equal((await api.send('PUT', '/workspaces/topp/datastores/pg', { xml: changed })).statusCode, 200);
    const parametersIn = (text: string) => /<connectionParameters>[\s\S]*<\/connectionParameters>/.exec(text)![0];
    const after = file('workspaces/topp/pg/datastore.xml');
    assert.equal(parametersIn(after).replace('db2', 'db'), parametersIn(before));

    const { dataStore } = await api.json('/workspaces/topp/datastores/pg.json');
    const entries = dataStore.connectionParameters.entry.map((entry: Record<string, string>) =>
      entry['@key'] === 'passwd' ? { '@key': 'passwd', $: 'n3w' } : entry,
    );
    await api.send('PUT', '/workspaces/topp/datastores/pg', {
      json: { dataStore: { connectionParameters: { entry: entries } } },
    });
    assert.match(file('workspaces/topp/pg/datastore.xml'), /n3w/);
  });

  test("another store's placeholder is refused", async () => {
    const { passwd } = await parameters('pg');
    const answer = await api.send('POST', '/workspaces/topp/datastores', {
      json: { dataStore: { name: 'copy', connectionParameters: { passwd } } },
    });
    assert.equal(answer.statusCode, 400);
    assert.match(answer.body, /passwd/);
  });

  test('what nobody knows here survives, collections are replaced whole, the rest stays', async () => {
    await api.send('PUT', '/resource/workspaces/topp/pg/datastore.xml', {
      type: 'application/xml',
      body: file('workspaces/topp/pg/datastore.xml').replace(
        '</dataStore>',
        '  <novelty><a b="c">d</a></novelty>\n</dataStore>',
      ),
    });
    await api.send('PUT', '/workspaces/topp/datastores/pg', { json: { dataStore: { description: 'a database' } } });
    const { dataStore } = await api.json('/workspaces/topp/datastores/pg.json');
    assert.equal(dataStore.description, 'a database');
    assert.deepEqual(dataStore.novelty, { a: { '@b': 'c', $: 'd' } });
    assert.equal((await parameters('pg')).host, 'db2');
    await api.send('PUT', '/workspaces/topp/datastores/pg', {
      json: { dataStore: { enabled: false, connectionParameters: { host: 'alone' } } },
    });
    const now = await parameters('pg');
    assert.equal(now.host, 'alone');
    assert.equal(now.port, undefined);
    assert.match(file('workspaces/topp/pg/datastore.xml'), /<novelty><a b="c">d<\/a><\/novelty>/);
    assert.match(file('workspaces/topp/pg/datastore.xml'), /<enabled>false<\/enabled>/);
  });

  test('there is one of each name', async () => {
    const answer = await api.send('POST', '/workspaces/topp/datastores', { json: { dataStore: { name: 'pg' } } });
    assert.deepEqual([answer.statusCode, answer.body], [500, "Store 'pg' already exists in workspace 'topp'"]);
  });

  test('a list links to its items', async () => {
    assert.deepEqual(await api.json('/workspaces/topp/datastores'), {
      dataStores: { dataStore: [{ name: 'pg', href: 'http://h/geoserver/rest/workspaces/topp/datastores/pg.json' }] },
    });
    assert.deepEqual(await api.json('/workspaces/topp/coveragestores'), { coverageStores: '' });
  });

  test('a store can be renamed, reset and removed', async () => {
    assert.equal(
      (await api.send('PUT', '/workspaces/topp/datastores/pg', { json: { dataStore: { name: 'pg2' } } })).statusCode,
      200,
    );
    assert.equal((await api.send('GET', '/workspaces/topp/datastores/pg.json')).statusCode, 404);
    assert.equal((await api.send('POST', '/workspaces/topp/datastores/pg2/reset')).statusCode, 200);
    assert.equal((await api.send('DELETE', '/workspaces/topp/datastores/pg2?recurse=True&purge=all')).statusCode, 200);
    const gone = await api.send('GET', '/workspaces/topp/datastores/pg2.json');
    assert.deepEqual([gone.statusCode, gone.body], [404, 'No such datastore: topp,pg2']);
  });
});

describe('other stores', () => {
  test('a coverage store says for itself whether it is enabled', async () => {
    const json = {
      coverageStore: {
        name: 'dem',
        type: 'GeoTIFF',
        enabled: false,
        workspace: { name: 'topp' },
        url: 'file:data/dem.tif',
      },
    };
    assert.equal((await api.send('POST', '/workspaces/topp/coveragestores', { json })).statusCode, 201);
    const { coverageStore } = await api.json('/workspaces/topp/coveragestores/dem.json');
    assert.equal(coverageStore.enabled, false);
    assert.equal(coverageStore.url, 'file:data/dem.tif');
    assert.equal(coverageStore.coverages, 'http://h/geoserver/rest/workspaces/topp/coveragestores/dem/coverages.json');
  });

  test('a cascaded WMS keeps its name and hides its password', async () => {
    const json = {
      wmsStore: { name: 'remote', type: 'WMS', capabilitiesURL: 'http://x.test/wms?', user: 'u', password: 's3cret' },
    };
    assert.equal((await api.send('POST', '/workspaces/topp/wmsstores', { json })).statusCode, 201);
    const shown = (await api.send('GET', '/workspaces/topp/wmsstores/remote.json')).body;
    assert.ok(!shown.includes('s3cret'));
    assert.equal(
      (await api.send('PUT', '/workspaces/topp/wmsstores/remote', { type: 'application/json', body: shown }))
        .statusCode,
      200,
    );
    assert.match(file('workspaces/topp/remote/wmsstore.xml'), /s3cret/);
    const renamed = await api.send('PUT', '/workspaces/topp/wmsstores/remote', {
      json: { wmsStore: { name: 'other' } },
    });
    assert.equal(renamed.statusCode, 403);
    const layer = await api.send('POST', '/workspaces/topp/wmsstores/remote/wmslayers', {
      json: { wmsLayer: { name: 'states' } },
    });
    assert.equal(layer.statusCode, 201, layer.body);
    assert.equal((await api.json('/layers/topp:states.json')).layer.type, 'WMS');
    assert.equal((await api.json('/workspaces/topp/wmslayers')).wmsLayers.wmsLayer[0].name, 'states');
  });
});
