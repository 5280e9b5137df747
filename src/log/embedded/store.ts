import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ContentHash, Position } from '../../tree/index.ts';
import { BlobMismatchError } from '../errors.ts';

/** Snapshots and blobs as files in a folder; each is either there as a whole, and durable, or not at all. */
export class FileStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Removes what a crash left half-written. */
  async clean(): Promise<void> {
    await rm(this.#path('incoming'), { recursive: true, force: true });
  }

  /** The latest position wins; what is older is removed. */
  async putSnapshot(at: Position, body: Readable): Promise<void> {
    const temporary = await this.#receive(body);
    await this.#publish(temporary, 'snapshots', `${String(at).padStart(16, '0')}.tar.zst`);
    for (const older of (await this.#snapshots()).slice(1))
      await rm(this.#path('snapshots', older.name), { force: true });
  }

  async latestSnapshot(): Promise<{ at: Position; body: Readable } | undefined> {
    for (;;) {
      const [latest] = await this.#snapshots();
      if (latest === undefined) return undefined;
      const body = await openForReading(this.#path('snapshots', latest.name));
      // Undefined: a newer one has just taken its place.
      if (body !== undefined) return { at: latest.at, body };
    }
  }

  async latestSnapshotAt(): Promise<Position | undefined> {
    return (await this.#snapshots())[0]?.at;
  }

  /** @throws BlobMismatchError */
  async putBlob(hash: ContentHash, body: Readable): Promise<void> {
    const digest = createHash('sha256');
    const temporary = await this.#receive(
      body,
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          digest.update(chunk);
          done(null, chunk);
        },
      }),
    );
    const actual = digest.digest('hex') as ContentHash;
    if (actual !== hash) {
      await rm(temporary, { force: true });
      throw new BlobMismatchError(hash, actual);
    }
    await this.#publish(temporary, path.join('blobs', hash.slice(0, 2)), hash);
  }

  async hasBlob(hash: ContentHash): Promise<boolean> {
    return (await stat(this.#blob(hash)).catch(() => undefined)) !== undefined;
  }

  getBlob(hash: ContentHash): Promise<Readable | undefined> {
    return openForReading(this.#blob(hash));
  }

  async #snapshots(): Promise<{ name: string; at: Position }[]> {
    const names = await readdir(this.#path('snapshots')).catch(() => []);
    return names
      .filter((name) => /^\d{16}\.tar\.zst$/.test(name))
      .sort()
      .reverse()
      .map((name) => ({ name, at: Number.parseInt(name, 10) as Position }));
  }

  async #receive(body: Readable, through?: Transform): Promise<string> {
    const folder = this.#path('incoming');
    await mkdir(folder, { recursive: true });
    const temporary = path.join(folder, randomBytes(8).toString('hex'));
    try {
      const sink = createWriteStream(temporary, { flush: true, highWaterMark: 1024 * 1024 });
      await (through === undefined ? pipeline(body, sink) : pipeline(body, through, sink));
      return temporary;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async #publish(temporary: string, folder: string, name: string): Promise<void> {
    const target = this.#path(folder);
    const made = await mkdir(target, { recursive: true });
    await rename(temporary, path.join(target, name));
    await sync(target);
    if (made !== undefined)
      for (let at = target; at.length >= path.dirname(made).length; at = path.dirname(at)) await sync(at);
  }

  #blob(hash: ContentHash): string {
    return this.#path('blobs', hash.slice(0, 2), hash);
  }

  #path(...parts: string[]): string {
    return path.join(this.#folder, ...parts);
  }
}

/** Opened before it is returned, so that it can be read though its name goes away. */
async function openForReading(file: string): Promise<Readable | undefined> {
  try {
    const handle = await open(file, 'r');
    return createReadStream('', { fd: handle, highWaterMark: 256 * 1024 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
