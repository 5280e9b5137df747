/** Three primaries that share the folder of their log: one of them holds it, and which one does not matter. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { adjacentPorts } from '../free-ports.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { demoDirectory, equalTrees, TestNode, workspaceNames, workspaceXml } from './harness.ts';
import { auditWritten, whileWriting } from './writers.ts';

describe('three nodes that share the folder of their log', () => {
  const folder = temporaryFolder('e2e');
  let nodes: TestNode[] = [];

  before(async () => {
    const port = await adjacentPorts(3);
    await demoDirectory(folder, 'A');
    const log = `embedded:${path.join(folder, 'shared', 'log')}`;
    // Who shares the folder shares its secret; one of them is told of it in the manner of GeoServer.
    const common = { folder, logPort: 'unknown' as const };
    const secretless = { GRATICULE_CLUSTER_SECRET: '' };
    const a = await new TestNode({ ...common, name: 'A', port, more: ['--log', log], env: secretless }).ready();
    const b = new TestNode({ ...common, name: 'B', port: port + 1, env: { ...secretless, brokerURL: log } });
    const c = new TestNode({ ...common, name: 'C', port: port + 2, more: ['--log', log], env: secretless });
    nodes = [a, await b.ready(), await c.ready()];
  });
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  });

  test('writes go on through the others when the one that holds the log is killed, and when the next one stops', async () => {
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    const answered = await whileWriting([b, c], async ({ more }) => {
      await more(10, 20_000);
      await a.kill();
      await more(20, 20_000);
      await a.restart();
    });
    const holder = [b, c].find(({ program }) => program.output.includes('"broker-active"'))!;
    assert.ok(holder, 'one of the others holds the log');
    await holder.stop();
    const other = holder === b ? c : b;
    await eventually(async () =>
      assert.equal((await other.rest('POST', '/workspaces', workspaceXml('last'))).status, 201),
    );
    await holder.restart();
    await equalTrees(a.url, b.url, c.url);
    await auditWritten(answered, nodes);
    assert.ok((await workspaceNames(a.url)).includes('last'));
  });
});
