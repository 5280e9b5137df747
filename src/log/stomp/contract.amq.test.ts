import { after, before, describe } from 'node:test';
import { type ActiveMq, activeMqMissing, startActiveMq } from '../../../test/services/activemq.ts';
import { logContract } from '../contract.ts';
import { stompHarness } from './harness.fixture.ts';

describe('on ActiveMQ', { skip: activeMqMissing }, () => {
  let activeMq: ActiveMq;
  before(async () => {
    activeMq = await startActiveMq();
  });
  after(() => activeMq?.stop());
  const restart = async () => {
    const [broker] = activeMq.brokers;
    await broker!.kill('SIGKILL');
    await broker!.restart();
  };

  logContract(
    'the log on ActiveMQ',
    () => stompHarness(activeMq, restart, 6000),
    // What is stored long is in the nodes' own copies: a broker has no place for it.
    // A record is written four times for three nodes, so that large ones take their time.
    { peerTtlMs: 150, troubles: ['restart', 'cut', 'freeze'], noticeMs: 4000, bodies: 'here', recordMegabytes: 25 },
  );
});
