import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Position, TreePath } from '../tree/index.ts';
import { Catalog } from './catalog.ts';
import { draftOf } from './draft.ts';
import { answers, catalogOf, SMALL, treeOf } from './testing/fixtures.ts';
import type { CatalogView } from './view.ts';

const at = (path: string) => path as TreePath;
const problems = (view: CatalogView) => Array.from(view.broken(), ({ path, problem }) => [path, problem]);

test('what a draft has read is not read again by the catalog that takes it, unless it could not be read', () => {
  const tree = treeOf(SMALL);
  const catalog = new Catalog(tree);
  const draft = draftOf(catalog);
  draft.put(at('workspaces/new/workspace.xml'), Buffer.from('<workspace><id>new</id><name>new</name></workspace>'));
  draft.put(at('styles/bad.xml'), Buffer.from('<style>'));
  const contents = draft.contents();
  assert.deepEqual([...contents.keys()], ['workspaces/new/workspace.xml']);
  catalog.apply(tree.apply((tree.position + 1) as Position, draft.operations), contents);
  assert.equal(catalog.workspace('new'), contents.get('workspaces/new/workspace.xml'));
  assert.deepEqual(
    Array.from(catalog.broken(), ({ path }) => path),
    ['styles/bad.xml'],
  );
});

describe('look-ups', () => {
  const catalog = catalogOf(SMALL);
  const workspace = catalog.workspace('topp')!;

  test('lists are in the order of names', () => {
    assert.deepEqual(
      Array.from(catalog.layers(), (layer) => catalog.nameOf(layer)),
      ['lakes', 'roads'],
    );
    assert.deepEqual(
      Array.from(catalog.styles(), (style) => style.name),
      ['generic', 'line', 'point', 'polygon', 'water'],
    );
  });

  test('a layer is found by plain and by full name', () => {
    for (const [name, scope] of [
      ['roads', undefined],
      ['topp:roads', undefined],
      ['roads', workspace],
      ['topp:roads', workspace],
    ] as const)
      assert.equal(catalog.layer(name, scope)?.id, 'layer-1', `${name} in ${scope?.name}`);
    assert.equal(catalog.layer('other:roads'), undefined);
    assert.equal(catalog.layer('nothing'), undefined);
  });

  test('everything leads to its owner', () => {
    const layer = catalog.layer('roads')!;
    assert.equal(catalog.workspaceOf(layer), workspace);
    assert.equal(catalog.resourceOf(layer)?.name, 'roads');
    assert.equal(catalog.storeById(catalog.resourceOf(layer)!.storeId)?.name, 'pg');
    assert.deepEqual(
      Array.from(catalog.groupsWith(layer.id), (group) => group.name),
      ['map'],
    );
    assert.deepEqual(
      Array.from(catalog.layersWithStyle('style-water'), (used) => used.id),
      ['layer-2', 'layer-1'],
    );
  });

  test('default.xml is no workspace of its own', () => {
    assert.equal(catalog.counts().workspace, 1);
    assert.equal(catalog.defaultWorkspace(), workspace);
  });

  test('without default.xml the first workspace is the default', () => {
    const { 'workspaces/default.xml': _, ...files } = SMALL;
    assert.equal(catalogOf(files).defaultWorkspace()?.name, 'topp');
  });

  test('references by name lead where ids would', () => {
    const named = Object.fromEntries(
      Object.entries(SMALL).map(([path, text]) => [
        path,
        text
          .replaceAll('<id>ws-1</id>\n  </workspace>\n  <conn', '<name>topp</name></workspace><conn')
          .replaceAll(/<workspace>\s*<id>ws-1<\/id>/g, '<workspace><name>topp</name>')
          .replaceAll(/<store class="dataStore">\s*<id>store-1<\/id>/g, '<store class="dataStore"><name>topp:pg</name>')
          .replaceAll(
            /<resource class="featureType">\s*<id>ft-1<\/id>/g,
            '<resource class="featureType"><name>topp:roads</name>',
          )
          .replaceAll(/<namespace>\s*<id>ns-1<\/id>\s*<\/namespace>/g, '<namespace>topp</namespace>')
          .replaceAll(/<defaultStyle>\s*<id>style-water<\/id>/g, '<defaultStyle><name>water</name>'),
      ]),
    );
    const view = catalogOf({
      ...named,
      'workspaces/topp/workspace.xml': SMALL['workspaces/topp/workspace.xml']!,
      'workspaces/default.xml': SMALL['workspaces/default.xml']!,
    });
    const strip = (value: unknown) =>
      JSON.stringify(value, (key, inner) => (/Id|hash|object/.test(key) ? undefined : inner));
    assert.equal(strip(answers(view)), strip(answers(catalog)));
  });
});

describe('what is wrong is reported, and everything else goes on', () => {
  const without = (path: string) => Object.fromEntries(Object.entries(SMALL).filter(([key]) => key !== path));

  test('a file that is not well-formed', () => {
    const path = 'workspaces/topp/pg/roads/featuretype.xml';
    const catalog = catalogOf({ ...SMALL, [path]: '<featureType>' });
    assert.equal(catalog.at(at(path)), undefined);
    assert.deepEqual(
      Array.from(catalog.layers(), (layer) => catalog.nameOf(layer)),
      ['lakes'],
    );
    assert.deepEqual(problems(catalog), [
      [path, '<featureType> is not closed (line 1, column 14)'],
      ['workspaces/topp/pg/roads/layer.xml', 'layer layer-1 belongs to resource ft-1, which is not there'],
    ]);
  });

  test('a store without its workspace takes what is in it out of the lists', () => {
    const catalog = catalogOf(without('workspaces/topp/workspace.xml'));
    assert.deepEqual([...catalog.layers()], []);
    assert.equal(catalog.at(at('workspaces/topp/pg/datastore.xml'))?.kind, 'dataStore');
    assert.deepEqual(problems(catalog), [
      ['workspaces/topp/pg/datastore.xml', 'store pg belongs to workspace ws-1, which is not there'],
    ]);
  });

  test('resources without their store', () => {
    const catalog = catalogOf(without('workspaces/topp/pg/datastore.xml'));
    assert.deepEqual([...catalog.resources(catalog.workspace('topp')!)], []);
    assert.deepEqual(problems(catalog)[0], [
      'workspaces/topp/pg/lakes/featuretype.xml',
      'feature type lakes belongs to store store-1, which is not there',
    ]);
  });

  test('of two objects with one id the first by path counts', () => {
    const catalog = catalogOf({ ...SMALL, 'styles/aqua.xml': '<style><id>style-water</id><name>aqua</name></style>' });
    assert.equal(catalog.styleById('style-water')?.name, 'aqua');
    assert.equal(catalog.style('water'), undefined);
    assert.deepEqual(problems(catalog), [
      [
        'styles/water.xml',
        'style water has the same id as styles/aqua.xml, which is used instead: give one of them another id',
      ],
    ]);
  });
});

describe('following the tree', () => {
  test('a folder that moves is not read again', () => {
    const tree = treeOf(SMALL);
    const catalog = new Catalog(tree);
    const before = catalog.at(at('workspaces/topp/pg/roads/featuretype.xml'));
    const touched = tree.apply(2 as Position, [
      { kind: 'move', from: at('workspaces/topp'), to: at('workspaces/moved') },
    ]);
    tree.read = () => assert.fail('a file was read');
    catalog.apply(touched);
    assert.deepEqual(catalog.at(at('workspaces/moved/pg/roads/featuretype.xml')), {
      ...before,
      path: 'workspaces/moved/pg/roads/featuretype.xml',
    });
    assert.equal([...catalog.layers()].length, 2);
  });

  test('a draft shows its changes, and the catalog does not', () => {
    const catalog = catalogOf(SMALL);
    const before = answers(catalog);
    const draft = draftOf(catalog);
    draft.put(at('styles/new.xml'), Buffer.from('<style><id>n</id><name>new</name></style>'));
    draft.delete(at('workspaces/topp/pg/lakes'));
    assert.equal(draft.style('new')?.id, 'n');
    assert.deepEqual(
      Array.from(draft.layers(), (layer) => draft.nameOf(layer)),
      ['roads'],
    );
    assert.equal(draft.counts().layer, 1);
    assert.deepEqual(answers(catalog), before);
  });
});
