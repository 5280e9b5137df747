/** What nodes do about a broker that has lost its store, and about two brokers that serve at once. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ActiveMq, activeMqMissing, startActiveMq } from '../../../test/services/activemq.ts';
import { START } from '../../tree/index.ts';
import type { ChangeLog } from '../change-log.ts';
import { at, body, fill, persist, take, texts, until } from '../contract/testing.ts';
import { openStompLog } from '../index.ts';

describe('stores of ActiveMQ', { skip: activeMqMissing, timeout: 90_000 }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'graticule-store-'));
  const servers: Server[] = [];
  const logs: ChangeLog[] = [];
  let amq: ActiveMq;
  let other: ActiveMq;
  before(async () => {
    [amq, other] = await Promise.all([startActiveMq(), startActiveMq()]);
  });
  after(async () => {
    await Promise.all(logs.map((log) => log.close()));
    for (const server of servers) server.close();
    await Promise.all([amq?.stop(), other?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(broker: ActiveMq, group: string, name: string): Promise<ChangeLog> {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/geoserver/cluster/log`;
    const log = await openStompLog({
      url: broker.url,
      group,
      name,
      folder: path.join(folder, group, name),
      exchange: { secret: 'of the tests', offer: { server, url } },
      heartbeatMs: 300,
      graceMs: 400,
    });
    logs.push(log);
    await persist(() => log.head());
    return log;
  }

  it('one that is empty is gone on with from the copies of the nodes', async () => {
    const [one, two] = [await open(amq, 'lost', 'n1'), await open(amq, 'lost', 'n2')];
    await fill(one, 5);
    await take(two, START, 5);
    await amq.brokers[0]!.kill('SIGKILL');
    rmSync(path.join(amq.folder, 'store'), { recursive: true });
    await amq.brokers[0]!.restart();
    await until(
      () =>
        one.head().then(
          (head) => head === 5,
          () => false,
        ),
      'the log',
      20_000,
    );
    assert.deepEqual(await one.append(at(5), body(6)), { kind: 'appended', position: 6 });
    for (const log of [one, two, await open(amq, 'lost', 'n3')])
      assert.deepEqual(texts(await take(log, START, 6)), ['1', '2', '3', '4', '5', '6']);
  });

  it('two that serve at once make two logs, and a node that comes from one to the other stops', async () => {
    const one = await open(amq, 'split', 'n1');
    let two = await open(amq, 'split', 'n2');
    await fill(one, 3);
    await take(two, START, 3);
    await two.close();
    two = await open(other, 'split', 'n2');
    assert.deepEqual(await two.append(at(3), body('told there')), { kind: 'appended', position: 4 });
    await two.close();
    assert.deepEqual(await one.append(at(3), body('told here')), { kind: 'appended', position: 4 });
    assert.deepEqual(await one.append(at(4), body('and more')), { kind: 'appended', position: 5 });
    // It keeps what it has acknowledged, and says what is the matter.
    const back = openStompLog({
      url: amq.url,
      group: 'split',
      name: 'n2',
      folder: path.join(folder, 'split', 'n2'),
      exchange: { secret: 'of the tests' },
    });
    logs.push(await back);
    await until(
      async () =>
        (await back).head().then(
          () => false,
          (error: Error) => /another history/.test(error.message),
        ),
      'the alarm',
      15_000,
    );
    assert.deepEqual(await one.append(at(5), body('on')), { kind: 'appended', position: 6 });
  });
});
