/** Hashes of files that were read before: never taken for a file that is another one now. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../../test/temporary-folder.ts';
import { until } from '../../test/waiting.ts';
import { type Clock, systemClock } from '../base/index.ts';
import { contentHash } from './digest.ts';
import type { FileSystem } from './files.ts';
import { decodeHashCache, encodeFolder, encodeHashCache } from './hash-cache.ts';
import { TreeStore, treePath } from './index.ts';
import { nodeFileSystem } from './node-files.ts';
import { scanFolder } from './scan.ts';

const root = temporaryFolder('hashes');

/** The real file system, that tells which files were read. */
function watched(): { system: FileSystem; read: string[] } {
  const read: string[] = [];
  const system = {
    ...nodeFileSystem,
    readSync(file: string, bytesMax?: number) {
      read.push(path.basename(file));
      return nodeFileSystem.readSync(file, bytesMax);
    },
  };
  return { system, read };
}

function directory(name: string, files: Readonly<Record<string, string>>): string {
  const dir = path.join(root, name);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
    writeFileSync(path.join(dir, file), text);
  }
  return dir;
}

const FILES = { 'a.xml': '<a/>', 'styles/b.sld': '<b/>', 'styles/c.sld': '<c/>', 'ü/d e.txt': 'd' };

/** A clock by which everything on the disk was changed long ago, and on which time passes at once. */
const later: Clock = {
  ...systemClock,
  now: () => Date.now() + 3_600_000,
  sleep: (_ms, signal) => systemClock.sleep(1, signal),
};

/** A directory that was opened once, with all its hashes in the cache. */
async function known(name: string): Promise<{ dir: string; cache: string }> {
  const dir = directory(name, FILES);
  const cache = path.join(dir, 'cluster/cache/hashes');
  const store = await TreeStore.open(dir, { clock: later, keepHashesFrom: 1 });
  await store.bind('log');
  await until(() => existsSync(cache), 'the cache');
  await store.close();
  return { dir, cache };
}

async function reopened(dir: string, clock: Clock = later): Promise<{ store: TreeStore; read: readonly string[] }> {
  const { system, read } = watched();
  const store = await TreeStore.open(dir, { system, clock, keepHashesFrom: 1 });
  await store.close();
  return { store, read: read.filter((file) => file !== 'state.json' && file !== 'hashes').sort() };
}

describe('a start with known hashes', () => {
  it('reads nothing when nothing has changed, and has the same tree', async () => {
    const { dir } = await known('same');
    const { store, read } = await reopened(dir);
    assert.deepEqual(read, []);
    for (const [file, text] of Object.entries(FILES))
      assert.deepEqual(store.tree.stat(treePath(file)), {
        hash: contentHash(Buffer.from(text)),
        size: Buffer.byteLength(text),
        pending: undefined,
      });
    assert.equal(store.tree.digest, store.recorded?.digest);
  });

  it('notices an edit that keeps the size and puts the time of change back', async () => {
    const { dir } = await known('sly');
    const file = path.join(dir, 'styles/b.sld');
    const { atimeNs, mtimeNs } = statSync(file, { bigint: true });
    writeFileSync(file, '<B/>');
    utimesSync(file, Number(atimeNs) / 1e9, Number(mtimeNs) / 1e9);
    const { store } = await reopened(dir);
    assert.equal(store.tree.stat(treePath('styles/b.sld'))?.hash, contentHash(Buffer.from('<B/>')));
  });

  it('notices a file that was exchanged for another one of the same size and times', async () => {
    const { dir } = await known('exchanged');
    const file = path.join(dir, 'a.xml');
    const { atime, mtime } = statSync(file);
    writeFileSync(`${file}.new`, '<A/>');
    utimesSync(`${file}.new`, atime, mtime);
    renameSync(`${file}.new`, file);
    const { store } = await reopened(dir);
    assert.equal(store.tree.stat(treePath('a.xml'))?.hash, contentHash(Buffer.from('<A/>')));
  });

  it('notices files that are new or gone', async () => {
    const { dir } = await known('names');
    rmSync(path.join(dir, 'styles/c.sld'));
    writeFileSync(path.join(dir, 'styles/n.sld'), 'new');
    const { store } = await reopened(dir);
    assert.deepEqual(store.tree.list(treePath('styles')), ['b.sld', 'n.sld']);
  });

  it('reads everything before it says that the tree is not what it was', async () => {
    const { dir } = await known('edited');
    writeFileSync(path.join(dir, 'a.xml'), '<other/>');
    const { read } = await reopened(dir);
    assert.deepEqual(read, ['a.xml', 'a.xml', 'b.sld', 'c.sld', 'd e.txt']);
  });

  it('is not misled by a cache that says something else', async () => {
    const { dir, cache } = await known('lying');
    const folders = decodeHashCache(readFileSync(cache))!;
    const styles = folders.get('styles')!.block;
    // The hash of b.sld becomes another one; the check sum of the whole is right.
    const lie = Buffer.from(styles);
    lie[16 + 2 * 32] = lie[16 + 2 * 32]! ^ 1;
    writeFileSync(cache, encodeHashCache([...folders.values()].map(({ block }) => (block === styles ? lie : block))));
    const { store } = await reopened(dir);
    assert.equal(store.tree.stat(treePath('styles/b.sld'))?.hash, contentHash(Buffer.from('<b/>')));
    assert.equal(store.tree.digest, store.recorded?.digest);
  });

  it('passes a damaged cache over, wherever it is damaged', async () => {
    const { dir, cache } = await known('damaged');
    const good = readFileSync(cache);
    for (let at = 0; at < good.length; at += 7) {
      const bad = Buffer.from(good);
      bad[at] = bad[at]! ^ 0x20;
      assert.equal(decodeHashCache(bad), undefined, `byte ${at}`);
      assert.equal(decodeHashCache(good.subarray(0, at)), undefined, `cut at ${at}`);
    }
    writeFileSync(cache, good.subarray(0, good.length - 3));
    const { store, read } = await reopened(dir);
    assert.equal(read.length, 4);
    assert.equal(store.tree.digest, store.recorded?.digest);
  });

  it('does not trust what was changed a moment before it was read', async () => {
    const dir = directory('fresh', FILES);
    const scan = await scanFolder(nodeFileSystem, dir, { nowMs: Date.now() });
    assert.equal(scan.unsettled, 4);
    assert.deepEqual(scan.hashes, []);
  });

  it('reads what it cannot tell apart from a change of its own', async () => {
    const { dir } = await known('touched');
    chmodSync(path.join(dir, 'a.xml'), 0o600);
    const { read } = await reopened(dir);
    assert.deepEqual(read, ['a.xml']);
  });
});

describe('the cache', () => {
  it('keeps up with what is written, once all is quiet', async () => {
    const { dir, cache } = await known('written');
    const { mtimeNs } = statSync(cache, { bigint: true });
    const store = await TreeStore.open(dir, { clock: later, keepHashesFrom: 1 });
    const content = { kind: 'inline' as const, bytes: Buffer.from('<new/>') };
    store.tree.apply(1 as never, [{ kind: 'put', path: treePath('styles/new.sld'), content }]);
    await store.flush();
    await until(() => statSync(cache, { bigint: true }).mtimeNs !== mtimeNs, 'another cache');
    await store.close();
    assert.deepEqual((await reopened(dir)).read, []);
  });

  it('is not written for a few files', async () => {
    const dir = directory('few', FILES);
    const store = await TreeStore.open(dir, { clock: later });
    await store.bind('log');
    await store.close();
    assert.equal(existsSync(path.join(dir, 'cluster/cache')), false);
  });

  it('holds what it was given', () => {
    const stamps = BigInt64Array.from([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n]);
    const hashes = [contentHash(Buffer.from('1')), contentHash(Buffer.from('2'))];
    const block = encodeFolder({ folder: 'a/ü', names: ['x', 'ÿ y'], stamps, hashes });
    const folder = decodeHashCache(encodeHashCache([block]))!.get('a/ü')!;
    const listing = { folders: [], files: ['x', 'ÿ y'], stamps, others: [] };
    assert.ok(folder.isWhole(listing));
    assert.deepEqual([folder.hashAt(0), folder.hashAt(1)], hashes);
    const changed = { ...listing, stamps: BigInt64Array.from([1n, 2n, 3n, 4n, 5n, 6n, 7n, 9n]) };
    assert.ok(!folder.isWhole(changed));
    assert.deepEqual([folder.hashOf(changed, 0), folder.hashOf(changed, 1)], [hashes[0], undefined]);
    assert.ok(!folder.isWhole({ ...listing, files: ['x', 'z'] }));
  });
});
