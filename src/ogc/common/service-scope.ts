import type { CatalogView, Layer, LayerGroup, ServiceSettings, Style, Workspace } from '../../catalog/index.ts';
import { OgcException } from './exceptions.ts';

/**
 * Where a request came in: `/wms` is the whole catalog, `/{workspace}/wms` one workspace of it, whose names need no prefix,
 * `/{workspace}/{layer}/wms` one layer or group.
 */
export interface ServiceScope {
  readonly workspace?: Workspace;
  /** Plain name of the only layer or group. */
  readonly layer?: string;
  /** Path below the context, without service: '', `/topp`, `/topp/states`. */
  readonly path: string;
  /** Whether names are written as `workspace:name`. */
  readonly prefixed: boolean;
}

export type Published = Layer | LayerGroup;

/**
 * The scope of a request, by the names in its path.
 *
 * @throws OgcException  with status 404: no such workspace, or no such layer in it; or only workspaces have services here
 */
export function resolveScope(
  view: CatalogView,
  names: { readonly workspace?: string | undefined; readonly layer?: string | undefined },
): ServiceScope {
  if (names.workspace === undefined) {
    if (view.globalSettings()?.globalServices === false) {
      const message =
        'services are offered by workspace only here; put the name of a workspace before that of the service';
      throw new OgcException('NoApplicableCode', message, { status: 404 });
    }
    return { path: '', prefixed: true };
  }
  const workspace = view.workspace(names.workspace);
  if (workspace === undefined)
    throw new OgcException('NoApplicableCode', `there is no workspace ${names.workspace}`, { status: 404 });
  const prefixed = view.localSettings(workspace)?.localWorkspaceIncludesPrefix ?? false;
  const path = `/${encodeURIComponent(workspace.name)}`;
  if (names.layer === undefined) return { workspace, path, prefixed };
  const scope = { workspace, layer: names.layer, path: `${path}/${encodeURIComponent(names.layer)}`, prefixed };
  if (findPublished(view, scope, names.layer) === undefined) {
    const message = `there is no layer ${names.layer} in workspace ${workspace.name}`;
    throw new OgcException('LayerNotDefined', message, { status: 404 });
  }
  return scope;
}

/** Settings of a service: those of the workspace where it has its own, otherwise the global ones. */
export function serviceSettings(view: CatalogView, scope: ServiceScope, service: string): ServiceSettings | undefined {
  return (scope.workspace && view.service(service, scope.workspace)) ?? view.service(service);
}

/** A layer or group by a name that a client sent, as far as the scope shows it. Layers win over groups of the same name. */
export function findPublished(view: CatalogView, scope: ServiceScope, name: string): Published | undefined {
  const colon = name.indexOf(':');
  const plain = colon === -1 ? name : name.slice(colon + 1);
  const prefix = colon === -1 ? undefined : name.slice(0, colon);
  if (scope.layer !== undefined && plain !== scope.layer) return undefined;
  if (scope.workspace !== undefined) {
    if (prefix !== undefined && prefix !== scope.workspace.name) return undefined;
    return view.layer(plain, scope.workspace) ?? view.layerGroup(plain, scope.workspace);
  }
  if (prefix !== undefined) {
    const workspace = view.workspace(prefix);
    // What is isolated is seen through its own workspace only.
    if (workspace === undefined || workspace.isolated) return undefined;
    return view.layer(plain, workspace) ?? view.layerGroup(plain, workspace);
  }
  const group = view.layerGroup(plain);
  const layer = view.layer(plain);
  if (layer !== undefined && view.workspaceOf(layer)?.isolated !== true) return layer;
  if (group !== undefined) return group;
  const own = view.defaultWorkspace();
  return own && view.layerGroup(plain, own);
}

/** A style by a name that a client sent: of the scope's workspace, of a workspace named in front, or a global one. */
export function findStyle(view: CatalogView, scope: ServiceScope, name: string): Style | undefined {
  const colon = name.indexOf(':');
  if (colon !== -1) {
    const workspace = view.workspace(name.slice(0, colon));
    const visible = scope.workspace === undefined || scope.workspace.id === workspace?.id;
    const style = workspace && visible ? view.style(name.slice(colon + 1), workspace) : undefined;
    if (style !== undefined) return style;
  }
  return (scope.workspace && view.style(name, scope.workspace)) ?? view.style(name);
}

/** Name of a layer, group or style as a service of this scope writes it. */
export function publicName(scope: ServiceScope, name: string, workspace: Workspace | undefined): string {
  if (workspace === undefined) return name;
  return scope.workspace === undefined || scope.prefixed ? `${workspace.name}:${name}` : name;
}
