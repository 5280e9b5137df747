import { closeSync, openSync, readSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { requireFile, statFile } from '../files.ts';
import { DataError } from '../types.ts';

/** An open file, closed when it has been retired and nobody reads from it any more. */
export class SharedDatabase {
  readonly database: DatabaseSync;
  readonly file: string;
  readonly version: string;
  #readers = 0;
  #isRetired = false;

  constructor(file: string) {
    this.file = file;
    this.version = databaseVersion(file);
    this.database = openReadOnly(file);
  }

  /** Keeps it open until the returned function is called. */
  hold(): () => void {
    this.#readers++;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#readers--;
      this.#closeWhenDone();
    };
  }

  retire(): void {
    this.#isRetired = true;
    this.#closeWhenDone();
  }

  #closeWhenDone(): void {
    if (this.#isRetired && this.#readers === 0 && this.database.isOpen) this.database.close();
  }
}

/** Changes with the file, and with the log of changes beside it. */
export function databaseVersion(file: string): string {
  return `${requireFile(file).version}.${statFile(`${file}-wal`)?.version ?? ''}`;
}

/**
 * Opens without ever writing beside the file. A file in WAL mode would get a `-shm` even from a reader: when nobody has it
 * open (no `-wal`, or an empty one), it is read as immutable.
 *
 * @throws DataError  `malformed`: it is no SQLite file; `unreachable`: it cannot be opened
 */
function openReadOnly(file: string): DatabaseSync {
  const head = Buffer.alloc(20);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, head, 0, head.length, 0);
  } finally {
    closeSync(descriptor);
  }
  if (head.toString('latin1', 0, 15) !== 'SQLite format 3')
    throw new DataError('malformed', `${file} is not a GeoPackage: it is no SQLite database`);
  const isWal = head[18] === 2 || head[19] === 2;
  const isQuiet = (statFile(`${file}-wal`)?.sizeBytes ?? 0) === 0;
  const url = pathToFileURL(file);
  if (isWal && isQuiet) url.searchParams.set('immutable', '1');
  try {
    return new DatabaseSync(isWal && isQuiet ? url : file, { readOnly: true, timeout: 2000 });
  } catch (error) {
    throw new DataError('unreachable', `${file} cannot be opened`, { cause: error });
  }
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
