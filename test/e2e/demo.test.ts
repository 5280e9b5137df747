/** What a stranger sees after `npm start`. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { PNG } from 'pngjs';
import { basic } from '../basic.ts';
import { adjacentPorts } from '../free-ports.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { ADMIN, equalTrees, getMap, overview, Program, readText, rest, run, workspaceXml } from './harness.ts';

const folder = temporaryFolder('e2e');
const dir = path.join(folder, 'demo');
let base = 0;
let demo: Program;
const url = (index: number) => `http://localhost:${base + index}/geoserver`;
const start = async () => {
  demo = new Program(['demo', '--dir', dir, '--port', String(base)], { cwd: folder });
  await demo.prints('Ctrl-C stops');
};

before(async () => {
  base = await adjacentPorts(4);
  await start();
});
after(async () => {
  await demo.stop('SIGINT');
});

test('the terminal shows three nodes, the login, the page and how to join', () => {
  const { output } = demo;
  assert.match(output, new RegExp(`A +both +in-step +\\d+ \\w+ +\\d+ +0 +[0-9a-f]{12} +\\S+ +${url(0)}`));
  assert.match(output, new RegExp(`B +both +in-step .*${url(1)}`));
  assert.match(output, new RegExp(`C +replica +in-step .*${url(2)}`));
  assert.match(output, /user admin, password geoserver/);
  assert.match(
    output,
    new RegExp(
      `serve --data-dir demo/D --port ${base + 3} .*--log ws://localhost:${base} --secret-file demo/A/cluster/secret`,
    ),
  );
  assert.doesNotMatch(output, /\u001b/, 'no colours without a terminal');
});

test('every node answers with the versions, the page and its health', async () => {
  for (const index of [0, 1, 2]) {
    const about = await rest(url(index), 'GET', '/about/version.json');
    assert.equal(about.status, 200);
    assert.match(await about.text(), /GeoServer/);
    const page = await fetch(`http://localhost:${base + index}/`);
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-type')!, /text\/html/);
    const health = (await (await fetch(`${url(index)}/health/ready`)).json()) as { status: string };
    assert.equal(health.status, 'ready');
    assert.match(await (await fetch(`http://localhost:${base + index}/metrics`)).text(), /^graticule_position \d+$/m);
  }
});

test('without the password nothing is told', async () => {
  const table: [authorization: string | undefined, status: number][] = [
    [undefined, 401],
    [basic('admin', 'wrong'), 401],
    [ADMIN, 200],
  ];
  for (const [authorization, status] of table) {
    const answer = await fetch(`${url(0)}/rest/workspaces.json`, {
      headers: authorization === undefined ? {} : { authorization },
    });
    assert.equal(answer.status, status);
    if (status === 401) assert.match(answer.headers.get('www-authenticate')!, /^Basic realm="GeoServer Realm"/);
  }
});

test('every node draws the same world, and it is not empty', async () => {
  const pictures = await Promise.all([0, 1, 2].map((index) => getMap(url(index), { layers: 'world' })));
  const hashes = pictures.map((bytes) =>
    createHash('sha256')
      .update(PNG.sync.read(Buffer.from(bytes)).data)
      .digest('hex'),
  );
  assert.equal(new Set(hashes).size, 1);
  const { data } = PNG.sync.read(Buffer.from(pictures[0]!));
  const colors = new Set<number>();
  for (let i = 0; i < data.length; i += 4) colors.add(data.readUInt32BE(i));
  assert.ok(colors.size > 100, `${colors.size} colours`);
});

test('every layer of the overview can be drawn', async () => {
  const { layers } = await overview(url(2));
  assert.equal(layers.length, 9);
  for (const layer of layers) await getMap(url(2), { layers: layer.name, width: '128', height: '64' });
});

test('a workspace made on B is read on C by the next request, and the trees are equal', async () => {
  assert.equal((await rest(url(1), 'POST', '/workspaces', workspaceXml('acme'))).status, 201);
  const read = await rest(url(2), 'GET', '/workspaces/acme.json');
  assert.equal(read.status, 200);
  assert.match(await read.text(), /"name":"acme"/);
  await equalTrees(url(0), url(1), url(2));
  const status = await eventually(async () => {
    const { code, output } = await run(['status', '--url', url(2), '--json']);
    assert.equal(code, 0, output);
    const report = JSON.parse(output) as { trees: string; nodes: { digest: string }[] };
    assert.equal(report.trees, 'equal');
    return report;
  });
  assert.equal(new Set(status.nodes.map((node) => node.digest)).size, 1);
  assert.match((await run(['status', '--url', url(0)])).output, /All 3 nodes hold identical files/);
});

test('the replica refuses changes and names the primaries', async () => {
  const answer = await rest(url(2), 'POST', '/workspaces', workspaceXml('refused'));
  assert.equal(answer.status, 403);
  const text = await answer.text();
  assert.ok(text.includes(url(0)) && text.includes(url(1)), text);
  assert.equal((await rest(url(0), 'GET', '/workspaces/refused.json')).status, 404);
});

test('taken ports are named before anything is started', async () => {
  const { code, output } = await run(['demo', '--dir', path.join(folder, 'other'), '--port', String(base)]);
  assert.equal(code, 1);
  assert.match(output, new RegExp(`ports ${base} and ${base + 1} and ${base + 2} are taken.*--port`));
});

test('a node that dies is reported with the command that starts it again, and Ctrl-C stops the others', async () => {
  const { pid } = JSON.parse(
    readText(path.join(dir, 'logs/C.log'))
      .split('\n')
      .find((line) => line.includes('"listening"'))!,
  ) as { pid: number };
  process.kill(pid, 'SIGKILL');
  await demo.prints(
    /Node C has ended \(killed by SIGKILL\).*\n +.*serve --data-dir demo\/C .*--name C .*--role replica/s,
  );
  const startedAt = performance.now();
  assert.equal(await demo.stop('SIGINT'), 0, demo.output);
  assert.ok(performance.now() - startedAt < 8_000);
  assert.match(demo.output, /All nodes have stopped/);
  await assert.rejects(fetch(`${url(0)}/health/live`));
});

test('the logs of the nodes tell of no error', () => {
  for (const name of ['A', 'B', 'C']) {
    const lines = readText(path.join(dir, `logs/${name}.log`))
      .trimEnd()
      .split('\n');
    assert.ok(lines.length > 3);
    const events = lines.map((line) => JSON.parse(line) as { level: string; event: string });
    assert.deepEqual(
      events.filter(({ level }) => level === 'error'),
      [],
    );
  }
});

test('a second start comes back with everything that was changed', async () => {
  await start();
  for (const index of [0, 1, 2])
    assert.equal((await rest(url(index), 'GET', '/workspaces/acme.json')).status, 200, url(index));
  await equalTrees(url(0), url(1), url(2));
  assert.doesNotMatch(demo.output, /Natural Earth/);
});

test('--from is refused where there is a cluster already', async () => {
  const other = await adjacentPorts(3);
  const { code, output } = await run(['demo', '--dir', dir, '--port', String(other), '--from', folder]);
  assert.equal(code, 1);
  assert.match(output, /holds a cluster already/);
});
