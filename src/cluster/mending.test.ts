/** Directories and logs that are not what they should be: edits by hand, trees gone wrong, logs that have lost records. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../test/waiting.ts';
import { UnavailableError } from '../base/index.ts';
import type { Catalog } from '../catalog/index.ts';
import type { MemoryCall, MemoryFault } from '../log/index.ts';
import { contentHash, type FileSystem, nodeFileSystem, type Position, treePath } from '../tree/index.ts';
import { put, read, testCluster } from './harness.ts';
import { RefusedError } from './index.ts';
import type { ClusterNode } from './types.ts';

const at = (n: number) => n as Position;

let cluster: ReturnType<typeof testCluster>;
beforeEach(() => {
  cluster = testCluster();
});
afterEach(() => cluster.close());

describe('files changed by hand', () => {
  const editByHand = (dataDir: string) => {
    writeFileSync(path.join(dataDir, 'x'), 'edited');
    writeFileSync(path.join(dataDir, 'new'), 'by hand');
    rmSync(path.join(dataDir, 'z'));
  };
  const onDisk = (dataDir: string, name: string) => {
    const file = path.join(dataDir, name);
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  };

  for (const when of ['while it was down', 'under way'] as const)
    for (const role of ['both', 'replica'] as const)
      it(`files of a ${role} changed by hand ${when} are ${role === 'both' ? 'published' : 'put right'}`, async () => {
        const a = await cluster.start('a', { files: { x: '1', y: '2', z: '3' } });
        let b = await cluster.start('b', { role });
        await put(a.node, 'y', '4');
        await b.node.catchUp();
        if (when === 'under way') {
          await until(() => b.node.status().unwritten === 0, 'all is on disk');
          editByHand(b.dataDir);
          const reloaded = await b.node.reload({ by: 'test', why: 'POST /rest/reload' });
          assert.deepEqual(reloaded, { outcome: role === 'both' ? 'published' : 'undone', paths: ['new', 'x', 'z'] });
          if (role === 'replica')
            assert.deepEqual([onDisk(b.dataDir, 'x'), onDisk(b.dataDir, 'new')], ['1', undefined]);
        } else {
          await b.node.close();
          editByHand(b.dataDir);
          b = await cluster.start('b', { role });
          if (role === 'both')
            await until(() => b.events.some(({ event }) => event === 'edits-published'), 'it is published');
        }
        await a.node.catchUp();
        await b.node.catchUp();
        assert.equal(b.node.digest, a.node.digest);
        const expected = role === 'both' ? ['edited', 'by hand', undefined] : ['1', undefined, '3'];
        for (const { node } of [a, b])
          assert.deepEqual([read(node, 'x'), read(node, 'new'), read(node, 'z')], expected);
        await b.node.close();
        assert.deepEqual([onDisk(b.dataDir, 'x'), onDisk(b.dataDir, 'new'), onDisk(b.dataDir, 'z')], expected);
        if (role === 'replica') {
          const aside = readdirSync(path.join(b.dataDir, 'cluster')).find((name) => name.startsWith('aside-'));
          assert.equal(onDisk(b.dataDir, `cluster/${aside}/x`), 'edited');
        }
      });

  it('of a replica that becomes a primary meanwhile are put right before it takes changes', async () => {
    const a = await cluster.start('a', { files: { x: '1', y: '2', z: '3' } });
    let asked = 0;
    const b = await cluster.start('b', {
      fault: (call) => (call === 'latestSnapshot' && ++asked ? { kind: 'delay', replyMs: 300 } : undefined),
    });
    await until(() => b.node.status().unwritten === 0, 'all is on disk');
    let reached = 0;
    b.node.onApplied((position) => {
      assert.ok(position >= reached, `${position} after ${reached}`);
      reached = position;
    });
    b.node.setRole('replica');
    editByHand(b.dataDir);
    asked = 0;
    const reloading = b.node.reload({ by: 'test', why: 'POST /rest/reload' });
    await until(() => asked > 0, 'it has begun');
    b.node.setRole('both');
    await assert.rejects(put(b.node, 'y', '5'), { code: 'node-mending' });
    assert.equal((await reloading).outcome, 'undone');
    await put(b.node, 'y', '6');
    await a.node.catchUp();
    assert.deepEqual([read(a.node, 'x'), read(a.node, 'y'), a.node.digest], ['1', '6', b.node.digest]);
  });

  it('are put right under a change whose answer is on its way', async () => {
    const a = await cluster.start('a', { files: { x: '1', y: '2', z: '3' } });
    let isSlow = false;
    const delays: Partial<Record<MemoryCall, number>> = { append: 300, latestSnapshot: 600, deliver: 700 };
    const b = await cluster.start('b', {
      fault: (call) => (isSlow && delays[call] ? { kind: 'delay', replyMs: delays[call] } : undefined),
    });
    await until(() => b.node.status().unwritten === 0, 'all is on disk');
    isSlow = true;
    const changing = put(b.node, 'y', '5');
    await a.node.catchUp();
    b.node.setRole('replica');
    editByHand(b.dataDir);
    const positions: number[] = [];
    b.node.onApplied((position) => void positions.push(position));
    const [changed, reloaded] = await Promise.all([changing, b.node.reload({ by: 'test', why: 'POST /rest/reload' })]);
    assert.equal(reloaded.outcome, 'undone');
    assert.deepEqual(positions, positions.toSorted(), 'nobody is shown an older state than before');
    assert.ok(b.node.position >= changed.position);
    assert.deepEqual([read(b.node, 'x'), read(b.node, 'y'), b.node.digest], ['1', '5', a.node.digest]);
  });

  it('a reload without edits changes nothing', async () => {
    const { node } = await cluster.start('a', { files: { x: '1' } });
    const { position } = node;
    assert.deepEqual(await node.reload({ by: 'test', why: 'POST /rest/reload' }), { outcome: 'nothing', paths: [] });
    assert.equal(node.position, position);
  });

  it('are kept aside, and not published, where the operator wants the cluster’s', async () => {
    const a = await cluster.start('a', { files: { x: '1', z: '3' } });
    const b = await cluster.start('b');
    await b.node.close();
    editByHand(b.dataDir);
    const back = await cluster.start('b', { onDrift: 'restore' });
    await back.node.catchUp();
    assert.deepEqual([read(back.node, 'x'), read(back.node, 'new'), read(back.node, 'z')], ['1', undefined, '3']);
    assert.equal(a.node.position, back.node.position);
    await back.node.written();
    const aside = readdirSync(path.join(b.dataDir, 'cluster')).find((name) => name.startsWith('aside-'));
    assert.equal(onDisk(b.dataDir, `cluster/${aside}/x`), 'edited');
  });

  it('while the log has forgotten how they were do not bring back what was old', async () => {
    const a = await cluster.start('a', { files: { x: '1', y: '1', z: '1' } });
    const b = await cluster.start('b');
    await b.node.close();
    editByHand(b.dataDir);
    const { position } = await put(a.node, 'y', '2');
    await put(a.node, 'y', '3');
    await a.node.snapshot();
    await a.log.trim(position);
    const back = await cluster.start('b');
    await back.node.catchUp();
    await until(() => back.events.some(({ event }) => event === 'edits-published'), 'its edits are dealt with');
    await a.node.catchUp();
    assert.deepEqual([read(a.node, 'x'), read(a.node, 'y')], ['1', '3']);
    assert.equal(back.node.digest, a.node.digest);
    await back.node.written();
    const { aside } = back.events.find(({ event }) => event === 'tree-mended')!.facts;
    assert.equal(readFileSync(`${aside}/x`, 'utf8'), 'edited');
  });

  it('are published without files that the disk could not read for a moment', async () => {
    const a = await cluster.start('a', { files: { x: '1', y: '2', z: '3' } });
    const b = await cluster.start('b');
    await b.node.close();
    writeFileSync(path.join(b.dataDir, 'z'), 'edited');
    let failures = 0;
    const system: FileSystem = {
      ...nodeFileSystem,
      readSync(file, bytesMax) {
        if (!file.endsWith('/b/x') || failures++ > 0) return nodeFileSystem.readSync(file, bytesMax);
        throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
      },
    };
    const back = await cluster.start('b', { system });
    await until(() => back.events.some(({ event }) => event === 'edits-published'), 'it is published');
    assert.ok(failures > 0, 'the disk failed');
    const published = back.events.find(({ event }) => event === 'edits-published');
    assert.deepEqual(published?.facts.paths, ['z']);
    await a.node.catchUp();
    assert.deepEqual([read(a.node, 'x'), read(a.node, 'z')], ['1', 'edited']);
  });

  it('alarm nobody while the node comes back', async () => {
    const a = await cluster.start('a', { files: { x: '1', y: '2', z: '3' } });
    const b = await cluster.start('b');
    await put(a.node, 'y', '4');
    await b.node.catchUp();
    await b.node.close();
    editByHand(b.dataDir);
    // Long enough for heartbeats before it has looked at its files.
    const fault = (call: MemoryCall): MemoryFault | undefined =>
      call === 'trimmed' ? { kind: 'delay', requestMs: 1500 } : undefined;
    const back = await cluster.start('b', { fault });
    await until(() => back.events.some(({ event }) => event === 'edits-published'), 'it is published');
    assert.deepEqual(
      a.events.filter(({ event }) => event === 'peer-differs'),
      [],
    );
  });

  it('keep a node from starting where the operator wants to look first, and nothing is touched', async () => {
    await cluster.start('a', { files: { x: '1', z: '3' } });
    const b = await cluster.start('b');
    await b.node.close();
    editByHand(b.dataDir);
    await assert.rejects(cluster.start('b', { onDrift: 'refuse' }), (error: Error) => {
      assert.ok(error instanceof RefusedError);
      assert.match(error.message, /^3 files .*: new, x, z\..*--on-drift publish/);
      return true;
    });
    assert.deepEqual(
      [onDisk(b.dataDir, 'x'), onDisk(b.dataDir, 'new'), onDisk(b.dataDir, 'z')],
      ['edited', 'by hand', undefined],
    );
  });
});

describe('when a tree is not what the log says', () => {
  it('a node that replays records after a crash is not taken for one that differs', async () => {
    const a = await cluster.start('a', { files: { x: '1' } });
    const b = await cluster.start('b');
    await put(a.node, 'x', '2');
    const { position, digest } = a.node;
    await put(a.node, 'x', '3');
    await b.node.catchUp();
    const { logId } = b.node;
    await b.node.close();
    // As a crash leaves it after the files of the last record have been written: the position is that of the record before.
    const state = { format: 1, logId, position, digest, writing: { upTo: position + 1, operations: 0 } };
    writeFileSync(path.join(b.dataDir, 'cluster/state.json'), JSON.stringify(state));
    const again = await cluster.start('b', {
      fault: (call) => (call === 'deliver' ? { kind: 'delay', replyMs: 1500 } : undefined),
    });
    await until(
      () => a.node.members().some((node) => node.name === 'b' && node.announcedAt > again.node.status().startedAt),
      'a hears of it',
    );
    await until(() => again.node.digest === a.node.digest && again.node.status().state === 'in-step', 'it is in step');
    for (const { events } of [a, again])
      assert.deepEqual(
        events.filter(({ event }) => event === 'peer-differs'),
        [],
      );
  });

  /** Puts a file into a node's tree behind everybody's back. */
  const tamper = (node: ClusterNode, name: string, text: string) => {
    const { tree } = (node.catalog as Catalog).base;
    const bytes = Buffer.from(text);
    const entry = { hash: contentHash(bytes), size: bytes.length, pending: { kind: 'inline' as const, bytes } };
    tree.layer.put(treePath(name), entry, [], []);
  };

  for (const when of ['the next record', 'its next write', 'its next heartbeat'] as const)
    it(`${when} shows it, and it is mended`, async () => {
      const a = await cluster.start('a', { files: { x: '1', y: '1' } });
      const b = await cluster.start('b');
      await put(a.node, 'z', '1');
      await b.node.catchUp();
      tamper(b.node, 'x', 'wrong');
      tamper(b.node, 'extra', 'wrong');
      if (when === 'the next record') await put(a.node, 'z', '2');
      // What it would write was computed on a tree that nobody else has: it must not spread.
      else if (when === 'its next write') await assert.rejects(put(b.node, 'w', '2'), UnavailableError);
      await until(() => b.events.some(({ event }) => event === 'tree-mended'), 'b is mended');
      await until(() => b.node.status().state === 'in-step', 'b is in step');
      const mended = b.events.find(({ event }) => event === 'tree-mended');
      assert.deepEqual(mended?.facts.paths, ['extra', 'x']);
      await put(b.node, 'w', '3');
      await a.node.catchUp();
      assert.equal(b.node.digest, a.node.digest);
      assert.deepEqual([read(b.node, 'x'), read(b.node, 'w'), read(b.node, 'extra')], ['1', '3', undefined]);
    });

  it('no snapshot is made of it', async () => {
    const a = await cluster.start('a', { files: { x: '1' } });
    await put(a.node, 'y', '1');
    tamper(a.node, 'x', 'wrong');
    await assert.rejects(a.node.snapshot(), UnavailableError);
    assert.deepEqual(await a.log.snapshots(), []);
    await until(() => a.node.status().state === 'in-step', 'a is in step');
    assert.equal(await a.node.snapshot(), a.node.position);
  });

  it('it is mended by a newer state as well, when the log has no older one', async () => {
    const a = await cluster.start('a', { files: { x: '1' } });
    const b = await cluster.start('b');
    await put(a.node, 'y', '1');
    await b.node.catchUp();
    b.log.partitioned = true;
    tamper(b.node, 'x', 'wrong');
    await until(() => b.events.some(({ event }) => event === 'digest-mismatch'), 'b notices');
    await put(a.node, 'y', '2');
    const { position } = await put(a.node, 'y', '3');
    await a.node.snapshot();
    await a.log.trim(position);
    b.log.partitioned = false;
    await until(() => b.node.status().state === 'in-step', 'b is in step');
    assert.equal(b.node.digest, a.node.digest);
    assert.equal(b.events.filter(({ event }) => event === 'digest-mismatch').length, 1);
  });

  it('a node that died before it was mended is mended when it comes back, and spreads nothing', async () => {
    const a = await cluster.start('a', { files: { x: '1' } });
    const b = await cluster.start('b');
    await b.node.written();
    tamper(b.node, 'x', 'wrong');
    // From here on it cannot ask the log how to mend itself.
    b.log.partitioned = true;
    await put(a.node, 'z', '1');
    const { tree } = (b.node.catalog as Catalog).base;
    tree.apply(
      at(2),
      [{ kind: 'put', path: treePath('z'), content: { kind: 'inline', bytes: Buffer.from('1') } }],
      a.node.digest,
    );
    writeFileSync(path.join(b.dataDir, 'x'), 'wrong');
    await until(
      () => readFileSync(path.join(b.dataDir, 'cluster/state.json'), 'utf8').includes('logDigest'),
      'it is on disk',
    );
    await b.crash();
    const back = await cluster.start('b', { onDrift: 'publish' });
    await back.node.catchUp();
    assert.equal(back.node.digest, a.node.digest);
    assert.equal(read(back.node, 'x'), '1');
    assert.equal(a.node.position, 2);
    const [one, ...more] = back.node.divergences();
    assert.deepEqual([one?.mended?.paths, more], [['x'], []]);
  });

  it('what differed is remembered, also by the next run', async () => {
    const a = await cluster.start('a', { files: { x: '1' } });
    const b = await cluster.start('b');
    tamper(b.node, 'x', 'wrong');
    await put(a.node, 'z', '1');
    await until(() => b.node.divergences()[0]?.mended !== undefined, 'b is mended');
    await b.node.close();
    const [one] = (await cluster.start('b')).node.divergences();
    assert.deepEqual(one?.mended?.paths, ['x']);
    assert.match(one?.mended?.aside ?? '', /aside-/);
  });
});

describe('a disk that takes nothing', () => {
  it('is tried ever more slowly, and has everything once it takes it again', async () => {
    const a = await cluster.start('a', { files: { x: '1' } });
    let tries = 0;
    let full = true;
    const write: FileSystem['write'] = async (file, body) => {
      if (full) {
        tries++;
        throw new Error('ENOSPC: no space left on device');
      }
      await nodeFileSystem.write(file, body);
    };
    const b = await cluster.start('b', { system: { ...nodeFileSystem, write } });
    const long = 'long '.repeat(20_000);
    await put(a.node, 'long', long);
    await sleep(2500);
    assert.ok(tries > 1 && tries < 15, `${tries} tries`);
    assert.notEqual(b.node.status().state, 'in-step');
    full = false;
    await until(() => b.node.position === a.node.position, 'it has come after');
    assert.equal(read(b.node, 'long'), long);
  });
});

describe('a log that has lost something', () => {
  it('a node ahead of it says so and takes no writes', async () => {
    const a = await cluster.start('a');
    await put(a.node, 'x', '1');
    const before = a.node.position;
    await put(a.node, 'x', '2');
    cluster.shared.rewind(before);
    await until(() => a.node.status().state === 'stopped', 'a notices');
    assert.match(a.node.status().reason ?? '', /lost records/);
    await assert.rejects(put(a.node, 'x', '3'), UnavailableError);
    assert.equal(read(a.node, 'x'), '2');
    await a.node.close();
    await assert.rejects(cluster.start('a'), RefusedError);
    const adopted = await cluster.start('a', { adopt: true });
    await adopted.node.catchUp();
    assert.equal(read(adopted.node, 'x'), '1');
  });

  it('is not one whose answer is older than what this node has written meanwhile', async () => {
    let slow = false;
    const a = await cluster.start('a', {
      fault: (call) => (slow && call === 'head' ? { kind: 'delay', replyMs: 300 } : undefined),
    });
    await put(a.node, 'x', '1');
    slow = true;
    // Joins again, and asks for the head; the write does not have to.
    a.node.setRole('paused');
    a.node.setRole('both');
    await new Promise((resolve) => setTimeout(resolve, 100));
    await put(a.node, 'x', '2');
    await new Promise((resolve) => setTimeout(resolve, 400));
    slow = false;
    await put(a.node, 'x', '3');
    assert.deepEqual(
      a.events.filter(({ event }) => event === 'node-stopped'),
      [],
    );
  });

  it('that was rewritten behind a node is refused', async () => {
    const a = await cluster.start('a');
    const b = await cluster.start('b');
    const { position } = await put(a.node, 'x', '1');
    await a.node.close();
    await b.node.close();
    cluster.shared.rewind(at(position - 1));
    rmSync(b.dataDir, { recursive: true });
    const fresh = await cluster.start('b');
    await put(fresh.node, 'x', 'other');
    await assert.rejects(cluster.start('a'), /another record at position 2/);
  });

  it('gets it back from a node that is told so, as a change', async () => {
    const a = await cluster.start('a');
    const b = await cluster.start('b');
    const { position } = await put(a.node, 'x', '1');
    await put(a.node, 'x', '2');
    await put(a.node, 'y', '2');
    await b.node.catchUp();
    await Promise.all([a.node.close(), b.node.close()]);
    cluster.shared.rewind(position);
    const back = await cluster.start('a', { onAhead: 'publish' });
    await until(() => back.events.some(({ event }) => event === 'edits-published'), 'it is published');
    assert.deepEqual([back.node.position, read(back.node, 'x'), read(back.node, 'y')], [position + 1, '2', '2']);
    await assert.rejects(cluster.start('b'), /lost records/);
    const adopted = await cluster.start('b', { adopt: true });
    await adopted.node.catchUp();
    assert.equal(adopted.node.digest, back.node.digest);
  });

  it('even everything', async () => {
    const a = await cluster.start('a');
    await put(a.node, 'x', '1');
    const { logId } = a.node;
    await a.node.close();
    cluster.shared.rewind(at(0));
    await assert.rejects(cluster.start('a'), /lost records/);
    const back = await cluster.start('a', { onAhead: 'publish' });
    assert.equal(read(back.node, 'x'), '1');
    assert.notEqual(back.node.logId, logId);
    const b = await cluster.start('b');
    assert.equal(b.node.digest, back.node.digest);
  });
});
