import { once } from 'node:events';
import { Readable } from 'node:stream';
import { UnavailableError } from '../base/index.ts';
import { contentHash, digestOf } from './digest.ts';
import { type Effect, type FileEntry, Files, type Touched } from './folder.ts';
import {
  type Content,
  type ContentHash,
  type Digest,
  type FileOperation,
  type Position,
  START,
  type TreePath,
} from './types.ts';

export interface FileStat {
  readonly hash: ContentHash;
  /** Bytes. */
  readonly size: number;
}

/** What can be asked of a tree, and of a draft over one. */
export interface TreeReader {
  stat(path: TreePath): FileStat | undefined;
  /** Names of what is directly in a folder, in the order of code units; folders end with `/`. Empty when there is no such folder. */
  list(folder: TreePath | ''): readonly string[];
  /** Whether there are files below this path. Folders without files do not exist. */
  isFolder(path: TreePath | ''): boolean;
  /** The bytes of a file; undefined when it is not in the tree. Not to be changed by the caller. */
  read(path: TreePath): Uint8Array | undefined;
  /** All files in a folder, at any depth, in the order of their paths' code units. */
  walk(folder?: TreePath | ''): IterableIterator<readonly [TreePath, FileStat]>;
}

/** A file of the tree that is open to be read: it stays what it is, whatever becomes of the tree. */
export interface OpenFile extends FileStat {
  /** To be read to its end, or destroyed. */
  readonly body: Readable;
}

/** Where the bytes of a tree lie, and who writes them. */
export interface Backing {
  /** Bytes of a file of the tree that is not pending. */
  read(path: TreePath, file: FileStat): Uint8Array;
  /** The same, not all at once. */
  open(path: TreePath, file: FileStat): Promise<Readable>;
  /** Bytes of a blob that waits to be put at its place. */
  readBlob(hash: ContentHash): Uint8Array;
  openBlob(hash: ContentHash): Readable;
  /** Takes what a record did, to be done on disk. */
  enqueue(work: RecordWork): void;
  /** Keeps the files on disk as they are. */
  freeze(): Frozen;
}

/** Files on disk that stay as they were when they were frozen. */
export interface Frozen {
  /** Resolves when nothing is being written any more; only then may be read. */
  readonly quiet: Promise<void>;
  /** Bytes of a file of the tree, as of the freeze, that is not pending. Undefined when it is longer than `bytesMax`. */
  readSync(file: FrozenFile, bytesMax: number): Uint8Array | undefined;
  readStream(file: FrozenFile): Readable;
  readBlobStream(hash: ContentHash): Readable;
  release(): void;
}

/** A file of a frozen tree. */
export interface FrozenFile extends FileStat {
  readonly path: TreePath;
}

export interface RecordWork {
  readonly position: Position;
  /** Digest of the tree after the record. */
  readonly digest: Digest;
  /** What the log says it should be, when that is something else. */
  readonly logDigest?: Digest;
  /** Effects with the index of the operation, within the record, that they come from. */
  readonly steps: readonly { readonly operation: number; readonly effect: Effect }[];
}

/**
 * The replicated tree in memory: path to hash and size, and the bytes of what is not yet on disk. Every method costs what it
 * touches, whatever the size of the tree.
 *
 * `new Tree()` is empty and keeps everything in memory; `TreeStore` makes trees that lie on disk.
 */
export class Tree implements TreeReader {
  #files: Files;
  readonly #backing: Backing | undefined;
  #position: Position;
  #skip: number;
  #revision = 0;

  constructor(from?: { files: Files; position: Position; backing: Backing; operationsDone: number }) {
    this.#files = from?.files ?? new Files();
    this.#backing = from?.backing;
    this.#position = from?.position ?? START;
    this.#skip = from?.operationsDone ?? 0;
  }

  /** Everything up to and including this record has been applied. */
  get position(): Position {
    return this.#position;
  }

  get digest(): Digest {
    return digestOf(this.#files.sum);
  }

  /** Number of files. */
  get files(): number {
    return this.#files.count;
  }

  /** Changes whenever the tree does: a draft is good for one revision. */
  get revision(): number {
    return this.#revision;
  }

  /** For snapshots: undefined when everything is in memory. */
  freeze(): Frozen | undefined {
    return this.#backing?.freeze();
  }

  /** For the store: other files take the place of these. */
  replace(files: Files, position: Position): void {
    this.#files = files;
    this.#position = position;
    this.#skip = 0;
    this.#revision++;
  }

  /** For drafts. */
  get layer(): Files {
    return this.#files;
  }

  stat(path: TreePath): FileStat | undefined {
    return this.#files.get(path);
  }

  list(folder: TreePath | ''): readonly string[] {
    return this.#files.list(folder);
  }

  isFolder(path: TreePath | ''): boolean {
    return this.#files.isFolder(path);
  }

  walk(folder: TreePath | '' = ''): IterableIterator<readonly [TreePath, FileStat]> {
    return this.#files.within(folder);
  }

  read(path: TreePath): Uint8Array | undefined {
    const entry = this.#files.get(path);
    if (entry === undefined) return undefined;
    if (entry.pending?.kind === 'inline') return entry.pending.bytes;
    if (this.#backing === undefined)
      throw new UnavailableError('blob-missing', `the contents of ${path} are not in memory`);
    return entry.pending === undefined ? this.#backing.read(path, entry) : this.#backing.readBlob(entry.hash);
  }

  /**
   * A file to be read piece by piece; undefined when it is not in the tree.
   * @throws UnavailableError  its bytes are not on this node's disk
   */
  async open(path: TreePath): Promise<OpenFile | undefined> {
    for (;;) {
      const entry = this.#files.get(path);
      if (entry === undefined) return undefined;
      const { hash, size, pending } = entry;
      if (pending?.kind === 'inline') return { hash, size, body: Readable.from([pending.bytes]) };
      if (this.#backing === undefined)
        throw new UnavailableError('blob-missing', `the contents of ${path} are not in memory`);
      try {
        const body = pending === undefined ? this.#backing.open(path, entry) : opened(this.#backing.openBlob(hash));
        return { hash, size, body: await body };
      } catch (error) {
        // Another file has come to its place meanwhile, or this one to another place.
        const now = this.#files.get(path);
        if (now?.hash === hash && now.pending === pending) throw error;
      }
    }
  }

  /** Bytes that were staged, for drafts. @throws Error  they are not here */
  readStaged(hash: ContentHash): Uint8Array {
    if (this.#backing === undefined) throw new Error(`the blob ${hash} is not here`);
    return this.#backing.readBlob(hash);
  }

  /**
   * Applies the operations of the next record, of all its changes in order. Never refuses: an operation that makes no sense
   * (a move into itself, a put to a local path) does nothing, on every node alike.
   *
   * @param expected  digest that the tree should have afterwards; kept on disk when it is another one
   * @returns what happened to each file, in order
   * @throws Error  `position` is not the one after the tree's
   */
  apply(position: Position, operations: readonly FileOperation[], expected?: Digest): Touched[] {
    if (position !== this.#position + 1)
      throw new Error(`record ${position} cannot be applied to a tree at ${this.#position}`);
    const touched: Touched[] = [];
    const steps: { operation: number; effect: Effect }[] = [];
    for (let i = this.#skip; i < operations.length; i++) {
      const effects: Effect[] = [];
      runOperation(this.#files, operations[i]!, touched, effects);
      // A move that found nothing would find what later records put there, were it done again after a crash.
      if (effects.length === 0 && operations[i]!.kind === 'move') effects.push({ kind: 'pass' });
      for (const effect of effects) steps.push({ operation: i, effect });
    }
    this.#skip = 0;
    this.#position = position;
    this.#revision++;
    const { digest } = this;
    const logDigest = expected === undefined || expected === digest ? {} : { logDigest: expected };
    this.#backing?.enqueue({ position, digest, ...logDigest, steps });
    return touched;
  }
}

/** A stream whose source is open: what has its name later makes no difference to it. */
export async function opened(body: Readable): Promise<Readable> {
  if (!body.readable || body.readableLength === 0) await once(body, 'readable');
  return body;
}

/** Carries out one operation on some files. */
export function runOperation(files: Files, operation: FileOperation, touched: Touched[], effects: Effect[]): void {
  switch (operation.kind) {
    case 'put':
      files.put(operation.path, entryOf(operation.content), touched, effects);
      break;
    case 'delete':
      files.remove(operation.path, touched, effects);
      break;
    case 'move':
      files.move(operation.from, operation.to, touched, effects);
      break;
  }
}

function entryOf(content: Content): FileEntry {
  return content.kind === 'inline'
    ? { hash: contentHash(content.bytes), size: content.bytes.length, pending: content }
    : { hash: content.hash, size: content.size, pending: content };
}
