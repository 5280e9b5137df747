import { messageOf } from '../base/index.ts';
import type { ContentHash, Touched, Tree, TreePath, TreeReader } from '../tree/index.ts';
import { readObject } from './codec/index.ts';
import { IndexedView } from './indexed-view.ts';
import { setObject } from './indexer.ts';
import type { CatalogObject } from './objects.ts';
import { kindOfPath, workspaceFolder } from './paths.ts';
import { BaseTables, type Tables, type Unreadable } from './tables.ts';

/** The folders of a data directory that hold catalog files; others lie at the top. */
const FOLDERS = ['workspaces', 'styles', 'layergroups'] as TreePath[];

/** The typed view of a tree. It follows the tree by `apply`; nothing in it is ever read twice. */
export class Catalog extends IndexedView {
  protected readonly tree: Tree;
  protected readonly tables: Tables = new BaseTables();

  /** Reads every catalog file of the tree. A file that cannot be understood is found in `broken()`. */
  constructor(tree: Tree) {
    super();
    this.tree = tree;
    for (const name of tree.list('')) if (!name.endsWith('/')) refresh(this.tables, tree, name as TreePath);
    for (const folder of FOLDERS) for (const [path] of tree.walk(folder)) refresh(this.tables, tree, path);
  }

  /** Takes in what the tree's `apply` reports. The tree must be in the state after it. */
  apply(touched: readonly Touched[]): void {
    follow(this.tables, this.tree, touched);
  }

  /** For drafts over this catalog. */
  get base(): { readonly tree: Tree; readonly tables: Tables } {
    return { tree: this.tree, tables: this.tables };
  }
}

/**
 * Brings indexes in step with a tree that was touched. Only the paths matter, what they hold is asked of the tree as it is
 * now: so the order of touches, and what later ones undid, make no difference.
 */
export function follow(tables: Tables, tree: TreeReader, touched: readonly Touched[]): void {
  for (const touch of touched) {
    switch (touch.kind) {
      case 'put':
      case 'deleted':
        refresh(tables, tree, touch.path);
        break;
      case 'moved': {
        const known = tables.file(touch.from)?.object;
        refresh(tables, tree, touch.from);
        refresh(tables, tree, touch.to, known);
      }
    }
  }
}

/**
 * @param candidate  what the file may hold as well, from another place: used when the contents are the same, so that a
 *   file that was only moved is not read
 */
function refresh(tables: Tables, tree: TreeReader, path: TreePath, candidate?: CatalogObject | Unreadable): void {
  if (kindOfPath(path) === undefined) return;
  const hash = tree.stat(path)?.hash;
  if (hash !== undefined && tables.file(path)?.object.hash === hash) return;
  setObject(tables, path, hash === undefined ? undefined : read(tree, path, hash, candidate));
}

function read(
  tree: TreeReader,
  path: TreePath,
  hash: ContentHash,
  candidate: CatalogObject | Unreadable | undefined,
): CatalogObject | Unreadable | undefined {
  if (candidate?.hash === hash && meansTheSameAt(candidate, path)) return { ...candidate, path };
  try {
    const bytes = tree.read(path);
    return bytes && readObject(path, bytes, hash);
  } catch (error) {
    // Whatever is wrong with one file, the others go on.
    return { kind: 'broken', path, hash, problem: messageOf(error) };
  }
}

/** Whether a file holds the same object at another path: not when its kind, its id or its workspace comes from the path. */
function meansTheSameAt(object: CatalogObject | Unreadable, path: TreePath): boolean {
  if (object.kind === 'broken' || object.kind !== kindOfPath(path) || object.id === object.path) return false;
  const folder = workspaceFolder(object.path);
  if (folder === workspaceFolder(path)) return true;
  if ('namespaceId' in object) return object.namespaceId !== folder;
  return !('workspaceId' in object) || object.workspaceId !== folder;
}
