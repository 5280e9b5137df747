import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
before(async () => {
  api = await openTestApi();
});
after(() => api.close());

describe('workspaces', () => {
  test('none is an empty text, not an empty list', async () => {
    assert.deepEqual(await api.json('/workspaces'), { workspaces: '' });
    assert.equal((await api.send('GET', '/workspaces.xml')).body, '<workspaces/>');
  });

  test('a new one answers 201 with its name and place', async () => {
    const answer = await api.send('POST', '/workspaces', { json: { workspace: { name: 'topp' } } });
    assert.equal(answer.statusCode, 201);
    assert.equal(answer.body, 'topp');
    assert.equal(answer.headers.location, 'http://h/geoserver/rest/workspaces/topp');
    assert.match(String(answer.headers['content-type']), /^text\/plain/);
    assert.equal(answer.headers['x-graticule-position'], String(api.node.position));
  });

  test('one is a list of one', async () => {
    assert.deepEqual(await api.json('/workspaces.json'), {
      workspaces: { workspace: [{ name: 'topp', href: 'http://h/geoserver/rest/workspaces/topp.json' }] },
    });
  });

  test('in XML with an atom link', async () => {
    const { body, headers } = await api.send('GET', '/workspaces', { headers: { accept: 'application/xml' } });
    assert.equal(headers['content-type'], 'application/xml');
    assert.equal(
      body,
      `<workspaces>
  <workspace>
    <name>topp</name>
    <atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="alternate" href="http://h/geoserver/rest/workspaces/topp.xml" type="application/xml"/>
  </workspace>
</workspaces>`,
    );
  });

  test('one of them, with links to its stores, without its id', async () => {
    const { workspace } = await api.json('/workspaces/topp.json');
    const base = 'http://h/geoserver/rest/workspaces/topp';
    assert.match(workspace.dateCreated, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,3} UTC$/);
    delete workspace.dateCreated;
    assert.deepEqual(workspace, {
      name: 'topp',
      isolated: false,
      dataStores: `${base}/datastores.json`,
      coverageStores: `${base}/coveragestores.json`,
      wmsStores: `${base}/wmsstores.json`,
      wmtsStores: `${base}/wmtsstores.json`,
    });
  });

  test('the first is the default', async () => {
    assert.equal((await api.json('/workspaces/default.json')).workspace.name, 'topp');
    assert.equal((await api.json('/namespaces/default.json')).namespace.prefix, 'topp');
  });

  test('again is a conflict', async () => {
    const digest = api.node.digest;
    const answer = await api.send('POST', '/workspaces', { xml: '<workspace><name>topp</name></workspace>' });
    assert.equal(answer.statusCode, 409);
    assert.equal(answer.body, "Workspace 'topp' already exists");
    assert.equal(api.node.digest, digest);
  });

  test('another one, by XML, as the default', async () => {
    const answer = await api.send('POST', '/workspaces?default=True', {
      type: 'text/xml; charset=UTF-8',
      body: '<workspace><name>sf</name></workspace>',
    });
    assert.equal(answer.statusCode, 201);
    assert.equal((await api.json('/workspaces/default')).workspace.name, 'sf');
    const chosen = await api.send('PUT', '/workspaces/default', { json: { workspace: { name: 'topp' } } });
    assert.equal(chosen.statusCode, 200);
    assert.equal(chosen.body, '');
    assert.equal((await api.json('/workspaces/default')).workspace.name, 'topp');
  });

  test('its namespace comes with it', async () => {
    assert.deepEqual(await api.json('/namespaces/sf.json'), {
      namespace: { prefix: 'sf', uri: 'http://sf', isolated: false },
    });
    assert.equal((await api.json('/namespaces')).namespaces.namespace.length, 2);
  });

  test('renaming takes the namespace along', async () => {
    assert.equal((await api.send('PUT', '/workspaces/sf', { json: { workspace: { name: 's f' } } })).statusCode, 200);
    assert.equal((await api.send('GET', '/workspaces/sf')).statusCode, 404);
    assert.equal((await api.json('/workspaces/s%20f.json')).workspace.name, 's f');
    assert.equal((await api.json('/workspaces/s+f.json')).workspace.name, 's f');
    assert.equal((await api.json('/namespaces/s%20f.json')).namespace.prefix, 's f');
    const list = await api.json('/workspaces');
    assert.equal(list.workspaces.workspace[0].href, 'http://h/geoserver/rest/workspaces/s+f.json');
  });

  test('what is not there is told in words, or quietly', async () => {
    const loud = await api.send('GET', '/workspaces/nope.json');
    assert.deepEqual([loud.statusCode, loud.body], [404, "No such workspace: 'nope' found"]);
    const quiet = await api.send('GET', '/workspaces/nope.json?quietOnNotFound=true');
    assert.deepEqual([quiet.statusCode, quiet.body], [404, '']);
  });

  test('one with stores in it is only removed with them', async () => {
    await api.send('POST', '/workspaces', { json: { workspace: { name: 'full' } } });
    await api.send('POST', '/workspaces/full/datastores', {
      json: { dataStore: { name: 's', connectionParameters: { host: 'x' } } },
    });
    const refused = await api.send('DELETE', '/workspaces/full');
    assert.deepEqual([refused.statusCode, refused.body], [403, 'Workspace not empty']);
    assert.equal((await api.send('DELETE', '/workspaces/full?recurse=true')).statusCode, 200);
    assert.equal((await api.send('GET', '/workspaces/full')).statusCode, 404);
    assert.equal((await api.send('GET', '/namespaces/full')).statusCode, 404);
  });
});

describe('namespaces', () => {
  test('making one makes its workspace', async () => {
    const answer = await api.send('POST', '/namespaces', {
      json: { namespace: { prefix: 'nyc', uri: 'http://nyc.test' } },
    });
    assert.deepEqual([answer.statusCode, answer.body], [201, 'nyc']);
    assert.equal((await api.json('/workspaces/nyc')).workspace.name, 'nyc');
  });

  test('the URI can be changed, the prefix cannot', async () => {
    assert.equal(
      (await api.send('PUT', '/namespaces/nyc', { json: { namespace: { uri: 'http://new.test' } } })).statusCode,
      200,
    );
    assert.equal((await api.json('/namespaces/nyc')).namespace.uri, 'http://new.test');
    assert.equal((await api.send('PUT', '/namespaces/nyc', { json: { namespace: { prefix: 'x' } } })).statusCode, 403);
  });

  test('the default one cannot be removed', async () => {
    assert.equal((await api.send('DELETE', '/namespaces/default')).statusCode, 405);
    assert.equal((await api.send('DELETE', '/namespaces/nyc')).statusCode, 200);
    assert.equal((await api.send('GET', '/namespaces/nyc')).statusCode, 404);
  });
});
