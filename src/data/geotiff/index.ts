import { type ImageOptions, openImage } from '../raster/image.ts';
import type { RasterStore } from '../types.ts';

/**
 * A TIFF with GeoTIFF tags; one without them is placed by its world file.
 *
 * @throws DataError  `not-found`
 */
export function openGeoTiff(file: string, options: Omit<ImageOptions, 'format'>): RasterStore {
  return openImage(file, { ...options, format: 'GeoTIFF' });
}
