import { readdirSync } from 'node:fs';
import path from 'node:path';
import { mapnikSrs } from '../crs.ts';
import { nameBands } from '../dimensions.ts';
import { requireFile, statFile } from '../files.ts';
import { findMosaic, mosaicVersion, readGranules } from '../imagemosaic/granules.ts';
import type { MosaicOptions } from '../imagemosaic/index.ts';
import { layOutMosaic, type Mosaic } from '../imagemosaic/mosaic.ts';
import { lazily } from '../lazily.ts';
import { singleCoverage } from '../raster/image.ts';
import { formatVrt, keepVrt } from '../raster/vrt.ts';
import { type CoverageSource, DataError, type RasterStore } from '../types.ts';

/**
 * A pyramid as GeoTools and gdal_retile write it: a folder with one folder a level, `0` (or the images beside the folders)
 * the finest. Each level is a mosaic; the coarser ones serve as overviews of the finest.
 *
 * @throws DataError  `not-found`, or `malformed`: no folder with images
 */
export function openImagePyramid(location: string, options: MosaicOptions): RasterStore {
  const folder = requireFile(location).isFolder ? location : path.dirname(location);
  const name = path.basename(folder);
  const levels = levelFolders(folder);
  if (levels.length === 0)
    throw new DataError('malformed', `${folder} is no image pyramid: there are no folders named 0, 1, 2, ...`);
  return singleCoverage({
    name,
    version: () => levels.map((level) => mosaicVersion(findMosaic(level))).join('/'),
    read: (version) => readPyramid({ name, levels, version }, options),
  });
}

/** Finest first. */
function levelFolders(folder: string): string[] {
  const numbered = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /^\d+$/.test(entry.name))
    .map((entry) => entry.name)
    .sort((a, b) => Number(a) - Number(b))
    .map((name) => path.join(folder, name));
  return numbered.filter((level) => statFile(level)?.isFolder);
}

interface Pyramid {
  readonly name: string;
  readonly levels: readonly string[];
  readonly version: string;
}

async function readPyramid(
  { name, levels, version }: Pyramid,
  { cacheDir, logger }: MosaicOptions,
): Promise<CoverageSource> {
  const mosaics: Mosaic[] = [];
  let native: CoverageSource['crs'] | undefined;
  let wkt: string | undefined;
  for (const level of levels) {
    const granules = await readGranules(findMosaic(level), logger);
    native ??= granules[0]!.header.native.crs;
    wkt ??= granules[0]!.header.native.crsWkt;
    mosaics.push(layOutMosaic(granules));
  }
  const [base, ...coarser] = mosaics as [Mosaic, ...Mosaic[]];
  const crs = { ...(native === undefined ? {} : { crs: native }), ...(wkt === undefined ? {} : { crsWkt: wkt }) };
  const bands = nameBands(base.described);
  const drawable = lazily(async () => {
    const overviews = await Promise.all(coarser.map((mosaic) => keepVrt(formatVrt(mosaic), cacheDir)));
    const whole = {
      ...base,
      bands: base.bands.map((band, i) => ({ ...band, overviews: overviews.map((file) => ({ file, band: i + 1 })) })),
    };
    return keepVrt(formatVrt(whole), cacheDir);
  });
  return {
    name,
    width: base.width,
    height: base.height,
    box: base.box,
    transform: base.georeference.transform,
    origin: base.georeference.origin,
    ...crs,
    bands,
    format: 'ImagePyramid',
    async mapnik() {
      return {
        kind: 'raster',
        parameters: { type: 'gdal', file: await drawable() },
        srs: mapnikSrs(crs),
        version,
        bands: nameBands(base.bands.map(({ sources: _, overviews: __, ...band }) => band)),
      };
    },
  };
}
