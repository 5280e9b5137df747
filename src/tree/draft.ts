import { UserError } from '../base/index.ts';
import { digestOf } from './digest.ts';
import { type Effect, Files, type Touched, whyNotMovable } from './folder.ts';
import { isReplicated, isWithin, PathError } from './path.ts';
import { type FileStat, runOperation, type Tree, type TreeReader } from './tree.ts';
import type { Content, ContentHash, Digest, FileOperation, TreePath } from './types.ts';

/**
 * A tree with changes that nobody else sees yet. It lies over a tree, or over another draft, and is good as long as that one
 * does not change; any use after that throws.
 */
export class TreeDraft implements TreeReader {
  readonly #base: Tree | TreeDraft;
  readonly #baseRevision: number;
  readonly #files: Files;
  readonly #operations: FileOperation[] = [];
  readonly #touched: Touched[] = [];
  /** Moves that took place, to find in the base what lies elsewhere here. */
  readonly #moves: { from: TreePath; to: TreePath }[] = [];
  #revision = 0;

  constructor(base: Tree | TreeDraft) {
    this.#base = base;
    this.#baseRevision = base.revision;
    this.#files = new Files(base.layer);
  }

  /** The operations so far, as a change carries them. */
  get operations(): readonly FileOperation[] {
    return this.#operations;
  }

  /** For drafts over this one. */
  get revision(): number {
    return this.#revision;
  }

  get layer(): Files {
    return this.#files;
  }

  /** Number of files. */
  get files(): number {
    return this.#files.count;
  }

  /** Digest of the tree with the draft in it. */
  digest(): Digest {
    return digestOf(this.#files.sum);
  }

  /** What the operations did to each file, in order. */
  touched(): readonly Touched[] {
    return this.#touched;
  }

  stat(path: TreePath): FileStat | undefined {
    this.#check();
    return this.#files.get(path);
  }

  list(folder: TreePath | ''): readonly string[] {
    this.#check();
    return this.#files.list(folder);
  }

  isFolder(path: TreePath | ''): boolean {
    this.#check();
    return this.#files.isFolder(path);
  }

  walk(folder: TreePath | '' = ''): IterableIterator<readonly [TreePath, FileStat]> {
    this.#check();
    return this.#files.within(folder);
  }

  read(path: TreePath): Uint8Array | undefined {
    this.#check();
    const entry = this.#files.get(path);
    if (entry === undefined) return undefined;
    if (entry.pending?.kind === 'inline') return entry.pending.bytes;
    const origin = originOf(path, this.#moves);
    if (this.#base.stat(origin)?.hash === entry.hash) return this.#base.read(origin);
    try {
      return this.readStaged(entry.hash);
    } catch {
      throw new UserError(409, 'blob-not-applied', `the contents of ${path} can be read once the change has been made`);
    }
  }

  /** For drafts over this one. */
  readStaged(hash: ContentHash): Uint8Array {
    return this.#base.readStaged(hash);
  }

  /** Writes a whole file. A file in the way of its folders, or a folder at its place, is removed with everything in it. */
  put(path: TreePath, content: Uint8Array | Content): void {
    if (!isReplicated(path)) throw new PathError(path, 'is local to each node and cannot be changed for all of them');
    this.#run({
      kind: 'put',
      path,
      content: content instanceof Uint8Array ? { kind: 'inline', bytes: content } : content,
    });
  }

  /** Writes a whole file whose contents were staged (`TreeStore.stage`): they are never in memory. */
  putBlob(path: TreePath, { hash, size }: FileStat): void {
    this.put(path, { kind: 'blob', hash, size });
  }

  /** Removes a file, or a folder with everything in it. */
  delete(path: TreePath): void {
    this.#run({ kind: 'delete', path });
  }

  /**
   * Renames a file or folder, replacing what is at `to`.
   * @throws PathError  a folder would go into itself, or to a place that is local to each node
   */
  move(from: TreePath, to: TreePath): void {
    const isFolder = this.#files.isFolder(from);
    const reason = from === to ? undefined : whyNotMovable(from, to, isFolder);
    if (reason !== undefined) throw new PathError(from, `cannot be moved ${reason} (${to})`);
    this.#run({ kind: 'move', from, to });
  }

  /** A draft on top of this one: what it records goes in here with `keep`, and is forgotten otherwise. */
  fork(): TreeDraft {
    return new TreeDraft(this);
  }

  /** Puts what this fork recorded into the draft that it was made from. The fork must not be used any more. */
  keep(): void {
    this.#check();
    const base = this.#base;
    if (!(base instanceof TreeDraft)) throw new Error('only a fork can be kept');
    base.#files.absorb(this.#files);
    // Not with spread: a draft may have moved more files than a call takes arguments.
    for (const operation of this.#operations) base.#operations.push(operation);
    for (const touched of this.#touched) base.#touched.push(touched);
    for (const move of this.#moves) base.#moves.push(move);
    base.#revision++;
  }

  #run(operation: FileOperation): void {
    this.#check();
    const effects: Effect[] = [];
    runOperation(this.#files, operation, this.#touched, effects);
    if (effects.length === 0) return;
    for (const effect of effects) if (effect.kind === 'move') this.#moves.push(effect);
    this.#operations.push(operation);
    this.#revision++;
  }

  #check(): void {
    if (this.#base.revision !== this.#baseRevision)
      throw new Error('the draft is out of date: what it lies over has changed');
  }
}

/** Where a file that was not put since lay before these moves. */
export function originOf(
  path: TreePath,
  moves: readonly { readonly from: TreePath; readonly to: TreePath }[],
): TreePath {
  let origin: string = path;
  for (let i = moves.length - 1; i >= 0; i--) {
    const { from, to } = moves[i]!;
    if (isWithin(origin, to)) origin = from + origin.slice(to.length);
  }
  return origin as TreePath;
}
