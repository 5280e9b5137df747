import { createHash, type Hash, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { systemClock } from '../../base/index.ts';
import type { ContentHash } from '../../tree/index.ts';
import type { BlobInfo, BlobSource } from '../change-log.ts';
import { BlobMismatchError, checkBlobFrom, sizeMismatch } from '../errors.ts';
import { after, type BodyParts, chunksOf, isPassing, PATIENCE_MS, PAUSE_MS, persist, readBody } from './bodies.ts';

/** An upload on which nothing has moved for so long gives way to another one of the same blob. */
const STALLED_MS = 10_000;
/** How often one that waits for another looks. */
const LOOK_MS = 100;
/** An upload that nobody continues for so long is forgotten. */
const PARTIAL_KEPT_MS = 24 * 3600 * 1000;
const LIST_BATCH = 1000;
const REMOVE_BATCH = 500;
const DIGESTS_MAX = 16;

const NOW = `date_trunc('milliseconds', clock_timestamp())`;

/**
 * Blobs: a row each, and their bytes in chunks. Until it is complete a blob's row has no `stored_at`, and is nobody's business but that
 * of whoever holds it.
 */
export class Blobs {
  readonly #parts: BodyParts;
  /** The hash of what has come so far, so that it need not be read again. */
  readonly #digests = new Map<ContentHash, { readonly body: string; readonly size: number; readonly digest: Hash }>();
  readonly #uploads = new Set<Promise<void>>();

  constructor(parts: BodyParts) {
    this.#parts = parts;
  }

  /** @throws BlobMismatchError */
  put(hash: ContentHash, source: BlobSource): Promise<void> {
    const upload = this.#put(hash, source);
    const settled = upload
      .catch(() => {})
      .then(() => {
        this.#uploads.delete(settled);
      });
    this.#uploads.add(settled);
    return upload;
  }

  async has(hash: ContentHash): Promise<boolean> {
    return (await this.#find(hash)) !== undefined;
  }

  /** @throws RangeError */
  async get(hash: ContentHash, from: number): Promise<Readable | undefined> {
    const found = await this.#find(hash);
    if (found === undefined) return undefined;
    checkBlobFrom(hash, from, found.size);
    const bytes = readBody(this.#parts, found.body, from, found.size);
    return Readable.from(from === 0 ? verified(bytes, hash) : bytes, { objectMode: false });
  }

  async *list(): AsyncIterableIterator<readonly BlobInfo[]> {
    const { sessions, tables } = this.#parts;
    for (let last = ''; ; ) {
      const rows = await sessions.ask({
        text: `SELECT hash, size, (extract(epoch FROM stored_at) * 1000)::bigint AS stored_ms FROM ${tables.blob}
          WHERE hash > $1 AND stored_at IS NOT NULL ORDER BY hash LIMIT ${LIST_BATCH}`,
        values: [last],
      });
      if (rows.length > 0)
        yield rows.map((row) => ({
          hash: row.hash as ContentHash,
          size: Number(row.size),
          storedAt: new Date(Number(row.stored_ms)).toISOString(),
        }));
      if (rows.length < LIST_BATCH) return;
      last = rows.at(-1)!.hash as string;
    }
  }

  async remove(hashes: readonly ContentHash[], storedBefore: string): Promise<void> {
    const { sessions, tables, graceMs } = this.#parts;
    const before = new Date(storedBefore).toISOString();
    for (let i = 0; i < hashes.length; i += REMOVE_BATCH)
      // One that is put at the same time is waited for, and then looked at again.
      await sessions.ask({
        text: `WITH old AS (
            SELECT hash FROM ${tables.blob} WHERE hash = ANY($1) AND stored_at < $2::timestamptz ORDER BY hash FOR UPDATE),
          gone AS (
            DELETE FROM ${tables.blob} WHERE hash IN (SELECT hash FROM old) AND stored_at < $2::timestamptz RETURNING body)
          INSERT INTO ${tables.garbage} (body, due_at) SELECT body, ${after(graceMs)} FROM gone`,
        values: [hashes.slice(i, i + REMOVE_BATCH), before],
      });
  }

  /** Forgets what came of uploads that nobody has continued for long. */
  async clean(): Promise<void> {
    const { sessions, tables } = this.#parts;
    await sessions.ask(`WITH gone AS (
        DELETE FROM ${tables.blob} WHERE stored_at IS NULL AND moved_at < ${after(-PARTIAL_KEPT_MS)} RETURNING body)
      INSERT INTO ${tables.garbage} (body, due_at) SELECT body, clock_timestamp() FROM gone`);
  }

  /** Resolves when the uploads under way have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#uploads);
  }

  async #put(hash: ContentHash, source: BlobSource): Promise<void> {
    const { closing } = this.#parts;
    const upload: Upload = { holder: randomUUID() };
    const { holder } = upload;
    // Whoever cannot reach the log at all is told soon.
    if (await this.#touch(hash)) return;
    let claim = await this.#claim(hash, holder);
    try {
      for (;;) {
        if (claim === undefined) {
          await systemClock.sleep(LOOK_MS, closing).catch(() => {});
          closing.throwIfAborted();
        } else if ((await this.#upload(hash, source, upload, claim)) === 'done') return;
        if (await persist(() => this.#touch(hash), closing)) return;
        claim = await persist(() => this.#claim(hash, holder), closing);
      }
    } catch (error) {
      await this.#letGo(hash, holder);
      throw error;
    }
  }

  /** Sends what is missing. @returns `again` when the connection broke, or what was there before is of no use */
  async #upload(hash: ContentHash, source: BlobSource, upload: Upload, claim: Claim): Promise<'done' | 'again'> {
    const { body } = claim;
    const { holder } = upload;
    if (claim.size > source.size) {
      await this.#restart(hash, holder);
      return 'again';
    }
    const digest = await this.#begun(hash, claim);
    let { size } = claim;
    for await (const chunk of chunksOf(source.open(size), this.#parts.closing)) {
      const isSurplus = size + chunk.length > source.size;
      if (!isSurplus && !(await this.#store(hash, upload, size, chunk))) return 'again';
      digest.update(chunk);
      size += chunk.length;
      if (isSurplus) break;
      this.#remember(hash, { body, size, digest: digest.copy() });
    }
    const actual = digest.digest('hex') as ContentHash;
    if (size === source.size && actual === hash) return (await this.#complete(hash, holder, size)) ? 'done' : 'again';
    this.#digests.delete(hash);
    await persist(() => this.#restart(hash, holder), this.#parts.closing);
    // What came before may have been somebody's mistake.
    if (claim.size > 0) return 'again';
    throw size === source.size ? new BlobMismatchError(hash, actual) : sizeMismatch(hash, actual, source.size);
  }

  async #find(hash: ContentHash): Promise<{ readonly body: string; readonly size: number } | undefined> {
    const { sessions, tables } = this.#parts;
    const [row] = await sessions.ask({
      text: `SELECT body, size FROM ${tables.blob} WHERE hash = $1 AND stored_at IS NOT NULL`,
      values: [hash],
    });
    return row && { body: row.body as string, size: Number(row.size) };
  }

  /** @returns whether it is there; then it counts as stored now */
  async #touch(hash: ContentHash): Promise<boolean> {
    const { sessions, tables } = this.#parts;
    const rows = await sessions.ask({
      text: `UPDATE ${tables.blob} SET stored_at = ${NOW} WHERE hash = $1 AND stored_at IS NOT NULL RETURNING true`,
      values: [hash],
    });
    return rows.length > 0;
  }

  /** @returns what is there of it, now ours to continue; undefined when somebody else is sending it, or it has come */
  async #claim(hash: ContentHash, holder: string): Promise<Claim | undefined> {
    const { sessions, tables } = this.#parts;
    const [row] = await sessions.ask({
      text: `INSERT INTO ${tables.blob} AS blob (hash, body, holder, moved_at) VALUES ($1, $2, $3, clock_timestamp())
        ON CONFLICT (hash) DO UPDATE SET holder = $3, moved_at = clock_timestamp()
        WHERE blob.stored_at IS NULL
          AND (blob.holder IS NULL OR blob.holder = $3 OR blob.moved_at < ${after(-STALLED_MS)})
        RETURNING body, size`,
      values: [hash, randomUUID(), holder],
    });
    return row && { body: row.body as string, size: Number(row.size) };
  }

  /** @returns whether it was stored; if not, it may have been before, or the blob is no longer ours */
  async #store(hash: ContentHash, upload: Upload, start: number, chunk: Buffer): Promise<boolean> {
    const { sessions, tables, slots, chunkWaitMs } = this.#parts;
    const statement = {
      name: 'store',
      text: `WITH mine AS (
          UPDATE ${tables.blob} SET size = size + $5, moved_at = clock_timestamp()
          WHERE hash = $1 AND holder = $2 AND size = $3 AND stored_at IS NULL RETURNING body)
        INSERT INTO ${tables.chunk} (body, start, bytes) SELECT body, $3, $4::bytea FROM mine RETURNING true`,
      values: [hash, upload.holder, start, chunk, chunk.length],
    };
    try {
      const rows = await slots.run(() => sessions.askOnce(statement, chunkWaitMs));
      upload.failingSinceMs = undefined;
      return rows.length > 0;
    } catch (error) {
      upload.failingSinceMs ??= performance.now();
      if (!isPassing(error) || performance.now() - upload.failingSinceMs > PATIENCE_MS) throw error;
      await systemClock.sleep(PAUSE_MS, this.#parts.closing).catch(() => {});
      return false;
    }
  }

  async #complete(hash: ContentHash, holder: string, size: number): Promise<boolean> {
    const { sessions, tables, closing } = this.#parts;
    const statement = {
      text: `UPDATE ${tables.blob} SET stored_at = ${NOW}, holder = NULL
        WHERE hash = $1 AND holder = $2 AND size = $3 AND stored_at IS NULL RETURNING true`,
      values: [hash, holder, size],
    };
    const rows = await persist(() => sessions.ask(statement), closing);
    if (rows.length > 0) this.#digests.delete(hash);
    return rows.length > 0;
  }

  /** Begins anew: what came is of no use. */
  async #restart(hash: ContentHash, holder: string): Promise<void> {
    const { sessions, tables } = this.#parts;
    await sessions.ask({
      text: `WITH gone AS (DELETE FROM ${tables.blob} WHERE hash = $1 AND holder = $2 AND stored_at IS NULL RETURNING body)
        INSERT INTO ${tables.garbage} (body, due_at) SELECT body, clock_timestamp() FROM gone`,
      values: [hash, holder],
    });
  }

  /** Lets others continue at once; when they cannot be told, they will notice. */
  async #letGo(hash: ContentHash, holder: string): Promise<void> {
    const { sessions, tables } = this.#parts;
    const statement = {
      text: `UPDATE ${tables.blob} SET holder = NULL WHERE hash = $1 AND holder = $2`,
      values: [hash, holder],
    };
    await sessions.ask(statement).catch(() => {});
  }

  /** The hash so far. */
  async #begun(hash: ContentHash, { body, size }: Claim): Promise<Hash> {
    const known = this.#digests.get(hash);
    if (known?.body === body && known.size === size) return known.digest.copy();
    const digest = createHash('sha256');
    for await (const bytes of readBody(this.#parts, body, 0, size)) digest.update(bytes);
    return digest;
  }

  #remember(hash: ContentHash, known: { body: string; size: number; digest: Hash }): void {
    this.#digests.delete(hash);
    this.#digests.set(hash, known);
    if (this.#digests.size > DIGESTS_MAX) this.#digests.delete(this.#digests.keys().next().value!);
  }
}

interface Upload {
  /** By which the others know that it is not theirs. */
  readonly holder: string;
  /** Since when nothing could be stored, by the monotonic clock. */
  failingSinceMs?: number;
}

interface Claim {
  readonly body: string;
  /** How much of it is there. */
  readonly size: number;
}

async function* verified(bytes: AsyncIterable<Uint8Array>, hash: ContentHash): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256');
  for await (const piece of bytes) {
    digest.update(piece);
    yield piece;
  }
  const actual = digest.digest('hex') as ContentHash;
  if (actual !== hash) throw new BlobMismatchError(hash, actual, `the log holds other bytes (${actual}) for ${hash}`);
}
