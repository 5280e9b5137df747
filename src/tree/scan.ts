import { createHash } from 'node:crypto';
import { messageOf } from '../base/index.ts';
import { contentHash } from './digest.ts';
import { codeOf, type FileSystem, type Listing, STAMP_NUMBERS } from './files.ts';
import { type FileEntry, Files } from './folder.ts';
import { type CachedFolder, encodeFolder } from './hash-cache.ts';
import { isLocalFolder, isReplicated, treePath } from './path.ts';
import type { ContentHash, TreePath } from './types.ts';

/** Something in a data directory that could be part of the tree and is not. */
export interface SkippedFile {
  /** Relative to the data directory. */
  readonly path: string;
  /** `unreadable`: it may well belong to the tree, and nothing can be said about it. */
  readonly reason: 'link' | 'special' | 'unreadable' | 'bad-name';
  readonly message: string;
}

export interface ScanOptions {
  /** Folders below the directory that are the node's own, absolute. */
  readonly local?: readonly string[];
  /** Hashes of files by folder: a file that is as it was then is not read. */
  readonly known?: ReadonlyMap<string, CachedFolder> | undefined;
  /** Time now, ms since 1970: a file that was changed just now may change again and look the same. */
  readonly nowMs: number;
  readonly signal?: AbortSignal;
}

export interface Scan {
  readonly files: Files;
  readonly skipped: readonly SkippedFile[];
  /** Files that a write which broke off left behind; absolute paths. */
  readonly leftovers: readonly string[];
  /** Files that had to be read. */
  readonly read: number;
  /** Of those, files whose hash is not worth keeping: they were changed too short a time ago. */
  readonly unsettled: number;
  /** What is to be known the next time: blocks for `encodeHashCache`. */
  readonly hashes: readonly Uint8Array[];
}

/** Files longer than this are read piece by piece. */
const WHOLE_BYTES_MAX = 4 * 1024 * 1024;
/** After so many files read, or so many that need not be, others have their turn. */
const FILES_PER_TURN = 200;
const KNOWN_PER_TURN = 2000;
/** Folders asked for at once; the next ones are being listed while the files of the last are taken in. */
const FOLDERS_AT_ONCE = 256;
const QUESTIONS_AHEAD = 4;
/**
 * Two changes of a file within the grain of the file system's clock (2 s at worst) leave the same stamp. What was changed
 * longer ago than this before it was read has another stamp after the next change.
 */
export const SETTLED_MS = 3000;

export const TEMPORARY_NAME = /^\.graticule-\d+\.tmp$/;

/**
 * Finds all files of a data directory that belong to the tree, with their hashes. Changes nothing. Reading is synchronous, in
 * slices: for small files that is five times faster than asynchronous calls.
 *
 * @param dir  absolute; an empty tree when it is not there
 * @throws the signal's reason
 */
export async function scanFolder(system: FileSystem, dir: string, options: ScanOptions): Promise<Scan> {
  try {
    return await scan(system, dir, options);
  } finally {
    await system.endListing();
  }
}

async function scan(system: FileSystem, dir: string, options: ScanOptions): Promise<Scan> {
  const { local = [], known, nowMs, signal } = options;
  const settledNs = BigInt(Math.floor(nowMs) - SETTLED_MS) * 1_000_000n;
  const files = new Files();
  const skipped: SkippedFile[] = [];
  const leftovers: string[] = [];
  const hashes: Uint8Array[] = [];
  let read = 0;
  let unsettled = 0;
  let sinceTurn = 0;
  const skip = (path: string, reason: SkippedFile['reason'], message: string) =>
    skipped.push({ path, reason, message });
  const turn = async (cost: number) => {
    sinceTurn += cost;
    if (sinceTurn < 1) return;
    sinceTurn = 0;
    await new Promise((resolve) => setImmediate(resolve));
  };

  /** The path of something in a folder; undefined, and reported, when it can be none. */
  function pathIn(folder: string, name: string): TreePath | undefined {
    const text = folder === '' ? name : `${folder}/${name}`;
    try {
      const path = treePath(text);
      if (path.includes('\ufffd')) throw new Error('the name is not valid UTF-8, or holds a replacement character');
      return path;
    } catch (error) {
      skip(text, 'bad-name', messageOf(error));
      return undefined;
    }
  }

  /** As it was when it was last read, or read now. Undefined, and reported, when it cannot be read. */
  async function entryOf(path: TreePath, hash: ContentHash | undefined, size: bigint): Promise<FileEntry | undefined> {
    if (hash !== undefined) {
      await turn(1 / KNOWN_PER_TURN);
      return { hash, size: Number(size), pending: undefined };
    }
    read++;
    try {
      const bytes = system.readSync(`${dir}/${path}`, WHOLE_BYTES_MAX);
      const found =
        bytes === undefined
          ? await hashStream(system, `${dir}/${path}`)
          : { hash: contentHash(bytes), size: bytes.length };
      await turn((1 + Math.floor(found.size / 65_536)) / FILES_PER_TURN);
      return { ...found, pending: undefined };
    } catch (error) {
      skip(path, 'unreadable', messageOf(error));
      return undefined;
    }
  }

  /** All files of the folder, when they are those that are known. */
  async function takeWhole(folder: TreePath | '', listing: Listing, cached: CachedFolder): Promise<void> {
    files.loadFolder(
      folder,
      listing.files.map((name, n) => [
        name,
        { hash: cached.hashAt(n), size: Number(listing.stamps[n * STAMP_NUMBERS]), pending: undefined },
      ]),
    );
    hashes.push(cached.block);
    await turn(listing.files.length / KNOWN_PER_TURN);
  }

  async function takeFiles(folder: TreePath | '', listing: Listing, cached?: CachedFolder): Promise<void> {
    const found: [string, FileEntry][] = [];
    const kept: { names: string[]; stamps: bigint[]; hashes: ContentHash[] } = { names: [], stamps: [], hashes: [] };
    for (const [n, name] of listing.files.entries()) {
      const path = pathIn(folder, name);
      if (path === undefined) continue;
      if (TEMPORARY_NAME.test(name)) leftovers.push(`${dir}/${path}`);
      if (!isReplicated(path)) continue;
      const stamp = listing.stamps.subarray(n * STAMP_NUMBERS, (n + 1) * STAMP_NUMBERS);
      const entry = await entryOf(path, cached?.hashOf(listing, n), stamp[0]!);
      if (entry === undefined) continue;
      found.push([name, entry]);
      if (stamp[1]! >= settledNs || stamp[2]! >= settledNs || BigInt(entry.size) !== stamp[0]) {
        unsettled++;
        continue;
      }
      kept.names.push(name);
      kept.stamps.push(...stamp);
      kept.hashes.push(entry.hash);
    }
    files.loadFolder(folder, found);
    if (kept.names.length > 0) hashes.push(encodeFolder({ folder, ...kept, stamps: BigInt64Array.from(kept.stamps) }));
  }

  const waiting: (TreePath | '')[] = [''];
  const questions: { folders: readonly (TreePath | '')[]; answer: ReturnType<FileSystem['list']> }[] = [];
  for (;;) {
    while (questions.length < QUESTIONS_AHEAD && waiting.length > 0) {
      const folders = waiting.splice(0, FOLDERS_AT_ONCE);
      const answer = system.list(folders.map((folder) => (folder === '' ? dir : `${dir}/${folder}`)));
      // A failure is met when its turn comes.
      answer.catch(() => {});
      questions.push({ folders, answer });
    }
    const question = questions.shift();
    if (question === undefined) return { files, skipped, leftovers, read, unsettled, hashes };
    signal?.throwIfAborted();
    for (const [i, listing] of (await question.answer).entries()) {
      const folder = question.folders[i]!;
      if (listing instanceof Error) {
        if (folder !== '' || codeOf(listing) !== 'ENOENT') skip(folder, 'unreadable', messageOf(listing));
        continue;
      }
      const cached = known?.get(folder);
      if (cached?.isWhole(listing)) await takeWhole(folder, listing, cached);
      else await takeFiles(folder, listing, cached);
      for (const name of listing.folders) {
        const path = pathIn(folder, name);
        if (path !== undefined && !isLocalFolder(path) && !local.includes(`${dir}/${path}`)) waiting.push(path);
      }
      for (const { name, kind } of listing.others) {
        const path = pathIn(folder, name);
        if (path === undefined || !isReplicated(path)) continue;
        if (kind === 'link') skip(path, 'link', 'symbolic links are not followed; put the file itself here');
        else skip(path, 'special', 'neither a file nor a folder');
      }
    }
  }
}

async function hashStream(system: FileSystem, file: string): Promise<{ hash: ContentHash; size: number }> {
  const digest = createHash('sha256');
  let size = 0;
  for await (const chunk of system.readStream(file)) {
    digest.update(chunk as Uint8Array);
    size += (chunk as Uint8Array).length;
  }
  return { hash: digest.digest('hex') as ContentHash, size };
}
