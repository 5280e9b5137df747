import { createHash } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { fromFile } from 'geotiff';
import { statFile } from '../files.ts';
import type { Georeference } from './georeference.ts';
import type { RasterHeader } from './header.ts';
import { createTiff } from './tiff-writer.ts';

export interface Transcoding {
  readonly file: string;
  readonly version: string;
  readonly header: RasterHeader;
  readonly georeference: Georeference;
  readonly cacheDir: string;
}

/** Pixels of one band that are decoded at a time. */
const PIXELS_AT_ONCE = 1024 * 1024;

/**
 * A plain TIFF in the cache with the pixels of one whose compression Mapnik's GDAL lacks (LERC, Zstandard).
 *
 * @throws Error  the compression cannot be decoded here either
 */
export function transcode(request: Transcoding): Promise<string> {
  const key = createHash('sha256').update(`${request.file}\n${request.version}`).digest('hex').slice(0, 32);
  const result = path.join(request.cacheDir, 'converted', `${key}.tif`);
  if (statFile(result) !== undefined) return Promise.resolve(result);
  return once(result, async () => {
    await mkdir(path.dirname(result), { recursive: true });
    const draft = `${result}.${process.pid}`;
    await rm(draft, { force: true });
    try {
      await copyPixels(request, draft);
      await rename(draft, result);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
    return result;
  });
}

const running = new Map<string, Promise<string>>();

/** Several that want the same file wait for one that makes it. */
export function once(file: string, make: () => Promise<string>): Promise<string> {
  let current = running.get(file);
  if (current === undefined) {
    current = make().finally(() => running.delete(file));
    running.set(file, current);
  }
  return current;
}

async function copyPixels({ file, header, georeference }: Transcoding, target: string): Promise<void> {
  const { width, height, bands } = header;
  const { dataType, noData } = bands[0]!;
  const tiff = await fromFile(file);
  try {
    const image = await tiff.getImage(0);
    const writer = await createTiff(target, {
      width,
      height,
      dataType,
      bands,
      georeference,
      ...(noData === undefined ? {} : { noData }),
    });
    try {
      const rows = Math.max(1, Math.floor(PIXELS_AT_ONCE / width));
      for (let row = 0; row < height; row += rows) {
        const last = Math.min(height, row + rows);
        const rasters = await image.readRasters({ window: [0, row, width, last] });
        for (let band = 0; band < bands.length; band++) {
          const values = (rasters as unknown as ArrayBufferView[])[band]!;
          await writer.writeRows(band, row, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
        }
      }
    } finally {
      await writer.close();
    }
  } finally {
    await tiff.close();
  }
}
