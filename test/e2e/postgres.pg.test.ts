/** A cluster whose log is in PostgreSQL: no node holds it, and a restart of the database costs nothing but time. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { adjacentPorts } from '../free-ports.ts';
import { type Postgres, postgresMissing, startPostgres } from '../services/postgres.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { ADMIN, demoDirectory, equalTrees, TestNode, workspaceXml } from './harness.ts';
import { auditWritten, whileWriting } from './writers.ts';

describe('two nodes with their log in PostgreSQL', { skip: postgresMissing }, () => {
  const folder = temporaryFolder('e2e');
  let server: Postgres;
  let [a, b] = [] as unknown as [TestNode, TestNode];

  before(async () => {
    server = await startPostgres();
    const log = server.url(await server.createDatabase()).replace('test@', 'test:hunter2@');
    const port = await adjacentPorts(2);
    await demoDirectory(folder, 'A');
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
  });

  test('what is posted here is there', async () => {
    assert.equal((await a.rest('POST', '/workspaces', workspaceXml('posted'))).status, 201);
    assert.equal((await b.rest('GET', '/workspaces/posted.json')).status, 200);
    await equalTrees(a.url, b.url);
  });

  test('the database restarts amid writes: nothing answered is lost, and nothing happens twice', async () => {
    const answered = await whileWriting([a, b, b], async ({ more }) => {
      for (const signal of ['SIGINT', 'SIGKILL'] as const) {
        await more(20);
        await server.kill(signal);
        await sleep(500);
        await server.restart();
      }
      await more(20);
    });
    await equalTrees(a.url, b.url);
    await auditWritten(answered, [a, b]);
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
