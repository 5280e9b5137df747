import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { REAL_DATA } from '../../test/real-data.ts';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
before(async () => {
  api = await openTestApi({
    files: {
      'global.xml': `<global>
  <settings>
    <id>SettingsInfoImpl-1</id>
    <contact><contactOrganization>Example</contactOrganization></contact>
    <charset>UTF-8</charset>
    <numDecimals>8</numDecimals>
    <verbose>false</verbose>
    <metadata><map><entry><string>quietOnNotFound</string><boolean>false</boolean></entry></map></metadata>
    <novelty>kept</novelty>
  </settings>
  <updateSequence>12</updateSequence>
  <adminPassword>s3cret</adminPassword>
  <globalServices>true</globalServices>
</global>`,
      'logging.xml':
        '<logging><level>DEFAULT_LOGGING</level><location>logs/geoserver.log</location><stdOutLogging>true</stdOutLogging></logging>',
      'wms.xml':
        '<wms>\n  <id>wms</id>\n  <enabled>true</enabled>\n  <name>WMS</name>\n  <title>Maps</title>\n  <srs>\n    <string>4326</string>\n  </srs>\n  <maxBuffer>25</maxBuffer>\n  <novelty>kept</novelty>\n</wms>',
    },
  });
  await api.send('POST', '/workspaces', { json: { workspace: { name: 'w' } } });
});
after(() => api.close());

describe('settings', () => {
  test('global ones, with their id and without old passwords', async () => {
    const { global } = await api.json('/settings.json');
    assert.equal(global.settings.id, 'SettingsInfoImpl-1');
    assert.deepEqual(global.settings.metadata, { map: { entry: { string: 'quietOnNotFound', boolean: false } } });
    assert.equal(global.updateSequence, 12);
    assert.equal(global.adminPassword, undefined);
  });

  test('a change keeps what it does not name', async () => {
    const { global } = await api.json('/settings.json');
    const settings = { ...global.settings, numDecimals: 4 };
    assert.equal((await api.send('PUT', '/settings', { json: { global: { settings } } })).statusCode, 200);
    const after = (await api.json('/settings.json')).global;
    assert.equal(after.settings.numDecimals, 4);
    assert.equal(after.globalServices, true);
    assert.equal(after.updateSequence, 12);
    const file = (await api.send('GET', '/resource/global.xml')).body;
    assert.match(file, /s3cret/);
  });

  test('contact fields are laid over one by one', async () => {
    assert.deepEqual(await api.json('/settings/contact.json'), { contact: { contactOrganization: 'Example' } });
    assert.equal(
      (await api.send('PUT', '/settings/contact', { json: { contact: { contactEmail: 'a@example.test' } } }))
        .statusCode,
      200,
    );
    assert.deepEqual(await api.json('/settings/contact'), {
      contact: { contactEmail: 'a@example.test', contactOrganization: 'Example' },
    });
  });

  test('logging', async () => {
    assert.equal(
      (await api.send('PUT', '/logging', { json: { logging: { level: 'QUIET_LOGGING' } } })).statusCode,
      200,
    );
    assert.deepEqual(await api.json('/logging'), {
      logging: { level: 'QUIET_LOGGING', location: 'logs/geoserver.log', stdOutLogging: true },
    });
  });

  test("a workspace's own come, change and go", async () => {
    assert.equal((await api.json('/workspaces/w/settings.json')).settings.charset, 'UTF-8');
    const made = await api.send('POST', '/workspaces/w/settings', {
      json: { settings: { charset: 'UTF-8', numDecimals: 3 } },
    });
    assert.deepEqual([made.statusCode, made.body], [201, 'w']);
    assert.equal((await api.send('POST', '/workspaces/w/settings', { json: { settings: {} } })).statusCode, 500);
    await api.send('PUT', '/workspaces/w/settings', { json: { settings: { verbose: true } } });
    const { settings } = await api.json('/workspaces/w/settings');
    assert.deepEqual([settings.numDecimals, settings.verbose, settings.workspace.name], [3, true, 'w']);
    assert.equal((await api.send('DELETE', '/workspaces/w/settings')).statusCode, 200);
    assert.equal((await api.send('DELETE', '/workspaces/w/settings')).statusCode, 500);
  });

  test('quietOnNotFound of the settings holds for every request', async () => {
    const { global } = await api.json('/settings.json');
    const settings = { ...global.settings, metadata: { map: { entry: { string: 'quietOnNotFound', boolean: true } } } };
    await api.send('PUT', '/settings', { json: { global: { settings } } });
    assert.equal((await api.send('GET', '/layers/nope.json')).body, '');
  });
});

describe('services', () => {
  test('are shown without their id and changed without losing anything', async () => {
    const before = await api.json('/services/wms/settings.json');
    assert.deepEqual(before.wms, {
      enabled: true,
      name: 'WMS',
      title: 'Maps',
      srs: { string: 4326 },
      maxBuffer: 25,
      novelty: 'kept',
    });
    const put = await api.send('PUT', '/services/wms/settings', {
      json: { wms: { title: 'More maps', srs: { string: ['4326', '3857'] } } },
    });
    assert.equal(put.statusCode, 200, put.body);
    const { wms } = await api.json('/services/wms/settings.json');
    assert.deepEqual(
      [wms.title, wms.srs, wms.maxBuffer, wms.novelty],
      ['More maps', { string: [4326, 3857] }, 25, 'kept'],
    );
  });

  test('of a workspace', async () => {
    const path = '/services/wms/workspaces/w/settings';
    assert.equal((await api.send('GET', path)).statusCode, 404);
    assert.equal((await api.send('PUT', path, { json: { wms: { enabled: true, title: 'Own' } } })).statusCode, 200);
    const { wms } = await api.json(`${path}.json`);
    assert.deepEqual([wms.title, wms.workspace.name], ['Own', 'w']);
    assert.equal((await api.send('DELETE', path)).statusCode, 200);
    assert.equal((await api.send('DELETE', path)).statusCode, 200);
    assert.equal((await api.send('GET', path)).statusCode, 404);
  });
});

describe('resources', () => {
  test('a file is written, read, moved, copied and removed', async () => {
    const put = await api.send('PUT', '/resource/templates/a%20b.ftl', { type: 'text/plain', body: 'hello' });
    assert.equal(put.statusCode, 201);
    const got = await api.send('GET', '/resource/templates/a%20b.ftl');
    assert.equal(got.body, 'hello');
    assert.match(String(got.headers['content-type']), /^text\/plain/);
    assert.equal(got.headers['resource-type'], 'resource');
    assert.equal(
      (
        await api.send('PUT', '/resource/templates/c.ftl?operation=copy', {
          type: 'text/plain',
          body: '/templates/a b.ftl',
        })
      ).statusCode,
      201,
    );
    assert.equal(
      (await api.send('PUT', '/resource/more/d.ftl?operation=MOVE', { type: 'text/plain', body: 'templates/c.ftl' }))
        .statusCode,
      201,
    );
    assert.equal((await api.send('GET', '/resource/more/d.ftl')).body, 'hello');
    assert.equal((await api.send('GET', '/resource/templates/c.ftl')).statusCode, 404);
    assert.equal(
      (await api.send('PUT', '/resource/x?operation=copy', { type: 'text/plain', body: 'more' })).statusCode,
      405,
    );
    assert.equal(
      (await api.send('PUT', '/resource/x?operation=copy', { type: 'text/plain', body: 'none' })).statusCode,
      404,
    );
    assert.equal((await api.send('PUT', '/resource/templates', { type: 'text/plain', body: 'x' })).statusCode, 405);
    assert.equal((await api.send('DELETE', '/resource/more')).statusCode, 200);
    const gone = await api.send('DELETE', '/resource/more');
    assert.deepEqual([gone.statusCode], [404]);
  });

  test('a folder is a list, even of one', async () => {
    const { ResourceDirectory } = await api.json('/resource/templates?format=json');
    assert.equal(ResourceDirectory.name, 'templates');
    assert.equal(ResourceDirectory.parent.path, '/');
    assert.deepEqual(ResourceDirectory.children.child, [
      {
        name: 'a b.ftl',
        link: {
          href: 'http://h/geoserver/rest/resource/templates/a+b.ftl?format=json',
          rel: 'alternate',
          type: 'application/json',
        },
      },
    ]);
    assert.match((await api.send('GET', '/resource?format=xml')).body, /<ResourceDirectory>/);
  });

  test('what is there is told without an error', async () => {
    const kind = async (path: string) =>
      (await api.json(`/resource/${path}?operation=metadata&format=json`)).ResourceMetadata.type;
    assert.equal(await kind('templates'), 'directory');
    assert.equal(await kind('global.xml'), 'resource');
    assert.equal(await kind('nope'), 'undefined');
  });
});

describe('maintenance', () => {
  test('reload and reset answer 200', async () => {
    for (const path of ['/reload', '/reset'])
      for (const method of ['POST', 'PUT']) assert.equal((await api.send(method, path)).statusCode, 200);
  });

  test('fonts are a list', async () => {
    const { fonts } = await api.json('/fonts.json');
    assert.ok(Array.isArray(fonts));
  });
});

const RELEASE = `${REAL_DATA}/geoserver-release-2.27`;

test("GeoServer's own directory is shown whole, and writing what was read changes nothing but dates", {
  skip: existsSync(RELEASE) ? false : `${RELEASE} is not there`,
}, async () => {
  const release = await openTestApi({ from: RELEASE });
  try {
    const broken: string[] = [];
    const seen: string[] = [];
    const visit = async (url: string): Promise<void> => {
      const path = url.slice('http://h/geoserver/rest'.length);
      if (seen.includes(path)) return;
      seen.push(path);
      const answer = await release.send('GET', path);
      if (answer.statusCode !== 200) broken.push(`${path}: ${answer.statusCode} ${answer.body.slice(0, 100)}`);
      else
        for (const [, href] of answer.body.matchAll(/"(http:\/\/h\/geoserver\/rest\/[^"]+\.json)"/g))
          await visit(href!);
    };
    for (const list of ['workspaces', 'namespaces', 'layers', 'layergroups', 'styles', 'settings'])
      await visit(`http://h/geoserver/rest/${list}.json`);
    assert.deepEqual(broken, []);
    assert.ok(seen.length > 100, `${seen.length} seen`);

    const items = seen.filter((path) =>
      /\/(?:datastores|coveragestores|featuretypes|coverages|layers|layergroups|styles)\/[^/]+\.json$/.test(path),
    );
    const withoutDates = (text: string) => text.replace(/"dateModified":"[^"]*",?/, '').replace(/,}/g, '}');
    for (const path of items) {
      const { body } = await release.send('GET', path);
      const put = await release.send('PUT', path.replace(/\.json$/, ''), { type: 'application/json', body });
      assert.equal(put.statusCode, 200, `${path}: ${put.body}`);
      assert.equal(withoutDates((await release.send('GET', path)).body), withoutDates(body), path);
    }
  } finally {
    await release.close();
  }
});
