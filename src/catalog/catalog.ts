import { messageOf } from '../base/index.ts';
import type { ContentHash, Touched, Tree, TreePath, TreeReader } from '../tree/index.ts';
import { readObject } from './codec/index.ts';
import { IndexedView } from './indexed-view.ts';
import { moveResource, setObject } from './indexer.ts';
import type { CatalogObject } from './objects.ts';
import { packObjects } from './pack.ts';
import { kindOfPath, workspaceFolder } from './paths.ts';
import { BaseTables, type Tables, type Unreadable } from './tables.ts';

/** The folders of a data directory that hold catalog files; others lie at the top. */
const FOLDERS = ['workspaces', 'styles', 'layergroups'] as TreePath[];

/** Files taken in before others have their turn: those that must be parsed, and those that are known. */
const PARSED_PER_TURN = 100;
const KNOWN_PER_TURN = 1000;

/** The typed view of a tree. It follows the tree by `apply`; nothing in it is ever read twice. */
export class Catalog extends IndexedView {
  protected readonly tree: Tree;
  protected readonly tables: Tables = new BaseTables();
  #unpacked = 0;

  /**
   * Reads every catalog file of the tree. A file that cannot be understood is found in `broken()`.
   * @param when  `later`: for `open`
   */
  constructor(tree: Tree, when: 'now' | 'later' = 'now') {
    super();
    this.tree = tree;
    if (when === 'now') for (const _ of this.#fill(new Map()));
  }

  /**
   * As the constructor, but others have their turn meanwhile; the tree must stay as it is.
   *
   * @param known  objects by path: those whose file is still the same need not be parsed
   */
  static async open(tree: Tree, known: ReadonlyMap<string, CatalogObject>): Promise<Catalog> {
    const catalog = new Catalog(tree, 'later');
    let sinceTurn = 0;
    for (const taken of catalog.#fill(known)) {
      sinceTurn += taken === 'parsed' ? 1 / PARSED_PER_TURN : 1 / KNOWN_PER_TURN;
      if (sinceTurn < 1) continue;
      sinceTurn = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return catalog;
  }

  /**
   * Takes in what the tree's `apply` reports. The tree must be in the state after it.
   * @param read  by path, what files hold that have been read already
   */
  apply(touched: readonly Touched[], read?: ReadonlyMap<string, FileContents>): void {
    this.#unpacked += touched.length;
    follow(this.tables, this.tree, touched, read);
  }

  /** Files, about, that are other than when the catalog was last packed: the next start would have to parse them. */
  get unpacked(): number {
    return this.#unpacked;
  }

  /** The objects as bytes for `unpackObjects`, piece by piece; the catalog may move on between two of them. */
  pack(): Iterable<Uint8Array> {
    this.#unpacked = 0;
    return packObjects(this.#objects());
  }

  *#fill(known: ReadonlyMap<string, CatalogObject>): Generator<'known' | 'parsed'> {
    for (const [path, hash] of catalogFiles(this.tree)) {
      const object = known.get(path);
      if (object?.hash === hash) {
        // One copy of hash and path is enough.
        (object as { hash: ContentHash }).hash = hash;
        setObject(this.tables, object.path, object);
        yield 'known';
      } else {
        setObject(this.tables, path, read(this.tree, path, hash));
        this.#unpacked++;
        yield 'parsed';
      }
    }
  }

  *#objects(): Generator<CatalogObject> {
    for (const [path] of catalogFiles(this.tree)) {
      const object = this.at(path);
      if (object !== undefined) yield object;
    }
  }

  /** For drafts over this catalog. */
  get base(): { readonly tree: Tree; readonly tables: Tables } {
    return { tree: this.tree, tables: this.tables };
  }
}

/** The files of a tree that belong to the catalog, with their hashes. */
function* catalogFiles(tree: Tree): Generator<readonly [TreePath, ContentHash]> {
  for (const name of tree.list('')) {
    const path = name as TreePath;
    const hash = name.endsWith('/') || kindOfPath(path) === undefined ? undefined : tree.stat(path)?.hash;
    if (hash !== undefined) yield [path, hash];
  }
  for (const folder of FOLDERS)
    for (const [path, { hash }] of tree.walk(folder)) if (kindOfPath(path) !== undefined) yield [path, hash];
}

/**
 * Brings indexes in step with a tree that was touched. Only the paths matter, what they hold is asked of the tree as it is
 * now: so the order of touches, and what later ones undid, make no difference.
 */
export function follow(
  tables: Tables,
  tree: TreeReader,
  touched: readonly Touched[],
  read?: ReadonlyMap<string, FileContents>,
): void {
  for (const touch of touched) {
    switch (touch.kind) {
      case 'put':
      case 'deleted':
        refresh(tables, tree, touch.path, read?.get(touch.path));
        break;
      case 'moved': {
        const known = tables.file(touch.from)?.object;
        if (known !== undefined && onlyMoved(tables, tree, known, touch.to)) break;
        refresh(tables, tree, touch.from);
        refresh(tables, tree, touch.to, known);
      }
    }
  }
}

/** Takes a resource in that is gone from its place, and the same at another one. */
function onlyMoved(tables: Tables, tree: TreeReader, known: CatalogObject | Unreadable, to: TreePath): boolean {
  if (known.kind === 'broken' || tree.stat(known.path) !== undefined || tables.file(to) !== undefined) return false;
  if (tree.stat(to)?.hash !== known.hash || !meansTheSameAt(known, to)) return false;
  return moveResource(tables, known.path, { ...known, path: to });
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
  candidate?: CatalogObject | Unreadable,
): CatalogObject | Unreadable | undefined {
  if (candidate?.hash === hash) {
    if (candidate.path === path) return candidate;
    if (meansTheSameAt(candidate, path)) return { ...candidate, path };
  }
  return readContents(path, hash, () => tree.read(path));
}

/** What a file of the catalog holds: an object, or why it cannot be read. */
export type FileContents = CatalogObject | Unreadable;

/** @returns undefined for a file that is not the catalog's */
export function readContents(
  path: TreePath,
  hash: ContentHash,
  contents: () => Uint8Array | undefined,
): FileContents | undefined {
  if (kindOfPath(path) === undefined) return undefined;
  try {
    const bytes = contents();
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
