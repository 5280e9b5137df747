/** Stores of all four kinds: their endpoints differ in words, not in kind. */
import { UserError } from '../base/index.ts';
import { changeStore, createStore, deleteStore, type Store } from '../catalog/index.ts';
import type { XmlElement } from '../xml/index.ts';
import { type Answer, el, OK } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { findStore, findWorkspace } from './find.ts';
import { referenceOf, textOf, withChild, withoutLinks } from './payload.ts';
import { presentList, presentStore, rootOf, STORE_KINDS } from './present.ts';
import { OBJECT_TYPES, type Route } from './routes.ts';
import { restoreSecrets } from './secrets.ts';

export const storeRoutes: readonly Route[] = (Object.keys(STORE_KINDS) as Store['kind'][]).flatMap(routesOf);

function routesOf(kind: Store['kind']): Route[] {
  const { path, list } = STORE_KINDS[kind];
  const stores = `/workspaces/{workspace}/${path}`;
  const store = `${stores}/{store}`;
  const find = (x: Exchange) => findStore(x.view, kind, { workspace: x.param('workspace'), store: x.param('store') });
  const reset = (method: 'POST' | 'PUT'): Route => ({
    method,
    path: `${store}/reset`,
    summary: 'Lets go of what is open or cached of a store, on this node',
    local: true,
    handle: (x) => {
      x.deps.data.forget(find(x).id);
      return OK;
    },
  });
  return [
    {
      method: 'GET',
      path: stores,
      summary: `Lists the ${list} of a workspace`,
      produces: ['json', 'xml', 'html'],
      handle: (x) => {
        const name = x.param('workspace');
        const workspace = findWorkspace(x.view, name, `No such workspace : ${name}`);
        const found = [...x.view.stores(workspace)].filter((s) => s.kind === kind);
        return presentList(
          { list, item: kind },
          found.map((s) => ({ name: s.name, link: x.link('workspaces', workspace.name, path, s.name) })),
        );
      },
    },
    {
      method: 'POST',
      path: stores,
      summary: 'Makes a store; nothing is connected to yet',
      consumes: OBJECT_TYPES,
      handle: (x) => postStore(x, kind),
    },
    {
      method: 'GET',
      path: store,
      summary: 'Shows a store; secrets are replaced by placeholders',
      produces: ['json', 'xml', 'html'],
      query: ['quietOnNotFound'],
      handle: (x) => ({ kind: 'object', element: presentStore(x, find(x)) }),
    },
    {
      method: 'PUT',
      path: store,
      summary: 'Changes a store; what is absent stays, collections are replaced whole',
      consumes: OBJECT_TYPES,
      handle: (x) => putStore(x, kind),
    },
    {
      method: 'DELETE',
      path: store,
      summary: 'Removes a store; with recurse=true its resources and layers as well',
      query: ['recurse', 'purge'],
      handle: async (x) => {
        const recurse = x.flag('recurse');
        const names = { workspace: x.param('workspace'), store: x.param('store') };
        const id = await x.write<undefined, string>({
          evaluate: (draft) => {
            const found = findStore(draft, kind, names);
            deleteStore(draft, found, { recurse }, x.env());
            return found.id;
          },
        });
        if (id !== undefined) x.deps.data.forget(id);
        return OK;
      },
    },
    reset('POST'),
    reset('PUT'),
  ];
}

async function postStore(x: Exchange, kind: Store['kind']): Promise<Answer> {
  const sent = withoutLinks(await x.readObject(kind));
  const name = textOf(sent, 'name');
  if (name === undefined) throw new UserError(400, 'name-missing', `a ${kind} needs a name`);
  const element = forNewStore(kind, restoreSecrets(sent, undefined));
  const inUrl = x.param('workspace');
  const inBody = referenceOf(sent, 'workspace');
  await x.write({
    evaluate: (draft) => {
      const workspace = findWorkspace(draft, inUrl, `No such workspace : ${inUrl}`);
      refuseOtherWorkspace(workspace.name, inBody);
      createStore(draft, workspace, element, x.env());
    },
  });
  return { kind: 'created', name, location: x.url('workspaces', inUrl, STORE_KINDS[kind].path, name) };
}

/** A new store is enabled, whatever was sent; only a coverage store says for itself. */
function forNewStore(kind: Store['kind'], element: XmlElement): XmlElement {
  if (kind !== 'coverageStore' || element.child('enabled') === undefined)
    return withChild(element, el('enabled', 'true'));
  return element;
}

async function putStore(x: Exchange, kind: Store['kind']): Promise<Answer> {
  const sent = withoutLinks(await x.readObject(kind));
  const inBody = referenceOf(sent, 'workspace');
  const names = { workspace: x.param('workspace'), store: x.param('store') };
  const id = await x.write<undefined, string>({
    evaluate: (draft) => {
      const store = findStore(draft, kind, names);
      if (kind === 'wmsStore' || kind === 'wmtsStore') {
        if (textOf(sent, 'name') !== store.name)
          throw new UserError(
            403,
            'rename-refused',
            `Attempting to rename ${kind} from ${store.name} to ${textOf(sent, 'name')} via PUT: send its name unchanged`,
          );
        refuseOtherWorkspace(draft.workspaceOf(store)?.name ?? names.workspace, inBody);
      }
      const patch = restoreSecrets(sent, { element: rootOf(draft, store), id: store.id });
      changeStore(draft, store, patch, x.env());
      return store.id;
    },
  });
  if (id !== undefined) x.deps.data.forget(id);
  return OK;
}

function refuseOtherWorkspace(inUrl: string, inBody: string | undefined): void {
  if (inBody !== undefined && inBody !== inUrl)
    throw new UserError(403, 'workspace-mismatch', `Expected workspace ${inUrl} but client specified ${inBody}`);
}
