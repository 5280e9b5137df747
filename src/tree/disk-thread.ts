/**
 * The thread that writes small files, and lists folders, for a node. Each call is synchronous here: that costs a third of what the same call
 * costs through promises, waits behind no other work, and takes nothing from the thread that answers requests.
 */
import * as fs from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { type Listing, STAMP_NUMBERS } from './files.ts';

/** A call and its number; the answer repeats the number. */
export type DiskCall =
  | { readonly id: number; readonly kind: 'write-all'; readonly files: readonly { file: string; bytes: Uint8Array }[] }
  | { readonly id: number; readonly kind: 'list'; readonly folders: readonly string[] }
  | { readonly id: number; readonly kind: 'rename' | 'link'; readonly from: string; readonly to: string }
  | {
      readonly id: number;
      readonly kind: 'remove-file' | 'remove-folder' | 'make-folder' | 'sync-folder';
      readonly path: string;
    };

export interface DiskAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: DiskError;
}

/** What is left of an error between threads. */
export interface DiskError {
  readonly message: string;
  readonly code?: string;
}

function run(call: DiskCall): unknown {
  switch (call.kind) {
    case 'write-all':
      writeAll(call.files);
      break;
    case 'rename':
      fs.renameSync(call.from, call.to);
      break;
    case 'link':
      fs.linkSync(call.from, call.to);
      break;
    case 'remove-file':
      fs.unlinkSync(call.path);
      break;
    case 'remove-folder':
      fs.rmdirSync(call.path);
      break;
    case 'make-folder':
      fs.mkdirSync(call.path);
      break;
    case 'sync-folder':
      withFile(call.path, 'r', fs.fsyncSync);
      break;
    case 'list':
      return call.folders.map((folder) => {
        try {
          return list(folder);
        } catch (error) {
          return plain(error);
        }
      });
  }
  return undefined;
}

function list(folder: string): Listing {
  const folders: string[] = [];
  const files: string[] = [];
  const others: { name: string; kind: 'link' | 'other' }[] = [];
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    if (entry.isFile()) files.push(entry.name);
    else if (entry.isDirectory()) folders.push(entry.name);
    else others.push({ name: entry.name, kind: entry.isSymbolicLink() ? 'link' : 'other' });
  }
  const stamps = new BigInt64Array(files.length * STAMP_NUMBERS);
  for (let n = 0; n < files.length; n++) {
    const stat = fs.lstatSync(`${folder}/${files[n]}`, { bigint: true, throwIfNoEntry: false });
    // A file that has gone meanwhile keeps zeros: whoever reads it will see.
    if (stat === undefined) continue;
    const at = n * STAMP_NUMBERS;
    stamps[at] = stat.size;
    stamps[at + 1] = stat.mtimeNs;
    stamps[at + 2] = stat.ctimeNs;
    stamps[at + 3] = stat.ino;
  }
  return { folders, files, stamps, others };
}

function plain(error: unknown): DiskError {
  const { message, code } = error as NodeJS.ErrnoException;
  return { message, code };
}

function writeAll(files: readonly { file: string; bytes: Uint8Array }[]): void {
  const handles: number[] = [];
  try {
    for (const { file, bytes } of files) {
      const handle = fs.openSync(file, 'w');
      handles.push(handle);
      for (let done = 0; done < bytes.length; ) done += fs.writeSync(handle, bytes, done);
    }
    // Only now: the first sync makes the file system write out all of them, and finds the others nothing left to do.
    for (const handle of handles) fs.fdatasyncSync(handle);
  } finally {
    for (const handle of handles) fs.closeSync(handle);
  }
}

function withFile(path: string, flags: string, use: (handle: number) => void): void {
  const handle = fs.openSync(path, flags);
  try {
    use(handle);
  } finally {
    fs.closeSync(handle);
  }
}

parentPort?.on('message', (calls: readonly DiskCall[]) => {
  const answers = calls.map((call): DiskAnswer => {
    try {
      return { id: call.id, value: run(call) };
    } catch (error) {
      return { id: call.id, error: plain(error) };
    }
  });
  parentPort?.postMessage(answers);
});
