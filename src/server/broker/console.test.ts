/** The console over HTTP, on brokers that share a real folder, with a client of their log that appends. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { type Facts, silentLogger, UserError } from '../../base/index.ts';
import { type Broker, type ChangeLog, openBroker, openStore, openWebSocketLog } from '../../log/index.ts';
import { type Change, encodeRecord, type FileOperation, type Position, type TreePath } from '../../tree/index.ts';
import { type Door, openDoor } from '../index.ts';
import { type RunningConsole, startConsole } from './console.ts';
import { lagOf } from './lag.ts';
import { consolePassword } from './password.ts';
import { detailsOf, summaryOf } from './records.ts';
import { consoleRoutes, type GroupView, type RecordList } from './routes.ts';

const PASSWORD = 'correct horse: battery';
const GROUP = 'maps & more';
const folder = mkdtempSync(path.join(tmpdir(), 'graticule-console-'));

interface TestBroker {
  readonly url: string;
  readonly door: Door;
  readonly broker: Broker;
  readonly console: RunningConsole;
  readonly said: { readonly event: string; readonly facts: Facts | undefined }[];
}

async function startBroker(name: string): Promise<TestBroker> {
  const said: TestBroker['said'] = [];
  const say = (event: string, facts?: Facts) => void said.push({ event, facts });
  const logger = { debug() {}, info: say, warn: say, error: say };
  const door = await openDoor({ port: 0, host: '127.0.0.1' });
  const url = `http://localhost:${door.port}`;
  const store = await openStore({ place: path.join(folder, 'store'), leaseMs: 2000 });
  const broker = openBroker({
    store,
    name,
    url,
    logUrl: url.replace('http', 'ws'),
    version: '0',
    server: door.server,
    secret: 'a secret of the cluster',
    beatMs: 50,
    logger: silentLogger,
  });
  return { url, door, broker, said, console: await startConsole({ door, broker, password: PASSWORD, logger }) };
}

let a: TestBroker;
let b: TestBroker;
let log: ChangeLog;

const authorization = `Basic ${Buffer.from(`admin:${PASSWORD}`).toString('base64')}`;

async function ask(
  at: TestBroker,
  method: string,
  resource: string,
  options: { readonly json?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
) {
  const { json, headers = { authorization } } = options;
  const answer = await fetch(at.url + resource, {
    method,
    headers: { ...headers, ...(json === undefined ? {} : { 'content-type': 'application/json' }) },
    body: json === undefined ? undefined : JSON.stringify(json),
  });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type')?.startsWith('application/json') ?? false;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  return { status: answer.status, headers: answer.headers, text, body: (isJson ? JSON.parse(text) : undefined) as any };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 10_000; !(await holds()); await new Promise((r) => setTimeout(r, 20)))
    assert.ok(performance.now() < deadline, `not within ten seconds: ${holds}`);
}

const inGroup = (more = '') => `/rest/broker/groups/${encodeURIComponent(GROUP)}${more}`;

const put = (path: string, text: string | Uint8Array): FileOperation => ({
  kind: 'put',
  path: path as TreePath,
  content: { kind: 'inline', bytes: Buffer.from(text) },
});

function record(why: string, operations: readonly FileOperation[]): Uint8Array {
  const change: Change = {
    id: `id of ${why}`,
    at: '2026-05-31T10:00:00.000Z',
    by: 'ann',
    address: '10.0.0.7',
    node: 'node-1',
    why,
    operations,
  };
  return encodeRecord({ format: 1, kind: 'changes', changes: [change], digest: 'd'.repeat(64) as never });
}

before(async () => {
  a = await startBroker('a');
  await until(async () => (await a.broker.status()).state === 'active');
  b = await startBroker('b');
  await until(async () => (await a.broker.status()).brokers.some(({ state }) => state === 'waiting'));
  log = openWebSocketLog({
    url: `ws://localhost:${a.door.port}`,
    secret: 'a secret of the cluster',
    group: GROUP,
    name: 'node-1',
  });
  await log.append(
    0 as Position,
    encodeRecord({
      format: 1,
      kind: 'genesis',
      logId: 'log-7',
      snapshot: { hash: 'a'.repeat(64) as never, size: 1 },
      digest: 'd'.repeat(64) as never,
      at: '2026-05-31T09:00:00.000Z',
      node: 'node-1',
    }),
  );
  await log.append(
    1 as Position,
    record('PUT /geoserver/rest/workspaces/ne', [
      put('workspaces/ne/pg/datastore.xml', '<dataStore><entry key="passwd">hunter2</entry></dataStore>'),
      put('security/usergroup/default/users.xml', '<user name="ann" password="plain:hunter2"/>'),
      put('styles/icon.png', Uint8Array.of(0x89, 0x50, 0, 0xff)),
      {
        kind: 'put',
        path: 'data/a.tif' as TreePath,
        content: { kind: 'blob', hash: 'b'.repeat(64) as never, size: 9 },
      },
      { kind: 'delete', path: 'styles/old.sld' as TreePath },
      { kind: 'move', from: 'workspaces/x' as TreePath, to: 'workspaces/y' as TreePath },
    ]),
  );
  await log.append(2 as Position, Buffer.from('no record at all'));
  for (const at of [3, 4]) await log.append(at as Position, record(`change ${at + 1}`, [put('a.txt', String(at))]));
});
after(async () => {
  await log?.close();
  for (const each of [a, b]) {
    await each?.console.close(100);
    await each?.broker.close();
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

describe('who may come in', () => {
  test('everything about groups needs a login, and there is one account', async () => {
    for (const route of consoleRoutes) {
      const at = `/rest${route.path.replace('{group}', 'g').replace('{position}', '1')}`;
      const { status, headers } = await ask(a, route.method, at, { headers: {} });
      assert.equal(status, 401, at);
      assert.match(headers.get('www-authenticate') ?? '', /^Basic/);
    }
    for (const login of [`root:${PASSWORD}`, 'admin:', 'admin:geoserver', 'x']) {
      const basic = `Basic ${Buffer.from(login).toString('base64')}`;
      assert.equal((await ask(a, 'GET', '/rest/broker', { headers: { authorization: basic } })).status, 401, login);
    }
    assert.equal((await ask(a, 'GET', '/rest/broker')).status, 200);
  });

  test('a session begins with the password and ends when it is ended', async () => {
    const wrong = await ask(a, 'POST', '/rest/broker/session', {
      json: { user: 'admin', password: 'no' },
      headers: {},
    });
    assert.deepEqual([wrong.status, wrong.body.code], [401, 'login-refused']);
    const right = await ask(a, 'POST', '/rest/broker/session', {
      json: { user: 'admin', password: PASSWORD },
      headers: {},
    });
    assert.equal(right.status, 200);
    const [cookie] = right.headers.getSetCookie();
    assert.match(cookie!, new RegExp(`^graticule-broker-${a.door.port}=[\\w-]{40,}; .*HttpOnly; SameSite=Strict$`));
    const session = { cookie: cookie!.split(';')[0]! };
    assert.equal((await ask(a, 'GET', '/rest/broker', { headers: session })).status, 200);
    assert.equal((await ask(b, 'GET', '/rest/broker', { headers: session })).status, 401);
    await ask(a, 'DELETE', '/rest/broker/session', { headers: session });
    assert.equal((await ask(a, 'GET', '/rest/broker', { headers: session })).status, 401);
  });

  test('no page of another site can change anything', async () => {
    const signedIn = await ask(a, 'POST', '/rest/broker/session', {
      json: { user: 'admin', password: PASSWORD },
      headers: {},
    });
    const cookie = signedIn.headers.getSetCookie()[0]!.split(';')[0]!;
    const table: [headers: Record<string, string>, status: number][] = [
      [{ cookie }, 403],
      [{ cookie, origin: 'https://evil.example' }, 403],
      [{ authorization, origin: 'https://evil.example' }, 403],
      [{ cookie, origin: a.url, 'x-graticule-console': 'page' }, 200],
      [{ authorization }, 200],
    ];
    for (const [headers, status] of table) {
      const answer = await ask(a, 'POST', inGroup('/resume'), { json: {}, headers });
      assert.equal(answer.status, status, JSON.stringify(headers));
    }
    // A page would have to ask first, and is told nothing that permits it.
    const asked = await fetch(a.url + inGroup('/resume'), {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    assert.equal(asked.headers.get('access-control-allow-origin'), null);
  });

  test('a body that is no JSON is not taken for one', async () => {
    const form = await fetch(a.url + inGroup('/pause'), {
      method: 'POST',
      headers: { authorization, 'content-type': 'text/plain' },
      body: '{"reason":"x"}',
    });
    assert.equal(form.status, 400);
  });
});

describe('what is shown', () => {
  test('groups, nodes and brokers', async () => {
    const { body: status } = await ask(a, 'GET', '/rest/broker');
    assert.deepEqual(
      status.brokers.map(({ name, state }: { name: string; state: string }) => [name, state]),
      [
        ['a', 'active'],
        ['b', 'waiting'],
      ],
    );
    await log.announce({ name: 'node-1', position: 3, state: 'behind', lagSeconds: 2 } as never);
    const { body } = await ask(a, 'GET', '/rest/broker/groups');
    const [group] = body.groups as GroupView[];
    assert.deepEqual([group!.group, group!.head, group!.trimmed], [GROUP, 5, 0]);
    const { nodes } = (await ask(a, 'GET', inGroup('/nodes'))).body as GroupView;
    assert.deepEqual(
      nodes.map(({ name, connected, lag }) => ({ name, connected, lag })),
      [{ name: 'node-1', connected: true, lag: 2 }],
    );
    assert.equal((await ask(a, 'GET', '/rest/broker/groups/other')).status, 404);
  });

  test('how far behind a node is', () => {
    const table: [state: string | undefined, position: number, sent: number | undefined, lag: number | undefined][] = [
      [undefined, 0, 10, undefined],
      ['in-step', 8, undefined, 2],
      ['in-step', 8, 10, 0],
      ['in-step', 11, 10, 0],
      ['behind', 8, 10, 2],
      ['stopped', 3, 10, 7],
    ];
    for (const [state, position, sent, lag] of table) {
      const status = state === undefined ? undefined : ({ state, position } as never);
      assert.equal(lagOf({ status, sent }, 10), lag, JSON.stringify([state, position, sent]));
    }
  });

  test('records in pages, the newest by default', async () => {
    const newest = (await ask(a, 'GET', inGroup('/records?limit=2'))).body as RecordList;
    assert.deepEqual(
      newest.records.map(({ position }) => position),
      [4, 5],
    );
    assert.equal(newest.records[1]!.changes[0]!.why, 'change 5');
    const { records } = (await ask(a, 'GET', inGroup('/records?after=0'))).body as RecordList;
    assert.deepEqual(
      records.map(({ kind }) => kind),
      ['genesis', 'changes', 'unreadable', 'changes', 'changes'],
    );
    assert.deepEqual(records[1]!.changes[0]!.operationCount, 6);
    assert.deepEqual(((await ask(a, 'GET', inGroup('/records?after=5'))).body as RecordList).records, []);
    const three = (await ask(a, 'GET', inGroup('/records?after=1&limit=3'))).body as RecordList;
    assert.deepEqual(
      three.records.map(({ position }) => position),
      [2, 3, 4],
    );
    for (const query of ['limit=0', 'limit=501', 'after=-1', 'after=x'])
      assert.equal((await ask(a, 'GET', inGroup(`/records?${query}`))).status, 400, query);
  });

  test('a record that is very long is listed and left alone', () => {
    const body = Buffer.alloc(5 * 1024 * 1024);
    for (const shown of [summaryOf({ position: 9 as Position, body }), detailsOf({ position: 9 as Position, body })]) {
      assert.deepEqual([shown.kind, shown.bytes, shown.changes], ['long', body.length, []]);
      assert.match(shown.reason ?? '', /graticule show 9/);
    }
  });

  test('a record without any secret', async () => {
    const { text, body } = await ask(a, 'GET', inGroup('/records/2'));
    assert.doesNotMatch(text, /hunter2/);
    const [change] = body.changes;
    assert.deepEqual([change.by, change.address, change.node], ['ann', '10.0.0.7', 'node-1']);
    assert.deepEqual(change.operations, [
      {
        kind: 'put',
        path: 'workspaces/ne/pg/datastore.xml',
        size: 58,
        content: 'text',
        text: '<dataStore><entry key="passwd">***</entry></dataStore>',
      },
      { kind: 'put', path: 'security/usergroup/default/users.xml', size: 43, content: 'secret' },
      { kind: 'put', path: 'styles/icon.png', size: 4, content: 'binary' },
      { kind: 'put', path: 'data/a.tif', size: 9, content: 'blob', hash: 'b'.repeat(64) },
      { kind: 'delete', path: 'styles/old.sld' },
      { kind: 'move', from: 'workspaces/x', to: 'workspaces/y' },
    ]);
    assert.match((await ask(a, 'GET', inGroup('/records/3'))).body.reason, /cannot be read/);
    assert.equal((await ask(a, 'GET', inGroup('/records/1'))).body.logId, 'log-7');
    assert.equal((await ask(a, 'GET', inGroup('/records/6'))).status, 404);
    assert.equal((await ask(a, 'GET', inGroup('/records/0'))).status, 400);
  });

  test('metrics of broker, groups and nodes', async () => {
    await until(async () => (await a.broker.status()).room.bytes !== undefined);
    const { body: status } = await ask(a, 'GET', '/rest/broker');
    const { text, headers } = await ask(a, 'GET', '/metrics', { headers: {} });
    assert.match(headers.get('content-type') ?? '', /^text\/plain; ?version=0\.0\.4/);
    const label = `group="${GROUP}"`;
    for (const line of [
      'graticule_broker_active 1',
      `graticule_broker_store_bytes ${status.room.bytes}`,
      `graticule_broker_store_disk_bytes ${status.room.disk.totalBytes}`,
      'graticule_broker_state{state="active"} 1',
      'graticule_brokers{state="waiting"} 1',
      `graticule_broker_group_head{${label}} 5`,
      `graticule_broker_group_appends_total{${label}} 5`,
      `graticule_broker_group_nodes_connected{${label}} 1`,
      `graticule_broker_node_lag_records{${label},node="node-1"} 2`,
    ])
      assert.ok(text.includes(`\n${line}\n`), `no ${line} in\n${text}`);
    assert.match((await ask(b, 'GET', '/metrics', { headers: {} })).text, /\ngraticule_broker_active 0\n/);

    const docs = readFileSync(path.resolve(import.meta.dirname, '../../../docs/broker-console.md'), 'utf8');
    const endings = [...docs.matchAll(/`…(_\w+)`/g)].map((match) => match[1]!);
    for (const [, name] of text.matchAll(/^# TYPE (graticule_\w+)/gm))
      assert.ok(docs.includes(name!) || endings.some((ending) => name!.endsWith(ending)), `${name} is not described`);
  });

  test('health: both are well, one is active', async () => {
    const table: [at: TestBroker, resource: string, status: number][] = [
      [a, '/health/live', 200],
      [a, '/health/ready', 200],
      [a, '/health/active', 200],
      [b, '/health/ready', 200],
      [b, '/health/active', 503],
    ];
    for (const [at, resource, status] of table)
      assert.equal((await ask(at, 'GET', resource, { headers: {} })).status, status, resource);
    const { body } = await ask(b, 'GET', '/health/active', { headers: {} });
    assert.deepEqual([body.status, body.state, body.active], ['ready', 'waiting', a.url]);
  });

  test('every route is described', async () => {
    const { body } = await ask(a, 'GET', '/rest/broker/openapi.json');
    assert.equal(body.openapi, '3.1.0');
    for (const { path, method } of consoleRoutes) assert.ok(body.paths[path]?.[method.toLowerCase()], path);
  });

  test('a broker that waits names the active one', async () => {
    const { status, body, headers } = await ask(b, 'GET', '/rest/broker/groups');
    assert.equal(status, 503);
    assert.deepEqual(body.active, { name: 'a', url: a.url });
    assert.ok(headers.get('retry-after'));
  });
});

describe('what can be done', () => {
  test('a paused group takes nothing and says why, and goes on when it is resumed', async () => {
    const paused = await ask(a, 'POST', inGroup('/pause'), { json: { reason: 'the disk is being moved' } });
    assert.equal(paused.status, 200);
    assert.match(paused.body.paused.by, /^admin from /);
    await assert.rejects(log.append(5 as Position, record('refused', [])), /the disk is being moved/);
    assert.equal((await ask(a, 'POST', inGroup('/resume'), { json: {} })).body.paused, undefined);
    assert.equal((await log.append(5 as Position, record('accepted', []))).kind, 'appended');
    const actions = a.said.filter(({ event }) => event === 'console-action').map(({ facts }) => facts?.action);
    assert.deepEqual(actions.slice(-2), ['pause', 'resume']);
  });

  test('a group is trimmed to a snapshot, and what is gone is told to be', async () => {
    assert.equal((await ask(a, 'POST', inGroup('/trim'), { json: {} })).status, 409);
    await log.putSnapshot(4 as Position, Readable.from([Buffer.from('snapshot')]));
    assert.deepEqual((await ask(a, 'POST', inGroup('/trim'), { json: { upTo: 6 } })).body, {
      group: GROUP,
      trimmed: 4,
    });
    const gone = await ask(a, 'GET', inGroup('/records?after=1'));
    assert.deepEqual([gone.status, gone.body.code], [410, 'trimmed']);
    const { body } = await ask(a, 'GET', inGroup('/records'));
    assert.deepEqual([body.after, body.records.length], [4, 2]);
  });

  test('a node that is disconnected comes again', async () => {
    const { body } = await ask(a, 'POST', inGroup('/disconnect'), { json: { node: 'node-1' } });
    assert.ok(body.connections >= 1, JSON.stringify(body));
    // What was on its way when the connection was cut is refused.
    await until(async () => (await log.head().catch(() => 0)) === 6);
  });

  test('bodies are looked at', async () => {
    const table: [resource: string, json: unknown][] = [
      ['/pause', { reason: 'two\nlines' }],
      ['/pause', { reason: 7 }],
      ['/pause', { why: 'x' }],
      ['/trim', { upTo: '4' }],
      ['/trim', { upTo: -1 }],
      ['/disconnect', {}],
      ['/resume', []],
    ];
    for (const [resource, json] of table)
      assert.equal((await ask(a, 'POST', inGroup(resource), { json })).status, 400, JSON.stringify(json));
  });

  test('the active role is handed over', async () => {
    const nobody = await ask(a, 'POST', '/rest/broker/takeover', { json: { to: 'c' } });
    assert.equal(nobody.status, 409);
    const { status, body } = await ask(a, 'POST', '/rest/broker/takeover', { json: { to: 'b' } });
    assert.equal(status, 200);
    assert.deepEqual(
      body.brokers.map(({ name, state }: { name: string; state: string }) => [name, state]),
      [
        ['b', 'active'],
        ['a', 'waiting'],
      ],
    );
    assert.equal((await ask(b, 'GET', inGroup())).body.head, 6);
    assert.deepEqual((await ask(a, 'GET', inGroup())).body.active, { name: 'b', url: b.url });
  });
});

describe('the password', () => {
  const logger = silentLogger;

  test('is made once, for this user alone, and never said', async () => {
    const file = path.join(folder, 'new', 'console-password');
    const said: string[] = [];
    const listening = {
      ...silentLogger,
      info: (event: string, facts?: Facts) => said.push(JSON.stringify([event, facts])),
    };
    const password = await consolePassword({ given: '', file, logger: listening });
    assert.equal(readFileSync(file, 'utf8').trim(), password);
    assert.ok(password.length >= 20);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(await consolePassword({ given: undefined, file, logger: listening }), password);
    assert.ok(said[0]!.includes(file));
    assert.ok(!said.join().includes(password));
  });

  test('is not one that everybody tries first', async () => {
    const file = path.join(folder, 'weak');
    writeFileSync(file, 'short\n');
    await assert.rejects(consolePassword({ given: undefined, file, logger }), UserError);
    for (const given of ['admin', 'geoserver', 'password1234', 'changeit', 'a'.repeat(7)])
      await assert.rejects(consolePassword({ given, file: '', logger }), UserError, given);
    assert.equal(await consolePassword({ given: PASSWORD, file: '', logger }), PASSWORD);
  });
});
