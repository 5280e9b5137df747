/** Backups on their way: each lies in a temporary file meanwhile, so that a slow client holds up nobody's disk. */
import { createReadStream, createWriteStream, mkdtempSync, openSync, rmSync, statSync, unlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UserError } from '../base/index.ts';
import {
  type Backup,
  type BodySource,
  backupName,
  bodiesOfSnapshot,
  type ContentSource,
  contentsOfSnapshot,
  type OtherState,
} from '../cluster/index.ts';
import { type Digest, listSnapshot, type Position, readSnapshot, SnapshotError } from '../tree/index.ts';
import type { Exchange } from './exchange.ts';

/** Largest backup that is taken, in bytes. */
const BACKUP_BYTES_MAX = 8 * 1024 ** 3;

export interface SpooledBackup {
  readonly name: string;
  readonly position: Position;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly body: Readable;
}

export async function spoolBackup(backup: Backup, tempDir = os.tmpdir()): Promise<SpooledBackup> {
  const folder = mkdtempSync(path.join(tempDir, 'graticule-backup-'));
  const file = path.join(folder, 'backup');
  try {
    await pipeline(backup.body, createWriteStream(file, { mode: 0o600 }));
    const { size } = statSync(file);
    // Open, it is there for as long as somebody reads it; no name is left behind.
    const body = createReadStream(file, { fd: openSync(file, 'r') });
    unlinkSync(file);
    return { name: backupName(backup), position: backup.position, digest: backup.digest, size, body };
  } finally {
    backup.body.destroy();
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface OpenedBackup {
  readonly state: OtherState;
  /** To be called when the backup is no longer needed. */
  remove(): void;
}

/**
 * Takes the backup that is the request's body, and checks it as a whole before anything is done with it.
 * @throws UserError  400: it is no backup, or damaged; 413: too long
 */
export async function openBackup(x: Exchange): Promise<OpenedBackup> {
  x.refuseLongBody(BACKUP_BYTES_MAX);
  const folder = mkdtempSync(path.join(x.deps.tempDir ?? os.tmpdir(), 'graticule-restore-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const file = path.join(folder, 'backup');
  try {
    await pipeline(x.bodyStream ?? Readable.from([]), bounded(), createWriteStream(file, { mode: 0o600 }));
    const open = () => readSnapshot(createReadStream(file));
    const tree = await listSnapshot(await open());
    const contents: ContentSource = async (wanted) => contentsOfSnapshot(await open(), wanted);
    const bodies: BodySource = async function* (wanted) {
      yield* bodiesOfSnapshot(await open(), wanted);
    };
    return { state: { name: `the backup of position ${tree.position}`, tree, contents, bodies }, remove };
  } catch (error) {
    remove();
    if (error instanceof SnapshotError)
      throw new UserError(400, 'bad-backup', `the body is no complete backup: ${error.message}; nothing was changed`);
    throw error;
  }
}

function bounded(): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size > BACKUP_BYTES_MAX)
        done(
          new UserError(
            413,
            'body-too-large',
            `the backup is larger than ${BACKUP_BYTES_MAX} bytes; nothing was changed`,
          ),
        );
      else done(null, chunk);
    },
  });
}
