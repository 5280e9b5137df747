import type { Readable } from 'node:stream';

/** What a name in a folder stands for; links are not followed. */
export type FileKind = 'file' | 'folder' | 'link' | 'other';

/** Numbers, and bytes, that tell one version of a file from another: size in bytes, mtime and ctime in ns since 1970, inode. */
export const STAMP_NUMBERS = 4;
export const STAMP_BYTES = STAMP_NUMBERS * 8;

/** What is directly in a folder, in the file system's order. */
export interface Listing {
  readonly folders: readonly string[];
  readonly files: readonly string[];
  /** `STAMP_NUMBERS` for each file. A file that has been changed has another stamp, unless it was changed in the same instant. */
  readonly stamps: BigInt64Array<ArrayBuffer>;
  /** Links, sockets and the like. */
  readonly others: readonly { readonly name: string; readonly kind: 'link' | 'other' }[];
}

/**
 * The calls that a tree store makes to the file system; paths are absolute. Errors carry Node's `code` (`ENOENT`, ...).
 * What is synchronous is small and read where a caller waits; everything that writes is asynchronous.
 */
export interface FileSystem {
  /** Names in a folder, in no order. */
  listSync(folder: string): readonly { readonly name: string; readonly kind: FileKind }[];
  /** What is in each of some folders, or why that cannot be said. Nothing in it is read. */
  list(folders: readonly string[]): Promise<readonly (Listing | NodeJS.ErrnoException)[]>;
  /** No more folders are to be listed for now. */
  endListing(): Promise<void>;
  /** Whether somebody waits for what is written, or much of it waits; otherwise it steps back behind other work. */
  setUrgent(urgent: boolean): void;
  /** A whole file; undefined when it is longer than `bytesMax`. */
  readSync(file: string, bytesMax?: number): Uint8Array | undefined;
  /** So many bytes of a file from an offset on; fewer where it ends before. */
  readPartSync(file: string, from: number, bytes: number): Uint8Array;
  /** From an offset on. */
  readStream(file: string, from?: number): Readable;
  /** Undefined when there is nothing. Links are not followed. */
  stat(path: string): Promise<{ readonly kind: FileKind; readonly size: number; readonly links: number } | undefined>;
  /**
   * Creates or empties a file and writes it; its contents are durable when this resolves, its name need not be. What has come of a
   * body that fails stays.
   * @param from  so many bytes of the file that is there stay, and the body comes after them
   */
  write(file: string, body: Uint8Array | AsyncIterable<Uint8Array>, from?: number): Promise<void>;
  /** As `write`, for many small files at once: their syncs cost little more than one. */
  writeAll(files: readonly { readonly file: string; readonly bytes: Uint8Array }[]): Promise<void>;
  /** As `write`, from another file. */
  copy(from: string, to: string): Promise<void>;
  /** A second name for a file. */
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  removeFile(file: string): Promise<void>;
  /** An empty one. */
  removeFolder(folder: string): Promise<void>;
  /** One level. */
  makeFolder(folder: string): Promise<void>;
  /** Makes durable which names are in these folders; one that is not there is passed over. */
  syncFolders(folders: readonly string[]): Promise<void>;
}

/** Calls at once: those of one moment share a message to the thread that carries them out. */
const PARALLEL_CALLS = 64;

/** Runs something for each item, a few at a time. @throws the first failure, once all that was begun has ended */
export async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const next = items.values();
  const failures: unknown[] = [];
  const runner = async () => {
    for (const item of next) {
      if (failures.length > 0) return;
      try {
        await run(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_CALLS, items.length) }, runner));
  if (failures.length > 0) throw failures[0];
}

/** Node's code of a file system error. */
export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** Creates a folder and those above it that are missing; each that was made is reported. */
export async function makeFolders(
  files: FileSystem,
  folder: string,
  made: (folder: string) => void = () => {},
): Promise<void> {
  try {
    await files.makeFolder(folder);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    if (codeOf(error) !== 'ENOENT') throw error;
    await makeFolders(files, parentFolder(folder), made);
    await makeFolders(files, folder, made);
    return;
  }
  made(folder);
}

/** The folder that holds an absolute path. */
export function parentFolder(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}

/** Replaces a file by another one: at any moment it is the old or the new one. Folders above it are made. */
export async function replaceFile(files: FileSystem, file: string, bytes: Uint8Array): Promise<void> {
  await makeFolders(files, parentFolder(file));
  await files.write(`${file}.tmp`, bytes);
  await files.rename(`${file}.tmp`, file);
}
