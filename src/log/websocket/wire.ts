import { messageOf, UnavailableError, UncertainError } from '../../base/index.ts';
import type { ContentHash, Position } from '../../tree/index.ts';
import { type LogRecord, TrimmedError } from '../change-log.ts';
import { BlobMismatchError, LogClosedError } from '../errors.ts';

/*
 * The protocol between a served log and its clients, over WebSocket. A connection begins with a handshake in text messages
 * (see handshake.ts), which also says what it is for:
 *
 * - `calls`: binary messages, each a kind (1 byte), the number of a call (4 bytes) and what the kind says; numbers big-endian,
 *   positions as doubles. Any number of calls may be under way; `read` and `peers` are answered until they are cancelled.
 *   Records come as long as the reader has credit, so that a slow reader holds up neither the server nor other calls.
 * - `transfer`: one snapshot or blob, so that a long one holds up nobody; see transfer.ts.
 */

/** Version of the protocol; both sides must have the same. History: 1, the first; 2, groups, and transfers that resume. */
export const PROTOCOL = 2;
/** Where a log is served, unless its URL says otherwise. */
export const DEFAULT_PATH = '/geoserver/cluster/log';
/** Bytes of records that may be on their way to one reader. */
export const READ_WINDOW_BYTES = 4 * 1024 * 1024;
/** A reader gives credit back once it has taken in so much; well below the window, so that it never holds up the sender. */
export const CREDIT_BYTES = READ_WINDOW_BYTES / 8;
/** What a message may be longer than the record in it. */
export const MESSAGE_OVERHEAD_BYTES = 64 * 1024;

export type Request =
  | { readonly kind: 'append'; readonly id: number; readonly after: Position; readonly body: Uint8Array }
  | { readonly kind: 'head' | 'trimmed' | 'snapshots' | 'peers' | 'cancel'; readonly id: number }
  | { readonly kind: 'trim' | 'read'; readonly id: number; readonly position: Position }
  | { readonly kind: 'has-blob'; readonly id: number; readonly hash: ContentHash }
  | { readonly kind: 'announce'; readonly id: number; readonly json: unknown }
  /** So many more bytes may be sent to the reader of this number. */
  | { readonly kind: 'credit'; readonly id: number; readonly bytes: number };

export type Reply =
  | { readonly kind: 'appended' | 'head-moved' | 'position'; readonly id: number; readonly position: Position }
  | { readonly kind: 'done' | 'yes' | 'no'; readonly id: number }
  | { readonly kind: 'records'; readonly id: number; readonly records: readonly LogRecord[] }
  | { readonly kind: 'nodes' | 'list' | 'failed'; readonly id: number; readonly json: unknown };

type Message = Request | Reply;

/** The number of a kind is its place; new ones go to the end. */
const KINDS: readonly Message['kind'][] = [
  'append',
  'head',
  'trimmed',
  'trim',
  'has-blob',
  'announce',
  'read',
  'peers',
  'cancel',
  'credit',
  'appended',
  'head-moved',
  'position',
  'done',
  'yes',
  'no',
  'records',
  'nodes',
  'failed',
  'snapshots',
  'list',
];
const NUMBER_OF = new Map(KINDS.map((kind, i) => [kind, i]));

export function encode(message: Message): Buffer {
  switch (message.kind) {
    case 'append': {
      const buffer = Buffer.allocUnsafe(13 + message.body.length);
      buffer.writeDoubleBE(message.after, 5);
      buffer.set(message.body, 13);
      return withHead(buffer, message);
    }
    case 'trim':
    case 'read':
    case 'appended':
    case 'head-moved':
    case 'position': {
      const buffer = Buffer.allocUnsafe(13);
      buffer.writeDoubleBE(message.position, 5);
      return withHead(buffer, message);
    }
    case 'credit': {
      const buffer = Buffer.allocUnsafe(9);
      buffer.writeUInt32BE(message.bytes, 5);
      return withHead(buffer, message);
    }
    case 'has-blob':
      return withHead(Buffer.from(`.....${message.hash}`, 'latin1'), message);
    case 'announce':
    case 'nodes':
    case 'list':
    case 'failed':
      return withHead(Buffer.from(`.....${JSON.stringify(message.json)}`), message);
    case 'records':
      return encodeRecords(message);
    default:
      return withHead(Buffer.allocUnsafe(5), message);
  }
}

/** @throws RangeError  not a message of this protocol */
export function decode(buffer: Buffer): Message {
  const kind = KINDS[buffer[0] ?? 255];
  if (kind === undefined) throw new RangeError(`unknown kind of message: ${buffer[0]}`);
  const id = buffer.readUInt32BE(1);
  switch (kind) {
    case 'append':
      return { kind, id, after: positionAt(buffer, 5), body: buffer.subarray(13) };
    case 'trim':
    case 'read':
    case 'appended':
    case 'head-moved':
    case 'position':
      return { kind, id, position: positionAt(buffer, 5) };
    case 'credit':
      return { kind, id, bytes: buffer.readUInt32BE(5) };
    case 'has-blob':
      return { kind, id, hash: buffer.toString('latin1', 5) as ContentHash };
    case 'announce':
    case 'nodes':
    case 'list':
    case 'failed':
      return { kind, id, json: JSON.parse(buffer.toString('utf8', 5)) };
    case 'records':
      return { kind, id, records: decodeRecords(buffer) };
    default:
      return { kind, id };
  }
}

/** What a batch of records counts against a reader's credit. */
export function bytesOf(records: readonly LogRecord[]): number {
  let bytes = 0;
  for (const { body } of records) bytes += 4 + body.length;
  return bytes;
}

function withHead(buffer: Buffer, { kind, id }: Message): Buffer {
  buffer[0] = NUMBER_OF.get(kind)!;
  buffer.writeUInt32BE(id, 1);
  return buffer;
}

function encodeRecords(message: Extract<Message, { kind: 'records' }>): Buffer {
  const { records } = message;
  const buffer = Buffer.allocUnsafe(13 + bytesOf(records));
  buffer.writeDoubleBE(records[0]!.position, 5);
  let at = 13;
  for (const { body } of records) {
    at = buffer.writeUInt32BE(body.length, at);
    buffer.set(body, at);
    at += body.length;
  }
  return withHead(buffer, message);
}

function decodeRecords(buffer: Buffer): LogRecord[] {
  const records: LogRecord[] = [];
  let position = positionAt(buffer, 5);
  for (let at = 13; at < buffer.length; ) {
    const length = buffer.readUInt32BE(at);
    at += 4;
    if (at + length > buffer.length) throw new RangeError('a record is cut off');
    records.push({ position, body: buffer.subarray(at, at + length) });
    position = (position + 1) as Position;
    at += length;
  }
  return records;
}

function positionAt(buffer: Buffer, offset: number): Position {
  const position = buffer.readDoubleBE(offset);
  if (!Number.isSafeInteger(position) || position < 0) throw new RangeError(`not a position: ${position}`);
  return position as Position;
}

/** An error as it travels. */
export interface PackedError {
  readonly error: 'uncertain' | 'unavailable' | 'closed' | 'trimmed' | 'range' | 'blob-mismatch' | 'other';
  readonly message: string;
  readonly code?: string;
  readonly trimmed?: Position;
  readonly expected?: ContentHash;
  readonly actual?: ContentHash;
}

export function packError(error: unknown): PackedError {
  const message = messageOf(error);
  if (error instanceof UncertainError) return { error: 'uncertain', message };
  if (error instanceof LogClosedError) return { error: 'closed', message };
  if (error instanceof UnavailableError) return { error: 'unavailable', message, code: error.code };
  if (error instanceof TrimmedError) return { error: 'trimmed', message, trimmed: error.trimmed };
  if (error instanceof RangeError) return { error: 'range', message };
  if (error instanceof BlobMismatchError)
    return { error: 'blob-mismatch', message, expected: error.expected, actual: error.actual };
  return { error: 'other', message };
}

export function unpackError(packed: PackedError): Error {
  switch (packed.error) {
    case 'uncertain':
      return new UncertainError(packed.message);
    case 'closed':
      return new UnavailableError('log-unreachable', 'the server of the log is shutting down');
    case 'unavailable':
      return new UnavailableError(packed.code ?? 'log-failed', packed.message);
    case 'trimmed':
      return new TrimmedError(packed.trimmed!);
    case 'range':
      return new RangeError(packed.message);
    case 'blob-mismatch':
      return new BlobMismatchError(packed.expected!, packed.actual!, packed.message);
    default:
      return new UnavailableError('log-failed', `the server of the log failed: ${packed.message}`);
  }
}
