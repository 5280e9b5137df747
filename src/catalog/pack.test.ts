/** A catalog that starts from packed objects answers as one that parses every file. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Position, Tree, TreePath } from '../tree/index.ts';
import { Catalog } from './catalog.ts';
import type { CatalogObject } from './objects.ts';
import { PACK_FORMAT, unpackObjects } from './pack.ts';
import { answers, catalogOf, dataDirectories, SMALL, treeOfFolder } from './testing/fixtures.ts';

/**
 * When this fails: the readers, or the types that they fill, have changed, and objects packed before are not what would be read
 * now. Count up `PACK_FORMAT`, and put the new hash here.
 */
test('the format is counted up when the readers change', () => {
  const hash = createHash('sha256');
  const files = [
    'objects.ts',
    'brief-map.ts',
    'paths.ts',
    'pack.ts',
    ...globSync('codec/*.ts', { cwd: import.meta.dirname }),
  ];
  for (const file of files.filter((name) => !name.endsWith('.test.ts')).sort())
    hash.update(readFileSync(path.join(import.meta.dirname, file)));
  assert.deepEqual([PACK_FORMAT, hash.digest('hex').slice(0, 16)], [1, 'e2f88a80972fe59d']);
});

const pack = (catalog: Catalog) => Buffer.concat([...catalog.pack()]);
const unpack = (bytes: Uint8Array) =>
  new Map([...unpackObjects(bytes)].flat().map((object) => [object.path as string, object]));

/** Every object of a catalog, by path. */
function objectsOf(catalog: Catalog, tree: Tree): readonly (CatalogObject | undefined)[] {
  return Array.from(tree.walk(), ([file]) => catalog.at(file));
}

const directories = dataDirectories();
for (const folder of directories)
  describe(path.basename(folder), () => {
    const tree = treeOfFolder(folder);
    const parsed = new Catalog(tree);
    const bytes = pack(parsed);

    test('objects come back as they were', async () => {
      const opened = await Catalog.open(tree, unpack(bytes));
      assert.deepStrictEqual(objectsOf(opened, tree), objectsOf(parsed, tree));
      assert.deepStrictEqual(answers(opened), answers(parsed));
      const broken = [...parsed.broken()].filter(({ path: file }) => parsed.at(file) === undefined).length;
      assert.ok(opened.unpacked <= broken + globSync('{,workspaces/*/}styles/*.xml', { cwd: folder }).length);
    });

    test('and after files were changed, moved and removed meanwhile', () => {
      const paths = Array.from(tree.walk(), ([file]) => file);
      const pick = fc.nat(paths.length - 1).map((n) => paths[n]!);
      fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(fc.nat(2), pick, pick), { maxLength: 12 }), async (edits) => {
          const later = treeOfFolder(folder);
          later.apply(
            2 as Position,
            edits.map(([kind, a, b]) => {
              if (kind === 0) return { kind: 'delete', path: a };
              if (kind === 1) return { kind: 'move', from: a, to: b };
              return { kind: 'put', path: a, content: { kind: 'inline', bytes: tree.read(b)! } };
            }),
          );
          const opened = await Catalog.open(later, unpack(bytes));
          assert.deepStrictEqual(answers(opened), answers(new Catalog(later)));
        }),
        { numRuns: 5 },
      );
    });
  });

describe('packed objects', () => {
  const catalog = catalogOf(SMALL);
  const bytes = pack(catalog);

  test('hold everything that can be read', () => {
    assert.equal(unpack(bytes).size, Object.keys(SMALL).filter((file) => file.endsWith('.xml')).length);
  });

  test('are not used when another version wrote them', () => {
    const other = Buffer.from(bytes);
    other.write('9', other.indexOf('"catalog":') + '"catalog":'.length);
    assert.equal(unpack(other).size, 0);
  });

  test('are not used when they are damaged', () => {
    const header = bytes.indexOf('\n') + 1;
    for (let at = header; at < bytes.length; at += 11) {
      const bad = Buffer.from(bytes);
      bad[at] = bad[at]! ^ 0x10;
      assert.equal(unpack(bad).size, 0, `byte ${at}`);
      assert.equal(unpack(bytes.subarray(0, at)).size, 0, `cut at ${at}`);
    }
    for (const foreign of ['', 'x', '{}\n', 'PK']) assert.equal(unpack(Buffer.from(foreign)).size, 0);
  });

  test('count what the next start would have to parse', async () => {
    const { tree } = catalog.base;
    const opened = await Catalog.open(tree, unpack(bytes));
    assert.equal(opened.unpacked, 0);
    opened.apply([{ kind: 'put', path: 'styles/point.xml' as TreePath }]);
    assert.equal(opened.unpacked, 1);
    pack(opened);
    assert.equal(opened.unpacked, 0);
  });
});
