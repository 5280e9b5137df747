/** Two brokers on one store, of which one serves and the other waits for it to die: nothing that was acknowledged is lost. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ActiveMq,
  activeMqDatabaseMissing,
  activeMqMissing,
  startActiveMq,
} from '../../../test/services/activemq.ts';
import { type Postgres, postgresMissing, startPostgres } from '../../../test/services/postgres.ts';
import { logContract } from '../contract.ts';
import { stompHarness } from './harness.fixture.ts';
import { Nodes } from './nodes.fixture.ts';

describe('two brokers on one folder', { skip: activeMqMissing, timeout: 180_000 }, () => {
  let amq: ActiveMq;
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

  logContract('the log on a pair', () => stompHarness(amq, failOver, 15_000), {
    peerTtlMs: 150,
    troubles: ['restart', 'cut'],
    bodies: 'here',
    recordMegabytes: 5,
  });

  it('when one is killed, nodes go on with the other', async (t) => {
    const nodes = new Nodes(amq.url, 'killed', 3);
    try {
      await nodes.progress(20);
      nodes.silenceMs = 0;
      await failOver();
      await nodes.progress(20);
      t.diagnostic(`nothing acknowledged for ${Math.round(nodes.silenceMs)} ms`);
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
