/** Roles, settings and forwarding with real processes: what is switched holds at once, and at the next start. */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { after, test } from 'node:test';
import { adjacentPorts } from '../free-ports.ts';
import { gdalMissing } from '../gdal.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import {
  ADMIN,
  demoDirectory,
  equalTrees,
  nodeState,
  PASSWORD,
  Program,
  rest,
  run,
  SECRET,
  workspaceNames,
  workspaceXml,
  zippedLands,
} from './harness.ts';

const folder = temporaryFolder('e2e');
const running = new Set<Server>();
after(async () => {
  await Promise.all([...running].map((server) => server.program.stop()));
});

/** A node that is told no more than it must be: the rest it has to know by itself. */
class Server {
  readonly name: string;
  readonly port: number;
  readonly more: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  program!: Program;

  constructor(name: string, port: number, more: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.name = name;
    this.port = port;
    this.more = more;
    this.env = env;
  }

  get url(): string {
    return `http://localhost:${this.port}/geoserver`;
  }
  get dataDir(): string {
    return path.join(folder, this.name);
  }
  get file(): string {
    return path.join(this.dataDir, 'cluster/cluster.properties');
  }

  async start(): Promise<this> {
    const own = ['--data-dir', this.dataDir, '--port', String(this.port), '--host', '127.0.0.1', '--url', this.url];
    const env = { GRATICULE_CLUSTER_SECRET: SECRET, GEOSERVER_ADMIN_PASSWORD: PASSWORD, ...this.env };
    this.program = new Program(['serve', ...own, '--render-processes', '1', ...this.more], { env });
    running.add(this);
    await this.program.prints('"node-ready"');
    return this;
  }

  async restart(): Promise<void> {
    await this.program.stop();
    await this.start();
  }

  async role(): Promise<string> {
    const answer = await rest(this.url, 'GET', '/cluster/role.json');
    return ((await answer.json()) as { role: string }).role;
  }
}

const cli = (...args: string[]) => run(args, { GEOSERVER_ADMIN_PASSWORD: PASSWORD });

test('a role is switched in four ways, and remembered by the next start', async () => {
  const base = await adjacentPorts(2);
  const a = await new Server('A', base, ['--name', 'A']).start();
  const b = await new Server('B', base + 1, ['--name', 'B', '--log', `ws://localhost:${base}`]).start();
  await eventually(async () => assert.equal((await cli('role', 'B', 'both', '--url', a.url)).code, 0));

  // By name, through the other node.
  const byName = await cli('role', 'B', 'replica', '--url', a.url);
  assert.deepEqual([byName.code, await b.role()], [0, 'replica'], byName.output);
  await b.restart();
  assert.equal(await b.role(), 'replica');
  assert.equal((await rest(b.url, 'POST', '/workspaces', workspaceXml('x'))).status, 403);

  // By its own resource.
  assert.equal((await rest(b.url, 'PUT', '/cluster/role', '{"role":"paused"}', 'application/json')).status, 200);
  assert.equal(await b.role(), 'paused');

  // By GeoServer's switches.
  const switches =
    '<properties><property name="toggleMaster" value="true"/><property name="toggleSlave" value="true"/></properties>';
  assert.equal((await rest(b.url, 'POST', '/cluster.xml', switches)).status, 201);
  await b.restart();
  assert.equal(await b.role(), 'both');

  // By hand; the signal has it looked at now.
  const text = readFileSync(b.file, 'utf8');
  writeFileSync(b.file, `# by hand\n${text.replace('toggleMaster=true', 'toggleMaster = disabled')}`);
  b.program.process.kill('SIGHUP');
  await eventually(async () => assert.equal(await b.role(), 'replica'));
  await b.restart();
  assert.equal(await b.role(), 'replica');
  assert.match(readFileSync(b.file, 'utf8'), /^# by hand\n.*toggleMaster = disabled$/ms);

  // What was switched while it ran gives way to the environment at the next start, loudly.
  await b.program.stop();
  const forced = await new Server('B', base + 1, b.more, { TOGGLE_MASTER: 'true', toggleSlave: 'true' }).start();
  assert.equal(await forced.role(), 'both');

  // Settings, from the command line.
  const all = await cli('cluster', 'get', '--url', a.url, '--node', 'B');
  assert.match(all.output, /^instanceName=B$/m);
  const list = `failover:(ws://localhost:9,ws://localhost:${base})`;
  const set = await cli('cluster', 'set', `brokerURL=${list}`, 'snapshotEvery=500', '--url', forced.url);
  assert.equal(set.code, 0, set.output);
  assert.match(set.output, /snapshotEvery=500 {2}\(the node was opened again\)/);
  assert.equal((await cli('cluster', 'get', 'brokerURL', '--url', forced.url)).output.trim(), list);
  assert.equal((await rest(forced.url, 'POST', '/workspaces', workspaceXml('y'))).status, 201);
  await equalTrees(a.url, forced.url);
  const unknown = await cli('cluster', 'set', 'brokerUrl=x', '--url', forced.url);
  assert.equal(unknown.code, 1);
  assert.match(unknown.output, /"brokerUrl".*Known are/s);
  await forced.program.stop();
  await a.program.stop();
});

test('a replica passes changes on, an upload too; primaries are killed meanwhile, and nothing is lost or done twice', async () => {
  const base = await adjacentPorts(4);
  const follow = ['--log', `ws://localhost:${base}`];
  await demoDirectory(folder, 'L');
  const l = await new Server('L', base, ['--name', 'L']).start();
  const p = new Server('P', base + 1, ['--name', 'P', ...follow]);
  const q = new Server('Q', base + 2, ['--name', 'Q', ...follow]);
  const r = new Server('R', base + 3, ['--name', 'R', ...follow], {
    toggleMaster: 'false',
    GRATICULE_FORWARD_WRITES: 'true',
  });
  await Promise.all([p.start(), q.start(), r.start()]);
  assert.equal((await cli('role', 'L', 'replica', '--url', l.url)).code, 0);

  const made = await rest(r.url, 'POST', '/workspaces', workspaceXml('shop'));
  assert.equal(made.status, 201, await made.text());
  assert.equal(made.headers.get('location'), `${r.url}/rest/workspaces/shop`);
  if (gdalMissing === undefined) {
    const zip = zippedLands(l);
    const upload = await rest(r.url, 'PUT', '/workspaces/shop/datastores/lands/file.shp', zip, 'application/zip');
    assert.equal(upload.status, 201, await upload.text());
    const position = Number(upload.headers.get('x-graticule-position'));
    assert.ok((await nodeState(r.url)).position >= position);
    assert.equal((await rest(r.url, 'GET', '/layers/shop:lands.json?consistency=local')).status, 200);
  }

  // P is asked first; it dies while a long body is coming.
  const key = 'half-sent';
  const body = Buffer.alloc(3 * 1024 * 1024, 'x');
  const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const sending = request(`${r.url}/rest/resource/styles/half.txt`, {
      method: 'PUT',
      headers: { authorization: ADMIN, 'content-length': body.length, 'idempotency-key': key },
    });
    sending.once('error', reject).once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode!, text }));
    });
    sending.write(body.subarray(0, body.length / 2), () => {
      setTimeout(() => p.program.process.kill('SIGKILL'), 200);
    });
  });
  assert.equal(answer.status, 503, answer.text);
  assert.match(answer.text, /half-sent/);
  const again = await fetch(`${r.url}/rest/resource/styles/half.txt`, {
    method: 'PUT',
    headers: { authorization: ADMIN, 'idempotency-key': key },
    body,
  });
  assert.equal(again.status, 201, await again.text());

  // Small ones come through by themselves, whoever dies.
  await p.start();
  const names: string[] = [];
  let killed = false;
  for (let index = 0; index < 30; index++) {
    if (index === 10) setTimeout(() => p.program.process.kill('SIGKILL'), 5);
    const name = `w${index}`;
    const answered = await rest(r.url, 'POST', '/workspaces', workspaceXml(name));
    assert.equal(answered.status, 201, `${name}: ${await answered.text()}`);
    names.push(name);
    killed ||= p.program.process.signalCode !== null;
  }
  assert.ok(killed);
  const there = await workspaceNames(q.url);
  for (const name of names) assert.equal(there.filter((each) => each === name).length, 1, name);
  await equalTrees(l.url, q.url, r.url);
  await Promise.all([q.program.stop(), r.program.stop()]);
  await l.program.stop();
});
