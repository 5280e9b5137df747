import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import { VERSION } from '../base/index.ts';
import type { CatalogObject } from './objects.ts';
import { intern, NOTHING } from './strings.ts';

/*
 * The objects of a catalog as bytes, so that a start need not parse their files again. A line of JSON that says what wrote
 * them, then chunks: u32 length, u32 CRC-32 (little-endian), and V8's serialization of a `Chunk`. Each object says by path and
 * hash what it was read from; whoever takes it compares both. What is damaged is passed over, and what another version wrote.
 */

/** Of what is below and of the readers in `codec/`; a test notices when they change. History: 1, the first. */
export const PACK_FORMAT = 1;

/** What must be the same for packed objects to be of use. */
const HEADER = `${JSON.stringify({ catalog: PACK_FORMAT, graticule: VERSION, v8: process.versions.v8 })}\n`;

/** Objects packed or unpacked at a time: some milliseconds. */
const CHUNK_OBJECTS = 500;
const CHUNK_HEAD_BYTES = 8;

/** Objects as rows of values: names of properties, and texts that many share, are there once. */
interface Chunk {
  readonly shapes: readonly (readonly string[])[];
  readonly texts: readonly string[];
  /** Index of the shape, then the values. */
  readonly rows: readonly (readonly unknown[])[];
}

/** Properties whose text is that of many other objects; in a row, an index of `texts`. */
const SHARED: ReadonlySet<string> = new Set([
  'kind',
  'srs',
  'nativeCrs',
  'namespaceId',
  'storeId',
  'workspaceId',
  'defaultStyleId',
  'projectionPolicy',
  'type',
  'mode',
  'format',
  'languageVersion',
]);

/** In the place of a `nativeName` that is the object's name. */
const AS_NAME = -1;

/** Pieces of a packed catalog, in order; between two of them others may have their turn. */
export function* packObjects(objects: Iterable<CatalogObject>): Generator<Uint8Array> {
  yield Buffer.from(HEADER);
  let chunk: CatalogObject[] = [];
  for (const object of objects) {
    chunk.push(object);
    if (chunk.length < CHUNK_OBJECTS) continue;
    yield packChunk(chunk);
    chunk = [];
  }
  if (chunk.length > 0) yield packChunk(chunk);
}

function packChunk(objects: readonly CatalogObject[]): Uint8Array {
  const shapes = new Map<string, number>();
  const texts = new Map<string, number>();
  const rows = objects.map((object) => {
    const keys = Object.keys(object);
    const row: unknown[] = [indexIn(shapes, keys.join())];
    for (const [key, value] of Object.entries(object)) {
      if (SHARED.has(key) && typeof value === 'string') row.push(indexIn(texts, value));
      else if (key === 'nativeName' && 'name' in object && value === object.name) row.push(AS_NAME);
      else row.push(value);
    }
    return row;
  });
  const chunk: Chunk = { shapes: [...shapes.keys()].map((keys) => keys.split(',')), texts: [...texts.keys()], rows };
  const body = serialize(chunk);
  const head = Buffer.alloc(CHUNK_HEAD_BYTES);
  head.writeUInt32LE(body.length, 0);
  head.writeUInt32LE(crc32(body), 4);
  return Buffer.concat([head, body]);
}

function indexIn(table: Map<string, number>, text: string): number {
  let index = table.get(text);
  if (index === undefined) {
    index = table.size;
    table.set(text, index);
  }
  return index;
}

/** Objects by the path that they were read from; between two portions others may have their turn. */
export function* unpackObjects(bytes: Uint8Array): Generator<readonly CatalogObject[]> {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (all.toString('utf8', 0, HEADER.length) !== HEADER) return;
  for (let at = HEADER.length; at + CHUNK_HEAD_BYTES <= all.length; ) {
    const from = at + CHUNK_HEAD_BYTES;
    const body = all.subarray(from, from + all.readUInt32LE(at));
    if (body.length !== all.readUInt32LE(at) || crc32(body) !== all.readUInt32LE(at + 4)) return;
    yield unpackChunk(deserialize(body) as Chunk);
    at = from + body.length;
  }
}

function unpackChunk({ shapes, texts, rows }: Chunk): readonly CatalogObject[] {
  const known = texts.map(intern);
  // A copy of an object that has all properties is smaller, and faster to read, than one that got them one by one.
  const empty = shapes.map((keys) => Object.fromEntries(keys.map((key) => [key, undefined])));
  return rows.map((row) => {
    const shape = row[0] as number;
    const object: Record<string, unknown> = { ...empty[shape] };
    for (const [n, key] of shapes[shape]!.entries()) {
      const value = row[n + 1];
      if (typeof value === 'number' && SHARED.has(key)) object[key] = known[value];
      else if (value === AS_NAME && key === 'nativeName') object[key] = object.name;
      else object[key] = Array.isArray(value) && value.length === 0 ? NOTHING : value;
    }
    return object as unknown as CatalogObject;
  });
}
