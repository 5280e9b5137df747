/** Three processes on one data directory: one writes it, two only follow; the log is with one of those. */

import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { adjacentPorts } from '../free-ports.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { demoDirectory, equalTrees, getMap, nodeState, overview, TestNode, workspaceXml } from './harness.ts';

const folder = temporaryFolder('e2e');
const dataDir = path.join(folder, 'shared');
let [writer, two, three] = [] as unknown as [TestNode, TestNode, TestNode];

before(async () => {
  const base = await adjacentPorts(3);
  await demoDirectory(folder, 'shared');
  mkdirSync(path.join(folder, 'elsewhere'));
  const env = { CLUSTER_CONFIG_DIR: 'cluster/two', readOnly: 'enabled' };
  two = await new TestNode({ folder, name: 'two', port: base, dataDir, env }).ready();
  assert.equal((await nodeState(two.url)).state, 'starting');
  const own = { CLUSTER_CONFIG_DIR: 'cluster/one' };
  writer = await new TestNode({ folder, name: 'one', port: base + 1, logPort: base, dataDir, env: own }).ready();
  const more = ['--read-only', '--cluster-dir', path.join(folder, 'elsewhere/three')];
  three = await new TestNode({
    folder,
    name: 'three',
    port: base + 2,
    logPort: base,
    role: 'replica',
    dataDir,
    more,
  }).ready();
});
after(async () => {
  await Promise.all([writer?.stop(), three?.stop()]);
  await two?.stop();
});

/** Everything in the directory but what is a node's own. */
function stamps(): Record<string, string> {
  const all: Record<string, string> = {};
  for (const name of readdirSync(dataDir, { recursive: true, encoding: 'utf8' })) {
    if (/^cluster(\/|$)/.test(name)) continue;
    const stat = lstatSync(path.join(dataDir, name), { bigint: true });
    all[name] = `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${stat.nlink}`;
  }
  return all;
}

const all = () => [writer, two, three];
const world = (node: TestNode) => getMap(node.url, { layers: 'world', width: '200', height: '100' });

test('what is changed through a read-only primary is seen by all, and written by the one', async () => {
  await equalTrees(...all().map(({ url }) => url));
  const { nodes } = await overview(three.url);
  assert.deepEqual(
    nodes.map(({ name, readOnly }) => [name, readOnly]),
    [
      ['one', false],
      ['three', true],
      ['two', true],
    ],
  );
  assert.equal((await two.rest('POST', '/workspaces', workspaceXml('shared'))).status, 201);
  const data = readFileSync(path.join(dataDir, 'data/natural_earth.gpkg'));
  const upload = await two.rest(
    'PUT',
    '/workspaces/shared/datastores/lands/file.gpkg?configure=all',
    data,
    'application/octet-stream',
  );
  assert.equal(upload.status, 201, await upload.text());
  await equalTrees(...all().map(({ url }) => url));
  for (const node of all()) {
    assert.equal((await node.rest('GET', '/workspaces/shared.json')).status, 200, node.name);
    assert.deepEqual(
      await getMap(node.url, { layers: 'shared:countries' }),
      await getMap(two.url, { layers: 'shared:countries' }),
    );
    assert.deepEqual(await world(node), await world(two), node.name);
  }
  await eventually(() => assert.ok(readdirSync(path.join(dataDir, 'workspaces/shared')).includes('lands')));
  // Who does not write does not look for edits either.
  assert.equal((await two.rest('POST', '/reload')).status, 409);
});

test('while the one is away, the others go on and write nothing; it writes when it is back', async () => {
  await writer.stop();
  const before = stamps();
  assert.equal((await two.rest('POST', '/workspaces', workspaceXml('meanwhile'))).status, 201);
  await equalTrees(two.url, three.url);
  await Promise.all([world(two), world(three)]);
  await three.stop();
  await three.restart();
  await equalTrees(two.url, three.url);
  assert.equal((await three.rest('GET', '/workspaces/meanwhile.json')).status, 200);
  assert.deepEqual(stamps(), before);
  await writer.restart();
  await equalTrees(...all().map(({ url }) => url));
  await eventually(() => assert.ok(readdirSync(path.join(dataDir, 'workspaces')).includes('meanwhile')));
});

test('each starts again', async () => {
  await two.kill();
  await two.restart();
  await three.kill();
  await three.restart();
  await writer.kill();
  await writer.restart();
  assert.equal((await two.rest('POST', '/workspaces', workspaceXml('again'))).status, 201);
  await equalTrees(...all().map(({ url }) => url));
  for (const node of all()) assert.deepEqual(await world(node), await world(two), node.name);
});
