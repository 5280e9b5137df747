import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import path from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { makeAuthority, makeCertificate, NO_OPENSSL, type Pair } from '../../test/certificates.ts';
import { listenAnywhere } from '../../test/free-ports.ts';
import { temporaryFolder } from '../../test/temporary-folder.ts';
import { type Facts, type Logger, silentLogger, UserError } from '../base/index.ts';
import { type ChangeLog, LogRefusedError, memoryLog, openWebSocketLog, serveLog } from '../log/index.ts';
import { openDoor } from '../server/index.ts';
import { openTls } from './tls.ts';

describe('TLS of a node', { skip: NO_OPENSSL }, () => {
  const folder = temporaryFolder('tls');
  let authority: Pair;
  let otherAuthority: Pair;
  let first: Pair;
  let second: Pair;
  let foreign: Pair;
  let expired: Pair;
  let elsewhere: Pair;
  const running: (() => Promise<unknown>)[] = [];

  before(() => {
    authority = makeAuthority(folder, 'authority');
    otherAuthority = makeAuthority(folder, 'other-authority');
    first = makeCertificate(folder, 'node-1', authority);
    second = makeCertificate(folder, 'node-2', authority);
    foreign = makeCertificate(folder, 'foreign', otherAuthority);
    expired = makeCertificate(folder, 'expired', authority, { expired: true });
    elsewhere = makeCertificate(folder, 'elsewhere', authority, { hosts: 'DNS:maps.example.org' });
  });
  after(async () => {
    for (const stop of running) await stop();
  });

  /** A node that holds a log, with what it logs. */
  async function holder(pair: Pair | undefined, options: { requireClientCert?: boolean; ca?: string } = {}) {
    const lines: string[] = [];
    const write = (event: string, facts?: Facts) => lines.push(`${event} ${JSON.stringify(facts)}`);
    const logger: Logger = { ...silentLogger, info: write, warn: write, error: write };
    const { requireClientCert } = options;
    const tls = openTls(
      { tlsCert: pair?.cert, tlsKey: pair?.key, tlsCa: options.ca ?? authority.cert, requireClientCert },
      logger,
    );
    const door = await openDoor({ port: 0, host: '127.0.0.1', tls: tls.door });
    door.open((incoming, response) => {
      const certificate = (incoming.socket as TLSSocket).getPeerCertificate?.();
      response.end(JSON.stringify({ shown: Object.keys(certificate ?? {}).length > 0 }));
    });
    const served = serveLog({
      server: door.server,
      log: memoryLog().open(),
      secret: 'a secret for tests',
      requireClientCertificate: requireClientCert,
      logger,
    });
    running.push(async () => {
      await served.close();
      await door.close(0);
    });
    return { port: door.port, lines, tls, url: `wss://localhost:${door.port}` };
  }

  function follower(url: string, pair: Pair | undefined, ca: Pair | undefined = authority): ChangeLog {
    const tls = openTls({ tlsCert: pair?.cert, tlsKey: pair?.key, tlsCa: ca.cert }, silentLogger);
    const log = openWebSocketLog({ url, secret: 'a secret for tests', name: 'node-2', tls: tls.client });
    running.push(() => log.close());
    return log;
  }

  /** Asks over HTTPS, with a certificate at hand. */
  function get(port: number, pair?: Pair): Promise<{ shown: boolean }> {
    const tls = openTls({ tlsCert: pair?.cert, tlsKey: pair?.key, tlsCa: authority.cert }, silentLogger);
    return new Promise((resolve, reject) => {
      request({ port, host: 'localhost', ...tls.client() }, async (answer) => {
        resolve(JSON.parse(Buffer.concat(await answer.toArray()).toString()));
      })
        .once('error', reject)
        .end();
    });
  }

  const refusal = (log: ChangeLog, text: RegExp) =>
    assert.rejects(log.head(), (error) => {
      assert.ok(error instanceof LogRefusedError, String(error));
      assert.match(error.message, text);
      return true;
    });
  const logged = async (lines: readonly string[], text: RegExp) => {
    for (let n = 0; n < 200 && !lines.some((line) => text.test(line)); n++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(
      lines.some((line) => text.test(line)),
      `no ${text} in\n${lines.join('\n')}`,
    );
  };

  it('lets in a node with a certificate of the authority, and asks nobody else for one', async () => {
    const { port, url, lines } = await holder(first, { requireClientCert: true });
    const log = follower(url, second);
    assert.equal((await log.append(0 as never, Buffer.from('x'))).kind, 'appended');
    const hash = '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881' as never;
    await log.putBlob(hash, { size: 1, open: () => Readable.from([Buffer.from('x')]) });
    assert.deepEqual(await get(port), { shown: false });
    assert.deepEqual(await get(port, second), { shown: false });
    assert.deepEqual(
      lines.filter((line) => line.startsWith('peer-refused')),
      [],
    );
  });

  it('refuses nodes without a certificate, with one of another authority, and with one that has expired', async () => {
    const { url, lines } = await holder(first, { requireClientCert: true });
    await refusal(follower(url, undefined), /refused.*showed no client certificate.*--tls-client-cert/);
    await logged(lines, /peer-refused.*127\.0\.0\.1.*node-2.*showed no client certificate/);
    await refusal(follower(url, foreign), /refused.*not from an authority that the log trusts/);
    await logged(lines, /peer-refused.*not from an authority/);
    await refusal(follower(url, expired), /refused.*has expired/);
    await logged(lines, /peer-refused.*has expired/);
  });

  it('is not trusted when its own certificate is wrong', async () => {
    const { url, lines } = await holder(first);
    await refusal(follower(url, second, otherAuthority), /wss:.*not from an authority that this node trusts; --tls-ca/);
    await logged(lines, /peer-refused.*127\.0\.0\.1.*does not trust/);
    const old = await holder(expired);
    await logged(old.lines, /certificate-expired.*expired\.crt/);
    await refusal(follower(old.url, second), /its certificate has expired/);
    await logged(old.lines, /peer-refused.*does not trust/);
    const wrongName = await holder(elsewhere, { requireClientCert: true });
    await refusal(follower(wrongName.url, second), /not for localhost.*maps\.example\.org/);
    await logged(wrongName.lines, /peer-refused.*does not trust/);
  });

  it('says so when one side speaks TLS and the other does not', async () => {
    const encrypted = await holder(first, { requireClientCert: true });
    await assert.rejects(follower(encrypted.url.replace('wss', 'ws'), second).head(), /wss:\/\//);
    const open = await holder(undefined);
    await refusal(follower(open.url, second), /does not speak TLS; write ws:\/\//);
  });

  it('goes over to a new certificate without a restart, and keeps the former when the new one is of no use', async () => {
    const pair = { cert: path.join(folder, 'live.crt'), key: path.join(folder, 'live.key') };
    const put = ({ cert, key }: Pair) => {
      copyFileSync(key, pair.key);
      copyFileSync(cert, pair.cert);
    };
    const subject = (port: number) =>
      new Promise((resolve, reject) => {
        const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
          resolve(socket.getPeerCertificate().subject.CN);
          socket.destroy();
        }).once('error', reject);
      });
    put(first);
    const { port, url, lines } = await holder(pair, { requireClientCert: true });
    const staying = follower(url, second);
    await staying.head();
    assert.equal(await subject(port), 'node-1');
    put(second);
    assert.equal(await subject(port), 'node-2');
    copyFileSync(first.key, pair.key);
    assert.equal(await subject(port), 'node-2');
    assert.ok(
      lines.some((line) => /certificates-unusable.*key/.test(line)),
      lines.join('\n'),
    );
    put(first);
    assert.equal(await subject(port), 'node-1');
    await staying.append(0 as never, Buffer.from('x'));
    assert.equal(await follower(url, second).head(), 1);
  });

  it('survives clients that send something else', async () => {
    const { port } = await holder(first, { requireClientCert: true });
    const hello = Buffer.from('160301000a0100ffff0303', 'hex');
    for (const nonsense of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), hello, Buffer.alloc(70_000, 22), Buffer.from([22])])
      await new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1', () => socket.end(nonsense));
        socket.resume();
        socket.on('error', () => {});
        socket.once('close', resolve);
      });
    assert.deepEqual(await get(port), { shown: false });
  });

  it('takes the first message also in pieces', async () => {
    const { port } = await holder(first, { requireClientCert: true });
    // A relay that passes on a few bytes at a time.
    const { createServer } = await import('node:net');
    const relay = createServer((near) => {
      const far = connect({ port, host: '127.0.0.1', noDelay: true });
      near.on('data', async (data) => {
        near.pause();
        for (let at = 0; at < data.length; at += 100) {
          far.write(data.subarray(at, at + 100));
          await new Promise((resolve) => setImmediate(resolve));
        }
        near.resume();
      });
      far.pipe(near);
      for (const socket of [near, far]) socket.on('error', () => {});
      near.on('close', () => far.destroy());
    });
    const relayPort = await listenAnywhere(relay);
    running.push(async () => relay.close());
    const log = follower(`wss://localhost:${relayPort}`, second);
    assert.equal(await log.head(), 0);
  });

  it('refuses options that do not go together', () => {
    writeFileSync(path.join(folder, 'nonsense.crt'), 'x');
    const table: [Parameters<typeof openTls>[0], RegExp][] = [
      [{ tlsCert: first.cert }, /--tls-cert and --tls-key belong together/],
      [{ tlsClientKey: first.key }, /--tls-client-cert and --tls-client-key/],
      [{ tlsCert: first.cert, tlsKey: first.key, requireClientCert: true }, /--tls-ca/],
      [{ tlsCert: first.cert, tlsKey: second.key }, /cannot be used.*mismatch/],
      [{ tlsCert: path.join(folder, 'absent'), tlsKey: first.key }, /cannot be used.*ENOENT/],
      [{ tlsCa: path.join(folder, 'nonsense.crt') }, /nonsense\.crt cannot be used/],
    ];
    for (const [options, text] of table)
      assert.throws(
        () => openTls(options, silentLogger),
        (error) => error instanceof UserError && text.test(error.message),
      );
  });
});
