import type { Box, CoverageSource } from '../types.ts';

/** Where the pixels of a raster lie. x = origin + column * scaleX + row * shearX; y = origin + column * shearY + row * scaleY. */
export interface Georeference {
  /** Outer corner of the first pixel: the upper left one when north is up. */
  readonly origin: readonly [number, number];
  /** scaleX, shearX, shearY, scaleY */
  readonly transform: CoverageSource['transform'];
}

/** The box around all pixels. */
export function boxOfRaster({ origin: [x0, y0], transform }: Georeference, width: number, height: number): Box {
  const [scaleX, shearX, shearY, scaleY] = transform;
  const corners = [
    [x0, y0],
    [x0 + width * scaleX, y0 + width * shearY],
    [x0 + height * shearX, y0 + height * scaleY],
    [x0 + width * scaleX + height * shearX, y0 + width * shearY + height * scaleY],
  ] as const;
  const xs = corners.map(([x]) => x);
  const ys = corners.map(([, y]) => y);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Whether rows run from west to east, and columns from north to south. */
export function isNorthUp({ transform: [scaleX, shearX, shearY, scaleY] }: Georeference): boolean {
  return shearX === 0 && shearY === 0 && scaleX > 0 && scaleY < 0;
}

/** Six numbers in GDAL's order. */
export function gdalTransform({ origin, transform }: Georeference): [number, number, number, number, number, number] {
  return [origin[0], transform[0], transform[1], origin[1], transform[2], transform[3]];
}

/** Extensions that the world file of an image may have: `pgw`, `pngw`, `wld` for `png`. */
export function worldFileExtensions(imageExtension: string): string[] {
  const extension = imageExtension.toLowerCase();
  return [`${extension.at(0)}${extension.at(-1)}w`, `${extension}w`, 'wld'];
}

/**
 * A world file: six numbers, the last two of which are the centre of the upper left pixel.
 *
 * @returns undefined when it is none
 */
export function parseWorldFile(text: string): Georeference | undefined {
  const numbers = text
    .trim()
    .split(/\s+/)
    .slice(0, 6)
    .map((word) => Number(word.replace(',', '.')));
  if (numbers.length < 6 || !numbers.every(Number.isFinite)) return undefined;
  const [scaleX, shearY, shearX, scaleY, x, y] = numbers as [number, number, number, number, number, number];
  if (scaleX * scaleY - shearX * shearY === 0) return undefined;
  return {
    origin: [x - (scaleX + shearX) / 2, y - (shearY + scaleY) / 2],
    transform: [scaleX, shearX, shearY, scaleY],
  };
}

/**
 * GeoTools' `.meta` file: longitudes and latitudes of the lower left ("Origin") and the upper right corner ("Corner").
 *
 * @returns undefined when it is none
 */
export function parseMetaFile(text: string, width: number, height: number): Georeference | undefined {
  const number = (name: string) =>
    Number(new RegExp(`^\\s*${name}\\s*=\\s*(\\S+)`, 'im').exec(text)?.[1] ?? Number.NaN);
  const minx = number('Origin Longitude');
  const miny = number('Origin Latitude');
  const maxx = number('Corner Longitude');
  const maxy = number('Corner Latitude');
  if (!(minx < maxx && miny < maxy)) return undefined;
  return { origin: [minx, maxy], transform: [(maxx - minx) / width, 0, 0, (miny - maxy) / height] };
}
