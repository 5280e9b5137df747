/** The demo on a log that is none of its own: begun by the first start, found by the second. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { adjacentPorts } from '../free-ports.ts';
import { type Nats, natsMissing, startNats } from '../services/nats.ts';
import { type Postgres, postgresMissing, startPostgres } from '../services/postgres.ts';
import { equalTrees, Program, rest, run, temporaryFolder, workspaceXml } from './harness.ts';

const { folder, remove } = temporaryFolder();
after(remove);

/** @param start  starts the engine, and gives the URL of an empty log */
function onEngine(
  engine: string,
  skip: string | undefined,
  start: () => Promise<{ url: string; stop(): Promise<void> }>,
) {
  describe(`the demo on ${engine}`, { skip }, () => {
    let log: Awaited<ReturnType<typeof start>>;
    let base: number;
    let demo: Program | undefined;
    const dir = path.join(folder, engine);
    const url = (index: number) => `http://localhost:${base + index}/geoserver`;
    const again = async () => {
      demo = new Program(['demo', '--dir', dir, '--port', String(base), '--nodes', '2', '--log', log.url]);
      await demo.prints('Ctrl-C stops');
      return demo.output;
    };
    before(async () => {
      log = await start();
      base = await adjacentPorts(2);
    });
    after(async () => {
      await demo?.stop('SIGINT');
      await log?.stop();
    });

    test('its nodes begin the log, and no node holds it', async () => {
      const output = await again();
      assert.match(output, /made from Natural Earth/);
      assert.match(output, new RegExp(`A-${base} +both +in-step`));
      assert.equal((await rest(url(1), 'POST', '/workspaces', workspaceXml('acme'))).status, 201);
      await equalTrees(url(0), url(1));
      assert.ok(!existsSync(path.join(dir, `A-${base}`, 'cluster/log')));
      assert.equal(await demo!.stop('SIGINT'), 0);
    });

    test('a second start comes back with everything, and the folder belongs to that log', async () => {
      const output = await again();
      assert.match(output, /Data +found in/);
      assert.equal((await rest(url(0), 'GET', '/workspaces/acme.json')).status, 200);
      assert.equal(await demo!.stop('SIGINT'), 0);
      const on = (folder: string) =>
        run(['demo', '--dir', folder, '--port', String(base), '--log', 'nats://localhost:1']);
      const other = await on(dir);
      assert.equal(other.code, 1);
      assert.match(other.output, /a cluster whose log is .*--dir/);
      const unreachable = await on(path.join(folder, 'other'));
      assert.equal(unreachable.code, 1);
      assert.match(unreachable.output, /nats:\/\/localhost:1: .*reached/);
    });
  });
}

onEngine('NATS', natsMissing, async () => {
  const nats: Nats = await startNats();
  return { url: nats.url, stop: () => nats.stop() };
});
onEngine('PostgreSQL', postgresMissing, async () => {
  const server: Postgres = await startPostgres();
  return { url: server.url(await server.createDatabase()), stop: () => server.stop() };
});
