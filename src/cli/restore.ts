import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf, UserError } from '../base/index.ts';
import { readSnapshot } from '../tree/index.ts';
import { checked } from './backup.ts';
import type { RestoreOptions } from './history-options.ts';
import { readJson, TRANSFER_MS, withQuery } from './requests.ts';
import { type Outcome, printOutcome } from './revert.ts';
import { styled } from './text.ts';

/** Brings the files of a backup back: into a new data directory, or into a running cluster as one change. */
export async function restore(file: string, options: RestoreOptions): Promise<void> {
  if (!existsSync(file)) throw new UserError(404, 'no-file', `there is no file ${file}`);
  const tree = await checked(file);
  if (options.dataDir === undefined) {
    const { dryRun, force, path: below, why } = options;
    const query = { dryRun, force, path: below, why };
    const body = Readable.toWeb(createReadStream(file)) as ReadableStream<Uint8Array>;
    const headers = { 'content-type': 'application/zstd' };
    const request = { method: 'POST', body, headers, timeoutMs: TRANSFER_MS } as const;
    const outcome = await readJson<Outcome>(options, withQuery('/cluster/restore', query), request);
    printOutcome(outcome, options, 'Restored');
    return;
  }
  if (options.path !== undefined || options.dryRun || options.force)
    throw new UserError(
      400,
      'bad-arguments',
      '--path, --dry-run and --force are for a running cluster, and not for --data-dir',
    );
  const dir = path.resolve(options.dataDir);
  mustBeEmpty(dir);
  mkdirSync(dir, { recursive: true });
  try {
    await unpack(file, dir);
  } catch (error) {
    throw new UserError(500, 'restore-failed', `${dir} is incomplete, do not use it: ${messageOf(error)}`, {
      cause: error,
    });
  }
  console.log(
    `  ${styled('green', 'Restored')} ${tree.files} files of position ${tree.position}, digest ${tree.digest.slice(0, 12)}, in ${dir}\n` +
      `  graticule serve --data-dir ${options.dataDir} starts a new log with them.`,
  );
}

/** Nothing is ever overwritten or removed. */
function mustBeEmpty(dir: string): void {
  if (!existsSync(dir)) return;
  if (!statSync(dir).isDirectory()) throw new UserError(409, 'no-directory', `${dir} is a file; name a new folder`);
  const names = readdirSync(dir).filter((name) => name !== 'lost+found');
  if (names.length > 0)
    throw new UserError(
      409,
      'not-empty',
      `${dir} is not empty (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}): name a new or empty folder, nothing is overwritten`,
    );
}

async function unpack(file: string, dir: string): Promise<void> {
  const snapshot = await readSnapshot(createReadStream(file));
  for await (const { path: name, bytes, body } of snapshot.files()) {
    const target = path.join(dir, name);
    mkdirSync(path.dirname(target), { recursive: true });
    if (bytes !== undefined) writeFileSync(target, bytes, { flag: 'wx' });
    else await pipeline(body, createWriteStream(target, { flags: 'wx' }));
  }
}
