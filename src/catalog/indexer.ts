/** Keeps the indexes of a catalog in step with its files. What they hold depends on the files alone, not on the order of changes. */
import type { TreePath } from '../tree/index.ts';
import type { CatalogObject, Layer } from './objects.ts';
import { DEFAULT_WORKSPACE_FILE, folderOf, inFolder } from './paths.ts';
import { callsByName, idIndexOf, resourceOf } from './resolve.ts';
import type { FileEntry, IndexName, Tables, Unreadable } from './tables.ts';
import type { Resource } from './view.ts';

/** Sets what is at a path now; undefined when it is no file of the catalog any more. */
export function setObject(tables: Tables, path: string, object: CatalogObject | Unreadable | undefined): void {
  const before = tables.file(path);
  if (before !== undefined && object !== undefined && isSameResource(tables, before.object, object)) {
    exchange(tables, before, entryOf(tables, object));
    return;
  }
  if (before !== undefined) {
    tables.setFile(path, undefined);
    unlink(tables, before);
  }
  if (object !== undefined) {
    const entry = entryOf(tables, object);
    tables.setFile(path, entry);
    link(tables, entry);
  }
}

/**
 * Puts a resource, that has only moved, at its new path, which must be free, without a look at its layers: a workspace of
 * thousands is renamed in one step that nobody can interrupt.
 *
 * @returns whether that was all there is to do: not when a layer in either folder calls it by name
 */
export function moveResource(tables: Tables, from: string, object: CatalogObject): boolean {
  const before = tables.file(from);
  if (before === undefined || !isSameResource(tables, before.object, object)) return false;
  for (const path of [from as TreePath, object.path]) {
    const beside = tables.file(inFolder(folderOf(path), 'layer.xml'))?.object;
    if (beside?.kind === 'layer' && beside.resourceId !== object.id) return false;
  }
  tables.setFile(from, undefined);
  exchange(tables, before, entryOf(tables, object));
  return true;
}

/** Whether nothing that others stand under has changed, as in nearly all changes: then its layers stay where they are. */
function isSameResource(tables: Tables, before: FileEntry['object'], after: FileEntry['object']): boolean {
  if (!isResource(before) || !isResource(after)) return false;
  if (before.id !== after.id || before.name !== after.name || before.namespaceId !== after.namespaceId) return false;
  let holders = 0;
  for (const _ of tables.items(idIndexOf[before.kind], before.id)) if (++holders > 1) return false;
  return true;
}

function exchange(tables: Tables, before: FileEntry, after: FileEntry): void {
  const object = after.object as Resource;
  tables.setFile(object.path, after);
  tables.remove(idIndexOf[object.kind], object.id, before);
  tables.add(idIndexOf[object.kind], object.id, after);
  for (const [index, key] of placesOf(before)) tables.remove(index, key, before);
  for (const [index, key] of placesOf(after)) tables.add(index, key, after);
}

function entryOf(tables: Tables, object: CatalogObject | Unreadable): FileEntry {
  if (object.kind !== 'layer') return { name: nameOf(object), object, home: undefined };
  const resource = resourceOf(tables, object);
  return { name: resource?.name ?? '', object, home: resource?.namespaceId };
}

function nameOf(object: Exclude<CatalogObject, Layer> | Unreadable): string {
  switch (object.kind) {
    case 'broken':
      return object.path;
    case 'namespace':
      return object.prefix;
    case 'service':
      return object.service;
    case 'global':
    case 'logging':
    case 'settings':
      return '';
    default:
      return object.name;
  }
}

/** Of the entries that share an id, the first by path stands in the lists; the others are only reported. */
function link(tables: Tables, entry: FileEntry): void {
  const { object } = entry;
  if (object.kind === 'broken') {
    tables.add('unreadable', '', entry);
    return;
  }
  if (object.path === DEFAULT_WORKSPACE_FILE) return;
  const index = idIndexOf[object.kind];
  const before = tables.first(index, object.id);
  tables.add(index, object.id, entry);
  if (index === 'settings.id' || before === undefined) enlist(tables, entry);
  else if (object.path < before.object.path) {
    delist(tables, before);
    tables.add('duplicates', '', before);
    enlist(tables, entry);
  } else tables.add('duplicates', '', entry);
}

function unlink(tables: Tables, entry: FileEntry): void {
  const { object } = entry;
  if (object.kind === 'broken') {
    tables.remove('unreadable', '', entry);
    return;
  }
  if (object.path === DEFAULT_WORKSPACE_FILE) return;
  const index = idIndexOf[object.kind];
  const winner = tables.first(index, object.id);
  tables.remove(index, object.id, entry);
  if (index !== 'settings.id' && winner !== entry) {
    tables.remove('duplicates', '', entry);
    return;
  }
  delist(tables, entry);
  const next = index === 'settings.id' ? undefined : tables.first(index, object.id);
  if (next !== undefined) {
    // A new entry: while it stood back, nobody kept its name in step with its resource's.
    const fresh = entryOf(tables, next.object);
    tables.remove('duplicates', '', next);
    tables.remove(index, object.id, next);
    tables.setFile(next.object.path, fresh);
    tables.add(index, object.id, fresh);
    enlist(tables, fresh);
  }
}

function enlist(tables: Tables, entry: FileEntry): void {
  for (const [index, key] of placesOf(entry)) tables.add(index, key, entry);
  if (isResource(entry.object)) relinkLayers(tables, entry.object);
}

function delist(tables: Tables, entry: FileEntry): void {
  for (const [index, key] of placesOf(entry)) tables.remove(index, key, entry);
  if (isResource(entry.object)) relinkLayers(tables, entry.object);
}

function isResource(object: FileEntry['object']): object is Resource {
  return (
    object.kind === 'featureType' ||
    object.kind === 'coverage' ||
    object.kind === 'wmsLayer' ||
    object.kind === 'wmtsLayer'
  );
}

/** Layers stand under the name and the namespace of their resource: the one thing in the indexes that two files decide. */
function relinkLayers(tables: Tables, resource: Resource): void {
  const layers = [...tables.items('layers.resource', resource.id)];
  const beside = tables.file(inFolder(folderOf(resource.path), 'layer.xml'));
  if (beside?.object.kind === 'layer' && callsByName(beside.object.resourceId, resource)) layers.push(beside);
  for (const { object } of layers) setObject(tables, object.path, object);
}

/** Every index and key that an entry stands under, each pair once. */
function placesOf(entry: FileEntry): readonly (readonly [IndexName, string])[] {
  const { object } = entry;
  switch (object.kind) {
    case 'workspace':
      return [['workspaces', '']];
    case 'namespace':
      return [
        ['namespaces', ''],
        ['namespaces.uri', object.uri],
      ];
    case 'dataStore':
    case 'coverageStore':
    case 'wmsStore':
    case 'wmtsStore':
      return [['stores.workspace', object.workspaceId]];
    case 'featureType':
    case 'coverage':
    case 'wmsLayer':
    case 'wmtsLayer':
      return [
        ['resources.store', object.storeId],
        ['resources.namespace', object.namespaceId],
      ];
    case 'layer': {
      const places: (readonly [IndexName, string])[] = [
        ['layers', ''],
        ['layers.resource', object.resourceId],
        ['layers.namespace', entry.home ?? ''],
      ];
      if (object.defaultStyleId !== undefined) places.push(['layers.style', object.defaultStyleId]);
      for (const id of new Set(object.styleIds)) if (id !== object.defaultStyleId) places.push(['layers.style', id]);
      return places;
    }
    case 'layerGroup': {
      const members = new Set([
        ...object.publishables.map((member) => member?.id),
        ...object.styleIds,
        object.rootLayerId,
        object.rootLayerStyleId,
      ]);
      members.delete(undefined);
      return [
        ['layerGroups', ''],
        ['layerGroups.workspace', object.workspaceId ?? ''],
        ...Array.from(members, (id) => ['layerGroups.member', id!] as const),
      ];
    }
    case 'style':
      return [['styles.workspace', object.workspaceId ?? '']];
    case 'service':
      return [['services.workspace', object.workspaceId ?? '']];
    case 'settings':
      return [['settings.workspace', object.workspaceId]];
    case 'global':
    case 'logging':
    case 'broken':
      return [];
  }
}
