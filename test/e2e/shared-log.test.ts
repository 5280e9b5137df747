/** Three primaries that share the folder of their log: one of them holds it, and which one does not matter. */

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeDemoDirectory } from '../../src/cli/demo/data-directory.ts';
import { adjacentPorts } from '../free-ports.ts';
import { ADMIN, equalTrees, eventually, TestNode, temporaryFolder, workspaceXml } from './harness.ts';

describe('three nodes that share the folder of their log', () => {
  const { folder, remove } = temporaryFolder();
  let nodes: TestNode[] = [];

  before(async () => {
    const port = await adjacentPorts(3);
    await makeDemoDirectory(path.join(folder, 'A'), { adminPassword: 'geoserver', salt: new Uint8Array(16) });
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
    remove();
  });

  test('writes go on through the others when the one that holds the log is killed, and when the next one stops', async () => {
    const answered: string[] = [];
    let stop = false;
    const client = async (node: TestNode, prefix: string) => {
      for (let i = 0; !stop; i++) {
        const name = `${prefix}${i}`;
        const key = randomUUID();
        await eventually(async () => {
          const answer = await fetch(`${node.url}/rest/workspaces`, {
            method: 'POST',
            headers: { authorization: ADMIN, 'content-type': 'text/xml', 'idempotency-key': key },
            body: workspaceXml(name),
            signal: AbortSignal.timeout(30_000),
          });
          // Done twice, it would be refused the second time: the workspace is there.
          assert.ok(answer.status === 201 || answer.status === 503, `${name}: ${answer.status} ${await answer.text()}`);
          assert.equal(answer.status, 201);
        }, 20_000);
        answered.push(name);
      }
    };
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    const clients = [client(b, 'wb'), client(c, 'wc')];
    const more = async (count: number) => {
      const before = answered.length;
      await eventually(
        () => assert.ok(answered.length >= before + count, `${answered.length - before} writes`),
        20_000,
      );
    };
    await more(10);
    await a.kill();
    await more(20);
    await a.restart();
    const holder = [b, c].find(({ program }) => program.output.includes('"broker-active"'))!;
    assert.ok(holder, 'one of the others holds the log');
    stop = true;
    await Promise.all(clients);
    await holder.stop();
    const other = holder === b ? c : b;
    await eventually(async () =>
      assert.equal((await other.rest('POST', '/workspaces', workspaceXml('last'))).status, 201),
    );
    await holder.restart();
    await equalTrees(a.url, b.url, c.url);
    const list = (await (await a.rest('GET', '/workspaces.json')).json()) as {
      workspaces: { workspace: { name: string }[] };
    };
    const found = list.workspaces.workspace.map(({ name }) => name).filter((name) => /^w[bc]\d|^last/.test(name));
    assert.deepEqual(found.sort(), [...answered, 'last'].sort());
  });
});
