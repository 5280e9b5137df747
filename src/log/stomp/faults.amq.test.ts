/**
 * The log on ActiveMQ among failures: nodes in processes of their own that are killed and paused, brokers that are killed and paused.
 * In the end all nodes have one sequence, with everything that was acknowledged, once. `GRATICULE_FAULT_ROUNDS=20` makes it
 * twenty times as long.
 */
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ActiveMq, activeMqMissing, startActiveMq } from '../../../test/services/activemq.ts';
import { Nodes } from './nodes.fixture.ts';

const TIMES = Number(process.env.GRATICULE_FAULT_ROUNDS ?? 1);

describe('the log on ActiveMQ among failures', { skip: activeMqMissing, timeout: 120_000 * TIMES }, () => {
  let amq: ActiveMq;
  before(async () => {
    amq = await startActiveMq();
  });
  after(() => amq?.stop());

  it('nodes that decide are killed and paused', async (t) => {
    const nodes = new Nodes(amq.url, 'loop', 3);
    try {
      await nodes.progress(20);
      const until = performance.now() + 8000 * TIMES;
      while (performance.now() < until) {
        await sleep(100 + Math.random() * 400);
        if (Math.random() < 0.6) await nodes.kill(nodes.holder);
        else await nodes.pause(nodes.holder, 300 + Math.random() * 1500);
      }
      const records = await nodes.agree();
      t.diagnostic(`${records} records, ${JSON.stringify(nodes.counts)}`);
    } finally {
      await nodes.stop();
    }
  });

  it('the broker is killed and paused, and nodes with it', async (t) => {
    const nodes = new Nodes(amq.url, 'broker', 3);
    const [broker] = amq.brokers;
    try {
      for (let round = 0; round < 2 * TIMES; round++) {
        await nodes.progress(30);
        broker!.signal('SIGSTOP');
        await sleep(200 + Math.random() * 1500);
        broker!.signal('SIGCONT');
        await nodes.progress(30);
        await Promise.all([broker!.kill('SIGKILL'), nodes.kill(round % 3)]);
        await broker!.restart();
      }
      await nodes.progress(30);
      const records = await nodes.agree();
      t.diagnostic(`${records} records, ${JSON.stringify(nodes.counts)}`);
    } finally {
      await nodes.stop();
    }
  });
});
