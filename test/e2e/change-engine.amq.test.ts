/** A cluster moves its log from a node to ActiveMQ, where nodes keep it, and away again. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { adjacentPorts } from '../free-ports.ts';
import { type ActiveMq, activeMqMissing, startActiveMq } from '../services/activemq.ts';
import { type Nats, natsMissing, startNats } from '../services/nats.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { equalTrees, nodeState, PASSWORD, rest, run, SECRET, TestNode, workspaceXml } from './harness.ts';

describe('a cluster moves to ActiveMQ and away', { skip: activeMqMissing ?? natsMissing }, () => {
  const folder = temporaryFolder('e2e');
  let activeMq: ActiveMq;
  let nats: Nats;
  const nodes: TestNode[] = [];
  const urls = () => nodes.map(({ url }) => url);
  const cli = async (...args: string[]) => {
    const { code, output } = await run(args, { GEOSERVER_ADMIN_PASSWORD: PASSWORD, GRATICULE_CLUSTER_SECRET: SECRET });
    assert.equal(code, 0, output);
    return output;
  };
  let made = 0;

  before(async () => {
    [activeMq, nats] = await Promise.all([startActiveMq(), startNats()]);
    const port = await adjacentPorts(2);
    nodes.push(new TestNode({ folder, name: 'A', port }));
    await nodes[0]!.ready();
    nodes.push(new TestNode({ folder, name: 'B', port: port + 1, logPort: port }));
    await nodes[1]!.ready();
  });
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await Promise.all([activeMq?.stop(), nats?.stop()]);
  });

  async function change(): Promise<void> {
    for (const { url } of nodes) {
      const answer = await rest(url, 'POST', '/workspaces', workspaceXml(`w${++made}`));
      assert.equal(answer.status, 201, await answer.text());
    }
    await equalTrees(...urls());
  }

  async function move(from: string, to: string, brokerUrl: string): Promise<void> {
    await change();
    for (const name of ['A', 'B']) await cli('role', name, 'paused', '--url', nodes[0]!.url);
    const { position } = await nodeState(nodes[0]!.url);
    assert.match(await cli('log', 'copy', from, to), new RegExp(`Positions 1 to ${position} are the same in both`));
    for (const { url } of nodes) await cli('cluster', 'set', `brokerURL=${brokerUrl}`, 'role=both', '--url', url);
    await eventually(async () => {
      for (const url of urls()) assert.equal((await nodeState(url)).state, 'in-step', url);
    });
    await change();
    const changes = await (await rest(nodes[1]!.url, 'GET', '/cluster/changes.json?limit=500')).text();
    assert.match(changes, /"ref":"2"/);
    assert.ok((await nodeState(nodes[1]!.url)).position >= position + 2);
  }

  test('from a node to ActiveMQ: into the copy that the first node keeps', async () => {
    const to = `embedded:${path.join(nodes[0]!.dataDir, 'cluster/log-copy')}`;
    await move(`ws://localhost:${new URL(nodes[0]!.url).port}`, to, activeMq.url);
  });

  test('from ActiveMQ to NATS: out of the copy that any node keeps', async () => {
    await move(`ws://localhost:${new URL(nodes[1]!.url).port}`, nats.url, nats.url);
  });
});
