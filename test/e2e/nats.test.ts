/** Two nodes whose log is on NATS: what one takes, the other has; and a server that is killed loses nothing that was answered. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeDemoDirectory } from '../../src/cli/demo/data-directory.ts';
import { adjacentPorts } from '../free-ports.ts';
import { type Nats, natsMissing, startNats } from '../services/nats.ts';
import { ADMIN, equalTrees, eventually, TestNode, temporaryFolder, workspaceXml } from './harness.ts';

const LOGIN = { user: 'graticule', password: 'not-to-be-shown' };

describe('nodes with a log on NATS', { skip: natsMissing }, () => {
  const { folder, remove } = temporaryFolder();
  let nats: Nats;
  let [a, b] = [] as unknown as [TestNode, TestNode];

  before(async () => {
    const base = await adjacentPorts(2);
    const { user, password } = LOGIN;
    nats = await startNats({ configuration: `authorization { user: ${user}, password: "${password}" }` });
    const log = nats.url.replace('://', `://${user}:${password}@`);
    await makeDemoDirectory(path.join(folder, 'A'), { adminPassword: 'geoserver', salt: new Uint8Array(16) });
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
    remove();
  });

  it('what is posted to one is there on the other, and they see each other', async () => {
    assert.equal((await a.rest('POST', '/workspaces', workspaceXml('over-nats'))).status, 201);
    assert.equal((await b.rest('GET', '/workspaces/over-nats.json')).status, 200);
    await eventually(async () => {
      const overview = await (await fetch(`${b.url}/cluster/overview.json`)).json();
      assert.deepEqual((overview as { nodes: { name: string }[] }).nodes.map(({ name }) => name).sort(), ['A', 'B']);
    });
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
    const answered = new Set<string>();
    let stop = false;
    const client = async (node: TestNode, prefix: string) => {
      for (let n = 0; !stop; n++) {
        const name = `${prefix}${n}`;
        // The same request until it is answered, as its key allows.
        for (;;) {
          const status = await fetch(`${node.url}/rest/workspaces`, {
            method: 'POST',
            headers: { authorization: ADMIN, 'content-type': 'text/xml', 'idempotency-key': `create-${name}` },
            body: workspaceXml(name),
            signal: AbortSignal.timeout(30_000),
          }).then(
            (answer) => answer.status,
            () => undefined,
          );
          if (status === 201) break;
          // A second one of the same would be refused with 409.
          assert.ok(status === undefined || status === 503, `${name}: ${status}`);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        answered.add(name);
      }
    };
    const clients = [client(a, 'ka'), client(a, 'kb'), client(b, 'kc'), client(b, 'kd')];
    for (let times = 0; times < 2; times++) {
      const before = answered.size;
      await eventually(() => assert.ok(answered.size >= before + 30, `${answered.size} writes`), 60_000);
      await nats.servers[0]!.kill('SIGKILL');
      await nats.servers[0]!.restart();
    }
    const before = answered.size;
    await eventually(() => assert.ok(answered.size >= before + 20, 'writes go on after the restart'), 60_000);
    stop = true;
    await Promise.all(clients);
    await equalTrees(a.url, b.url);
    for (const node of [a, b]) {
      const list = (await (await node.rest('GET', '/workspaces.json')).json()) as {
        workspaces: { workspace: { name: string }[] };
      };
      const found = list.workspaces.workspace.map(({ name }) => name).filter((name) => /^k[a-d]\d/.test(name));
      assert.deepEqual(found.sort(), [...answered].sort());
    }
  });
});
