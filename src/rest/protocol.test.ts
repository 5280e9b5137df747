/** What holds for every endpoint: logins, methods, formats, bounds, and malformed input that changes nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { silentLogger, systemClock } from '../base/index.ts';
import type { Catalog } from '../catalog/index.ts';
import { memoryLog } from '../log/index.ts';
import { contentHash, treePath } from '../tree/index.ts';
import { openApiPath } from './openapi.ts';
import { ROUTES } from './register.ts';
import { openTestApi, type SendOptions, type TestApi } from './test-api.ts';

let api: TestApi;
before(async () => {
  api = await openTestApi();
  await api.send('POST', '/workspaces', { json: { workspace: { name: 'w' } } });
  await api.send('POST', '/workspaces/w/datastores', {
    json: { dataStore: { name: 's', connectionParameters: { host: 'x' } } },
  });
});
after(() => api.close());

describe('requests', () => {
  test('nobody is asked to log in', async () => {
    const answer = await api.app.inject({ method: 'GET', url: '/geoserver/rest/workspaces' });
    assert.equal(answer.statusCode, 401);
    assert.equal(answer.headers['www-authenticate'], 'Basic realm="GeoServer Realm"');
  });

  test('HEAD is a GET without a body, OPTIONS says what there is', async () => {
    const head = await api.send('HEAD', '/workspaces.json');
    assert.deepEqual([head.statusCode, head.body], [200, '']);
    const options = await api.send('OPTIONS', '/workspaces');
    assert.deepEqual([options.statusCode, options.headers.allow], [200, 'GET, POST, HEAD, OPTIONS']);
  });

  const refusals: [method: string, path: string, status: number, options?: SendOptions][] = [
    ['PATCH', '/workspaces', 405, { json: {} }],
    ['POST', '/layers', 405, { json: {} }],
    ['DELETE', '/workspaces', 405],
    ['GET', '/nothing/here', 404],
    ['GET', '/workspaces', 406, { headers: { accept: 'image/png' } }],
    ['POST', '/workspaces', 415, { type: 'image/png', body: 'x' }],
    ['POST', '/workspaces', 415, { type: 'application/x-www-form-urlencoded', body: 'name=x' }],
    ['POST', '/workspaces', 415, {}],
    ['DELETE', '/workspaces/w?recurse=perhaps', 400],
    ['GET', '/workspaces/w/datastores/nope.json', 404],
    ['GET', '/workspaces/nope/datastores', 404],
    ['GET', '/layers/nope', 404],
    ['PUT', '/layers/nope', 404, { json: { layer: {} } }],
    ['GET', '/styles/nope', 404],
    ['PUT', '/styles/nope', 404, { json: { style: {} } }],
    ['GET', '/layergroups/nope', 404],
    ['GET', '/workspaces/nope/styles', 404],
    ['GET', '/workspaces/w/featuretypes/nope.json', 404],
    ['GET', '/workspaces/w/coverages/nope.json', 404],
    ['GET', '/resource/styles/nope.png', 404],
    ['GET', '/services/wms/workspaces/w/settings', 404],
    ['GET', '/cluster/nodes/nope', 404],
    ['GET', '/about/status/nope', 404],
  ];
  for (const [method, path, status, options] of refusals)
    test(`${method} ${path} is ${status}`, async () => {
      const digest = api.node.digest;
      const answer = await api.send(method, path, options);
      assert.equal(answer.statusCode, status, answer.body);
      assert.match(String(answer.headers['content-type'] ?? 'text/plain'), /^text\/plain/);
      assert.equal(api.node.digest, digest);
    });
});

describe('malformed input changes nothing', () => {
  const bomb = `<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><workspace><name>&b;</name></workspace>`;
  const external = `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><workspace><name>&x;</name></workspace>`;
  const deep = `${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}`;
  const cases: [what: string, method: string, path: string, options: SendOptions, status: number, said?: RegExp][] = [
    ['no XML', 'POST', '/workspaces', { xml: '<workspace><name>x</workspace>' }, 400, /line 1, column/],
    [
      'no JSON',
      'POST',
      '/workspaces',
      { type: 'application/json', body: '{"workspace":{"name":"x"' },
      400,
      /line 1, column/,
    ],
    ['nothing', 'POST', '/workspaces', { type: 'application/json', body: '' }, 400],
    ['nothing in XML', 'POST', '/workspaces', { type: 'application/xml', body: '' }, 400],
    ['an entity bomb', 'POST', '/workspaces', { xml: bomb }, 400, /document type/],
    ['an external entity', 'POST', '/workspaces', { xml: external }, 400, /document type/],
    [
      'an external entity in a style',
      'POST',
      '/styles?name=x',
      { type: 'application/vnd.ogc.sld+xml', body: external },
      400,
    ],
    ['deep XML', 'POST', '/workspaces', { xml: deep }, 400, /nested/],
    ['deep JSON', 'POST', '/workspaces', { type: 'application/json', body: '{"a":'.repeat(5000) }, 400, /nested/],
    ['another root', 'POST', '/workspaces', { json: { name: 'x' } }, 400, /"name".*"workspace"/],
    ['an array', 'POST', '/workspaces', { json: [{ workspace: { name: 'x' } }] }, 400],
    ['no name', 'POST', '/workspaces', { json: { workspace: {} } }, 400, /name/],
    ['a name out of the folder', 'POST', '/workspaces', { json: { workspace: { name: '../x' } } }, 400],
    ['a name with a NUL', 'POST', '/workspaces', { json: { workspace: { name: 'a\u0000b' } } }, 400],
    ['the reserved name', 'POST', '/workspaces', { json: { workspace: { name: 'default' } } }, 400],
    ['a long name', 'POST', '/workspaces', { json: { workspace: { name: 'x'.repeat(5000) } } }, 400],
    [
      'a store out of the folder',
      'POST',
      '/workspaces/w/datastores',
      { json: { dataStore: { name: '../../x' } } },
      400,
    ],
    [
      'a store of another workspace',
      'POST',
      '/workspaces/w/datastores',
      { json: { dataStore: { name: 'a', workspace: { name: 'v' } } } },
      403,
    ],
    ['a style out of the folder', 'POST', '/styles', { json: { style: { name: 'x', filename: '../../x.sld' } } }, 400],
    [
      'a style name out of the folder',
      'POST',
      '/styles?name=..%2Fx',
      {
        type: 'application/vnd.ogc.sld+xml',
        body: '<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld"/>',
      },
      400,
    ],
    ['an encoded slash', 'GET', '/workspaces/a%2Fb', {}, 400],
    ['a broken escape', 'GET', '/workspaces/%zz', {}, 400],
    ['a file of the node', 'PUT', '/resource/cluster/state.json', { type: 'text/plain', body: '{}' }, 403],
    [
      'an unknown upload method',
      'PUT',
      '/workspaces/w/datastores/u/magic.shp',
      { type: 'application/zip', body: 'x' },
      400,
      /magic/,
    ],
    [
      'an unknown upload format',
      'PUT',
      '/workspaces/w/datastores/u/file.doc',
      { type: 'application/zip', body: 'x' },
      400,
      /Unsupported format/,
    ],
    [
      'no archive',
      'PUT',
      '/workspaces/w/datastores/u/file.shp',
      { type: 'application/zip', body: 'x'.repeat(100) },
      400,
      /zip/,
    ],
    [
      'a file name out of the folder',
      'PUT',
      '/workspaces/w/datastores/u/file.gpkg?filename=../x.gpkg',
      { type: 'application/octet-stream', body: 'x' },
      400,
    ],
    [
      'a URL that is none',
      'PUT',
      '/workspaces/w/datastores/u/url.shp',
      { type: 'text/plain', body: 'file:///etc/passwd' },
      400,
      /http/,
    ],
    [
      'an upload into nowhere',
      'PUT',
      '/workspaces/nope/datastores/u/file.shp',
      { type: 'application/zip', body: 'x' },
      404,
    ],
    [
      'an empty group',
      'POST',
      '/layergroups',
      { json: { layerGroup: { name: 'g', publishables: { published: [] } } } },
      400,
      /must not be empty/,
    ],
  ];
  for (const [what, method, path, options, status, said] of cases)
    test(what, async () => {
      const digest = api.node.digest;
      const answer = await api.send(method, path, options);
      assert.equal(answer.statusCode, status, answer.body);
      if (said !== undefined) assert.match(answer.body, said);
      assert.equal(api.node.digest, digest);
    });

  test('a path that leads out is refused as it stands, however it is written', async () => {
    const url = new URL(await api.app.listen({ port: 0, host: '127.0.0.1' }));
    for (const path of [
      '../x',
      '%2e%2e/%2e%2e/etc/passwd',
      'styles/%2E%2E/global.xml',
      '..%2f..%2fetc%2fpasswd',
      'styles%5c..',
    ]) {
      const socket = connect(Number(url.port), url.hostname);
      socket.end(
        `GET /geoserver/rest/resource/${path} HTTP/1.1\r\nHost: h\r\nX-User: admin\r\nConnection: close\r\n\r\n`,
      );
      let answer = '';
      for await (const chunk of socket) answer += chunk;
      assert.match(answer, /^HTTP\/1\.1 400 /, path);
    }
  });

  test('a body beyond the bound is refused before it is read', async () => {
    const digest = api.node.digest;
    let read = 0;
    const endless = new Readable({
      read() {
        read += 65536;
        this.push(Buffer.alloc(65536, 32));
      },
    });
    const answer = await api.app.inject({
      method: 'POST',
      url: '/geoserver/rest/workspaces',
      headers: { 'x-user': 'admin', 'content-type': 'application/xml', 'content-length': String(100 * 1024 * 1024) },
      payload: endless,
    });
    assert.equal(answer.statusCode, 413);
    assert.match(answer.body, /16 MiB/);
    assert.ok(read < 1024 * 1024, `${read} bytes were read`);
    assert.equal(api.node.digest, digest);
    endless.destroy();
  });
});

describe('the description', () => {
  test('says what is served, and nothing else', async () => {
    const { paths, openapi } = await api.json('/openapi.json');
    assert.equal(openapi, '3.1.0');
    const described = Object.entries<Record<string, unknown>>(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const served = ROUTES.map((route) => `${route.method} ${openApiPath(route)}`);
    assert.deepEqual(described.sort(), served.sort());
    assert.equal(new Set(served).size, served.length);
  });

  test('the home page links to the entry points', async () => {
    const page = await api.send('GET', '', { headers: { accept: 'text/html' } });
    assert.match(page.body, /<a href="http:\/\/h\/geoserver\/rest\/workspaces">workspaces<\/a>/);
  });
});

describe('the log of changes', () => {
  test('a change that is sent again with its key takes place once', async () => {
    const headers = { 'idempotency-key': 'k1' };
    const first = await api.send('POST', '/workspaces', { json: { workspace: { name: 'once' } }, headers });
    assert.equal(first.statusCode, 201);
    const { position } = api.node;
    await api.send('POST', '/workspaces', { json: { workspace: { name: 'once' } }, headers });
    assert.equal(api.node.position, position);
  });

  test('a replica refuses changes and names the primaries, and answers reads', async () => {
    const log = memoryLog();
    const primary = await openTestApi({ log: log.open() });
    await primary.send('POST', '/workspaces', { json: { workspace: { name: 'a' } } });
    const replica = await openTestApi({ log: log.open(), role: 'replica', name: 'two' });
    try {
      assert.equal((await replica.json('/workspaces/a')).workspace.name, 'a');
      const digest = replica.node.digest;
      const refused = await replica.send('POST', '/workspaces', { json: { workspace: { name: 'b' } } });
      assert.equal(refused.statusCode, 403);
      assert.match(refused.body, /primary/);
      assert.equal(replica.node.digest, digest);
      // What one node acknowledged, the other shows at once.
      await primary.send('POST', '/workspaces', { json: { workspace: { name: 'c' } } });
      assert.equal((await replica.send('GET', '/workspaces/c')).statusCode, 200);
    } finally {
      await replica.close();
      await primary.close();
    }
  });

  test('without the log: reads that need it and changes are 503, local reads go on', async () => {
    const log = memoryLog().open();
    const lonely = await openTestApi({ log });
    try {
      await lonely.send('POST', '/workspaces', { json: { workspace: { name: 'a' } } });
      log.partitioned = true;
      const digest = lonely.node.digest;
      const change = await lonely.send('POST', '/workspaces', { json: { workspace: { name: 'b' } } });
      assert.equal(change.statusCode, 503, change.body);
      assert.ok(Number(change.headers['retry-after']) >= 1);
      assert.equal((await lonely.send('GET', '/workspaces/a')).statusCode, 503);
      assert.equal((await lonely.send('GET', '/workspaces/a?consistency=local')).statusCode, 200);
      assert.equal(lonely.node.digest, digest);
      log.partitioned = false;
    } finally {
      await lonely.close();
    }
  });
});

describe('the cluster', () => {
  test("by the extension's keys", async () => {
    const { properties } = await api.json('/cluster.json');
    const byName = Object.fromEntries(
      properties.property.map((p: Record<string, string>) => [p['@name'], p['@value']]),
    );
    assert.equal(byName.instanceName, 'one');
    assert.equal(byName.toggleMaster, 'true');
    assert.equal(byName.toggleSlave, 'true');
    assert.match((await api.send('GET', '/cluster.xml')).body, /<property name="instanceName" value="one"\/>/);
  });

  test('is changed by administrators only, and where settings are kept', async () => {
    const changes: [method: string, path: string, body: string][] = [
      ['PUT', '/cluster/role', '<role>paused</role>'],
      ['POST', '/cluster', '<properties><property name="toggleMaster" value="false"/></properties>'],
    ];
    for (const [method, path, xml] of changes) {
      const editor = await api.send(method, path, { xml, headers: { 'x-user': 'editor' } });
      assert.deepEqual([editor.statusCode, editor.body.includes('administrator')], [403, true]);
      assert.equal((await api.send(method, path, { xml })).statusCode, 403);
    }
    assert.equal(api.node.role, 'both');
  });

  test('status and nodes', async () => {
    const { status } = await api.json('/cluster/status');
    assert.deepEqual(
      [status.name, status.role, status.position, status.digest],
      ['one', 'both', api.node.position, api.node.digest],
    );
    const { nodes } = await api.json('/cluster/nodes.json');
    const [one] = nodes.node;
    assert.deepEqual([one.name, one.state, one.lag, one.lagSeconds], ['one', 'in-step', 0, 0]);
    const xml = await api.xml('/cluster/status.xml');
    assert.equal(xml.child('counts')?.childText('divergences'), '0');
  });
});

test('a divergence is told with its files', async () => {
  const log = memoryLog();
  const [one, two] = [await openTestApi({ log: log.open() }), await openTestApi({ log: log.open(), name: 'two' })];
  try {
    assert.deepEqual((await two.json('/cluster/divergences')).divergences.divergence, []);
    const wrong = Buffer.from('wrong');
    const { tree } = (two.node.catalog as Catalog).base;
    const pending = { kind: 'inline' as const, bytes: wrong };
    tree.layer.put(treePath('styles/wrong.sld'), { hash: contentHash(wrong), size: 5, pending }, [], []);
    const made = { json: { workspace: { name: 'w' } } };
    assert.equal((await one.send('POST', '/workspaces', made)).statusCode, 201);
    const deadline = Date.now() + 10_000;
    while (two.node.divergences()[0]?.mended === undefined && Date.now() < deadline) await systemClock.sleep(10);
    const [told] = (await two.json('/cluster/divergences')).divergences.divergence;
    assert.deepEqual(told.mended.paths, ['styles/wrong.sld']);
    const xml = await two.xml('/cluster/divergences.xml');
    assert.equal(xml.child('divergence')?.child('mended')?.child('paths')?.childText('item'), 'styles/wrong.sld');
  } finally {
    await Promise.all([one.close(), two.close()]);
  }
});

describe('versions', () => {
  test('clients find the version of GeoServer', async () => {
    const { about } = await api.json('/about/version.json');
    assert.equal(about.resource[0]['@name'], 'GeoServer');
    assert.match(String(about.resource[0].Version), /^2\.27/);
    const xml = await api.xml('/about/version.xml');
    assert.match(xml.elements.find((r) => r.attribute('name') === 'GeoServer')!.childText('Version')!, /^2\.27\.0$/);
    const { about: all } = await api.json('/about/manifest.json?manifest=fast.*');
    assert.equal(all.resource[0]['@name'], 'fastify');
  });
});

describe('forwarding', () => {
  test('a replica that forwards changes answers with what the primary says, and reads itself', async () => {
    const log = memoryLog();
    const primary = await openTestApi({ log: log.open() });
    const replica = await openTestApi({
      log: log.open(),
      role: 'replica',
      name: 'two',
      dependencies: {
        forward: async (request, reply) => {
          const body: Buffer[] = [];
          for await (const chunk of request.raw) body.push(chunk as Buffer);
          const answer = await primary.app.inject({
            method: request.method as 'POST',
            url: request.url,
            headers: request.headers as Record<string, string>,
            payload: Buffer.concat(body),
          });
          return reply
            .code(answer.statusCode)
            .headers({ 'content-type': String(answer.headers['content-type']) })
            .send(answer.body);
        },
      },
    });
    try {
      const made = await replica.send('POST', '/workspaces', { json: { workspace: { name: 'a' } } });
      assert.deepEqual([made.statusCode, made.body], [201, 'a']);
      assert.equal((await replica.send('GET', '/workspaces/a')).statusCode, 200);
      assert.equal((await replica.send('POST', '/reset')).statusCode, 200);
    } finally {
      await replica.close();
      await primary.close();
    }
  });
});

test('a client that goes in the middle of a body is no failure of the server', async () => {
  const errors: string[] = [];
  const logger = { ...silentLogger, error: (event: string) => void errors.push(event) };
  const own = await openTestApi({ dependencies: { logger } });
  try {
    await own.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = own.app.server.address() as { port: number };
    const answered = new Promise<void>((resolve) =>
      own.app.server.once('request', (_, response) => response.once('close', resolve)),
    );
    const client = connect(port, '127.0.0.1');
    client.on('error', () => {});
    const head = ['PUT /geoserver/rest/resource/a.txt HTTP/1.1', 'host: h', 'x-user: admin', 'content-length: 1000'];
    client.write(`${head.join('\r\n')}\r\n\r\nthe beginning`);
    await once(own.app.server, 'request');
    client.resetAndDestroy();
    await answered;
    assert.equal((await own.send('GET', '/resource/a.txt')).statusCode, 404);
    assert.deepEqual(errors, []);
  } finally {
    await own.close();
  }
});
