import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { type ActiveMq, activeMqMissing, startActiveMq } from '../../../test/services/activemq.ts';
import type { ChangeLog } from '../change-log.ts';
import { TcpProxy } from '../contract/proxy.ts';
import { logContract } from '../contract.ts';
import { openStompLog } from '../index.ts';

let activeMq: ActiveMq;
let groups = 0;

describe('on ActiveMQ', { skip: activeMqMissing }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'graticule-amq-log-'));
  before(async () => {
    activeMq = await startActiveMq();
  });
  after(async () => {
    await activeMq?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  logContract(
    'the log on ActiveMQ',
    async () => {
      const broker = activeMq.brokers[0]!;
      const proxies: TcpProxy[] = [];
      const newProxy = async (target: () => number) => {
        const proxy = new TcpProxy(target);
        await proxy.start();
        proxies.push(proxy);
        return proxy;
      };
      const brokerProxy = await newProxy(() => broker.port);
      const group = `test ${++groups}`;
      const closers: (() => unknown)[] = [];
      let nodes = 0;
      // Each handle is a node of its own, with its own copy of the log.
      const open = async (of: string): Promise<ChangeLog> => {
        const name = `node-${++nodes}`;
        const server = createServer();
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        const proxy = await newProxy(() => (server.address() as AddressInfo).port);
        const log = await openStompLog({
          url: `stomp://127.0.0.1:${brokerProxy.port}`,
          group: of,
          name,
          folder: path.join(folder, of, name),
          exchange: {
            secret: 'contract',
            offer: { server, url: `ws://127.0.0.1:${proxy.port}/geoserver/cluster/log` },
          },
          answerWaitMs: 2500,
          appendWaitMs: 4000,
          connectionWaitMs: 2000,
          heartbeatMs: 300,
          peerTtlMs: 150,
          graceMs: 400,
        });
        closers.push(async () => {
          await log.close();
          server.close();
        });
        return log;
      };
      return {
        open: () => open(group),
        beside: () => open(`${group}.beside`),
        restart: async () => {
          await broker.kill('SIGKILL');
          await broker.restart();
        },
        cut: (afterBytes) => {
          for (const proxy of proxies) proxy.cut(afterBytes);
        },
        freeze: () => {
          for (const proxy of proxies) proxy.freeze(true);
        },
        thaw: () => {
          for (const proxy of proxies) proxy.freeze(false);
        },
        dispose: async () => {
          for (const proxy of proxies) proxy.freeze(false);
          await Promise.all(closers.map((close) => close()));
          for (const proxy of proxies) proxy.stop();
        },
      };
    },
    // What is stored long is in the nodes' own copies: a broker has no place for it.
    // A record is written four times for three nodes, so that large ones take their time.
    { peerTtlMs: 150, troubles: ['restart', 'cut', 'freeze'], noticeMs: 3000, bodies: 'here', recordMegabytes: 60 },
  );
});
