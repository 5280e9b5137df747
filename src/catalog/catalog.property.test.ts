/** A draft, the catalog that follows the tree, and one built anew must answer alike, whatever happens to the files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Position, TreePath } from '../tree/index.ts';
import { Catalog } from './catalog.ts';
import { draftOf } from './draft.ts';
import { answers, SMALL, style, treeOf } from './testing/fixtures.ts';
import type { Draft } from './view.ts';

type Step =
  | { readonly kind: 'put'; readonly path: string; readonly text: string }
  | { readonly kind: 'delete'; readonly path: string }
  | { readonly kind: 'move'; readonly from: string; readonly to: string };

// Few names, so that ids, names and references collide and dangle all the time.
const folder = fc.constantFrom('a', 'b', 'c');
const id = fc.constantFrom('1', '2', '3');
const ref = fc.oneof(
  id.map((value) => `<id>${value}</id>`),
  folder.map((value) => `<name>${value}</name>`),
  fc.tuple(folder, folder).map(([workspace, name]) => `<name>${workspace}:${name}</name>`),
  fc.constant(''),
);
const own = fc.tuple(id, folder).map(([key, name]) => `<id>${key}</id><name>${name}</name>`);

const file: fc.Arbitrary<readonly string[]> = fc.oneof(
  fc.tuple(folder, own).map(([f, o]) => [`workspaces/${f}/workspace.xml`, `<workspace>${o}</workspace>`]),
  own.map((o) => ['workspaces/default.xml', `<workspace>${o}</workspace>`]),
  fc
    .tuple(folder, id, folder)
    .map(([f, key, prefix]) => [
      `workspaces/${f}/namespace.xml`,
      `<namespace><id>${key}</id><prefix>${prefix}</prefix><uri>u</uri></namespace>`,
    ]),
  fc
    .tuple(folder, folder, own, ref)
    .map(([f, g, o, r]) => [
      `workspaces/${f}/${g}/datastore.xml`,
      `<dataStore>${o}<workspace>${r}</workspace></dataStore>`,
    ]),
  fc
    .tuple(folder, folder, folder, own, ref, ref)
    .map(([f, g, h, o, store, namespace]) => [
      `workspaces/${f}/${g}/${h}/featuretype.xml`,
      `<featureType>${o}<namespace>${namespace}</namespace><store>${store}</store></featureType>`,
    ]),
  fc
    .tuple(folder, folder, folder, id, ref, ref)
    .map(([f, g, h, key, resource, used]) => [
      `workspaces/${f}/${g}/${h}/layer.xml`,
      `<layer><id>${key}</id><resource>${resource}</resource><defaultStyle>${used}</defaultStyle><styles><style>${used}</style><style><id>1</id></style></styles></layer>`,
    ]),
  fc
    .tuple(fc.constantFrom('', 'workspaces/a/', 'workspaces/b/'), folder, own, ref)
    .map(([scope, f, o, r]) => [`${scope}styles/${f}.xml`, `<style>${o}<workspace>${r}</workspace></style>`]),
  fc
    .tuple(fc.constantFrom('', 'workspaces/a/'), folder, own, ref, ref)
    .map(([scope, f, o, r, member]) => [
      `${scope}layergroups/${f}.xml`,
      `<layerGroup>${o}<workspace>${r}</workspace><publishables><published type="layer">${member}</published></publishables><styles><style/></styles></layerGroup>`,
    ]),
  fc
    .tuple(fc.constantFrom('', 'workspaces/a/', 'workspaces/b/'), ref)
    .map(([scope, r]) => [`${scope}wms.xml`, `<wms><id>wms</id><workspace>${r}</workspace></wms>`]),
  fc
    .tuple(folder, ref)
    .map(([f, r]) => [`workspaces/${f}/settings.xml`, `<settings><workspace>${r}</workspace></settings>`]),
  folder.map((f) => [`workspaces/${f}/workspace.xml`, '<workspace><broken>']),
);

const place = fc.oneof(
  file.map(([path]) => path!),
  folder.map((f) => `workspaces/${f}`),
  fc.tuple(folder, folder).map(([f, g]) => `workspaces/${f}/${g}`),
  fc.tuple(folder, folder, folder).map(([f, g, h]) => `workspaces/${f}/${g}/${h}`),
  fc.constantFrom('styles', 'layergroups', 'workspaces/a/styles'),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: file.map(([path, text]) => ({ kind: 'put' as const, path: path!, text: text! })) },
  { weight: 1, arbitrary: place.map((path) => ({ kind: 'delete' as const, path })) },
  { weight: 2, arbitrary: fc.tuple(place, place).map(([from, to]) => ({ kind: 'move' as const, from, to })) },
);

function run(draft: Draft, taken: Step): void {
  switch (taken.kind) {
    case 'put':
      draft.put(taken.path as TreePath, Buffer.from(taken.text));
      break;
    case 'delete':
      draft.delete(taken.path as TreePath);
      break;
    case 'move':
      if (taken.to.startsWith(`${taken.from}/`) || taken.from.startsWith(`${taken.to}/`)) return;
      draft.move(taken.from as TreePath, taken.to as TreePath);
  }
}

/** Runs steps in drafts, some of them in forks that are kept or forgotten, and applies each draft to one catalog. */
function holds(
  files: Readonly<Record<string, string>>,
  drafts: readonly (readonly (readonly [Step, 'plain' | 'kept' | 'forgotten'])[])[],
) {
  const tree = treeOf(files);
  const catalog = new Catalog(tree);
  for (const [n, steps] of drafts.entries()) {
    const draft = draftOf(catalog);
    for (const [taken, how] of steps) {
      if (how === 'plain') run(draft, taken);
      else {
        const before = how === 'forgotten' ? answers(draft) : undefined;
        const fork = draft.fork();
        run(fork, taken);
        const inFork = answers(fork);
        if (how === 'kept') {
          fork.keep();
          assert.deepEqual(answers(draft), inFork);
        } else assert.deepEqual(answers(draft), before);
      }
    }
    const seen = answers(draft);
    const digest = draft.digest();
    // As on the node that made the change, and as on the others.
    const read = n % 2 === 0 ? draft.contents() : undefined;
    catalog.apply(tree.apply((tree.position + 1) as Position, draft.operations), read);
    assert.deepEqual(answers(catalog), seen, 'the catalog answers as the draft did');
    assert.deepEqual(seen, answers(new Catalog(tree)), 'a catalog built anew answers the same');
    assert.equal(tree.digest, digest);
  }
}

const how = fc.constantFrom('plain' as const, 'plain' as const, 'kept' as const, 'forgotten' as const);

test('from nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.tuple(step, how), { maxLength: 25 }), { maxLength: 4 }), (drafts) =>
      holds({}, drafts),
    ),
    { numRuns: 500 },
  );
});

test('from a catalog as GeoServer writes it', () => {
  const files = { ...SMALL, ...style('other') };
  const known = fc.constantFrom(
    ...Object.keys(files),
    'workspaces/topp',
    'workspaces/topp/pg',
    'workspaces/topp/pg/roads',
  );
  const disturb: fc.Arbitrary<Step> = fc.oneof(
    known.map((path) => ({ kind: 'delete' as const, path })),
    fc.tuple(known, place).map(([from, to]) => ({ kind: 'move' as const, from, to })),
    fc.tuple(known, known).map(([from, to]) => ({ kind: 'move' as const, from, to })),
    step,
  );
  fc.assert(
    fc.property(fc.array(fc.array(fc.tuple(disturb, how), { maxLength: 8 }), { maxLength: 3 }), (drafts) =>
      holds(files, drafts),
    ),
    { numRuns: 500 },
  );
});
