/**
 * The log on ActiveMQ among failures: nodes in processes of their own that are killed and paused, brokers that are killed and paused.
 * In the end all nodes have one sequence, with everything that was acknowledged, once. `GRATICULE_FAULT_ROUNDS=20` makes it
 * twenty times as long.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ActiveMq, activeMqMissing, startActiveMq } from '../../../test/services/activemq.ts';
import { StompClient } from '../../../test/services/stomp.ts';
import { UncertainError } from '../../base/index.ts';
import { START } from '../../tree/index.ts';
import { body, persist, take, until } from '../contract/testing.ts';
import { openStompLog } from './index.ts';
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
      const until = performance.now() + 6000 * TIMES;
      while (performance.now() < until) {
        await sleep(100 + Math.random() * 300);
        if (Math.random() < 0.6) await nodes.kill(nodes.holder);
        else await nodes.pause(nodes.holder, 300 + Math.random() * 1000);
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
      for (let round = 0; round < TIMES; round++) {
        await nodes.progress(30);
        broker!.signal('SIGSTOP');
        await sleep(200 + Math.random() * 1000);
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

  it('a broker whose store is full refuses changes, and takes them again when there is room', async () => {
    const small = await startActiveMq({ storeMb: 16, cleanupMs: 500 });
    const clients: StompClient[] = [];
    const folder = mkdtempSync(path.join(tmpdir(), 'graticule-full-'));
    const log = await openStompLog({
      url: small.url,
      group: 'full',
      name: 'n1',
      folder,
      exchange: { secret: 'of the tests' },
      heartbeatMs: 300,
      answerWaitMs: 2000,
      appendWaitMs: 2000,
    });
    try {
      // A node that has gone, whose queue nobody reads.
      const gone = '/queue/Consumer.gone.VirtualTopic.geoserver.full';
      const subscribe = async () => {
        const client = await StompClient.connect(small.brokers[0]!.port);
        clients.push(client);
        client.onMessage = () => {};
        await client.subscribe(gone, { ack: 'auto', 'activemq.prefetchSize': '1000' });
        return client;
      };
      (await subscribe()).close();
      const acknowledged: string[] = [];
      const append = async (text: string) => {
        const result = await log.append(await persist(() => log.head()), body(text, 300_000));
        if (result.kind === 'appended') acknowledged[result.position - 1] = text;
        return result.kind === 'appended';
      };
      await assert.rejects(
        async () => {
          for (let n = 0; n < 200; n++) await append(`record ${n}`);
        },
        (error: Error) => error instanceof UncertainError && /store is full/.test(error.message),
      );
      await assert.rejects(log.head(), /store is full/);
      const before = acknowledged.length;
      await subscribe();
      await until(() => append('afterwards').catch(() => false), 'room', 20_000);
      const records = await take(log, START, await log.head());
      for (const [n, text] of acknowledged.entries())
        if (text !== undefined) assert.equal(Buffer.from(records[n]!.body).toString().trim(), text);
      assert.ok(records.length > before);
    } finally {
      await log.close();
      for (const client of clients) client.close();
      await small.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
