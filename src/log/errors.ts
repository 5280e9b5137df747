import { UnavailableError } from '../base/index.ts';
import type { ContentHash } from '../tree/index.ts';

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

/** The bytes are not those that the hash names. Nothing was stored. */
export class BlobMismatchError extends Error {
  readonly expected: ContentHash;
  readonly actual: ContentHash;

  constructor(expected: ContentHash, actual: ContentHash) {
    super(`the blob was announced as ${expected}, and its bytes have the hash ${actual}`);
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

/** @throws RangeError  records would be lost that no snapshot holds */
export function checkTrim(upTo: number, snapshot: number | undefined): void {
  if (upTo > (snapshot ?? 0))
    throw new RangeError(
      `cannot trim up to ${upTo}: the latest snapshot is ${snapshot === undefined ? 'missing' : `at ${snapshot}`}`,
    );
}
