/**
 * Where the indexes of a catalog are kept: as maps of their own for the catalog, and as differences to other tables for a
 * draft. The code that fills and asks them (`indexer.ts`, `indexed-view.ts`) is the same for both.
 */
import type { ContentHash, TreePath } from '../tree/index.ts';
import type { CatalogObject, ObjectKind } from './objects.ts';
import { type Entry, mergeEntries, SortedList } from './sorted-list.ts';

/** A file of the catalog that cannot be read. */
export interface Unreadable {
  readonly kind: 'broken';
  readonly path: TreePath;
  readonly hash: ContentHash;
  readonly problem: string;
}

/** One file of the catalog, as it stands in the indexes. */
export interface FileEntry extends Entry {
  readonly object: CatalogObject | Unreadable;
  /** Of a layer whose resource is there: the reference to its namespace that it is listed under. */
  readonly home: string | undefined;
}

/**
 * The indexes: each holds entries under keys. Keys are references as they stand in the files (ids, in old files names);
 * '' is the key of what has no workspace, or of an index without keys.
 */
export const INDEXES = [
  // By id.
  'workspace.id',
  'namespace.id',
  'store.id',
  'resource.id',
  'layer.id',
  'layerGroup.id',
  'style.id',
  'settings.id',
  // Everything of a kind.
  'workspaces',
  'namespaces',
  'namespaces.uri',
  'layers',
  'layerGroups',
  // By owner.
  'stores.workspace',
  'resources.store',
  'resources.namespace',
  'layers.resource',
  'layers.namespace',
  'layerGroups.workspace',
  'styles.workspace',
  'services.workspace',
  'settings.workspace',
  // By what is used.
  'layers.style',
  'layerGroups.member',
  // What is wrong.
  'unreadable',
  'duplicates',
] as const;

export type IndexName = (typeof INDEXES)[number];

export interface Tables {
  file(path: string): FileEntry | undefined;
  setFile(path: string, entry: FileEntry | undefined): void;
  /** How many readable objects of a kind there are; `setFile` counts. */
  count(kind: ObjectKind): number;

  /** Entries under a key, by name. */
  items(index: IndexName, key: string): Iterable<FileEntry>;
  /** Entries under a key that have a name, by path. */
  named(index: IndexName, key: string, name: string): readonly FileEntry[];
  /** The entry under a key that comes first by path. */
  first(index: IndexName, key: string): FileEntry | undefined;
  has(index: IndexName, key: string): boolean;
  /** Keys with entries. */
  keys(index: IndexName): Iterable<string>;

  /** The entry must not be there. */
  add(index: IndexName, key: string, entry: FileEntry): void;
  /** The entry must be there. */
  remove(index: IndexName, key: string, entry: FileEntry): void;
}

function byIndex<V>(make: () => V): Readonly<Record<IndexName, V>> {
  return Object.fromEntries(INDEXES.map((index) => [index, make()])) as Record<IndexName, V>;
}

const NOTHING: readonly FileEntry[] = Object.freeze([]);

function firstByPath(entries: Iterable<FileEntry>): FileEntry | undefined {
  let first: FileEntry | undefined;
  for (const entry of entries) if (first === undefined || entry.object.path < first.object.path) first = entry;
  return first;
}

/** Most keys have one entry (an id, a resource's layer): no list is made for those. */
type Bucket = FileEntry | SortedList<FileEntry>;

/** The tables of a catalog. */
export class BaseTables implements Tables {
  readonly #files = new Map<string, FileEntry>();
  readonly #counts = new Map<string, number>();
  readonly #buckets = byIndex(() => new Map<string, Bucket>());

  file(path: string): FileEntry | undefined {
    return this.#files.get(path);
  }

  setFile(path: string, entry: FileEntry | undefined): void {
    const before = this.#files.get(path);
    if (before !== undefined) this.#counts.set(before.object.kind, this.#counts.get(before.object.kind)! - 1);
    if (entry === undefined) this.#files.delete(path);
    else {
      this.#files.set(path, entry);
      this.#counts.set(entry.object.kind, (this.#counts.get(entry.object.kind) ?? 0) + 1);
    }
  }

  count(kind: ObjectKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  items(index: IndexName, key: string): Iterable<FileEntry> {
    const bucket = this.#buckets[index].get(key);
    if (bucket === undefined) return NOTHING;
    return bucket instanceof SortedList ? bucket.items() : [bucket];
  }

  named(index: IndexName, key: string, name: string): readonly FileEntry[] {
    const bucket = this.#buckets[index].get(key);
    if (bucket === undefined) return NOTHING;
    if (bucket instanceof SortedList) return bucket.named(name);
    return bucket.name === name ? [bucket] : NOTHING;
  }

  first(index: IndexName, key: string): FileEntry | undefined {
    const bucket = this.#buckets[index].get(key);
    return bucket instanceof SortedList ? firstByPath(bucket.items()) : bucket;
  }

  has(index: IndexName, key: string): boolean {
    return this.#buckets[index].has(key);
  }

  keys(index: IndexName): Iterable<string> {
    return this.#buckets[index].keys();
  }

  add(index: IndexName, key: string, entry: FileEntry): void {
    const buckets = this.#buckets[index];
    const bucket = buckets.get(key);
    if (bucket === undefined) buckets.set(key, entry);
    else if (bucket instanceof SortedList) bucket.add(entry);
    else {
      const list = new SortedList<FileEntry>();
      list.add(bucket);
      list.add(entry);
      buckets.set(key, list);
    }
  }

  remove(index: IndexName, key: string, entry: FileEntry): void {
    const buckets = this.#buckets[index];
    const bucket = buckets.get(key);
    if (!(bucket instanceof SortedList)) buckets.delete(key);
    else {
      bucket.remove(entry);
      if (bucket.size === 0) buckets.delete(key);
    }
  }
}

interface Difference {
  readonly added: SortedList<FileEntry>;
  /** What is in `added`. */
  readonly own: Set<FileEntry>;
  /** Entries of the base that are not here. */
  readonly removed: Set<FileEntry>;
}

/** Tables that differ from others, which do not change meanwhile. Making them costs nothing, however much those hold. */
export class OverlayTables implements Tables {
  readonly #base: Tables;
  readonly #files = new Map<string, FileEntry | undefined>();
  readonly #counts = new Map<string, number>();
  readonly #differences = new Map<IndexName, Map<string, Difference>>();

  constructor(base: Tables) {
    this.#base = base;
  }

  /** Files that are other than in the base; undefined for those that are gone. */
  get changed(): ReadonlyMap<string, FileEntry | undefined> {
    return this.#files;
  }

  file(path: string): FileEntry | undefined {
    return this.#files.has(path) ? this.#files.get(path) : this.#base.file(path);
  }

  setFile(path: string, entry: FileEntry | undefined): void {
    const before = this.file(path);
    if (before !== undefined) this.#counts.set(before.object.kind, (this.#counts.get(before.object.kind) ?? 0) - 1);
    if (entry !== undefined) this.#counts.set(entry.object.kind, (this.#counts.get(entry.object.kind) ?? 0) + 1);
    this.#files.set(path, entry);
  }

  count(kind: ObjectKind): number {
    return this.#base.count(kind) + (this.#counts.get(kind) ?? 0);
  }

  items(index: IndexName, key: string): Iterable<FileEntry> {
    const difference = this.#differences.get(index)?.get(key);
    if (difference === undefined) return this.#base.items(index, key);
    return mergeEntries(without(this.#base.items(index, key), difference.removed), difference.added.items());
  }

  named(index: IndexName, key: string, name: string): readonly FileEntry[] {
    const difference = this.#differences.get(index)?.get(key);
    const base = this.#base.named(index, key, name);
    if (difference === undefined) return base;
    return [...mergeEntries(without(base, difference.removed), difference.added.named(name))];
  }

  first(index: IndexName, key: string): FileEntry | undefined {
    return this.#differences.get(index)?.has(key) ? firstByPath(this.items(index, key)) : this.#base.first(index, key);
  }

  has(index: IndexName, key: string): boolean {
    if (!this.#differences.get(index)?.has(key)) return this.#base.has(index, key);
    for (const _ of this.items(index, key)) return true;
    return false;
  }

  *keys(index: IndexName): Iterable<string> {
    const differences = this.#differences.get(index);
    for (const key of this.#base.keys(index)) if (!differences?.has(key)) yield key;
    if (differences !== undefined) for (const key of differences.keys()) if (this.has(index, key)) yield key;
  }

  add(index: IndexName, key: string, entry: FileEntry): void {
    const difference = this.#difference(index, key);
    if (difference.removed.delete(entry)) return;
    difference.added.add(entry);
    difference.own.add(entry);
  }

  remove(index: IndexName, key: string, entry: FileEntry): void {
    const difference = this.#difference(index, key);
    if (difference.own.delete(entry)) difference.added.remove(entry);
    else difference.removed.add(entry);
  }

  #difference(index: IndexName, key: string): Difference {
    let differences = this.#differences.get(index);
    if (differences === undefined) {
      differences = new Map();
      this.#differences.set(index, differences);
    }
    let difference = differences.get(key);
    if (difference === undefined) {
      difference = { added: new SortedList(), own: new Set(), removed: new Set() };
      differences.set(key, difference);
    }
    return difference;
  }
}

function* without(entries: Iterable<FileEntry>, removed: ReadonlySet<FileEntry>): Generator<FileEntry> {
  for (const entry of entries) if (!removed.has(entry)) yield entry;
}
