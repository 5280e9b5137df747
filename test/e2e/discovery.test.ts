/** Nodes that are told nothing but their group and its secret find each other, begin a log, and find it again. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { multicast } from '../../src/log/index.ts';
import { adjacentPorts } from '../free-ports.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { equalTrees, TestNode, workspaceXml } from './harness.ts';

const folder = temporaryFolder('e2e');
const nodes: TestNode[] = [];
after(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
});

const base = await adjacentPorts(6);
const address = { address: '239.77.124.1', port: base };
const works = await (async () => {
  try {
    let heard = false;
    const channel = await multicast(address, ['127.0.0.1'])(() => {
      heard = true;
    });
    for (let n = 0; n < 50 && !heard; n++) {
      channel.send(Buffer.from('x'));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await channel.close();
    return heard;
  } catch {
    return false;
  }
})();

function start(name: string, port: number, more: readonly string[] = []): TestNode {
  const discovery = ['--discovery', 'multicast', '--discovery-interface', '127.0.0.1'];
  const at = ['--discovery-address', `${address.address}:${address.port}`];
  const node = new TestNode({ folder, name, port, logPort: 'unknown', more: [...discovery, ...at, ...more] });
  nodes.push(node);
  return node;
}

const holdsLog = (node: TestNode) => existsSync(path.join(node.dataDir, 'cluster/log/records'));

test('three nodes and a stranger', { skip: !works && 'multicast does not work on this machine' }, async () => {
  const [c, a, b] = [start('C', base + 1), start('A', base + 2), start('B', base + 3)];
  const stranger = start('0', base + 4, ['--group', 'others']);
  await Promise.all([a, b, c, stranger].map((node) => node.ready()));
  assert.deepEqual([a, b, c, stranger].map(holdsLog), [true, false, false, true]);
  assert.equal((await c.rest('POST', '/workspaces', workspaceXml('found'))).status, 201);
  await equalTrees(a.url, b.url, c.url);
  assert.equal((await a.rest('GET', '/workspaces/found.json')).status, 200);
  assert.equal((await stranger.rest('GET', '/workspaces/found.json')).status, 404);
  await stranger.stop();
  const alone = start('R', base + 4, ['--group', 'nobody', '--role', 'replica']);
  await eventually(async () => {
    const health = await (await fetch(`${alone.url}/health/ready`)).text();
    assert.match(health, /nobody is heard that holds a log or may start one/);
  });
  assert.equal(await alone.stop(), 0);

  // The node with the log comes back at another port, the others find it, and one that starts meanwhile waits for it.
  await a.kill();
  await b.kill();
  const later = b.restart();
  const moved = await start('A', base + 5).ready();
  await later;
  await eventually(async () => {
    assert.equal((await c.rest('POST', '/workspaces', workspaceXml('again'))).status, 201);
  });
  await equalTrees(moved.url, b.url, c.url);
  assert.deepEqual([moved, b, c].map(holdsLog), [true, false, false]);
});
