/** Look-ups for handlers: what a URL names, or 404 in GeoServer's words. */
import { UserError } from '../base/index.ts';
import type { CatalogView, Layer, LayerGroup, Resource, Store, Style, Workspace } from '../catalog/index.ts';

function notFound(what: string, message: string): UserError {
  return new UserError(404, `${what}-not-found`, message);
}

/** The workspace of a URL; `default` is the default one. */
export function findWorkspace(
  view: CatalogView,
  name: string,
  message = `No such workspace: '${name}' found`,
): Workspace {
  const workspace = name === 'default' ? (view.workspace(name) ?? view.defaultWorkspace()) : view.workspace(name);
  if (workspace === undefined) throw notFound('workspace', message);
  return workspace;
}

const STORE_WORDS = {
  dataStore: 'datastore',
  coverageStore: 'coverage store',
  wmsStore: 'wms store',
  wmtsStore: 'wmts store',
} as const satisfies Record<Store['kind'], string>;

export function findStore<K extends Store['kind']>(
  view: CatalogView,
  kind: K,
  names: { readonly workspace: string; readonly store: string },
): Extract<Store, { kind: 'dataStore' | 'coverageStore' | 'wmsStore' | 'wmtsStore' }> & { kind: K } {
  const workspace = findWorkspace(view, names.workspace, `No such workspace : ${names.workspace}`);
  const store = view.store(workspace, names.store);
  if (store === undefined || store.kind !== kind)
    throw notFound('store', `No such ${STORE_WORDS[kind]}: ${names.workspace},${names.store}`);
  return store as never;
}

export function findResource<K extends Resource['kind']>(
  of: { readonly view: CatalogView; readonly kind: K; readonly word: string },
  names: { readonly workspace: string; readonly store?: string; readonly resource: string },
): Extract<Resource, { kind: unknown }> & { kind: K } {
  const { view, kind, word } = of;
  const said = [names.workspace, names.store, names.resource].filter((name) => name !== undefined).join(',');
  const workspace = view.workspace(names.workspace);
  const home = workspace && (names.store === undefined ? workspace : view.store(workspace, names.store));
  const resource = home && view.resource(home, names.resource);
  if (resource === undefined || resource.kind !== kind) throw notFound('resource', `No such ${word}: ${said}`);
  return resource as never;
}

export function findLayer(view: CatalogView, name: string, workspaceName?: string): Layer {
  const workspace =
    workspaceName === undefined
      ? undefined
      : findWorkspace(view, workspaceName, `Workspace ${workspaceName} not found`);
  const local =
    workspace !== undefined && name.startsWith(`${workspace.name}:`) ? name.slice(workspace.name.length + 1) : name;
  const layer = view.layer(local, workspace);
  if (layer === undefined)
    throw notFound(
      'layer',
      workspaceName === undefined ? `No such layer: ${name}` : `No such layer: ${name} in workspace ${workspaceName}`,
    );
  return layer;
}

export function findStyle(view: CatalogView, name: string, workspaceName?: string): Style {
  const workspace =
    workspaceName === undefined
      ? undefined
      : findWorkspace(view, workspaceName, `Workspace ${workspaceName} not found`);
  const style = view.style(name, workspace);
  if (style === undefined)
    throw notFound(
      'style',
      workspaceName === undefined ? `No such style: ${name}` : `No such style ${name} in workspace ${workspaceName}`,
    );
  return style;
}

export function findLayerGroup(view: CatalogView, name: string, workspaceName?: string): LayerGroup {
  const workspace =
    workspaceName === undefined
      ? undefined
      : findWorkspace(view, workspaceName, `Workspace ${workspaceName} not found`);
  const group = view.layerGroup(name, workspace);
  if (group === undefined)
    throw notFound(
      'layer-group',
      `No such layer group ${name}${workspaceName === undefined ? '' : ` in workspace ${workspaceName}`}`,
    );
  return group;
}

/** The workspace of a workspace-scoped URL, or undefined for a global one. */
export function scopeOf(view: CatalogView, workspaceName: string | undefined): Workspace | undefined {
  return workspaceName === undefined
    ? undefined
    : findWorkspace(view, workspaceName, `Workspace ${workspaceName} not found`);
}
