/** What the log on ActiveMQ does beyond the contract: who may come in, who decides, and what a node does that lacks something. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, afterEach, before, describe, it } from 'node:test';
import { makeAuthority, makeCertificate, NO_OPENSSL } from '../../../test/certificates.ts';
import { type ActiveMq, activeMqMissing, startActiveMq } from '../../../test/services/activemq.ts';
import { ack, frame, StompClient, send, transaction } from '../../../test/services/stomp.ts';
import { type Facts, UnavailableError } from '../../base/index.ts';
import { contentHash, START } from '../../tree/index.ts';
import { bytesSource } from '../blob-source.ts';
import type { ChangeLog } from '../change-log.ts';
import { appendTimes, at, body, fill, persist, range, take, text, texts } from '../contract/testing.ts';
import { until } from '../contract.ts';
import { LogRefusedError, openEmbeddedLog, openStompLog, type StompLogOptions } from '../index.ts';
import { namesOf } from './names.ts';

interface Node {
  readonly log: ChangeLog;
  readonly events: { readonly event: string; readonly facts: Facts | undefined }[];
  close(): Promise<void>;
}

describe('the log on ActiveMQ', { skip: activeMqMissing }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'graticule-amq-driver-'));
  const login = 'node:s%3Acret';
  let activeMq: ActiveMq;
  let url: string;
  let groups = 0;
  let group: string;
  const open = new Set<Node>();

  before(async () => {
    activeMq = await startActiveMq({ users: { node: 's:cret' } });
    url = activeMq.url.replace('://', `://${login}@`);
  });
  after(async () => {
    await activeMq?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    await Promise.all([...open].map((node) => node.close()));
    group = `${++groups}`;
  });
  group = `${++groups}`;

  const start = async (name: string, more: Partial<StompLogOptions> = {}): Promise<Node> => {
    const server = createHttpServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const events: Node['events'] = [];
    const note = (event: string, facts?: Facts) => events.push({ event, facts });
    const log = await openStompLog({
      url,
      group,
      name,
      folder: folderOf(name),
      exchange: {
        secret: 'x',
        offer: { server, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/geoserver/cluster/log` },
      },
      logger: { debug: note, info: note, warn: note, error: note },
      connectionWaitMs: 1000,
      answerWaitMs: 2000,
      heartbeatMs: 300,
      graceMs: 400,
      ...more,
    }).catch((error) => {
      server.close();
      throw error;
    });
    const node: Node = {
      log,
      events,
      close: async () => {
        open.delete(node);
        await log.close();
        server.close();
      },
    };
    open.add(node);
    return node;
  };
  const folderOf = (name: string) => path.join(folder, group, name);

  it('tells at once who is not let in, and shows no password', async () => {
    const node = await start('a', { url: activeMq.url.replace('://', '://node:hidden@') });
    await assert.rejects(node.log.head(), (error) => {
      assert.ok(error instanceof LogRefusedError);
      assert.match(error.message, /does not let this node in.*check user and password/);
      return true;
    });
    assert.ok(!JSON.stringify(node.events).includes('hidden'));
  });

  it('tells that a port speaks OpenWire', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.write(Buffer.from('\0\0\x01\x40\x01ActiveMQ\0\0\0\x0c\x01', 'latin1'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const node = await start('a', { url: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}` });
    await assert.rejects(node.log.head(), /OpenWire.*61613/);
    await node.close();
    server.close();
  });

  it('encrypts, and trusts who has a certificate of the authority', { skip: NO_OPENSSL }, async () => {
    const authority = makeAuthority(folder, 'authority');
    const tls = makeCertificate(folder, 'broker', authority);
    const encrypted = await startActiveMq({ tls });
    try {
      const place = `stomp+ssl://localhost:${encrypted.brokers[0]!.tlsPort}`;
      const ca = readFileSync(authority.cert, 'utf8');
      const node = await start('a', { url: place, tls: () => ({ ca }) });
      assert.equal(await persist(() => node.log.head()), 0);
      await node.log.append(START, body('1'));
      const stranger = await start('b', { url: place });
      await assert.rejects(stranger.log.head(), (error) => {
        assert.ok(error instanceof LogRefusedError);
        assert.match(error.message, /certificate.*--tls-ca/);
        return true;
      });
      // The same nodes on another broker go on where they were.
      await node.close();
      const moved = await start('a');
      assert.equal(await persist(() => moved.log.head()), 1);
      await moved.log.append(at(1), body('2'));
      assert.deepEqual(texts(await take(moved.log, START, 2)), ['1', '2']);
    } finally {
      await encrypted.stop();
    }
  });

  it('what was acknowledged is read on the same node, and found there when it starts again', async () => {
    const node = await start('a');
    await persist(() => node.log.head());
    for (let n = 0; n < 40; n++) {
      assert.deepEqual(await node.log.append(at(n), body(`${n + 1}`)), { kind: 'appended', position: n + 1 });
      if (n % 10 === 3) assert.equal(await node.log.head(), n + 1);
    }
    assert.equal((await take(node.log, START, 40)).length, 40);
    assert.deepEqual(await node.log.append(at(40), body('41')), { kind: 'appended', position: 41 });
    // Stored before it closes: the broker that it goes on with has never had it.
    const closed = node.close();
    await assert.rejects(node.log.append(at(41), body('42')), /has been closed/);
    await closed;
    const copy = await openEmbeddedLog({ folder: folderOf('a') });
    assert.equal(await copy.head(), 41);
    await copy.close();
    const again = await start('a');
    assert.equal(await persist(() => again.log.head()), 41);
  });

  it('new nodes that start at one moment begin one log', async () => {
    const nodes = await Promise.all(['a', 'b', 'c'].map((name) => start(name)));
    const written = await Promise.all(nodes.map(({ log }, n) => persist(() => appendTimes(log, `${n}`, 10))));
    const expected = new Map(written.flat());
    assert.equal(expected.size, 30);
    for (const { log } of nodes) {
      const records = await take(log, START, 30);
      assert.deepEqual(
        records.map((record) => [record.position, text(record)]),
        range(1, 30).map((position) => [position, expected.get(position)]),
      );
    }
  });

  it('a node whose queue was lost does not decide alone, and gets what it lacks from another', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await persist(() => fill(a.log, 3));
    assert.equal(await persist(() => b.log.head()), 3);
    await b.close();
    await fill(a.log, 3, 3);
    await a.close();
    await drain(namesOf('VirtualTopic.geoserver', group).queueOf('b'));
    // It is the only one there, and knows that it must not decide.
    const again = await start('b');
    await until(
      () =>
        again.log.append(at(3), body('wrong')).then(
          () => assert.fail('was taken'),
          (error) => /ends with record 6, and this node has it up to 3: start a node/.test(error.message),
        ),
      'to be told why',
    );
    const back = await start('a');
    assert.equal(await persist(() => back.log.head()), 6);
    assert.equal(await persist(() => again.log.head()), 6);
    assert.deepEqual(await again.log.append(at(6), body('7')), { kind: 'appended', position: 7 });
    for (const { log } of [again, back])
      assert.deepEqual(texts(await take(log, START, 7)), ['1', '2', '3', '4', '5', '6', '7']);
  });

  it('a node whose queue goes on before what the others still have passes it over', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await persist(() => fill(a.log, 3));
    assert.equal(await persist(() => b.log.head()), 3);
    await b.close();
    await fill(a.log, 3, 3);
    await drain(namesOf('VirtualTopic.geoserver', group).queueOf('b'));
    await fill(a.log, 4, 6);
    await a.log.putSnapshot(at(9), Readable.from([Buffer.from('nine')]));
    await a.log.trim(at(9));
    const again = await start('b');
    assert.equal(await persist(() => again.log.head()), 10);
    assert.equal(await again.log.trimmed(), 9);
    assert.deepEqual(texts(await take(again.log, at(9), 1)), ['10']);
    assert.deepEqual(await again.log.append(at(10), body('11')), { kind: 'appended', position: 11 });
  });

  it('a new node gets the snapshot, the records after it, and blobs from the others', async () => {
    const a = await start('a');
    await persist(() => fill(a.log, 9));
    const bytes = Buffer.from('a large file');
    await a.log.putBlob(contentHash(bytes), bytesSource(bytes));
    await a.log.putSnapshot(at(7), Readable.from([Buffer.from('seven')]));
    await a.log.trim(at(7));
    const b = await start('b');
    assert.equal(await persist(() => b.log.head()), 9);
    assert.equal(await b.log.trimmed(), 7);
    assert.deepEqual(texts(await take(b.log, at(7), 2)), ['8', '9']);
    assert.equal((await buffer((await b.log.getBlob(contentHash(bytes)))!)).toString(), 'a large file');
    // From here on it can do without the other.
    await a.close();
    assert.equal((await buffer((await b.log.latestSnapshot())!.body)).toString(), 'seven');
    assert.equal((await buffer((await b.log.getBlob(contentHash(bytes)))!)).toString(), 'a large file');
    assert.deepEqual(await persist(() => b.log.append(at(9), body('10'))), { kind: 'appended', position: 10 });
  });

  it('what one puts is in another copy when it resolves', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await persist(() => a.log.head());
    await persist(() => b.log.head());
    const bytes = Buffer.from('kept twice');
    await a.log.putBlob(contentHash(bytes), bytesSource(bytes));
    await a.log.putSnapshot(START, Readable.from([Buffer.from('begin')]));
    await a.close();
    assert.equal((await buffer((await b.log.getBlob(contentHash(bytes)))!)).toString(), 'kept twice');
    assert.equal((await buffer((await b.log.latestSnapshot())!.body)).toString(), 'begin');
  });

  it('attempts to decide that failed do not stand in the way of the next', async () => {
    const { standing } = namesOf('VirtualTopic.geoserver', group);
    const client = await StompClient.connect(activeMq.brokers[0]!.port, { login: 'node', passcode: 's:cret' });
    const end = JSON.stringify({ kind: 'end', id: 'of an attempt that failed' });
    const message = `\0\0\0${String.fromCharCode(end.length)}${end}`;
    // More than a broker gives out before it hears of any.
    await client.confirm(...transaction('t', ...range(1, 250).map(() => send(standing, message))));
    client.close();
    const node = await start('a');
    assert.equal(await persist(() => node.log.head()), 0);
    assert.deepEqual(await node.log.append(START, body('1')), { kind: 'appended', position: 1 });
  });

  it('a name that two nodes have is told', async () => {
    const a = await start('same');
    await persist(() => a.log.head());
    const other = await start('same', { folder: folderOf('elsewhere') });
    await until(async () => {
      const error = await other.log.head().catch((failure: unknown) => failure);
      return error instanceof UnavailableError && /has the name same too.*instanceName/.test(error.message);
    }, 'to be told');
    assert.ok(a.events.some(({ event }) => event === 'node-name-taken'));
  });

  it('a copy of another history is refused', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await persist(() => fill(a.log, 5));
    assert.equal(await persist(() => b.log.head()), 5);
    await b.close();
    // As if the broker and the other node had been set up anew, and this node was forgotten.
    const before = group;
    await a.close();
    group = `${++groups}`;
    const fresh = await start('a');
    await persist(() => fill(fresh.log, 2));
    const stale = await start('b', { folder: path.join(folder, before, 'b') }).catch((error: Error) => error);
    // The folder says whose it is.
    assert.match((stale as Error).message, /belongs to the group/);
    rmSync(path.join(folder, before, 'b', 'group'));
    const again = await start('b', { folder: path.join(folder, before, 'b') });
    await until(async () => {
      const error = await again.log.head().catch((failure: unknown) => failure);
      return error instanceof LogRefusedError && /another history.*cluster\/log-copy/.test(error.message);
    }, 'to be refused');
    assert.equal(await fresh.log.head(), 2);
  });

  /** Takes everything out of a queue, as an administrator might, or a broker whose messages expire. */
  const drain = async (queue: string) => {
    const client = await StompClient.connect(activeMq.brokers[0]!.port, { login: 'node', passcode: 's:cret' });
    let taken = 0;
    client.onMessage = (message) => {
      taken++;
      client.write(ack(message));
    };
    await client.confirm(frame('SUBSCRIBE', { destination: queue, id: '1', ack: 'client-individual' }));
    await until(() => taken >= 3, 'the messages');
    await client.confirm(frame('UNSUBSCRIBE', { id: '1' }));
    client.close();
  };
});
