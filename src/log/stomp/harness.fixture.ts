import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ActiveMq } from '../../../test/services/activemq.ts';
import type { ChangeLog } from '../change-log.ts';
import { TcpProxy } from '../contract/proxy.ts';
import { persist } from '../contract/testing.ts';
import type { LogHarness } from '../contract.ts';
import { openStompLog } from '../index.ts';

let groups = 0;

/**
 * A log of its own for one test. Each handle is a node with its own copy of it.
 * @param restart       stops what serves, until something serves again
 * @param appendWaitMs  how long an append waits for its verdict
 */
export async function stompHarness(
  activeMq: ActiveMq,
  restart: () => Promise<void>,
  appendWaitMs: number,
): Promise<LogHarness> {
  const folder = mkdtempSync(path.join(tmpdir(), 'graticule-amq-log-'));
  const proxies: TcpProxy[] = [];
  const newProxy = async (target: () => number) => {
    const proxy = new TcpProxy(target);
    await proxy.start();
    proxies.push(proxy);
    return proxy;
  };
  const servers: string[] = [];
  for (const broker of activeMq.brokers) servers.push(`stomp://127.0.0.1:${(await newProxy(() => broker.port)).port}`);
  const group = `test ${++groups}`;
  const closers: (() => unknown)[] = [];
  let nodes = 0;
  const open = async (of: string): Promise<ChangeLog> => {
    const name = `node-${++nodes}`;
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = await newProxy(() => (server.address() as AddressInfo).port);
    const log = await openStompLog({
      url: servers.length === 1 ? servers[0]! : `failover:(${servers})`,
      group: of,
      name,
      folder: path.join(folder, of, name),
      exchange: {
        secret: 'contract',
        offer: { server, url: `ws://127.0.0.1:${proxy.port}/geoserver/cluster/log` },
      },
      answerWaitMs: 2500,
      appendWaitMs,
      connectionWaitMs: 2000,
      heartbeatMs: 300,
      peerTtlMs: 150,
      graceMs: 400,
    });
    closers.push(async () => {
      await log.close();
      server.close();
    });
    // The tests are about what a log does that is there.
    await persist(() => log.head());
    return log;
  };
  return {
    open: () => open(group),
    beside: () => open(`${group}.beside`),
    restart,
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
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
