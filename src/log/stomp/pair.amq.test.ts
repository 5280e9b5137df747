/** Two brokers on one store, of which one serves and the other waits for it to die: nothing that was acknowledged is lost. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ActiveMq,
  activeMqDatabaseMissing,
  activeMqMissing,
  startActiveMq,
} from '../../../test/services/activemq.ts';
import { type Postgres, postgresMissing, startPostgres } from '../../../test/services/postgres.ts';
import type { ChangeLog } from '../change-log.ts';
import { TcpProxy } from '../contract/proxy.ts';
import { logContract } from '../contract.ts';
import { openStompLog } from './index.ts';
import { Nodes } from './nodes.fixture.ts';

const SECRET = 'of the tests';

describe('two brokers on one folder', { skip: activeMqMissing, timeout: 180_000 }, () => {
  let amq: ActiveMq;
  let groups = 0;
  before(async () => {
    amq = await startActiveMq({ brokers: 2 });
  });
  after(() => amq?.stop());

  /** Kills the one that serves; it comes back to wait for the other. */
  async function failOver(): Promise<void> {
    const active = await amq.active();
    await active.kill('SIGKILL');
    await amq.active();
    await active.restart();
  }

  logContract(
    'the log on a pair',
    async () => {
      const proxies = amq.brokers.map(({ port }) => new TcpProxy(() => port));
      for (const proxy of proxies) await proxy.start();
      const url = `failover:(${proxies.map(({ port }) => `stomp://127.0.0.1:${port}`)})`;
      const group = `test ${++groups}`;
      const folder = mkdtempSync(path.join(tmpdir(), 'graticule-pair-'));
      const handles: { readonly log: ChangeLog; readonly server: Server }[] = [];
      const open = async (name: string): Promise<ChangeLog> => {
        const server = createServer();
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        const address = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
        const node = `node-${handles.length + 1}`;
        const log = await openStompLog({
          url,
          group: name,
          name: node,
          folder: path.join(folder, node),
          exchange: { secret: SECRET, offer: { server, url: address } },
          answerWaitMs: 2000,
          heartbeatMs: 200,
          peerTtlMs: 150,
        });
        handles.push({ log, server });
        return log;
      };
      return {
        open: () => open(group),
        beside: () => open(`${group}.beside`),
        restart: failOver,
        cut: (afterBytes) => {
          for (const proxy of proxies) proxy.cut(afterBytes);
        },
        dispose: async () => {
          for (const { log, server } of handles) {
            await log.close();
            server.closeAllConnections();
            server.close();
          }
          for (const proxy of proxies) proxy.stop();
          rmSync(folder, { recursive: true, force: true });
        },
      };
    },
    { peerTtlMs: 150, troubles: ['restart', 'cut'] },
  );

  it('when one is killed, nodes go on with the other', async (t) => {
    const nodes = new Nodes(amq.url, 'killed', 3);
    try {
      await nodes.progress(20);
      for (let round = 0; round < 2; round++) {
        nodes.silenceMs = 0;
        await failOver();
        await nodes.progress(20);
        t.diagnostic(`nothing acknowledged for ${Math.round(nodes.silenceMs)} ms`);
      }
      t.diagnostic(`${await nodes.agree()} records`);
    } finally {
      await nodes.stop();
    }
  });

  it('when one is paused, the other does not take its place', async () => {
    const nodes = new Nodes(amq.url, 'paused', 2);
    try {
      await nodes.progress(20);
      const active = await amq.active();
      const other = amq.brokers.find((broker) => broker !== active)!;
      active.signal('SIGSTOP');
      await sleep(100);
      const before = nodes.acknowledged.size;
      await sleep(3000);
      assert.equal(await other.serves(), false);
      assert.equal(nodes.acknowledged.size, before, 'nothing is acknowledged meanwhile');
      active.signal('SIGCONT');
      await nodes.progress(20);
      await nodes.agree();
    } finally {
      await nodes.stop();
    }
  });
});

describe('two brokers on one database', { skip: activeMqDatabaseMissing ?? postgresMissing, timeout: 120_000 }, () => {
  let postgres: Postgres;
  let amq: ActiveMq;
  before(async () => {
    postgres = await startPostgres();
    amq = await startActiveMq({ brokers: 2, database: postgres.url(await postgres.createDatabase()) });
  });
  after(async () => {
    await amq?.stop();
    await postgres?.stop();
  });

  it('when one is killed, nodes go on with the other', async (t) => {
    const nodes = new Nodes(amq.url, 'killed', 3);
    try {
      await nodes.progress(20);
      nodes.silenceMs = 0;
      await (await amq.active()).kill('SIGKILL');
      await nodes.progress(20);
      t.diagnostic(`nothing acknowledged for ${Math.round(nodes.silenceMs)} ms`);
      t.diagnostic(`${await nodes.agree()} records`);
    } finally {
      await nodes.stop();
    }
  });
});
