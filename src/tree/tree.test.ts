import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { contentHash, EMPTY_DIGEST } from './digest.ts';
import {
  CorruptRecordError,
  decodeRecord,
  encodeRecord,
  isReplicated,
  joinPath,
  NewerFormatError,
  PathError,
  Tree,
  TreeDraft,
  type TreeRecord,
  treePath,
} from './index.ts';
import type { FileOperation, Position, TreePath } from './types.ts';

const bytes = (text: string) => Buffer.from(text);
const put = (path: string, text: string): FileOperation => ({
  kind: 'put',
  path: treePath(path),
  content: { kind: 'inline', bytes: bytes(text) },
});
const del = (path: string): FileOperation => ({ kind: 'delete', path: treePath(path) });
const move = (from: string, to: string): FileOperation => ({ kind: 'move', from: treePath(from), to: treePath(to) });

function treeOf(files: Record<string, string>): Tree {
  const tree = new Tree();
  tree.apply(
    1 as Position,
    Object.entries(files).map(([path, text]) => put(path, text)),
  );
  return tree;
}

function dump(tree: Tree | TreeDraft): Record<string, string> {
  return Object.fromEntries([...tree.walk()].map(([path]) => [path, Buffer.from(tree.read(path)!).toString()]));
}

/** The slow, obvious tree: a flat map. */
class Model {
  files = new Map<string, string>();
  run(operation: FileOperation): void {
    const inside = (path: string) => [...this.files.keys()].filter((key) => key === path || key.startsWith(`${path}/`));
    const clear = (path: string) => {
      for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) this.files.delete(path.slice(0, at));
    };
    if (operation.kind === 'put') {
      clear(operation.path);
      for (const key of inside(operation.path)) this.files.delete(key);
      this.files.set(operation.path, Buffer.from((operation.content as { bytes: Uint8Array }).bytes).toString());
    } else if (operation.kind === 'delete') {
      for (const key of inside(operation.path)) this.files.delete(key);
    } else {
      const { from, to } = operation;
      const moved = inside(from).map((key) => [to + key.slice(from.length), this.files.get(key)!] as const);
      if (moved.length === 0 || `${to}/`.startsWith(`${from}/`) || `${from}/`.startsWith(`${to}/`)) return;
      for (const key of [...inside(from), ...inside(to)]) this.files.delete(key);
      clear(to);
      for (const [key, text] of moved) this.files.set(key, text);
    }
  }
  dump(): Record<string, string> {
    return Object.fromEntries([...this.files].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

const segment = fc.constantFrom('a', 'b', 'c', 'featuretype.xml');
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const operation = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(path, fc.string({ maxLength: 3 })).map(([at, text]) => put(at, text)) },
  { weight: 1, arbitrary: path.map(del) },
  { weight: 2, arbitrary: fc.tuple(path, path).map(([from, to]) => move(from, to)) },
);

describe('paths', () => {
  for (const text of [
    'a',
    'workspaces/topp/workspace.xml',
    'styles/ü ß.sld',
    '...',
    'a/.b',
    'a:b',
    `${'x'.repeat(255)}`,
  ])
    it(`takes ${JSON.stringify(text).slice(0, 40)}`, () => assert.equal(treePath(text), text));
  for (const text of [
    '',
    '/a',
    'a/',
    'a//b',
    '.',
    'a/./b',
    '..',
    'a/../b',
    'a\\b',
    'a\0b',
    'a\nb',
    '\ud800',
    'x'.repeat(256),
    'ü'.repeat(128),
    'a/'.repeat(1024).concat('a'),
  ])
    it(`refuses ${JSON.stringify(text).slice(0, 40)}`, () => assert.throws(() => treePath(text), PathError));
  it('joins', () => assert.equal(joinPath(treePath('a'), 'b', 'c'), 'a/b/c'));
  it('does not join its way out', () => assert.throws(() => joinPath(treePath('a'), '../b'), PathError));

  const cases: Record<string, boolean> = {
    'global.xml': true,
    'cluster/cluster.properties': false,
    cluster: false,
    'workspaces/cluster/workspace.xml': true,
    'workspaces/tmp/workspace.xml': true,
    'logs/geoserver.log': false,
    'logs/geoserver.log.1': false,
    'logs/DEFAULT_LOGGING.xml': true,
    'tmp/x': false,
    'temp/a/b': false,
    'uploads/x.zip': false,
    'filelocks/a': false,
    'gwc/geowebcache.xml': true,
    'gwc/topp_roads/EPSG_4326/1.png': false,
    'gwc/topp_roads/x.xml': false,
    'gwc-layers/a.xml': true,
    '.git/config': false,
    'styles/.git/config': false,
    'styles/.gitignore': true,
    'styles/a.sld~': false,
    'styles/a.tmp': false,
    'styles/.DS_Store': false,
    'styles/.nfs0001': false,
  };
  for (const [text, expected] of Object.entries(cases))
    it(`${text} is ${expected ? 'replicated' : 'local'}`, () => assert.equal(isReplicated(treePath(text)), expected));
});

describe('a tree', () => {
  it('is a map of paths', () => {
    const tree = treeOf({ 'a/b.xml': '1', 'a/c/d.xml': '22', e: '' });
    assert.deepEqual(tree.list(''), ['a/', 'e']);
    assert.deepEqual(tree.list(treePath('a')), ['b.xml', 'c/']);
    assert.deepEqual(tree.list(treePath('nowhere')), []);
    assert.equal(tree.isFolder(treePath('a/c')), true);
    assert.equal(tree.isFolder(treePath('e')), false);
    assert.equal(tree.files, 3);
    assert.equal(tree.stat(treePath('a/c/d.xml'))?.size, 2);
    assert.equal(tree.stat(treePath('a/c/d.xml'))?.hash, contentHash(bytes('22')));
    assert.equal(tree.stat(treePath('a')), undefined);
  });

  it('forgets folders that have become empty', () => {
    const tree = treeOf({ 'a/b/c/d.xml': '1', e: '' });
    tree.apply(2 as Position, [del('a/b/c/d.xml')]);
    assert.deepEqual(tree.list(''), ['e']);
    tree.apply(3 as Position, [del('e')]);
    assert.equal(tree.digest, EMPTY_DIGEST);
  });

  it('takes records only in order', () => {
    const tree = treeOf({});
    assert.throws(() => tree.apply(1 as Position, []), /cannot be applied/);
    assert.throws(() => tree.apply(3 as Position, []), /cannot be applied/);
  });

  it('says what happened to each file', () => {
    const tree = treeOf({ 'a/x': '1', 'a/y/z': '2', 'b/x': '3' });
    assert.deepEqual(tree.apply(2 as Position, [move('a', 'b')]), [
      { kind: 'deleted', path: 'b/x' },
      { kind: 'moved', from: 'a/x', to: 'b/x' },
      { kind: 'moved', from: 'a/y/z', to: 'b/y/z' },
    ]);
    assert.deepEqual(tree.apply(3 as Position, [put('b', '4'), del('nowhere')]), [
      { kind: 'deleted', path: 'b/x' },
      { kind: 'deleted', path: 'b/y/z' },
      { kind: 'put', path: 'b' },
    ]);
  });

  const nothing = [
    move('a', 'a'),
    move('a', 'a/b'),
    move('a/b', 'a'),
    move('none', 'x'),
    move('a', 'tmp'),
    put('cluster/x', '1'),
  ];
  for (const step of nothing)
    it(`does nothing for ${JSON.stringify(step)}`, () => {
      const tree = treeOf({ 'a/b/c': '1' });
      assert.deepEqual(tree.apply(2 as Position, [step]), []);
      assert.deepEqual(dump(tree), { 'a/b/c': '1' });
    });

  it('is what a flat map would be, with a digest that only depends on what is in it', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
        const [tree, model] = [new Tree(), new Model()];
        operations.forEach((step, i) => {
          tree.apply((i + 1) as Position, [step]);
          model.run(step);
        });
        assert.deepEqual(dump(tree), model.dump());
        assert.equal(tree.digest, treeOf(model.dump()).digest);
        assert.equal(tree.files, model.files.size);
      }),
      { numRuns: 1000 },
    );
  });

  it('gives a golden digest', () => {
    assert.equal(treeOf({}).digest, EMPTY_DIGEST);
    assert.equal(
      treeOf({ 'global.xml': '<global/>', 'styles/a.sld': 'ü' }).digest,
      '3b23e9762d53c4f0571fee421fecf09ab49feb57a71153b320ce964ec84ec3d5',
    );
  });
});

describe('a draft', () => {
  it('shows its own changes, and the tree shows none', () => {
    const tree = treeOf({ 'a/x': '1', 'b/y': '2' });
    const draft = new TreeDraft(tree);
    draft.put(treePath('a/z'), bytes('3'));
    draft.move(treePath('b'), treePath('c/d'));
    assert.deepEqual(dump(draft), { 'a/x': '1', 'a/z': '3', 'c/d/y': '2' });
    assert.deepEqual(draft.list(''), ['a/', 'c/']);
    assert.deepEqual(dump(tree), { 'a/x': '1', 'b/y': '2' });
  });

  it('is out of date once the tree has moved on', () => {
    const tree = treeOf({ a: '1' });
    const draft = new TreeDraft(tree);
    tree.apply(2 as Position, []);
    assert.throws(() => draft.read('a' as TreePath), /out of date/);
    assert.throws(() => draft.put('a' as TreePath, bytes('2')), /out of date/);
  });

  it('refuses what the tree would ignore', () => {
    const draft = new TreeDraft(treeOf({ 'a/b/c': '1', 'gwc/x.xml': '2' }));
    assert.throws(() => draft.put(treePath('cluster/x'), bytes('')), PathError);
    assert.throws(() => draft.move(treePath('a'), treePath('a/b')), PathError);
    assert.throws(() => draft.move(treePath('a/b'), treePath('a')), PathError);
    assert.throws(() => draft.move(treePath('a'), treePath('tmp')), PathError);
    assert.throws(() => draft.move(treePath('gwc'), treePath('x')), PathError);
  });

  it('records no operation that did nothing', () => {
    const draft = new TreeDraft(treeOf({ a: '1' }));
    draft.delete(treePath('b'));
    draft.move(treePath('a'), treePath('a'));
    assert.deepEqual(draft.operations, []);
  });

  it('foretells the digest, the files and the bytes, with forks kept and dropped', () => {
    const step = fc.record({ operation, fork: fc.constantFrom('none', 'open', 'keep', 'drop') });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 12 }), fc.array(step, { maxLength: 20 }), (before, steps) => {
        const tree = new Tree();
        tree.apply(1 as Position, before);
        const stack = [new TreeDraft(tree)];
        for (const { operation: next, fork } of steps) {
          const top = stack.at(-1)!;
          if (fork === 'open') stack.push(top.fork());
          else if (fork !== 'none' && stack.length > 1) {
            stack.pop();
            const expected = fork === 'keep' ? dump(top) : dump(stack.at(-1)!);
            if (fork === 'keep') top.keep();
            assert.deepEqual(dump(stack.at(-1)!), expected);
          }
          const draft = stack.at(-1)!;
          try {
            if (next.kind === 'put') draft.put(next.path, next.content);
            else if (next.kind === 'delete') draft.delete(next.path);
            else draft.move(next.from, next.to);
          } catch (error) {
            assert.ok(error instanceof PathError);
          }
        }
        while (stack.length > 1) stack.pop()!.keep();
        const draft = stack[0]!;
        const [expected, digest, touched] = [dump(draft), draft.digest(), draft.touched()];
        assert.deepEqual(tree.apply(2 as Position, draft.operations), touched);
        assert.deepEqual(dump(tree), expected);
        assert.equal(tree.digest, digest);
        assert.equal(treeOf(dump(tree)).digest, digest);
        assert.equal(tree.files, draft.files);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a record', () => {
  const record = (operations: FileOperation[]): TreeRecord => ({
    format: 1,
    kind: 'changes',
    digest: EMPTY_DIGEST,
    changes: [{ id: 'c1', at: '2025-01-01T00:00:00.000Z', by: 'admin', node: 'n1', why: 'PUT /rest/x', operations }],
  });

  it('can be read by a person', () => {
    assert.equal(
      Buffer.from(encodeRecord(record([put('a', 'ü\n'), move('a', 'b'), del('c')]))).toString(),
      `{"format":1,"kind":"changes","digest":"${EMPTY_DIGEST}","changes":[{"id":"c1","at":"2025-01-01T00:00:00.000Z","by":"admin",` +
        '"node":"n1","why":"PUT /rest/x","operations":[{"put":"a","text":"ü\\n"},{"move":"a","to":"b"},{"delete":"c"}]}]}',
    );
  });

  it('comes back as it was', () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 50 }),
      fc.string().map(bytes),
      fc.constant(bytes(`\ufeff${'x'.repeat(9000)}`)),
    );
    fc.assert(
      fc.property(fc.array(content), (contents) => {
        const original = record(
          contents.map((each) => ({
            kind: 'put',
            path: treePath('a'),
            content: { kind: 'inline', bytes: Buffer.from(each) },
          })),
        );
        assert.deepEqual(decodeRecord(encodeRecord(original)), original);
      }),
    );
    const blob = record([
      { kind: 'put', path: treePath('a'), content: { kind: 'blob', hash: contentHash(bytes('')), size: 9 } },
    ]);
    assert.deepEqual(decodeRecord(encodeRecord(blob)), blob);
    const genesis: TreeRecord = {
      format: 1,
      kind: 'genesis',
      logId: 'l',
      snapshot: { hash: contentHash(bytes('')), size: 3 },
      digest: EMPTY_DIGEST,
      at: '2025-01-01T00:00:00.000Z',
      node: 'n',
    };
    assert.deepEqual(decodeRecord(encodeRecord(genesis)), genesis);
  });

  it('is packed when long', () => assert.ok(encodeRecord(record([put('a', 'x'.repeat(100_000))])).length < 1000));

  it('of a newer format is refused as such', () =>
    assert.throws(() => decodeRecord(bytes('{"format":2,"anything":true}')), NewerFormatError));

  for (const text of [
    '',
    'x',
    '{}',
    '[]',
    'null',
    '{"format":1}',
    '{"format":1,"kind":"x"}',
    '{"format":1,"kind":"changes"}',
    '\x28\xb5\x2f\xfd',
    '{"format":1,"kind":"changes","changes":[{"operations":[{"put":"../x","text":""}]}]}',
    '{"format":1,"kind":"changes","changes":[{"operations":[{"put":"x"}]}]}',
  ])
    it(`is not ${JSON.stringify(text)}`, () =>
      assert.throws(() => decodeRecord(Buffer.from(text, 'latin1')), CorruptRecordError));
});
