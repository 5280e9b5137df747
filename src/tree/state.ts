import { messageOf } from '../base/index.ts';
import { codeOf, type FileSystem, makeFolders, parentFolder } from './files.ts';
import { treePath } from './path.ts';
import type { Digest, Position, TreePath } from './types.ts';

/** History of the format: 1, the first. */
const STATE_FORMAT = 1;

/**
 * How far a data directory has come, kept in `cluster/state.json`. It is written before the files that it announces and after
 * those that it vouches for, so that at any moment it says how to go on:
 *
 * - `position`: all records up to here are in the files.
 * - `writing`: files of later records, up to `upTo`, may be there too. Operations are whole files, so applying those records
 *   again makes it right; except for moves, which done twice do something else. So nothing after a move is written before the
 *   move is accounted for: `operations` of the record after `position` are done, with all that they needed, and `move`, when it
 *   is there, is the next one. It has happened if its source is gone.
 * - `restoring`: files were being replaced by those of a snapshot; what is there is neither the one state nor the other.
 */
export interface StoreState {
  readonly logId: string;
  readonly position: Position;
  /** Of the tree at `position`. */
  readonly digest: Digest;
  /** What the log says the digest is there, when it says something else: this tree went wrong, and waits to be mended. */
  readonly logDigest?: Digest;
  readonly writing?: {
    readonly upTo: Position;
    readonly operations: number;
    readonly move?: { readonly from: TreePath; readonly to: TreePath };
  };
  readonly restoring?: true;
}

/** The state file says nothing that can be understood. */
export class StateFileError extends Error {
  readonly file: string;

  constructor(file: string, reason: string, options?: ErrorOptions) {
    super(
      `${file} cannot be used: ${reason}. Move the file away to let this node take its state from the cluster again`,
      options,
    );
    this.name = 'StateFileError';
    this.file = file;
  }
}

/** @returns undefined when there is none @throws StateFileError */
export function readState(system: FileSystem, file: string): StoreState | undefined {
  let text: string;
  try {
    text = Buffer.from(system.readSync(file)!).toString();
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw new StateFileError(file, messageOf(error), { cause: error });
  }
  try {
    const state = JSON.parse(text) as StoreState & { format: number };
    const { format, logId, position, digest, logDigest, writing, restoring } = state;
    if (format !== STATE_FORMAT) throw new TypeError(`it has format ${format}, and this version knows ${STATE_FORMAT}`);
    if (typeof logId !== 'string') throw new TypeError('logId is missing');
    if (!Number.isSafeInteger(position) || position < 0) throw new TypeError('position is not a number from 0');
    for (const one of [digest, logDigest ?? digest])
      if (!/^[0-9a-f]{64}$/.test(one)) throw new TypeError('digest is not a SHA-256');
    if (writing?.move !== undefined) [writing.move.from, writing.move.to].forEach(treePath);
    return {
      logId,
      position,
      digest,
      ...(logDigest && { logDigest }),
      ...(writing && { writing }),
      ...(restoring && { restoring }),
    };
  } catch (error) {
    throw new StateFileError(file, messageOf(error), { cause: error });
  }
}

/** Id of the log that the directory of a cluster folder belongs to; undefined when it belongs to none. @throws StateFileError */
export function recordedLogId(system: FileSystem, clusterDir: string): string | undefined {
  return readState(system, `${clusterDir}/state.json`)?.logId || undefined;
}

/** Replaces the state file; durable when it resolves. */
export async function writeState(system: FileSystem, file: string, state: StoreState): Promise<void> {
  const folder = parentFolder(file);
  await makeFolders(system, folder);
  await system.write(`${file}.tmp`, Buffer.from(`${JSON.stringify({ format: STATE_FORMAT, ...state }, null, 2)}\n`));
  await system.rename(`${file}.tmp`, file);
  await system.syncFolders([folder]);
}
