/**
 * What references lead to. A reference is an id; in old and hand-made files also a name, with its workspace where that is
 * not plain (`topp:roads`). Nothing is stored resolved: an owner may come, go and change its name without its objects
 * being touched.
 */
import type { CatalogObject, Layer, Namespace, ObjectKind, Style, Workspace } from './objects.ts';
import { folderOf, inFolder } from './paths.ts';
import { mergeEntries } from './sorted-list.ts';
import type { FileEntry, IndexName, Tables } from './tables.ts';
import type { Resource, Store } from './view.ts';

/** Index of the ids that a kind shares; uniqueness of ids is per index. */
export const idIndexOf: Readonly<Record<ObjectKind, IndexName>> = {
  workspace: 'workspace.id',
  namespace: 'namespace.id',
  dataStore: 'store.id',
  coverageStore: 'store.id',
  wmsStore: 'store.id',
  wmtsStore: 'store.id',
  featureType: 'resource.id',
  coverage: 'resource.id',
  wmsLayer: 'resource.id',
  wmtsLayer: 'resource.id',
  layer: 'layer.id',
  layerGroup: 'layerGroup.id',
  style: 'style.id',
  // Shipped files share literal ids (`wms`), and nothing refers to them.
  service: 'settings.id',
  global: 'settings.id',
  settings: 'settings.id',
  logging: 'settings.id',
};

function object<T>(entry: FileEntry | undefined): T | undefined {
  return entry?.object as T | undefined;
}

export function workspaceByName(tables: Tables, name: string): Workspace | undefined {
  return object(tables.named('workspaces', '', name)[0]);
}

export function namespaceByPrefix(tables: Tables, prefix: string): Namespace | undefined {
  return object(tables.named('namespaces', '', prefix)[0]);
}

export function workspaceByRef(tables: Tables, ref: string): Workspace | undefined {
  return object<Workspace>(tables.first('workspace.id', ref)) ?? workspaceByName(tables, ref);
}

export function namespaceByRef(tables: Tables, ref: string): Namespace | undefined {
  return object<Namespace>(tables.first('namespace.id', ref)) ?? namespaceByPrefix(tables, ref);
}

export function namespaceOf(tables: Tables, workspace: Workspace): Namespace | undefined {
  return namespaceByPrefix(tables, workspace.name);
}

/** Indexes by owner, and where the owner's id is looked up. */
const ownerIds: Readonly<Partial<Record<IndexName, IndexName>>> = {
  'stores.workspace': 'workspace.id',
  'styles.workspace': 'workspace.id',
  'layerGroups.workspace': 'workspace.id',
  'services.workspace': 'workspace.id',
  'settings.workspace': 'workspace.id',
  'resources.store': 'store.id',
  'resources.namespace': 'namespace.id',
  'layers.namespace': 'namespace.id',
  'layers.resource': 'resource.id',
  'layers.style': 'style.id',
};

/** Whether files may refer to an owner by its name here: not when the name is an id, which comes first. */
function nameRefers(tables: Tables, index: IndexName, owner: Owner): boolean {
  if (owner.name === owner.id || !tables.has(index, owner.name)) return false;
  const ids = ownerIds[index];
  return ids === undefined || tables.first(ids, owner.name) === undefined;
}

interface Owner {
  readonly id: string;
  /** As files refer to it by name. */
  readonly name: string;
}

/** Entries under an owner's id, and under its name where files refer to it so; by name. */
export function ownedBy(tables: Tables, index: IndexName, owner: Owner): Iterable<FileEntry> {
  const byId = tables.items(index, owner.id);
  return nameRefers(tables, index, owner) ? mergeEntries(byId, tables.items(index, owner.name)) : byId;
}

/** The entry of a name under an owner that comes first by path. */
export function namedIn(tables: Tables, index: IndexName, owner: Owner, name: string): FileEntry | undefined {
  const byId = tables.named(index, owner.id, name)[0];
  const byName = nameRefers(tables, index, owner) ? tables.named(index, owner.name, name)[0] : undefined;
  if (byId === undefined || byName === undefined) return byId ?? byName;
  return byId.object.path < byName.object.path ? byId : byName;
}

/** `workspace:name` in its two parts; undefined for a plain name. */
export function splitName(name: string): readonly [workspace: string, name: string] | undefined {
  const colon = name.indexOf(':');
  return colon <= 0 ? undefined : [name.slice(0, colon), name.slice(colon + 1)];
}

export function storeByRef(tables: Tables, ref: string): Store | undefined {
  const byId = object<Store>(tables.first('store.id', ref));
  if (byId !== undefined) return byId;
  const parts = splitName(ref);
  const workspace = parts && workspaceByName(tables, parts[0]);
  return workspace && object(namedIn(tables, 'stores.workspace', workspace, parts![1]));
}

export function resourceById(tables: Tables, id: string): Resource | undefined {
  return object(tables.first('resource.id', id));
}

const resourceFileNames = ['featuretype.xml', 'coverage.xml', 'wmslayer.xml', 'wmtslayer.xml'] as const;

/** A layer's resource: by id, or the one in the layer's own folder when the layer calls it by name. */
export function resourceOf(tables: Tables, layer: Layer): Resource | undefined {
  const byId = resourceById(tables, layer.resourceId);
  if (byId !== undefined) return byId;
  const folder = folderOf(layer.path);
  for (const file of resourceFileNames) {
    const entry = tables.file(inFolder(folder, file));
    if (entry === undefined || entry.object.kind === 'broken') continue;
    const resource = entry.object as Resource;
    if (callsByName(layer.resourceId, resource) && resourceById(tables, resource.id) === resource) return resource;
  }
  return undefined;
}

/** Whether a reference is a resource's name, plain or with its workspace. */
export function callsByName(ref: string, resource: Resource): boolean {
  return ref === resource.name || ref.endsWith(`:${resource.name}`);
}

export function styleByRef(tables: Tables, ref: string): Style | undefined {
  const byId = object<Style>(tables.first('style.id', ref));
  if (byId !== undefined) return byId;
  const parts = splitName(ref);
  const workspace = parts && workspaceByName(tables, parts[0]);
  if (workspace !== undefined) return object(namedIn(tables, 'styles.workspace', workspace, parts![1]));
  return object(tables.named('styles.workspace', '', ref)[0]);
}

export function layerByRef(tables: Tables, ref: string): Layer | undefined {
  return object<Layer>(tables.first('layer.id', ref)) ?? layerByName(tables, ref);
}

/** A layer by `workspace:name`, or by plain name: the default workspace's first, then any. */
export function layerByName(tables: Tables, name: string, preferred?: Workspace): Layer | undefined {
  const parts = splitName(name);
  if (parts !== undefined) {
    const workspace = workspaceByName(tables, parts[0]);
    const found = workspace && layerIn(tables, workspace, parts[1]);
    if (found !== undefined) return found;
  }
  const favoured = preferred && layerIn(tables, preferred, name);
  if (favoured !== undefined) return favoured;
  for (const entry of tables.named('layers', '', name))
    if (isLive(tables, entry.object as Layer)) return entry.object as Layer;
  return undefined;
}

export function layerIn(tables: Tables, workspace: Workspace, name: string): Layer | undefined {
  const namespace = namespaceOf(tables, workspace);
  if (namespace === undefined) return undefined;
  const entry = namedIn(tables, 'layers.namespace', { id: namespace.id, name: namespace.prefix }, name);
  return entry !== undefined && isLive(tables, entry.object as Layer) ? (entry.object as Layer) : undefined;
}

/** Whether everything that an object belongs to is there: only then does it stand in lists. */
export function isLive(tables: Tables, candidate: CatalogObject): boolean {
  switch (candidate.kind) {
    case 'dataStore':
    case 'coverageStore':
    case 'wmsStore':
    case 'wmtsStore':
      return workspaceByRef(tables, candidate.workspaceId) !== undefined;
    case 'featureType':
    case 'coverage':
    case 'wmsLayer':
    case 'wmtsLayer': {
      const store = storeByRef(tables, candidate.storeId);
      return (
        store !== undefined && isLive(tables, store) && namespaceByRef(tables, candidate.namespaceId) !== undefined
      );
    }
    case 'layer': {
      const resource = resourceOf(tables, candidate);
      return resource !== undefined && isLive(tables, resource);
    }
    case 'style':
    case 'layerGroup':
    case 'service':
    case 'settings':
      return candidate.workspaceId === undefined || workspaceByRef(tables, candidate.workspaceId) !== undefined;
    default:
      return true;
  }
}
