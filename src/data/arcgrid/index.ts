import { createHash } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { crsOfWkt, mapnikSrs } from '../crs.ts';
import { nameBands } from '../dimensions.ts';
import { baseName, readSidecar, requireFile, sibling, statFile } from '../files.ts';
import { boxOfRaster } from '../raster/georeference.ts';
import { singleCoverage } from '../raster/image.ts';
import { createTiff, type TiffWriter } from '../raster/tiff-writer.ts';
import { once } from '../raster/transcode.ts';
import type { CoverageSource, RasterStore } from '../types.ts';
import { type GridHeader, readGrid } from './ascii.ts';

export interface ArcGridOptions {
  readonly cacheDir: string;
}

/**
 * An ASCII grid of ESRI or GRASS, compressed with gzip or not. Mapnik's GDAL does not read them: the first drawing converts
 * the grid into a TIFF of 32-bit floats in the cache.
 *
 * @throws DataError  `not-found`
 */
export function openArcGrid(file: string, options: ArcGridOptions): RasterStore {
  const plainName = file.replace(/\.gz$/i, '');
  return singleCoverage({
    name: baseName(plainName),
    version: () => requireFile(file).version,
    read: (version) => readCoverage(file, version, options),
  });
}

async function readCoverage(file: string, version: string, { cacheDir }: ArcGridOptions): Promise<CoverageSource> {
  const plainName = file.replace(/\.gz$/i, '');
  const native = crsOfWkt(readSidecar(sibling(plainName, 'prj')));
  let found: GridHeader | undefined;
  await readGrid(
    file,
    (header) => {
      found = header;
      return false;
    },
    async () => undefined,
  );
  const header = found!;
  const { width, height, georeference, noData } = header;
  const bands = nameBands([
    { dataType: 'float32', colorInterpretation: 'gray', ...(noData === undefined ? {} : { noData }) },
  ]);
  return {
    name: baseName(plainName),
    width,
    height,
    box: boxOfRaster(georeference, width, height),
    transform: georeference.transform,
    origin: georeference.origin,
    ...native,
    bands,
    format: 'ArcGrid',
    async mapnik() {
      return {
        kind: 'raster',
        parameters: { type: 'gdal', file: await convert(file, version, cacheDir) },
        srs: mapnikSrs(native),
        version,
        bands,
      };
    },
  };
}

function convert(file: string, version: string, cacheDir: string): Promise<string> {
  const key = createHash('sha256').update(`${file}\n${version}`).digest('hex').slice(0, 32);
  const result = path.join(cacheDir, 'converted', `${key}.tif`);
  if (statFile(result) !== undefined) return Promise.resolve(result);
  return once(result, async () => {
    await mkdir(path.dirname(result), { recursive: true });
    const draft = `${result}.${process.pid}`;
    await rm(draft, { force: true });
    let writer: TiffWriter | undefined;
    try {
      await readGrid(
        file,
        async (header) => {
          const noData = header.noData ?? Number.NaN;
          writer = await createTiff(draft, {
            ...header,
            noData,
            dataType: 'float32',
            bands: [{ colorInterpretation: 'gray' }],
          });
          return true;
        },
        async (firstRow, values) => {
          await writer!.writeRows(0, firstRow, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
        },
      );
      await writer?.close();
      await rename(draft, result);
    } catch (error) {
      await writer?.close();
      await rm(draft, { force: true });
      throw error;
    }
    return result;
  });
}
