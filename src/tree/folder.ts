import { weightOf, wrapSum } from './digest.ts';
import { isLocalFolder, isMixedFolder, isReplicated, isWithin } from './path.ts';
import type { Content, ContentHash, TreePath } from './types.ts';

/** A file of a tree. One object stands for one put of some bytes, wherever it is moved to. */
export interface FileEntry {
  readonly hash: ContentHash;
  /** Bytes. */
  readonly size: number;
  /** The contents while they are not yet on disk at the file's place; the only bytes that a tree keeps in memory. */
  pending: Content | undefined;
}

/** What happened to one file; folder steps are expanded. */
export type Touched =
  | { readonly kind: 'put'; readonly path: TreePath }
  | { readonly kind: 'deleted'; readonly path: TreePath }
  | { readonly kind: 'moved'; readonly from: TreePath; readonly to: TreePath };

/**
 * What is to be done on disk, in this order. Steps that do nothing are left out, what is in the way is removed by steps of its
 * own, so `put` finds no folder at its place and `move` finds its source, and no folder at its target.
 */
export type Effect =
  | { readonly kind: 'put'; readonly path: TreePath; readonly entry: FileEntry }
  | { readonly kind: 'remove-file'; readonly path: TreePath }
  | { readonly kind: 'remove-folder'; readonly path: TreePath }
  | { readonly kind: 'move'; readonly from: TreePath; readonly to: TreePath }
  /** Nothing; but nothing that follows may be done before it is on record that this step is past. */
  | { readonly kind: 'pass' };

type Node = Folder | FileEntry;

/**
 * A folder: names in `own`, and, when it lies over another folder, that folder's names as well unless `own` says otherwise
 * (`null`: gone). Folders without files do not exist.
 */
class Folder {
  readonly own = new Map<string, Node | null>();
  readonly base: Folder | undefined;
  /** Who may change this folder; others put a folder of their own over it. */
  readonly owner: object;
  /** Files at any depth. */
  files: number;

  constructor(owner: object, base: Folder | undefined) {
    this.owner = owner;
    this.base = base;
    this.files = base?.files ?? 0;
  }

  get(name: string): Node | undefined {
    for (let folder: Folder | undefined = this; folder !== undefined; folder = folder.base) {
      const node = folder.own.get(name);
      if (node !== undefined) return node ?? undefined;
    }
    return undefined;
  }

  set(name: string, node: Node): void {
    this.own.set(this.own.has(name) ? name : detached(name), node);
  }

  remove(name: string): void {
    if (this.base?.get(name) === undefined) this.own.delete(name);
    else this.own.set(detached(name), null);
  }

  *entries(): IterableIterator<[string, Node]> {
    if (this.base === undefined) {
      yield* this.own as Map<string, Node>;
      return;
    }
    for (const [name, node] of this.own) if (node !== null) yield [name, node];
    for (const entry of this.base.entries()) if (!this.own.has(entry[0])) yield entry;
  }
}

/** The files of a tree, or of a draft over one: paths to entries, and the sum that the digest is made of. */
export class Files {
  readonly #owner = {};
  readonly #root: Folder;
  #sum: bigint;

  /** Empty, or everything that is in `base`, which must not change from now on. */
  constructor(base?: Files) {
    this.#root = new Folder(this.#owner, base === undefined ? undefined : base.#root);
    this.#sum = base === undefined ? 0n : base.#sum;
  }

  get count(): number {
    return this.#root.files;
  }

  /** Sum of the files' weights, 0 to 2^256 - 1. */
  get sum(): bigint {
    return this.#sum;
  }

  get(path: TreePath): FileEntry | undefined {
    const node = this.#find(path);
    return node instanceof Folder ? undefined : node;
  }

  isFolder(path: TreePath | ''): boolean {
    return path === '' || this.#find(path) instanceof Folder;
  }

  /** Names directly in a folder, in the order of code units; folders end with `/`. */
  list(path: TreePath | ''): string[] {
    const folder = path === '' ? this.#root : this.#find(path);
    if (!(folder instanceof Folder)) return [];
    const names: string[] = [];
    for (const [name, node] of folder.entries()) names.push(node instanceof Folder ? `${name}/` : name);
    return names.sort();
  }

  /** All files in a folder, at any depth, in the order of their paths' code units. */
  *within(path: TreePath | ''): IterableIterator<[TreePath, FileEntry]> {
    const node = path === '' ? this.#root : this.#find(path);
    if (node !== undefined) yield* filesOf(path, node);
  }

  put(path: TreePath, entry: FileEntry, touched: Touched[], effects: Effect[]): void {
    if (!isReplicated(path)) return;
    this.#clearWay(path, touched, effects);
    const old = this.#find(path);
    if (old instanceof Folder) this.remove(path, touched, effects);
    else if (old !== undefined) this.#weigh(path, old, -1);
    if (old === undefined || old instanceof Folder) this.#attach(path, entry);
    else this.#replace(path, entry);
    this.#weigh(path, entry, 1);
    touched.push({ kind: 'put', path });
    effects.push({ kind: 'put', path, entry });
  }

  remove(path: TreePath, touched: Touched[], effects: Effect[]): void {
    const node = this.#find(path);
    if (node === undefined) return;
    const mixed = isMixedFolder(path);
    for (const [file, entry] of filesOf(path, node)) {
      this.#weigh(file, entry, -1);
      touched.push({ kind: 'deleted', path: file });
      if (mixed) effects.push({ kind: 'remove-file', path: file });
    }
    this.#detach(path);
    if (!mixed) effects.push({ kind: node instanceof Folder ? 'remove-folder' : 'remove-file', path });
  }

  move(from: TreePath, to: TreePath, touched: Touched[], effects: Effect[]): void {
    const node = this.#find(from);
    if (node === undefined || whyNotMovable(from, to, node instanceof Folder) !== undefined) return;
    this.#clearWay(to, touched, effects);
    const replaced = this.#find(to);
    // A file takes the place of a file in one step on disk, so that there is never none.
    const swap = replaced !== undefined && !(replaced instanceof Folder) && !(node instanceof Folder);
    if (replaced !== undefined) this.remove(to, touched, swap ? [] : effects);
    for (const [file, entry] of filesOf(from, node)) {
      const target = (to + file.slice(from.length)) as TreePath;
      this.#weigh(file, entry, -1);
      this.#weigh(target, entry, 1);
      touched.push({ kind: 'moved', from: file, to: target });
    }
    this.#detach(from);
    this.#attach(to, node);
    effects.push({ kind: 'move', from, to });
  }

  /** Adds a file found on disk. */
  load(path: TreePath, entry: FileEntry): void {
    this.#attach(path, entry);
    this.#weigh(path, entry, 1);
  }

  /** Adds files found on disk in one folder, under their names. */
  loadFolder(path: TreePath | '', found: readonly (readonly [name: string, entry: FileEntry])[]): void {
    if (found.length === 0) return;
    const prefix = path === '' ? '' : `${path}/`;
    const trail = this.#trail(`${prefix}${found[0]![0]}`);
    const folder = trail.at(-1)!;
    let sum = this.#sum;
    for (const [name, entry] of found) {
      folder.set(name, entry);
      sum += weightOf((prefix + name) as TreePath, entry.hash);
    }
    this.#sum = wrapSum(sum);
    for (const each of trail) each.files += found.length;
  }

  /** Takes over what `over`, made on top of these files, says. `over` must not be used any more. */
  absorb(over: Files): void {
    this.#absorb(this.#root, over.#root, over.#owner);
    this.#sum = over.#sum;
  }

  #absorb(mine: Folder, theirs: Folder, their: object): void {
    for (const [name, node] of theirs.own) {
      if (node === null) {
        mine.remove(name);
        continue;
      }
      const below = mine.get(name);
      const laidOver = node instanceof Folder && node.owner === their && node.base !== undefined && node.base === below;
      if (laidOver && below instanceof Folder && below.owner === this.#owner) this.#absorb(below, node, their);
      else mine.set(name, node instanceof Folder ? this.#adopt(node, their) : node);
    }
    mine.files = theirs.files;
  }

  /** The same folder as one of ours, so that later changes need no further layer. */
  #adopt(node: Folder, their: object): Folder {
    if (node.owner !== their) return node;
    const mine = new Folder(this.#owner, node.base);
    for (const [name, child] of node.own)
      mine.own.set(name, child instanceof Folder ? this.#adopt(child, their) : child);
    mine.files = node.files;
    return mine;
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (let start = 0; ; ) {
      if (!(node instanceof Folder)) return undefined;
      const slash = path.indexOf('/', start);
      if (slash < 0) return node.get(start === 0 ? path : path.slice(start));
      node = node.get(path.slice(start, slash));
      start = slash + 1;
    }
  }

  /** The folders from the root to the one that holds `path`, each ours to change; missing ones are made. */
  #trail(path: string): Folder[] {
    let folder = this.#root;
    const trail = [folder];
    const segments = path.split('/');
    for (const name of segments.slice(0, -1)) {
      let next = folder.get(name);
      if (!(next instanceof Folder) || next.owner !== this.#owner) {
        next = new Folder(this.#owner, next instanceof Folder ? next : undefined);
        folder.set(name, next);
      }
      folder = next;
      trail.push(folder);
    }
    return trail;
  }

  #attach(path: string, node: Node): void {
    const trail = this.#trail(path);
    trail.at(-1)!.set(path.slice(path.lastIndexOf('/') + 1), node);
    const files = node instanceof Folder ? node.files : 1;
    for (const folder of trail) folder.files += files;
  }

  #replace(path: string, entry: FileEntry): void {
    this.#trail(path)
      .at(-1)!
      .set(path.slice(path.lastIndexOf('/') + 1), entry);
  }

  #detach(path: string): void {
    const trail = this.#trail(path);
    const names = path.split('/');
    const node = trail.at(-1)!.get(names.at(-1)!)!;
    const files = node instanceof Folder ? node.files : 1;
    for (const folder of trail) folder.files -= files;
    for (let depth = trail.length - 1; depth >= 0; depth--) {
      const folder = trail[depth]!;
      folder.remove(names[depth]!);
      if (folder.files > 0) break;
    }
  }

  /** A file that stands where `path` needs a folder makes room. */
  #clearWay(path: TreePath, touched: Touched[], effects: Effect[]): void {
    for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
      const above = path.slice(0, slash) as TreePath;
      const node = this.#find(above);
      if (node instanceof Folder) continue;
      if (node !== undefined) this.remove(above, touched, effects);
      return;
    }
  }

  #weigh(path: TreePath, entry: FileEntry, sign: 1 | -1): void {
    const weight = weightOf(path, entry.hash);
    this.#sum = wrapSum(sign > 0 ? this.#sum + weight : this.#sum - weight);
  }
}

/** Why a move does nothing, in words that follow "cannot be moved"; undefined when it may go ahead. */
export function whyNotMovable(from: TreePath, to: TreePath, isFolder: boolean): string | undefined {
  if (from === to) return 'onto itself';
  if (isWithin(to, from)) return 'into itself';
  if (isWithin(from, to)) return 'over a folder that it lies in';
  if (!isFolder) return isReplicated(to) ? undefined : 'to a name that is local to each node';
  if (isMixedFolder(from)) return 'as a whole, for local files lie in it';
  return isMixedFolder(to) || isLocalFolder(to) ? 'to a folder that is local to each node' : undefined;
}

function* filesOf(path: TreePath | '', node: Node): IterableIterator<[TreePath, FileEntry]> {
  if (!(node instanceof Folder)) {
    yield [path as TreePath, node];
    return;
  }
  // A folder sorts as its name with a slash: that is where its files stand in the order of whole paths.
  const children = [...node.entries()].map(
    ([name, child]) => [child instanceof Folder ? `${name}/` : name, child] as const,
  );
  children.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  const prefix = path === '' ? '' : `${path}/`;
  for (const [name, child] of children) {
    if (child instanceof Folder) yield* filesOf((prefix + name.slice(0, -1)) as TreePath, child);
    else yield [(prefix + name) as TreePath, child];
  }
}

/** Names of which there are thousands. */
const COMMON_NAMES = new Map(
  [
    'featuretype.xml',
    'coveragestore.xml',
    'datastore.xml',
    'workspace.xml',
    'namespace.xml',
    'wmslayer.xml',
    'coverage.xml',
    'layer.xml',
  ].map((name) => [name, name]),
);

/** The same text, but not as a slice that keeps the whole path in memory. */
function detached(name: string): string {
  return name.length < 13 ? name : (COMMON_NAMES.get(name) ?? Buffer.from(name).toString());
}
