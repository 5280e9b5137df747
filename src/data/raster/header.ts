import { open } from 'node:fs/promises';
import path from 'node:path';
import { crsOfWkt, type NativeCrs } from '../crs.ts';
import { readSidecar, sibling } from '../files.ts';
import { readAt } from '../records.ts';
import { type Band, DataError } from '../types.ts';
import { type Georeference, parseMetaFile, parseWorldFile, worldFileExtensions } from './georeference.ts';
import { readTiffHeader } from './tiff-header.ts';

/** What an image says about itself, and the files beside it say about it. */
export interface RasterHeader {
  readonly width: number;
  readonly height: number;
  readonly bands: readonly Omit<Band, 'name'>[];
  /** The pixels are numbers of colours, some of them transparent. */
  readonly paletteHasAlpha: boolean;
  readonly georeference?: Georeference;
  /** Where the georeference is from: GDAL finds all but `meta` by itself. */
  readonly georeferenceFrom?: 'tags' | 'world file' | 'meta';
  readonly native: NativeCrs;
  /** Of a compression that Mapnik cannot decode. */
  readonly codec?: string;
}

export type ImageHeader = Omit<RasterHeader, 'georeference' | 'georeferenceFrom' | 'native'> & {
  readonly georeference?: Georeference;
  readonly native?: NativeCrs;
};

/**
 * Reads a GeoTIFF, or an image with a world file or `.meta` file, and its `.prj`.
 *
 * @param prefer  what counts when a TIFF has both: its own tags, or the world file
 * @throws DataError  `malformed`, or `no-driver` for formats that are not known
 */
export async function readRasterHeader(file: string, prefer: 'tags' | 'world file' = 'tags'): Promise<RasterHeader> {
  const image = await readImageHeader(file);
  const { georeference: fromTags, native: nativeFromTags, ...rest } = image;
  const beside = georeferenceBeside(file, image.width, image.height);
  const native = crsOfWkt(readSidecar(sibling(file, 'prj')));
  const crs =
    native.crs !== undefined && (prefer === 'world file' || nativeFromTags?.crs === undefined)
      ? native
      : nativeFromTags;
  const found =
    fromTags !== undefined && (prefer === 'tags' || beside === undefined)
      ? { georeference: fromTags, georeferenceFrom: 'tags' as const }
      : (beside ?? {});
  return { ...rest, ...found, native: crs ?? native };
}

function georeferenceBeside(
  file: string,
  width: number,
  height: number,
): Pick<RasterHeader, 'georeference' | 'georeferenceFrom'> | undefined {
  for (const extension of worldFileExtensions(path.extname(file).slice(1))) {
    const text = readSidecar(sibling(file, extension));
    const georeference = text === undefined ? undefined : parseWorldFile(text);
    if (georeference !== undefined) return { georeference, georeferenceFrom: 'world file' };
  }
  const meta = readSidecar(sibling(file, 'meta'));
  const georeference = meta === undefined ? undefined : parseMetaFile(meta, width, height);
  return georeference === undefined ? undefined : { georeference, georeferenceFrom: 'meta' };
}

/** JPEGs have their size behind embedded pictures and profiles. */
const HEAD_BYTES = 256 * 1024;

async function readImageHeader(file: string): Promise<ImageHeader> {
  const handle = await open(file);
  const head = await readAt(handle, 0, HEAD_BYTES).finally(() => handle.close());
  const magic = head.toString('latin1', 0, 12);
  if (/^(II[*+]\0|MM\0[*+])/.test(magic)) return readTiffHeader(file);
  if (magic.startsWith('\x89PNG')) return readPng(head, file);
  if (magic.startsWith('\xff\xd8\xff')) return readJpeg(head, file);
  if (/^GIF8[79]a/.test(magic)) return readGif(head);
  if (magic.startsWith('BM')) return readBmp(head);
  if (magic.slice(4, 8) === 'jP  ' || magic.startsWith('\xff\x4f\xff\x51'))
    throw new DataError('no-driver', `${file} is a JPEG 2000 image, which cannot be decoded: convert it to GeoTIFF`);
  if (/^(CDF[\x01\x02\x05]|\x89HDF)/.test(magic))
    throw new DataError('no-driver', `${file} is NetCDF or HDF, which cannot be read: convert it to GeoTIFF`);
  throw new DataError('no-driver', `${file} is no TIFF, PNG, JPEG, GIF or BMP image`);
}

const colors = (...interpretations: Band['colorInterpretation'][]): Omit<Band, 'name'>[] =>
  interpretations.map((colorInterpretation) => ({ dataType: 'uint8', colorInterpretation }));

/** @see ISO/IEC 15948 (PNG), 11.2.2 */
function readPng(head: Buffer, file: string): ImageHeader {
  const width = head.readUInt32BE(16);
  const height = head.readUInt32BE(20);
  const depth = head[24]!;
  const transparency = head.indexOf('tRNS');
  const data = head.indexOf('IDAT');
  const paletteHasAlpha = transparency !== -1 && (data === -1 || transparency < data);
  const kinds: Readonly<Record<number, Omit<Band, 'name'>[]>> = {
    0: colors('gray'),
    2: colors('red', 'green', 'blue'),
    3: colors('palette'),
    4: colors('gray', 'alpha'),
    6: colors('red', 'green', 'blue', 'alpha'),
  };
  const kind = kinds[head[25]!];
  if (kind === undefined) throw new DataError('malformed', `${file} is a PNG of an unknown colour type`);
  const bands = depth === 16 ? kind.map((band) => ({ ...band, dataType: 'uint16' as const })) : kind;
  return { width, height, bands, paletteHasAlpha };
}

/** @see ITU-T T.81, B.2.2: the frame header */
function readJpeg(head: Buffer, file: string): ImageHeader {
  for (let at = 2; at + 9 < head.length; ) {
    if (head[at] !== 0xff) break;
    const marker = head[at + 1]!;
    if (marker === 0xff) {
      at++;
      continue;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) {
      const count = head[at + 9]!;
      const bands =
        count === 1 ? colors('gray') : colors('red', 'green', 'blue', ...(count === 4 ? ['alpha' as const] : []));
      return { width: head.readUInt16BE(at + 7), height: head.readUInt16BE(at + 5), bands, paletteHasAlpha: false };
    }
    at += 2 + head.readUInt16BE(at + 2);
  }
  throw new DataError('malformed', `${file} is a JPEG without a frame header in its first ${HEAD_BYTES} bytes`);
}

function readGif(head: Buffer): ImageHeader {
  const control = head.indexOf(Buffer.from([0x21, 0xf9, 0x04]));
  const paletteHasAlpha = control !== -1 && (head[control + 3]! & 1) === 1;
  return { width: head.readUInt16LE(6), height: head.readUInt16LE(8), bands: colors('palette'), paletteHasAlpha };
}

function readBmp(head: Buffer): ImageHeader {
  const bands = head.readUInt16LE(28) <= 8 ? colors('palette') : colors('red', 'green', 'blue');
  return { width: head.readInt32LE(18), height: Math.abs(head.readInt32LE(22)), bands, paletteHasAlpha: false };
}
