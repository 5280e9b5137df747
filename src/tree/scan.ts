import { createHash } from 'node:crypto';
import { messageOf } from '../base/index.ts';
import { contentHash } from './digest.ts';
import type { FileSystem } from './files.ts';
import { Files } from './folder.ts';
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

export interface Scan {
  readonly files: Files;
  readonly skipped: readonly SkippedFile[];
  /** Files that a write which broke off left behind; absolute paths. */
  readonly leftovers: readonly string[];
}

/** Files longer than this are read piece by piece. */
const WHOLE_BYTES_MAX = 4 * 1024 * 1024;
/** After so many files others have their turn. */
const FILES_PER_TURN = 200;

export const TEMPORARY_NAME = /^\.graticule-\d+\.tmp$/;

/**
 * Reads and hashes all files of a data directory that belong to the tree. Changes nothing. Reading is synchronous, in slices:
 * for small files that is five times faster than asynchronous calls.
 *
 * @param dir    absolute; an empty tree when it is not there
 * @param local  folders below `dir` that are the node's own, absolute
 */
export async function scanFolder(system: FileSystem, dir: string, local: readonly string[] = []): Promise<Scan> {
  const files = new Files();
  const skipped: SkippedFile[] = [];
  const leftovers: string[] = [];
  const skip = (path: string, reason: SkippedFile['reason'], message: string) =>
    skipped.push({ path, reason, message });
  let sinceTurn = 0;

  async function scan(folder: string): Promise<void> {
    let entries: ReturnType<FileSystem['listSync']>;
    try {
      entries = system.listSync(folder === '' ? dir : `${dir}/${folder}`);
    } catch (error) {
      if (folder !== '' || (error as NodeJS.ErrnoException).code !== 'ENOENT')
        skip(folder, 'unreadable', messageOf(error));
      return;
    }
    for (const { name, kind } of entries) {
      let path: TreePath;
      try {
        path = treePath(folder === '' ? name : `${folder}/${name}`);
        if (path.includes('\ufffd')) throw new Error('the name is not valid UTF-8, or holds a replacement character');
      } catch (error) {
        skip(folder === '' ? name : `${folder}/${name}`, 'bad-name', messageOf(error));
        continue;
      }
      if (TEMPORARY_NAME.test(name)) leftovers.push(`${dir}/${path}`);
      if (kind === 'folder') {
        if (!isLocalFolder(path) && !local.includes(`${dir}/${path}`)) await scan(path);
      } else if (isReplicated(path)) {
        if (kind === 'file') await load(path);
        else if (kind === 'link') skip(path, 'link', 'symbolic links are not followed; put the file itself here');
        else skip(path, 'special', 'neither a file nor a folder');
      }
    }
  }

  async function load(path: TreePath): Promise<void> {
    try {
      const bytes = system.readSync(`${dir}/${path}`, WHOLE_BYTES_MAX);
      const { hash, size } =
        bytes === undefined
          ? await hashStream(system, `${dir}/${path}`)
          : { hash: contentHash(bytes), size: bytes.length };
      files.load(path, { hash, size, pending: undefined });
      sinceTurn += 1 + Math.floor(size / 65_536);
    } catch (error) {
      skip(path, 'unreadable', messageOf(error));
    }
    if (sinceTurn >= FILES_PER_TURN) {
      sinceTurn = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  await scan('');
  return { files, skipped, leftovers };
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
