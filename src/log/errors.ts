import { UnavailableError } from '../base/index.ts';
import { type ContentHash, type Position, START } from '../tree/index.ts';

/** The log was closed by its owner. */
export class LogClosedError extends UnavailableError {
  constructor() {
    super('log-closed', 'the log has been closed');
    this.name = 'LogClosedError';
  }
}

/** The log answers, and will not have us: trying again helps only once somebody has changed the configuration. */
export class LogRefusedError extends UnavailableError {
  constructor(message: string, options?: ErrorOptions) {
    super('log-refused', message, options);
    this.name = 'LogRefusedError';
  }
}

/** Another process has the log open. */
export class LogInUseError extends UnavailableError {
  /** Where the log is. */
  readonly folder: string;

  constructor(folder: string, options?: ErrorOptions) {
    super(
      'log-in-use',
      `the log in ${folder} is in use by another process; stop that one, or give this node a folder of its own`,
      options,
    );
    this.name = 'LogInUseError';
    this.folder = folder;
  }
}

/** Whether this may pass by itself: the log could not be reached, or the connection to it was lost. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof UnavailableError && error.code === 'log-unreachable';
}

/** The bytes are not those that the hash names. Nothing was stored. */
export class BlobMismatchError extends Error {
  readonly expected: ContentHash;
  readonly actual: ContentHash;

  constructor(
    expected: ContentHash,
    actual: ContentHash,
    message = `the blob was announced as ${expected}, and its bytes have the hash ${actual}`,
  ) {
    super(message);
    this.name = 'BlobMismatchError';
    this.expected = expected;
    this.actual = actual;
  }
}

/** @throws RangeError  the record is longer than the log takes */
export function checkRecordBytes(body: Uint8Array, recordBytesMax: number): void {
  if (body.length > recordBytesMax)
    throw new RangeError(
      `a record of ${body.length} bytes is longer than the ${recordBytesMax} bytes that the log takes`,
    );
}

/** More bytes, or fewer, than were announced. */
export function sizeMismatch(expected: ContentHash, actual: ContentHash, size: number): BlobMismatchError {
  return new BlobMismatchError(
    expected,
    actual,
    `the blob ${expected} was announced with ${size} bytes, and has not as many`,
  );
}

/** @throws RangeError  the blob is larger than the log takes, or of no size at all */
export function checkBlobBytes(hash: ContentHash, size: number, blobBytesMax: number): void {
  if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`the blob ${hash} is said to have ${size} bytes`);
  if (size > blobBytesMax)
    throw new RangeError(`the blob ${hash} has ${size} bytes, more than the ${blobBytesMax} that the log takes`);
}

/** @throws RangeError  there is no such byte */
export function checkBlobFrom(hash: ContentHash, from: number, size: number): void {
  if (!Number.isSafeInteger(from) || from < 0 || from > size)
    throw new RangeError(`the blob ${hash} has ${size} bytes and cannot be read from byte ${from}`);
}

/**
 * Up to where a log is trimmed that was asked to trim up to `upTo`: to the newest snapshot that is not above it.
 * @param snapshots  positions, ascending
 * @throws RangeError  `upTo` lies above them all
 */
export function trimTarget(upTo: Position, snapshots: readonly Position[]): Position {
  const latest = snapshots.at(-1);
  if (upTo > (latest ?? START))
    throw new RangeError(
      `cannot trim up to ${upTo}: the latest snapshot is ${latest === undefined ? 'missing' : `at ${latest}`}`,
    );
  return snapshots.findLast((at) => at <= upTo) ?? START;
}
