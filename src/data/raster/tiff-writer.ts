import { type FileHandle, open } from 'node:fs/promises';
import { type Band, DataError } from '../types.ts';
import { type Georeference, isNorthUp } from './georeference.ts';

/**
 * Writes plain TIFFs for Mapnik: little-endian, one band after the other, in strips of some rows, not compressed. They are
 * only ever read by the node that wrote them.
 *
 * @see TIFF 6.0; OGC 19-008r4 for the placing
 */
export interface TiffLayout {
  readonly width: number;
  readonly height: number;
  readonly dataType: Band['dataType'];
  readonly bands: readonly Pick<Band, 'colorInterpretation'>[];
  readonly noData?: number;
  readonly georeference: Georeference;
}

export interface TiffWriter {
  /** Whole rows of one band. `band` counts from 0; `bytes` is little-endian. */
  writeRows(band: number, firstRow: number, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

const SAMPLE_BYTES: Readonly<Record<Band['dataType'], number>> = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  float64: 8,
};

const ROWS_PER_STRIP = 16;
const FILE_BYTES_MAX = 0xffff_0000;

const SHORT = 3;
const LONG = 4;
const DOUBLE = 12;
const ASCII = 2;
const TYPE_BYTES: Readonly<Record<number, number>> = { [ASCII]: 1, [SHORT]: 2, [LONG]: 4, [DOUBLE]: 8 };

/** @throws DataError  `refused`: larger than a classic TIFF can be */
export async function createTiff(file: string, layout: TiffLayout): Promise<TiffWriter> {
  const { width, height, bands } = layout;
  const rowBytes = width * SAMPLE_BYTES[layout.dataType];
  if (rowBytes * height * bands.length > FILE_BYTES_MAX)
    throw new DataError(
      'refused',
      `a raster of ${width} by ${height} pixels is too large to be converted: make it a GeoTIFF`,
    );
  const strips = Math.ceil(height / ROWS_PER_STRIP);
  // The header's size does not depend on the offsets in it: so it is laid out twice.
  const dataStart = formatHeader(layout, strips, 0).length;
  const handle = await open(file, 'wx');
  await handle.write(formatHeader(layout, strips, dataStart), 0, dataStart, 0);
  return {
    async writeRows(band, firstRow, bytes) {
      await writeAll(handle, bytes, dataStart + (band * height + firstRow) * rowBytes);
    },
    close: () => handle.close(),
  };
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}

function formatHeader(layout: TiffLayout, strips: number, dataStart: number): Buffer {
  const { width, height, dataType, bands, georeference, noData } = layout;
  const sample = SAMPLE_BYTES[dataType];
  const format = dataType.startsWith('float') ? 3 : dataType.startsWith('int') ? 2 : 1;
  const isColor = bands[0]?.colorInterpretation === 'red' && bands.length >= 3;
  const extras = bands.slice(isColor ? 3 : 1).map((band) => (band.colorInterpretation === 'alpha' ? 2 : 0));
  const offsets: number[] = [];
  const counts: number[] = [];
  const rowBytes = width * sample;
  for (let band = 0; band < bands.length; band++)
    for (let strip = 0; strip < strips; strip++) {
      offsets.push(dataStart + (band * height + strip * ROWS_PER_STRIP) * rowBytes);
      counts.push(Math.min(ROWS_PER_STRIP, height - strip * ROWS_PER_STRIP) * rowBytes);
    }
  const tags: [tag: number, type: number, values: readonly number[]][] = [
    [256, LONG, [width]],
    [257, LONG, [height]],
    [258, SHORT, bands.map(() => sample * 8)],
    [259, SHORT, [1]],
    [262, SHORT, [isColor ? 2 : 1]],
    [273, LONG, offsets],
    [277, SHORT, [bands.length]],
    [278, LONG, [ROWS_PER_STRIP]],
    [279, LONG, counts],
    [284, SHORT, [2]],
    ...(extras.length > 0 ? [[338, SHORT, extras] as [number, number, readonly number[]]] : []),
    [339, SHORT, bands.map(() => format)],
    ...placingTags(georeference),
    ...(noData === undefined ? [] : [[42113, ASCII, asciiOf(String(noData))] as [number, number, readonly number[]]]),
  ];
  return layOut(tags);
}

function placingTags(georeference: Georeference): [number, number, readonly number[]][] {
  const { origin, transform } = georeference;
  if (isNorthUp(georeference))
    return [
      [33550, DOUBLE, [transform[0], -transform[3], 0]],
      [33922, DOUBLE, [0, 0, 0, origin[0], origin[1], 0]],
    ];
  const [a, b, c, d] = transform;
  return [[34264, DOUBLE, [a, b, 0, origin[0], c, d, 0, origin[1], 0, 0, 0, 0, 0, 0, 0, 1]]];
}

const asciiOf = (text: string) => [...Buffer.from(`${text.replace('NaN', 'nan')}\0`, 'latin1')];

function layOut(tags: readonly [number, number, readonly number[]][]): Buffer {
  const directoryBytes = 2 + tags.length * 12 + 4;
  let end = 8 + directoryBytes;
  const places = tags.map(([, type, values]) => {
    const bytes = values.length * TYPE_BYTES[type]!;
    if (bytes <= 4) return undefined;
    end += end % 8 === 0 ? 0 : 8 - (end % 8);
    const at = end;
    end += bytes;
    return at;
  });
  const head = Buffer.alloc(end + (end % 8 === 0 ? 0 : 8 - (end % 8)));
  head.write('II*\0', 0, 'latin1');
  head.writeUInt32LE(8, 4);
  head.writeUInt16LE(tags.length, 8);
  tags.forEach(([tag, type, values], i) => {
    const at = 10 + i * 12;
    head.writeUInt16LE(tag, at);
    head.writeUInt16LE(type, at + 2);
    head.writeUInt32LE(values.length, at + 4);
    const place = places[i];
    if (place !== undefined) head.writeUInt32LE(place, at + 8);
    for (const [j, value] of values.entries()) writeValue(head, type, value, (place ?? at + 8) + j * TYPE_BYTES[type]!);
  });
  return head;
}

function writeValue(bytes: Buffer, type: number, value: number, at: number): void {
  if (type === ASCII) bytes.writeUInt8(value, at);
  else if (type === SHORT) bytes.writeUInt16LE(value, at);
  else if (type === LONG) bytes.writeUInt32LE(value, at);
  else bytes.writeDoubleLE(value, at);
}
