import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { describe, it } from 'node:test';
import { type Facts, type Logger, silentLogger, systemClock } from '../../base/index.ts';
import { START } from '../../tree/index.ts';
import {
  type ClusterSecrets,
  LogRefusedError,
  memoryLog,
  openEmbeddedLog,
  openWebSocketLog,
  serveLog,
} from '../index.ts';
import { type Hello, isProof, proofOf, secretOfProof, whyNotHello } from './handshake.ts';
import { Refusals } from './refusals.ts';
import { PROTOCOL } from './wire.ts';

/** Secrets that the test changes. */
class Secrets implements ClusterSecrets {
  accepted: readonly string[];
  readonly source: string;

  constructor(accepted: readonly string[], source = 'the file /etc/graticule/secret') {
    this.accepted = accepted;
    this.source = source;
  }
}

function recording(): { readonly lines: Facts[]; readonly logger: Logger } {
  const lines: Facts[] = [];
  const warn = (event: string, facts?: Facts) => lines.push({ event, ...facts });
  return { lines, logger: { ...silentLogger, warn } };
}

async function serve(options: { secret: string | ClusterSecrets; group?: string }) {
  const server = createServer();
  const { lines, logger } = recording();
  const served = serveLog({ server, log: memoryLog().open(), logger, ...options });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    lines,
    served,
    open: (secret: string | ClusterSecrets, group?: string, name = 'node-2') =>
      openWebSocketLog({ url: `ws://127.0.0.1:${port}`, secret, group, name }),
    stop: async () => {
      await served.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

describe('who may use a served log', () => {
  it('refuses nodes of another group, and both sides name both groups', async () => {
    const server = await serve({ secret: 'shared secret', group: 'maps' });
    const log = server.open('shared secret', 'tests');
    await assert.rejects(log.head(), (error) => {
      assert.ok(error instanceof LogRefusedError);
      assert.match(error.message, /refused.*group tests.*group maps.*--group/);
      return true;
    });
    const [{ event, peer, address, reason }] = server.lines as [Facts];
    assert.deepEqual([event, peer], ['peer-refused', 'node-2']);
    assert.match(String(address), /127\.0\.0\.1/);
    assert.match(String(reason), /group tests.*group maps/);
    await log.close();
    const welcome = server.open('shared secret', 'maps');
    assert.equal(await welcome.head(), 0);
    await welcome.close();
    await server.stop();
  });

  it('names the file of a wrong secret, and no secret', async () => {
    const server = await serve({ secret: 'the right secret' });
    const log = server.open(new Secrets(['a wrong secret']));
    await assert.rejects(log.head(), /first secret counts.*the file \/etc\/graticule\/secret/);
    assert.deepEqual(Object.keys(server.lines[0]!), ['event', 'address', 'peer', 'reason']);
    assert.ok(!/right|wrong/.test(JSON.stringify(server.lines)));
    await log.close();
    await server.stop();
  });

  it('exchanges a secret step by step, without a cut and without a refusal', async () => {
    const [holder, follower] = [new Secrets(['old secret']), new Secrets(['old secret'])];
    const server = await serve({ secret: holder });
    const staying = server.open(follower, undefined, 'staying');
    let head = START;
    const everybodyWorks = async () => {
      const newcomer = server.open(follower, undefined, 'newcomer');
      for (const log of [staying, newcomer]) {
        const appended = await log.append(head, Buffer.from('x'));
        head = appended.kind === 'appended' ? appended.position : assert.fail('moved');
      }
      await newcomer.close();
    };
    await everybodyWorks();
    // Each step reaches one node after the other.
    for (const accepted of [['old secret', 'new secret'], ['new secret', 'old secret'], ['new secret']])
      for (const node of [follower, holder]) {
        node.accepted = accepted;
        await everybodyWorks();
      }
    for (const accepted of [['new secret', 'last secret'], ['last secret', 'new secret'], ['last secret']])
      for (const node of [holder, follower]) {
        node.accepted = accepted;
        await everybodyWorks();
      }
    assert.deepEqual(server.lines, []);
    const late = server.open('old secret', undefined, 'late');
    await assert.rejects(late.head(), LogRefusedError);
    await late.close();
    await staying.close();
    await server.stop();
  });
});

describe('a proof', () => {
  const hello: Hello = { protocol: PROTOCOL, group: 'g', name: 'n', purpose: 'calls', nonce: 'a'.repeat(64) };
  const challenge = { nonce: 'b'.repeat(64) };
  const proof = proofOf('secret', 'client', hello, challenge);

  it('holds for this secret, side, group, name, purpose and these numbers only', () => {
    assert.ok(isProof(proof, proofOf('secret', 'client', { ...hello }, { ...challenge })));
    const others = [
      proofOf('Secret', 'client', hello, challenge),
      proofOf('secret', 'server', hello, challenge),
      proofOf('secret', 'client', { ...hello, group: 'h' }, challenge),
      proofOf('secret', 'client', { ...hello, name: 'm' }, challenge),
      proofOf('secret', 'client', { ...hello, purpose: 'transfer' }, challenge),
      proofOf('secret', 'client', { ...hello, nonce: 'c'.repeat(64) }, challenge),
      proofOf('secret', 'client', hello, { nonce: 'a'.repeat(64) }),
    ];
    for (const other of others) assert.ok(!isProof(proof, other));
    for (const nonsense of [undefined, 1, '', proof.slice(1), `${proof}0`]) assert.ok(!isProof(nonsense, proof));
  });

  it('tells which of several secrets it was made with', () => {
    assert.equal(secretOfProof(proof, ['x', 'secret', 'y'], hello, challenge), 'secret');
    assert.equal(secretOfProof(proof, ['x', 'y'], hello, challenge), undefined);
  });

  it('is not asked of who does not say hello properly', () => {
    const wrong: [Partial<Hello>, RegExp][] = [
      [{}, /version undefined/],
      [{ ...hello, protocol: 99 }, /version 99/],
      [{ ...hello, name: 'a\nb' }, /no name/],
      [{ ...hello, name: 'n'.repeat(300) }, /no name/],
      [{ ...hello, purpose: 'x' as never }, /asked for "x"/],
      [{ ...hello, nonce: 'short' }, /random/],
      [{ ...hello, nonce: 'n'.repeat(1000) }, /random/],
      [{ ...hello, group: undefined }, /no group/],
      [{ ...hello, group: 'h' }, /group h.*group g/],
    ];
    for (const [said, reason] of wrong) assert.match(whyNotHello(said, 'g')!.refused, reason);
    assert.equal(whyNotHello(hello, 'g'), undefined);
  });
});

it('refusals are said once a minute, however often and under however many names somebody knocks', () => {
  const { lines, logger } = recording();
  let ms = 0;
  const refusals = new Refusals(logger, { ...systemClock, monotonicMs: () => ms });
  const refusal = { address: '10.0.0.1', peer: 'n', reason: 'its secret' };
  for (let n = 0; n < 1000; n++) refusals.say(refusal);
  assert.deepEqual(lines, [{ event: 'peer-refused', ...refusal }]);
  ms = 61_000;
  refusals.say(refusal);
  assert.deepEqual(lines[1], { event: 'peer-refused', ...refusal, timesBefore: 999 });
  for (let n = 0; n < 1000; n++) refusals.say({ ...refusal, peer: `n${n}` });
  assert.equal(lines.length, 101);
  ms = 130_000;
  refusals.say({ ...refusal, peer: 'late' });
  assert.equal((lines as readonly Facts[])[101]!.othersBefore, 901);
});

it('an embedded log belongs to one group', async () => {
  const folder = mkdtempSync(`${tmpdir()}/log-group-`);
  try {
    await (await openEmbeddedLog({ folder, group: 'maps' })).close();
    await assert.rejects(openEmbeddedLog({ folder, group: 'tests' }), /group maps.*group tests.*--group maps/);
    const again = await openEmbeddedLog({ folder, group: 'maps' });
    assert.equal(await again.head(), 0);
    await again.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
