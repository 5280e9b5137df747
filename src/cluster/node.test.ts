import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { until } from '../../test/waiting.ts';
import { systemClock, UnavailableError, UncertainError, UserError } from '../base/index.ts';
import { createWorkspace } from '../catalog/index.ts';
import type { MemoryCall, MemoryFault } from '../log/index.ts';
import { type Position, treePath } from '../tree/index.ts';
import { increment, put, read, testCluster } from './harness.ts';
import { RefusedError } from './index.ts';
import { type ClusterNode, NotPrimaryError } from './types.ts';

const at = (n: number) => n as Position;

let cluster: ReturnType<typeof testCluster>;
beforeEach(() => {
  cluster = testCluster();
});
afterEach(() => cluster.close());

describe('writing', () => {
  it('an answer means visible here, and after catchUp everywhere', async () => {
    const [a, b] = [await cluster.start('a'), await cluster.start('b')];
    const written = await put(a.node, 'styles/x.sld', '<x/>');
    assert.equal(written.repeated, false);
    assert.equal(a.node.position, written.position);
    assert.equal(read(a.node, 'styles/x.sld'), '<x/>');
    await b.node.catchUp();
    assert.equal(read(b.node, 'styles/x.sld'), '<x/>');
    assert.equal(a.node.digest, b.node.digest);
  });

  it('concurrent writers on three nodes lose nothing', async () => {
    const nodes = [await cluster.start('a'), await cluster.start('b'), await cluster.start('c')].map(
      ({ node }) => node,
    );
    const each = async (node: ClusterNode) => {
      for (let n = 0; n < 15; n++) await increment(node, 'counter');
    };
    await Promise.all(nodes.flatMap((node) => [each(node), each(node), each(node), each(node)]));
    for (const node of nodes) {
      await node.catchUp();
      assert.equal(read(node, 'counter'), '180');
    }
    assert.equal(new Set(nodes.map(({ digest }) => digest)).size, 1);
  });

  it('of all who create one workspace at once, one wins, and the others are told that it is there', async () => {
    const nodes = [await cluster.start('a'), await cluster.start('b'), await cluster.start('c')].map(
      ({ node }) => node,
    );
    const env = { now: 0, random: Math.random, user: 'test' };
    const create = (node: ClusterNode) =>
      node.write({
        origin: { by: 'test', why: 'POST /rest/workspaces' },
        evaluate: (draft) => createWorkspace(draft, { name: 'topp' }, env).id,
      });
    const outcomes = await Promise.allSettled([...nodes, ...nodes].map(create));
    const won = outcomes.filter(({ status }) => status === 'fulfilled');
    assert.equal(won.length, 1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') {
        assert(outcome.reason instanceof UserError, outcome.reason);
        assert.equal(outcome.reason.status, 409);
      }
    const ids = new Set<string | undefined>();
    for (const node of nodes) {
      await node.catchUp();
      ids.add(node.catalog.workspace('topp')?.id);
    }
    assert.equal(ids.size, 1);
  });

  it('writes that wait together become one record', async () => {
    const { node } = await cluster.start('a');
    const before = node.position;
    const written = await Promise.all(Array.from({ length: 50 }, () => increment(node, 'counter')));
    assert.deepEqual(
      written.map(({ result }) => result).sort((x, y) => x - y),
      Array.from({ length: 50 }, (_, n) => n + 1),
    );
    assert(node.position - before <= 2, `${node.position - before} records`);
  });

  it('a refused request leaves nothing, and the others of its group go on', async () => {
    const { node } = await cluster.start('a');
    const fail = node.write({
      origin: { by: 'test', why: 'PUT bad' },
      evaluate(draft) {
        draft.put(treePath('bad'), Buffer.from('x'));
        throw new UserError(404, 'nothing-here', 'no');
      },
    });
    const bug = node.write({
      origin: { by: 'test', why: 'PUT worse' },
      evaluate(draft) {
        draft.put(treePath('worse'), Buffer.from('x'));
        throw new TypeError('a bug');
      },
    });
    const good = put(node, 'good', '1');
    await assert.rejects(fail, /^UserError: no$/);
    await assert.rejects(bug, /^TypeError: a bug$/);
    await good;
    assert.deepEqual(node.catalog.list(''), ['good']);
  });

  it('an error counts only on the newest state', async () => {
    const a = await cluster.start('a');
    // Node b does not get the record that it needs until it has asked for the head.
    let hold = false;
    const b = await cluster.start('b', {
      fault: (call) => (call === 'deliver' && hold ? { kind: 'delay', requestMs: 100 } : undefined),
    });
    hold = true;
    await put(a.node, 'late', 'here');
    assert.equal(read(b.node, 'late'), undefined);
    const { result } = await b.node.write({
      origin: { by: 'test', why: 'GET late' },
      evaluate(draft) {
        if (!draft.exists(treePath('late'))) throw new UserError(404, 'not-found', 'late is not here');
        return 'found';
      },
    });
    assert.equal(result, 'found');
  });

  it('what changes no file takes no place in the log', async () => {
    const { node } = await cluster.start('a');
    const { position } = await put(node, 'x', '1');
    assert.equal((await put(node, 'x', '1')).position, position);
    assert.equal(node.position, position);
  });

  it('prepare runs again when what it relied on has changed', async () => {
    const { node } = await cluster.start('a');
    await put(node, 'source', '1');
    let runs = 0;
    const { result } = await node.write({
      origin: { by: 'test', why: 'PUT copy' },
      async prepare(view) {
        const seen = view.hash(treePath('source'));
        if (++runs === 1) await put(node, 'source', '2');
        return seen;
      },
      stillHolds: (seen, draft) => draft.hash(treePath('source')) === seen,
      evaluate: (draft) => Buffer.from(draft.read(treePath('source'))!).toString(),
    });
    assert.deepEqual([runs, result], [2, '2']);
  });

  it('long contents travel as blobs', async () => {
    const [a, b] = [await cluster.start('a'), await cluster.start('b')];
    const text = 'long '.repeat(50_000);
    const { position } = await put(a.node, 'data/long.txt', text);
    for await (const [record] of a.log.read(at(position - 1), new AbortController().signal)) {
      assert(record!.body.length < 1000);
      break;
    }
    await b.node.catchUp();
    assert.equal(read(b.node, 'data/long.txt'), text);
    await b.node.close();
    assert.equal(readFileSync(path.join(b.dataDir, 'data/long.txt'), 'utf8'), text);
  });

  it('a replica names the primaries', async () => {
    await cluster.start('a');
    const { node } = await cluster.start('b', { role: 'replica' });
    await until(() => node.members().length === 2, 'b hears of a');
    await assert.rejects(put(node, 'x', '1'), (error) => {
      assert(error instanceof NotPrimaryError);
      assert.deepEqual(error.primaries, ['http://a:8080/geoserver']);
      return true;
    });
  });
});

describe('an idempotency key', () => {
  it('is good for one application, on any node', async () => {
    const [a, b] = [await cluster.start('a'), await cluster.start('b')];
    const first = await increment(a.node, 'counter', 'key-1');
    assert.deepEqual([first.result, first.repeated], [1, false]);
    for (const { node } of [a, b]) {
      const again = await increment(node, 'counter', 'key-1');
      assert.deepEqual([again.repeated, again.position], [true, first.position]);
    }
    assert.equal(read(b.node, 'counter'), '1');
  });

  it('sent several times at once, even to several nodes, is applied once', async () => {
    const nodes = [await cluster.start('a'), await cluster.start('b')].map(({ node }) => node);
    const all = await Promise.all([...nodes, ...nodes, ...nodes].map((node) => increment(node, 'counter', 'key-1')));
    assert.equal(all.filter(({ repeated }) => !repeated).length, 1);
    assert.equal(read(nodes[0]!, 'counter'), '1');
  });

  it('is known after a restart', async () => {
    const a = await cluster.start('a');
    await increment(a.node, 'counter', 'key-1');
    await a.node.close();
    const { node } = await cluster.start('a');
    assert.equal((await increment(node, 'counter', 'key-1')).repeated, true);
  });

  it('cannot stand for another request', async () => {
    const { node } = await cluster.start('a');
    await put(node, 'x', '1', 'key-1');
    await assert.rejects(put(node, 'y', '1', 'key-1'), (error) => error instanceof UserError && error.status === 422);
  });
});

describe('when the log fails', () => {
  const faultOn = (call: MemoryCall, faults: (MemoryFault | undefined)[]) => (asked: MemoryCall) =>
    asked === call ? faults.shift() : undefined;

  for (const kind of ['lost-reply', 'lost-request'] as const)
    it(`${kind}: the change is applied exactly once`, async () => {
      const faults: (MemoryFault | undefined)[] = [];
      const { node } = await cluster.start('a', { fault: faultOn('append', faults) });
      const b = await cluster.start('b');
      for (let n = 1; n <= 5; n++) {
        faults.push({ kind }, n % 2 === 0 ? { kind } : undefined);
        assert.equal((await increment(node, 'counter')).result, n);
      }
      await b.node.catchUp();
      assert.equal(read(b.node, 'counter'), '5');
    });

  it('lost-reply while another node writes: both are applied once', async () => {
    const faults: (MemoryFault | undefined)[] = [];
    const a = await cluster.start('a', { fault: faultOn('append', faults) });
    const b = await cluster.start('b');
    for (let n = 0; n < 10; n++) {
      faults.push({ kind: n % 2 === 0 ? 'lost-reply' : 'lost-request' });
      await Promise.all([increment(a.node, 'counter'), increment(b.node, 'counter'), increment(a.node, 'counter')]);
    }
    await a.node.catchUp();
    assert.equal(read(a.node, 'counter'), '30');
  });

  it('lost-request while another node makes the same change by its key: only the other one made it', async () => {
    const faults: (MemoryFault | undefined)[] = [];
    const a = await cluster.start('a', { fault: faultOn('append', faults) });
    const b = await cluster.start('b');
    await a.node.catchUp();
    faults.push({ kind: 'lost-request' }, { kind: 'delay', requestMs: 300 });
    const lost = increment(a.node, 'counter', 'key-1');
    await until(() => faults.length <= 1, 'the request is lost');
    const made = await increment(b.node, 'counter', 'key-1');
    const answer = await lost;
    assert.deepEqual([made.repeated, answer.repeated, answer.position], [false, true, made.position]);
    assert.equal(read(a.node, 'counter'), '1');
  });

  it('writes are refused, reads of what is here go on, and all is well when it is back', async () => {
    const a = await cluster.start('a');
    await put(a.node, 'x', '1');
    a.log.partitioned = true;
    await assert.rejects(put(a.node, 'x', '2'), UnavailableError);
    await assert.rejects(a.node.catchUp(), UnavailableError);
    await until(() => a.node.status().state === 'stale', 'a is stale');
    assert.match(a.node.status().reason ?? '', /cannot be reached/);
    assert.equal(read(a.node, 'x'), '1');
    const b = await cluster.start('b');
    await put(b.node, 'x', '3');
    a.log.partitioned = false;
    await until(() => a.node.status().state === 'in-step' && read(a.node, 'x') === '3', 'a is in step');
    await put(a.node, 'x', '4');
  });

  it('an append whose fate cannot be found out is uncertain', { timeout: 60_000 }, async () => {
    let lost = false;
    const a = await cluster.start('a', {
      fault: (call) => (lost && call === 'append' ? { kind: 'lost-request' } : undefined),
      clock: {
        ...systemClock,
        sleep: (ms, signal) => systemClock.sleep(ms / 20, signal),
        monotonicMs: () => performance.now() * 20,
      },
    });
    lost = true;
    await assert.rejects(put(a.node, 'x', '1'), UncertainError);
    lost = false;
    await put(a.node, 'x', '1');
  });

  it('a node that is paused before it can look what became of an append does not say that nothing was done', async () => {
    let lose = false;
    const a = await cluster.start('a', {
      fault(call) {
        if (!lose || call !== 'append') return undefined;
        lose = false;
        a.node.setRole('paused');
        return { kind: 'lost-reply' };
      },
    });
    await cluster.start('b');
    lose = true;
    await assert.rejects(increment(a.node, 'counter', 'key-1'), UncertainError);
    a.node.setRole('both');
    await until(() => a.node.status().state === 'in-step', 'a follows');
    assert.equal((await increment(a.node, 'counter', 'key-1')).repeated, true);
    assert.equal(read(a.node, 'counter'), '1');
  });

  it('a node starts without the log, and catches up when it comes', async () => {
    const a = await cluster.start('a');
    await put(a.node, 'x', '1');
    await a.node.close();
    const b = await cluster.start('b');
    await put(b.node, 'x', '2');
    let reachable = false;
    const again = await cluster.start('a', {
      log: async () => {
        if (!reachable) throw new UnavailableError('log-unreachable', 'no route to the log');
        return cluster.shared.open();
      },
    });
    assert.equal(read(again.node, 'x'), '1');
    assert.deepEqual([again.node.status().state, again.node.status().reason], ['stale', 'no route to the log']);
    await assert.rejects(put(again.node, 'x', '9'), UnavailableError);
    reachable = true;
    await until(() => read(again.node, 'x') === '2', 'a catches up');
  });
});

describe('joining', () => {
  it('the first primary gives the log its directory, the others take it', async () => {
    const a = await cluster.start('a', { files: { 'styles/x.sld': '<x/>', 'workspaces/w/y.xml': '<y/>' } });
    const b = await cluster.start('b');
    assert.equal(b.node.logId, a.node.logId);
    assert.equal(b.node.digest, a.node.digest);
    await b.node.written();
    assert.equal(readFileSync(path.join(b.dataDir, 'workspaces/w/y.xml'), 'utf8'), '<y/>');
  });

  it('two first primaries at once agree on one', async () => {
    const [a, b] = await Promise.all([cluster.start('a'), cluster.start('b')]);
    assert.equal(a.node.logId, b.node.logId);
    await put(a.node, 'x', '1');
    await b.node.catchUp();
    assert.equal(read(b.node, 'x'), '1');
  });

  it('a new node takes the latest snapshot and the records after it', async () => {
    const a = await cluster.start('a', { files: { one: '1', two: '2' } });
    for (let n = 0; n < 5; n++) await put(a.node, `file-${n}`, String(n));
    const snapshot = await a.node.snapshot();
    assert.equal(snapshot, a.node.position);
    await a.log.trim(snapshot);
    await put(a.node, 'last', 'x');
    const b = await cluster.start('b');
    await b.node.catchUp();
    assert.equal(b.node.digest, a.node.digest);
    assert.equal(b.node.logId, a.node.logId);
    assert.equal(read(b.node, 'last'), 'x');
  });

  it('a node that was away for longer than the log remembers takes a snapshot', async () => {
    const [a, b] = [await cluster.start('a'), await cluster.start('b')];
    await put(a.node, 'x', '1');
    await b.node.catchUp();
    await b.node.close();
    for (let n = 0; n < 5; n++) await put(a.node, 'x', `more-${n}`);
    await a.log.trim(await a.node.snapshot());
    const again = await cluster.start('b');
    await again.node.catchUp();
    assert.equal(read(again.node, 'x'), 'more-4');
    assert.equal(again.node.digest, a.node.digest);
  });

  it('a replica waits for a log to begin', async () => {
    const r = await cluster.start('r', { role: 'replica' });
    assert.equal(r.node.status().state, 'starting');
    assert.match(r.node.status().reason ?? '', /is empty/);
    const a = await cluster.start('a', { files: { x: '1' } });
    await until(() => r.node.status().state === 'in-step', 'r joins');
    assert.equal(r.node.digest, a.node.digest);
  });

  it('a foreign directory is refused, and kept aside when the node adopts', async () => {
    const a = await cluster.start('a', { files: { shared: '1', differs: 'a' } });
    await put(a.node, 'later', 'x');
    const files = { shared: '1', differs: 'b', own: 'b' };
    await assert.rejects(cluster.start('b', { files }), (error) => {
      assert(error instanceof RefusedError);
      assert.match(error.message, /holds 3 files that are not the state of the log memory:.*`--adopt`/);
      return true;
    });
    const b = await cluster.start('b', { adopt: true });
    await b.node.catchUp();
    await b.node.written();
    assert.equal(b.node.digest, a.node.digest);
    const aside = readdirSync(path.join(b.dataDir, 'cluster')).find((name) => name.startsWith('aside-'));
    const kept = (name: string) => readFileSync(path.join(b.dataDir, 'cluster', aside!, name), 'utf8');
    assert.deepEqual([kept('differs'), kept('own')], ['b', 'b']);
    assert(!existsSync(path.join(b.dataDir, 'own')));
  });

  it('a copy of the cluster’s directory is taken in as it is', async () => {
    const a = await cluster.start('a', { files: { x: '1' } });
    await put(a.node, 'y', '2');
    const b = await cluster.start('b', { files: { x: '1', y: '2' } });
    await b.node.catchUp();
    assert.equal(b.node.digest, a.node.digest);
  });

  it('another log is refused', async () => {
    const a = await cluster.start('a');
    await put(a.node, 'x', '1');
    await a.node.close();
    const other = testCluster();
    try {
      await other.start('b');
      await assert.rejects(other.start('a', { dataDir: a.dataDir }), /follows the log .* and memory: is the log/);
      const adopted = await other.start('a', { dataDir: a.dataDir, adopt: true });
      assert.equal(read(adopted.node, 'x'), undefined);
      await adopted.node.close();
    } finally {
      await other.close();
    }
  });
});

describe('coming back', () => {
  it('a node that was dropped in the middle of writing catches up', async () => {
    const a = await cluster.start('a');
    const b = await cluster.start('b');
    for (let round = 0; round < 3; round++) {
      const name = `b-${round}`;
      const dropped = await cluster.start(name);
      const writes = Promise.allSettled(
        Array.from({ length: 30 }, (_, n) => put(dropped.node, `f${n % 7}`, `${round}-${n}`)),
      );
      await put(b.node, 'meanwhile', String(round));
      await dropped.crash();
      await writes;
      await increment(a.node, 'counter');
      const back = await cluster.start(name, { dataDir: dropped.dataDir });
      await back.node.catchUp();
      await a.node.catchUp();
      assert.equal(back.node.digest, a.node.digest);
    }
  });
});

describe('another version', () => {
  it('a record of a newer version stops the node, which serves on', async () => {
    const a = await cluster.start('a', { files: { x: '1' } });
    await a.log.append(a.node.position, Buffer.from('{"format":2,"kind":"changes"}'));
    await until(() => a.node.status().state === 'stopped', 'a stops');
    assert.match(a.node.status().reason ?? '', /format 2.*update this node/);
    assert.equal(read(a.node, 'x'), '1');
    await assert.rejects(put(a.node, 'x', '2'), UnavailableError);
    const b = await cluster.start('b');
    assert.equal(b.node.status().state, 'stopped');
    assert.equal(read(b.node, 'x'), '1');
  });

  it('a snapshot of a newer version stops a node that needs it', async () => {
    const a = await cluster.start('a', { files: { x: '1' } });
    const tar = pack();
    const header = { format: 2, logId: a.node.logId, position: a.node.position, digest: a.node.digest };
    tar.entry({ name: '.graticule/snapshot.json' }, JSON.stringify(header));
    tar.finalize();
    await a.log.putSnapshot(a.node.position, Readable.from(zstdCompressSync(await buffer(tar))));
    const b = await cluster.start('b');
    assert.equal(b.node.status().state, 'stopped');
    assert.match(b.node.status().reason ?? '', /snapshot.*newer version \(format 2\).*update this node/);
    assert.equal((await put(a.node, 'x', '2')).position, 2);
  });
});

describe('what a node tells', () => {
  it('members and their roles, positions and states', async () => {
    const [a, r] = [await cluster.start('a'), await cluster.start('r', { role: 'replica' })];
    await until(() => a.node.members().length === 2 && r.node.members().length === 2, 'each hears of the other');
    assert.deepEqual(
      a.node.members().map(({ name, role }) => [name, role]),
      [
        ['a', 'both'],
        ['r', 'replica'],
      ],
    );
    const { state, head, position, logUrl, logId, files } = a.node.status();
    assert.deepEqual([state, head, position, logUrl, files], ['in-step', 1, 1, 'memory:', 0]);
    assert.match(logId, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  });

  it('a paused node neither applies nor writes, until it is resumed', async () => {
    const [a, b] = [await cluster.start('a'), await cluster.start('b')];
    b.node.setRole('paused');
    assert.equal(b.node.status().state, 'paused');
    await put(a.node, 'x', '1');
    await assert.rejects(
      put(b.node, 'y', '1'),
      (error) => error instanceof UnavailableError && error.code === 'node-paused',
    );
    await assert.rejects(b.node.catchUp(), UnavailableError);
    assert.equal(b.node.position, 1);
    b.node.setRole('both');
    await b.node.catchUp().catch(() => {});
    await until(() => read(b.node, 'x') === '1', 'b applies');
    await put(b.node, 'y', '1');
  });

  it('listeners hear of each position', async () => {
    const { node } = await cluster.start('a');
    const heard: number[] = [];
    const stop = node.onApplied((position) => heard.push(position));
    await put(node, 'x', '1');
    await put(node, 'x', '2');
    stop();
    await put(node, 'x', '3');
    assert.deepEqual(heard, [2, 3]);
  });

  it('a wait for a position ends with it, or with the time', async () => {
    const { node } = await cluster.start('a');
    const waiting = node.waitFor(at(2), 5000);
    await put(node, 'x', '1');
    await waiting;
    await assert.rejects(node.waitFor(at(3), 10), UnavailableError);
  });

  it('a closed node has written everything, and takes nothing more', async () => {
    const { node, dataDir } = await cluster.start('a');
    await put(node, 'x', '1');
    await node.close();
    assert.equal(readFileSync(path.join(dataDir, 'x'), 'utf8'), '1');
    await assert.rejects(put(node, 'x', '2'), UnavailableError);
  });
});

describe('snapshots', () => {
  it('a primary puts one after so many records', async () => {
    const { node, log } = await cluster.start('a', { snapshotEveryRecords: 5, random: () => 0 });
    for (let n = 0; n < 12; n++) await put(node, 'x', String(n));
    let taken = 0;
    const look = async () => {
      const latest = await log.latestSnapshot();
      latest?.body.destroy();
      taken = latest?.at ?? 0;
    };
    await until(() => {
      void look();
      return taken >= 5;
    }, 'a snapshot');
  });

  it('is of one moment, though writing goes on', async () => {
    const a = await cluster.start('a');
    for (let n = 0; n < 50; n++) await put(a.node, `f${n}`, 'before');
    const taken = a.node.snapshot();
    for (let n = 0; n < 50; n++) await put(a.node, `f${n}`, 'after');
    await a.log.trim(await taken);
    const b = await cluster.start('b');
    await b.node.catchUp();
    assert.equal(b.node.digest, a.node.digest);
  });
});
