/** What the log on NATS does beyond the contract: who may come in, what it refuses, what it leaves behind. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { nkeys } from '@nats-io/transport-node';
import { makeAuthority, makeCertificate, NO_OPENSSL } from '../../../test/certificates.ts';
import { listenAnywhere } from '../../../test/free-ports.ts';
import { type Nats, natsMissing, startNats } from '../../../test/services/nats.ts';
import { UnavailableError } from '../../base/index.ts';
import { contentHash, START } from '../../tree/index.ts';
import { bytesSource } from '../blob-source.ts';
import type { ChangeLog } from '../change-log.ts';
import { TcpProxy } from '../contract/proxy.ts';
import { at, body, digestOf, fill, range, status, take, testBlob, text, until } from '../contract/testing.ts';
import { LogRefusedError, openNatsLog } from '../index.ts';
import { Bodies } from './bodies.ts';
import { natsChannel } from './channel.ts';
import { Link } from './link.ts';
import { namesOf } from './names.ts';
import { Streams } from './streams.ts';
import { tidy } from './tidying.ts';
import { parseNatsUrl } from './url.ts';

const MB = 1024 * 1024;
const streams = new Streams(undefined);
const silent = { timeoutMs: 2000, heartbeatMs: 500 };

const open = (url: string, group = 'g') =>
  openNatsLog({
    url,
    group,
    name: 'n',
    answerWaitMs: 1000,
    appendWaitMs: 2000,
    connectionWaitMs: 1500,
    heartbeatMs: 200,
  });

async function using<T>(url: string, run: (log: ChangeLog) => Promise<T>, group?: string): Promise<T> {
  const log = open(url, group);
  try {
    return await run(log);
  } finally {
    await log.close();
  }
}

const linkTo = (url: string) => {
  const place = parseNatsUrl(url);
  return Link.open({ place, server: place.servers[0]!, name: 'test', ...silent });
};

const refused = (what: RegExp) => (error: unknown) => {
  assert.ok(error instanceof LogRefusedError, String(error));
  assert.match(error.message, what);
  return true;
};

describe('the URL of a log on NATS', () => {
  const good: [url: string, parts: Record<string, unknown>][] = [
    ['nats://a', { servers: ['a:4222'], encrypted: false }],
    ['nats://a:1,b:2/', { servers: ['a:1', 'b:2'], encrypted: false }],
    ['nats://u:p%2Fw@a,nats://u:p%2Fw@b', { servers: ['a:4222', 'b:4222'], user: 'u', password: 'p/w' }],
    ['tls://t0ken@[::1]:1?replicas=3', { servers: ['[::1]:1'], encrypted: true, token: 't0ken', replicas: 3 }],
    ['nats://a?creds=/etc/u.creds&domain=hub', { servers: ['a:4222'], creds: '/etc/u.creds', domain: 'hub' }],
    ['tls://a?ca=ca.pem&cert=c.pem&key=k.pem', { ca: 'ca.pem', cert: 'c.pem', key: 'k.pem' }],
  ];
  for (const [url, parts] of good)
    it(`${url} is understood`, () => {
      const found = parseNatsUrl(url);
      assert.deepEqual({ ...found, ...parts }, found);
    });
  const bad = [
    'nats://',
    'nats://a:99999',
    'nats://a,,b',
    'nats://a?replicas=9',
    'nats://a?cert=c.pem',
    'nats://a?what=x',
    'nats://u:secret@a,v:secret@b',
    'nats://u:sec/ret@a',
    'nats://u:secret,s@a',
    'nats://u:%secret@a',
    'ws://a',
  ];
  for (const url of bad)
    it(`${url} is refused, and no secret is repeated`, () =>
      assert.throws(
        () => parseNatsUrl(url),
        (error: Error) => !error.message.includes('secret') && error.message.includes('nats://host:4222'),
      ));

  it('groups have streams of their own, whatever they are called', () => {
    const groups = ['a', 'A', 'a.b', 'a_b', 'a b', 'a-records', 'ä', 'a/b', '*', '>', 'a_2eb'];
    const named = groups.map((group) => namesOf(group));
    assert.equal(new Set(named.flatMap(({ records, bodies }) => [records, bodies])).size, 2 * groups.length);
    for (const { records, record, alive } of named) {
      assert.match(records, /^[\w-]+$/);
      assert.match(record, /^graticule\.[\w-]+\.record$/);
      assert.match(alive, /^graticule\.[\w-]+\.alive$/);
    }
  });
});

describe('a log on NATS', { skip: natsMissing }, () => {
  let nats: Nats;
  before(async () => {
    nats = await startNats();
  });
  after(() => nats?.stop());

  it('keeps what it acknowledged when its server is killed', async () => {
    await using(nats.url, async (log) => {
      await log.head();
      const acknowledged: number[] = [];
      const writing = Promise.allSettled(
        range(0, 999).map(async (n) => {
          const answer = await log.append(at(n), body(n + 1));
          if (answer.kind === 'appended') acknowledged.push(answer.position);
        }),
      );
      await until(() => acknowledged.length > 50, 'some appends');
      await nats.servers[0]!.kill('SIGKILL');
      await writing;
      await nats.servers[0]!.restart();
      await until(
        () =>
          log.head().then(
            () => true,
            () => false,
          ),
        'the server',
      );
      const head = await log.head();
      assert.ok(head >= Math.max(...acknowledged));
      assert.deepEqual((await take(log, START, head)).map(text), range(1, head).map(String));
    });
  });

  it('keeps its place when everything was trimmed and the server is killed', async () => {
    await using(
      nats.url,
      async (log) => {
        await fill(log, 3);
        await log.putSnapshot(at(3), Readable.from([body('all')]));
        await log.trim(at(3));
        await nats.servers[0]!.kill('SIGKILL');
        await nats.servers[0]!.restart();
        await until(
          () =>
            log.head().then(
              (head) => head === 3,
              () => false,
            ),
          'the head',
        );
        assert.equal(await log.trimmed(), 3);
        assert.deepEqual(await log.append(at(3), body('4')), { kind: 'appended', position: 4 });
      },
      'trimmed',
    );
  });

  it('large records: one of two has the place, and what belongs to no record goes', async () => {
    const names = namesOf('large');
    const link = await linkTo(nats.url);
    const [one, two] = [open(nats.url, 'large'), open(nats.url, 'large')];
    try {
      const bodies = [randomBytes(3 * MB), randomBytes(3 * MB)];
      const results = await Promise.all([one, two].map((log, n) => log.append(START, bodies[n]!)));
      assert.deepEqual(results.map(({ kind }) => kind).sort(), ['appended', 'head-moved']);
      const winner = results.findIndex(({ kind }) => kind === 'appended');
      const [record] = await take(two, START, 1);
      assert.ok(bodies[winner]!.equals(record!.body));
      const begun = () => streams.subjects(link, names.bodies, names.part('*.*', 0));
      await until(async () => (await begun()).length === 1, 'the other one to go');
      // In the order in which they are asked for, large or small.
      const sizes = [2 * MB, 10, 2 * MB, 10];
      const order = await Promise.all(sizes.map((size, n) => one.append(at(1 + n), Buffer.alloc(size, `${n}`))));
      assert.deepEqual(
        order.map((each) => each.kind === 'appended' && each.position),
        [2, 3, 4, 5],
      );
      assert.deepEqual(
        (await take(two, at(1), 4)).map((each) => each.body.length),
        sizes,
      );
      await one.putSnapshot(at(3), Readable.from([body('x')]));
      await one.trim(at(3));
      assert.deepEqual((await begun()).map((subject) => subject.split('.').at(-3)).sort(), ['r4', 's3']);
    } finally {
      await Promise.all([one.close(), two.close()]);
      link.terminate();
    }
  });

  it('a blob that lost parts is not given as if it were whole', async () => {
    const names = namesOf('damaged');
    const link = await linkTo(nats.url);
    try {
      await using(
        nats.url,
        async (log) => {
          const blob = testBlob(2);
          await log.putBlob(blob.hash, blob);
          const [part] = await streams.subjects(link, names.bodies, names.part(`${blob.hash}.*` as '*.*', 3));
          await streams.purge(link, names.bodies, { filter: part! });
          const reading = (async () => {
            for await (const _chunk of (await log.getBlob(blob.hash))!);
          })();
          await assert.rejects(reading, /no longer holds the whole/);
        },
        'damaged',
      );
    } finally {
      link.terminate();
    }
  });

  it('what was given up, and what says that a blob was removed, goes after a day', async () => {
    const names = namesOf('tidy');
    const link = await linkTo(nats.url);
    const closing = new AbortController();
    const place = parseNatsUrl(nats.url);
    const { silentLogger } = await import('../../base/index.ts');
    const channel = natsChannel(
      { ...silent, place, name: 'tidying', logger: silentLogger, connectionWaitMs: 1000 },
      closing.signal,
    );
    try {
      await using(
        nats.url,
        async (log) => {
          const [kept, removed] = [Buffer.from('kept'), Buffer.from('removed')];
          await log.putBlob(contentHash(kept), bytesSource(kept));
          await log.putBlob(contentHash(removed), bytesSource(removed));
          await log.removeBlobs([contentHash(removed)], new Date(Date.now() + 60_000).toISOString());
          await log.putBlob(contentHash(kept), bytesSource(kept));
          const broken = testBlob(2, { breakAt: MB });
          await assert.rejects(log.putBlob(broken.hash, broken));
          await log.putSnapshot(START, Readable.from([kept]));
          const all = () => streams.subjects(link, names.bodies, names.body);
          const bodies = new Bodies(channel, streams, names, 500);
          const parts = { streams, names, bodies, heartbeatMs: 500, signal: closing.signal };
          const before = await all();
          await tidy(parts, link, START, Date.now());
          assert.deepEqual([...(await all())].sort(), [...before].sort());
          await tidy(parts, link, START, Date.now() + 25 * 3600 * 1000);
          // `kept` was removed as well, and put again: its parts, the snapshot's, and the two messages that name them.
          assert.equal((await all()).length, 4);
          assert.equal(await log.hasBlob(contentHash(kept)), true);
          assert.equal(await log.hasBlob(contentHash(removed)), false);
          assert.equal((await log.snapshots()).length, 1);
        },
        'tidy',
      );
    } finally {
      closing.abort();
      await channel.closed();
      link.terminate();
    }
  });

  it('a blob is whole wherever its upload is cut off near the end, and what the log holds is what it gives', async () => {
    const proxy = new TcpProxy(() => nats.servers[0]!.port);
    await proxy.start();
    try {
      await using(
        `nats://127.0.0.1:${proxy.port}`,
        async (log) => {
          for (let bytes = MB; bytes < MB + 4000; bytes += 150) {
            const blob = testBlob(1);
            proxy.cut(bytes);
            await log.putBlob(blob.hash, blob);
            assert.equal((await digestOf((await log.getBlob(blob.hash))!)).hash, blob.hash, `cut at ${bytes}`);
          }
        },
        'cut',
      );
    } finally {
      proxy.stop();
    }
  });

  it('a stream that has gone is not made anew under those who know it', async () => {
    const names = namesOf('gone');
    const link = await linkTo(nats.url);
    try {
      await using(
        nats.url,
        async (log) => {
          await fill(log, 1);
          await streams.request(link, `STREAM.DELETE.${names.records}`, {});
          await assert.rejects(log.head(), UnavailableError);
          await nats.servers[0]!.kill('SIGTERM');
          await nats.servers[0]!.restart();
          await until(
            () =>
              log.head().then(
                () => false,
                (error) => /has gone/.test(error.message),
              ),
            'the refusal',
          );
        },
        'gone',
      );
    } finally {
      link.terminate();
    }
  });

  it('a stream that would lose records is refused, and why', async () => {
    const names = namesOf('unfit');
    const link = await linkTo(nats.url);
    try {
      const config = { name: names.records, subjects: [names.record], max_age: 3600 * 1e9 };
      await streams.request(link, `STREAM.CREATE.${names.records}`, config);
      await using(nats.url, (log) => assert.rejects(log.head(), refused(/not fit for a log: max-age/)), 'unfit');
    } finally {
      link.terminate();
    }
  });

  it('a server that accepts and says nothing is noticed, and another one taken', async () => {
    const mute = createServer(() => {});
    const port = await listenAnywhere(mute);
    try {
      const startedMs = performance.now();
      await using(`nats://127.0.0.1:${port}`, (log) => assert.rejects(log.head(), UnavailableError));
      assert.ok(performance.now() - startedMs < 5000);
      const both = `nats://127.0.0.1:${port},127.0.0.1:${nats.servers[0]!.port}`;
      await using(
        both,
        (log) =>
          until(
            () =>
              log.head().then(
                () => true,
                () => false,
              ),
            'the other server',
          ),
        'second',
      );
    } finally {
      mute.close();
    }
  });
});

describe('who may come in to a log on NATS', { skip: natsMissing }, () => {
  it('users and tokens, and what a user may not do', async () => {
    const nats = await startNats({
      configuration: `authorization { users: [
        { user: "full", password: "right-password" },
        { user: "reader", password: "right-password", permissions: { publish: { deny: "graticule.g.record" } } }
      ] }`,
    });
    try {
      const as = (login: string) => nats.url.replace('://', `://${login}@`);
      await using(as('full:right-password'), async (log) => assert.equal(await log.head(), 0));
      await using(as('full:wrong-password'), (log) =>
        assert.rejects(
          log.head(),
          (error: Error) => refused(/does not let this node in/)(error) && !/-password/.test(error.message),
        ),
      );
      await using(nats.url, (log) => assert.rejects(log.head(), refused(/does not let this node in/)));
      await using(as('reader:right-password'), (log) =>
        assert.rejects(log.append(START, body('x')), refused(/may not publish to graticule\.g\.record/)),
      );
    } finally {
      await nats.stop();
    }
  });

  it('a user with no more than the documentation says', async () => {
    const { records, bodies } = namesOf('g');
    const subjects = [
      'graticule.g.>',
      ...[records, bodies].flatMap((stream) => [
        ...['INFO', 'CREATE', 'PURGE'].map((what) => `$JS.API.STREAM.${what}.${stream}`),
        `$JS.API.CONSUMER.CREATE.${stream}`,
        ...['DELETE', 'MSG.NEXT'].map((what) => `$JS.API.CONSUMER.${what}.${stream}.*`),
      ]),
      `$JS.API.STREAM.MSG.GET.${bodies}`,
    ];
    const words = (list: readonly string[]) => list.map((each) => JSON.stringify(each)).join(', ');
    const nats = await startNats({
      configuration: `authorization { users: [ { user: "node", password: "p", permissions: {
        publish: [${words(subjects)}], subscribe: [${words(['_INBOX.>', 'graticule.g.alive'])}] } } ] }`,
    });
    try {
      await using(nats.url.replace('://', '://node:p@'), async (log) => {
        await fill(log, 2);
        await log.append(at(2), randomBytes(2 * MB));
        assert.equal((await take(log, START, 3)).length, 3);
        const blob = testBlob(1);
        await log.putBlob(blob.hash, blob);
        assert.equal((await buffer((await log.getBlob(blob.hash, MB - 1))!)).length, 1);
        await log.removeBlobs([blob.hash], new Date(Date.now() + 60_000).toISOString());
        await log.putSnapshot(at(3), Readable.from([body('x')]));
        await log.trim(at(3));
        assert.equal(await log.trimmed(), 3);
        await log.announce(status('n', 3));
        const heard = log.peers(new AbortController().signal)[Symbol.asyncIterator]();
        assert.equal((await heard.next()).value?.length, 1);
        await heard.return?.();
      });
    } finally {
      await nats.stop();
    }
  });

  it('a creds file', async () => {
    const { creds, configuration } = accountsOnDisk();
    const nats = await startNats({ configuration, files: { 'user.creds': creds } });
    try {
      const file = path.join(nats.folder, 'user.creds');
      await using(`${nats.url}?creds=${file}`, async (log) => {
        assert.deepEqual(await log.append(START, body('x')), { kind: 'appended', position: 1 });
      });
      await using(nats.url, (log) => assert.rejects(log.head(), refused(/does not let this node in/)));
      await using(`${nats.url}?creds=${file}.gone`, (log) => assert.rejects(log.head(), refused(/cannot be read/)));
    } finally {
      await nats.stop();
    }
  });

  it('TLS, with certificates on both sides', { skip: NO_OPENSSL }, async () => {
    const made = await startNats();
    try {
      const [authority, other] = [makeAuthority(made.folder, 'authority'), makeAuthority(made.folder, 'other')];
      const server = makeCertificate(made.folder, 'server', authority);
      const client = makeCertificate(made.folder, 'client', authority);
      await using(made.url.replace('nats:', 'tls:'), (log) =>
        assert.rejects(log.head(), refused(/does not speak TLS/)),
      );
      const nats = await startNats({
        files: Object.fromEntries(
          Object.entries({ 's.crt': server.cert, 's.key': server.key, 'ca.crt': authority.cert }).map(
            ([name, file]) => [name, readFileSync(file)],
          ),
        ),
        configuration:
          'tls { cert_file: "FOLDER/s.crt", key_file: "FOLDER/s.key", ca_file: "FOLDER/ca.crt", verify: true }',
      });
      try {
        const own = `&cert=${client.cert}&key=${client.key}`;
        const url = nats.url.replace('nats:', 'tls:');
        await using(`${url}?ca=${authority.cert}${own}`, async (log) => assert.equal(await log.head(), 0));
        for (const wrong of [`?ca=${other.cert}${own}`, `?ca=${authority.cert}`])
          await using(`${url}${wrong}`, (log) => assert.rejects(log.head(), UnavailableError));
      } finally {
        await nats.stop();
      }
    } finally {
      await made.stop();
    }
  });
});

/** An operator, an account with JetStream and a user, as NATS' own tools make them. */
function accountsOnDisk(): { creds: string; configuration: string } {
  const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
  const system = nkeys.createAccount();
  const publicKey = (pair: { getPublicKey(): string }) => pair.getPublicKey();
  const jwt = (issuer: typeof operator, sub: string, name: string, claims: unknown) => {
    const part = (json: unknown) => Buffer.from(JSON.stringify(json)).toString('base64url');
    const payload = { jti: name, iat: Math.floor(Date.now() / 1000), iss: publicKey(issuer), name, sub, nats: claims };
    const signed = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part(payload)}`;
    return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString('base64url')}`;
  };
  const none = { subs: -1, data: -1, payload: -1 };
  const limits = { ...none, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const stored = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const operatorJwt = jwt(operator, publicKey(operator), 'O', {
    type: 'operator',
    version: 2,
    system_account: publicKey(system),
  });
  const accountJwt = jwt(operator, publicKey(account), 'A', {
    type: 'account',
    version: 2,
    limits: { ...limits, ...stored },
  });
  const systemJwt = jwt(operator, publicKey(system), 'S', { type: 'account', version: 2, limits });
  const userJwt = jwt(account, publicKey(user), 'U', { type: 'user', version: 2, ...none, pub: {}, sub: {} });
  const seed = Buffer.from(user.getSeed()).toString();
  return {
    creds: `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
    configuration: `operator: "${operatorJwt}"
system_account: "${publicKey(system)}"
resolver: MEMORY
resolver_preload: { ${publicKey(account)}: "${accountJwt}", ${publicKey(system)}: "${systemJwt}" }`,
  };
}
