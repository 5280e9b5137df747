/**
 * The thread that writes small files for a node. Each call is synchronous here: that costs a third of what the same call
 * costs through promises, waits behind no other work, and takes nothing from the thread that answers requests.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import { workerData } from 'node:worker_threads';
import { answerCalls } from './call-thread.ts';

export type DiskCall =
  | { readonly kind: 'write-all'; readonly files: readonly { file: string; bytes: Uint8Array }[] }
  | { readonly kind: 'rename' | 'link'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove-file' | 'remove-folder' | 'make-folder'; readonly path: string }
  | { readonly kind: 'sync-folders'; readonly paths: readonly string[] };

function run(call: DiskCall): void {
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
    case 'sync-folders':
      syncFolders(call.paths);
      break;
  }
}

/** From so many files on, one sync of the whole file system costs less than theirs. */
const SYNC_WHOLE_FROM = 100;
/** So many files are open at once. */
const OPEN_MAX = 256;

function writeAll(files: readonly { file: string; bytes: Uint8Array }[]): void {
  for (let start = 0; start < files.length; start += OPEN_MAX) {
    const handles: { file: string; handle: number }[] = [];
    try {
      for (const { file, bytes } of files.slice(start, start + OPEN_MAX)) {
        const handle = fs.openSync(file, 'w');
        handles.push({ file, handle });
        naming(file, () => {
          for (let done = 0; done < bytes.length; ) done += fs.writeSync(handle, bytes, done);
        });
      }
      // Only now: the first sync makes the file system write out all of them, and finds the others little left to do.
      if (files.length < SYNC_WHOLE_FROM)
        for (const { file, handle } of handles) naming(file, () => fs.fdatasyncSync(handle));
    } finally {
      for (const { handle } of handles) fs.closeSync(handle);
    }
  }
  if (files.length < SYNC_WHOLE_FROM || syncWhole(files[0]!.file)) return;
  for (const { file } of files) withFile(file, fs.fdatasyncSync);
}

function syncFolders(folders: readonly string[]): void {
  if (folders.length >= SYNC_WHOLE_FROM && syncWhole(folders[0]!)) return;
  for (const folder of folders) {
    try {
      withFile(folder, fs.fsyncSync);
    } catch (error) {
      if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
}

/**
 * Syncs the file system that a path is on, by the command `sync -f`, where its success can be trusted: Linux reports the errors
 * of `syncfs` since 5.8. @returns false when it is not known to have succeeded; then each file has to be synced
 */
function syncWhole(path: string): boolean {
  wholeWorks ??= process.platform === 'linux' && linuxAtLeast(5, 8);
  if (!wholeWorks) return false;
  const { error, status } = spawnSync('sync', ['-f', path.slice(0, path.lastIndexOf('/'))], { stdio: 'ignore' });
  if (error !== undefined) wholeWorks = false;
  return status === 0;
}

let wholeWorks: boolean | undefined;

function linuxAtLeast(major: number, minor: number): boolean {
  const [first = 0, second = 0] = os.release().split('.').map(Number);
  return first > major || (first === major && second >= minor);
}

function withFile(path: string, use: (handle: number) => void): void {
  const handle = fs.openSync(path, 'r');
  try {
    naming(path, () => use(handle));
  } finally {
    fs.closeSync(handle);
  }
}

/** Errors of calls on an open file do not say which one. */
function naming(file: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    (error as Error).message += ` '${file}'`;
    throw error;
  }
}

/**
 * What is written behind must not take the processor from what people wait for: nodes that share a machine write the files of one change
 * at the same time, while its answer and the next change are under way. A tenth of a busy processor is left to this thread; who is
 * far behind writes by the other one, or a machine that is busy for long would never have the files.
 */
const NICE = 10;

/** Only Linux has it for a thread; elsewhere it would be the whole process. */
function stepBack(): void {
  if (process.platform !== 'linux') return;
  try {
    os.setPriority(NICE);
  } catch {
    // Where it is forbidden, files are written as quickly as the rest.
  }
}

if ((workerData as { stepBack?: boolean } | null)?.stepBack) stepBack();
answerCalls(run);
