import * as fs from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { DiskAnswer, DiskCall, DiskError } from './disk-thread.ts';
import { codeOf, type FileKind, type FileSystem, type Listing } from './files.ts';

type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;

/** The calls that are carried out by a thread of their own. Those of one tick travel in one message, and run in order. */
class DiskThread {
  #worker: Worker | undefined;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  #unsent: DiskCall[] = [];
  #lastId = 0;

  async run(call: Unnumbered<DiskCall>): Promise<void> {
    await this.ask(call);
  }

  ask(call: Unnumbered<DiskCall>): Promise<unknown> {
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<unknown>();
    this.#calls.set(id, answer);
    if (this.#unsent.push({ ...call, id } as DiskCall) === 1) queueMicrotask(() => this.#send());
    return answer.promise;
  }

  #send(): void {
    this.#worker ??= this.#start();
    // The process must not end while something is being written, and need not live for a thread that waits.
    this.#worker.ref();
    this.#worker.postMessage(this.#unsent);
    this.#unsent = [];
  }

  #start(): Worker {
    // The published package is compiled.
    const script = import.meta.url.endsWith('.ts') ? './disk-thread.ts' : './disk-thread.js';
    const worker = new Worker(new URL(script, import.meta.url), { name: 'disk' });
    worker.on('message', (answers: readonly DiskAnswer[]) => {
      for (const { id, value, error } of answers) {
        const call = this.#calls.get(id);
        this.#calls.delete(id);
        if (error === undefined) call?.resolve(value);
        else call?.reject(revived(error));
      }
      if (this.#calls.size === 0) worker.unref();
    });
    const gone = (error: Error) => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      for (const call of this.#calls.values()) call.reject(error);
      this.#calls.clear();
    };
    worker.on('error', gone);
    worker.on('exit', () => gone(new Error('the thread that writes files has ended')));
    return worker;
  }
}

function revived({ message, code }: DiskError): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code });
}

const disk = new DiskThread();

/** The file system of this machine. */
export const nodeFileSystem: FileSystem = {
  listSync(folder) {
    return fs.readdirSync(folder, { withFileTypes: true }).map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  },

  async list(folders) {
    const listings = (await disk.ask({ kind: 'list', folders })) as readonly (Listing | DiskError)[];
    return listings.map((listing) => ('message' in listing ? revived(listing) : listing));
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
