import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { UnavailableError, UncertainError, UserError } from '../base/index.ts';
import { type Position, START } from '../tree/index.ts';
import type { BlobInfo, BlobSource, ChangeLog, LogRecord, SnapshotInfo } from './change-log.ts';

/** What a copy is at. `total` may grow while the source does. */
export interface CopyProgress {
  readonly step: 'comparing' | 'files' | 'records' | 'snapshots' | 'verifying';
  readonly done: number;
  readonly total: number;
}

export interface CopyOptions {
  readonly onProgress?: (progress: CopyProgress) => void;
  readonly signal?: AbortSignal;
}

/** Both logs are the same from `trimmed` to `head`, were read for it, and hold the same snapshots and files. */
export interface CopyResult {
  readonly trimmed: Position;
  readonly head: Position;
  /** Of all records from `trimmed` to `head`, with their lengths: SHA-256 in hexadecimal. */
  readonly digest: string;
  /** What came in by this copy; the rest was there. */
  readonly copied: {
    readonly records: number;
    readonly snapshots: number;
    readonly blobs: number;
    readonly bytes: number;
  };
  /** Where the source ended afterwards: above `head` when somebody wrote to it meanwhile. */
  readonly sourceHead: Position;
}

/** A source that is written to is gone after so often, and no oftener. */
const ROUNDS_MAX = 10;
/** How long a log may be out of reach. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 200;

/**
 * Copies a log with all that it holds: records at their positions, snapshots and blobs. What is there already is compared, and the copy
 * goes on behind it; so one that broke off is begun again by the same call. Nobody else may write to the target.
 *
 * @throws UserError         409: the target is not the beginning of the source; nothing was changed in it
 * @throws UnavailableError  one of them cannot be reached any more, or somebody else writes to the target
 */
export function copyLog(source: ChangeLog, target: ChangeLog, options: CopyOptions = {}): Promise<CopyResult> {
  return new Copy(source, target, options).run();
}

class Copy {
  readonly #source: ChangeLog;
  readonly #target: ChangeLog;
  readonly #options: CopyOptions;
  readonly #copied = { records: 0, snapshots: 0, blobs: 0, bytes: 0 };

  constructor(source: ChangeLog, target: ChangeLog, options: CopyOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  async run(): Promise<CopyResult> {
    await this.#compareWhatIsThere();
    let sourceHead = await persist(() => this.#source.head());
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const head = sourceHead;
      // A blob is in the log before the record that names it.
      await this.#copyBlobs();
      await this.#begin();
      await this.#copyRecords(head);
      await this.#copySnapshots(head);
      sourceHead = await persist(() => this.#source.head());
      if (sourceHead === head) break;
    }
    const trimmed = await persist(() => this.#source.trimmed());
    if (trimmed > (await persist(() => this.#target.trimmed()))) await this.#target.trim(trimmed);
    const head = await persist(() => this.#target.head());
    const digest = await this.#compare(trimmed, head, 'verifying');
    await this.#compareBlobs();
    sourceHead = await persist(() => this.#source.head());
    return { trimmed, head, digest, copied: this.#copied, sourceHead };
  }

  async #compareWhatIsThere(): Promise<void> {
    const [ours, theirs] = await Promise.all([extentOf(this.#source), extentOf(this.#target)]);
    if (ours.head === START) throw refused('the log to be copied is empty');
    if (theirs.head === START) return;
    const where = `it holds the positions ${theirs.trimmed + 1} to ${theirs.head}`;
    if (theirs.head > ours.head)
      throw refused(`the target is ahead: ${where}, and the log to be copied ends at ${ours.head}`);
    if (theirs.trimmed > ours.trimmed)
      throw refused(`the target is no copy of this log: ${where}, and the other one begins at ${ours.trimmed + 1}`);
    if (theirs.head < ours.trimmed)
      throw refused(`the target ends too early: ${where}, and the log to be copied was trimmed up to ${ours.trimmed}`);
    await this.#compare(ours.trimmed, theirs.head, 'comparing');
  }

  /** Has an empty target begin where the source does. */
  async #begin(): Promise<void> {
    const [trimmed, { head }] = [await persist(() => this.#source.trimmed()), await extentOf(this.#target)];
    if (head > START || trimmed === START) return;
    const first = (await persist(() => this.#source.snapshots())).find(({ at }) => at === trimmed);
    if (first === undefined)
      throw new UnavailableError(
        'log-trimmed',
        `the log to be copied was trimmed meanwhile, up to ${trimmed}: begin again`,
      );
    await this.#copySnapshot(first);
    await this.#target.trim(trimmed);
  }

  async #copyRecords(upTo: Position): Promise<void> {
    let head = await persist(() => this.#target.head());
    for await (const batch of recordsOf(this.#source, head, upTo, this.#options.signal)) {
      for (const { position, body } of batch) this.#mustFit(`the record ${position}`, body.length, 'recordBytesMax');
      head = await this.#append(batch);
      this.#copied.records += batch.length;
      this.#progress('records', head, upTo);
    }
  }

  /** @returns the target's head afterwards */
  async #append(batch: readonly LogRecord[]): Promise<Position> {
    const [before, last] = [(batch[0]!.position - 1) as Position, batch.at(-1)!.position];
    const deadlineMs = performance.now() + PATIENCE_MS;
    for (let head = before; ; ) {
      // On top of each other: they go to the engine together.
      const results = await Promise.allSettled(
        batch.slice(head - before).map(({ position, body }) => this.#target.append((position - 1) as Position, body)),
      );
      this.#options.signal?.throwIfAborted();
      if (results.every((each) => each.status === 'fulfilled' && each.value.kind === 'appended')) return last;
      const failure = results.find((each) => each.status === 'rejected')?.reason as unknown;
      const mayPass = failure instanceof UncertainError || failure instanceof UnavailableError;
      if ((failure !== undefined && !mayPass) || performance.now() > deadlineMs) throw failure;
      head = await persist(() => this.#target.head());
      if (head < before || head > last || failure === undefined)
        throw new UnavailableError('log-in-use', `somebody else writes to the target: it ends at ${head}`);
      if (head === last) return last;
      await pause();
    }
  }

  async #copySnapshots(upTo: Position): Promise<void> {
    const list = (await persist(() => this.#source.snapshots())).filter(({ at }) => at <= upTo);
    for (const [index, snapshot] of list.entries()) {
      this.#progress('snapshots', index, list.length);
      await this.#copySnapshot(snapshot);
    }
  }

  async #copySnapshot({ at }: SnapshotInfo): Promise<void> {
    const wanted = await snapshotDigest(this.#source, at);
    // It was given up meanwhile.
    if (wanted === undefined || wanted === (await snapshotDigest(this.#target, at))) return;
    const found = await persist(() => this.#source.latestSnapshot(at));
    if (found?.at !== at) return found?.body.destroy() as undefined;
    await this.#target.putSnapshot(at, found.body);
    if ((await snapshotDigest(this.#target, at)) !== wanted) throw damaged(`the snapshot at ${at}`);
    this.#copied.snapshots++;
  }

  async #copyBlobs(): Promise<void> {
    const there = new Map((await blobsOf(this.#target)).map(({ hash, size }) => [hash, size]));
    const missing = (await blobsOf(this.#source)).filter(({ hash, size }) => there.get(hash) !== size);
    for (const [index, blob] of missing.entries()) {
      this.#options.signal?.throwIfAborted();
      this.#progress('files', index, missing.length);
      this.#mustFit(`the file ${blob.hash}`, blob.size, 'blobBytesMax');
      if (!(await persist(() => this.#source.hasBlob(blob.hash)))) continue;
      // The target compares the bytes with their hash; what came of a transfer that broke off is gone on with.
      await persist(() => this.#target.putBlob(blob.hash, this.#blob(blob)));
      this.#copied.blobs++;
      this.#copied.bytes += blob.size;
    }
  }

  #blob({ hash, size }: BlobInfo): BlobSource {
    const source = this.#source;
    async function* bytes(from: number) {
      const body = await source.getBlob(hash, from);
      if (body === undefined) throw new UnavailableError('blob-gone', `the log to be copied has lost the file ${hash}`);
      yield* body;
    }
    return { size, open: (from) => Readable.from(bytes(from), { objectMode: false }) };
  }

  async #compareBlobs(): Promise<void> {
    const there = new Map((await blobsOf(this.#target)).map(({ hash, size }) => [hash, size]));
    // One that has come since belongs to a record that has not been copied either.
    for (const { hash, size } of await blobsOf(this.#source))
      if (there.has(hash) && there.get(hash) !== size) throw damaged(`the file ${hash}`);
  }

  /** Compares all records after a position. @returns their digest @throws UserError  409: they differ */
  async #compare(after: Position, upTo: Position, step: CopyProgress['step']): Promise<string> {
    const digest = createHash('sha256');
    const others = each(recordsOf(this.#target, after, upTo, this.#options.signal));
    for await (const { position, body } of each(recordsOf(this.#source, after, upTo, this.#options.signal))) {
      const other = await others.next();
      if (other.done || Buffer.compare(other.value.body, body) !== 0)
        throw refused(`the target is no copy of this log: at position ${position} it has another record`);
      digest.update(`${position} ${body.length}\n`).update(body);
      if (position % 500 === 0 || position === upTo) this.#progress(step, position, upTo);
    }
    await others.return(undefined);
    return digest.digest('hex');
  }

  #mustFit(what: string, bytes: number, limit: 'recordBytesMax' | 'blobBytesMax'): void {
    const most = this.#target.promises[limit];
    if (bytes > most)
      throw new UserError(
        413,
        'too-long',
        `${what} has ${bytes} bytes, and the target takes ${most}; choose another engine`,
      );
  }

  #progress(step: CopyProgress['step'], done: number, total: number): void {
    this.#options.onProgress?.({ step, done, total });
  }
}

async function extentOf(log: ChangeLog): Promise<{ readonly trimmed: Position; readonly head: Position }> {
  return { trimmed: await persist(() => log.trimmed()), head: await persist(() => log.head()) };
}

/** The records after a position, up to another. */
async function* recordsOf(
  log: ChangeLog,
  after: Position,
  upTo: Position,
  given: AbortSignal | undefined,
): AsyncGenerator<readonly LogRecord[]> {
  if (after >= upTo) return;
  const enough = new AbortController();
  const signal = given === undefined ? enough.signal : AbortSignal.any([given, enough.signal]);
  try {
    for await (const batch of log.read(after, signal)) {
      yield batch.filter(({ position }) => position <= upTo);
      if (batch.at(-1)!.position >= upTo) return;
    }
    given?.throwIfAborted();
  } finally {
    enough.abort();
  }
}

async function* each(batches: AsyncIterable<readonly LogRecord[]>): AsyncGenerator<LogRecord, undefined> {
  for await (const batch of batches) yield* batch;
}

async function snapshotDigest(log: ChangeLog, at: Position): Promise<string | undefined> {
  return persist(async () => {
    const found = await log.latestSnapshot(at);
    if (found?.at !== at) {
      found?.body.destroy();
      return undefined;
    }
    const digest = createHash('sha256');
    for await (const chunk of found.body) digest.update(chunk as Uint8Array);
    return digest.digest('hex');
  });
}

async function blobsOf(log: ChangeLog): Promise<readonly BlobInfo[]> {
  return persist(async () => {
    const all: BlobInfo[] = [];
    for await (const batch of log.blobs()) all.push(...batch);
    return all;
  });
}

/** Tries for a while what a log that is out of reach refuses. */
async function persist<T>(call: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof UnavailableError) || performance.now() > deadlineMs) throw error;
    }
    await pause();
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

function refused(text: string): UserError {
  return new UserError(409, 'not-a-prefix', `${text}. Copy into an empty log, or into an earlier copy of this one`);
}

function damaged(what: string): UnavailableError {
  return new UnavailableError('copy-differs', `${what} did not arrive as it was sent: run the copy again`);
}
