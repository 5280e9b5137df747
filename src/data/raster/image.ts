import { type Logger, messageOf } from '../../base/index.ts';
import { mapnikSrs } from '../crs.ts';
import { nameBands } from '../dimensions.ts';
import { baseName, requireFile, statFile } from '../files.ts';
import { lazily } from '../lazily.ts';
import { type CoverageSource, DataError, type MapnikSource, type RasterStore } from '../types.ts';
import { boxOfRaster, isNorthUp } from './georeference.ts';
import { type RasterHeader, readRasterHeader } from './header.ts';
import { transcode } from './transcode.ts';
import { formatVrt, formatWarpedVrt, keepVrt } from './vrt.ts';

export interface ImageOptions {
  /** GeoServer's name. */
  readonly format: 'GeoTIFF' | 'WorldImage';
  readonly cacheDir: string;
  readonly logger: Logger;
}

/** A store over one image file, which is looked at again on every use. */
export function openImage(file: string, options: ImageOptions): RasterStore {
  return singleCoverage({
    name: baseName(file),
    version: () => requireFile(file).version + (statFile(file.replace(/\.[^.]*$/, '.prj'))?.version ?? ''),
    read: (version) => readImage(file, version, options),
  });
}

export interface SingleCoverage {
  readonly name: string;
  /** Of the files behind it. */
  version(): string;
  read(version: string): Promise<CoverageSource>;
}

/** Stores with one coverage: it is what any name means, for old catalogs have made-up native names. */
export function singleCoverage({ name, version, read }: SingleCoverage): RasterStore {
  let known: { readonly version: string; readonly source: Promise<CoverageSource> } | undefined;
  return {
    async names() {
      return [name];
    },
    async source() {
      const now = version();
      if (known?.version === now) return known.source;
      const entry = { version: now, source: read(now) };
      known = entry;
      entry.source.catch(() => {
        if (known === entry) known = undefined;
      });
      return entry.source;
    },
    async close() {
      known = undefined;
    },
  };
}

async function readImage(file: string, version: string, options: ImageOptions): Promise<CoverageSource> {
  const { format } = options;
  const header = await readRasterHeader(file, format === 'WorldImage' ? 'world file' : 'tags');
  const { georeference, width, height, native } = header;
  if (georeference === undefined)
    throw new DataError('malformed', `${file} does not say where on the earth it is: a world file beside it would`);
  const bands = nameBands(format === 'WorldImage' ? header.bands.map(withByteRange) : header.bands);
  const drawable = lazily(() => fileForMapnik({ file, version, header, georeference }, options));
  return {
    name: baseName(file),
    width,
    height,
    box: boxOfRaster(georeference, width, height),
    transform: georeference.transform,
    origin: georeference.origin,
    ...native,
    bands,
    format,
    async mapnik(): Promise<MapnikSource> {
      return {
        kind: 'raster',
        parameters: { type: 'gdal', file: await drawable() },
        srs: mapnikSrs(native),
        version,
        bands,
      };
    },
  };
}

/** GeoServer says of the bytes of plain images what they can hold. */
function withByteRange<B extends RasterHeader['bands'][number]>(band: B): B {
  return band.dataType === 'uint8' && band.colorInterpretation !== 'palette' ? { ...band, min: 0, max: 255 } : band;
}

interface Image {
  readonly file: string;
  readonly version: string;
  readonly header: RasterHeader;
  readonly georeference: NonNullable<RasterHeader['georeference']>;
}

/** The file itself where Mapnik's GDAL reads it as it should, else a stand-in from the cache. */
async function fileForMapnik(image: Image, { format, cacheDir, logger }: ImageOptions): Promise<string> {
  const { header, georeference } = image;
  let { file } = image;
  if (header.codec !== undefined) {
    try {
      file = await transcode({ ...image, cacheDir });
    } catch (error) {
      logger.warn('raster-not-converted', { file, codec: header.codec, reason: messageOf(error) });
      throw new DataError(
        'no-driver',
        `${baseName(image.file)} is compressed with ${header.codec}, which cannot be decoded: convert it with gdal_translate -co COMPRESS=DEFLATE`,
        { cause: error },
      );
    }
  }
  if (!isNorthUp(georeference))
    return keepVrt(formatWarpedVrt({ ...header, georeference, file, target: uprightOf(image) }), cacheDir);
  // GDAL prefers a TIFF's own tags to a world file, and knows no .meta.
  const isAsGdalSees =
    header.georeferenceFrom === 'tags' || (header.georeferenceFrom === 'world file' && !isTiff(file));
  if (header.codec !== undefined || (format === 'GeoTIFF' && header.georeferenceFrom !== 'meta') || isAsGdalSees)
    return file;
  const { width, height } = header;
  const target = { x: 0, y: 0, width, height };
  const isPalette = header.bands[0]?.colorInterpretation === 'palette';
  const bands = isPalette
    ? (['red', 'green', 'blue', ...(header.paletteHasAlpha ? (['alpha'] as const) : [])] as const).map((color, i) => ({
        dataType: 'uint8' as const,
        colorInterpretation: color,
        sources: [{ file, band: 1, width, height, dataType: 'uint8' as const, target, colorComponent: i + 1 }],
      }))
    : header.bands.map((band, i) => ({
        ...band,
        sources: [{ file, band: i + 1, width, height, dataType: band.dataType, target }],
      }));
  return keepVrt(formatVrt({ width, height, georeference, bands }), cacheDir);
}

const isTiff = (file: string) => /\.tiff?$/i.test(file);

/** As many pixels in the upright box as keep the size of a pixel. */
function uprightOf({ header, georeference }: Image) {
  const [minx, miny, maxx, maxy] = boxOfRaster(georeference, header.width, header.height);
  const [a, b, c, d] = georeference.transform;
  const pixel = Math.sqrt(Math.abs(a * d - b * c));
  const width = Math.max(1, Math.round((maxx - minx) / pixel));
  const height = Math.max(1, Math.round((maxy - miny) / pixel));
  return {
    width,
    height,
    georeference: {
      origin: [minx, maxy] as const,
      transform: [(maxx - minx) / width, 0, 0, (miny - maxy) / height] as const,
    },
  };
}
