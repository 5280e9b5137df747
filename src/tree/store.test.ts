import assert from 'node:assert/strict';
import { cpSync, existsSync, globSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { REAL_DATA } from '../../test/real-data.ts';
import { temporaryFolder } from '../../test/temporary-folder.ts';
import { contentHash } from './digest.ts';
import { readSnapshot, StateFileError, TreeDraft, TreeStore, treePath, writeSnapshot } from './index.ts';
import {
  at,
  bytes,
  DIR,
  del,
  eagerClock,
  inTree,
  memory,
  move,
  onDisk,
  open,
  openBound,
  put,
} from './store.testing.ts';
import type { Content } from './types.ts';

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
    const dir = temporaryFolder('tree');
    writeFileSync(`${dir}/a`, '1');
    symlinkSync(`${dir}/a`, `${dir}/link`);
    symlinkSync(`${dir}/nowhere`, `${dir}/broken`);
    writeFileSync(`${dir}/back\\slash`, '1');
    const store = await TreeStore.open(dir);
    assert.deepEqual(store.tree.list(''), ['a']);
    const skipped = store.skipped.map(({ path, reason }) => `${path} ${reason}`);
    assert.deepEqual(skipped.sort(), ['back\\slash bad-name', 'broken link', 'link link']);
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
    const dir = temporaryFolder('tree');
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
  });
});

function listing(dir: string): Record<string, string> {
  const files = globSync('**/*', { cwd: dir }).filter((path) => statSync(`${dir}/${path}`).isFile());
  return Object.fromEntries(files.sort().map((path) => [path, contentHash(readFileSync(`${dir}/${path}`))]));
}
