import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Georeference } from '../raster/georeference.ts';
import { DataError } from '../types.ts';

/** Header of an ESRI or GRASS ASCII grid. */
export interface GridHeader {
  readonly width: number;
  readonly height: number;
  readonly georeference: Georeference;
  readonly noData: number | undefined;
}

const SPACE = 0x20;
const HEADER_BYTES_MAX = 4096;

/**
 * Reads a grid piece by piece.
 *
 * @param onHeader  called once; the grid is read no further when it returns false
 * @param onRows    whole rows, from the top; missing values are `noData`
 * @throws DataError  `malformed`: what is wrong with it
 * @see the ASCII raster format of ESRI; r.out.ascii of GRASS
 */
export async function readGrid(
  file: string,
  onHeader: (header: GridHeader) => boolean | Promise<boolean>,
  onRows: (firstRow: number, values: Float32Array) => Promise<void>,
): Promise<void> {
  const raw = createReadStream(file, { highWaterMark: 1024 * 1024 });
  const stream: Readable = /\.gz$/i.test(file) ? raw.pipe(createGunzip({ chunkSize: 1024 * 1024 })) : raw;
  raw.on('error', (error) => stream.destroy(error));
  let header: GridHeader | undefined;
  let rows: RowCollector | undefined;
  let head = Buffer.alloc(0);
  try {
    for await (const piece of stream) {
      let chunk = piece as Buffer;
      if (header === undefined) {
        head = Buffer.concat([head, chunk]);
        const parsed = parseHeader(head, file);
        if (parsed === undefined) {
          if (head.length > HEADER_BYTES_MAX)
            throw new DataError('malformed', `${file} is no ASCII grid: it has no header`);
          continue;
        }
        header = parsed.header;
        if (!(await onHeader(header))) return;
        rows = new RowCollector(header, file);
        chunk = head.subarray(parsed.end);
      }
      for (const ready of rows!.push(chunk)) await onRows(ready.firstRow, ready.values);
    }
    if (header === undefined || rows === undefined)
      throw new DataError('malformed', `${file} is no ASCII grid: it has no header`);
    for (const ready of rows.push(Buffer.from(' '))) await onRows(ready.firstRow, ready.values);
    rows.requireComplete();
  } finally {
    stream.destroy();
    raw.destroy();
  }
}

/** @returns undefined when more bytes are needed to see the end of the header */
function parseHeader(bytes: Buffer, file: string): { header: GridHeader; end: number } | undefined {
  const values = new Map<string, string>();
  let at = 0;
  for (;;) {
    const end = bytes.indexOf(0x0a, at);
    if (end === -1) return undefined;
    const line = bytes.toString('latin1', at, end).trim();
    const match = /^([a-z_]+):?\s+(\S+)$/i.exec(line);
    if (match === null && line !== '') break;
    if (match !== null) values.set(match[1]!.toLowerCase(), match[2]!);
    at = end + 1;
  }
  const number = (name: string) => {
    const text = values.get(name);
    const value = Number(text);
    if (text !== undefined && (Number.isNaN(value) || text === ''))
      throw new DataError('malformed', `${file}: ${name} is "${text}", and should be a number`);
    return text === undefined ? undefined : value;
  };
  const width = number('ncols') ?? number('cols');
  const height = number('nrows') ?? number('rows');
  if (!width || !height || width < 1 || height < 1)
    throw new DataError('malformed', `${file} is no ASCII grid: its header does not say ncols and nrows`);
  const noDataText = values.get('nodata_value') ?? values.get('null');
  const noData = noDataText === undefined || noDataText === '*' ? undefined : Number(noDataText);
  return { header: { width, height, georeference: georeferenceOf(number, { width, height }, file), noData }, end: at };
}

function georeferenceOf(
  number: (name: string) => number | undefined,
  { width, height }: { width: number; height: number },
  file: string,
): Georeference {
  const [north, south, east, west] = ['north', 'south', 'east', 'west'].map(number);
  if (north !== undefined && south !== undefined && east !== undefined && west !== undefined)
    return { origin: [west, north], transform: [(east - west) / width, 0, 0, (south - north) / height] };
  const dx = number('cellsize') ?? number('dx');
  const dy = number('cellsize') ?? number('dy') ?? dx;
  const x = number('xllcorner') ?? subtract(number('xllcenter'), (dx ?? 0) / 2);
  const y = number('yllcorner') ?? subtract(number('yllcenter'), (dy ?? 0) / 2);
  if (dx === undefined || dy === undefined || x === undefined || y === undefined || dx <= 0 || dy <= 0)
    throw new DataError(
      'malformed',
      `${file}: its header does not say where the grid is (xllcorner, yllcorner, cellsize)`,
    );
  return { origin: [x, y + height * dy], transform: [dx, 0, 0, -dy] };
}

const subtract = (value: number | undefined, other: number) => (value === undefined ? undefined : value - other);

/** Turns text into numbers and numbers into rows, across the borders of pieces. */
class RowCollector {
  readonly #header: GridHeader;
  readonly #file: string;
  readonly #missing: number;
  #values: Float32Array<ArrayBuffer>;
  #filled = 0;
  #row = 0;
  #rest = '';

  constructor(header: GridHeader, file: string) {
    this.#header = header;
    this.#file = file;
    this.#missing = header.noData ?? Number.NaN;
    this.#values = new Float32Array(header.width);
  }

  *push(bytes: Buffer): Generator<{ firstRow: number; values: Float32Array }> {
    const { width, height } = this.#header;
    let from = 0;
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i]! > SPACE) continue;
      if (i > from || this.#rest !== '') {
        const text = this.#rest + bytes.toString('latin1', from, i);
        this.#rest = '';
        if (this.#row >= height) return; // more than the header promised: not part of the grid
        this.#values[this.#filled++] = this.#number(text);
        if (this.#filled === width) {
          yield { firstRow: this.#row, values: this.#values };
          this.#row++;
          this.#filled = 0;
          this.#values = new Float32Array(width);
        }
      }
      from = i + 1;
    }
    this.#rest += bytes.toString('latin1', from);
  }

  #number(text: string): number {
    const value = Number(text);
    if (!Number.isNaN(value)) return value;
    if (text === '*' || /^nan$/i.test(text)) return this.#missing;
    throw new DataError('malformed', `${this.#file}: "${text.slice(0, 20)}" in row ${this.#row + 1} is not a number`);
  }

  requireComplete(): void {
    const { height } = this.#header;
    if (this.#row < height) throw new DataError('malformed', `${this.#file} ends in row ${this.#row + 1} of ${height}`);
  }
}
