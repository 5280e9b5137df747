import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Clock, UnavailableError } from '../base/index.ts';
import { contentHash } from './digest.ts';
import {
  type FileSystem,
  ReadOnlyStore,
  readSnapshot,
  type Store,
  Tree,
  TreeStore,
  treePath,
  writeSnapshot,
} from './index.ts';
import { type MemoryFileSystem, memoryFileSystem } from './memory-files.ts';
import type { ContentHash, FileOperation, Position, TreePath } from './types.ts';

const DIR = '/data';
const OWN = '/own/two';
const at = (position: number) => position as Position;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
/** Sleeps for a turn, and counts them as seconds. */
function fastClock(): Clock {
  let ms = 0;
  return {
    now: () => ms,
    monotonicMs: () => ms,
    async sleep(forMs, signal) {
      await turn();
      signal?.throwIfAborted();
      ms += forMs;
    },
  };
}

const WRITING = new Set(['write', 'writeAll', 'copy', 'link', 'rename', 'removeFile', 'removeFolder', 'makeFolder']);

/** A file system in which nothing below the data directory can be changed, by whatever call. */
function unwritable(system: FileSystem): FileSystem {
  return new Proxy(system, {
    get(target, name: keyof FileSystem) {
      const call = (target[name] as (...args: unknown[]) => unknown).bind(target);
      if (!WRITING.has(name) && name !== 'syncFolders') return call;
      return (...args: unknown[]) => {
        const paths = JSON.stringify(args.slice(0, 2));
        assert.ok(!paths.includes(`"${DIR}`), `${name} ${paths}`);
        return call(...args);
      };
    },
  });
}

/** Two stores over one directory: what writes it, and what must not. */
async function pair(
  options: {
    readonly keptBytesMax?: number;
    readonly unwantedBytesMax?: number;
    readonly files?: Record<string, string>;
  } = {},
) {
  const system: MemoryFileSystem = memoryFileSystem();
  system.poke(`${DIR}/x`, '');
  system.poke(`${DIR}/x`, undefined);
  for (const [path, text] of Object.entries(options.files ?? {})) system.poke(`${DIR}/${path}`, text);
  const clock = fastClock();
  const blobs = new Map<ContentHash, Uint8Array>();
  const fetchBlob = async (hash: ContentHash, from: number) => {
    const bytes = blobs.get(hash);
    if (bytes === undefined) throw new UnavailableError('blob-missing', `no blob ${hash}`);
    return Readable.from([bytes.subarray(from)]);
  };
  const writer = await TreeStore.open(DIR, { system, clock, fetchBlob });
  await writer.bind('log-1');
  await writer.flush();
  const openReader = () =>
    ReadOnlyStore.open(DIR, {
      system: unwritable(system),
      clusterDir: OWN,
      clock,
      fetchBlob,
      keptBytesMax: options.keptBytesMax,
      unwantedBytesMax: options.unwantedBytesMax,
    });
  const snapshotOf = async (tree: Tree, large: 'inside' | 'by-hash' = 'inside') => {
    const { body } = writeSnapshot(tree, 'log-1', { large });
    return readSnapshot(body, (hash, from) => fetchBlob(hash, from ?? 0));
  };
  const reader = await openReader();
  await reader.restore(await snapshotOf(writer.tree));
  return { system, clock, blobs, writer, reader, openReader, snapshotOf };
}

function inline(path: string, text: string): FileOperation {
  return { kind: 'put', path: treePath(path), content: { kind: 'inline', bytes: Buffer.from(text) } };
}

/** As it goes through the log: what is long is named by its hash. */
async function logged(
  operations: readonly FileOperation[],
  blobs: Map<ContentHash, Uint8Array>,
  longFrom: number,
): Promise<readonly FileOperation[]> {
  return operations.map((operation) => {
    if (operation.kind !== 'put' || operation.content.kind !== 'inline') return operation;
    const { bytes } = operation.content;
    if (bytes.length < longFrom) return operation;
    const hash = contentHash(bytes);
    blobs.set(hash, bytes);
    return { ...operation, content: { kind: 'blob', hash, size: bytes.length } };
  });
}

async function apply(
  store: Store,
  position: number,
  operations: readonly FileOperation[],
  blobs: Map<ContentHash, Uint8Array>,
): Promise<void> {
  for (const operation of operations)
    if (operation.kind === 'put' && operation.content.kind === 'blob') {
      const { hash, size } = operation.content;
      await store.stageBlob(hash, size, () => Readable.from([blobs.get(hash)!]));
    }
  store.tree.apply(at(position), operations);
}

const textIn = (tree: Tree, path: string) => {
  const bytes = tree.read(treePath(path));
  return bytes && Buffer.from(bytes).toString();
};

function inTree(tree: Tree): Record<string, string> {
  return Object.fromEntries([...tree.walk()].map(([path]) => [path, textIn(tree, path)!]));
}

describe('a read-only store', () => {
  it('takes a snapshot and follows, whatever the other node has written', async () => {
    const { writer, reader, blobs } = await pair({ files: { 'a/x.xml': '1', 'b.xml': '2' } });
    assert.deepEqual(inTree(reader.tree), { 'a/x.xml': '1', 'b.xml': '2' });
    assert.deepEqual([reader.recorded?.logId, reader.recorded?.position], ['log-1', 0]);
    // This node is ahead ...
    const first = [inline('b.xml', 'new'), { kind: 'move', from: treePath('a'), to: treePath('c') } as const];
    await apply(reader, 1, first, blobs);
    assert.deepEqual(inTree(reader.tree), { 'b.xml': 'new', 'c/x.xml': '1' });
    // ... and behind.
    await apply(writer, 1, first, blobs);
    await apply(writer, 2, [inline('b.xml', 'newer'), { kind: 'delete', path: treePath('c') }], blobs);
    await writer.flush();
    assert.deepEqual(inTree(reader.tree), { 'b.xml': 'new', 'c/x.xml': '1' });
    await reader.close();
    await writer.close();
  });

  it('changes, compares and keeps nothing below the directory, and leaves little behind elsewhere', async () => {
    const { system, reader, writer, blobs, snapshotOf } = await pair({ files: { 'a.xml': '1' } });
    const before = Object.entries(system.dump()).filter(([path]) => path.startsWith(DIR));
    system.poke(`${DIR}/by-hand.xml`, 'edited');
    await apply(reader, 1, [inline('a.xml', '2'), inline('b.xml', '3')], blobs);
    assert.deepEqual(await reader.drift(), { changed: [], added: [], removed: [], skipped: [] });
    await reader.restore(await snapshotOf(reader.tree));
    await assert.rejects((reader as Store).bind('log-2'));
    await reader.close();
    system.poke(`${DIR}/by-hand.xml`, undefined);
    const after = Object.entries(system.dump());
    assert.deepEqual(
      after.filter(([path]) => path.startsWith(DIR)),
      before,
    );
    assert.deepEqual(
      after.filter(([path]) => path.startsWith('/own/')),
      [],
    );
    await writer.close();
  });

  it('does not hold contents in memory, and gives them again after it has thrown away what is old', async () => {
    const { reader, writer, blobs, system, snapshotOf } = await pair({
      unwantedBytesMax: 10_000,
      files: { 'same.xml': 'same' },
    });
    // What is kept does not depend on the directory.
    system.poke(`${DIR}/same.xml`, 'SAME');
    const text = 'x'.repeat(1000);
    for (let position = 1; position <= 300; position++) {
      await apply(reader, position, [inline('a.xml', `${position} ${text}`)], blobs);
      if (position % 20 === 0) await turn();
    }
    for (let turns = 0; reader.waitingBytes > 0 && turns < 10_000; turns++) await turn();
    assert.equal(reader.waitingBytes, 0);
    const kept = () => Object.entries(system.dump()).filter(([path]) => path.startsWith(`${OWN}/contents/`));
    for (let turns = 0; kept()[0]![1].length > 15_000 && turns < 1000; turns++) await turn();
    assert.equal(kept().length, 1);
    assert.ok(kept()[0]![1].length < 15_000);
    assert.equal(textIn(reader.tree, 'a.xml'), `300 ${text}`);
    assert.equal(textIn(reader.tree, 'same.xml'), 'same');
    // Its snapshots do not depend on the directory.
    assert.deepEqual((await snapshotOf(reader.tree)).digest, reader.tree.digest);
    await reader.close();
    await writer.close();
  });

  it('begins anew with a snapshot, whatever it knew before', async () => {
    const { reader, openReader, writer, blobs, snapshotOf } = await pair({ files: { 'a.xml': '1' } });
    await apply(reader, 1, [inline('b.xml', '2')], blobs);
    await reader.close();
    const again = await openReader();
    assert.deepEqual(
      [again.tree.files, again.tree.position, again.recorded, again.comparableFrom],
      [0, 0, undefined, 0],
    );
    await again.restore(await snapshotOf(writer.tree));
    assert.deepEqual(inTree(again.tree), { 'a.xml': '1' });
    await again.close();
    await writer.close();
  });

  it('goes on in memory while its own disk fails, and says so', async () => {
    const { system, reader, writer, blobs } = await pair();
    const failing = system.onStep;
    system.onStep = (what) => {
      if (what.includes(OWN)) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
    };
    await apply(reader, 1, [inline('a.xml', '1')], blobs);
    for (let turns = 0; reader.trouble === undefined && turns < 1000; turns++) await turn();
    assert.match(reader.trouble!, /no space/);
    assert.equal(textIn(reader.tree, 'a.xml'), '1');
    assert.equal(reader.waitingBytes, 1);
    system.onStep = failing;
    for (let turns = 0; reader.waitingBytes > 0 && turns < 1000; turns++) await turn();
    assert.deepEqual([reader.waitingBytes, reader.trouble, textIn(reader.tree, 'a.xml')], [0, undefined, '1']);
    await reader.close();
    await writer.close();
  });

  it('takes long files from the directory where they are right, and else out of the log', async () => {
    const { reader, writer, blobs, system } = await pair({ keptBytesMax: 100 });
    const long = (text: string) => text.repeat(200);
    const one = await logged([inline('data/a.tif', long('1'))], blobs, 100);
    await apply(writer, 1, one, blobs);
    await apply(reader, 1, one, blobs);
    await writer.flush();
    assert.equal(textIn(reader.tree, 'data/a.tif'), long('1'));
    assert.equal(
      Object.keys(system.dump()).some((path) => path.startsWith(`${OWN}/blobs/`)),
      false,
    );
    // The other node is ahead.
    await apply(writer, 2, await logged([inline('data/a.tif', long('2'))], blobs, 100), blobs);
    await writer.flush();
    assert.throws(() => reader.tree.read(treePath('data/a.tif')), UnavailableError);
    for (let turns = 0; turns < 20; turns++) await turn();
    assert.equal(textIn(reader.tree, 'data/a.tif'), long('1'));
    await reader.close();
    await writer.close();
  });

  it('waits for the files that the other node is going to write, but not for ever', async () => {
    const { reader, writer, blobs, clock } = await pair({ files: { 'data/old/x.shp': 'x' } });
    const change = [
      inline('data/a.shp', 'a'),
      { kind: 'move', from: treePath('data/old'), to: treePath('data/new') } as const,
    ];
    await apply(reader, 1, change, blobs);
    assert.equal(reader.unwritten, 2);
    let seen = false;
    const waiting = reader.flush().then(() => {
      seen = true;
    });
    for (let turns = 0; turns < 20; turns++) await turn();
    assert.equal(seen, false);
    await apply(writer, 1, change, blobs);
    await writer.flush();
    await waiting;
    assert.equal(reader.unwritten, 0);
    // Nobody writes this one.
    await apply(reader, 2, [inline('data/b.shp', 'b')], blobs);
    const startedMs = clock.monotonicMs();
    await reader.flush();
    assert.ok(clock.monotonicMs() - startedMs >= 9000);
    assert.equal(reader.unwritten, 0);
    await reader.close();
    await writer.close();
  });

  it('gives the bytes of its own position at every moment of a random history', async () => {
    const names = ['a', 'b', 'w/a', 'w/b', 'w/s/c', 'v/d'];
    const name = fc.constantFrom(...names, 'w', 'v', 'w/s').map((text) => treePath(text));
    const operation: fc.Arbitrary<FileOperation> = fc.oneof(
      fc.record({
        kind: fc.constant('put' as const),
        path: name,
        content: fc
          .tuple(fc.constantFrom('1', '2', '', 'long ', 'wide '), fc.constantFrom(0, 1, 3))
          .map(([text, n]) => ({ kind: 'inline' as const, bytes: Buffer.from(`${text.repeat(n)}${n}`) })),
      }),
      fc.record({ kind: fc.constant('delete' as const), path: name }),
      fc.record({ kind: fc.constant('move' as const), from: name, to: name }),
    );
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant('read' as const) },
      { weight: 4, arbitrary: fc.constant('write' as const) },
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 30 }) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
    );
    const records = fc.array(fc.array(operation, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(records, fc.array(step, { maxLength: 40 }), async (history, steps) => {
        const {
          blobs,
          writer,
          reader: first,
          openReader,
          snapshotOf,
        } = await pair({
          keptBytesMax: 12,
          files: { a: 'from the start', 'w/a': 'w' },
        });
        let reader = first;
        // What it has to be, in memory, at each position.
        const model = new Tree();
        model.apply(at(1), [inline('a', 'from the start'), inline('w/a', 'w')]);
        const states: ReadonlyMap<TreePath, string>[] = [];
        const remember = () =>
          states.push(new Map([...model.walk()].map(([path]) => [path, Buffer.from(model.read(path)!).toString()])));
        remember();
        for (const [i, operations] of history.entries()) {
          model.apply(at(i + 2), operations);
          remember();
        }
        const inLog = await Promise.all(history.map((operations) => logged(operations, blobs, 8)));
        blobs.set(contentHash(Buffer.from('from the start')), Buffer.from('from the start'));
        const compare = (mustBeThere: boolean) => {
          const expected = states[reader.tree.position]!;
          assert.deepEqual(
            [...reader.tree.walk()].map(([path]) => path),
            [...expected.keys()],
          );
          let missing = 0;
          for (const [path, text] of expected)
            try {
              assert.equal(textIn(reader.tree, path), text, path);
            } catch (error) {
              if (!(error instanceof UnavailableError) || text.length <= 12 || mustBeThere) throw error;
              missing++;
            }
          return missing;
        };
        for (const what of [...steps, ...history.map(() => 'read' as const)]) {
          if (what === 'restart') {
            await reader.close();
            reader = await openReader();
            await reader.restore(await snapshotOf(writer.tree));
          } else if (what === 'read' || what === 'write') {
            const { store } = what === 'read' ? { store: reader as Store } : { store: writer as Store };
            const next = store.tree.position;
            if (next < inLog.length) await apply(store, next + 1, inLog[next]!, blobs);
          } else for (let turns = 0; turns < what; turns++) await turn();
          compare(false);
        }
        // What was missing has been fetched, once it was asked for.
        for (let turns = 0; compare(false) > 0 && turns < 100; turns++) await turn();
        compare(true);
        await reader.close();
        await writer.close();
      }),
      { numRuns: 150 },
    );
  });
});
