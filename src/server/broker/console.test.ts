/** The console over HTTP, on brokers that share a real folder, with a client of their log that appends. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { type Facts, silentLogger, systemClock } from '../../base/index.ts';
import {
  type Broker,
  type ChangeLog,
  openBroker,
  openStore,
  openWebSocketLog,
  type SessionStore,
} from '../../log/index.ts';
import { type Change, encodeRecord, type FileOperation, type Position, type TreePath } from '../../tree/index.ts';
import { type Door, openDoor } from '../index.ts';
import { type RunningConsole, startConsole } from './console.ts';
import { lagOf } from './lag.ts';
import { detailsOf, summaryOf } from './records.ts';
import { consoleRoutes, type GroupView, type RecordList } from './routes.ts';
import { ConsoleSessions } from './sessions.ts';

const PASSWORD = 'correct horse: battery';
const VIEWER_PASSWORD = 'only looking around';
const accounts = { admin: PASSWORD, viewer: VIEWER_PASSWORD };
const GROUP = 'maps & more';
const folder = mkdtempSync(path.join(tmpdir(), 'graticule-console-'));

interface TestBroker {
  readonly url: string;
  readonly door: Door;
  readonly broker: Broker;
  readonly sessions: SessionStore;
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
  const { sessions } = store;
  return {
    url,
    door,
    broker,
    sessions,
    said,
    console: await startConsole({ door, broker, accounts, sessions, clock: forgetful, logger }),
  };
}

/** Minutes pass between two looks at it, so that no wrong password is held against the next one. */
let minutes = 0;
const forgetful = { ...systemClock, monotonicMs: () => ++minutes * 120_000 };

let a: TestBroker;
let b: TestBroker;
let log: ChangeLog;

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const authorization = basic('admin', PASSWORD);
const viewer = { authorization: basic('viewer', VIEWER_PASSWORD) };

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
  test('everything about groups needs a login', async () => {
    for (const route of consoleRoutes) {
      const at = `/rest${route.path.replace('{group}', 'g').replace('{position}', '1')}`;
      const { status, headers } = await ask(a, route.method, at, { headers: {} });
      assert.equal(status, 401, at);
      assert.match(headers.get('www-authenticate') ?? '', /^Basic/);
    }
    for (const login of [`root:${PASSWORD}`, `viewer:${PASSWORD}`, 'admin:', 'admin:geoserver', 'x']) {
      const given = `Basic ${Buffer.from(login).toString('base64')}`;
      assert.equal((await ask(a, 'GET', '/rest/broker', { headers: { authorization: given } })).status, 401, login);
    }
    assert.equal((await ask(a, 'GET', '/rest/broker')).status, 200);
  });

  const signIn = async (at: TestBroker, user: keyof typeof accounts = 'admin', password = accounts[user]) => {
    const answer = await ask(at, 'POST', '/rest/broker/session', { json: { user, password }, headers: {} });
    return { ...answer, cookie: answer.headers.getSetCookie()[0] ?? '' };
  };
  const statusWith = async (at: TestBroker, cookie: string) =>
    (await ask(at, 'GET', '/rest/broker', { headers: { cookie: cookie.split(';')[0]! } })).status;

  test('a session begins with the password, is one at all brokers, and ends when it is ended', async () => {
    const wrong = await signIn(a, 'admin', 'no');
    assert.deepEqual([wrong.status, wrong.body.code, wrong.cookie], [401, 'login-refused', '']);
    const { status, body, cookie } = await signIn(a);
    assert.deepEqual([status, body], [200, { user: 'admin' }]);
    assert.match(cookie, /^graticule-broker-[0-9a-f]{8}=admin\.[\w-]{40,}; .*HttpOnly; SameSite=Strict$/);
    assert.deepEqual([await statusWith(a, cookie), await statusWith(b, cookie)], [200, 200]);
    await ask(b, 'DELETE', '/rest/broker/session', { headers: { cookie: cookie.split(';')[0]! } });
    assert.deepEqual([await statusWith(a, cookie), await statusWith(b, cookie)], [401, 401]);
  });

  test('a session is of one account: its cookie cannot be made to be of the other', async () => {
    const { cookie } = await signIn(a, 'viewer');
    assert.equal(await statusWith(a, cookie), 200);
    assert.equal(await statusWith(a, cookie.replace('viewer.', 'admin.')), 401);
    assert.equal(await statusWith(a, cookie.replace('viewer.', 'root.')), 401);
    const [, value] = /=([^;]+)/.exec(cookie)!;
    for (const file of readdirSync(path.join(folder, 'store', 'sessions')))
      assert.ok(!value!.includes(file), 'the store does not have what is in the cookie');
  });

  test('a session outlives a broker, but not a change of its password', async () => {
    const { cookie } = await signIn(a);
    for (const [password, status] of [
      [PASSWORD, 200],
      ['another password', 401],
      [PASSWORD, 200],
    ] as const) {
      const door = await openDoor({ port: 0, host: '127.0.0.1' });
      const { broker, sessions } = b;
      const parts = { door, broker, sessions, accounts: { ...accounts, admin: password }, logger: silentLogger };
      const again = await startConsole(parts);
      const at = { ...b, url: `http://localhost:${door.port}` };
      assert.equal(await statusWith(at, cookie), status, password);
      await again.close(100);
    }
  });

  test('whoever was let in stays in while the store is away', async () => {
    let away = false;
    const added = new Set<string>();
    const asked = async <T>(answer: () => T): Promise<T> => {
      if (away) throw new Error('the store is away');
      return answer();
    };
    const store: SessionStore = {
      add: (key) => asked(() => void added.add(key)),
      use: (key) => asked(() => added.has(key)),
      remove: (key) => asked(() => void added.delete(key)),
    };
    const sessions = new ConsoleSessions(store, accounts, { clock: systemClock, logger: silentLogger });
    const before = await sessions.begin('admin');
    away = true;
    const meanwhile = await sessions.begin('viewer');
    assert.deepEqual([await sessions.userOf(before), await sessions.userOf(meanwhile)], ['admin', 'viewer']);
    const elsewhere = new ConsoleSessions(store, accounts, { clock: systemClock, logger: silentLogger });
    assert.equal(await elsewhere.userOf(before), undefined);
    away = false;
    assert.equal(await sessions.userOf(meanwhile), 'viewer');
    assert.deepEqual([await elsewhere.userOf(before), await elsewhere.userOf(meanwhile)], ['admin', 'viewer']);
    await elsewhere.end(before);
    assert.equal(await sessions.userOf(before), undefined);
    const standing: SessionStore = { ...store, use: () => new Promise(() => {}) };
    const patient = new ConsoleSessions(standing, accounts, { clock: systemClock, logger: silentLogger });
    assert.equal(await patient.userOf(await patient.begin('admin')), 'admin');
  });

  test('viewer sees everything and changes nothing', async () => {
    const seen = await ask(a, 'GET', '/rest/broker', { headers: viewer });
    assert.deepEqual(seen.body.account, { user: 'viewer', readOnly: true });
    assert.deepEqual((await ask(a, 'GET', '/rest/broker')).body.account, { user: 'admin', readOnly: false });
    for (const route of consoleRoutes) {
      const at = `/rest${route.path.replace('{group}', encodeURIComponent(GROUP)).replace('{position}', '2')}`;
      for (const headers of [viewer, { ...viewer, 'x-graticule-console': 'page' }]) {
        const { status, body } = await ask(a, route.method, at, { headers });
        assert.equal(status, route.method === 'GET' ? 200 : 403, at);
        if (route.method !== 'GET') assert.equal(body.code, 'read-only-account');
      }
    }
    const { cookie } = await signIn(a, 'viewer');
    const headers = { cookie: cookie.split(';')[0]!, 'x-graticule-console': 'page' };
    const { status, body } = await ask(a, 'POST', inGroup('/pause'), { json: {}, headers });
    assert.deepEqual([status, body.message], [403, 'viewer may look and change nothing: log in as admin']);
    assert.equal((await ask(a, 'GET', inGroup())).body.paused, undefined);
  });

  test('where there is no viewer, no password is his', async () => {
    const door = await openDoor({ port: 0, host: '127.0.0.1' });
    const { broker, sessions } = a;
    const parts = { door, broker, sessions, accounts: { admin: PASSWORD }, clock: forgetful, logger: silentLogger };
    const shown = await startConsole(parts);
    const at = { ...a, url: `http://localhost:${door.port}` };
    for (const password of [VIEWER_PASSWORD, PASSWORD, ''])
      assert.equal(
        (await ask(at, 'GET', '/rest/broker', { headers: { authorization: basic('viewer', password) } })).status,
        401,
      );
    await shown.close(100);
  });

  test('metrics take a login, and need one where that is wanted', async () => {
    const door = await openDoor({ port: 0, host: '127.0.0.1' });
    const { broker, sessions } = a;
    const parts = { door, broker, sessions, accounts, clock: forgetful, logger: silentLogger };
    const closed = await startConsole({ ...parts, metricsLogin: true });
    const strict = { ...a, url: `http://localhost:${door.port}` };
    const table: [at: TestBroker, headers: Record<string, string>, status: number][] = [
      [a, {}, 200],
      [a, viewer, 200],
      [a, { authorization }, 200],
      [a, { authorization: basic('viewer', 'wrong') }, 401],
      [strict, {}, 401],
      [strict, viewer, 200],
      [strict, { authorization: basic('viewer', 'wrong') }, 401],
    ];
    for (const [at, headers, status] of table) {
      const answer = await ask(at, 'GET', '/metrics', { headers });
      assert.equal(answer.status, status, JSON.stringify(headers));
      if (status === 401) assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic/);
      else assert.match(answer.text, /graticule_broker_active/);
    }
    assert.equal((await ask(strict, 'GET', '/health/ready', { headers: {} })).status, 200);
    await closed.close(100);
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
    const again = await ask(a, 'POST', inGroup('/pause'), { json: {} });
    assert.deepEqual(again.body.paused, paused.body.paused);
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
      removed: 4,
    });
    const gone = await ask(a, 'GET', inGroup('/records?after=1'));
    assert.deepEqual([gone.status, gone.body.code], [410, 'trimmed']);
    const { body } = await ask(a, 'GET', inGroup('/records'));
    assert.deepEqual([body.after, body.records.length], [4, 2]);
  });

  test('a node that is disconnected comes again', async () => {
    const unknown = await ask(a, 'POST', inGroup('/disconnect'), { json: { node: 'node-9' } });
    assert.deepEqual([unknown.status, unknown.body.code], [404, 'no-such-node']);
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
