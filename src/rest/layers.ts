import { UserError } from '../base/index.ts';
import { addStyleToLayer, changeLayer, deleteLayer, type Layer } from '../catalog/index.ts';
import { type Answer, OK } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { findLayer, findStyle, findWorkspace } from './find.ts';
import { textOf, withoutChildren, withoutLinks, withStyleIds } from './payload.ts';
import { presentLayer, presentList, stylePath } from './present.ts';
import { OBJECT_TYPES, type Route } from './routes.ts';

export const layerRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/layers',
    summary: 'Lists all layers, with their workspaces',
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const named = Array.from(x.view.layers(), (layer) => qualifiedName(x, layer)).sort();
      return presentList(
        { list: 'layers', item: 'layer' },
        named.map((name) => ({ name, link: x.link('layers', name) })),
      );
    },
  },
  {
    method: 'GET',
    path: '/workspaces/{workspace}/layers',
    summary: 'Lists the layers of a workspace',
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const workspace = findWorkspace(x.view, x.param('workspace'), `No such workspace : ${x.param('workspace')}`);
      const names = Array.from(x.view.layers(workspace), (layer) => x.view.nameOf(layer));
      return presentList(
        { list: 'layers', item: 'layer' },
        names.map((name) => ({ name, link: x.link('workspaces', workspace.name, 'layers', name) })),
      );
    },
  },
  ...routesOf('/layers/{layer}'),
  ...routesOf('/workspaces/{workspace}/layers/{layer}'),
  {
    method: 'GET',
    path: '/layers/{layer}/styles',
    summary: 'Lists the further styles of a layer',
    produces: ['json', 'xml', 'html'],
    handle: (x) => {
      const layer = findLayer(x.view, x.param('layer'));
      const styles = layer.styleIds.flatMap((id) => x.view.styleById(id) ?? []);
      return presentList(
        { list: 'styles', item: 'style' },
        styles.map((style) => {
          const workspace = style.workspaceId === undefined ? undefined : x.view.workspaceOf(style);
          const name = workspace === undefined ? style.name : `${workspace.name}:${style.name}`;
          return { name, link: x.link(...stylePath(x.view, style)) };
        }),
      );
    },
  },
  {
    method: 'POST',
    path: '/layers/{layer}/styles',
    summary: 'Adds an existing style to a layer; with default=true as its default',
    consumes: OBJECT_TYPES,
    query: ['default'],
    handle: postLayerStyle,
  },
];

function routesOf(path: string): Route[] {
  const find = (x: Exchange, view = x.view) => findLayer(view, x.param('layer'), x.params.workspace);
  return [
    {
      method: 'GET',
      path,
      summary: 'Shows a layer, by "workspace:name" or by name',
      produces: ['json', 'xml', 'html'],
      handle: (x) => ({ kind: 'object', element: presentLayer(x, find(x)) }),
    },
    {
      method: 'PUT',
      path,
      summary: 'Changes a layer: styles, queryable, opaque, attribution, ...',
      consumes: OBJECT_TYPES,
      handle: async (x) => {
        // A layer is its resource's: neither the name nor the resource can be set here.
        const patch = withoutChildren(withoutLinks(await x.readObject('layer')), 'resource', 'name', 'type');
        await x.write({
          evaluate: (draft) => {
            const layer = find(x, draft);
            const workspace = draft.workspaceOf(layer)?.name;
            changeLayer(draft, layer, withStyleIds(draft, patch, workspace), x.env());
          },
        });
        return OK;
      },
    },
    {
      method: 'DELETE',
      path,
      summary: 'Removes a layer, not its resource; with recurse=true that too',
      query: ['recurse'],
      handle: async (x) => {
        const recurse = x.flag('recurse');
        await x.write({ evaluate: (draft) => deleteLayer(draft, find(x, draft), { recurse }, x.env()) });
        return OK;
      },
    },
  ];
}

async function postLayerStyle(x: Exchange): Promise<Answer> {
  const element = await x.readObject('style');
  const name = textOf(element, 'name');
  if (name === undefined) throw new UserError(400, 'name-missing', 'the name of an existing style is expected');
  const makeDefault = x.flag('default');
  await x.write({
    evaluate: (draft) => {
      const layer = findLayer(draft, x.param('layer'));
      const colon = name.indexOf(':');
      const scoped = colon > 0 && draft.workspace(name.slice(0, colon)) !== undefined;
      const style = scoped
        ? findStyle(draft, name.slice(colon + 1), name.slice(0, colon))
        : (draft.style(name) ?? draft.style(name, draft.workspaceOf(layer)) ?? findStyle(draft, name));
      addStyleToLayer(draft, layer, style, { makeDefault }, x.env());
    },
  });
  return { kind: 'created', name, location: x.url('layers', x.param('layer'), 'styles', name) };
}

function qualifiedName(x: Exchange, layer: Layer): string {
  const workspace = x.view.workspaceOf(layer);
  const name = x.view.nameOf(layer);
  return workspace === undefined ? name : `${workspace.name}:${name}`;
}
