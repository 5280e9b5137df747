/**
 * Three nodes whose log is on ActiveMQ: what one takes, the others have; a broker that is killed loses nothing that was answered;
 * a node that comes late gets what the broker no longer carries from the others.
 */

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { adjacentPorts } from '../free-ports.ts';
import { type ActiveMq, activeMqMissing, startActiveMq } from '../services/activemq.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { demoDirectory, equalTrees, sees, TestNode, workspaceXml } from './harness.ts';
import { auditWritten, whileWriting } from './writers.ts';

const LOGIN = { user: 'node', password: 'not-to-be-shown' };

describe('nodes with a log on ActiveMQ', { skip: activeMqMissing }, () => {
  const folder = temporaryFolder('e2e');
  let activeMq: ActiveMq;
  let base: number;
  let log: string;
  let [a, b, c] = [] as unknown as [TestNode, TestNode, TestNode];

  before(async () => {
    base = await adjacentPorts(3);
    const { user, password } = LOGIN;
    activeMq = await startActiveMq({ users: { [user]: password } });
    log = activeMq.url.replace('://', `://${user}:${password}@`);
    await demoDirectory(folder, 'A');
    a = await new TestNode({ folder, name: 'A', port: base, log }).ready();
    // The second one is told by its environment, as a container is, and in the words of GeoServer's extension.
    const brokerURL = `failover:(tcp://127.0.0.1:${activeMq.brokers[0]!.port})?jms.userName=${user}&jms.password=${password}`;
    const words = { embeddedBroker: 'disabled', brokerURL };
    b = await new TestNode({ folder, name: 'B', port: base + 1, logPort: 'unknown', env: words }).ready();
  });
  after(async () => {
    await Promise.all([a?.stop(), b?.stop(), c?.stop()]);
    await activeMq?.stop();
  });

  it('what is posted to one is there on the other, and they see each other', async () => {
    assert.equal((await a.rest('POST', '/workspaces', workspaceXml('over-activemq'))).status, 201);
    await eventually(async () => assert.equal((await b.rest('GET', '/workspaces/over-activemq.json')).status, 200));
    await sees(b.url, 'A', 'B');
  });

  it('a large upload gets there, from node to node', async () => {
    const font = new Uint8Array(3_000_000).map((_, i) => (i * i) % 251);
    const put = await a.rest('PUT', '/resource/styles/large.bin', font, 'application/octet-stream');
    assert.ok(put.ok, `${put.status}`);
    await equalTrees(a.url, b.url);
    const got = await b.rest('GET', '/resource/styles/large.bin');
    assert.deepEqual(new Uint8Array(await got.arrayBuffer()), font);
  });

  it('the password is shown nowhere', async () => {
    const answer = await b.rest('GET', '/cluster.json');
    const text = await answer.text();
    assert.equal(answer.status, 200);
    assert.match(text, /tcp:\/\/127\.0\.0\.1/);
    for (const seen of [text, a.program.output, b.program.output]) assert.ok(!seen.includes(LOGIN.password));
  });

  it('a node that comes late has everything', async () => {
    c = await new TestNode({ folder, name: 'C', port: base + 2, log }).ready();
    await equalTrees(a.url, b.url, c.url);
    assert.equal((await c.rest('POST', '/workspaces', workspaceXml('by-the-late-one'))).status, 201);
    await equalTrees(a.url, b.url, c.url);
  });

  it('a broker that is killed while clients write loses nothing, and nothing is there twice', async () => {
    const [broker] = activeMq.brokers;
    const answered = await whileWriting([a, b, c], async ({ more }) => {
      for (let times = 0; times < 2; times++) {
        await more(15);
        await broker!.kill('SIGKILL');
        await broker!.restart();
      }
      await more(15);
    });
    await equalTrees(a.url, b.url, c.url);
    await auditWritten(answered, [a, b, c]);
  });

  it('a node that lost all it had gets it from the others', async () => {
    await c.kill();
    rmSync(c.dataDir, { recursive: true });
    assert.equal((await a.rest('POST', '/workspaces', workspaceXml('while-it-was-away'))).status, 201);
    await c.restart();
    await equalTrees(a.url, b.url, c.url);
  });
});
