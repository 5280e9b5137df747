/** Settings that change while a node runs: real nodes in this process, on embedded logs and real ports, seen through HTTP. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { basic } from '../../../test/basic.ts';
import { temporaryFolder } from '../../../test/temporary-folder.ts';
import { eventually } from '../../../test/waiting.ts';
import { type Facts, silentLogger } from '../../base/index.ts';
import { openDataAccess } from '../../data/index.ts';
import type { Renderer } from '../../render/index.ts';
import { CONTEXT_PATH, openDoor } from '../../server/index.ts';
import { DirectoryLock } from '../directory-lock.ts';
import type { ServeOptions } from '../serve-options.ts';
import { openTls } from '../tls.ts';
import { Steering } from './steering.ts';

const folder = temporaryFolder('steering');
const ends: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const end of ends.toReversed()) await end();
});
process.env.GRATICULE_CLUSTER_SECRET = 'a secret for tests';

const renderer: Renderer = {
  draw: () => Promise.reject(new Error('nothing is drawn here')),
  stats: () => ({ children: 0, drawing: 0, waiting: 0, drawn: 0, failed: 0, restarts: 0 }),
  close: async () => {},
};

interface Tested {
  readonly steering: Steering;
  readonly port: number;
  readonly file: string;
  readonly events: { event: string; facts?: Facts }[];
  close(): Promise<void>;
}

async function open(
  name: string,
  flags: Partial<ServeOptions> = {},
  properties?: string,
  own = 'cluster',
): Promise<Tested> {
  const dataDir = path.join(folder, name);
  const clusterDir = path.join(dataDir, own);
  mkdirSync(path.join(clusterDir, 'cache'), { recursive: true });
  const file = path.join(clusterDir, 'cluster.properties');
  if (properties !== undefined) writeFileSync(file, properties);
  const events: Tested['events'] = [];
  const write = (event: string, facts?: Facts) => void events.push({ event, facts });
  const logger = { ...silentLogger, info: write, warn: write, error: write };
  const door = await openDoor({ port: 0, host: '127.0.0.1' });
  const given: ServeOptions = {
    dataDir,
    port: 0,
    role: 'both',
    log: 'embedded:',
    group: 'geoserver-cluster',
    renderProcesses: 1,
    logLevel: 'info',
    ...flags,
  };
  const data = openDataAccess({ dataDir, cacheDir: path.join(clusterDir, 'cache'), logger });
  const url = `http://127.0.0.1:${door.port}${CONTEXT_PATH}`;
  const lock = new DirectoryLock(dataDir);
  const steering = await Steering.open({
    host: {
      door,
      tls: openTls({}, logger),
      data,
      renderer,
      dataDir,
      clusterDir,
      url,
      logger,
      adminPassword: 'pw',
      lock,
    },
    input: { given, sourceOf: (option) => (option in flags ? 'command line' : undefined), env: {} },
    defaultName: name,
    onLost: (error) => assert.fail(String(error)),
  });
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    await steering.close(500);
    await data.close();
    lock.release();
  };
  ends.push(close);
  return { steering, port: door.port, file, events, close };
}

const send = (node: Tested, method: string, resource: string, body?: string, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${node.port}${CONTEXT_PATH}/rest${resource}`, {
    method,
    body,
    headers: {
      authorization: basic('admin', 'pw'),
      'content-type': body?.startsWith('{') ? 'application/json' : 'application/xml',
      ...headers,
    },
  });
const property = (name: string, value: string) => `<property name="${name}" value="${value}"/>`;
const post = (node: Tested, changes: Record<string, string>, headers?: Record<string, string>) =>
  send(
    node,
    'POST',
    '/cluster',
    `<properties>${Object.entries(changes)
      .map(([name, value]) => property(name, value))
      .join('')}</properties>`,
    headers,
  );
async function settings(node: Tested): Promise<Record<string, string>> {
  const { properties } = (await (await send(node, 'GET', '/cluster.json')).json()) as {
    properties: { property: { '@name': string; '@value': string }[] };
  };
  return Object.fromEntries(properties.property.map((each) => [each['@name'], each['@value']]));
}
const read = (node: Tested) => (existsSync(node.file) ? readFileSync(node.file, 'utf8') : '');

test('settings are shown as the extension shows them', async () => {
  const node = await open('shown', {}, '# mine\ncustom=1\nbrokerURL=failover:(tcp://u:pw@a:61616)\n');
  const values = await settings(node);
  assert.deepEqual(Object.fromEntries(Object.entries(values).slice(0, 15)), {
    instanceName: 'shown',
    group: 'geoserver-cluster',
    topicName: 'VirtualTopic.geoserver',
    brokerURL: 'failover:(tcp://a:61616)',
    embeddedBroker: 'enabled',
    embeddedBrokerProperties: 'embedded-broker.properties',
    xbeanURL: './broker.xml',
    toggleMaster: 'true',
    toggleSlave: 'true',
    readOnly: 'disabled',
    durable: 'true',
    connection: 'enabled',
    'connection.retry': '3',
    'connection.maxwait': '10000',
    CLUSTER_CONFIG_DIR: path.dirname(node.file),
  });
  assert.equal(values.custom, '1');
  const xml = await (await send(node, 'GET', '/cluster.xml')).text();
  assert.match(xml, /^<properties>\s*<property name="instanceName" value="shown"\/>/);
  const html = await (await send(node, 'GET', '/cluster.html')).text();
  assert.match(html, /^<!DOCTYPE html>.*<title>properties<\/title>.*<li>toggleMaster: true<\/li>/s);
  // What was read may be sent back: nothing changes, and nothing is lost.
  const same = await send(node, 'POST', '/cluster', xml);
  assert.equal(same.status, 201, await same.text());
  assert.equal(read(node), '# mine\ncustom=1\nbrokerURL=failover:(tcp://u:pw@a:61616)\n');
  assert.deepEqual(
    node.events.filter(({ event }) => event.startsWith('setting-')).map(({ event, facts }) => [event, facts!.key]),
    [
      ['setting-unknown', 'custom'],
      ['setting-without-effect', 'brokerURL'],
    ],
  );
  await node.close();
});

test('a posted switch holds at once, is remembered beside what was there, and is answered as the extension answers', async () => {
  const node = await open('switches', {}, '# ours\n\ninstanceName=switches\nconnection.retry=10\n');
  const answer = await post(node, { toggleSlave: 'disabled' });
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get('location'), `http://127.0.0.1:${node.port}/geoserver/rest/cluster`);
  const text = await answer.text();
  assert.match(text, /^\{toggleSlave=false\}\n/);
  assert.match(text, /no other primary is heard of/);
  assert.equal(node.steering.node.role, 'paused');
  assert.equal(
    read(node),
    '# ours\n\ninstanceName=switches\nconnection.retry=10\ntoggleMaster=true\ntoggleSlave=false\nrole=paused\n',
  );
  assert.equal((await send(node, 'POST', '/workspaces', '<workspace><name>x</name></workspace>')).status, 503);

  assert.equal((await post(node, { toggleSlave: 'true' })).status, 201);
  assert.equal(node.steering.node.role, 'both');
  const made = await send(node, 'POST', '/workspaces', '<workspace><name>x</name></workspace>');
  assert.equal(made.status, 201, await made.text());
  await node.close();

  const again = await open('switches');
  assert.equal(again.steering.node.role, 'both');
  await again.close();
});

test('a node becomes read-only where it has a cluster folder of its own', async () => {
  const node = await open('default-folder');
  const refused = await post(node, { readOnly: 'enabled' });
  assert.equal(refused.status, 409);
  assert.match(await refused.text(), /CLUSTER_CONFIG_DIR/);
  assert.equal(node.steering.node.status().readOnly, false);
  const made = await send(node, 'POST', '/workspaces', '<workspace><name>x</name></workspace>');
  assert.equal(made.status, 201, await made.text());
  await node.close();

  const other = await open('own-folder', {}, undefined, 'cluster/own');
  const workspace = (name: string) => path.join(folder, 'own-folder/workspaces', name, 'workspace.xml');
  const add = (name: string) => send(other, 'POST', '/workspaces', `<workspace><name>${name}</name></workspace>`);
  assert.equal((await add('written')).status, 201);
  assert.equal((await post(other, { readOnly: 'enabled' })).status, 201);
  assert.equal(other.steering.node.status().readOnly, true);
  assert.ok(existsSync(workspace('written')));
  // Another node may write the directory now.
  const lock = new DirectoryLock(path.join(folder, 'own-folder'));
  assert.ok(lock.tryTake());
  lock.release();
  assert.equal((await add('in-memory')).status, 201);
  assert.equal((await send(other, 'GET', '/workspaces/in-memory')).status, 200);
  await new Promise((resolve) => setTimeout(resolve, 800));
  assert.equal(existsSync(workspace('in-memory')), false);
  assert.equal((await post(other, { readOnly: 'disabled' })).status, 201);
  assert.equal(other.steering.node.status().readOnly, false);
  await other.steering.node.written();
  assert.ok(existsSync(workspace('in-memory')));
  await other.close();
});

test('the role, by its own resource', async () => {
  const node = await open('roles');
  const json = await send(node, 'PUT', '/cluster/role', '{"role":"replica"}', { accept: 'application/json' });
  assert.equal(json.status, 200);
  const told = (await json.json()) as { role: string; warnings: string[] };
  assert.equal(told.role, 'replica');
  assert.equal(told.warnings.length, 1);
  assert.equal(read(node), 'toggleMaster=false\ntoggleSlave=true\n');
  assert.deepEqual(await (await send(node, 'GET', '/cluster/role.json')).json(), { role: 'replica' });
  assert.equal((await send(node, 'POST', '/cluster/role', '<role>paused</role>')).status, 200);
  assert.equal(node.steering.node.role, 'paused');
  assert.equal((await settings(node)).role, 'paused');
  assert.equal((await send(node, 'GET', '/cluster/status.json')).status, 200);
  const bad = await send(node, 'PUT', '/cluster/role', '{"role":"master"}');
  assert.equal(bad.status, 400);
  assert.match(await bad.text(), /both, replica or paused/);
  await node.close();
  // What the file remembers gives way to the command line, which says so.
  const again = await open('roles', { role: 'both' });
  assert.equal(again.steering.node.role, 'both');
  assert.ok(again.events.some(({ event, facts }) => event === 'setting-overridden' && facts!.inFile === 'paused'));
  const answer = await post(again, { toggleMaster: 'false' });
  assert.match(await answer.text(), /role was given by the command line/);
  assert.equal(again.steering.node.role, 'replica');
  await again.close();
});

test('what is not understood changes nothing', async () => {
  const node = await open('wrong', {}, 'custom=1\n');
  const table: [changes: Record<string, string>, status: number, text: RegExp][] = [
    [{ toggelMaster: 'false', toggleSlave: 'false' }, 400, /"toggelMaster".*Known are instanceName, group/s],
    [{ custom: '2' }, 400, /"custom"/],
    [{ toggleMaster: 'perhaps' }, 400, /toggleMaster=perhaps: true or false/],
    [{ brokerURL: 'tcp://u:pw@a:61616' }, 400, /brokerURL=tcp:\/\/a:61616 is no log/],
    [{ brokerURL: 'ws://u:pw@a:1' }, 400, /secret does not belong/],
    [{ embeddedBroker: 'disabled' }, 400, /brokerURL is empty/],
    [{ CLUSTER_CONFIG_DIR: '/elsewhere' }, 400, /when the node starts/],
    [{ role: 'replica', toggleMaster: 'true' }, 201, /replica/],
  ];
  for (const [changes, status, text] of table.slice(0, -1)) {
    const answer = await post(node, changes);
    const said = await answer.text();
    assert.equal(answer.status, status, said);
    assert.match(said, text);
    assert.ok(!said.includes('pw'), said);
    assert.equal(read(node), 'custom=1\n');
    assert.equal(node.steering.node.role, 'both');
  }
  assert.equal((await send(node, 'POST', '/cluster', '<properties/>')).status, 400);
  assert.equal((await send(node, 'POST', '/cluster', '{"global":{}}')).status, 400);
  // Unknown and unchanged is only kept.
  assert.equal((await post(node, { custom: '1', durable: 'false' })).status, 201);
  assert.equal(read(node), 'custom=1\ndurable=false\n');
  await node.close();
});

test('a file that is edited by hand is noticed; nonsense in it changes nothing', async () => {
  const node = await open('edited', { role: 'both' }, '# before\ntoggleMaster=true\ntoggleSlave=true\n');
  writeFileSync(node.file, '# after\ntoggleMaster=false\ntoggleSlave=true\n');
  await eventually(() => assert.equal(node.steering.node.role, 'replica'));
  assert.equal(read(node), '# after\ntoggleMaster=false\ntoggleSlave=true\n');
  writeFileSync(node.file, 'toggleMaster=maybe\n');
  await eventually(() => assert.ok(node.events.some(({ event }) => event === 'settings-refused')));
  assert.equal(node.steering.node.role, 'replica');
  writeFileSync(node.file, '# paused\ntoggleMaster=true\ntoggleSlave=true\n');
  // A change that comes right after an edit keeps it.
  assert.equal((await post(node, { durable: 'false' })).status, 201);
  assert.equal(read(node), '# paused\ntoggleMaster=true\ntoggleSlave=true\ndurable=false\n');
  assert.equal(node.steering.node.role, 'both');
  writeFileSync(node.file, '# paused\ntoggleMaster=true\ntoggleSlave=true\n');
  await eventually(() => assert.equal(node.steering.node.role, 'both'));
  writeFileSync(node.file, '# paused\ntoggleMaster=true\ntoggleSlave=false\n');
  await eventually(() => assert.equal(node.steering.node.role, 'paused'));
  await eventually(() => assert.equal(read(node), '# paused\ntoggleMaster=true\ntoggleSlave=false\nrole=paused\n'));
  await node.close();
});

test('a node is opened again behind the same port, by another name and on another way to the log', async () => {
  const a = await open('A');
  const b = await open('B', { log: `ws://127.0.0.1:${a.port}`, name: 'B', adopt: true }, '# b\n');
  assert.equal((await send(a, 'POST', '/workspaces', '<workspace><name>one</name></workspace>')).status, 201);

  // Somebody reads all the time, and is never turned away.
  let reading = true;
  const seen = new Set<number>();
  const reader = (async () => {
    while (reading) {
      const answer = await fetch(
        `http://127.0.0.1:${b.port}/geoserver/wms?service=WMS&version=1.3.0&request=GetCapabilities`,
      );
      seen.add(answer.status);
      await answer.arrayBuffer();
    }
  })();
  const list = `failover:(ws://127.0.0.1:9,ws://127.0.0.1:${a.port})`;
  const answer = await post(b, { instanceName: 'B2', brokerURL: list }, { accept: 'application/json' });
  const told = (await answer.json()) as { changed: { key: string; effect: string }[]; warnings: string[] };
  assert.equal(answer.status, 201, JSON.stringify(told));
  assert.deepEqual(
    told.changed.map(({ key, effect }) => [key, effect]),
    [
      ['instanceName', 'reopened'],
      ['brokerURL', 'reopened'],
    ],
  );
  assert.match(told.warnings.join(), /command line/);
  reading = false;
  await reader;
  assert.deepEqual([...seen], [200]);

  assert.equal(b.steering.node.name, 'B2');
  assert.equal((await settings(b)).brokerURL, list);
  assert.equal(read(b), `# b\ninstanceName=B2\nbrokerURL=${list}\n`);
  assert.equal((await send(a, 'POST', '/workspaces', '<workspace><name>two</name></workspace>')).status, 201);
  assert.equal((await send(b, 'GET', '/workspaces/two.json')).status, 200);
  assert.equal((await send(b, 'POST', '/workspaces', '<workspace><name>three</name></workspace>')).status, 201);
  await eventually(() => assert.ok(a.steering.node.members().some(({ name }) => name === 'B2')));

  // A log that does not answer, and one that is not this cluster's.
  const before = read(b);
  for (const [changes, text] of [
    [{ brokerURL: 'ws://127.0.0.1:9' }, /cannot be used/],
    [{ brokerURL: '', embeddedBroker: 'enabled' }, /former settings/],
  ] as const) {
    const refusal = await post(b, changes);
    const said = await refusal.text();
    assert.equal(refusal.status, 409, said);
    assert.match(said, text);
    assert.equal(read(b), before);
    assert.equal((await settings(b)).brokerURL, list);
    const name = `after-${Object.keys(changes).length}`;
    const works = await send(b, 'POST', '/workspaces', `<workspace><name>${name}</name></workspace>`);
    assert.equal(works.status, 201, await works.text());
  }
  assert.ok(!existsSync(path.join(path.dirname(b.file), 'log')), 'a log was begun, and left');
  await b.close();
  await a.close();
});
