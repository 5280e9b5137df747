/** Real data directories: everything opens, nothing is lost, and editing leaves no trace when it is undone. */
import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { Position } from '../tree/index.ts';
import { parseXml } from '../xml/index.ts';
import { Catalog } from './catalog.ts';
import { draftOf } from './draft.ts';
import { answers, dataDirectories, treeOfFolder } from './testing/fixtures.ts';
import { setText } from './write.ts';

const directories = dataDirectories();
const skip = directories.length === 0 ? 'the real data directories are not on this machine' : false;

test('there are data directories', { skip }, () => assert.ok(directories.length >= 10));

for (const folder of directories) {
  describe(path.basename(folder), () => {
    const tree = treeOfFolder(folder);
    const catalog = new Catalog(tree);
    const count = (pattern: string) => globSync(pattern, { cwd: folder }).length;

    test('as many objects as files', () => {
      const counts = catalog.counts();
      assert.equal(counts.workspace, count('workspaces/*/workspace.xml'), 'workspaces');
      assert.equal(counts.dataStore, count('workspaces/*/*/datastore.xml'), 'data stores');
      assert.equal(counts.coverageStore, count('workspaces/*/*/coveragestore.xml'), 'coverage stores');
      assert.equal(counts.featureType, count('workspaces/*/*/*/featuretype.xml'), 'feature types');
      assert.equal(counts.coverage, count('workspaces/*/*/*/coverage.xml'), 'coverages');
      assert.equal(counts.layer, count('workspaces/*/*/*/layer.xml'), 'layers');
      assert.equal(counts.style, count('{,workspaces/*/}styles/*.xml'), 'styles');
      assert.equal(counts.layerGroup, count('{,workspaces/*/}layergroups/*.xml'), 'layer groups');
      assert.equal(counts.global, existsSync(path.join(folder, 'global.xml')) ? 1 : 0);
    });

    test('nothing is broken but what shares an id', () => {
      for (const { path: file, problem } of catalog.broken()) assert.match(problem, /has the same id as/, file);
    });

    test('lists hold everything that is not reported', () => {
      const reported = new Set(Array.from(catalog.broken(), (broken) => broken.path));
      const layers = Array.from(tree.walk('workspaces' as never), ([file]) => file)
        .filter((file) => file.endsWith('/layer.xml') && !reported.has(file))
        .sort();
      assert.deepEqual(Array.from(catalog.layers(), (layer) => layer.path).sort(), layers);
      for (const layer of catalog.layers()) assert.ok(catalog.workspaceOf(layer), layer.path);
    });

    test('an element that is changed and changed back leaves the same bytes', () => {
      for (const [file] of tree.walk()) {
        const bytes = tree.read(file)!;
        const document = (() => {
          try {
            return parseXml(bytes);
          } catch {
            return undefined; // Not the catalog's, and not XML that we accept.
          }
        })();
        const child = document?.root.elements.find(
          (element) => element.elements.length === 0 && element.children.length === 1,
        );
        if (document === undefined || child === undefined || document.root.text.trim() !== '') continue;
        const before = child.text;
        const raw = document.toString();
        setText(document.root, child.name, `${before}x`);
        assert.notEqual(document.toString(), raw, file);
        setText(document.root, child.name, before);
        // The element itself is written anew, in the one canonical way; everything around it is as it was.
        const again = document.toBytes();
        assert.ok(
          Buffer.from(again).equals(bytes) || parseXml(again).root.childText(child.name) === before.trim(),
          file,
        );
        if (/^[^&<>'"\r]*$/.test(before) && !raw.includes('CDATA')) assert.ok(Buffer.from(again).equals(bytes), file);
      }
    });

    test('a draft that renames every workspace answers as a catalog built anew', () => {
      const draft = draftOf(catalog);
      for (const workspace of [...draft.workspaces()]) {
        const from = workspace.path.replace('/workspace.xml', '');
        draft.move(from as never, `${from}-moved` as never);
      }
      const copy = treeOfFolder(folder);
      copy.apply(2 as Position, draft.operations);
      assert.deepEqual(answers(draft), answers(new Catalog(copy)));
    });
  });
}
