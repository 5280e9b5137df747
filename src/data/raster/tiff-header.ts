import { fromFile, type GeoTIFFImage } from 'geotiff';
import { messageOf } from '../../base/index.ts';
import { crsOfCode, type NativeCrs } from '../crs.ts';
import { type Band, DataError } from '../types.ts';
import type { Georeference } from './georeference.ts';
import type { ImageHeader } from './header.ts';

/** Compressions that Mapnik's GDAL is built without. */
const UNDECODABLE: Readonly<Record<number, string>> = {
  33003: 'JPEG 2000',
  34712: 'JPEG 2000',
  34887: 'LERC',
  34925: 'LZMA',
  50000: 'Zstandard',
  50001: 'WebP',
  50002: 'JPEG XL',
};

/** @throws DataError  `malformed` */
export async function readTiffHeader(file: string): Promise<ImageHeader> {
  try {
    const tiff = await fromFile(file);
    try {
      return await describe(await tiff.getImage(0));
    } finally {
      await tiff.close();
    }
  } catch (error) {
    throw error instanceof DataError
      ? error
      : new DataError('malformed', `${file} is not a TIFF that can be read: ${messageOf(error)}`, { cause: error });
  }
}

async function describe(image: GeoTIFFImage): Promise<ImageHeader> {
  const tag = await tagReader(image);
  const photometric = numbersOf(await tag('PhotometricInterpretation'))[0] ?? 1;
  const samples = image.getSamplesPerPixel();
  const extra = numbersOf(await tag('ExtraSamples'));
  const bits = numbersOf(await tag('BitsPerSample'));
  const formats = numbersOf(await tag('SampleFormat'));
  const noData = noDataOf(await tag('GDAL_NODATA'));
  const statistics = statisticsOf(await tag('GDAL_METADATA'));
  const bands = Array.from({ length: samples }, (_, i): Omit<Band, 'name'> => {
    const color = colorOf({ photometric, samples, extra }, i);
    return {
      dataType: dataTypeOf(formats[i] ?? formats[0] ?? 1, bits[i] ?? bits[0] ?? 1),
      ...(noData === undefined ? {} : { noData }),
      ...statistics(i),
      ...(color === undefined ? {} : { colorInterpretation: color }),
    };
  });
  const compression = numbersOf(await tag('Compression'))[0] ?? 1;
  const codec = UNDECODABLE[compression];
  const keys = (image.getGeoKeys() ?? {}) as Readonly<Record<string, unknown>>;
  const georeference = await georeferenceOf(tag, keys.GTRasterTypeGeoKey === 2);
  return {
    width: image.getWidth(),
    height: image.getHeight(),
    bands,
    paletteHasAlpha: false,
    native: crsOfKeys(keys),
    ...(georeference === undefined ? {} : { georeference }),
    ...(codec === undefined ? {} : { codec }),
  };
}

type TagReader = (name: string) => Promise<unknown>;

async function tagReader(image: GeoTIFFImage): Promise<TagReader> {
  const directory = image.getFileDirectory();
  return (name) =>
    directory.hasTag(name as 'Compression') ? directory.loadValue(name as 'Compression') : Promise.resolve(undefined);
}

function numbersOf(value: unknown): number[] {
  if (typeof value === 'number') return [value];
  return value === undefined || typeof value === 'string' ? [] : Array.from(value as ArrayLike<number>);
}

function colorOf(
  { photometric, samples, extra }: { photometric: number; samples: number; extra: readonly number[] },
  i: number,
): Band['colorInterpretation'] {
  const colorCount = samples - extra.length;
  const extraKind = extra[i - colorCount];
  if (i >= colorCount && (extraKind === 1 || extraKind === 2)) return 'alpha';
  if (photometric === 3) return i === 0 ? 'palette' : undefined;
  const isColor = photometric === 2 || photometric === 5 || photometric === 6;
  if (isColor && samples >= 3) return (['red', 'green', 'blue'] as const)[i];
  return i === 0 ? 'gray' : undefined;
}

function dataTypeOf(format: number, bits: number): Band['dataType'] {
  if (format === 3) return bits > 32 ? 'float64' : 'float32';
  const width = bits <= 8 ? 8 : bits <= 16 ? 16 : 32;
  return `${format === 2 ? 'int' : 'uint'}${width}`;
}

/** GDAL keeps it as text with a NUL at its end. */
function noDataOf(value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value.replaceAll('\0', '').trim();
  return text === '' || (Number.isNaN(Number(text)) && !/^nan$/i.test(text)) ? undefined : Number(text);
}

/** Minimum and maximum of a band, where GDAL has written them into the file. */
function statisticsOf(metadata: unknown): (band: number) => { min?: number; max?: number } {
  if (typeof metadata !== 'string') return () => ({});
  const item = (name: string, band: number): number | undefined => {
    const match = new RegExp(`<Item name="STATISTICS_${name}"(?: sample="(\\d+)")?[^>]*>([^<]*)<`, 'g');
    for (const [, sample, text] of metadata.matchAll(match)) if (Number(sample ?? 0) === band) return Number(text);
    return undefined;
  };
  return (band) => {
    const min = item('MINIMUM', band);
    const max = item('MAXIMUM', band);
    return min === undefined || max === undefined ? {} : { min, max };
  };
}

/** @see OGC 19-008r4 (GeoTIFF 1.1), 7.1.1 and annex B.6 */
async function georeferenceOf(tag: TagReader, isPoint: boolean): Promise<Georeference | undefined> {
  const matrix = numbersOf(await tag('ModelTransformation'));
  const scale = numbersOf(await tag('ModelPixelScale'));
  const tie = numbersOf(await tag('ModelTiepoint'));
  let transform: Georeference['transform'];
  let origin: readonly [number, number];
  if (matrix.length >= 8) {
    transform = [matrix[0]!, matrix[1]!, matrix[4]!, matrix[5]!];
    origin = [matrix[3]!, matrix[7]!];
  } else if (scale.length >= 2 && tie.length >= 6) {
    transform = [scale[0]!, 0, 0, -scale[1]!];
    origin = [tie[3]! - tie[0]! * scale[0]!, tie[4]! + tie[1]! * scale[1]!];
  } else return undefined;
  if (transform[0] * transform[3] - transform[1] * transform[2] === 0) return undefined;
  // Coordinates of a raster of points are those of the pixels' centres.
  if (isPoint) origin = [origin[0] - (transform[0] + transform[1]) / 2, origin[1] - (transform[2] + transform[3]) / 2];
  return { origin, transform };
}

const USER_DEFINED = 32767;

function crsOfKeys(keys: Readonly<Record<string, unknown>>): NativeCrs {
  // The library's names: those of GeoTIFF 1.0 and 1.1.
  for (const name of ['ProjectedCRSGeoKey', 'ProjectedCSTypeGeoKey', 'GeodeticCRSGeoKey', 'GeographicTypeGeoKey']) {
    const code = keys[name];
    const isProjected = name.startsWith('Projected');
    if (isProjected && code === USER_DEFINED) return {};
    if (keys.GTModelTypeGeoKey === 1 && !isProjected) continue;
    if (typeof code === 'number' && code !== USER_DEFINED && code > 0) return crsOfCode(code);
  }
  return {};
}
