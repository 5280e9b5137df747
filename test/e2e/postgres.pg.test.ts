/** A cluster whose log is in PostgreSQL: no node holds it, and a restart of the database costs nothing but time. */

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeDemoDirectory } from '../../src/cli/demo/data-directory.ts';
import { adjacentPorts } from '../free-ports.ts';
import { type Postgres, postgresMissing, startPostgres } from '../services/postgres.ts';
import { ADMIN, equalTrees, eventually, TestNode, temporaryFolder, workspaceXml } from './harness.ts';

describe('two nodes with their log in PostgreSQL', { skip: postgresMissing }, () => {
  const { folder, remove } = temporaryFolder();
  let server: Postgres;
  let [a, b] = [] as unknown as [TestNode, TestNode];

  before(async () => {
    server = await startPostgres();
    const log = server.url(await server.createDatabase()).replace('test@', 'test:hunter2@');
    const port = await adjacentPorts(2);
    await makeDemoDirectory(path.join(folder, 'A'), { adminPassword: 'geoserver', salt: new Uint8Array(16) });
    // They need no secret of the cluster, and one of them is told of its log in the manner of GeoServer.
    const common = { folder, logPort: 'unknown' as const };
    a = new TestNode({ ...common, name: 'A', port, more: ['--log', log], env: { GRATICULE_CLUSTER_SECRET: '' } });
    await a.ready();
    b = new TestNode({ ...common, name: 'B', port: port + 1, env: { GRATICULE_CLUSTER_SECRET: '', brokerURL: log } });
    await b.ready();
  });
  after(async () => {
    await Promise.all([a?.stop(), b?.stop()]);
    await server?.stop();
    remove();
  });

  test('what is posted here is there', async () => {
    assert.equal((await a.rest('POST', '/workspaces', workspaceXml('posted'))).status, 201);
    assert.equal((await b.rest('GET', '/workspaces/posted.json')).status, 200);
    await equalTrees(a.url, b.url);
  });

  test('the database restarts amid writes: nothing answered is lost, and nothing happens twice', async () => {
    const answered: string[] = [];
    let stop = false;
    const write = async (node: TestNode, name: string) => {
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
      }, 60_000);
      answered.push(name);
    };
    const client = async (node: TestNode, prefix: string) => {
      for (let i = 0; !stop; i++) await write(node, `${prefix}${i}`);
    };
    const clients = [client(a, 'wa'), client(b, 'wb'), client(b, 'wc')];
    for (let round = 1; round <= 2; round++) {
      const before = answered.length;
      await eventually(() => assert.ok(answered.length >= before + 20, `${answered.length} writes`), 60_000);
      await server.kill(round === 1 ? 'SIGINT' : 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 500));
      await server.restart();
    }
    const before = answered.length;
    await eventually(() => assert.ok(answered.length >= before + 20, 'writes go on'), 60_000);
    stop = true;
    await Promise.all(clients);
    await equalTrees(a.url, b.url);
    for (const node of [a, b]) {
      const list = (await (await node.rest('GET', '/workspaces.json')).json()) as {
        workspaces: { workspace: { name: string }[] };
      };
      const found = list.workspaces.workspace.map(({ name }) => name).filter((name) => /^w[abc]\d/.test(name));
      assert.deepEqual(found.sort(), answered.toSorted());
    }
  });

  test('the password in the URL is nowhere to be seen', async () => {
    const shown = await Promise.all(
      ['/rest/cluster.json', '/rest/cluster/status.json', '/cluster/overview.json'].map(async (resource) =>
        (await fetch(`${b.url}${resource}`, { headers: { authorization: ADMIN } })).text(),
      ),
    );
    for (const text of [...shown, a.program.output, b.program.output]) assert.ok(!text.includes('hunter2'), text);
    assert.match(a.program.output, /PostgreSQL.*log-connected/);
  });

  test('a node that comes later takes everything out of the database', async () => {
    await a.kill();
    assert.equal((await b.rest('POST', '/workspaces', workspaceXml('without-a'))).status, 201);
    await a.restart();
    assert.equal((await a.rest('GET', '/workspaces/without-a.json')).status, 200);
    await equalTrees(a.url, b.url);
  });
});
