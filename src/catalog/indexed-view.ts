import type { ContentHash, FileStat, TreePath, TreeReader } from '../tree/index.ts';
import type {
  BrokenFile,
  CatalogObject,
  GlobalSettings,
  Layer,
  LayerGroup,
  LocalSettings,
  LoggingSettings,
  Namespace,
  ObjectKind,
  ServiceSettings,
  Style,
  Workspace,
} from './objects.ts';
import { DEFAULT_WORKSPACE_FILE, folderOf, GLOBAL_FILE, inFolder, LOGGING_FILE } from './paths.ts';
import { brokenFiles } from './problems.ts';
import {
  idIndexOf,
  isLive,
  layerByName,
  layerByRef,
  layerIn,
  namedIn,
  namespaceByPrefix,
  namespaceByRef,
  namespaceOf,
  ownedBy,
  resourceById,
  resourceOf,
  storeByRef,
  styleByRef,
  workspaceByName,
  workspaceByRef,
} from './resolve.ts';
import { mergeEntries } from './sorted-list.ts';
import type { FileEntry, Tables } from './tables.ts';
import type { CatalogView, Resource, Store } from './view.ts';

const KINDS = Object.keys(idIndexOf) as ObjectKind[];

/** Look-ups over indexes and a tree: the same for the catalog and for drafts. */
export abstract class IndexedView implements CatalogView {
  protected abstract readonly tables: Tables;
  protected abstract readonly tree: TreeReader;

  at(path: TreePath): CatalogObject | undefined {
    const object = this.tables.file(path)?.object;
    return object === undefined || object.kind === 'broken' ? undefined : object;
  }

  byId<K extends ObjectKind>(kind: K, id: string): Extract<CatalogObject, { kind: K }> | undefined {
    const index = idIndexOf[kind];
    if (index !== 'settings.id') {
      const object = this.tables.first(index, id)?.object;
      return object?.kind === kind ? (object as Extract<CatalogObject, { kind: K }>) : undefined;
    }
    for (const { object } of this.tables.items(index, id))
      if (object.kind === kind) return object as Extract<CatalogObject, { kind: K }>;
    return undefined;
  }

  workspaces(): Iterable<Workspace> {
    return objects(this.tables.items('workspaces', ''));
  }

  workspace(name: string): Workspace | undefined {
    return workspaceByName(this.tables, name);
  }

  defaultWorkspace(): Workspace | undefined {
    const pointer = this.at(DEFAULT_WORKSPACE_FILE);
    if (pointer?.kind === 'workspace') {
      const named = workspaceByRef(this.tables, pointer.id) ?? this.workspace(pointer.name);
      if (named !== undefined) return named;
    }
    for (const workspace of this.workspaces()) return workspace;
    return undefined;
  }

  namespaces(uri?: string): Iterable<Namespace> {
    return objects(uri === undefined ? this.tables.items('namespaces', '') : this.tables.items('namespaces.uri', uri));
  }

  namespace(prefix: string): Namespace | undefined {
    return namespaceByPrefix(this.tables, prefix);
  }

  stores(workspace: Workspace): Iterable<Store> {
    return objects(ownedBy(this.tables, 'stores.workspace', workspace));
  }

  store(workspace: Workspace, name: string): Store | undefined {
    return namedIn(this.tables, 'stores.workspace', workspace, name)?.object as Store | undefined;
  }

  storeById(id: string): Store | undefined {
    return storeByRef(this.tables, id);
  }

  *resources(of: Store | Workspace): Iterable<Resource> {
    for (const entry of this.#resourceEntries(of)) {
      const resource = entry.object as Resource;
      if (isLive(this.tables, resource)) yield resource;
    }
  }

  resource(of: Store | Workspace, name: string): Resource | undefined {
    const found = (of.kind === 'workspace' ? this.#resourceIn(of, name) : this.#resourceOfStore(of, name)) as
      | Resource
      | undefined;
    return found !== undefined && isLive(this.tables, found) ? found : undefined;
  }

  resourceById(id: string): Resource | undefined {
    return resourceById(this.tables, id);
  }

  workspaceOf(object: CatalogObject): Workspace | undefined {
    switch (object.kind) {
      case 'workspace':
        return object;
      case 'namespace':
        return this.workspace(object.prefix);
      case 'featureType':
      case 'coverage':
      case 'wmsLayer':
      case 'wmtsLayer': {
        const namespace = namespaceByRef(this.tables, object.namespaceId);
        return namespace && this.workspace(namespace.prefix);
      }
      case 'layer': {
        const resource = this.resourceOf(object);
        return resource && this.workspaceOf(resource);
      }
      case 'global':
      case 'logging':
        return undefined;
      default:
        return object.workspaceId === undefined ? undefined : workspaceByRef(this.tables, object.workspaceId);
    }
  }

  *layers(workspace?: Workspace): Iterable<Layer> {
    for (const { object } of this.#layerEntries(workspace))
      if (isLive(this.tables, object as Layer)) yield object as Layer;
  }

  layer(name: string, workspace?: Workspace): Layer | undefined {
    if (workspace === undefined) return layerByName(this.tables, name, this.defaultWorkspace());
    const plain = layerIn(this.tables, workspace, name);
    if (plain !== undefined || !name.startsWith(`${workspace.name}:`)) return plain;
    return layerIn(this.tables, workspace, name.slice(workspace.name.length + 1));
  }

  layersOf(resource: Resource): Iterable<Layer> {
    if (resourceById(this.tables, resource.id) !== resource) return [];
    const beside = this.tables.file(inFolder(folderOf(resource.path), 'layer.xml'));
    const byId = this.tables.items('layers.resource', resource.id);
    return objects(beside !== undefined && this.#callsByName(beside, resource) ? mergeEntries(byId, [beside]) : byId);
  }

  nameOf(layer: Layer): string {
    return resourceOf(this.tables, layer)?.name ?? '';
  }

  resourceOf(layer: Layer): Resource | undefined {
    return resourceOf(this.tables, layer);
  }

  layerById(id: string): Layer | undefined {
    return layerByRef(this.tables, id);
  }

  layerGroups(workspace?: Workspace): Iterable<LayerGroup> {
    return objects(
      workspace === undefined
        ? this.tables.items('layerGroups.workspace', '')
        : ownedBy(this.tables, 'layerGroups.workspace', workspace),
    );
  }

  *allLayerGroups(): Iterable<LayerGroup> {
    for (const { object } of this.tables.items('layerGroups', ''))
      if (isLive(this.tables, object as LayerGroup)) yield object as LayerGroup;
  }

  layerGroup(name: string, workspace?: Workspace): LayerGroup | undefined {
    const found =
      workspace === undefined
        ? this.tables.named('layerGroups.workspace', '', name)[0]
        : namedIn(this.tables, 'layerGroups.workspace', workspace, name);
    return found?.object as LayerGroup | undefined;
  }

  groupsWith(id: string): Iterable<LayerGroup> {
    return objects(this.tables.items('layerGroups.member', id));
  }

  styles(workspace?: Workspace): Iterable<Style> {
    return objects(
      workspace === undefined
        ? this.tables.items('styles.workspace', '')
        : ownedBy(this.tables, 'styles.workspace', workspace),
    );
  }

  style(name: string, workspace?: Workspace): Style | undefined {
    const found =
      workspace === undefined
        ? this.tables.named('styles.workspace', '', name)[0]
        : namedIn(this.tables, 'styles.workspace', workspace, name);
    return found?.object as Style | undefined;
  }

  styleById(id: string): Style | undefined {
    return styleByRef(this.tables, id);
  }

  *layersWithStyle(styleId: string): Iterable<Layer> {
    const style = this.styleById(styleId);
    const entries =
      style === undefined
        ? this.tables.items('layers.style', styleId)
        : ownedBy(this.tables, 'layers.style', { id: style.id, name: this.#styleName(style) });
    for (const { object } of entries) if (isLive(this.tables, object as Layer)) yield object as Layer;
  }

  service(service: string, workspace?: Workspace): ServiceSettings | undefined {
    const found =
      workspace === undefined
        ? this.tables.named('services.workspace', '', service)[0]
        : namedIn(this.tables, 'services.workspace', workspace, service);
    return found?.object as ServiceSettings | undefined;
  }

  globalSettings(): GlobalSettings | undefined {
    return this.at(GLOBAL_FILE) as GlobalSettings | undefined;
  }

  localSettings(workspace: Workspace): LocalSettings | undefined {
    return namedIn(this.tables, 'settings.workspace', workspace, '')?.object as LocalSettings | undefined;
  }

  logging(): LoggingSettings | undefined {
    return this.at(LOGGING_FILE) as LoggingSettings | undefined;
  }

  counts(): Readonly<Record<ObjectKind, number>> {
    const counts = Object.fromEntries(KINDS.map((kind) => [kind, this.tables.count(kind)])) as Record<
      ObjectKind,
      number
    >;
    // The copy in workspaces/default.xml is no workspace of its own.
    if (this.at(DEFAULT_WORKSPACE_FILE) !== undefined) counts.workspace--;
    return counts;
  }

  broken(): Iterable<BrokenFile> {
    return brokenFiles(this.tables);
  }

  read(path: TreePath): Uint8Array | undefined {
    return this.tree.read(path);
  }

  hash(path: TreePath): ContentHash | undefined {
    return this.tree.stat(path)?.hash;
  }

  stat(path: TreePath): FileStat | undefined {
    return this.tree.stat(path);
  }

  list(folder: TreePath | ''): readonly string[] {
    return this.tree.list(folder);
  }

  exists(path: TreePath): boolean {
    return this.tree.stat(path) !== undefined || this.tree.isFolder(path);
  }

  #callsByName({ object }: FileEntry, resource: Resource): boolean {
    return (
      object.kind === 'layer' &&
      object.resourceId !== resource.id &&
      resourceOf(this.tables, object) === resource &&
      this.tables.first('layer.id', object.id)?.object === object
    );
  }

  #styleName(style: Style): string {
    const workspace = this.workspaceOf(style);
    return workspace === undefined ? style.name : `${workspace.name}:${style.name}`;
  }

  #layerEntries(workspace: Workspace | undefined): Iterable<FileEntry> {
    if (workspace === undefined) return this.tables.items('layers', '');
    const namespace = namespaceOf(this.tables, workspace);
    return namespace === undefined
      ? []
      : ownedBy(this.tables, 'layers.namespace', { id: namespace.id, name: namespace.prefix });
  }

  #resourceEntries(of: Store | Workspace): Iterable<FileEntry> {
    if (of.kind !== 'workspace')
      return ownedBy(this.tables, 'resources.store', { id: of.id, name: this.#storeName(of) });
    const namespace = namespaceOf(this.tables, of);
    return namespace === undefined
      ? []
      : ownedBy(this.tables, 'resources.namespace', { id: namespace.id, name: namespace.prefix });
  }

  #resourceIn(workspace: Workspace, name: string): CatalogObject | undefined {
    const namespace = namespaceOf(this.tables, workspace);
    if (namespace === undefined) return undefined;
    const owner = { id: namespace.id, name: namespace.prefix };
    return namedIn(this.tables, 'resources.namespace', owner, name)?.object as CatalogObject | undefined;
  }

  #resourceOfStore(store: Store, name: string): CatalogObject | undefined {
    const owner = { id: store.id, name: this.#storeName(store) };
    return namedIn(this.tables, 'resources.store', owner, name)?.object as CatalogObject | undefined;
  }

  /** As files refer to a store by name. */
  #storeName(store: Store): string {
    const workspace = workspaceByRef(this.tables, store.workspaceId);
    return workspace === undefined ? store.name : `${workspace.name}:${store.name}`;
  }
}

function objects<T extends CatalogObject>(entries: Iterable<FileEntry>): IteratorObject<T, undefined> {
  return Iterator.from(entries).map((entry) => entry.object as T) as IteratorObject<T, undefined>;
}
