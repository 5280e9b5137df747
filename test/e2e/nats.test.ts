/** Two nodes whose log is on NATS: what one takes, the other has; and a server that is killed loses nothing that was answered. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { adjacentPorts } from '../free-ports.ts';
import { type Nats, natsMissing, startNats } from '../services/nats.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { demoDirectory, equalTrees, sees, TestNode, workspaceXml } from './harness.ts';
import { auditWritten, whileWriting } from './writers.ts';

const LOGIN = { user: 'graticule', password: 'not-to-be-shown' };

describe('nodes with a log on NATS', { skip: natsMissing }, () => {
  const folder = temporaryFolder('e2e');
  let nats: Nats;
  let [a, b] = [] as unknown as [TestNode, TestNode];

  before(async () => {
    const base = await adjacentPorts(2);
    const { user, password } = LOGIN;
    nats = await startNats({ configuration: `authorization { user: ${user}, password: "${password}" }` });
    const log = nats.url.replace('://', `://${user}:${password}@`);
    await demoDirectory(folder, 'A');
    a = await new TestNode({ folder, name: 'A', port: base, log }).ready();
    // The second one is told by its environment, as a container is.
    b = await new TestNode({
      folder,
      name: 'B',
      port: base + 1,
      logPort: 'unknown',
      env: { brokerURL: log, GRATICULE_CLUSTER_SECRET: '' },
    }).ready();
  });
  after(async () => {
    await Promise.all([a?.stop(), b?.stop()]);
    await nats?.stop();
  });

  it('what is posted to one is there on the other, and they see each other', async () => {
    assert.equal((await a.rest('POST', '/workspaces', workspaceXml('over-nats'))).status, 201);
    assert.equal((await b.rest('GET', '/workspaces/over-nats.json')).status, 200);
    await sees(b.url, 'A', 'B');
  });

  it('a large upload gets there', async () => {
    const font = new Uint8Array(3_000_000).map((_, i) => (i * i) % 251);
    const put = await a.rest('PUT', '/resource/styles/large.bin', font, 'application/octet-stream');
    assert.ok(put.ok, `${put.status}`);
    const got = await b.rest('GET', '/resource/styles/large.bin');
    assert.deepEqual(new Uint8Array(await got.arrayBuffer()), font);
  });

  it('the password is shown nowhere', async () => {
    const answer = await b.rest('GET', '/cluster.json');
    const text = await answer.text();
    assert.equal(answer.status, 200);
    assert.match(text, /nats:\/\/127\.0\.0\.1/);
    for (const seen of [text, a.program.output, b.program.output]) assert.ok(!seen.includes(LOGIN.password));
  });

  it('a server that is killed while clients write loses nothing, and nothing is there twice', async () => {
    const [server] = nats.servers;
    const answered = await whileWriting([a, a, b, b], async ({ more }) => {
      for (let times = 0; times < 2; times++) {
        await more(30);
        await server!.kill('SIGKILL');
        await server!.restart();
      }
      await more(20);
    });
    await equalTrees(a.url, b.url);
    await auditWritten(answered, [a, b]);
  });
});
