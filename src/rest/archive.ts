/** Reading of zip archives that strangers sent: bounded in number, size and ratio, and without a way out of the folder. */
import type { Readable } from 'node:stream';
import { type Entry, fromBuffer, fromFd, type ZipFile } from 'yauzl';
import { UserError } from '../base/index.ts';
import { PathError, treePath } from '../tree/index.ts';
import type { UploadLimits } from './dependencies.ts';

export interface ArchiveEntry {
  /** Relative to the archive, `/` between segments. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * Unpacks an archive into memory. Folders, and what the file systems of others leave behind, are left out.
 *
 * @throws UserError  400 when it is no zip archive, holds a path that leads out of it, or is beyond a bound
 */
export async function readArchive(
  source: Buffer | { readonly fd: number },
  limits: UploadLimits,
): Promise<ArchiveEntry[]> {
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
  const entries: ArchiveEntry[] = [];
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
    entries.push({ path, bytes: await contents(zip, entry) });
  }
  return entries;
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

async function contents(zip: ZipFile, entry: Entry): Promise<Uint8Array> {
  const stream = await new Promise<Readable>((resolve, reject) => {
    zip.openReadStream(entry, (error, opened) => (opened === undefined ? reject(bad(error)) : resolve(opened)));
  });
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks);
  } catch (error) {
    throw bad(error);
  }
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
