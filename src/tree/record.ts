import { isUtf8 } from 'node:buffer';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { messageOf } from '../base/index.ts';
import { asContentHash } from './digest.ts';
import { NewerFormatError } from './newer-format.ts';
import { treePath } from './path.ts';
import type { Change, Content, ContentHash, Digest, FileOperation } from './types.ts';

/*
 * A record is JSON in UTF-8, from `COMPRESSED_FROM_BYTES` on packed with zstd; which of the two is seen from the first byte.
 *
 *   {"format":1,"kind":"changes","digest":"...","changes":[{"id":"...","at":"...","by":"...","node":"...","why":"...","operations":[
 *     {"put":"styles/a.sld","text":"..."}, {"put":"styles/a.png","base64":"..."}, {"put":"data/a.tif","blob":"sha256","size":1},
 *     {"delete":"styles/b.sld"}, {"move":"workspaces/a","to":"workspaces/b"}]}]}
 */

/** History of the format: 1, the first. */
export const RECORD_FORMAT = 1;

const COMPRESSED_FROM_BYTES = 4096;
/** Largest record, unpacked, that is read. */
const UNPACKED_BYTES_MAX = 512 * 1024 * 1024;

/** One entry of the log, in words. */
export type TreeRecord =
  | {
      readonly format: 1;
      /** The first record of a log: what it starts from. */
      readonly kind: 'genesis';
      readonly logId: string;
      /** The first snapshot, as a blob of the log. */
      readonly snapshot: { readonly hash: ContentHash; readonly size: number };
      readonly digest: Digest;
      /** ISO 8601. */
      readonly at: string;
      /** Name of the node that made it. */
      readonly node: string;
    }
  | {
      readonly format: 1;
      readonly kind: 'changes';
      readonly changes: readonly Change[];
      /** Digest of the tree after the record. */
      readonly digest: Digest;
    };

/** The bytes are no record. */
export class CorruptRecordError extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`the record cannot be read: ${reason}`, options);
    this.name = 'CorruptRecordError';
  }
}

export function encodeRecord(record: TreeRecord): Uint8Array {
  const { format, kind } = record;
  const json =
    record.kind === 'genesis'
      ? record
      : {
          format,
          kind,
          digest: record.digest,
          changes: record.changes.map((change) => ({ ...change, operations: change.operations.map(packOperation) })),
        };
  const bytes = Buffer.from(JSON.stringify(json));
  return bytes.length < COMPRESSED_FROM_BYTES ? bytes : zstdCompressSync(bytes);
}

/**
 * @throws NewerFormatError    written by a newer version
 * @throws CorruptRecordError  not a record, or one with a path that no tree can hold
 */
export function decodeRecord(bytes: Uint8Array): TreeRecord {
  let json: PackedRecord;
  try {
    const unpacked =
      bytes[0] === 0x28
        ? zstdDecompressSync(bytes, { maxOutputLength: UNPACKED_BYTES_MAX, chunkSize: chunkFor(bytes) })
        : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    json = JSON.parse(unpacked.toString('utf8')) as PackedRecord;
  } catch (error) {
    throw new CorruptRecordError(messageOf(error), { cause: error });
  }
  if (typeof json?.format !== 'number') throw new CorruptRecordError('it names no format');
  if (json.format > RECORD_FORMAT) throw new NewerFormatError('record', `format ${json.format}`);
  try {
    switch (json.kind) {
      case 'genesis': {
        const { logId, snapshot, digest, at, node } = json;
        return {
          format: 1,
          kind: 'genesis',
          logId,
          snapshot: { hash: asContentHash(snapshot.hash), size: snapshot.size },
          digest,
          at,
          node,
        };
      }
      case 'changes':
        return {
          format: 1,
          kind: 'changes',
          changes: json.changes.map((change) => ({ ...change, operations: change.operations.map(unpackOperation) })),
          digest: json.digest,
        };
      default:
        throw new TypeError(`unknown kind ${JSON.stringify((json as { kind?: unknown }).kind)}`);
    }
  } catch (error) {
    throw new CorruptRecordError(messageOf(error), { cause: error });
  }
}

/** Unpacked in one piece, mostly: configuration packs to a tenth. */
function chunkFor(packed: Uint8Array): number {
  return Math.min(Math.max(16 * packed.length, 64 * 1024), 4 * 1024 * 1024);
}

type PackedRecord =
  | {
      format: number;
      kind: 'genesis';
      logId: string;
      snapshot: { hash: string; size: number };
      digest: Digest;
      at: string;
      node: string;
    }
  | {
      format: number;
      kind: 'changes';
      digest: Digest;
      changes: (Omit<Change, 'operations'> & { operations: PackedOperation[] })[];
    };

type PackedOperation =
  | { put: string; text: string }
  | { put: string; base64: string }
  | { put: string; blob: string; size: number }
  | { delete: string }
  | { move: string; to: string };

function packOperation(operation: FileOperation): PackedOperation {
  switch (operation.kind) {
    case 'put':
      return { put: operation.path, ...packContent(operation.content) };
    case 'delete':
      return { delete: operation.path };
    case 'move':
      return { move: operation.from, to: operation.to };
  }
}

function packContent(content: Content): { text: string } | { base64: string } | { blob: string; size: number } {
  if (content.kind === 'blob') return { blob: content.hash, size: content.size };
  const bytes = Buffer.from(content.bytes.buffer, content.bytes.byteOffset, content.bytes.length);
  return isUtf8(bytes) ? { text: bytes.toString('utf8') } : { base64: bytes.toString('base64') };
}

function unpackOperation(packed: PackedOperation): FileOperation {
  if ('put' in packed) return { kind: 'put', path: treePath(packed.put), content: unpackContent(packed) };
  if ('delete' in packed) return { kind: 'delete', path: treePath(packed.delete) };
  if ('move' in packed) return { kind: 'move', from: treePath(packed.move), to: treePath(packed.to) };
  throw new TypeError(`unknown operation ${JSON.stringify(packed)}`);
}

function unpackContent(packed: Extract<PackedOperation, { put: string }>): Content {
  if ('blob' in packed) return { kind: 'blob', hash: asContentHash(packed.blob), size: packed.size };
  if ('base64' in packed) return { kind: 'inline', bytes: Buffer.from(packed.base64, 'base64') };
  if (typeof packed.text === 'string') return { kind: 'inline', bytes: Buffer.from(packed.text, 'utf8') };
  throw new TypeError(`the contents of ${packed.put} are missing`);
}
