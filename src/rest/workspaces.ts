import { UserError } from '../base/index.ts';
import { changeWorkspace, createWorkspace, deleteWorkspace, setDefaultWorkspace } from '../catalog/index.ts';
import { OK } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { findWorkspace } from './find.ts';
import { parseBoolean } from './negotiation.ts';
import { textOf } from './payload.ts';
import { presentList, presentWorkspace } from './present.ts';
import { OBJECT_TYPES, type Route } from './routes.ts';

export const workspaceRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/workspaces',
    summary: 'Lists the workspaces',
    produces: ['json', 'xml', 'html'],
    handle: (x) =>
      presentList(
        { list: 'workspaces', item: 'workspace' },
        Array.from(x.view.workspaces(), ({ name }) => ({ name, link: x.link('workspaces', name) })),
      ),
  },
  {
    method: 'POST',
    path: '/workspaces',
    summary: 'Makes a workspace and its namespace',
    consumes: OBJECT_TYPES,
    query: ['default'],
    handle: postWorkspace,
  },
  {
    method: 'GET',
    path: '/workspaces/{workspace}',
    summary: 'Shows a workspace; "default" is the default one',
    produces: ['json', 'xml', 'html'],
    handle: (x) => ({ kind: 'object', element: presentWorkspace(x, findWorkspace(x.view, x.param('workspace'))) }),
  },
  {
    method: 'PUT',
    path: '/workspaces/{workspace}',
    summary: 'Renames a workspace or changes its isolation; on "default", selects the default workspace',
    consumes: OBJECT_TYPES,
    handle: putWorkspace,
  },
  {
    method: 'DELETE',
    path: '/workspaces/{workspace}',
    summary: 'Removes a workspace; with recurse=true everything in it as well',
    query: ['recurse'],
    handle: async (x) => {
      const recurse = x.flag('recurse');
      await x.write({
        evaluate: (draft) => deleteWorkspace(draft, findWorkspace(draft, x.param('workspace')), { recurse }, x.env()),
      });
      return OK;
    },
  },
];

async function postWorkspace(x: Exchange) {
  const element = await x.readObject('workspace');
  const name = textOf(element, 'name');
  if (name === undefined) throw new UserError(400, 'name-missing', 'a workspace needs a name');
  if (name === 'default') throw new UserError(400, 'reserved-name', "a workspace cannot be named 'default'");
  const makeDefault = x.flag('default');
  await x.write({
    evaluate: (draft) => {
      createWorkspace(draft, { name, isolated: isolationOf(element) ?? false, makeDefault }, x.env());
    },
  });
  return { kind: 'created' as const, name, location: x.url('workspaces', name) };
}

async function putWorkspace(x: Exchange) {
  const element = await x.readObject('workspace');
  const name = textOf(element, 'name');
  if (element.child('name') !== undefined && name === undefined)
    throw new UserError(403, 'name-missing', 'The workspace name cannot be empty');
  await x.write({
    evaluate: (draft) => {
      if (x.param('workspace') === 'default' && draft.workspace('default') === undefined) {
        if (name === undefined) throw new UserError(403, 'name-missing', 'The workspace name cannot be empty');
        setDefaultWorkspace(draft, findWorkspace(draft, name));
        return;
      }
      const isolated = isolationOf(element);
      const change = { ...(name === undefined ? {} : { name }), ...(isolated === undefined ? {} : { isolated }) };
      changeWorkspace(draft, findWorkspace(draft, x.param('workspace')), change, x.env());
    },
  });
  return OK;
}

/** @throws UserError  400 when it is neither true nor false */
export function isolationOf(element: Parameters<typeof textOf>[0]): boolean | undefined {
  const text = textOf(element, 'isolated');
  if (text === undefined) return undefined;
  const value = parseBoolean(text);
  if (value === undefined) throw new UserError(400, 'bad-value', `isolated: "${text}" is neither true nor false`);
  return value;
}
