import type { Logger } from '../../base/index.ts';
import { mapnikSrs } from '../crs.ts';
import { nameBands } from '../dimensions.ts';
import { lazily } from '../lazily.ts';
import { singleCoverage } from '../raster/image.ts';
import { formatVrt, keepVrt } from '../raster/vrt.ts';
import type { CoverageSource, RasterStore } from '../types.ts';
import { findMosaic, type MosaicPlace, mosaicVersion, readGranules } from './granules.ts';
import { layOutMosaic } from './mosaic.ts';

export interface MosaicOptions {
  readonly cacheDir: string;
  readonly logger: Logger;
}

/**
 * A folder of georeferenced images that are one coverage. The images are those that the index shapefile lists, else all in
 * the folder and below.
 *
 * @throws DataError  `not-found`
 */
export function openImageMosaic(location: string, options: MosaicOptions): RasterStore {
  const place = findMosaic(location);
  return singleCoverage({
    name: place.name,
    version: () => mosaicVersion(place),
    read: (version) => readMosaic(place, version, options),
  });
}

async function readMosaic(
  place: MosaicPlace,
  version: string,
  { cacheDir, logger }: MosaicOptions,
): Promise<CoverageSource> {
  const granules = await readGranules(place, logger);
  const mosaic = layOutMosaic(granules);
  const { native } = granules[0]!.header;
  const bands = nameBands(mosaic.described);
  const drawable = lazily(() => keepVrt(formatVrt(mosaic), cacheDir));
  return {
    name: place.name,
    width: mosaic.width,
    height: mosaic.height,
    box: mosaic.box,
    transform: mosaic.georeference.transform,
    origin: mosaic.georeference.origin,
    ...native,
    bands,
    format: 'ImageMosaic',
    async mapnik() {
      return {
        kind: 'raster',
        parameters: { type: 'gdal', file: await drawable() },
        srs: mapnikSrs(native),
        version,
        bands: nameBands(mosaic.bands.map(({ sources: _, overviews: __, ...band }) => band)),
      };
    },
  };
}
