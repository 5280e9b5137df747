import { Readable } from 'node:stream';
import { type FileKind, type FileSystem, type Listing, STAMP_NUMBERS } from './files.ts';

/** A file system in memory, for simulations: it can die at any step, with or without power. */
export interface MemoryFileSystem extends FileSystem {
  /** Steps taken so far: everything that changes something. */
  readonly steps: number;
  /** Called before each step; what it throws is what the call fails with, and then nothing is done. */
  onStep: ((step: string) => void) | undefined;
  /**
   * What the disk holds after the process was killed, or, given a dice, after the power failed: names that were not synced may
   * be as they were, in the order of a journal. Contents are what was written, or half of it.
   * @param random  0 to 1, less than 1
   */
  afterCrash(random?: () => number): MemoryFileSystem;
  /** All files with their contents as text, by path. */
  dump(): Record<string, string>;
  /** Changes a file behind everybody's back. */
  poke(file: string, text: string | undefined): void;
}

type Node = { readonly kind: 'file'; readonly bytes: Uint8Array } | { readonly kind: 'folder' | 'link' };
type Names = ReadonlyMap<string, Node>;

/** Each written file is a node of its own, and gets a number when somebody asks for it. */
const versions = new WeakMap<Node, bigint>();
let lastVersion = 0n;

function versionOf(node: Node): bigint {
  const version = versions.get(node) ?? ++lastVersion;
  versions.set(node, version);
  return version;
}

/** @param names  what is on the disk; folders above files need not be named */
export function memoryFileSystem(names: Names = new Map([['/', { kind: 'folder' }]])): MemoryFileSystem {
  return new MemoryFiles(names);
}

class MemoryFiles implements MemoryFileSystem {
  steps = 0;
  onStep: ((step: string) => void) | undefined;
  /** What the disk held since the last sync; the last one is what it holds now. */
  #journal: Names[];

  constructor(names: Names) {
    this.#journal = [names];
  }

  get #names(): Names {
    return this.#journal.at(-1)!;
  }

  afterCrash(random?: () => number): MemoryFileSystem {
    const at = random === undefined ? this.#journal.length - 1 : Math.floor(random() * this.#journal.length);
    return new MemoryFiles(this.#journal[at]!);
  }

  dump(): Record<string, string> {
    const all: Record<string, string> = {};
    for (const path of [...this.#names.keys()].sort()) {
      const node = this.#names.get(path)!;
      if (node.kind === 'file') all[path] = Buffer.from(node.bytes).toString();
    }
    return all;
  }

  poke(file: string, text: string | undefined): void {
    const names = new Map(this.#names);
    if (text === undefined) names.delete(file);
    else {
      for (let at = file.indexOf('/', 1); at > 0; at = file.indexOf('/', at + 1))
        names.set(file.slice(0, at), { kind: 'folder' });
      names.set(file, { kind: 'file', bytes: Buffer.from(text) });
    }
    this.#journal = [names];
  }

  listSync(folder: string): readonly { name: string; kind: FileKind }[] {
    this.#need(folder, 'folder');
    const prefix = folder === '/' ? '/' : `${folder}/`;
    const found: { name: string; kind: FileKind }[] = [];
    for (const [path, node] of this.#names)
      if (path.startsWith(prefix) && path.length > prefix.length && !path.includes('/', prefix.length))
        found.push({ name: path.slice(prefix.length), kind: node.kind });
    return found;
  }

  async list(folders: readonly string[]): Promise<readonly (Listing | NodeJS.ErrnoException)[]> {
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
    const names = this.listSync(folder);
    const files = names.filter(({ kind }) => kind === 'file').map(({ name }) => name);
    const stamps = new BigInt64Array(files.length * STAMP_NUMBERS);
    for (const [n, name] of files.entries()) {
      const node = this.#need(folder === '/' ? `/${name}` : `${folder}/${name}`, 'file') as { bytes: Uint8Array };
      stamps.set([BigInt(node.bytes.length), 0n, 0n, versionOf(node as Node)], n * STAMP_NUMBERS);
    }
    return {
      folders: names.filter(({ kind }) => kind === 'folder').map(({ name }) => name),
      files,
      stamps,
      others: names.flatMap(({ name, kind }) => (kind === 'link' || kind === 'other' ? [{ name, kind }] : [])),
    };
  }

  readSync(file: string, bytesMax = Number.POSITIVE_INFINITY): Uint8Array | undefined {
    const { bytes } = this.#need(file, 'file') as { bytes: Uint8Array };
    return bytes.length > bytesMax ? undefined : Buffer.from(bytes);
  }

  readPartSync(file: string, from: number, bytes: number): Uint8Array {
    return this.readSync(file)!.subarray(from, from + bytes);
  }

  readStream(file: string, from = 0): Readable {
    return Readable.from([this.readSync(file)!.subarray(from)]);
  }

  async stat(path: string): Promise<{ kind: FileKind; size: number; links: number } | undefined> {
    const node = this.#names.get(path);
    if (node === undefined) return undefined;
    return { kind: node.kind, size: node.kind === 'file' ? node.bytes.length : 0, links: 1 };
  }

  async write(file: string, body: Uint8Array | AsyncIterable<Uint8Array>, from = 0): Promise<void> {
    const chunks: Uint8Array[] = from > 0 ? [this.readSync(file)!.subarray(0, from)] : [];
    const write = (bytes: Uint8Array) => this.#step(`write ${file}`, (names) => this.#create(names, file, bytes));
    try {
      if (body instanceof Uint8Array) chunks.push(body);
      else for await (const chunk of body) chunks.push(chunk);
    } catch (error) {
      write(Buffer.concat(chunks));
      throw error;
    }
    const bytes = Buffer.concat(chunks);
    write(bytes.subarray(0, bytes.length / 2));
    write(bytes);
  }

  async writeAll(files: readonly { file: string; bytes: Uint8Array }[]): Promise<void> {
    for (const { file, bytes } of files) await this.write(file, bytes);
  }

  async copy(from: string, to: string): Promise<void> {
    await this.write(to, this.readSync(from)!);
  }

  async link(from: string, to: string): Promise<void> {
    const { bytes } = this.#need(from, 'file') as { bytes: Uint8Array };
    if (this.#names.has(to)) throw failure('EEXIST', to);
    this.#step(`link ${to}`, (names) => this.#create(names, to, bytes));
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step(`rename ${from} ${to}`, (names) => {
      const node = names.get(from);
      if (node === undefined) throw failure('ENOENT', from);
      this.#needParent(to);
      const old = names.get(to);
      if (node.kind === 'folder' && old !== undefined && old.kind !== 'folder') throw failure('ENOTDIR', to);
      if (node.kind !== 'folder' && old?.kind === 'folder') throw failure('EISDIR', to);
      if (old?.kind === 'folder' && this.listSync(to).length > 0) throw failure('ENOTEMPTY', to);
      for (const [path, each] of [...names])
        if (path === from || path.startsWith(`${from}/`)) {
          names.delete(path);
          names.set(to + path.slice(from.length), each);
        }
    });
  }

  async removeFile(file: string): Promise<void> {
    this.#step(`unlink ${file}`, (names) => {
      if (names.get(file)?.kind === 'folder') throw failure('EISDIR', file);
      if (!names.delete(file)) throw failure('ENOENT', file);
    });
  }

  async removeFolder(folder: string): Promise<void> {
    this.#step(`rmdir ${folder}`, (names) => {
      this.#need(folder, 'folder');
      if (this.listSync(folder).length > 0) throw failure('ENOTEMPTY', folder);
      names.delete(folder);
    });
  }

  async makeFolder(folder: string): Promise<void> {
    this.#step(`mkdir ${folder}`, (names) => {
      if (names.has(folder)) throw failure('EEXIST', folder);
      this.#needParent(folder);
      names.set(folder, { kind: 'folder' });
    });
  }

  async syncFolders(folders: readonly string[]): Promise<void> {
    for (const folder of folders) {
      if (!this.#names.has(folder)) continue;
      this.#step(`sync ${folder}`, () => {});
    }
    if (folders.length > 0) this.#journal = [this.#names];
  }

  #step(what: string, run: (names: Map<string, Node>) => void): void {
    this.onStep?.(what);
    const names = new Map(this.#names);
    run(names);
    this.steps++;
    this.#journal.push(names);
  }

  #create(names: Map<string, Node>, file: string, bytes: Uint8Array): void {
    this.#needParent(file);
    if (names.get(file)?.kind === 'folder') throw failure('EISDIR', file);
    names.set(file, { kind: 'file', bytes: Buffer.from(bytes) });
  }

  #needParent(path: string): void {
    this.#need(path.slice(0, Math.max(1, path.lastIndexOf('/'))), 'folder');
  }

  #need(path: string, kind: 'file' | 'folder'): Node {
    const node = this.#names.get(path);
    if (node === undefined) {
      for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
        if (this.#names.get(path.slice(0, at))?.kind === 'file') throw failure('ENOTDIR', path);
      throw failure('ENOENT', path);
    }
    if (node.kind !== kind) throw failure(kind === 'file' ? 'EISDIR' : 'ENOTDIR', path);
    return node;
  }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
