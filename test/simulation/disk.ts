import { Readable } from 'node:stream';
import type { Listing } from '../../src/tree/files.ts';
import type { FileSystem } from '../../src/tree/index.ts';
import type { Dice } from './dice.ts';

/** A step that changes something on the disk: what it does, and the paths that it names. */
export interface Step {
  readonly kind: 'create' | 'fill' | 'link' | 'rename' | 'unlink' | 'mkdir' | 'rmdir' | 'sync';
  readonly path: string;
}

interface FileNode {
  readonly kind: 'file';
  /** No other file has it. */
  readonly inode: bigint;
  /** When it was written, by the machine's clock, in ns. */
  writtenNs: bigint;
  bytes: Uint8Array;
  /** What is on the platter, when the bytes were not synced. */
  unsynced?: Uint8Array;
}
interface FolderNode {
  readonly kind: 'folder';
  readonly names: Map<string, FileNode | FolderNode>;
}
type Node = FileNode | FolderNode;

/** A change of names that a power failure may undo. */
interface Unsynced {
  /** Folders whose names it changes. */
  readonly folders: readonly string[];
  /** Folders that it changes the place of, with everything below. */
  readonly subtrees: readonly string[];
  run(root: FolderNode): void;
}

/** What a mutated disk forgets to do; see `mutations.ts`. */
export interface Negligence {
  /** Contents written are not durable until the operating system writes them some time. */
  readonly contents?: (path: string) => boolean;
  /** The names in this folder are not made durable by a sync. */
  readonly names?: (folder: string) => boolean;
}

export interface DiskOptions {
  /** The machine's wall clock, ms since 1970. */
  readonly now: () => number;
  readonly negligence: Negligence;
}

/**
 * A disk in memory. Names are durable once their folder has been synced, contents once they have been written. When the power
 * fails, any of the other changes of names may be lost, as long as those that build on each other go together: two changes of
 * one folder stay in order, changes of folders that have nothing to do with each other need not. A rename is atomic.
 */
export class SimulatedDisk implements FileSystem {
  /** Called before each step; what it throws is what the call fails with, and then nothing is done. */
  onStep: ((step: Step) => void) | undefined;
  /** Called before a file or folder is read; what it throws is what the call fails with. */
  onRead: ((path: string) => void) | undefined;
  readonly #now: FolderNode;
  readonly #safe: FolderNode;
  #journal: Unsynced[] = [];
  readonly #options: DiskOptions;
  #inodes = 0n;

  constructor(options: DiskOptions, root: FolderNode = folderNode()) {
    this.#options = options;
    this.#now = root;
    this.#safe = copyOf(root);
    forEachFile(root, '', (_path, { inode }) => {
      if (inode > this.#inodes) this.#inodes = inode;
    });
  }

  /** What the disk holds after its process was killed; or, given dice, after the power failed. */
  afterCrash(dice?: Dice): SimulatedDisk {
    if (dice === undefined) return new SimulatedDisk(this.#options, copyOf(this.#now));
    const lost: Unsynced[] = [];
    for (const change of this.#journal) {
      const kept = !lost.some((earlier) => buildsOn(change, earlier)) && dice.chance(0.7);
      if (kept) change.run(this.#safe);
      else lost.push(change);
    }
    const root = copyOf(this.#safe);
    forEachFile(root, '', (_path, file) => {
      if (file.unsynced !== undefined && dice.chance(0.7)) file.bytes = file.unsynced;
      file.unsynced = undefined;
    });
    return new SimulatedDisk(this.#options, root);
  }

  has(path: string): boolean {
    return find(this.#now, path) !== undefined;
  }

  /** All files, by absolute path. */
  files(): Map<string, Uint8Array> {
    const all = new Map<string, Uint8Array>();
    forEachFile(this.#now, '', (path, file) => all.set(path, file.bytes));
    return all;
  }

  /** Somebody writes, or removes, a file by hand; durable at once. */
  edit(path: string, bytes: Uint8Array | undefined): void {
    this.#settle(() => true);
    const file = bytes && this.#newFile(bytes);
    for (const root of [this.#now, this.#safe]) {
      if (file !== undefined) {
        let at = '';
        for (const name of path.split('/').slice(1, -1)) {
          at += `/${name}`;
          if (find(root, at) === undefined) put(root, at, folderNode());
        }
        put(root, path, file);
      } else if (find(root, path) !== undefined) remove(root, path);
    }
  }

  // ---- reading

  listSync(folder: string) {
    const { names } = need(this.#now, folder, 'folder') as FolderNode;
    return [...names].map(([name, { kind }]) => ({ name, kind }));
  }

  async list(folders: readonly string[]) {
    return folders.map((folder) => {
      try {
        return this.#listing(folder);
      } catch (error) {
        return error as NodeJS.ErrnoException;
      }
    });
  }

  async endListing() {}

  setUrgent() {}

  #listing(folder: string): Listing {
    this.onRead?.(folder);
    const { names } = need(this.#now, folder, 'folder') as FolderNode;
    const folders: string[] = [];
    const files: string[] = [];
    const stamps: bigint[] = [];
    for (const [name, node] of names) {
      if (node.kind === 'folder') folders.push(name);
      else {
        files.push(name);
        stamps.push(BigInt(node.bytes.length), node.writtenNs, node.writtenNs, node.inode);
      }
    }
    return { folders, files, stamps: BigInt64Array.from(stamps), others: [] };
  }

  readSync(file: string, bytesMax = Number.POSITIVE_INFINITY): Uint8Array | undefined {
    this.onRead?.(file);
    const { bytes } = need(this.#now, file, 'file') as FileNode;
    return bytes.length > bytesMax ? undefined : Buffer.from(bytes);
  }

  readPartSync(file: string, from: number, bytes: number): Uint8Array {
    return this.readSync(file)!.subarray(from, from + bytes);
  }

  readStream(file: string, from = 0): Readable {
    return Readable.from([this.readSync(file)!.subarray(from)]);
  }

  async stat(path: string) {
    const node = find(this.#now, path);
    return node && { kind: node.kind, size: node.kind === 'file' ? node.bytes.length : 0, links: 1 };
  }

  // ---- writing

  async write(file: string, body: Uint8Array | AsyncIterable<Uint8Array>, from = 0): Promise<void> {
    const chunks: Uint8Array[] = from > 0 ? [this.readSync(file)!.subarray(0, from)] : [];
    if (body instanceof Uint8Array) chunks.push(body);
    else for await (const chunk of body) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    this.onStep?.({ kind: 'create', path: file });
    if (find(this.#now, file)?.kind === 'folder') throw failure('EISDIR', file);
    const node = this.#newFile(bytes.subarray(0, bytes.length / 2));
    this.#change([parent(file)], [], (root) => put(root, file, node));
    this.onStep?.({ kind: 'fill', path: file });
    if (this.#options.negligence.contents?.(file)) node.unsynced = Buffer.alloc(0);
    node.bytes = bytes;
  }

  async writeAll(files: readonly { file: string; bytes: Uint8Array }[]): Promise<void> {
    for (const { file, bytes } of files) await this.write(file, bytes);
  }

  async copy(from: string, to: string): Promise<void> {
    await this.write(to, this.readSync(from)!);
  }

  async link(from: string, to: string): Promise<void> {
    this.onStep?.({ kind: 'link', path: to });
    const node = need(this.#now, from, 'file');
    if (find(this.#now, to) !== undefined) throw failure('EEXIST', to);
    this.#change([parent(to)], [], (root) => put(root, to, node));
  }

  async rename(from: string, to: string): Promise<void> {
    this.onStep?.({ kind: 'rename', path: to });
    const node = find(this.#now, from);
    if (node === undefined) throw failure('ENOENT', from);
    need(this.#now, parent(to), 'folder');
    const old = find(this.#now, to);
    if (node.kind === 'folder' && old?.kind === 'file') throw failure('ENOTDIR', to);
    if (node.kind === 'file' && old?.kind === 'folder') throw failure('EISDIR', to);
    if (old?.kind === 'folder' && old.names.size > 0) throw failure('ENOTEMPTY', to);
    const subtrees = node.kind === 'folder' ? [from, to] : [];
    this.#change([parent(from), parent(to)], subtrees, (root) => put(root, to, remove(root, from)));
  }

  async removeFile(file: string): Promise<void> {
    this.onStep?.({ kind: 'unlink', path: file });
    const node = find(this.#now, file);
    if (node?.kind === 'folder') throw failure('EISDIR', file);
    if (node === undefined) throw failure('ENOENT', file);
    this.#change([parent(file)], [], (root) => void remove(root, file));
  }

  async removeFolder(folder: string): Promise<void> {
    this.onStep?.({ kind: 'rmdir', path: folder });
    const { names } = need(this.#now, folder, 'folder') as FolderNode;
    if (names.size > 0) throw failure('ENOTEMPTY', folder);
    this.#change([parent(folder), folder], [], (root) => void remove(root, folder));
  }

  async makeFolder(folder: string): Promise<void> {
    this.onStep?.({ kind: 'mkdir', path: folder });
    if (find(this.#now, folder) !== undefined) throw failure('EEXIST', folder);
    need(this.#now, parent(folder), 'folder');
    this.#change([parent(folder), folder], [], (root) => put(root, folder, folderNode()));
  }

  async syncFolders(folders: readonly string[]): Promise<void> {
    for (const folder of folders) if (this.has(folder)) this.#syncFolder(folder);
  }

  #syncFolder(folder: string): void {
    need(this.#now, folder, 'folder');
    this.onStep?.({ kind: 'sync', path: folder });
    if (this.#options.negligence.names?.(folder)) return;
    this.#settle(({ folders }) => folders.includes(folder));
  }

  #newFile(bytes: Uint8Array): FileNode {
    const writtenNs = BigInt(Math.floor(this.#options.now())) * 1_000_000n;
    return { kind: 'file', inode: ++this.#inodes, writtenNs, bytes };
  }

  #change(folders: readonly string[], subtrees: readonly string[], run: (root: FolderNode) => void): void {
    run(this.#now);
    this.#journal.push({ folders, subtrees, run });
  }

  /** Makes some changes durable, and with them what they build on. */
  #settle(wanted: (change: Unsynced) => boolean): void {
    const settled: Unsynced[] = [];
    const rest: Unsynced[] = [];
    for (const change of this.#journal.toReversed()) {
      if (wanted(change) || settled.some((later) => buildsOn(later, change))) settled.push(change);
      else rest.push(change);
    }
    for (const change of settled.reverse()) change.run(this.#safe);
    this.#journal = rest.reverse();
  }
}

/** Whether the later of two changes needs the earlier one. */
function buildsOn(later: Unsynced, earlier: Unsynced): boolean {
  return (
    later.folders.some((folder) => earlier.folders.includes(folder)) ||
    reaches(later.subtrees, earlier.folders) ||
    reaches(earlier.subtrees, later.folders)
  );
}

function reaches(subtrees: readonly string[], folders: readonly string[]): boolean {
  return subtrees.some((tree) => folders.some((folder) => folder === tree || folder.startsWith(`${tree}/`)));
}

function folderNode(): FolderNode {
  return { kind: 'folder', names: new Map() };
}

/** Folders are copied, and files as they are now. */
function copyOf(folder: FolderNode): FolderNode {
  const copies = new Map<FileNode, FileNode>();
  const copy = (node: FolderNode): FolderNode => {
    const names = new Map<string, Node>();
    for (const [name, each] of node.names) {
      if (each.kind === 'folder') {
        names.set(name, copy(each));
        continue;
      }
      const twin = copies.get(each) ?? { ...each };
      copies.set(each, twin);
      names.set(name, twin);
    }
    return { kind: 'folder', names };
  };
  return copy(folder);
}

function forEachFile(folder: FolderNode, at: string, visit: (path: string, file: FileNode) => void): void {
  for (const [name, node] of folder.names) {
    if (node.kind === 'file') visit(`${at}/${name}`, node);
    else forEachFile(node, `${at}/${name}`, visit);
  }
}

function find(root: FolderNode, path: string): Node | undefined {
  let node: Node | undefined = root;
  if (path === '/') return root;
  for (const name of path.slice(1).split('/')) {
    if (node?.kind !== 'folder') return undefined;
    node = node.names.get(name);
  }
  return node;
}

function need(root: FolderNode, path: string, kind: 'file' | 'folder'): Node {
  const node = find(root, path);
  if (node === undefined) {
    for (let at = parent(path); at !== '/'; at = parent(at))
      if (find(root, at)?.kind === 'file') throw failure('ENOTDIR', path);
    throw failure('ENOENT', path);
  }
  if (node.kind !== kind) throw failure(kind === 'file' ? 'EISDIR' : 'ENOTDIR', path);
  return node;
}

function put(root: FolderNode, path: string, node: Node): void {
  const { names } = need(root, parent(path), 'folder') as FolderNode;
  names.set(path.slice(path.lastIndexOf('/') + 1), node);
}

function remove(root: FolderNode, path: string): Node {
  const { names } = need(root, parent(path), 'folder') as FolderNode;
  const name = path.slice(path.lastIndexOf('/') + 1);
  const node = names.get(name);
  if (node === undefined) throw failure('ENOENT', path);
  names.delete(name);
  return node;
}

function parent(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
