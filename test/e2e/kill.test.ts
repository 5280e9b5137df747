/** Nodes that are killed lose nothing that was answered, and come back. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { makeDemoDirectory } from '../../src/cli/demo/data-directory.ts';
import { adjacentPorts } from '../free-ports.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { demoDirectory, equalTrees, getMap, rest, TestNode, workspaceNames, workspaceXml } from './harness.ts';

const folder = temporaryFolder('e2e');
let [a, b, c] = [] as unknown as [TestNode, TestNode, TestNode];
let base = 0;

before(async () => {
  base = await adjacentPorts(4);
  await demoDirectory(folder, 'A');
  a = await new TestNode({ folder, name: 'A', port: base }).ready();
  b = new TestNode({ folder, name: 'B', port: base + 1, logPort: base });
  c = new TestNode({ folder, name: 'C', port: base + 2, logPort: base, role: 'replica' });
  await Promise.all([b.ready(), c.ready()]);
});
after(async () => {
  await Promise.all([b.stop(), c.stop()]);
  await a.stop();
});

test('a killed replica catches up with fifty changes', async () => {
  await c.kill();
  for (let i = 0; i < 50; i++) {
    const node = i % 2 === 0 ? a : b;
    assert.equal((await node.rest('POST', '/workspaces', workspaceXml(`caught${i}`))).status, 201);
  }
  await c.restart();
  assert.equal((await workspaceNames(c.url)).filter((name) => name.startsWith('caught')).length, 50);
  await equalTrees(a.url, b.url, c.url);
});

test('the node with the log is killed amid writes: what was answered is there, once, on all nodes', async () => {
  const answered = new Set<string>();
  const unanswered = new Set<string>();
  let stop = false;
  const client = async (node: TestNode, prefix: string) => {
    for (let i = 0; !stop; i++) {
      const name = `${prefix}${i}`;
      const status = await rest(node.url, 'POST', '/workspaces', workspaceXml(name)).then(
        (answer) => answer.status,
        () => undefined,
      );
      if (status === 201) answered.add(name);
      else unanswered.add(name);
      if (status !== 201) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const clients = [client(a, 'wa'), client(a, 'wb'), client(b, 'wc'), client(b, 'wd')];
  await eventually(() => assert.ok(answered.size >= 40, `${answered.size} writes`));
  await a.kill();
  const before = answered.size;
  await a.restart();
  await eventually(() => assert.ok(answered.size >= before + 20, 'writes go on after the restart'));
  stop = true;
  await Promise.all(clients);

  await equalTrees(a.url, b.url, c.url);
  for (const node of [a, b, c]) {
    const found = await workspaceNames(node.url);
    assert.equal(new Set(found).size, found.length, 'nothing is there twice');
    for (const name of answered)
      assert.ok(found.includes(name), `${name} was answered 201 and is missing on ${node.name}`);
    // What was not answered may have been written or not, but nothing else may be there.
    for (const name of found.filter((other) => /^w[a-d]\d/.test(other)))
      assert.ok(answered.has(name) || unanswered.has(name), name);
  }
});

test('a fourth node with an empty folder bootstraps itself and draws the same map', async () => {
  const d = await new TestNode({ folder, name: 'D', port: base + 3, logPort: base }).ready();
  try {
    await equalTrees(a.url, d.url);
    const params = { layers: 'world', width: '256', height: '128' };
    assert.deepEqual(await getMap(d.url, params), await getMap(a.url, params));
    assert.equal((await d.rest('POST', '/workspaces', workspaceXml('from-the-fourth'))).status, 201);
    assert.equal((await a.rest('GET', '/workspaces/from-the-fourth.json')).status, 200);
  } finally {
    assert.equal(await d.stop(), 0, d.program.output);
  }
});

test('a node that brings another data directory is refused', async () => {
  const other = path.join(folder, 'other');
  await makeDemoDirectory(other, { adminPassword: 'another', salt: new Uint8Array(16) });
  const e = new TestNode({ folder, name: 'E', port: base + 3, logPort: base, dataDir: other });
  assert.notEqual(await e.program.exited, 0);
  assert.match(e.program.output, /adopt/);
});

test('while the log is away, maps are drawn and changes are refused', async () => {
  await a.kill();
  try {
    await getMap(b.url, { layers: 'world', width: '64', height: '32' });
    const write = await b.rest('POST', '/workspaces', workspaceXml('into-the-void'));
    assert.equal(write.status, 503);
    assert.ok(write.headers.get('retry-after'));
    const health = await eventually(async () => {
      const answer = (await (await fetch(`${b.url}/health/ready`)).json()) as { status: string; state: string };
      assert.equal(answer.state, 'stale');
      return answer;
    });
    assert.equal(health.status, 'degraded');
  } finally {
    await a.restart();
  }
  assert.equal(
    (
      await eventually(async () => {
        const answer = await b.rest('POST', '/workspaces', workspaceXml('after-the-void'));
        assert.equal(answer.status, 201);
        return answer;
      })
    ).status,
    201,
  );
  assert.equal((await a.rest('GET', '/workspaces/into-the-void.json')).status, 404);
});
