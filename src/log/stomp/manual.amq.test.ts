/** The broker's file in docs/engines/activemq.md works as it stands there. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ActiveMq, activeMqMissing, startActiveMq } from '../../../test/services/activemq.ts';
import { StompClient, send, transaction } from '../../../test/services/stomp.ts';
import { START } from '../../tree/index.ts';
import type { ChangeLog } from '../change-log.ts';
import { fill, persist, take, texts, until } from '../contract/testing.ts';
import { LogRefusedError, openStompLog } from '../index.ts';

const MANUAL = path.join(import.meta.dirname, '../../../docs/engines/activemq.md');

describe("the manual's file for ActiveMQ", { skip: activeMqMissing, timeout: 60_000 }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'graticule-manual-'));
  const servers: Server[] = [];
  let amq: ActiveMq;
  before(async () => {
    const [, xml] = /```xml\n(<beans.*?)```/s.exec(readFileSync(MANUAL, 'utf8'))!;
    const other = '<authenticationUser username="other" password="x" groups="others"/></users>';
    const configuration = xml!.replace('0.0.0.0:61613', '127.0.0.1:PORT').replace('</users>', other);
    // So that what expires is seen to go.
    assert.match(configuration, /expireMessagesPeriod="30000"/);
    amq = await startActiveMq({ configuration: configuration.replace('"30000"', '"500"') });
  });
  after(async () => {
    await amq?.stop();
    for (const server of servers) server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const openAs = async (login: string, name: string) => {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/geoserver/cluster/log`;
    return openStompLog({
      url: amq.url.replace('://', `://${login}@`),
      name,
      folder: path.join(folder, name),
      exchange: { secret: 'of the tests', offer: { server, url } },
    });
  };

  async function using<T>(log: ChangeLog, run: (log: ChangeLog) => Promise<T>): Promise<T> {
    try {
      return await run(log);
    } finally {
      await log.close();
    }
  }

  it('lets nodes do all that they do', () =>
    openAs('node:CHANGE-ME', 'a').then((one) =>
      using(one, async () => {
        await persist(() => one.head());
        await using(await openAs('node:CHANGE-ME', 'b'), async (two) => {
          await persist(() => two.head());
          await fill(one, 3);
          assert.deepEqual(texts(await take(two, START, 3)), ['1', '2', '3']);
        });
      }),
    ));

  it('lets nobody else', async () => {
    for (const login of ['other:x', 'node:wrong'])
      await using(await openAs(login, login.replace(':', '-')), (log) => assert.rejects(log.head(), LogRefusedError));
  });

  it('removes what a node does not fetch in time, and keeps what tells where the log stands', async () => {
    const login = { login: 'node', passcode: 'CHANGE-ME' };
    const queue = '/queue/Consumer.gone.VirtualTopic.geoserver.g';
    const read = async (from: string) => {
      const client = await StompClient.connect(amq.brokers[0]!.port, login);
      const bodies: string[] = [];
      client.onMessage = ({ body }) => void bodies.push(body);
      await client.subscribe(from, { ack: 'auto' });
      await client.confirm(send(from, 'end'));
      await until(() => bodies.includes('end'), 'the end');
      client.close();
      return bodies;
    };
    await read(queue);
    const writer = await StompClient.connect(amq.brokers[0]!.port, login);
    const expires = `${Date.now() + 1000}`;
    const sent = send('/topic/VirtualTopic.geoserver.g', 'record', { expires });
    await writer.confirm(...transaction('t', sent, send('/queue/geoserver.g.standing', 'standing')));
    await until(() => Date.now() > Number(expires) + 1500, 'the time');
    writer.close();
    assert.deepEqual(await read(queue), ['end']);
    assert.deepEqual(await read('/queue/geoserver.g.standing'), ['standing', 'end']);
  });
});
