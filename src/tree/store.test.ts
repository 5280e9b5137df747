import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { REAL_DATA } from '../../test/real-data.ts';
import type { Clock } from '../base/index.ts';
import { contentHash } from './digest.ts';
import {
  blobsOfSnapshot,
  INLINE_BYTES_MAX,
  listSnapshot,
  readSnapshot,
  SnapshotError,
  StateFileError,
  Tree,
  TreeDraft,
  TreeStore,
  treePath,
  writeSnapshot,
} from './index.ts';
import { type MemoryFileSystem, memoryFileSystem } from './memory-files.ts';
import type { Content, FileOperation, Position } from './types.ts';

const DIR = '/data';
const bytes = (text: string) => Buffer.from(text);
const at = (position: number) => position as Position;
const put = (path: string, text: string): FileOperation => ({
  kind: 'put',
  path: treePath(path),
  content: { kind: 'inline', bytes: bytes(text) },
});
const del = (path: string): FileOperation => ({ kind: 'delete', path: treePath(path) });
const move = (from: string, to: string): FileOperation => ({ kind: 'move', from: treePath(from), to: treePath(to) });

/** Sleeps for a turn. */
const eagerClock: Clock = {
  now: () => 0,
  monotonicMs: () => 0,
  sleep: () => new Promise((resolve) => setImmediate(resolve)),
};

function memory(files: Record<string, string> = {}): MemoryFileSystem {
  const system = memoryFileSystem();
  system.poke(`${DIR}/x`, '');
  system.poke(`${DIR}/x`, undefined);
  for (const [path, text] of Object.entries(files)) system.poke(`${DIR}/${path}`, text);
  return system;
}

const open = (system: MemoryFileSystem) => TreeStore.open(DIR, { system, clock: eagerClock });

async function openBound(files: Record<string, string> = {}): Promise<{ system: MemoryFileSystem; store: TreeStore }> {
  const system = memory(files);
  const store = await open(system);
  await store.bind('log-1');
  await store.flush();
  return { system, store };
}

/** The files of the tree as they are on disk. */
function onDisk(system: MemoryFileSystem): Record<string, string> {
  const all = Object.entries(system.dump()).map(([path, text]) => [path.slice(DIR.length + 1), text] as const);
  return Object.fromEntries(all.filter(([path]) => !path.startsWith('cluster/')));
}

function inTree(tree: Tree): Record<string, string> {
  return Object.fromEntries([...tree.walk()].map(([path]) => [path, Buffer.from(tree.read(path)!).toString()]));
}

describe('opening a data directory', () => {
  it('reads what is replicated, and changes nothing', async () => {
    const system = memory({
      'global.xml': '<g/>',
      'gwc/a/1.png': 'x',
      'gwc/geowebcache.xml': '<c/>',
      'cluster/x': '1',
      'styles/a.sld~': '',
    });
    const before = system.dump();
    const store = await open(system);
    assert.deepEqual(inTree(store.tree), { 'global.xml': '<g/>', 'gwc/geowebcache.xml': '<c/>' });
    assert.equal(store.recorded, undefined);
    await store.close();
    assert.deepEqual(system.dump(), before);
    assert.equal(system.steps, 0);
  });

  it('takes a folder that is not there as empty', async () => {
    const store = await TreeStore.open('/nowhere', { system: memory() });
    assert.equal(store.tree.files, 0);
    await store.bind('log-1');
    store.tree.apply(at(1), [put('a', '1')]);
    await store.close();
  });

  it('refuses a state file that it does not understand, and names it', async () => {
    for (const text of ['', '{}', '{"format":2}', '{"format":1,"logId":"l","position":-1}'])
      await assert.rejects(open(memory({ 'cluster/state.json': text })), (error) => {
        assert.ok(error instanceof StateFileError);
        assert.match(error.message, /\/data\/cluster\/state\.json/);
        return true;
      });
  });

  it('reports what it does not follow or cannot read', async () => {
    const dir = mkdtempSync(`${tmpdir()}/tree-`);
    try {
      writeFileSync(`${dir}/a`, '1');
      symlinkSync(`${dir}/a`, `${dir}/link`);
      symlinkSync(`${dir}/nowhere`, `${dir}/broken`);
      writeFileSync(`${dir}/back\\slash`, '1');
      const store = await TreeStore.open(dir);
      assert.deepEqual(store.tree.list(''), ['a']);
      const skipped = store.skipped.map(({ path, reason }) => `${path} ${reason}`);
      assert.deepEqual(skipped.sort(), ['back\\slash bad-name', 'broken link', 'link link']);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('writing behind', () => {
  it('brings the files to where the tree is, and says so', async () => {
    const { system, store } = await openBound({ 'a/x': '1', 'a/y': '2', 'b/z': '3' });
    store.tree.apply(at(1), [put('c/d/e', '4'), move('a', 'n/m'), put('a/new', '5'), del('b')]);
    assert.equal(store.unwritten, 1);
    await store.flush();
    assert.deepEqual(onDisk(system), { 'a/new': '5', 'c/d/e': '4', 'n/m/x': '1', 'n/m/y': '2' });
    assert.deepEqual([store.persisted, store.unwritten], [1, 0]);
    assert.deepEqual(store.recorded, { logId: 'log-1', position: 1, digest: store.tree.digest });
    const again = await open(system);
    assert.equal(again.tree.digest, store.tree.digest);
    assert.equal(again.tree.position, 1);
    assert.equal(again.comparableFrom, 1);
  });

  it('gives the right bytes at every moment', async () => {
    const { system, store } = await openBound({ 'a/x': '1', 'b/x': '2', 'c/x': '3' });
    const records = [
      [move('a', 'd'), move('b', 'a'), put('a/y', '4')],
      [move('d/x', 'b/q'), put('b/q', '5'), move('a', 'e/f')],
      [move('e', 'a'), del('c'), move('b', 'c')],
    ];
    const expected = { 'a/f/x': '2', 'a/f/y': '4', 'c/q': '5' };
    for (const [i, operations] of records.entries()) store.tree.apply(at(i + 1), operations);
    let looks = 0;
    system.onStep = () => {
      looks++;
      assert.deepEqual(inTree(store.tree), expected);
    };
    assert.deepEqual(inTree(store.tree), expected);
    await store.flush();
    assert.ok(looks > 30);
    assert.equal(store.trouble, undefined);
    assert.deepEqual(onDisk(system), expected);
  });

  it('writes only the last content of a path', async () => {
    const { system, store } = await openBound();
    for (let n = 1; n <= 1000; n++) store.tree.apply(at(n), [put('a', `${n}`)]);
    const before = system.steps;
    await store.flush();
    assert.ok(system.steps - before < 30, `${system.steps - before} steps`);
    assert.deepEqual(onDisk(system), { a: '1000' });
  });

  it('leaves what it does not know: a file or folder in the way is moved aside', async () => {
    const { system, store } = await openBound({ 'a/x': '1' });
    system.poke(`${DIR}/b/hand-made`, 'h');
    system.poke(`${DIR}/c`, 'h');
    system.poke(`${DIR}/d/hand-made`, 'h');
    store.tree.apply(at(1), [move('a', 'b'), put('c/x', '2'), put('d', '3')]);
    await store.flush();
    const expected = {
      'b/x': '1',
      'c/x': '2',
      d: '3',
      'b.aside-1~/hand-made': 'h',
      'c.aside-1~': 'h',
      'd.aside-1~/hand-made': 'h',
    };
    assert.deepEqual(onDisk(system), expected);
  });

  it('leaves local files alone when a folder that has them goes', async () => {
    const { system, store } = await openBound({ 'gwc/geowebcache.xml': '1', 'gwc/layer/0.png': 'tile' });
    store.tree.apply(at(1), [del('gwc')]);
    await store.flush();
    assert.deepEqual(onDisk(system), { 'gwc/layer/0.png': 'tile' });
  });

  it('keeps everything and tries again when the disk is full', async () => {
    const { system } = await openBound({ 'a/x': '1' });
    const troubles: (string | undefined)[] = [];
    const store = await TreeStore.open(DIR, {
      system,
      clock: eagerClock,
      onTrouble: (trouble) => troubles.push(trouble),
    });
    let left = 40;
    system.onStep = (step) => {
      if (step.startsWith('unlink') || left-- <= 0) return;
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    };
    store.tree.apply(at(1), [put('b', '2'), move('a', 'c')]);
    assert.deepEqual(inTree(store.tree), { b: '2', 'c/x': '1' });
    await store.flush();
    assert.deepEqual(onDisk(system), { b: '2', 'c/x': '1' });
    assert.match(troubles[0]!, /ENOSPC/);
    assert.equal(troubles.at(-1), undefined);
    assert.equal(store.trouble, undefined);
  });

  it('writes files again after a sync that failed, and keeps their bytes until one succeeds', async () => {
    const { system, store } = await openBound({ 'a/x': '1' });
    const steps: string[] = [];
    let failures = 2;
    system.onStep = (step) => {
      steps.push(step);
      if (step !== 'sync /data/a' || failures-- <= 0) return;
      // The system has given up what it could not write: the bytes on disk are not those of the file.
      system.poke(`${DIR}/a/y`, '');
      throw Object.assign(new Error(`EIO: ${step}`), { code: 'EIO' });
    };
    store.tree.apply(at(1), [put('a/y', '2')]);
    await store.flush();
    assert.deepEqual(onDisk(system), { 'a/x': '1', 'a/y': '2' });
    assert.equal(steps.filter((step) => /^rename .* \/data\/a\/y$/.test(step)).length, 3);
    assert.equal(store.trouble, undefined);
  });

  for (const code of ['ENOSPC', 'EIO', 'EROFS'])
    it(`restores through ${code} at every step`, async () => {
      const files = { 'a/x': '1', b: '2' };
      const { store: source } = await openBound(files);
      const system = memory({ b: 'old' });
      const store = await open(system);
      const failed = new Set<number>();
      let steps = 0;
      system.onStep = (step) => {
        if (step.startsWith('unlink') || steps++ % 2 === 0) return;
        failed.add(steps);
        throw Object.assign(new Error(`${code}: ${step}`), { code });
      };
      await store.restore(await readSnapshot(writeSnapshot(source.tree, 'log-1').body));
      assert.deepEqual(inTree(store.tree), files);
      while (store.trouble === undefined) await new Promise((resolve) => setImmediate(resolve));
      assert.match(store.trouble, new RegExp(`${code}: .*/data`));
      assert.equal(store.persisted, 0);
      let left = 60;
      const always = system.onStep;
      system.onStep = (step) => {
        if (left-- > 0) always(step);
      };
      await store.flush();
      assert.deepEqual(onDisk(system), files);
      assert.equal(store.trouble, undefined);
      assert.ok(failed.size > 5);
    });

  it('stays where it is while the disk fails, and close says so', async () => {
    const { system, store } = await openBound();
    system.onStep = () => {
      throw Object.assign(new Error('EIO: broken'), { code: 'EIO' });
    };
    store.tree.apply(at(1), [put('a', '1')]);
    while (store.trouble === undefined) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(store.persisted, 0);
    assert.match(store.trouble!, /EIO/);
    await assert.rejects(store.close(), /EIO/);
  });
});

describe('a crash', () => {
  const segment = fc.constantFrom('a', 'b', 'c');
  const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
  const operation = fc.oneof(
    fc.tuple(path, fc.stringMatching(/^[0-9]{2}$/)).map(([to, text]) => put(to, text)),
    path.map(del),
    fc.tuple(path, path).map(([from, to]) => move(from, to)),
  );
  const workload = fc.array(fc.array(operation, { maxLength: 4 }), { minLength: 1, maxLength: 5 });

  /** Applies the records that the store has not; now and then it waits for the disk. */
  async function run(
    store: TreeStore,
    records: readonly (readonly FileOperation[])[],
    flushEvery: number,
  ): Promise<void> {
    for (let n = store.tree.position; n < records.length; n++) {
      store.tree.apply(at(n + 1), records[n]!);
      if (flushEvery > 0 && n % flushEvery === 0) await store.flush();
    }
    await store.flush();
  }

  for (const kind of ['process', 'power'] as const)
    it(`of the ${kind} at any step is healed by the log`, async () => {
      let crashes = 0;
      await fc.assert(
        fc.asyncProperty(
          workload,
          fc.integer({ min: 0, max: 3 }),
          fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
          async (records, flushEvery, dice) => {
            const first = { 'a/b': '00', 'b/a/c': '01', c: '02' };
            const digests: string[] = [];
            const model = new Tree();
            model.apply(
              at(1),
              Object.entries(first).map(([to, text]) => put(to, text)),
            );
            records.forEach((operations, i) => {
              digests.push(model.digest);
              model.apply(at(i + 2), operations);
            });
            digests.push(model.digest);
            const expected = inTree(model);
            const random = kind === 'power' ? () => dice.next().value as number : undefined;

            for (let crashAt = 0; ; crashAt++) {
              const system = memory(first);
              const store = await open(system);
              await store.bind('log-1');
              await store.flush();
              let steps = 0;
              const dead = new Error('dead');
              let crashed = false;
              system.onStep = () => {
                if (crashed || steps++ >= crashAt) {
                  crashed = true;
                  throw dead;
                }
              };
              const running = run(store, records, flushEvery).catch(() => {});
              await Promise.race([running, stopped(() => crashed, store)]);
              system.onStep = undefined;
              let disk = system.afterCrash(random);
              // It may crash again while it recovers.
              for (let again = 0; again < 2; again++) {
                const second = await open(disk);
                let more = again === 0 ? crashAt % 7 : Number.POSITIVE_INFINITY;
                let down = false;
                disk.onStep = () => {
                  if (down || more-- <= 0) {
                    down = true;
                    throw dead;
                  }
                };
                assert.ok(second.tree.position <= records.length);
                for (let n = second.tree.position; n < records.length; n++) {
                  second.tree.apply(at(n + 1), records[n]!);
                  if (second.tree.position >= second.comparableFrom)
                    assert.equal(
                      second.tree.digest,
                      digests[second.tree.position],
                      `digest at ${second.tree.position}`,
                    );
                }
                await Promise.race([second.flush().catch(() => {}), stopped(() => down, second)]);
                disk.onStep = undefined;
                if (down) {
                  crashes++;
                  disk = disk.afterCrash(random);
                  continue;
                }
                assert.deepEqual(inTree(second.tree), expected);
                assert.deepEqual(onDisk(disk), expected);
                assert.equal(second.persisted, records.length);
              }
              if (!crashed) break;
              crashes++;
            }
          },
        ),
        { numRuns: 60 },
      );
      assert.ok(crashes > 500, `${crashes} crashes`);
    });
});

it('a file that the disk cannot read is unavailable, and not gone', async () => {
  const { system, store } = await openBound({ a: '1' });
  const read = system.readSync.bind(system);
  system.readSync = (file, bytesMax) => {
    if (file === `${DIR}/a`) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
    return read(file, bytesMax);
  };
  assert.throws(() => store.readDisk(treePath('a')), /^UnavailableError: a cannot be read: EIO/);
  assert.equal(store.readDisk(treePath('b')), undefined);
});

describe('blobs', () => {
  const blob = (text: string): Content => ({ kind: 'blob', hash: contentHash(bytes(text)), size: text.length });

  it('are put at their place from where they were staged', async () => {
    const { system, store } = await openBound();
    const content = blob('raster') as Extract<Content, { kind: 'blob' }>;
    await store.stageBlob(content.hash, 0, () => Readable.from([bytes('ras'), bytes('ter')]));
    store.tree.apply(at(1), [
      { kind: 'put', path: treePath('data/a.tif'), content },
      { kind: 'put', path: treePath('data/b.tif'), content },
    ]);
    assert.deepEqual(inTree(store.tree), { 'data/a.tif': 'raster', 'data/b.tif': 'raster' });
    await store.flush();
    await store.close();
    assert.deepEqual(onDisk(system), { 'data/a.tif': 'raster', 'data/b.tif': 'raster' });
    assert.equal((await open(system)).tree.digest, store.tree.digest);
    assert.equal(await store.hasBlob(content.hash), false);
  });

  it('are fetched when they are not staged, and verified', async () => {
    const system = memory();
    let tries = 0;
    const fetchBlob = async () => Readable.from([bytes(tries++ === 0 ? 'wrong' : 'raster')]);
    const troubles: (string | undefined)[] = [];
    const store = await TreeStore.open(DIR, {
      system,
      clock: eagerClock,
      fetchBlob,
      onTrouble: (trouble) => troubles.push(trouble),
    });
    await store.bind('log-1');
    store.tree.apply(at(1), [{ kind: 'put', path: treePath('a.tif'), content: blob('raster') }]);
    await store.flush();
    assert.deepEqual(onDisk(system), { 'a.tif': 'raster' });
    assert.match(troubles[0]!, /other bytes/);
  });

  it('that could not be staged, and are not needed any more, are no trouble', async () => {
    const { system, store } = await openBound();
    store.tree.apply(at(1), [put('a', '1')]);
    system.onStep = (step) => {
      if (step.includes('/blobs')) throw Object.assign(new Error('EIO: blobs'), { code: 'EIO' });
    };
    const content = blob('raster') as Extract<Content, { kind: 'blob' }>;
    await assert.rejects(
      store.stageBlob(content.hash, 0, () => Readable.from([bytes('raster')])),
      /EIO/,
    );
    assert.match(store.trouble ?? '', /EIO/);
    await store.flush();
    assert.equal(store.trouble, undefined);
  });

  it('that were staged without knowing their hash are put by a draft, and go when they are released', async () => {
    const { system, store } = await openBound();
    const [kept, dropped] = await Promise.all(
      ['raster', 'other'].map((text) => store.stage(Readable.from([bytes(text)]))),
    );
    assert.deepEqual([kept!.hash, kept!.size], [contentHash(bytes('raster')), 6]);
    assert.equal((await buffer(kept!.open(3))).toString(), 'ter');
    const draft = new TreeDraft(store.tree);
    draft.putBlob(treePath('data/a.tif'), kept!);
    store.tree.apply(at(1), draft.operations);
    await store.flush();
    assert.equal(await store.hasBlob(kept!.hash), true);
    kept!.release();
    dropped!.release();
    store.tree.apply(at(2), [put('b', '1')]);
    await store.close();
    assert.deepEqual(onDisk(system), { 'data/a.tif': 'raster', b: '1' });
    assert.deepEqual(
      Object.keys(system.dump()).filter((path) => path.includes('/blobs/')),
      [],
    );
  });

  it('with other bytes than announced are not staged', async () => {
    const { store } = await openBound();
    const { hash } = blob('raster') as { hash: ReturnType<typeof contentHash> };
    await assert.rejects(
      store.stageBlob(hash, 0, () => Readable.from([bytes('x')])),
      /other bytes/,
    );
    assert.equal(await store.hasBlob(hash), false);
  });
});

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

describe('restoring', () => {
  it('makes another directory the same, writing only what differs', async () => {
    const { store: source } = await openBound({ 'a/x': '1', 'b/y': '2', c: '3' });
    source.tree.apply(at(1), [put('d', '4')]);
    const system = memory({ 'a/x': '1', 'b/y': 'other', 'c/z': 'in the way', 'e/f': 'extra', 'logs/x.log': 'local' });
    const store = await open(system);
    const snapshot = await readSnapshot(writeSnapshot(source.tree, 'log-1').body);
    const steps: string[] = [];
    system.onStep = (step) => void steps.push(step);
    const touched = await store.restore(snapshot, { keepIn: `${DIR}/cluster/kept` });
    assert.deepEqual(inTree(store.tree), inTree(source.tree));
    assert.equal(store.unwritten, 1);
    await store.flush();
    assert.ok(!steps.some((step) => step.includes('/a/x')));
    assert.deepEqual(onDisk(system), { ...inTree(source.tree), 'logs/x.log': 'local' });
    assert.deepEqual(store.recorded, { logId: 'log-1', position: 1, digest: source.tree.digest });
    assert.deepEqual(touched.map((each) => `${each.kind} ${'path' in each && each.path}`).sort(), [
      'deleted c/z',
      'deleted e/f',
      'put b/y',
      'put c',
      'put d',
    ]);
    const kept = Object.entries(system.dump()).filter(([path]) => path.includes('/kept/'));
    assert.deepEqual(Object.fromEntries(kept.map(([path, text]) => [path.slice(19), text])), {
      'b/y': 'other',
      'c/z': 'in the way',
      'e/f': 'extra',
    });
    store.tree.apply(at(2), [put('a/x', '9')]);
    await store.close();
    assert.equal((await open(system)).tree.digest, store.tree.digest);
  });

  it('undoes what was changed by hand, though the tree knows nothing of it', async () => {
    const { system, store } = await openBound({ a: '1', b: '2' });
    const snapshot = await buffer(writeSnapshot(store.tree, 'log-1').body);
    system.poke(`${DIR}/a`, 'edited');
    system.poke(`${DIR}/b`, undefined);
    system.poke(`${DIR}/c`, 'new');
    await store.restore(await readSnapshot(Readable.from([snapshot])));
    await store.flush();
    assert.deepEqual(onDisk(system), { a: '1', b: '2' });
  });

  it('from a damaged snapshot changes nothing', async () => {
    const { store: source } = await openBound({ a: '1', b: '2' });
    const { system, store } = await openBound({ a: '0' });
    const before = system.dump();
    const bad = await readSnapshot(writeSnapshot(source.tree, 'log-1').body);
    await assert.rejects(store.restore({ ...bad, digest: store.tree.digest }), /damaged/);
    assert.equal(store.incomplete, false);
    await store.flush();
    assert.deepEqual(system.dump(), before);
  });

  it('serves at once, takes records, and writes behind', async () => {
    const { store: source } = await openBound({ a: '1', 'b/c': '2' });
    const system = memory();
    const store = await open(system);
    await store.restore(await readSnapshot(writeSnapshot(source.tree, 'log-2').body));
    assert.deepEqual(onDisk(system), {});
    assert.deepEqual(inTree(store.tree), { a: '1', 'b/c': '2' });
    assert.equal(store.waitingBytes, 2);
    assert.equal(store.persisted, 0);
    assert.equal(store.incomplete, false);
    assert.equal(store.recorded?.logId, 'log-2');
    store.tree.apply(at(1), [move('b', 'd'), put('a', '9')]);
    assert.deepEqual(inTree(store.tree), { a: '9', 'd/c': '2' });
    await store.flush();
    assert.deepEqual(onDisk(system), { a: '9', 'd/c': '2' });
    assert.deepEqual([store.waitingBytes, store.persisted], [0, 1]);
  });

  it('waits for the disk rather than hold more in memory than it may', async () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`f${n}`, 'x'.repeat(100)]));
    const { store: source } = await openBound(many);
    const system = memory();
    const store = await TreeStore.open(DIR, { system, clock: eagerClock, waitingBytesMax: 1000 });
    await store.restore(await readSnapshot(writeSnapshot(source.tree, 'log-1').body));
    assert.ok(store.waitingBytes <= 1000, `${store.waitingBytes}`);
    assert.ok(Object.keys(onDisk(system)).length >= 40);
    assert.equal((await open(system.afterCrash())).incomplete, true);
    await store.flush();
    assert.deepEqual(onDisk(system), many);
  });

  for (const kind of ['process', 'power'] as const)
    it(`that a crash of the ${kind} interrupts, at any step, is begun again and ends well`, async () => {
      const big = 'x'.repeat(INLINE_BYTES_MAX + 1);
      const target = { 'a/x': '1', 'a/y': 'new', b: 'file', 'c/d': big, 'e/f/g': '4', 'h/big': `${big}2` };
      const { store: source } = await openBound(target);
      source.tree.apply(at(1), []);
      const blobs = new Map(Object.values(target).map((text) => [contentHash(bytes(text)), bytes(text)]));
      const whole = await buffer(writeSnapshot(source.tree, 'log-1', { large: 'by-hash' }).body);
      const snapshot = () => readSnapshot(Readable.from([whole]), async (hash) => Readable.from([blobs.get(hash)]));
      const before = { 'a/x': '1', 'a/y': 'old', 'b/was': 'a folder', c: 'was a file', gone: '!' };
      const later = [put('e/f/g', '5'), move('a', 'z'), put('new', big)];
      const model = new Tree();
      model.apply(at(1), [...Object.entries(target).map(([path, text]) => put(path, text)), ...later]);
      const dice = fc.sample(fc.double({ min: 0, max: 0.999, noNaN: true }), 4000).values();
      const random = kind === 'power' ? () => dice.next().value! : undefined;
      let interrupted = 0;
      for (let crashAt = 0; ; crashAt++) {
        const system = memory(before);
        const store = await TreeStore.open(DIR, { system, clock: eagerClock, waitingBytesMax: crashAt % 2 ? 0 : 1e6 });
        let steps = 0;
        let crashed = false;
        system.onStep = () => {
          if (crashed || steps++ >= crashAt) {
            crashed = true;
            throw new Error('dead');
          }
        };
        let finished = false;
        const running = snapshot()
          .then((read) => store.restore(read, { keepIn: `${DIR}/cluster/aside` }))
          .then(() => {
            store.tree.apply(at(2), later);
            return store.flush();
          })
          .catch(() => {})
          .finally(() => {
            finished = true;
          });
        while (!crashed && !finished) await new Promise((resolve) => setImmediate(resolve));
        if (crashed) await store.close().catch(() => {});
        await running;
        system.onStep = undefined;
        const disk = system.afterCrash(random);
        const second = await open(disk);
        if (second.incomplete) interrupted++;
        if (second.incomplete || second.recorded === undefined) {
          if (second.recorded === undefined && !second.incomplete)
            assert.ok(Object.keys(before).every((path) => onDisk(disk)[path] !== undefined));
          await second.restore(await snapshot());
        }
        if (second.tree.position === 1) second.tree.apply(at(2), later);
        await second.flush();
        assert.equal(second.tree.digest, model.digest, `crash at ${crashAt}`);
        assert.deepEqual(inTree(second.tree), inTree(model));
        assert.deepEqual(onDisk(disk), inTree(model));
        if (!crashed) break;
      }
      assert.ok(interrupted > 10, `${interrupted}`);
    });

  it('goes on with a blob that broke off', async () => {
    const big = 'x'.repeat(300_000);
    const { store: source } = await openBound({ big });
    const whole = await buffer(writeSnapshot(source.tree, 'log-1', { large: 'by-hash' }).body);
    const asked: number[] = [];
    let left = 2;
    const snapshot = () =>
      readSnapshot(Readable.from([whole]), async (_hash, from = 0) => {
        asked.push(from);
        return (async function* () {
          yield bytes(big.slice(from, from + 100_000));
          if (left-- > 0) throw new Error('the connection is gone');
          yield bytes(big.slice(from + 100_000));
        })();
      });
    const system = memory();
    const store = await open(system);
    await assert.rejects(store.restore(await snapshot()), /connection/);
    assert.equal(store.incomplete, false);
    const again = await open(system);
    await assert.rejects(again.restore(await snapshot()), /connection/);
    await again.restore(await snapshot());
    assert.deepEqual(asked, [0, 100_000, 200_000]);
    await again.close();
    assert.deepEqual(onDisk(system), { big });
    assert.deepEqual(Object.keys(system.dump()), ['/data/big', '/data/cluster/state.json']);
  });
});

/** Resolves when the file system has died; the store, which only knows a failing disk, is closed. */
async function stopped(isDead: () => boolean, store: TreeStore): Promise<void> {
  while (!isDead()) {
    await new Promise((resolve) => setImmediate(resolve));
    if (store.unwritten === 0 && !isDead()) return new Promise(() => {});
  }
  await store.close().catch(() => {});
}

describe('drift', () => {
  it('is what somebody changed by hand', async () => {
    const { system, store } = await openBound({ a: '1', 'b/c': '2', d: '3' });
    store.tree.apply(at(1), [put('e', '4')]);
    assert.deepEqual(await store.drift(), { changed: [], added: [], removed: [], skipped: [] });
    system.poke(`${DIR}/a`, 'edited');
    system.poke(`${DIR}/b/c`, undefined);
    system.poke(`${DIR}/f`, 'new');
    system.poke(`${DIR}/cluster/local`, 'new');
    assert.deepEqual(await store.drift(), { changed: ['a'], added: ['f'], removed: ['b/c'], skipped: [] });
    assert.equal(Buffer.from(store.readDisk(treePath('a'))!).toString(), 'edited');
    assert.throws(() => store.tree.read(treePath('b/c')), /reload/);
  });
});

describe('real data directories', () => {
  const DATA = REAL_DATA;
  it('are read, changed and restored on a real disk', {
    skip: !existsSync(DATA) && 'the sample directories are not here',
  }, async () => {
    const dir = mkdtempSync(`${tmpdir()}/tree-`);
    try {
      for (const name of ['geoserver-minimal', 'geoserver-release-2.27']) {
        const home = `${dir}/${name}`;
        cpSync(`${DATA}/${name}`, home, { recursive: true });
        const before = listing(home);
        const store = await TreeStore.open(home);
        assert.deepEqual(listing(home), before);
        assert.ok(store.tree.files > 10);
        for (const [path, { hash }] of store.tree.walk())
          assert.equal(contentHash(readFileSync(`${home}/${path}`)), hash);
        await store.bind('log-1');
        const snapshot = await buffer(writeSnapshot(store.tree, 'log-1').body);
        const digest = store.tree.digest;
        store.tree.apply(at(1), [move('workspaces', 'spaces'), put('a/b/c.xml', '<c/>'), del('styles')]);
        await store.close();
        const again = await TreeStore.open(home);
        assert.equal(again.tree.digest, store.tree.digest);
        await again.restore(await readSnapshot(Readable.from([snapshot])));
        await again.close();
        assert.equal(again.tree.digest, digest);
        const after = listing(home);
        for (const path of Object.keys(after)) if (path.startsWith('cluster/')) delete after[path];
        assert.deepEqual(after, before);
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

function listing(dir: string): Record<string, string> {
  const files = globSync('**/*', { cwd: dir }).filter((path) => statSync(`${dir}/${path}`).isFile());
  return Object.fromEntries(files.sort().map((path) => [path, contentHash(readFileSync(`${dir}/${path}`))]));
}
