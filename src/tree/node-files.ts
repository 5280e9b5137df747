import * as fs from 'node:fs';
import { CallThread, type PlainError, revived } from './call-thread.ts';
import type { DiskCall } from './disk-thread.ts';
import { codeOf, type FileKind, type FileSystem, type Listing } from './files.ts';

/** What threads run; the published package is compiled. */
const script = (name: string) =>
  new URL(`./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** Which of the two writes, one after the other, is for whoever is behind to say; a thread cannot take back that it stepped back. */
const patient = new CallThread<DiskCall>('disk', script('disk-thread'), { stepBack: true });
const urgent = new CallThread<DiskCall>('disk-urgent', script('disk-thread'), { stepBack: false });
let disk = patient;

/** To list folders costs the system more than it costs the thread that takes in what was found: two keep that one busy. */
const listing = Array.from({ length: 2 }, () => new CallThread<readonly string[]>('list', script('listing-thread')));

/** The file system of this machine. */
export const nodeFileSystem: FileSystem = {
  listSync(folder) {
    return fs.readdirSync(folder, { withFileTypes: true }).map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  },

  async list(folders) {
    const thread = listing.reduce((idlest, next) => (next.busy < idlest.busy ? next : idlest));
    const listings = (await thread.ask(folders)) as readonly (Listing | PlainError)[];
    return listings.map((listing) => ('message' in listing ? revived(listing) : listing));
  },

  async endListing() {
    for (const thread of listing) thread.end();
  },

  setUrgent(isUrgent) {
    disk = isUrgent ? urgent : patient;
    if (!isUrgent) urgent.end();
  },

  readSync(file, bytesMax = Number.POSITIVE_INFINITY) {
    const handle = fs.openSync(file, 'r');
    try {
      const { size } = fs.fstatSync(handle);
      return size > bytesMax ? undefined : readPart(handle, 0, size);
    } finally {
      fs.closeSync(handle);
    }
  },

  readPartSync(file, from, bytes) {
    const handle = fs.openSync(file, 'r');
    try {
      return readPart(handle, from, bytes);
    } finally {
      fs.closeSync(handle);
    }
  },

  readStream: (file, start = 0) => fs.createReadStream(file, { start, highWaterMark: 256 * 1024 }),

  async stat(path) {
    try {
      const stats = await fs.promises.lstat(path);
      return { kind: kindOf(stats), size: stats.size, links: stats.nlink };
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  },

  async write(file, body, from = 0) {
    if (body instanceof Uint8Array && from === 0)
      return disk.run({ kind: 'write-all', files: [{ file, bytes: alone(body) }] });
    const handle = await fs.promises.open(file, from > 0 ? 'r+' : 'w');
    try {
      let at = from;
      if (from > 0) await handle.truncate(from);
      for await (const chunk of body instanceof Uint8Array ? [body] : body)
        for (let done = 0; done < chunk.length; ) {
          const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, at);
          done += bytesWritten;
          at += bytesWritten;
        }
      await handle.datasync();
    } catch (error) {
      throw naming(error, file);
    } finally {
      await handle.close();
    }
  },

  writeAll: (files) =>
    disk.run({ kind: 'write-all', files: files.map(({ file, bytes }) => ({ file, bytes: alone(bytes) })) }),

  async copy(from, to) {
    await fs.promises.copyFile(from, to, fs.constants.COPYFILE_FICLONE);
    const handle = await fs.promises.open(to, 'r');
    try {
      await handle.sync();
    } catch (error) {
      throw naming(error, to);
    } finally {
      await handle.close();
    }
  },

  link: (from, to) => disk.run({ kind: 'link', from, to }),
  rename: (from, to) => disk.run({ kind: 'rename', from, to }),
  removeFile: (path) => disk.run({ kind: 'remove-file', path }),
  removeFolder: (path) => disk.run({ kind: 'remove-folder', path }),
  makeFolder: (path) => disk.run({ kind: 'make-folder', path }),
  syncFolders: (paths) => disk.run({ kind: 'sync-folders', paths }),
};

function readPart(handle: number, from: number, size: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(size);
  let filled = 0;
  while (filled < size) {
    const count = fs.readSync(handle, bytes, filled, size - filled, from + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

/** Errors of calls on an open file do not say which one. */
function naming(error: unknown, file: string): unknown {
  if (error instanceof Error && codeOf(error) !== undefined && !error.message.includes(file))
    error.message += ` '${file}'`;
  return error;
}

/** A message carries the whole memory that its bytes are a part of: a small part of a large one is copied out. */
function alone(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength > bytes.byteLength + 65_536 ? bytes.slice() : bytes;
}

function kindOf(entry: fs.Dirent | fs.Stats): FileKind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'folder';
  return entry.isSymbolicLink() ? 'link' : 'other';
}
