/** Brokers on a folder, in this process: turns, groups, pauses, and what clients see. */
import assert from 'node:assert/strict';
import { globSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import { temporaryFolder } from '../../../test/temporary-folder.ts';
import { type Facts, UnavailableError, UserError } from '../../base/index.ts';
import { type Position, START } from '../../tree/index.ts';
import type { ChangeLog } from '../change-log.ts';
import { digestOf, testBlob } from '../contract/testing.ts';
import { until } from '../contract.ts';
import type { WebSocketLogOptions } from '../websocket/index.ts';
import { FolderSessions } from './folder/sessions.ts';
import { brokerContract, client, hears, isActive, type Running, sessionContract, startBroker } from './testing.ts';

const dir = temporaryFolder('broker');
let folders = 0;
const newFolder = () => `${dir}/${++folders}`;

brokerContract('a broker on a folder', async () => newFolder());
sessionContract(async () => newFolder());

describe('brokers on one folder', () => {
  const running: Running[] = [];
  const handles: ChangeLog[] = [];
  afterEach(async () => {
    await Promise.all(handles.splice(0).map((handle) => handle.close()));
    await Promise.all(running.splice(0).map((each) => each.stop()));
  });
  const broker = async (folder: string, name: string, options?: Parameters<typeof startBroker>[2]) => {
    const started = await startBroker(folder, name, options);
    running.push(started);
    return started;
  };
  const log = (ports: readonly number[], options?: Partial<WebSocketLogOptions>) => {
    const handle = client(ports, options);
    handles.push(handle);
    return handle;
  };

  it('are active one at a time, and know each other', async () => {
    const folder = newFolder();
    const a = await broker(folder, 'a');
    await isActive(a);
    const b = await broker(folder, 'b');
    await until(async () => (await b.broker.status()).brokers.length === 2, 'b to hear of a');
    const { brokers, state, store } = await b.broker.status();
    assert.deepEqual(
      [state, store.kind, brokers.map(({ name, state, logUrl }) => [name, state, logUrl])],
      [
        'waiting',
        'folder',
        [
          ['a', 'active', `ws://127.0.0.1:${a.port}`],
          ['b', 'waiting', `ws://127.0.0.1:${b.port}`],
        ],
      ],
    );
    await assert.rejects(b.broker.groups(), new RegExp(`b waits: a at ws://127.0.0.1:${a.port} is active`));
    const lost = log([b.port], { connectionWaitMs: 300 });
    await assert.rejects(lost.head(), new RegExp(`b waits: a at ws://127.0.0.1:${a.port} is active`));
  });

  it('forget a session that nobody uses for twelve hours', async () => {
    const folder = newFolder();
    let nowMs = Date.now();
    const sessions = new FolderSessions(folder, () => nowMs);
    await sessions.add('used');
    await sessions.add('left');
    for (let hours = 0; hours < 24; hours += 6) {
      assert.equal(await sessions.use('used'), true, `after ${hours} hours`);
      nowMs += 6 * 3600_000;
    }
    assert.equal(await sessions.use('left'), false);
    await sessions.add('new');
    assert.deepEqual(readdirSync(folder).sort(), ['new', 'used']);
  });

  it('know how much the store takes and its disk has left', async () => {
    const folder = newFolder();
    const a = await broker(folder, 'a');
    await isActive(a);
    const room = async () => (await a.broker.status()).room;
    await until(async () => (await room()).bytes !== undefined, 'a first look');
    const before = (await room()).bytes!;
    const blob = testBlob(3);
    await log([a.port]).putBlob(blob.hash, blob);
    await until(async () => (await room()).bytes! >= before + blob.size, 'the blob to be counted');
    const { blocks, bsize } = statfsSync(folder);
    const { disk } = await room();
    assert.equal(disk!.totalBytes, blocks * bsize);
    assert.ok(disk!.freeBytes > 0 && disk!.freeBytes <= disk!.totalBytes);
    const b = await broker(folder, 'b');
    await until(async () => (await b.broker.status()).room.disk !== undefined, 'the one that waits to look');
    assert.equal((await b.broker.status()).room.bytes, undefined);
  });

  it('refuse nodes without a warning while they wait, but not those with a wrong secret', async () => {
    const folder = newFolder();
    const said: string[] = [];
    const say = (level: string) => (event: string, facts?: Facts) => void said.push(`${level} ${event} ${facts?.peer}`);
    const logger = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
    await isActive(await broker(folder, 'a'));
    const b = await broker(folder, 'b', { logger });
    await until(async () => (await b.broker.status()).state === 'waiting', 'b to wait');
    await assert.rejects(log([b.port], { connectionWaitMs: 300 }).head(), /b waits/);
    await assert.rejects(log([b.port], { connectionWaitMs: 300, name: 'stranger', secret: 'wrong' }).head(), /secret/);
    const refusals = () => [...new Set(said.filter((line) => line.includes('peer-refused')))];
    await until(() => refusals().length >= 2, 'both refusals');
    assert.deepEqual(refusals(), ['debug peer-refused node-1', 'warn peer-refused stranger']);
  });

  it('hand over when asked, on either side, and clients follow', async () => {
    const folder = newFolder();
    const a = await broker(folder, 'a');
    await isActive(a);
    await assert.rejects(a.broker.takeOver(), (error) => error instanceof UserError && error.status === 409);
    const b = await broker(folder, 'b');
    const handle = log([a.port, b.port]);
    await handle.append(START, Buffer.from('1'));
    await hears(a, 'b');
    await a.broker.takeOver('b');
    await isActive(b);
    assert.equal(await handle.head(), 1);
    await handle.append(1 as Position, Buffer.from('2'));
    await until(async () => (await a.broker.status()).state === 'waiting', 'a to wait');
    await hears(b, 'a');
    await a.broker.takeOver();
    assert.equal((await a.broker.status()).state, 'active');
    assert.deepEqual([(await a.broker.status()).term, await handle.head()], [3, 2]);
    await assert.rejects(a.broker.takeOver('nobody'), /no broker nobody waits/);
  });

  it('keep several groups apart, up to a number, and tell of each', async () => {
    const a = await broker(newFolder(), 'a', { groupsMax: 2 });
    await isActive(a);
    const one = log([a.port], { group: 'one' });
    const other = log([a.port], { group: 'Øther / ..', name: 'node-2' });
    await one.append(START, Buffer.from('for one'));
    assert.equal(await other.head(), 0);
    await assert.rejects(log([a.port], { group: 'three' }).head(), /no more than 2 \(--groups-max\)/);
    assert.deepEqual(await one.append(START, Buffer.from('too late')), { kind: 'head-moved', head: 1 });
    const reading = new AbortController();
    for await (const batch of one.read(START, reading.signal)) {
      assert.equal(batch.length, 1);
      break;
    }
    const [first, second] = await a.broker.groups();
    assert.deepEqual([first!.group, second!.group], ['one', 'Øther / ..']);
    const { head, trimmed, nodes, rates } = first!;
    assert.deepEqual([head, trimmed, rates.appends, rates.conflicts, rates.appendedBytes], [1, 0, 1, 1, 7]);
    assert.equal(nodes.length, 1);
    assert.deepEqual([nodes[0]!.name, nodes[0]!.connected, nodes[0]!.sent], ['node-1', true, 1]);
    assert.deepEqual(
      (await a.broker.records('one', 0, 10)).map(({ position }) => position),
      [1],
    );
    await assert.rejects(a.broker.group('none'), (error) => error instanceof UserError && error.status === 404);
    assert.equal(await a.broker.disconnect('one', 'node-1'), 1);
    await until(async () => (await one.head().catch(() => 0)) === 1, 'it to come again');
  });

  it('take nothing for a group that is paused, and remember it', async () => {
    const folder = newFolder();
    const a = await broker(folder, 'a');
    await isActive(a);
    const handle = log([a.port]);
    await handle.append(START, Buffer.from('1'));
    await a.broker.pause('geoserver-cluster', 'ana', 'moving house');
    await assert.rejects(
      handle.append(1 as Position, Buffer.from('2')),
      (error) => error instanceof UnavailableError && /ana has paused .*: moving house/.test(error.message),
    );
    assert.equal(await handle.head(), 1);
    const b = await broker(folder, 'b');
    await hears(a, 'b');
    await a.broker.takeOver();
    await isActive(b);
    const { paused } = await b.broker.group('geoserver-cluster');
    assert.deepEqual([paused?.by, paused?.reason], ['ana', 'moving house']);
    const follower = log([b.port]);
    await assert.rejects(follower.append(1 as Position, Buffer.from('2')), /ana has paused/);
    await b.broker.resume('geoserver-cluster');
    assert.deepEqual(await follower.append(1 as Position, Buffer.from('2')), { kind: 'appended', position: 2 });
  });

  it('go on with an upload that broke off in an earlier term', async () => {
    const folder = newFolder();
    const a = await broker(folder, 'a');
    await isActive(a);
    const b = await broker(folder, 'b');
    await hears(a, 'b');
    let handedOver = false;
    const blob = testBlob(6, {
      onChunk: async (at) => {
        if (at < 5_000_000 || handedOver) return;
        handedOver = true;
        const files = () => globSync(`${folder}/groups/*/incoming/1/*`).map((file) => statSync(file).size);
        await until(() => (files()[0] ?? 0) > 1_000_000, 'some of it to be on the disk');
        await a.broker.takeOver('b');
        await isActive(b);
      },
    });
    const handle = log([a.port, b.port]);
    await handle.putBlob(blob.hash, blob);
    assert.equal(blob.opened[0], 0);
    assert.ok(blob.opened.at(-1)! > 1_000_000, `${blob.opened}`);
    assert.equal((await digestOf((await handle.getBlob(blob.hash))!)).hash, blob.hash);
  });
});
