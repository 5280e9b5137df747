/** Where the files of an upload come from: the body, a URL, or a place on the server; in a folder of their own for a look. */
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf, UserError } from '../base/index.ts';
import { PathError, treePath } from '../tree/index.ts';
import { type ArchiveEntry, readArchive } from './archive.ts';
import { UPLOAD_LIMITS, type UploadLimits } from './dependencies.ts';
import type { Exchange } from './exchange.ts';
import { isZip } from './style-body.ts';

/** Files that were sent, in memory and in a folder where drivers can open them. */
export interface Received {
  readonly files: readonly ArchiveEntry[];
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
 * @throws UserError  413, or 400 for a bad archive, name or URL
 */
export async function receive(x: Exchange, method: 'file' | 'url', filename: string): Promise<Received> {
  const limits = { ...UPLOAD_LIMITS, ...x.deps.limits };
  const folder = path.join(x.deps.tempDir ?? os.tmpdir(), `graticule-upload-${randomUUID()}`);
  await mkdir(folder, { recursive: true });
  const dispose = () => rm(folder, { recursive: true, force: true });
  try {
    const body = path.join(folder, '.body');
    const packed = method === 'file' ? await saveBody(x, body, limits) : await fetchUrl(x, body, limits);
    const files = packed ? await unpack(body, limits) : [{ path: checkedName(filename), bytes: await readFile(body) }];
    await rm(body);
    for (const file of files) {
      const target = path.join(folder, file.path);
      await mkdir(path.dirname(target), { recursive: true });
      await writeFile(target, file.bytes);
    }
    return { files, folder, packed, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function saveBody(x: Exchange, file: string, limits: UploadLimits): Promise<boolean> {
  x.refuseLongBody(limits.bodyBytesMax);
  const stream = x.bodyStream;
  if (stream === undefined) throw new UserError(400, 'body-missing', 'the body is empty: send the file');
  await save(stream, file, limits.bodyBytesMax);
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
  await save(Readable.fromWeb(response.body as never), file, limits.bodyBytesMax);
  const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  return isZip(type) || (await startsAsZip(file, ''));
}

async function save(stream: Readable, file: string, bytesMax: number): Promise<void> {
  let size = 0;
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size > bytesMax)
        done(
          new UserError(
            413,
            'body-too-large',
            `the upload is larger than ${Math.floor(bytesMax / 1048576)} MiB, the most that is taken; nothing was changed`,
          ),
        );
      else done(null, chunk);
    },
  });
  await pipeline(stream, bounded, createWriteStream(file));
  if (size === 0) throw new UserError(400, 'body-missing', 'the body is empty: send the file');
}

async function unpack(file: string, limits: UploadLimits): Promise<ArchiveEntry[]> {
  const handle = await open(file);
  try {
    return await readArchive({ fd: handle.fd }, limits);
  } finally {
    await handle.close();
  }
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
