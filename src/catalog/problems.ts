import type { BrokenFile, CatalogObject, ObjectKind } from './objects.ts';
import { idIndexOf, namespaceByRef, storeByRef, workspaceByRef } from './resolve.ts';
import type { FileEntry, IndexName, Tables } from './tables.ts';

/** Names of kinds, for people. */
const words: Readonly<Record<ObjectKind, string>> = {
  workspace: 'workspace',
  namespace: 'namespace',
  dataStore: 'store',
  coverageStore: 'coverage store',
  wmsStore: 'WMS store',
  wmtsStore: 'WMTS store',
  featureType: 'feature type',
  coverage: 'coverage',
  wmsLayer: 'WMS layer',
  wmtsLayer: 'WMTS layer',
  layer: 'layer',
  layerGroup: 'layer group',
  style: 'style',
  service: 'service',
  global: 'global settings',
  settings: 'settings',
  logging: 'logging settings',
};

/** Who must be there for the objects in an index: its keys are references to the owner. */
const owners: readonly {
  readonly index: IndexName;
  readonly owner: string;
  exists(tables: Tables, ref: string): boolean;
}[] = [
  ...(
    [
      'stores.workspace',
      'styles.workspace',
      'layerGroups.workspace',
      'services.workspace',
      'settings.workspace',
    ] as const
  ).map((index) => ({
    index,
    owner: 'workspace',
    exists: (tables: Tables, ref: string) => ref === '' || workspaceByRef(tables, ref) !== undefined,
  })),
  { index: 'resources.store', owner: 'store', exists: (tables, ref) => storeByRef(tables, ref) !== undefined },
  {
    index: 'resources.namespace',
    owner: 'namespace',
    exists: (tables, ref) => namespaceByRef(tables, ref) !== undefined,
  },
];

/**
 * Everything that is wrong with the files, each with a sentence that names the thing. The cost is that of the owners
 * (workspaces, stores) and of what is wrong; layers that hang on something missing are reported only when it is their
 * own resource.
 */
export function* brokenFiles(tables: Tables): Generator<BrokenFile> {
  for (const { object } of tables.items('unreadable', ''))
    if (object.kind === 'broken') yield { path: object.path, problem: object.problem };
  for (const { object } of tables.items('duplicates', ''))
    if (object.kind !== 'broken') yield { path: object.path, problem: duplicate(tables, object) };
  for (const { index, owner, exists } of owners)
    for (const key of tables.keys(index))
      if (!exists(tables, key)) for (const entry of tables.items(index, key)) yield dangling(entry, owner, key);
  for (const entry of tables.items('layers.namespace', ''))
    if (entry.object.kind === 'layer') yield dangling(entry, 'resource', entry.object.resourceId);
}

function duplicate(tables: Tables, object: CatalogObject): string {
  const first = tables.first(idIndexOf[object.kind], object.id)?.object.path;
  return `${words[object.kind]} ${labelOf(object)} has the same id as ${first}, which is used instead: give one of them another id`;
}

function dangling(entry: FileEntry, owner: string, ref: string): BrokenFile {
  const object = entry.object as CatalogObject;
  return {
    path: object.path,
    problem: `${words[object.kind]} ${labelOf(object)} belongs to ${owner} ${ref || '(none named)'}, which is not there`,
  };
}

function labelOf(object: CatalogObject): string {
  if ('name' in object) return object.name;
  return object.kind === 'namespace' ? object.prefix : object.id;
}
