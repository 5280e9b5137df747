import { type Digest, type FileOperation, type FileStat, TreeDraft, type TreePath } from '../tree/index.ts';
import { type Catalog, follow } from './catalog.ts';
import { IndexedView } from './indexed-view.ts';
import { setObject } from './indexer.ts';
import type { CatalogObject } from './objects.ts';
import { OverlayTables } from './tables.ts';
import type { Draft } from './view.ts';

/**
 * A draft over a catalog. Making one costs the same whatever the catalog holds, and every step costs what it touches. It is
 * good until the catalog's tree changes; any use after that throws.
 */
export function draftOf(catalog: Catalog): Draft {
  const { tree, tables } = catalog.base;
  return new CatalogDraft(new TreeDraft(tree), new OverlayTables(tables));
}

class CatalogDraft extends IndexedView implements Draft {
  protected readonly tree: TreeDraft;
  protected readonly tables: OverlayTables;
  #followed = 0;

  constructor(tree: TreeDraft, tables: OverlayTables) {
    super();
    this.tree = tree;
    this.tables = tables;
  }

  put(path: TreePath, bytes: Uint8Array): void {
    this.tree.put(path, bytes);
    this.#follow();
  }

  putBlob(path: TreePath, { hash, size }: FileStat): void {
    this.tree.putBlob(path, { hash, size });
    this.#follow();
  }

  delete(path: TreePath): void {
    this.tree.delete(path);
    this.#follow();
  }

  move(from: TreePath, to: TreePath): void {
    this.tree.move(from, to);
    this.#follow();
  }

  get operations(): readonly FileOperation[] {
    return this.tree.operations;
  }

  digest(): Digest {
    return this.tree.digest();
  }

  contents(): ReadonlyMap<string, CatalogObject> {
    const contents = new Map<string, CatalogObject>();
    // (What a draft cannot read may be readable once it has been made.)
    for (const [path, entry] of this.tables.changed)
      if (entry !== undefined && entry.object.kind !== 'broken') contents.set(path, entry.object);
    return contents;
  }

  fork(): Draft & { keep(): void } {
    return new Fork(this, this.tree.fork(), new OverlayTables(this.tables));
  }

  /** Takes in what a fork changed. */
  absorb(tree: TreeDraft, tables: OverlayTables): void {
    tree.keep();
    for (const [path, entry] of tables.changed) setObject(this.tables, path, entry?.object);
    this.#followed = this.tree.touched().length;
  }

  #follow(): void {
    const touched = this.tree.touched();
    follow(this.tables, this.tree, touched.slice(this.#followed));
    this.#followed = touched.length;
  }
}

class Fork extends CatalogDraft {
  readonly #parent: CatalogDraft;

  constructor(parent: CatalogDraft, tree: TreeDraft, tables: OverlayTables) {
    super(tree, tables);
    this.#parent = parent;
  }

  keep(): void {
    this.#parent.absorb(this.tree, this.tables);
  }
}
