import { codeOf, type FileSystem, inParallel, makeFolders, parentFolder } from './files.ts';
import type { Effect, FileEntry } from './folder.ts';
import { isWithin } from './path.ts';
import type { Content, ContentHash, TreePath } from './types.ts';

/** So many small files are written before they are synced, together. */
const PUTS_AT_ONCE = 4096;

export interface StepsOptions {
  readonly system: FileSystem;
  /** Absolute. */
  readonly dir: string;
  /** A blob's bytes, in a file on the same disk or another. */
  readonly blobFile: (hash: ContentHash) => Promise<string>;
  /** Called when the bytes of a file are durable at its place. */
  readonly written: (entry: FileEntry, content: Content) => void;
}

/** The last put of each path, or `null` where it is to be removed. */
export type Stage = Map<TreePath, FileEntry | null>;

/**
 * What is done to the files of a data directory. Every step can be run again after it failed half-way; what is unknown to the
 * tree and in the way is moved aside, never overwritten; names are durable after `syncFolders`.
 */
export class Steps {
  readonly #options: StepsOptions;
  /** Folders in which names changed since the last sync. */
  #dirty = new Set<string>();
  /** Files that have their names since the last sync: until it succeeds they may have to be written again. */
  readonly #placed = new Map<TreePath, Put>();
  /** The last sync failed, so nothing is known of what came before it; another one that succeeds would not tell. */
  #unsure = false;
  #temporaries = 0;

  constructor(options: StepsOptions) {
    this.#options = options;
  }

  /** Runs an effect; puts and removals of files wait in the stage. */
  async run(effect: Effect, stage: Stage): Promise<void> {
    switch (effect.kind) {
      case 'put':
        stage.set(effect.path, effect.entry);
        break;
      case 'remove-file':
        stage.set(effect.path, null);
        break;
      case 'remove-folder':
        await this.writeStage(stage);
        for (const path of this.#placed.keys()) if (isWithin(path, effect.path)) this.#placed.delete(path);
        await this.#removeAll(this.#place(effect.path));
        await this.#pruneAbove(effect.path);
        break;
      case 'move':
        await this.writeStage(stage);
        await this.move(effect.from, effect.to);
        break;
      case 'pass':
        break;
    }
  }

  /** Removes, then writes, and empties the stage. */
  async writeStage(stage: Stage): Promise<void> {
    const puts: Put[] = [];
    for (const [path, entry] of stage) {
      if (entry === null) {
        this.#placed.delete(path);
        await this.#removeFile(path);
      } else if (entry.pending !== undefined) puts.push(this.#planPut(path, entry, entry.pending));
    }
    await this.#putInPortions(puts);
    stage.clear();
  }

  async #putInPortions(puts: readonly Put[]): Promise<void> {
    for (let start = 0; start < puts.length; start += PUTS_AT_ONCE)
      await this.#putAll(puts.slice(start, start + PUTS_AT_ONCE));
  }

  #planPut(path: TreePath, entry: FileEntry, content: Content): Put {
    const target = this.#place(path);
    const folder = parentFolder(target);
    return { path, target, folder, temporary: `${folder}/.graticule-${++this.#temporaries}.tmp`, entry, content };
  }

  /** Writes files beside their targets, makes them durable, and only then gives them their names. */
  async #putAll(puts: readonly Put[]): Promise<void> {
    const { system } = this.#options;
    const folders = new Set(puts.map((put) => put.folder));
    const made = (folder: string) => this.#dirty.add(parentFolder(folder));
    try {
      try {
        await inParallel([...folders], (folder) => makeFolders(system, folder, made));
        await this.#writeTemporaries(puts);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
        for (const folder of folders) await this.#clearAndMakeFolders(folder);
        await this.#writeTemporaries(puts);
      }
      await inParallel(puts, (put) => this.#rename(put.temporary, put.target));
    } catch (error) {
      // On a full disk, half-written files would be in the way of the next attempt.
      for (const put of puts) await system.removeFile(put.temporary).catch(() => {});
      throw error;
    }
    for (const put of puts) this.#placed.set(put.path, put);
  }

  async #writeTemporaries(puts: readonly Put[]): Promise<void> {
    const small: { file: string; bytes: Uint8Array }[] = [];
    for (const { temporary, content } of puts) {
      if (content.kind === 'inline') small.push({ file: temporary, bytes: content.bytes });
      else await this.#placeBlob(content.hash, temporary);
    }
    await this.#options.system.writeAll(small);
  }

  /** A blob that waits in a file of its own becomes the target, without a copy where that is possible. */
  async #placeBlob(hash: ContentHash, target: string): Promise<void> {
    const { system } = this.#options;
    const source = await this.#options.blobFile(hash);
    // Two files of the tree must not be one on disk: somebody may edit one of them in place.
    if ((await system.stat(source))?.links === 1) {
      try {
        await system.link(source, target);
        return;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') throw error;
        if (codeOf(error) === 'EEXIST') await system.removeFile(target);
      }
    }
    await system.copy(source, target);
  }

  async move(from: TreePath, to: TreePath): Promise<void> {
    const source = this.#place(from);
    // Gone: the move took place before a failure that came after it.
    if ((await this.#options.system.stat(source)) === undefined) return;
    const target = this.#place(to);
    await this.#clearAndMakeFolders(parentFolder(target));
    await this.#rename(source, target);
    this.#dirty.add(parentFolder(source));
    await this.#pruneAbove(from);
  }

  /** Renames; what is unknown to the tree and in the way is moved aside, never overwritten. */
  async #rename(from: string, to: string): Promise<void> {
    const { system } = this.#options;
    try {
      await system.rename(from, to);
    } catch (error) {
      if (!['EISDIR', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error;
      await this.#moveAside(to);
      await system.rename(from, to);
    }
    this.#dirty.add(parentFolder(to));
  }

  async #moveAside(path: string): Promise<void> {
    for (let n = 1; ; n++) {
      const aside = `${path}.aside-${n}~`;
      if ((await this.#options.system.stat(aside)) !== undefined) continue;
      await this.#options.system.rename(path, aside);
      return;
    }
  }

  async #clearAndMakeFolders(folder: string): Promise<void> {
    const { system, dir } = this.#options;
    // A file that the tree does not know may stand where a folder is needed.
    for (let slash = folder.indexOf('/', dir.length + 1); ; slash = folder.indexOf('/', slash + 1)) {
      const above = slash < 0 ? folder : folder.slice(0, slash);
      const kind = above.length > dir.length ? (await system.stat(above))?.kind : undefined;
      if (kind === 'file' || kind === 'other') await this.#moveAside(above);
      if (slash < 0) break;
    }
    await makeFolders(system, folder, (made) => this.#dirty.add(parentFolder(made)));
  }

  async #removeFile(path: TreePath): Promise<void> {
    try {
      await this.#options.system.removeFile(this.#place(path));
    } catch (error) {
      // Not there, or something else that the tree does not know: what was to go is gone.
      if (!['ENOENT', 'ENOTDIR', 'EISDIR', 'EPERM'].includes(codeOf(error) ?? '')) throw error;
      return;
    }
    await this.#pruneAbove(path);
  }

  async #removeAll(folder: string): Promise<void> {
    const { system } = this.#options;
    let entries: ReturnType<FileSystem['listSync']>;
    try {
      entries = system.listSync(folder);
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return;
      throw error;
    }
    for (const { name, kind } of entries) {
      if (kind === 'folder') await this.#removeAll(`${folder}/${name}`);
      else await system.removeFile(`${folder}/${name}`);
    }
    await system.removeFolder(folder);
  }

  /** Removes the folders above a path that have become empty, and makes the change durable with the next sync. */
  async #pruneAbove(path: TreePath): Promise<void> {
    const { system, dir } = this.#options;
    let folder = parentFolder(this.#place(path));
    try {
      for (; folder !== dir; folder = parentFolder(folder)) await system.removeFolder(folder);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return this.#pruneAbove(folder.slice(dir.length + 1) as TreePath);
      if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(codeOf(error) ?? '')) throw error;
    }
    this.#dirty.add(folder);
  }

  /**
   * Makes durable what was done. After a sync that failed, files are written and names are changed again before the next one:
   * the system may have forgotten what it could not write.
   */
  async syncFolders(): Promise<void> {
    const { system, written } = this.#options;
    if (this.#unsure) {
      const placed = [...this.#placed].map(([path, { entry, content }]) => this.#planPut(path, entry, content));
      await this.#putInPortions(placed);
      for (const folder of this.#dirty) await this.#touch(folder);
    }
    this.#unsure = true;
    await system.syncFolders([...this.#dirty]);
    this.#unsure = false;
    this.#dirty.clear();
    for (const { entry, content } of this.#placed.values()) written(entry, content);
    this.#placed.clear();
  }

  async #touch(folder: string): Promise<void> {
    const { system } = this.#options;
    const file = `${folder}/.graticule-${++this.#temporaries}.tmp`;
    try {
      await system.write(file, new Uint8Array());
      await system.removeFile(file);
    } catch (error) {
      // The folder has gone meanwhile.
      if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
    }
  }

  /** Removes what a write that broke off left behind. */
  async removeLeftovers(files: readonly string[]): Promise<void> {
    for (const file of files) {
      await this.#options.system.removeFile(file).catch(() => {});
      this.#dirty.add(parentFolder(file));
    }
  }

  /** Moves away what effects would overwrite or remove; only before any of them has been run. */
  async keep(effects: readonly Effect[], folder: string): Promise<void> {
    const { system } = this.#options;
    for (const effect of effects) {
      if (effect.kind === 'move' || effect.kind === 'pass') continue;
      if ((await system.stat(this.#place(effect.path))) === undefined) continue;
      const kept = `${folder}/${effect.path}`;
      await makeFolders(system, parentFolder(kept));
      await system.rename(this.#place(effect.path), kept);
    }
  }

  #place(path: TreePath): string {
    return `${this.#options.dir}/${path}`;
  }
}

interface Put {
  readonly path: TreePath;
  readonly target: string;
  readonly folder: string;
  readonly temporary: string;
  readonly entry: FileEntry;
  readonly content: Content;
}
