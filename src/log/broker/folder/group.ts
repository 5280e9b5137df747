import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Clock, messageOf, UnavailableError } from '../../../base/index.ts';
import { goesOn } from '../../embedded/fence.ts';
import { orMissing } from '../../embedded/files.ts';
import { openFolderLog, recordsIn } from '../../embedded/index.ts';
import type { StoredGroup } from '../store.ts';
import type { GroupPause } from '../types.ts';
import { bytesBelow } from './size.ts';

export interface FolderGroupOptions {
  /** Of the group. */
  readonly folder: string;
  readonly group: string;
  readonly term: number;
  /** File that is there as long as the term goes on. */
  readonly token: string;
  readonly clock: Clock;
  readonly peerTtlMs: number | undefined;
  /** It was noticed that the term is over. */
  readonly onLost: () => void;
}

const PAUSE_FILE = 'paused.json';

/** @throws UnavailableError */
export async function openFolderGroup(options: FolderGroupOptions): Promise<StoredGroup> {
  const { folder, group, term, token, clock, peerTtlMs, onLost } = options;
  const check = async () => {
    if (await goesOn(token)) return;
    onLost();
    throw new UnavailableError('term-over', 'another broker is active by now');
  };
  await mkdir(folder, { recursive: true });
  const log = await openFolderLog({
    folder,
    group,
    clock,
    peerTtlMs,
    fence: { term, file: token, check, onOver: onLost },
  });
  const file = path.join(folder, PAUSE_FILE);
  let paused: GroupPause | undefined;
  try {
    const text = await orMissing(readFile(file, 'utf8'));
    paused = text === undefined ? undefined : (JSON.parse(text) as GroupPause);
  } catch (error) {
    await log.close();
    throw new UnavailableError('log-unusable', `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  return {
    log,
    get paused() {
      return paused;
    },
    async pause(pause) {
      await check();
      if (pause === undefined) await rm(file, { force: true });
      else {
        await writeFile(`${file}.new`, `${JSON.stringify(pause)}\n`, { flush: true });
        await rename(`${file}.new`, file);
      }
      paused = pause;
    },
    recordBytes: () => bytesBelow(recordsIn(folder)),
  };
}
