import { UserError } from '../base/index.ts';
import type { CatalogView } from '../catalog/index.ts';
import {
  changeNamespace,
  createNamespace,
  deleteNamespace,
  type Namespace,
  setDefaultWorkspace,
} from '../catalog/index.ts';
import { el, OK } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { findWorkspace } from './find.ts';
import { textOf } from './payload.ts';
import { presentList } from './present.ts';
import { OBJECT_TYPES, type Route } from './routes.ts';
import { isolationOf } from './workspaces.ts';

export const namespaceRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/namespaces',
    summary: 'Lists the namespaces by prefix',
    produces: ['json', 'xml', 'html'],
    handle: (x) =>
      presentList(
        { list: 'namespaces', item: 'namespace' },
        Array.from(x.view.namespaces(), ({ prefix }) => ({ name: prefix, link: x.link('namespaces', prefix) })),
      ),
  },
  {
    method: 'POST',
    path: '/namespaces',
    summary: 'Makes a namespace and its workspace',
    consumes: OBJECT_TYPES,
    handle: async (x) => {
      const element = await x.readObject('namespace');
      const prefix = textOf(element, 'prefix');
      const uri = textOf(element, 'uri');
      if (prefix === undefined || uri === undefined)
        throw new UserError(400, 'name-missing', 'a namespace needs a prefix and a uri');
      const isolated = isolationOf(element);
      await x.write({
        evaluate: (draft) => {
          createNamespace(draft, { prefix, uri, ...(isolated === undefined ? {} : { isolated }) }, x.env());
        },
      });
      return { kind: 'created', name: prefix, location: x.url('namespaces', prefix) };
    },
  },
  {
    method: 'GET',
    path: '/namespaces/{prefix}',
    summary: 'Shows a namespace; "default" is that of the default workspace',
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const namespace = findNamespace(x.view, x.param('prefix'));
      const { prefix, uri, isolated } = namespace;
      return {
        kind: 'object',
        element: el('namespace', [el('prefix', prefix), el('uri', uri), el('isolated', isolated)]),
      };
    },
  },
  {
    method: 'PUT',
    path: '/namespaces/{prefix}',
    summary: 'Changes the URI or the isolation of a namespace; on "default", selects the default one',
    consumes: OBJECT_TYPES,
    handle: putNamespace,
  },
  {
    method: 'DELETE',
    path: '/namespaces/{prefix}',
    summary: 'Removes a namespace that has no resources; its workspace stays',
    handle: async (x) => {
      if (x.param('prefix') === 'default')
        throw new UserError(405, 'default-namespace', 'the default namespace cannot be removed');
      await x.write({ evaluate: (draft) => deleteNamespace(draft, findNamespace(draft, x.param('prefix'))) });
      return OK;
    },
  },
];

async function putNamespace(x: Exchange) {
  const element = await x.readObject('namespace');
  const prefix = textOf(element, 'prefix');
  const uri = textOf(element, 'uri');
  const isolated = isolationOf(element);
  await x.write({
    evaluate: (draft) => {
      if (x.param('prefix') === 'default' && prefix !== undefined) {
        setDefaultWorkspace(draft, findWorkspace(draft, prefix));
        return;
      }
      const change = {
        ...(prefix === undefined ? {} : { prefix }),
        ...(uri === undefined ? {} : { uri }),
        ...(isolated === undefined ? {} : { isolated }),
      };
      changeNamespace(draft, findNamespace(draft, x.param('prefix')), change, x.env());
    },
  });
  return OK;
}

function findNamespace(view: CatalogView, prefix: string): Namespace {
  const byDefault = prefix === 'default' ? view.defaultWorkspace()?.name : undefined;
  const namespace = view.namespace(prefix) ?? (byDefault === undefined ? undefined : view.namespace(byDefault));
  if (namespace === undefined) throw new UserError(404, 'namespace-not-found', `No such namespace: '${prefix}' found`);
  return namespace;
}
