import { type ImageOptions, openImage } from '../raster/image.ts';
import type { RasterStore } from '../types.ts';

/**
 * A PNG, JPEG, GIF, BMP or TIFF that is placed by a world file, or by GeoTools' `.meta` file. Its CRS is in a `.prj` file.
 *
 * @throws DataError  `not-found`
 */
export function openWorldImage(file: string, options: Omit<ImageOptions, 'format'>): RasterStore {
  return openImage(file, { ...options, format: 'WorldImage' });
}
