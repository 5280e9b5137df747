/** The demo on a log that is none of its own: begun by the first start, found by the second. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { adjacentPorts, freePort } from '../free-ports.ts';
import { activeMqMissing, startActiveMq } from '../services/activemq.ts';
import { type Nats, natsMissing, startNats } from '../services/nats.ts';
import { type Postgres, postgresMissing, startPostgres } from '../services/postgres.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { equalTrees, Program, rest, run, SECRET, workspaceXml } from './harness.ts';

const folder = temporaryFolder('e2e');

interface Engine {
  /** Of an empty log. */
  readonly url: string;
  readonly env?: NodeJS.ProcessEnv;
  stop(): Promise<unknown>;
}

function onEngine(engine: string, skip: string | undefined, start: () => Promise<Engine>) {
  describe(`the demo on ${engine}`, { skip }, () => {
    let log: Engine;
    let base: number;
    let demo: Program | undefined;
    const dir = path.join(folder, engine);
    const url = (index: number) => `http://localhost:${base + index}/geoserver`;
    const again = async () => {
      const args = ['demo', '--dir', dir, '--port', String(base), '--nodes', '2', '--log', log.url];
      demo = new Program(args, { env: log.env });
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
onEngine('ActiveMQ', activeMqMissing, startActiveMq);
onEngine('a broker', undefined, async () => {
  const port = await freePort();
  const env = { GRATICULE_CLUSTER_SECRET: SECRET };
  const store = path.join(folder, 'store');
  const program = new Program(['broker', '--store', store, '--port', String(port), '--host', '127.0.0.1'], { env });
  await eventually(async () => assert.ok((await fetch(`http://127.0.0.1:${port}/health/active`)).ok));
  return { url: `ws://127.0.0.1:${port}`, env, stop: () => program.stop() };
});
onEngine('a shared folder', undefined, async () => {
  return { url: `embedded:${path.join(folder, 'shared')}`, stop: async () => {} };
});
