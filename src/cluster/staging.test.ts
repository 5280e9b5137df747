import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { until } from '../../test/waiting.ts';
import { type FileSystem, nodeFileSystem, type Position, treePath } from '../tree/index.ts';
import { put, read, testCluster } from './harness.ts';
import type { StagedFile } from './staging.ts';
import type { ClusterNode } from './types.ts';

const PIECE = Buffer.alloc(100_000, 'long ');

async function* body(pieces: number): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < pieces; n++) yield Buffer.concat([Buffer.from(String(n)), PIECE]);
}

function putStaged(node: ClusterNode, name: string, file: StagedFile) {
  return node.write({
    origin: { by: 'test', why: `PUT ${name}` },
    evaluate: (draft) => file.putInto(draft, treePath(name)),
  });
}

describe('staged contents', () => {
  let cluster: ReturnType<typeof testCluster>;
  beforeEach(() => {
    cluster = testCluster();
  });
  afterEach(() => cluster.close());

  const stagedIn = (dataDir: string) => {
    const folder = path.join(dataDir, 'cluster/blobs');
    return existsSync(folder) ? readdirSync(folder) : [];
  };

  it('arrive everywhere by their hash, and leave nothing behind', async () => {
    const [a, b] = [await cluster.start('a'), await cluster.start('b')];
    const file = await a.node.stage(body(5));
    assert.equal(file.bytesInMemory, 0);
    await putStaged(a.node, 'data/long.bin', file);
    file.release();
    await b.node.catchUp();
    await Promise.all([a.node.written(), b.node.written()]);
    for (const { dataDir } of [a, b]) {
      assert.equal(readFileSync(path.join(dataDir, 'data/long.bin')).length, file.size);
      await until(() => stagedIn(dataDir).length === 0, 'nothing is left');
    }
    const open = await b.node.open(treePath('data/long.bin'));
    assert.equal(open?.hash, file.hash);
    assert.deepEqual(await buffer(open.body), await buffer(body(5)));
  });

  it('that are short stand in the record', async () => {
    const a = await cluster.start('a');
    const file = await a.node.stage(
      (async function* () {
        yield Buffer.from('short');
      })(),
    );
    await putStaged(a.node, 'short.txt', file);
    assert.deepEqual([file.bytesInMemory, read(a.node, 'short.txt')], [5, 'short']);
    assert.ok(!stagedIn(a.dataDir).includes(file.hash));
    assert.equal(await a.log.hasBlob(file.hash), false);
  });

  it('are in the log before the record, and others write while they are sent', async () => {
    let sends = 0;
    const fault = (call: string) => {
      if (call !== 'putBlob') return undefined;
      sends++;
      return { kind: 'delay', requestMs: 300 } as const;
    };
    const [a, b] = [await cluster.start('a', { fault }), await cluster.start('b')];
    sends = 0;
    const file = await a.node.stage(body(3));
    const ends: string[] = [];
    const long = putStaged(a.node, 'data/long.bin', file).then(({ position }) => {
      ends.push('long');
      return position;
    });
    await put(a.node, 'small', '1');
    await put(b.node, 'small', '2');
    ends.push('small');
    const position = await long;
    file.release();
    assert.deepEqual(ends, ['small', 'long']);
    assert.equal(await a.log.hasBlob(file.hash), true);
    assert.equal(position, a.node.position);
    assert.equal(sends, 1, 'sent once, though others were faster');
  });

  it('go when the change is refused, and what a killed run left goes at the next start', async () => {
    const a = await cluster.start('a');
    await until(() => stagedIn(a.dataDir).length === 0, 'the start is over');
    const file = await a.node.stage(body(3));
    assert.deepEqual(stagedIn(a.dataDir), [file.hash]);
    file.release();
    await until(() => stagedIn(a.dataDir).length === 0, 'nothing is left');

    await a.node.stage(body(4));
    await a.crash();
    mkdirSync(path.join(a.dataDir, 'cluster/blobs'), { recursive: true });
    writeFileSync(path.join(a.dataDir, 'cluster/blobs/unknown-9.tmp'), 'half of it');
    assert.ok(stagedIn(a.dataDir).length >= 2);
    await cluster.start('a');
    await until(() => stagedIn(a.dataDir).length === 0, 'nothing is left');
  });

  it('that find no room are refused with what the disk says, and the node goes on', async () => {
    let full = false;
    const system: FileSystem = {
      ...nodeFileSystem,
      async write(file, bytes, from) {
        if (full && !(bytes instanceof Uint8Array))
          throw Object.assign(new Error(`ENOSPC: no space left on device, write '${file}'`), { code: 'ENOSPC' });
        return nodeFileSystem.write(file, bytes, from);
      },
    };
    const { node, dataDir } = await cluster.start('a', { system });
    full = true;
    await assert.rejects(node.stage(body(3)), {
      name: 'UserError',
      status: 507,
      message: /ENOSPC.*nothing was changed/,
    });
    await put(node, 'small', '1');
    assert.equal(node.status().state, 'in-step');
    full = false;
    (await node.stage(body(3))).release();
    await until(() => stagedIn(dataDir).length === 0, 'nothing is left');
  });

  it('a body that breaks off leaves nothing behind', async () => {
    const a = await cluster.start('a');
    const broken = async function* () {
      yield* body(2);
      throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
    };
    await assert.rejects(a.node.stage(broken()), { message: /^aborted/ });
    await until(() => stagedIn(a.dataDir).length === 0, 'nothing is left');
  });

  it('come back from the log when a change is taken back', async () => {
    const a = await cluster.start('a');
    const file = await a.node.stage(body(30));
    const { position } = await putStaged(a.node, 'data/long.bin', file);
    file.release();
    await a.node.write({ origin: { by: 'test', why: 'x' }, evaluate: (draft) => draft.delete(treePath('data')) });
    const target = { kind: 'to', position: position as Position } as const;
    const done = await a.node.history.revert({ target }, { by: 'test' });
    assert.equal(done.changed, true);
    assert.equal(a.node.catalog.hash(treePath('data/long.bin')), file.hash);
    await a.node.written();
    assert.equal(readFileSync(path.join(a.dataDir, 'data/long.bin')).length, file.size);
    await until(() => stagedIn(a.dataDir).length === 0, 'nothing is left');
  });
});
