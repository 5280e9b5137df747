/** Where the files of an upload come from: the body, a URL, or a place on the server; in a folder of their own for a look. */
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf, UserError } from '../base/index.ts';
import type { StagedFile } from '../cluster/index.ts';
import { PathError, treePath } from '../tree/index.ts';
import { unpackArchive } from './archive.ts';
import { UPLOAD_LIMITS, type UploadLimits } from './dependencies.ts';
import type { Exchange } from './exchange.ts';
import { isZip } from './style-body.ts';

/** Files that were sent, in a folder where drivers can open them. */
export interface Received {
  /** Paths below the folder, `/` between segments. */
  readonly files: readonly string[];
  /** Absolute; goes with `dispose`. */
  readonly folder: string;
  /** Whether they came in an archive. */
  readonly packed: boolean;
  dispose(): Promise<void>;
}

/**
 * Receives the files of `file` and `url` uploads.
 *
 * @param filename  name of a body that is no archive
 * @throws UserError  413, or 400 for a bad archive, name or URL; 507 when the disk is full
 */
export async function receive(x: Exchange, method: 'file' | 'url', filename: string): Promise<Received> {
  const limits = { ...UPLOAD_LIMITS, ...x.deps.limits };
  const own = path.join(x.deps.tempDir ?? os.tmpdir(), `graticule-upload-${randomUUID()}`);
  const folder = path.join(own, 'files');
  const dispose = () => rm(own, { recursive: true, force: true });
  try {
    await mkdir(folder, { recursive: true });
    const body = path.join(own, 'body');
    const packed = method === 'file' ? await saveBody(x, body, limits) : await fetchUrl(x, body, limits);
    if (packed) {
      const files = await unpackArchive(body, folder, limits);
      await rm(body);
      return { files, folder, packed, dispose };
    }
    const name = checkedName(filename);
    await rename(body, path.join(folder, name));
    return { files: [name], folder, packed, dispose };
  } catch (error) {
    await dispose();
    throw diskFull(error);
  }
}

/** Files in memory at once that are short enough to stand in a record. */
const SHORT_FILES_BYTES_MAX = 24 * 1024 * 1024;

/**
 * Takes received files in for the change; each leaves its folder for that, so that the disk need not hold it twice for long.
 * @throws UserError  413: the short files among them are too many for one change
 */
export async function stageReceived(
  x: Exchange,
  received: Pick<Received, 'files' | 'folder'>,
): Promise<ReadonlyMap<string, StagedFile>> {
  const staged = new Map<string, StagedFile>();
  let bytes = 0;
  for (const file of received.files) {
    const place = path.join(received.folder, file);
    const one = await x.stage(createReadStream(place, { highWaterMark: 256 * 1024 }));
    staged.set(file, one);
    await rm(place);
    bytes += one.bytesInMemory;
    if (bytes > SHORT_FILES_BYTES_MAX)
      throw new UserError(
        413,
        'change-too-large',
        `the archive's small files hold more than ${SHORT_FILES_BYTES_MAX} bytes together, too much for one change; divide it`,
      );
  }
  return staged;
}

function diskFull(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  const text = `this node's disk did not take the upload: ${messageOf(error)}; nothing was changed`;
  return new UserError(507, 'disk-full', text, { cause: error });
}

async function saveBody(x: Exchange, file: string, limits: UploadLimits): Promise<boolean> {
  await save(x.bodyWithin(limits.bodyBytesMax), file);
  return isZip(x.bodyType) || (await startsAsZip(file, x.bodyType));
}

/** A shapefile's parts can only come together, so an archive is one by its first bytes when its type says nothing. */
async function startsAsZip(file: string, type: string): Promise<boolean> {
  if (type !== '' && type !== 'application/octet-stream' && type !== 'application/x-www-form-urlencoded') return false;
  const handle = await open(file);
  try {
    const head = Buffer.alloc(4);
    await handle.read(head, 0, 4, 0);
    return head.toString('latin1') === 'PK\x03\x04';
  } finally {
    await handle.close();
  }
}

/** How long a server that a URL names may take. */
const FETCH_TIMEOUT_MS = 120_000;

async function fetchUrl(x: Exchange, file: string, limits: UploadLimits): Promise<boolean> {
  const url = (await x.readText()).trim();
  if (!/^https?:\/\//i.test(url))
    throw new UserError(
      400,
      'bad-url',
      `"${url.slice(0, 200)}" cannot be fetched: the body must be an http or https URL`,
    );
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  } catch (error) {
    throw new UserError(400, 'url-unreachable', `${url} cannot be fetched: ${messageOf(error)}`, { cause: error });
  }
  if (!response.ok || response.body === null)
    throw new UserError(400, 'url-unreachable', `${url} cannot be fetched: it answers ${response.status}`);
  await save(within(response.body, limits.bodyBytesMax), file);
  const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  return isZip(type) || (await startsAsZip(file, ''));
}

async function* within(body: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > bytesMax)
      throw new UserError(
        413,
        'body-too-large',
        `the upload is larger than ${Math.floor(bytesMax / 1048576)} MiB, the most that is taken; nothing was changed`,
      );
    yield chunk;
  }
}

async function save(body: AsyncIterable<Uint8Array>, file: string): Promise<void> {
  await pipeline(body, createWriteStream(file));
  if ((await stat(file)).size === 0) throw new UserError(400, 'body-missing', 'the body is empty: send the file');
}

function checkedName(name: string): string {
  try {
    const checked = treePath(name);
    if (checked.includes('/'))
      throw new UserError(400, 'bad-filename', `filename=${name}: a name without folders is expected`);
    return checked;
  } catch (error) {
    if (error instanceof PathError) throw new UserError(400, 'bad-filename', `filename=${name}: ${error.message}`);
    throw error;
  }
}
