import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { contentHash } from './digest.ts';
import {
  blobsOfSnapshot,
  INLINE_BYTES_MAX,
  listSnapshot,
  readSnapshot,
  SnapshotError,
  Tree,
  type TreeStore,
  writeSnapshot,
} from './index.ts';
import { at, bytes, DIR, del, memory, move, onDisk, open, openBound, put } from './store.testing.ts';

describe('a snapshot', () => {
  const files = { 'a/b.xml': '<b/>', 'a.xml': 'ü', [`long/${'x'.repeat(200)}/ß.txt`]: 'long', empty: '' };

  it('comes back as it was', async () => {
    const { store } = await openBound(files);
    const { body, position, digest } = writeSnapshot(store.tree, 'log-1');
    const snapshot = await readSnapshot(body);
    assert.deepEqual([snapshot.logId, snapshot.position, snapshot.digest], ['log-1', position, digest]);
    const found: Record<string, string> = {};
    for await (const file of snapshot.files()) found[file.path] = Buffer.from(file.bytes!).toString();
    assert.deepEqual(found, files);
    assert.deepEqual(Object.keys(found), Object.keys(found).sort());
  });

  it('is the same for the same tree, wherever its bytes are', async () => {
    const { store } = await openBound(files);
    const pending = new Tree();
    pending.apply(
      at(1),
      Object.entries(files)
        .reverse()
        .map(([path, text]) => put(path, text)),
    );
    store.tree.apply(at(1), []);
    const snapshots = [store.tree, pending].map((tree) => buffer(writeSnapshot(tree, 'l').body));
    const [one, two] = await Promise.all(snapshots);
    assert.ok(one!.equals(two!));
  });

  it('is of the moment, though tree and disk move on', async () => {
    const { system, store } = await openBound({ 'a/x': '1', 'b/y': '2', 'c/z': '3' });
    store.tree.apply(at(1), [move('a', 'd'), put('b/y', 'new')]);
    const expected = { 'b/y': 'new', 'c/z': '3', 'd/x': '1' };
    const { body } = writeSnapshot(store.tree, 'log-1');
    store.tree.apply(at(2), [move('c', 'a'), del('d'), put('b/y', 'newer')]);
    const found: Record<string, string> = {};
    for await (const file of (await readSnapshot(body)).files()) found[file.path] = Buffer.from(file.bytes!).toString();
    assert.deepEqual(found, expected);
    await store.flush();
    assert.deepEqual(onDisk(system), { 'a/z': '3', 'b/y': 'newer' });
  });

  it('that nobody reads holds nobody up once it is destroyed', async () => {
    const { store } = await openBound({ a: '1' });
    const { body } = writeSnapshot(store.tree, 'log-1');
    store.tree.apply(at(1), [put('a', '2')]);
    body.destroy();
    await store.flush();
    assert.equal(store.persisted, 1);
  });

  it('is not made of files that somebody has changed by hand', async () => {
    for (const text of ['21', undefined]) {
      const { system, store } = await openBound({ a: '1', b: '12' });
      system.poke(`${DIR}/b`, text);
      await assert.rejects(buffer(writeSnapshot(store.tree, 'l').body), /b is not on disk as the tree says/);
    }
  });

  it('is listed without its bytes', async () => {
    const { store } = await openBound(files);
    const tree = await listSnapshot(await readSnapshot(writeSnapshot(store.tree, 'l').body));
    assert.equal(tree.digest, store.tree.digest);
  });

  const big = 'x'.repeat(INLINE_BYTES_MAX + 1);
  const withBig = { ...files, 'data/a.tif': `${big}a`, 'data/b.tif': `${big}b`, 'data/c.tif': `${big}a`, zz: 'last' };
  const stored = (store: TreeStore) => {
    const written = writeSnapshot(store.tree, 'log-1', { large: 'by-hash' });
    const blobs = Promise.all(
      written.blobs.map(async ({ hash, open: from }) => [hash, await buffer(from(0))] as const),
    );
    return { written, blobs };
  };

  it('by reference names long files, and is small', async () => {
    const { store } = await openBound(withBig);
    const { written, blobs } = stored(store);
    assert.deepEqual(
      written.blobs.map(({ path, size }) => [path, size]),
      [
        ['data/c.tif', big.length + 1],
        ['data/b.tif', big.length + 1],
      ],
    );
    const bytesOf = new Map(await blobs);
    for (const { hash, open: from } of written.blobs) {
      assert.equal(contentHash(bytesOf.get(hash)!), hash);
      assert.ok((await buffer(from(70_000))).length === 0);
      assert.deepEqual(await buffer(from(65_000)), bytesOf.get(hash)!.subarray(65_000));
    }
    const whole = await buffer(written.body);
    assert.ok(whole.length < 2000, `${whole.length} bytes`);
    const references = (await blobsOfSnapshot(Readable.from([whole]))).map(({ path, hash }) => [path, hash]);
    assert.deepEqual(references, [
      ['data/a.tif', contentHash(bytes(`${big}a`))],
      ['data/b.tif', contentHash(bytes(`${big}b`))],
      ['data/c.tif', contentHash(bytes(`${big}a`))],
    ]);
    const asked: string[] = [];
    const read = () =>
      readSnapshot(Readable.from([whole]), async (hash) => {
        asked.push(hash);
        return Readable.from([bytesOf.get(hash)]);
      });
    const found: Record<string, string> = {};
    for await (const file of (await read()).files())
      found[file.path] = (file.bytes === undefined ? await buffer(file.body) : Buffer.from(file.bytes)).toString();
    assert.deepEqual(found, withBig);
    assert.deepEqual(Object.keys(found), Object.keys(found).sort());
    asked.length = 0;
    assert.equal((await listSnapshot(await read())).digest, store.tree.digest);
    assert.deepEqual(asked, []);
  });

  it('by reference restores a directory, asking only for what is not there', async () => {
    const { store: source } = await openBound(withBig);
    const { written, blobs } = stored(source);
    const bytesOf = new Map(await blobs);
    const asked: string[] = [];
    const snapshot = await readSnapshot(written.body, async (hash) => {
      asked.push(hash);
      return Readable.from([bytesOf.get(hash)]);
    });
    const system = memory({ 'data/a.tif': `${big}a` });
    const store = await open(system);
    await store.restore(snapshot);
    await store.flush();
    assert.deepEqual(onDisk(system), withBig);
    assert.deepEqual(asked, [contentHash(bytes(`${big}b`))]);
  });

  it('says what it needs, and is refused by who does not know that', async () => {
    const { store } = await openBound(withBig);
    const whole = zstdDecompressSync(await buffer(stored(store).written.body)).toString('latin1');
    assert.match(whole, /"needs":\["blobs"\]/);
    const other = zstdCompressSync(Buffer.from(whole.replace('["blobs"]', '["magic"]'), 'latin1'));
    await assert.rejects(readSnapshot(Readable.from([other])), /newer version \(format 1, magic\)/);
  });

  for (const large of ['inside', 'by-hash'] as const)
    it(`(${large}) of a directory that somebody has changed is refused, and names the file`, async () => {
      for (const path of ['a.xml', 'data/b.tif']) {
        const { system, store } = await openBound(withBig);
        const text = withBig[path as keyof typeof withBig];
        system.poke(`${DIR}/${path}`, `y${text.slice(1)}`);
        const { body, blobs } = writeSnapshot(store.tree, 'l', { large });
        const all = [...blobs.map(({ open: from }) => from(5)), body].map((each) => buffer(each));
        await assert.rejects(Promise.all(all), new RegExp(`${path} is not on disk as`));
        await Promise.allSettled(all);
        await store.flush();
      }
    });

  it('damaged anywhere is refused', async () => {
    const { store } = await openBound(files);
    const whole = await buffer(writeSnapshot(store.tree, 'l').body);
    const read = async (body: Buffer) => {
      const snapshot = await readSnapshot(Readable.from([body]));
      await listSnapshot(snapshot);
      return [snapshot.logId, snapshot.position, snapshot.digest];
    };
    const expected = ['l', store.tree.position, store.tree.digest];
    // Padding may be lost or changed: that damages nothing.
    const harmless = (error: unknown) => error === undefined || error instanceof SnapshotError;
    const outcome = (body: Buffer) =>
      read(body).then(
        (found) => assert.deepEqual(found, expected),
        (error) => error,
      );
    let refused = 0;
    for (let i = 0; i < whole.length; i++) {
      const flipped = Buffer.from(whole);
      flipped[i]! ^= 0x55;
      for (const body of [whole.subarray(0, i), flipped]) {
        const error = await outcome(body);
        assert.ok(harmless(error), `byte ${i}: ${error}`);
        if (error !== undefined) refused++;
      }
    }
    assert.ok(refused > 1.8 * whole.length);
    await assert.rejects(read(bytes('no snapshot')), SnapshotError);
  });
});
