import type { ContentHash, Digest, FileOperation, FileStat, TreePath } from '../tree/index.ts';
import type {
  BrokenFile,
  CatalogObject,
  Coverage,
  CoverageStore,
  DataStore,
  FeatureType,
  GlobalSettings,
  Layer,
  LayerGroup,
  LocalSettings,
  LoggingSettings,
  Namespace,
  ObjectKind,
  RemoteLayer,
  RemoteStore,
  ServiceSettings,
  Style,
  Workspace,
} from './objects.ts';

export type Store = DataStore | CoverageStore | RemoteStore;
export type Resource = FeatureType | Coverage | RemoteLayer;

/**
 * Look-ups in a catalog. Everything is in memory and indexed: no method here costs more than what it returns.
 * Lists are in the order of names.
 */
export interface CatalogView {
  /** The object that was read from a file. */
  at(path: TreePath): CatalogObject | undefined;
  byId<K extends ObjectKind>(kind: K, id: string): Extract<CatalogObject, { kind: K }> | undefined;

  workspaces(): Iterable<Workspace>;
  workspace(name: string): Workspace | undefined;
  defaultWorkspace(): Workspace | undefined;
  /** All namespaces, or those with a URI. */
  namespaces(uri?: string): Iterable<Namespace>;
  namespace(prefix: string): Namespace | undefined;

  /** Stores of a workspace. */
  stores(workspace: Workspace): Iterable<Store>;
  store(workspace: Workspace, name: string): Store | undefined;
  storeById(id: string): Store | undefined;

  /** Resources of a store, or of a workspace. */
  resources(of: Store | Workspace): Iterable<Resource>;
  resource(of: Store | Workspace, name: string): Resource | undefined;
  resourceById(id: string): Resource | undefined;

  /** The workspace that an object belongs to; of a resource the one whose name is its namespace's prefix. */
  workspaceOf(object: CatalogObject): Workspace | undefined;

  /** All layers, or those of a workspace. */
  layers(workspace?: Workspace): Iterable<Layer>;
  /** By `workspace:name`, or by plain name: the default workspace's first, then any. */
  layer(name: string, workspace?: Workspace): Layer | undefined;
  /** Layers that publish a resource. */
  layersOf(resource: Resource): Iterable<Layer>;
  /** A layer's name is its resource's. */
  nameOf(layer: Layer): string;
  resourceOf(layer: Layer): Resource | undefined;
  layerById(id: string): Layer | undefined;

  /** Global groups when no workspace is given. */
  layerGroups(workspace?: Workspace): Iterable<LayerGroup>;
  allLayerGroups(): Iterable<LayerGroup>;
  layerGroup(name: string, workspace?: Workspace): LayerGroup | undefined;
  /** Groups that hold a layer, a group or a style. */
  groupsWith(id: string): Iterable<LayerGroup>;

  /** Global styles when no workspace is given. */
  styles(workspace?: Workspace): Iterable<Style>;
  style(name: string, workspace?: Workspace): Style | undefined;
  styleById(id: string): Style | undefined;
  /** Layers that use a style, as default or otherwise. */
  layersWithStyle(styleId: string): Iterable<Layer>;

  service(service: string, workspace?: Workspace): ServiceSettings | undefined;
  globalSettings(): GlobalSettings | undefined;
  localSettings(workspace: Workspace): LocalSettings | undefined;
  logging(): LoggingSettings | undefined;

  counts(): Readonly<Record<ObjectKind, number>>;
  broken(): Iterable<BrokenFile>;

  // ---- files

  /** Bytes of any file of the tree. Synchronous: from memory, or one small read. */
  read(path: TreePath): Uint8Array | undefined;
  hash(path: TreePath): ContentHash | undefined;
  /** Hash, and size in bytes. */
  stat(path: TreePath): FileStat | undefined;
  /** Names of what is directly in a folder, sorted; folders end with `/`. Empty when there is no such folder. */
  list(folder: TreePath | ''): readonly string[];
  exists(path: TreePath): boolean;
}

/**
 * A catalog with changes that nobody else sees yet. Look-ups see the changes at once. A draft is good until its base moves:
 * it is made, filled and taken in one synchronous stretch.
 */
export interface Draft extends CatalogView {
  put(path: TreePath, bytes: Uint8Array): void;
  /**
   * Writes a file whose contents were staged on this node, by their hash: they are never in memory as a whole. A file of the
   * catalog is read all the same.
   */
  putBlob(path: TreePath, blob: FileStat): void;
  /** Removes a file, or a folder with everything in it. */
  delete(path: TreePath): void;
  /** Renames a file or folder; one small operation in the log, however much is in the folder. */
  move(from: TreePath, to: TreePath): void;
  readonly operations: readonly FileOperation[];
  /** Digest of the tree with the draft in it. */
  digest(): Digest;
  /** By path, what the files hold that it wrote: whoever carries out its operations need not read them again. */
  contents(): ReadonlyMap<string, CatalogObject>;
  /** A draft on top of this one; what it records goes into this one when it is kept, and is forgotten otherwise. */
  fork(): Draft & { keep(): void };
}
