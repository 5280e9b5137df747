import { after, before, describe } from 'node:test';
import { type Nats, natsMissing, startNats } from '../../../test/services/nats.ts';
import type { ChangeLog } from '../change-log.ts';
import { TcpProxy } from '../contract/proxy.ts';
import { logContract } from '../contract.ts';
import { openNatsLog } from '../index.ts';

let nats: Nats;
let groups = 0;

const open = (url: string, group: string) =>
  openNatsLog({
    url,
    group,
    name: 'node-1',
    answerWaitMs: 1000,
    appendWaitMs: 2000,
    heartbeatMs: 200,
    peerTtlMs: 150,
  });

describe('on NATS', { skip: natsMissing }, () => {
  before(async () => {
    nats = await startNats();
  });
  after(() => nats?.stop());

  logContract(
    'the log on NATS',
    async () => {
      const server = nats.servers[0]!;
      const proxy = new TcpProxy(() => server.port);
      await proxy.start();
      const group = `test ${++groups}`;
      const handles: ChangeLog[] = [];
      const handle = (name: string) => {
        const log = open(`nats://127.0.0.1:${proxy.port}`, name);
        handles.push(log);
        return log;
      };
      return {
        open: async () => handle(group),
        beside: async () => handle(`${group}.beside`),
        restart: async () => {
          await server.kill('SIGKILL');
          await server.restart();
        },
        cut: (afterBytes) => proxy.cut(afterBytes),
        freeze: () => proxy.freeze(true),
        thaw: () => proxy.freeze(false),
        dispose: async () => {
          proxy.freeze(false);
          for (const log of handles) await log.close();
          proxy.stop();
        },
      };
    },
    { peerTtlMs: 150, troubles: ['restart', 'cut', 'freeze'], noticeMs: 2000 },
  );
});
