import { unionOf } from '../geometry/box.ts';
import { boxOfRaster, type Georeference } from '../raster/georeference.ts';
import type { VirtualBand, VirtualBandSource, VirtualRaster } from '../raster/vrt.ts';
import type { Band, Box } from '../types.ts';
import type { Granule } from './granules.ts';

/** A mosaic's bands as they are described, and as they are drawn. */
export interface Mosaic extends VirtualRaster {
  readonly box: Box;
  /** Without what is added for the drawing. */
  readonly described: readonly Omit<Band, 'name'>[];
}

/** Of more pixels than this on a side nobody could say where one is. */
const SIDE_MAX = 0x7fffffff;

/**
 * Puts granules side by side, the later over the earlier, in the resolution of the finest. Colours are red, green and blue
 * with an alpha band for what no granule covers: palettes, which may differ between granules, are looked up. All else keeps
 * its bands and its value for no data.
 */
export function layOutMosaic(granules: readonly Granule[]): Mosaic {
  let box: Box | undefined;
  let [scaleX, scaleY] = [Infinity, Infinity];
  for (const { header } of granules) {
    box = unionOf(box, boxOfRaster(header.georeference, header.width, header.height));
    scaleX = Math.min(scaleX, header.georeference.transform[0]);
    scaleY = Math.min(scaleY, -header.georeference.transform[3]);
  }
  const [minx, miny, maxx, maxy] = box!;
  const width = Math.min(SIDE_MAX, Math.max(1, Math.round((maxx - minx) / scaleX)));
  const height = Math.min(SIDE_MAX, Math.max(1, Math.round((maxy - miny) / scaleY)));
  const georeference: Georeference = {
    origin: [minx, maxy],
    transform: [(maxx - minx) / width, 0, 0, (miny - maxy) / height],
  };
  const isColored = granules.some(({ header }) => /red|palette/.test(header.bands[0]?.colorInterpretation ?? ''));
  const place = { georeference };
  const bands = isColored ? colorBands(granules, place) : valueBands(granules, place);
  const first = granules[0]!.header.bands;
  const described =
    isColored && first[0]?.colorInterpretation !== 'palette' ? bands.slice(0, first.length).map(describe) : first;
  return { width, height, georeference, box: box!, bands, described };
}

interface Place {
  readonly georeference: Georeference;
}

const describe = ({ dataType, colorInterpretation, noData }: VirtualBand): Omit<Band, 'name'> => ({
  dataType,
  ...(colorInterpretation === undefined ? {} : { colorInterpretation }),
  ...(noData === undefined ? {} : { noData }),
});

function colorBands(granules: readonly Granule[], place: Place): VirtualBand[] {
  return (['red', 'green', 'blue', 'alpha'] as const).map((color, component) => ({
    dataType: 'uint8',
    colorInterpretation: color,
    sources: granules.map((granule) => {
      const { bands, paletteHasAlpha } = granule.header;
      const isPalette = bands[0]?.colorInterpretation === 'palette';
      const at = bands.findIndex((band) => band.colorInterpretation === color);
      if (isPalette && (color !== 'alpha' || paletteHasAlpha))
        return { ...sourceOf(granule, 1, place), colorComponent: component + 1 };
      if (at !== -1) return sourceOf(granule, at + 1, place);
      if (color === 'alpha') return { ...sourceOf(granule, 1, place), constant: 255 };
      return sourceOf(granule, 1, place); // gray among colours
    }),
  }));
}

function valueBands(granules: readonly Granule[], place: Place): VirtualBand[] {
  const first = granules[0]!.header.bands;
  return first.map((band, i) => ({
    dataType: band.dataType,
    ...(band.noData === undefined ? {} : { noData: band.noData }),
    ...(band.colorInterpretation === undefined ? {} : { colorInterpretation: band.colorInterpretation }),
    sources: granules
      .filter(({ header }) => i < header.bands.length)
      .map((granule) => {
        const { noData } = granule.header.bands[i]!;
        return { ...sourceOf(granule, i + 1, place), ...(noData === undefined ? {} : { noData }) };
      }),
  }));
}

function sourceOf({ file, header }: Granule, band: number, { georeference }: Place): VirtualBandSource {
  const { width, height } = header;
  const own = header.georeference;
  const [scaleX, , , scaleY] = georeference.transform;
  return {
    file,
    band,
    width,
    height,
    dataType: header.bands[band - 1]!.dataType,
    target: {
      x: tidy((own.origin[0] - georeference.origin[0]) / scaleX),
      y: tidy((own.origin[1] - georeference.origin[1]) / scaleY),
      width: tidy((width * own.transform[0]) / scaleX),
      height: tidy((height * own.transform[3]) / scaleY),
    },
  };
}

/** Whole pixels stay whole in spite of rounding in the georeferences, so that neighbours leave no seams. */
function tidy(pixels: number): number {
  const whole = Math.round(pixels);
  return Math.abs(pixels - whole) < 1e-3 ? whole : pixels;
}
