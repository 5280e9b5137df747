import type { Crs } from './registry.ts';
import type { Box } from './transform.ts';

/** Width of OGC's standard pixel in metres (OGC 06-042, 7.2.4.6.9). */
export const PIXEL_METERS = 0.00028;

/** Metres in a degree of the equator of WGS 84. */
export const metersPerDegree = (6378137 * Math.PI) / 180;

/**
 * Scale denominator of a map on OGC's standard pixel of 0.28 mm: the n of 1:n.
 *
 * @param box  in `crs`, x first
 * @param widthPx  greater than 0
 * @see OGC 05-078r4 (SLD 1.1), 10.2
 */
export function scaleDenominator(box: Box, crs: Crs, widthPx: number): number {
  return ((box[2] - box[0]) * crs.metersPerUnit) / (widthPx * PIXEL_METERS);
}
