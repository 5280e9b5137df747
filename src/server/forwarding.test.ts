/** Replicas that forward: real nodes behind real ports on one log in memory, and primaries that fail in ways of their own. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import path from 'node:path';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { basic } from '../../test/basic.ts';
import { listenAnywhere } from '../../test/free-ports.ts';
import { temporaryFolder } from '../../test/temporary-folder.ts';
import { silentLogger, systemClock } from '../base/index.ts';
import { type ClusterNode, openNode } from '../cluster/index.ts';
import { openDataAccess } from '../data/index.ts';
import { type MemoryLog, memoryLog, type NodeStatus } from '../log/index.ts';
import type { Renderer } from '../render/index.ts';
import { type Door, openDoor, startServer } from './index.ts';

const folder = temporaryFolder('forwarding');
const ends: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const end of ends.toReversed()) await end();
});

const renderer: Renderer = {
  draw: () => Promise.reject(new Error('nothing is drawn here')),
  stats: () => ({ children: 0, drawing: 0, waiting: 0, drawn: 0, failed: 0, restarts: 0 }),
  close: async () => {},
};

interface Tested {
  readonly node: ClusterNode;
  readonly door: Door;
  readonly url: string;
}

let count = 0;
async function open(
  log: MemoryLog,
  name: string,
  role: 'both' | 'replica',
  forwards = role === 'replica',
): Promise<Tested> {
  const dataDir = path.join(folder, `${count++}-${name}`);
  mkdirSync(dataDir);
  if (role === 'both')
    writeFileSync(path.join(dataDir, 'global.xml'), '<global><settings><id>s</id></settings></global>');
  const door = await openDoor({ port: 0, host: '127.0.0.1' });
  const url = `http://127.0.0.1:${door.port}/geoserver`;
  const common = { clock: systemClock, random: Math.random, logger: silentLogger };
  const node = await openNode({
    ...common,
    dataDir,
    name,
    url,
    role,
    version: '0',
    log: log.open(),
    logUrl: 'memory:',
    adopt: true,
  });
  const server = await startServer({
    ...common,
    door,
    node,
    renderer,
    data: openDataAccess({ dataDir, cacheDir: path.join(dataDir, '../cache'), logger: silentLogger }),
    ownUrl: url,
    adminPassword: 'pw',
    forwardWrites: () => forwards,
  });
  ends.push(async () => {
    await server.close(100);
    await node.close();
  });
  return { node, door, url };
}

const ADMIN = basic('admin', 'pw');
const post = (node: Tested, name: string, headers: Record<string, string> = {}) =>
  fetch(`${node.url}/rest/workspaces`, {
    method: 'POST',
    headers: { authorization: ADMIN, 'content-type': 'application/xml', ...headers },
    body: `<workspace><name>${name}</name></workspace>`,
  });

/** Has the log say that there is one more primary, at this URL. */
async function pretend(log: MemoryLog, name: string, url: string, like: ClusterNode): Promise<() => void> {
  const handle = log.open();
  const say = () => handle.announce({ ...(like.status() as NodeStatus), name, url, role: 'both', state: 'in-step' });
  await say();
  const timer = setInterval(say, 500);
  const stop = () => clearInterval(timer);
  ends.push(async () => stop());
  return stop;
}

async function hears(node: Tested, ...names: string[]): Promise<void> {
  for (const deadline = performance.now() + 10_000; ; ) {
    const heard = node.node.members().map(({ name }) => name);
    if (names.every((name) => heard.includes(name))) return;
    assert.ok(performance.now() < deadline, `${node.node.name} hears of ${heard}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a replica answers with what a primary says, and sees the change itself', async () => {
  const log = memoryLog();
  const a = await open(log, 'A', 'both');
  const b = await open(log, 'B', 'replica');
  await hears(b, 'A');
  const made = await post(b, 'one');
  assert.equal(made.status, 201, await made.text());
  assert.equal(made.headers.get('location'), `${b.url}/rest/workspaces/one`);
  const position = Number(made.headers.get('x-graticule-position'));
  assert.ok(position > 0 && b.node.position >= position, `${position} ${b.node.position}`);
  assert.ok(b.node.catalog.workspace('one'));
  // Errors, methods, queries and credentials pass as they are.
  assert.equal((await post(b, 'one')).status, 409);
  assert.equal((await post(b, 'x', { authorization: 'Basic eDp5' })).status, 401);
  const removed = await fetch(`${b.url}/rest/workspaces/one?recurse=true`, {
    method: 'DELETE',
    headers: { authorization: ADMIN },
  });
  assert.equal(removed.status, 200, await removed.text());
  assert.equal(b.node.catalog.workspace('one'), undefined);
  // The same key makes the same change once.
  const key = { 'idempotency-key': 'k-1' };
  assert.equal((await post(b, 'twice', key)).status, 201);
  const before = a.node.position;
  assert.equal((await post(b, 'twice', key)).status, 201);
  assert.equal(a.node.position, before);
});

test('a large body is streamed, and arrives whole', async () => {
  const log = memoryLog();
  const a = await open(log, 'A', 'both');
  const b = await open(log, 'B', 'replica');
  await hears(b, 'A');
  const bytes = randomBytes(8 * 1024 * 1024);
  for (const headers of [{ 'content-length': String(bytes.length) }, {}]) {
    const status = await new Promise<number>((resolve, reject) => {
      const sending = httpRequest(`${b.url}/rest/resource/styles/large.bin`, {
        method: 'PUT',
        headers: { authorization: ADMIN, ...headers },
      });
      sending.once('error', reject).once('response', (answer) => resolve(answer.resume().statusCode!));
      Readable.from(
        (function* () {
          for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
        })(),
      ).pipe(sending);
    });
    assert.ok(status === 201 || status === 200, String(status));
    const back = await fetch(`${b.url}/rest/resource/styles/large.bin`, { headers: { authorization: ADMIN } });
    const hash = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
    assert.equal(hash(Buffer.from(await back.arrayBuffer())), hash(bytes));
  }
  assert.equal(a.node.digest, b.node.digest);
});

test('a primary that is gone, that breaks off, or that is a replica by now, is passed over', async () => {
  const log = memoryLog();
  const a = await open(log, 'Z', 'both');
  const b = await open(log, 'B', 'replica');
  const c = await open(log, 'C', 'replica');
  await hears(b, 'Z', 'C');
  let cut = 0;
  const breaking = createTcpServer((socket) => {
    // Takes the whole request, and dies.
    socket.once('data', () => {
      cut++;
      socket.destroy();
    });
    socket.on('error', () => {});
  });
  const breakingPort = await listenAnywhere(breaking);
  ends.push(async () => breaking.close());
  const breakingUrl = `http://127.0.0.1:${breakingPort}/geoserver`;
  const cases: [name: string, url: string][] = [
    ['A1', 'http://127.0.0.1:9/geoserver'],
    ['A2', breakingUrl],
    // A replica that forwards as well: it must not be passed on a second time.
    ['A3', c.url],
  ];
  for (const [name, url] of cases) {
    const stop = await pretend(log, name, url, a.node);
    await hears(b, name);
    const made = await post(b, `past-${name}`);
    assert.equal(made.status, 201, await made.text());
    assert.ok(b.node.catalog.workspace(`past-${name}`));
    stop();
  }
  assert.ok(cut > 0);
});

test('when it is not known whether a large request was taken, the answer says so, and names its key', async () => {
  const log = memoryLog();
  const b = await open(log, 'B', 'both');
  b.node.setRole('replica');
  const replica = await open(log, 'R', 'replica');
  const breaking = createServer((request) => {
    request.once('data', () => request.socket.destroy());
  });
  const breakingPort = await listenAnywhere(breaking);
  ends.push(async () => breaking.close());
  await pretend(log, 'A', `http://127.0.0.1:${breakingPort}/geoserver`, b.node);
  await hears(replica, 'A');
  const answer = await fetch(`${replica.url}/rest/resource/styles/large.bin`, {
    method: 'PUT',
    headers: { authorization: ADMIN },
    body: randomBytes(4 * 1024 * 1024),
  });
  const text = await answer.text();
  assert.equal(answer.status, 503, text);
  const key = answer.headers.get('idempotency-key');
  assert.ok(key && text.includes(key), text);
});

test('without a primary nothing is taken; without forwarding the primaries are named', async () => {
  const log = memoryLog();
  const a = await open(log, 'A', 'both');
  const b = await open(log, 'B', 'replica', false);
  await hears(b, 'A');
  const refused = await post(b, 'x');
  assert.equal(refused.status, 403);
  assert.ok((await refused.text()).includes(a.url));
  const c = await open(log, 'C', 'replica');
  await hears(c, 'A');
  a.node.setRole('replica');
  for (const deadline = performance.now() + 5_000; ; ) {
    const answer = await post(c, 'x');
    const text = await answer.text();
    if (answer.status === 503 && /hears of no primary/.test(text)) {
      assert.equal(answer.headers.get('retry-after'), '2');
      break;
    }
    assert.ok(performance.now() < deadline, `${answer.status} ${text}`);
  }
});
