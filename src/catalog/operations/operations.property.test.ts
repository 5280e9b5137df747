/** Whatever is asked for, in whatever order: nothing is left dangling, and all ways to the state agree. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UserError } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import { parseXml } from '../../xml/index.ts';
import { Catalog } from '../catalog.ts';
import { draftOf } from '../draft.ts';
import { answers, SMALL, treeOf } from '../testing/fixtures.ts';
import type { Draft } from '../view.ts';
import type { Env } from './env.ts';
import * as op from './index.ts';

/** Names, some of which are there from the start, and one that a path must survive. */
const name = fc.constantFrom('topp', 'pg', 'roads', 'lakes', 'map', 'water', 'a', 'b', 'layer.xml');

interface Arguments {
  readonly draft: Draft;
  readonly env: Env;
  readonly names: readonly string[];
  readonly flag: boolean;
  /** Chooses among what is there. */
  readonly pick: number;
}

const xml = (text: string) => parseXml(text).root;

function choose<T>(things: Iterable<T>, pick: number): T {
  const all = [...things];
  if (all.length === 0) throw new UserError(404, 'nothing', 'there is none');
  return all[pick % all.length]!;
}

const workspace = ({ draft, pick }: Arguments) => choose(draft.workspaces(), pick);
const store = (a: Arguments) =>
  choose(
    [...a.draft.workspaces()].flatMap((w) => [...a.draft.stores(w)]),
    a.pick,
  );
const resource = (a: Arguments) =>
  choose(
    [...a.draft.workspaces()].flatMap((w) => [...a.draft.resources(w)]),
    a.pick,
  );
const layer = (a: Arguments) => choose(a.draft.layers(), a.pick);
const group = (a: Arguments) => choose(a.draft.allLayerGroups(), a.pick);
const scope = (a: Arguments) => (a.flag ? workspace(a) : undefined);
const style = (a: Arguments) => choose(a.draft.styles(scope(a)), a.pick);

const operations: Readonly<Record<string, (a: Arguments) => unknown>> = {
  createWorkspace: (a) => op.createWorkspace(a.draft, { name: a.names[0]!, makeDefault: a.flag }, a.env),
  renameWorkspace: (a) => op.changeWorkspace(a.draft, workspace(a), { name: a.names[0]!, isolated: a.flag }, a.env),
  deleteWorkspace: (a) => op.deleteWorkspace(a.draft, workspace(a), { recurse: a.flag }, a.env),
  setDefault: (a) => op.setDefaultWorkspace(a.draft, workspace(a)),
  createNamespace: (a) => op.createNamespace(a.draft, { prefix: a.names[0]!, uri: `http://${a.names[1]}` }, a.env),
  changeNamespace: (a) =>
    op.changeNamespace(a.draft, choose(a.draft.namespaces(), a.pick), { uri: `urn:${a.names[0]}` }, a.env),
  createStore: (a) =>
    op.createStore(a.draft, workspace(a), xml(`<dataStore><name>${a.names[0]}</name></dataStore>`), a.env),
  renameStore: (a) =>
    op.changeStore(a.draft, store(a), xml(`<dataStore><name>${a.names[0]}</name></dataStore>`), a.env),
  deleteStore: (a) => op.deleteStore(a.draft, store(a), { recurse: a.flag }, a.env),
  publish: (a) => {
    const made = op.createResource(
      a.draft,
      store(a),
      xml(`<featureType><name>${a.names[0]}</name></featureType>`),
      a.env,
    );
    op.createLayer(a.draft, made, { geometry: a.flag ? 'Point' : 'Polygon' }, a.env);
  },
  renameResource: (a) =>
    op.changeResource(a.draft, resource(a), xml(`<featureType><name>${a.names[0]}</name></featureType>`), a.env),
  deleteResource: (a) => op.deleteResource(a.draft, resource(a), { recurse: a.flag }, a.env),
  changeLayer: (a) =>
    op.changeLayer(a.draft, layer(a), xml(`<layer><defaultStyle>${a.names[0]}</defaultStyle></layer>`), a.env),
  addStyle: (a) => op.addStyleToLayer(a.draft, layer(a), style(a), { makeDefault: a.flag }, a.env),
  deleteLayer: (a) => op.deleteLayer(a.draft, layer(a), { recurse: a.flag }, a.env),
  createGroup: (a) =>
    op.createLayerGroup(
      a.draft,
      scope(a),
      xml(
        `<layerGroup><name>${a.names[0]}</name><publishables>${a.names.map((n, i) => `<published type="${(a.pick + i) % 3 === 0 ? 'layerGroup' : 'layer'}"><name>${n}</name></published>`).join('')}</publishables></layerGroup>`,
      ),
      a.env,
    ),
  changeGroup: (a) =>
    op.changeLayerGroup(
      a.draft,
      group(a),
      xml(
        `<layerGroup><publishables><published type="${a.flag ? 'layerGroup' : 'layer'}"><name>${a.names[0]}</name></published></publishables><styles><style>${a.names[1]}</style></styles></layerGroup>`,
      ),
      a.env,
    ),
  deleteGroup: (a) => op.deleteLayerGroup(a.draft, group(a), a.env),
  createStyle: (a) =>
    op.createStyle(
      a.draft,
      scope(a),
      xml(`<style><name>${a.names[0]}</name></style>`),
      a.env,
      a.flag ? Buffer.from('<s/>') : undefined,
    ),
  renameStyle: (a) => op.changeStyle(a.draft, style(a), xml(`<style><name>${a.names[0]}</name></style>`), a.env),
  writeStyle: (a) =>
    op.writeStyleBody(a.draft, style(a), Buffer.from('x'), { format: a.pick % 2 ? 'css' : 'sld' }, a.env),
  deleteStyle: (a) => op.deleteStyle(a.draft, style(a), { recurse: a.pick % 2 === 0, purge: a.flag }, a.env),
  localSettings: (a) =>
    op.changeLocalSettings(a.draft, workspace(a), xml('<settings><verbose>true</verbose></settings>'), a.env),
  service: (a) => op.changeService(a.draft, scope(a), xml(`<wms><title>${a.names[0]}</title></wms>`), a.env),
};

const call = fc.record({
  operation: fc.constantFrom(...Object.keys(operations)),
  names: fc.tuple(name, name),
  flag: fc.boolean(),
  pick: fc.nat(9),
});

/** What refers to something that is not there, as far as lists show it. */
function dangling(view: Draft): string[] {
  const found = Array.from(view.broken(), ({ problem }) => problem);
  for (const layer of view.layers())
    for (const id of [layer.defaultStyleId, ...layer.styleIds])
      if (id !== undefined && view.styleById(id) === undefined) found.push(`${layer.path}: style ${id}`);
  for (const group of view.allLayerGroups()) {
    if (group.publishables.length === 0) found.push(`${group.path} is empty`);
    if (group.styleIds.length !== group.publishables.length) found.push(`${group.path}: styles`);
    for (const member of group.publishables)
      if (member !== undefined && view.byId(member.type, member.id) === undefined)
        found.push(`${group.path}: ${member.id}`);
    for (const id of group.styleIds)
      if (id !== undefined && view.styleById(id) === undefined) found.push(`${group.path}: style ${id}`);
  }
  return found;
}

test('operations keep the catalog whole', () => {
  fc.assert(
    fc.property(fc.array(fc.array(call, { maxLength: 12 }), { maxLength: 4 }), (drafts) => {
      const tree = treeOf(SMALL);
      const catalog = new Catalog(tree);
      let seed = 7;
      const env: Env = {
        now: 0,
        random: () => {
          seed = (seed * 48271) % 2147483647;
          return seed / 2147483647;
        },
        user: 'anna',
      };
      for (const calls of drafts) {
        const draft = draftOf(catalog);
        for (const { operation, ...rest } of calls) {
          const fork = draft.fork();
          try {
            operations[operation]!({ draft: fork, env, ...rest });
          } catch (error) {
            if (!(error instanceof UserError)) throw error;
            continue;
          }
          assert.deepEqual(dangling(fork), [], operation);
          fork.keep();
        }
        const seen = answers(draft);
        catalog.apply(tree.apply((tree.position + 1) as Position, draft.operations));
        assert.deepEqual(answers(catalog), seen);
        assert.deepEqual(answers(new Catalog(tree)), seen);
      }
    }),
    { numRuns: 120 },
  );
});
