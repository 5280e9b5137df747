import { after, before, describe } from 'node:test';
import { type Postgres, postgresMissing, startPostgres } from '../../../test/services/postgres.ts';
import type { ChangeLog } from '../change-log.ts';
import { TcpProxy } from '../contract/proxy.ts';
import { logContract } from '../contract.ts';
import { openPostgresLog } from './index.ts';

describe('a log in PostgreSQL', { skip: postgresMissing }, () => {
  let server: Postgres;
  let database: string;
  let schemas = 0;
  before(async () => {
    server = await startPostgres({ synchronous_commit: 'off' });
    database = await server.createDatabase();
  });
  after(() => server?.stop());

  const times = { peerTtlMs: 150, connectionWaitMs: 1000, answerWaitMs: 1000, appendWaitMs: 1000, pollMs: 500 };
  const through = (port: number, schema: string) =>
    `postgres://${server.user}@127.0.0.1:${port}/${database}?schema=${schema}`;

  logContract(
    'PostgreSQL',
    async () => {
      const schema = `log_${++schemas}`;
      const proxy = new TcpProxy(() => server.port);
      await proxy.start();
      const handles: ChangeLog[] = [];
      const open = async (name: string, group?: string) => {
        const log = openPostgresLog({ url: through(proxy.port, name), group, ...times });
        handles.push(log);
        return log;
      };
      return {
        open: () => open(schema),
        beside: () => open(`${schema}_beside`, 'another'),
        restart: () => server.restart(),
        cut: (afterBytes) => proxy.cut(afterBytes),
        freeze: () => proxy.freeze(true),
        thaw: () => proxy.freeze(false),
        dispose: async () => {
          await Promise.all(handles.map((each) => each.close()));
          proxy.stop();
        },
      };
    },
    { peerTtlMs: 150, noticeMs: 2000, troubles: ['restart', 'cut', 'freeze'] },
  );
});
