import { createHash, type Hash } from 'node:crypto';
import { copyFile, type FileHandle, mkdir, open, readdir, rename, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { type Clock, UnavailableError } from '../../base/index.ts';
import type { ContentHash } from '../../tree/index.ts';
import type { BlobInfo, BlobSource } from '../change-log.ts';
import { BlobMismatchError, checkBlobFrom, LogClosedError, sizeMismatch } from '../errors.ts';
import { openToRead, orMissing, publish, remove, writeBody } from './files.ts';

/** An upload on which nothing has moved for so long gives way to another one of the same blob. */
const STALLED_MS = 2000;
/** An upload that nobody continues for so long is forgotten. */
const PARTIAL_KEPT_MS = 24 * 3600 * 1000;
const LIST_BATCH = 1000;
const HASH = /^[0-9a-f]{64}$/;

/**
 * Blobs as files that are named by their hash, their time of change being when they were stored. A blob is there as a whole,
 * and durable, or not at all; what came of one whose upload broke off waits in `incoming` to be continued.
 */
export class BlobFiles {
  readonly #folder: string;
  readonly #incoming: string;
  readonly #term: number | undefined;
  readonly #damaged: string;
  readonly #clock: Clock;
  readonly #uploads = new Map<ContentHash, Upload>();
  /** The hash of what has come so far, so that it need not be read again; it is, after a restart. */
  readonly #digests = new Map<ContentHash, { readonly size: number; readonly digest: Hash }>();
  readonly #turns = new Map<ContentHash, Promise<unknown>>();

  /**
   * @param folder  of the log
   * @param term  where others may still write what they have begun before: number of the time since when the log is ours
   */
  constructor(folder: string, clock: Clock, term?: number) {
    this.#folder = path.join(folder, 'blobs');
    this.#incoming = path.join(folder, 'incoming', ...(term === undefined ? [] : [String(term)]));
    this.#term = term;
    this.#damaged = path.join(folder, 'damaged');
    this.#clock = clock;
  }

  /** @throws BlobMismatchError */
  async put(hash: ContentHash, source: BlobSource): Promise<void> {
    while (!(await this.#touch(hash))) {
      const other = this.#uploads.get(hash);
      if (other === undefined) return this.#upload(hash, source);
      await this.#giveWay(other);
    }
  }

  async has(hash: ContentHash): Promise<boolean> {
    return (await orMissing(stat(this.#file(hash)))) !== undefined;
  }

  /** @throws RangeError */
  async get(hash: ContentHash, from: number): Promise<Readable | undefined> {
    const file = await openToRead(this.#file(hash));
    if (file === undefined) return undefined;
    try {
      checkBlobFrom(hash, from, (await file.stat()).size);
    } catch (error) {
      await file.close();
      throw error;
    }
    const stream = file.createReadStream({ start: from, highWaterMark: 256 * 1024 });
    if (from > 0) return stream;
    const body = Readable.from(this.#verified(hash, stream), { objectMode: false });
    // Also of a body that nobody has begun to read.
    return body.once('close', () => stream.destroy());
  }

  /**
   * The disk may have damaged it. Then it is moved away, so that it is taken when it is put again.
   * @throws UnavailableError
   */
  async *#verified(hash: ContentHash, stream: Readable): AsyncGenerator<Uint8Array> {
    const digest = createHash('sha256');
    for await (const piece of stream as AsyncIterable<Buffer>) {
      digest.update(piece);
      yield piece;
    }
    if (digest.digest('hex') === hash) return;
    await this.#inTurn(hash, async () => {
      await mkdir(this.#damaged, { recursive: true });
      await orMissing(rename(this.#file(hash), path.join(this.#damaged, hash)));
    });
    throw new UnavailableError(
      'blob-damaged',
      `the blob ${hash} has been damaged on the disk of the log, and was moved to ${this.#damaged}; it is right again once the same bytes are put again`,
    );
  }

  async *list(): AsyncIterableIterator<readonly BlobInfo[]> {
    let batch: BlobInfo[] = [];
    for (const folder of (await orMissing(readdir(this.#folder))) ?? [])
      for (const name of (await orMissing(readdir(path.join(this.#folder, folder)))) ?? []) {
        const found = HASH.test(name) ? await orMissing(stat(this.#file(name as ContentHash))) : undefined;
        if (found === undefined) continue;
        batch.push({ hash: name as ContentHash, size: found.size, storedAt: found.mtime.toISOString() });
        if (batch.length < LIST_BATCH) continue;
        yield batch;
        batch = [];
      }
    if (batch.length > 0) yield batch;
  }

  /** @param check  asked before each; it may throw */
  async remove(
    hashes: readonly ContentHash[],
    storedBefore: string,
    check: () => Promise<void> | undefined = () => undefined,
  ): Promise<void> {
    const beforeMs = Date.parse(storedBefore);
    for (const hash of hashes)
      await this.#inTurn(hash, async () => {
        await check();
        const found = await orMissing(stat(this.#file(hash)));
        if (found !== undefined && found.mtimeMs < beforeMs) await remove(this.#file(hash));
      });
  }

  /** Removes what came of uploads that nobody has continued for long. */
  async clean(): Promise<void> {
    const beforeMs = this.#clock.now() - PARTIAL_KEPT_MS;
    for (const folder of await this.#formerIncoming())
      if (((await orMissing(stat(folder)))?.mtimeMs ?? 0) < beforeMs) await remove(folder);
    for (const name of (await orMissing(readdir(this.#incoming))) ?? []) {
      const hash = name as ContentHash;
      if (this.#uploads.has(hash)) continue;
      const file = path.join(this.#incoming, name);
      const found = await orMissing(stat(file));
      if (!found || (HASH.test(name) && found.mtimeMs >= beforeMs) || this.#uploads.has(hash)) continue;
      this.#digests.delete(hash);
      await remove(file);
    }
  }

  /** Ends the uploads under way; they can be continued. */
  async close(): Promise<void> {
    const uploads = [...this.#uploads.values()];
    for (const upload of uploads) upload.stop.abort(new LogClosedError());
    await Promise.allSettled(uploads.map(({ done }) => done));
  }

  /** @returns whether it is there; then it counts as stored now */
  #touch(hash: ContentHash): Promise<boolean> {
    const now = this.#clock.now() / 1000;
    return this.#inTurn(hash, async () => {
      const file = this.#file(hash);
      if ((await orMissing(stat(file))) === undefined) return false;
      await utimes(file, now, now);
      return true;
    });
  }

  #upload(hash: ContentHash, source: BlobSource): Promise<void> {
    const stop = new AbortController();
    const upload: Upload = { movedMs: this.#clock.monotonicMs(), stop, done: Promise.resolve() };
    this.#uploads.set(hash, upload);
    const done = this.#complete(hash, source, upload).finally(() => this.#uploads.delete(hash));
    upload.done = done.catch(() => {});
    return done;
  }

  /** Waits for another upload of the same blob, or ends it when nothing moves. */
  async #giveWay(other: Upload): Promise<void> {
    const enough = new AbortController();
    await Promise.race([other.done, this.#clock.sleep(STALLED_MS, enough.signal).catch(() => {})]);
    enough.abort();
    if (this.#clock.monotonicMs() - other.movedMs < STALLED_MS) return;
    other.stop.abort(new UnavailableError('log-unreachable', 'nothing came any more, and another upload goes on'));
    await other.done;
  }

  async #complete(hash: ContentHash, source: BlobSource, upload: Upload): Promise<void> {
    await mkdir(this.#incoming, { recursive: true });
    const incoming = path.join(this.#incoming, hash);
    await this.#inherit(hash, incoming);
    for (;;) {
      const { from, size, actual } = await this.#receive(hash, source, upload);
      if (size === source.size && actual === hash) break;
      await remove(incoming);
      this.#digests.delete(hash);
      // What came before may have been somebody's mistake, or lost in a crash.
      if (from > 0) continue;
      throw size === source.size ? new BlobMismatchError(hash, actual) : sizeMismatch(hash, actual, source.size);
    }
    this.#digests.delete(hash);
    await this.#inTurn(hash, async () => {
      const now = this.#clock.now() / 1000;
      await utimes(incoming, now, now);
      await publish(incoming, this.#file(hash));
    });
  }

  /** Goes on with what has come in an earlier term: with a copy, for somebody may still be writing there. */
  async #inherit(hash: ContentHash, incoming: string): Promise<void> {
    if (this.#term === undefined || (await orMissing(stat(incoming))) !== undefined) return;
    for (const folder of (await this.#formerIncoming()).reverse()) {
      const found = await orMissing(copyFile(path.join(folder, hash), incoming).then(() => true));
      if (found) return;
    }
  }

  /** The folders of uploads of the terms before, oldest first. */
  async #formerIncoming(): Promise<string[]> {
    const term = this.#term;
    if (term === undefined) return [];
    const all = path.dirname(this.#incoming);
    const terms = ((await orMissing(readdir(all))) ?? []).map(Number).filter((each) => each < term);
    return terms.sort((a, b) => a - b).map((each) => path.join(all, String(each)));
  }

  /** Receives what is missing. @returns where it began; how much there is, at most one piece too much; and its hash */
  async #receive(
    hash: ContentHash,
    source: BlobSource,
    upload: Upload,
  ): Promise<{ from: number; size: number; actual: ContentHash }> {
    const incoming = path.join(this.#incoming, hash);
    const file = await open(incoming, 'a+');
    try {
      const begun = await this.#begun(hash, file, source.size, upload);
      const { digest, size: from } = begun;
      let size = from;
      try {
        const each = (piece: Uint8Array) => {
          upload.movedMs = this.#clock.monotonicMs();
          digest.update(piece);
          size += piece.length;
          if (size > source.size) throw new SurplusError();
        };
        await writeBody(file, source.open(from), each, upload.stop.signal);
      } catch (error) {
        this.#digests.set(hash, { size, digest });
        if (!(error instanceof SurplusError)) throw error;
      }
      return { from, size, actual: digest.digest('hex') as ContentHash };
    } finally {
      await file.close();
    }
  }

  /** What is there already, and its hash so far. */
  async #begun(
    hash: ContentHash,
    file: FileHandle,
    most: number,
    upload: Upload,
  ): Promise<{ size: number; digest: Hash }> {
    const known = this.#digests.get(hash);
    this.#digests.delete(hash);
    const { size } = await file.stat();
    if (size > most) {
      await file.truncate(0);
      return { size: 0, digest: createHash('sha256') };
    }
    if (known?.size === size) return known;
    const digest = createHash('sha256');
    for await (const chunk of file.createReadStream({ start: 0, autoClose: false })) {
      upload.movedMs = this.#clock.monotonicMs();
      upload.stop.signal.throwIfAborted();
      digest.update(chunk as Buffer);
    }
    return { size, digest };
  }

  /** One after the other for each blob, so that none goes away while it is being put. */
  #inTurn<T>(hash: ContentHash, step: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(hash) ?? Promise.resolve()).then(step);
    const settled = turn
      .catch(() => {})
      .then(() => {
        if (this.#turns.get(hash) === settled) this.#turns.delete(hash);
      });
    this.#turns.set(hash, settled);
    return turn;
  }

  #file(hash: ContentHash): string {
    return path.join(this.#folder, hash.slice(0, 2), hash);
  }
}

interface Upload {
  /** When the last bytes came, by the monotonic clock. */
  movedMs: number;
  readonly stop: AbortController;
  /** Resolves when it has ended, one way or the other. */
  done: Promise<void>;
}

/** More bytes came than were announced. */
class SurplusError extends Error {}
