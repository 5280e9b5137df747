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
import fc from 'fast-check';
import { REAL_DATA } from '../../test/real-data.ts';
import type { Clock } from '../base/index.ts';
import { contentHash } from './digest.ts';
import {
  listSnapshot,
  readSnapshot,
  SnapshotError,
  StateFileError,
  Tree,
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

  it('stays where it is while the disk fails, and close says so', async () => {
    const { system, store } = await openBound();
    system.onStep = () => {
      throw Object.assign(new Error('EIO: broken'), { code: 'EIO' });
    };
    store.tree.apply(at(1), [put('a', '1')]);
    await new Promise((resolve) => setImmediate(resolve));
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

  /** Resolves when the file system has died; the store, which only knows a failing disk, is closed. */
  async function stopped(isDead: () => boolean, store: TreeStore): Promise<void> {
    while (!isDead()) {
      await new Promise((resolve) => setImmediate(resolve));
      if (store.unwritten === 0 && !isDead()) return new Promise(() => {});
    }
    await store.close().catch(() => {});
  }
});

describe('blobs', () => {
  const blob = (text: string): Content => ({ kind: 'blob', hash: contentHash(bytes(text)), size: text.length });

  it('are put at their place from where they were staged', async () => {
    const { system, store } = await openBound();
    const content = blob('raster') as Extract<Content, { kind: 'blob' }>;
    await store.stageBlob(content.hash, Readable.from([bytes('ras'), bytes('ter')]));
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

  it('with other bytes than announced are not staged', async () => {
    const { store } = await openBound();
    const { hash } = blob('raster') as { hash: ReturnType<typeof contentHash> };
    await assert.rejects(store.stageBlob(hash, Readable.from([bytes('x')])), /other bytes/);
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
    system.onStep = (step) => steps.push(step);
    const touched = await store.restore(snapshot, { keepIn: `${DIR}/cluster/kept` });
    assert.ok(!steps.some((step) => step.includes('/a/x')));
    assert.deepEqual(inTree(store.tree), inTree(source.tree));
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
    assert.deepEqual(onDisk(system), { a: '1', b: '2' });
  });

  it('that breaks off leaves a directory that says so', async () => {
    const { store: source } = await openBound({ a: '1', b: '2' });
    const whole = await buffer(writeSnapshot(source.tree, 'log-1').body);
    const { system, store } = await openBound({ a: '0' });
    const bad = await readSnapshot(Readable.from([whole]));
    await assert.rejects(store.restore({ ...bad, digest: store.tree.digest }), /damaged/);
    assert.equal(store.incomplete, true);
    const again = await open(system);
    assert.equal(again.incomplete, true);
    await again.restore(await readSnapshot(Readable.from([whole])));
    assert.equal(again.incomplete, false);
    assert.deepEqual(onDisk(system), { a: '1', b: '2' });
  });
});

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
