import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { until } from '../../test/waiting.ts';
import type { Catalog } from '../catalog/index.ts';
import { contentHash, type FileSystem, nodeFileSystem, treePath } from '../tree/index.ts';
import { put, read, testCluster } from './harness.ts';

const WRITING = /^(write|writeAll|copy|link|rename|remove.*|make.*|sync.*)$/;

/** The real file system, in which nothing in a folder can be changed but what is below `own`. */
function unwritable(dataDir: string, own: string): FileSystem {
  const check = (name: string, value: unknown): void => {
    if (typeof value === 'string')
      assert.ok(!`${value}/`.startsWith(`${dataDir}/`) || `${value}/`.startsWith(`${own}/`), `${name} ${value}`);
    else if (Array.isArray(value)) for (const one of value) check(name, one);
    else if (typeof value === 'object' && value !== null && 'file' in value) check(name, value.file);
  };
  return new Proxy(nodeFileSystem, {
    get(target, name: keyof FileSystem) {
      const call = (target[name] as (...args: unknown[]) => unknown).bind(target);
      return (...args: unknown[]) => {
        if (WRITING.test(name)) for (const arg of args) check(name, arg);
        return call(...args);
      };
    },
  });
}

/** Everything below a folder, with what tells one version of it from another. */
function stamps(folder: string): Record<string, string> {
  const all: Record<string, string> = {};
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const stat = lstatSync(path.join(folder, name), { bigint: true });
    all[name] = `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${stat.nlink}`;
  }
  return all;
}

function cluster() {
  const nodes = testCluster();
  const dataDir = path.join(nodes.root, 'shared');
  const own = (name: string) => path.join(nodes.root, 'own', name);
  return {
    ...nodes,
    dataDir,
    own,
    readOnly: (name: string, role: 'both' | 'replica') =>
      nodes.start(name, {
        dataDir,
        clusterDir: own(name),
        role,
        readOnly: true,
        system: unwritable(dataDir, own(name)),
      }),
  };
}

test('a primary and a replica that write nothing follow the node that writes their directory', async () => {
  const { start, readOnly, dataDir, close } = cluster();
  try {
    const writer = await start('writer', { dataDir, files: { 'global.xml': '<global/>' } });
    const two = await readOnly('two', 'both');
    const three = await readOnly('three', 'replica');
    await writer.node.written();
    const before = stamps(dataDir);
    assert.deepEqual(
      [writer, two, three].map(({ node }) => node.status().readOnly),
      [false, true, true],
    );

    for (let n = 0; n < 20; n++) await put(n % 2 === 0 ? two.node : writer.node, `styles/${n}.sld`, `${n}`);
    const long = 'x'.repeat(100_000);
    const { position } = await put(two.node, 'styles/long.sld', long);
    for (const { node } of [writer, two, three]) await node.waitFor(position, 5000);
    assert.equal(new Set([writer, two, three].map(({ node }) => node.digest)).size, 1);
    for (const { node } of [writer, two, three]) {
      assert.equal(read(node, 'styles/19.sld'), '19');
      assert.equal(read(node, 'styles/long.sld'), long);
    }
    // Who opens a file by its name finds it.
    await three.node.written();
    assert.equal(readFileSync(path.join(dataDir, 'styles/long.sld'), 'utf8'), long);

    // What was there is as it was.
    await writer.node.written();
    const after = stamps(dataDir);
    for (const name of Object.keys(before).filter((name) => !/^cluster|^styles$/.test(name)))
      assert.equal(after[name], before[name], name);

    // What they remember is theirs, and a snapshot from one of them is as good as any.
    const at = await two.node.snapshot();
    const again = await start('four');
    await again.node.waitFor(at, 5000);
    assert.equal(again.node.digest, two.node.digest);
    assert.equal(read(again.node, 'styles/long.sld'), long);
  } finally {
    await close();
  }
});

test('a read-only node goes on while the writing node is away, and begins anew at every start', async () => {
  const { start, readOnly, dataDir, close } = cluster();
  try {
    const writer = await start('writer', { dataDir, files: { 'a.xml': '1' } });
    const two = await readOnly('two', 'both');
    await writer.node.close();
    const before = stamps(dataDir);
    const { position } = await put(two.node, 'a.xml', '2');
    const three = await readOnly('three', 'replica');
    await three.node.waitFor(position, 5000);
    await two.crash();
    const second = await readOnly('two', 'both');
    await second.node.waitFor(position, 5000);
    for (const { node } of [second, three]) assert.equal(read(node, 'a.xml'), '2');
    assert.equal(second.node.digest, three.node.digest);
    assert.deepEqual(stamps(dataDir), before);
    // What was changed meanwhile is written by who writes.
    const back = await start('writer', { dataDir });
    await back.node.waitFor(position, 5000);
    await back.node.written();
    assert.equal(readFileSync(path.join(dataDir, 'a.xml'), 'utf8'), '2');
  } finally {
    await close();
  }
});

test('a read-only primary does not begin a log, and waits for who does', async () => {
  const { start, readOnly, dataDir, close } = cluster();
  try {
    const two = await readOnly('two', 'both');
    assert.equal(two.node.status().state, 'starting');
    assert.match(two.node.status().reason ?? '', /is empty/);
    await start('writer', { dataDir, files: { 'a.xml': '1' } });
    await until(() => two.node.status().state === 'in-step', 'in step');
    await put(two.node, 'b.xml', '2');
    assert.equal(read(two.node, 'a.xml'), '1');
  } finally {
    await close();
  }
});

test('edits by hand are left to the writing node, and a reload says so', async () => {
  const { start, readOnly, dataDir, close } = cluster();
  try {
    const writer = await start('writer', { dataDir, files: { 'a.xml': '1' } });
    const two = await readOnly('two', 'both');
    const three = await readOnly('three', 'replica');
    writeFileSync(path.join(dataDir, 'a.xml'), 'by hand');
    assert.equal(read(two.node, 'a.xml'), '1');
    for (const { node } of [two, three])
      await assert.rejects(node.reload({ by: 'test', why: 'reload' }), { code: 'read-only-node' });
    assert.equal(readFileSync(path.join(dataDir, 'a.xml'), 'utf8'), 'by hand');
    assert.equal((await writer.node.reload({ by: 'test', why: 'reload' })).outcome, 'published');
    await two.node.waitFor(writer.node.position, 5000);
    assert.equal(read(two.node, 'a.xml'), 'by hand');
  } finally {
    await close();
  }
});

test('a read-only node does not take the cluster folder of the writing one', async () => {
  const { start, dataDir, close } = cluster();
  try {
    await start('writer', { dataDir, files: { 'a.xml': '1' } });
    await assert.rejects(start('two', { dataDir, readOnly: true }), {
      name: 'RefusedError',
      message: /CLUSTER_CONFIG_DIR/,
    });
  } finally {
    await close();
  }
});

test('a read-only node whose memory is wrong is put right in memory, and its directory left alone', async () => {
  const { start, readOnly, dataDir, close } = cluster();
  try {
    const writer = await start('writer', { dataDir, files: { 'a.xml': '1', 'b.xml': '2' } });
    const two = await readOnly('two', 'both');
    await put(writer.node, 'c.xml', '3');
    await two.node.catchUp();
    await writer.node.written();
    const before = stamps(dataDir);
    // What no record did: a file lost, another one changed, a third too many.
    const files = (two.node.catalog as Catalog).base.tree.layer;
    files.remove(treePath('a.xml'), [], []);
    const bytes = Buffer.from('wrong');
    for (const name of ['b.xml', 'd.xml'])
      files.put(
        treePath(name),
        { hash: contentHash(bytes), size: bytes.length, pending: { kind: 'inline', bytes } },
        [],
        [],
      );
    await until(() => two.node.divergences()[0]?.mended !== undefined, 'it is noticed and mended');
    assert.deepEqual(two.node.divergences()[0]?.mended?.paths, ['a.xml', 'b.xml', 'd.xml']);
    assert.equal(two.node.divergences()[0]?.mended?.aside, undefined);
    assert.deepEqual(
      ['a.xml', 'b.xml', 'c.xml', 'd.xml'].map((name) => read(two.node, name)),
      ['1', '2', '3', undefined],
    );
    await until(() => two.node.status().state === 'in-step', 'it goes on');
    assert.equal(two.node.digest, writer.node.digest);
    assert.deepEqual(
      Object.entries(stamps(dataDir)).filter(([name]) => !name.startsWith('cluster')),
      Object.entries(before).filter(([name]) => !name.startsWith('cluster')),
    );
  } finally {
    await close();
  }
});

test('a long file is uploaded through a read-only primary, and can be read everywhere', async () => {
  const { start, readOnly, dataDir, close } = cluster();
  try {
    const writer = await start('writer', { dataDir });
    const two = await readOnly('two', 'both');
    const three = await readOnly('three', 'replica');
    for (const [name, size] of [
      ['data/medium.tif', 300_000],
      ['data/long.tif', 5_000_000],
    ] as const) {
      const bytes = Buffer.alloc(size, name);
      const staged = await two.node.stage(Readable.from([bytes]));
      const { position } = await two.node.write({
        origin: { by: 'test', why: `PUT ${name}` },
        evaluate: (draft) => staged.putInto(draft, treePath(name)),
      });
      staged.release();
      for (const { node } of [two, three]) {
        await node.waitFor(position, 5000);
        const { body } = (await node.open(treePath(name)))!;
        assert.ok(bytes.equals(await buffer(body)), `${name} on ${node.name}`);
      }
      assert.equal(two.node.catalog.read(treePath(name))?.length, size);
      await Promise.all([two.node.written(), three.node.written()]);
      assert.ok(bytes.equals(readFileSync(path.join(dataDir, name))), name);
      for (const { node } of [two, three]) assert.equal(node.catalog.read(treePath(name))?.length, size);
    }
    assert.equal(two.node.digest, writer.node.digest);
  } finally {
    await close();
  }
});
