import { type FileHandle, open } from 'node:fs/promises';
import { requireFile } from '../files.ts';
import { readAt } from '../records.ts';
import { type AttributeType, type AttributeValue, DataError } from '../types.ts';
import type { TextDecode } from './encoding.ts';

/**
 * The attribute table of a shapefile: dBASE III with FoxPro's binary types.
 *
 * @see https://www.dbase.com/Knowledgebase/INT/db7_file_fmt.htm and the dBASE III+ manual, appendix B
 */
export interface DbfHeader {
  readonly recordCount: number;
  readonly headerBytes: number;
  readonly recordBytes: number;
  /** Language driver: a code for the encoding, 0 when not said. */
  readonly languageDriver: number;
  readonly fields: readonly DbfField[];
}

export interface DbfField {
  readonly name: string;
  /** `C`, `N`, `F`, `L`, `D`, `M`, `I`, `O`, `B`, `@`, ... */
  readonly type: string;
  /** From the start of the record. */
  readonly at: number;
  readonly bytes: number;
  readonly decimals: number;
}

const FIELD_BYTES = 32;
const END_OF_FIELDS = 0x0d;
const DELETED = 0x2a;

/** @throws DataError  `malformed` */
export async function readDbfHeader(file: string, decode: TextDecode): Promise<DbfHeader> {
  const { sizeBytes } = requireFile(file);
  const handle = await open(file);
  try {
    const start = await readAt(handle, 0, FIELD_BYTES);
    if (start.length < FIELD_BYTES) throw new DataError('malformed', `${file} is too short for a dBASE table`);
    const headerBytes = start.readUInt16LE(8);
    const recordBytes = start.readUInt16LE(10);
    if (headerBytes < FIELD_BYTES + 1 || recordBytes < 1)
      throw new DataError('malformed', `${file} is not a dBASE table: its header has a length of ${headerBytes} bytes`);
    const fields = parseFields(await readAt(handle, FIELD_BYTES, headerBytes - FIELD_BYTES), decode);
    // The count in the header is wrong in files whose writer was stopped; the size is not.
    const fitting = Math.floor((sizeBytes - headerBytes) / recordBytes);
    const recordCount = Math.max(0, Math.min(start.readUInt32LE(4), fitting));
    return { recordCount, headerBytes, recordBytes, languageDriver: start[29]!, fields };
  } finally {
    await handle.close();
  }
}

function parseFields(bytes: Buffer, decode: TextDecode): DbfField[] {
  const fields: DbfField[] = [];
  let at = 1; // after the deletion mark
  for (let i = 0; i + FIELD_BYTES <= bytes.length && bytes[i] !== END_OF_FIELDS; i += FIELD_BYTES) {
    const end = bytes.indexOf(0, i);
    const name = decode(bytes, i, end === -1 || end > i + 11 ? i + 11 : end).trim();
    const type = String.fromCharCode(bytes[i + 11]!).toUpperCase();
    const length = bytes[i + 16]!;
    if (name !== '') fields.push({ name, type, at, bytes: length, decimals: bytes[i + 17]! });
    at += length;
  }
  return fields;
}

/** The attribute that a field becomes, by GeoServer's rules; undefined for FoxPro's hidden flags. */
export function attributeOf(field: DbfField): AttributeType | undefined {
  const of = (type: AttributeType['type'], length?: number): AttributeType => ({
    name: field.name,
    type,
    nillable: true,
    ...(length === undefined ? {} : { length }),
  });
  switch (field.type) {
    case 'N':
    case 'F':
      if (field.type === 'F' || field.decimals > 0) return of('double');
      return of(field.bytes < 10 ? 'integer' : field.bytes < 19 ? 'long' : 'double');
    case 'I':
    case '+':
      return of('integer');
    case 'O':
    case 'B':
      return of('double');
    case 'L':
      return of('boolean');
    case 'D':
      return of('date');
    case '@':
    case 'T':
      return of('dateTime');
    case '0':
      return undefined;
    default:
      return of('string', field.bytes);
  }
}

/** Whether a record is marked as deleted. */
export function isDeleted(bytes: Buffer, at: number): boolean {
  return bytes[at] === DELETED;
}

/** Decoder of one record: made once, so that the loop over records knows every field's type and place. */
export function recordDecoder(
  header: DbfHeader,
  decode: TextDecode,
): (bytes: Buffer, at: number) => Record<string, AttributeValue> {
  const readers = header.fields
    .filter((field) => attributeOf(field) !== undefined)
    .map((field) => ({
      name: field.name,
      at: field.at,
      end: field.at + field.bytes,
      read: valueReader(field, decode),
    }));
  return (bytes, at) => {
    const properties: Record<string, AttributeValue> = {};
    for (const { name, at: from, end, read } of readers) properties[name] = read(bytes, at + from, at + end);
    return properties;
  };
}

type ValueReader = (bytes: Buffer, from: number, end: number) => AttributeValue;

function valueReader(field: DbfField, decode: TextDecode): ValueReader {
  switch (field.type) {
    case 'N':
    case 'F':
      return readNumber;
    case 'L':
      return readLogical;
    case 'D':
      return readDate;
    case 'I':
    case '+':
      return (bytes, from, end) => (end - from === 4 ? bytes.readInt32LE(from) : null);
    case 'O':
    case 'B':
      return (bytes, from, end) => (end - from === 8 ? bytes.readDoubleLE(from) : readNumber(bytes, from, end));
    case '@':
    case 'T':
      return readTimestamp;
    case 'M':
      return () => null; // memo files are not read
    default:
      return (bytes, from, end) => (bytes[from] === 0 ? null : decode(bytes, from, textEnd(bytes, from, end)).trim());
  }
}

/** Without the padding: spaces, or NULs of careless writers. */
function textEnd(bytes: Buffer, from: number, end: number): number {
  let last = end;
  while (last > from && (bytes[last - 1] === 0x20 || bytes[last - 1] === 0)) last--;
  return last;
}

/** Blank, or filled with `*` because the number did not fit, means that there is none. */
function readNumber(bytes: Buffer, from: number, end: number): AttributeValue {
  const text = bytes.toString('latin1', from, end).replaceAll('\0', '').trim();
  if (text === '') return null;
  const number = Number(text);
  if (Number.isInteger(number) && !Number.isSafeInteger(number) && /^[-+]?\d+$/.test(text)) return BigInt(text);
  return Number.isNaN(number) ? null : number;
}

function readLogical(bytes: Buffer, from: number): AttributeValue {
  switch (String.fromCharCode(bytes[from]!).toUpperCase()) {
    case 'T':
    case 'Y':
      return true;
    case 'F':
    case 'N':
      return false;
    default:
      return null;
  }
}

function readDate(bytes: Buffer, from: number, end: number): AttributeValue {
  const match = /^(\d{4})(\d\d)(\d\d)$/.exec(bytes.toString('latin1', from, end));
  if (match === null || match[0] === '00000000') return null;
  const date = new Date(`${match[1]}-${match[2]}-${match[3]}T00:00:00Z`);
  return Number.isNaN(date.getTime()) ? null : date;
}

const JULIAN_DAY_OF_1970 = 2440588;
const DAY_MS = 86_400_000;

function readTimestamp(bytes: Buffer, from: number, end: number): AttributeValue {
  if (end - from !== 8) return null;
  const day = bytes.readInt32LE(from);
  return day === 0 ? null : new Date((day - JULIAN_DAY_OF_1970) * DAY_MS + bytes.readInt32LE(from + 4));
}

const SCAN_BYTES = 1024 * 1024;

/** How many of the first `records` records are marked as deleted. */
export async function countDeleted(handle: FileHandle, header: DbfHeader, records: number): Promise<number> {
  const perRead = Math.max(1, Math.floor(SCAN_BYTES / header.recordBytes));
  const last = Math.min(records, header.recordCount);
  let deleted = 0;
  for (let first = 0; first < last; first += perRead) {
    const here = Math.min(perRead, last - first);
    const bytes = await readAt(handle, header.headerBytes + first * header.recordBytes, here * header.recordBytes);
    for (let at = 0; at < bytes.length; at += header.recordBytes) if (isDeleted(bytes, at)) deleted++;
  }
  return deleted;
}
