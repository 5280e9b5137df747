/** What the endpoints of feature types, coverages and cascaded layers have in common. */
import { UserError } from '../base/index.ts';
import { type CatalogView, changeResource, deleteResource, type Resource, type Store } from '../catalog/index.ts';
import type { XmlElement } from '../xml/index.ts';
import { type Answer, el, OK } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { findResource, findStore, findWorkspace } from './find.ts';
import type { Format } from './negotiation.ts';
import { referenceOf, withoutLinks } from './payload.ts';
import { presentList, presentResource, STORE_KINDS } from './present.ts';
import { type Method, OBJECT_TYPES, type Route } from './routes.ts';

export interface ResourceEndpoints {
  readonly store: Store['kind'];
  readonly kind: Resource['kind'];
  /** Path of the collection directly below a workspace. */
  readonly path: string;
  readonly list: string;
  /** As messages call it. */
  readonly word: string;
  readonly produces: readonly Format[];
  /** Query parameter of PUT that names what is computed again. */
  readonly recalculate: 'recalculate' | 'calculate';
  /** Names of what the store holds, for `list=` other than `configured`. */
  readonly available?: (x: Exchange, store: Store, wanted: string) => Promise<readonly string[]>;
  /** Element name of an item of that list in XML. */
  readonly availableItem: string;
  /** Adds what is only known from the data. */
  readonly complete?: (x: Exchange, resource: Resource, shown: XmlElement) => Promise<XmlElement>;
  readonly create: (x: Exchange, sent: XmlElement) => Promise<Answer>;
  /** Computes what a PUT asks to be computed, before it is evaluated. */
  readonly recompute?: (x: Exchange, resource: Resource, sent: XmlElement) => Promise<readonly XmlElement[]>;
}

export function resourceRoutes(of: ResourceEndpoints): Route[] {
  const { path: storePath, children } = STORE_KINDS[of.store];
  const inStore = `/workspaces/{workspace}/${storePath}/{store}/${children.path}`;
  const inWorkspace = `/workspaces/{workspace}/${of.path}`;
  return [inStore, inWorkspace].flatMap((collection): Route[] => {
    const item = `${collection}/{resource}`;
    const reset = (method: Method): Route => ({
      method,
      path: `${item}/reset`,
      summary: 'Lets go of what is open or cached of its store, on this node',
      local: true,
      handle: (x) => {
        x.deps.data.forget(find(x, of).storeId);
        return OK;
      },
    });
    return [
      {
        method: 'GET',
        path: collection,
        summary: `Lists the ${of.list}; list=available or all names what the store holds`,
        produces: of.produces,
        query: ['list'],
        handle: (x) => list(x, of),
      },
      {
        method: 'POST',
        path: collection,
        summary: `Makes a ${of.kind} and its layer; what is not said is computed from the data`,
        consumes: OBJECT_TYPES,
        handle: async (x) => of.create(x, withoutLinks(await x.readObject(of.kind))),
      },
      {
        method: 'GET',
        path: item,
        summary: `Shows a ${of.kind}`,
        produces: of.produces,
        query: ['quietOnNotFound'],
        handle: async (x) => {
          const resource = find(x, of);
          const shown = presentResource(x, resource);
          return { kind: 'object', element: (await of.complete?.(x, resource, shown)) ?? shown };
        },
      },
      {
        method: 'PUT',
        path: item,
        summary: `Changes a ${of.kind}; what is absent stays, collections are replaced whole`,
        consumes: OBJECT_TYPES,
        query: [of.recalculate],
        handle: (x) => put(x, of),
      },
      {
        method: 'DELETE',
        path: item,
        summary: `Removes a ${of.kind}; with recurse=true its layers as well`,
        query: ['recurse'],
        handle: async (x) => {
          const recurse = x.flag('recurse');
          await x.write({ evaluate: (draft) => deleteResource(draft, find(x, of, draft), { recurse }, x.env()) });
          return OK;
        },
      },
      reset('POST'),
      reset('PUT'),
    ];
  });
}

function find(x: Exchange, of: ResourceEndpoints, view: CatalogView = x.view): Resource {
  const { store } = x.params;
  const names = {
    workspace: x.param('workspace'),
    resource: x.param('resource'),
    ...(store === undefined ? {} : { store }),
  };
  return findResource({ view, kind: of.kind, word: of.word }, names);
}

async function list(x: Exchange, of: ResourceEndpoints): Promise<Answer> {
  const workspace = findWorkspace(x.view, x.param('workspace'), `No such workspace : ${x.param('workspace')}`);
  const { store: storeName } = x.params;
  const store =
    storeName === undefined ? undefined : findStore(x.view, of.store, { workspace: workspace.name, store: storeName });
  const wanted = x.query('list') ?? 'configured';
  if (wanted !== 'configured') {
    if (of.available === undefined)
      throw new UserError(400, 'bad-parameter', `list=${wanted}: only what is configured can be listed here`);
    const stores = store === undefined ? [...x.view.stores(workspace)].filter((s) => s.kind === of.store) : [store];
    const names = await Promise.all(stores.map((s) => of.available!(x, s, wanted)));
    return nameList(of.availableItem, names.flat());
  }
  const { path, children } = STORE_KINDS[of.store];
  const base = store === undefined ? [of.path] : [path, store.name, children.path];
  const found = [...x.view.resources(store ?? workspace)].filter((resource) => resource.kind === of.kind);
  return presentList(
    { list: of.list, item: of.kind },
    found.map(({ name }) => ({ name, link: x.link('workspaces', workspace.name, ...base, name) })),
  );
}

/** Bare names: `<list><featureTypeName>a</featureTypeName></list>`, `{"list":{"string":["a"]}}`. */
function nameList(item: string, names: readonly string[]): Answer {
  return {
    kind: 'data',
    value: { list: { string: names } },
    element: el(
      'list',
      names.map((name) => el(item, name)),
    ),
  };
}

interface Recomputed {
  readonly hash: string | undefined;
  readonly elements: readonly XmlElement[];
}

async function put(x: Exchange, of: ResourceEndpoints): Promise<Answer> {
  const sent = withoutLinks(await x.readObject(of.kind));
  await x.write<Recomputed, void>({
    // The resource as it was when its data was read; if it is another now, the data is read again.
    prepare: async (view) => {
      const resource = orUndefined(() => find(x, of, view));
      if (resource === undefined || of.recompute === undefined) return { hash: resource?.hash, elements: [] };
      return { hash: resource.hash, elements: await of.recompute(x, resource, sent) };
    },
    stillHolds: ({ hash }, draft) => orUndefined(() => find(x, of, draft))?.hash === hash,
    evaluate: (draft, { elements }) => {
      const resource = find(x, of, draft);
      refuseMove(draft, resource, sent);
      const patch = el(of.kind, [
        ...sent.elements.filter((child) => child.name !== 'store' && child.name !== 'namespace'),
        ...elements,
      ]);
      changeResource(draft, resource, patch, x.env());
    },
  });
  return OK;
}

/** The value, or undefined when the caller's mistake is what keeps it: the mistake is told at the newest state. */
export function orUndefined<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

function refuseMove(view: CatalogView, resource: Resource, sent: XmlElement): void {
  const store = view.storeById(resource.storeId);
  if (store !== undefined) refuseOtherStore(view, store, sent);
}

/** @throws UserError  403 when the body names another store or namespace than the URL */
export function refuseOtherStore(view: CatalogView, store: Store, sent: XmlElement): void {
  const workspace = view.workspaceOf(store)?.name;
  const storeName = referenceOf(sent, 'store');
  if (
    storeName !== undefined &&
    storeName !== store.name &&
    storeName !== `${workspace}:${store.name}` &&
    storeName !== store.id
  )
    throw new UserError(403, 'store-mismatch', `Expected store ${store.name} but client specified ${storeName}`);
  const namespace = sent.child('namespace')?.childText('prefix') ?? referenceOf(sent, 'namespace');
  if (namespace !== undefined && namespace !== workspace && view.namespace(workspace ?? '')?.id !== namespace)
    throw new UserError(403, 'namespace-mismatch', `Expected workspace ${workspace} but client specified ${namespace}`);
}

/** The store of a POST: that of the URL, the one that the body names, or the workspace's default one. */
export function storeForNew(
  x: Exchange,
  of: { readonly store: Store['kind'] },
  options: { view: CatalogView; sent: XmlElement },
): Store {
  const { view, sent } = options;
  const { store } = x.params;
  if (store !== undefined) return findStore(view, of.store, { workspace: x.param('workspace'), store });
  const workspace = findWorkspace(view, x.param('workspace'), `No such workspace : ${x.param('workspace')}`);
  const named = referenceOf(sent, 'store');
  if (named !== undefined) {
    const local = named.startsWith(`${workspace.name}:`) ? named.slice(workspace.name.length + 1) : named;
    return findStore(view, of.store, { workspace: workspace.name, store: local });
  }
  const first = [...view.stores(workspace)].find((candidate) => candidate.kind === of.store);
  if (first === undefined)
    throw new UserError(404, 'store-not-found', `workspace ${workspace.name} has no ${of.store}: name one in the URL`);
  return first;
}
