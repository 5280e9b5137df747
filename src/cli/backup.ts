import { createReadStream, createWriteStream, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf, UserError } from '../base/index.ts';
import { backupName } from '../cluster/index.ts';
import { listSnapshot, readSnapshot, StateFileError, type Tree, TreeStore, writeSnapshot } from '../tree/index.ts';
import { type ConnectionOptions, callRest } from './connection.ts';
import { DirectoryLock } from './directory-lock.ts';
import type { BackupOptions } from './history-options.ts';
import { TRANSFER_MS } from './requests.ts';
import { styled } from './text.ts';

/**
 * Writes everything that a cluster replicates into one file, and reads it again to be sure.
 *
 * @param target  a file that is not there yet, or a folder, which gets one with a name of its own
 */
export async function backup(target: string, options: BackupOptions): Promise<void> {
  const isFolder = existsSync(target) && statSync(target).isDirectory();
  if (!isFolder && existsSync(target))
    throw new UserError(409, 'file-exists', `${target} is there already and is not overwritten: choose another name`);
  const partial = isFolder ? path.join(target, `.graticule-${process.pid}.partial`) : `${target}.partial`;
  try {
    const source = options.dataDir === undefined ? await ofRunning(options) : await ofStopped(options.dataDir, options);
    try {
      await pipeline(source.body, createWriteStream(partial, { mode: 0o600, flags: 'wx', flush: true }));
    } finally {
      await source.close();
    }
    const tree = await checked(partial);
    const file = isFolder ? path.join(target, backupName(tree)) : target;
    if (existsSync(file)) throw new UserError(409, 'file-exists', `${file} is there already and is not overwritten`);
    renameSync(partial, file);
    const size = statSync(file).size;
    console.log(
      `  ${styled('green', 'Backup')} of position ${tree.position}: ${tree.files} files, ${sizeText(size)}, ` +
        `digest ${tree.digest.slice(0, 12)}, in ${file}`,
    );
  } catch (error) {
    rmSync(partial, { force: true });
    if (error instanceof StateFileError) throw new UserError(409, 'bad-state', error.message, { cause: error });
    throw error;
  }
}

interface Source {
  readonly body: Readable;
  close(): Promise<unknown>;
}

async function ofRunning(options: ConnectionOptions): Promise<Source> {
  const answer = await callRest(options, '/cluster/snapshot', { accept: 'application/zstd', timeoutMs: TRANSFER_MS });
  return { body: Readable.fromWeb(answer.body as never), close: async () => {} };
}

async function ofStopped(given: string, options: BackupOptions): Promise<Source> {
  const dir = path.resolve(given);
  if (!existsSync(dir)) throw new UserError(404, 'no-directory', `there is no folder ${dir}`);
  const clusterDir = options.clusterDir === undefined ? path.join(dir, 'cluster') : path.resolve(options.clusterDir);
  const lock = new DirectoryLock(dir);
  if (existsSync(path.join(dir, 'cluster')) && !lock.tryTake())
    throw new UserError(409, 'directory-in-use', `the node of ${dir} is running: back it up with --url`);
  const store = await TreeStore.open(dir, { clusterDir });
  const { recorded, tree } = store;
  if (store.incomplete || (recorded !== undefined && store.comparableFrom > recorded.position))
    throw new UserError(
      409,
      'unfinished',
      `the node of ${dir} stopped in the middle of writing: start it once so that it catches up, or back up a running node with --url`,
    );
  if (recorded !== undefined && recorded.digest !== tree.digest)
    console.error(
      `graticule: files in ${dir} were changed by hand since the node stopped; the backup has them as they are`,
    );
  for (const { path: file, reason } of store.skipped) console.error(`graticule: ${file} is left out: ${reason}`);
  return {
    body: writeSnapshot(tree, recorded?.logId ?? '').body,
    close: () => store.close().finally(() => lock.release()),
  };
}

/** Reads a backup through. @throws UserError  it is damaged, or no backup */
export async function checked(file: string): Promise<Tree> {
  try {
    return await listSnapshot(await readSnapshot(createReadStream(file)));
  } catch (error) {
    throw new UserError(400, 'bad-backup', `${file} is no complete backup: ${messageOf(error)}`, { cause: error });
  }
}

export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${units[power - 1]}`;
}
