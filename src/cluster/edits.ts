import type { CatalogView, Draft } from '../catalog/index.ts';
import type { ContentHash, TreePath, TreeStore } from '../tree/index.ts';

/** A file that somebody changed in a data directory, by hand. */
export interface Edit {
  readonly path: TreePath;
  /** What the file was before; undefined when there was none. */
  readonly before: ContentHash | undefined;
  /** What it is now; undefined when it is gone. */
  readonly bytes: Uint8Array | undefined;
}

/** Reads what was changed since the tree was written. */
export async function findEdits(store: TreeStore): Promise<readonly Edit[]> {
  const { changed, added, removed } = await store.drift();
  return [...changed, ...added, ...removed].sort().map((path) => editOf(store, path, store.tree.stat(path)?.hash));
}

export function editOf(store: TreeStore, path: TreePath, before: ContentHash | undefined): Edit {
  return { path, before, bytes: store.readDisk(path) };
}

/** Whether nobody else has changed the file meanwhile. */
export function stillApplies(edit: Edit, view: CatalogView): boolean {
  return view.hash(edit.path) === edit.before;
}

export function applyEdit(edit: Edit, draft: Draft): void {
  if (edit.bytes) draft.put(edit.path, edit.bytes);
  else draft.delete(edit.path);
}
