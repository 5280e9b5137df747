/** Reading of zip archives that strangers sent: bounded in number, size and ratio, and without a way out of the folder. */
import { createWriteStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { type Entry, fromBuffer, fromFd, type ZipFile } from 'yauzl';
import { UserError } from '../base/index.ts';
import { PathError, treePath } from '../tree/index.ts';
import type { UploadLimits } from './dependencies.ts';

export interface ArchiveEntry {
  /** Relative to the archive, `/` between segments. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Unpacks a short archive into memory. @throws UserError  as `eachFile` does */
export async function readArchive(source: Buffer, limits: UploadLimits): Promise<ArchiveEntry[]> {
  const entries: ArchiveEntry[] = [];
  for await (const { path, body } of eachFile(source, limits)) entries.push({ path, bytes: await buffer(body) });
  return entries;
}

/**
 * Unpacks an archive into an empty folder.
 *
 * @param file  the archive, in another folder
 * @returns the paths of its files, below the folder
 * @throws UserError  as `eachFile` does, and 400 when two of its files need the same place
 */
export async function unpackArchive(file: string, folder: string, limits: UploadLimits): Promise<string[]> {
  const handle = await open(file);
  const paths: string[] = [];
  try {
    for await (const { path, body } of eachFile({ fd: handle.fd }, limits)) {
      const target = join(folder, path);
      try {
        await mkdir(dirname(target), { recursive: true });
        await pipeline(body, createWriteStream(target, { flags: 'wx' }));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EEXIST' || code === 'ENOTDIR' || code === 'EISDIR')
          throw new UserError(400, 'archive-malformed', `the archive holds ${path} twice, or as a file and a folder`);
        throw error;
      }
      paths.push(path);
    }
  } finally {
    await handle.close();
  }
  return paths;
}

/**
 * The files of an archive, in order; each is to be read to its end. Folders, and what the file systems of others leave behind, are
 * left out.
 *
 * @throws UserError  400 when it is no zip archive, holds a path that leads out of it, or is beyond a bound
 */
async function* eachFile(
  source: Buffer | { readonly fd: number },
  limits: UploadLimits,
): AsyncGenerator<{ readonly path: string; readonly body: Readable }> {
  const options = { lazyEntries: true, validateEntrySizes: true, strictFileNames: false } as const;
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    const done = (error: Error | null, file?: ZipFile) => (file === undefined ? reject(bad(error)) : resolve(file));
    if (Buffer.isBuffer(source)) fromBuffer(source, options, done);
    else fromFd(source.fd, { ...options, autoClose: false }, done);
  });
  if (zip.entryCount > limits.entriesMax)
    throw new UserError(
      400,
      'archive-too-large',
      `the archive holds ${zip.entryCount} files, and ${limits.entriesMax} is the most`,
    );
  let total = 0;
  for await (const entry of each(zip)) {
    const path = checkedPath(entry.fileName);
    if (path === undefined) continue;
    if (entry.isEncrypted())
      throw new UserError(400, 'archive-encrypted', `the file ${path} in the archive is encrypted`);
    total += entry.uncompressedSize;
    const grows = entry.uncompressedSize - 1024 * 1024 > entry.compressedSize * limits.ratioMax;
    if (total > limits.unpackedBytesMax || grows)
      throw new UserError(
        413,
        'archive-too-large',
        `the archive unpacks to more than is taken here (at ${path}); nothing was changed`,
      );
    yield { path, body: await contents(zip, entry) };
  }
}

/** Entries in order; yauzl reports them one by one as events. */
async function* each(zip: ZipFile): AsyncIterable<Entry> {
  for (;;) {
    const entry = await new Promise<Entry | undefined>((resolve, reject) => {
      const settle = (act: () => void) => {
        zip.removeAllListeners('entry').removeAllListeners('end').removeAllListeners('error');
        act();
      };
      zip.once('entry', (found: Entry) => settle(() => resolve(found)));
      zip.once('end', () => settle(() => resolve(undefined)));
      zip.once('error', (error: Error) => settle(() => reject(bad(error))));
      zip.readEntry();
    });
    if (entry === undefined) return;
    yield entry;
  }
}

/** What is wrong with the entry comes as what it is: the sender's mistake. */
async function contents(zip: ZipFile, entry: Entry): Promise<Readable> {
  const stream = await new Promise<Readable>((resolve, reject) => {
    zip.openReadStream(entry, (error, opened) => (opened === undefined ? reject(bad(error)) : resolve(opened)));
  });
  return Readable.from(
    (async function* () {
      try {
        yield* stream;
      } catch (error) {
        throw bad(error);
      }
    })(),
    { objectMode: false },
  );
}

/** @returns undefined for folders and litter */
function checkedPath(name: string): string | undefined {
  const path = name.replace(/\\/g, '/');
  if (path.endsWith('/') || path.startsWith('__MACOSX/') || /(?:^|\/)(?:\.DS_Store|Thumbs\.db)$/.test(path))
    return undefined;
  try {
    return treePath(path);
  } catch (error) {
    if (error instanceof PathError)
      throw new UserError(
        400,
        'archive-path',
        `the archive holds the path "${name}", which is refused: ${error.message}`,
      );
    throw error;
  }
}

function bad(error: unknown): UserError {
  const reason = error instanceof Error ? `: ${error.message}` : '';
  return new UserError(400, 'archive-malformed', `the body is not a zip archive that can be read${reason}`);
}
