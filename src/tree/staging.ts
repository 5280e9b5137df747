import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type FileSystem, makeFolders } from './files.ts';
import type { ContentHash } from './types.ts';

/** Gives the bytes of something from an offset on. */
export type OpenFrom = (from: number) => AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>;

/** Contents on disk that belong to nothing yet. */
export interface StagedBlob {
  readonly hash: ContentHash;
  readonly size: number;
  /** The bytes from an offset on. */
  open(from: number): Readable;
  /** They are no longer needed, unless a record that was applied meanwhile names them. */
  release(): void;
}

/**
 * Blobs that wait on disk, each in a file named by its hash, for records to be applied and for their places in the tree. What has
 * come of a broken transfer stays in a `.part` file, and is gone on with.
 */
export class Staging {
  readonly #system: FileSystem;
  readonly #folder: string;
  /** Those that records which are not applied yet will put somewhere. */
  readonly #expected = new Set<ContentHash>();
  /** Those that somebody holds, and how often. */
  readonly #held = new Map<ContentHash, number>();
  readonly #coming = new Map<ContentHash, Promise<void>>();
  /** Names of temporary files. */
  readonly #writing = new Set<string>();
  /** Ends when nothing is being removed. */
  #dropping: Promise<void> = Promise.resolve();
  #nextDrop: Promise<void> | undefined;
  /** Called when something may be removed that nobody holds any more. */
  readonly #onReleased: () => void;
  #temporaries = 0;

  constructor(system: FileSystem, folder: string, onReleased: () => void) {
    this.#system = system;
    this.#folder = folder;
    this.#onReleased = onReleased;
  }

  file(hash: ContentHash): string {
    return `${this.#folder}/${hash}`;
  }

  async has(hash: ContentHash): Promise<boolean> {
    return (await this.#system.stat(this.file(hash))) !== undefined;
  }

  /**
   * Stages a blob that a record, or a place in the tree, is going to need.
   * @throws Error  it came with other bytes; or what `open` says
   */
  take(hash: ContentHash, open: OpenFrom): Promise<void> {
    this.#expected.add(hash);
    const coming = this.#coming.get(hash) ?? this.#take(hash, open).finally(() => this.#coming.delete(hash));
    this.#coming.set(hash, coming);
    return coming;
  }

  async #take(hash: ContentHash, open: OpenFrom): Promise<void> {
    // What is there may be about to be removed.
    await this.#dropping;
    if (await this.has(hash)) return;
    const system = this.#system;
    await makeFolders(system, this.#folder);
    const part = `${this.file(hash)}.part`;
    for (;;) {
      const digest = createHash('sha256');
      let from = 0;
      if ((await system.stat(part)) !== undefined)
        for await (const chunk of system.readStream(part)) {
          digest.update(chunk as Uint8Array);
          from += (chunk as Uint8Array).length;
        }
      await system.write(part, hashing(await open(from), digest), from);
      const actual = digest.digest('hex');
      if (actual === hash) break;
      await system.removeFile(part);
      // What was there before may have been damaged: once more from the beginning.
      if (from === 0) throw new Error(`the blob ${hash} came with other bytes: their hash is ${actual}`);
    }
    await system.rename(part, this.file(hash));
    await system.syncFolders([this.#folder]);
  }

  /** Stages contents whose hash is not known; they stay until they are released. */
  async takeUnknown(body: AsyncIterable<Uint8Array>): Promise<StagedBlob> {
    const system = this.#system;
    await makeFolders(system, this.#folder);
    const name = `unknown-${++this.#temporaries}.tmp`;
    const temporary = `${this.#folder}/${name}`;
    const digest = createHash('sha256');
    let size = 0;
    let staged: StagedBlob | undefined;
    this.#writing.add(name);
    try {
      await system.write(
        temporary,
        hashing(body, digest, (bytes) => {
          size += bytes;
        }),
      );
      staged = this.#hold(digest.digest('hex') as ContentHash, size);
      await this.#dropping;
      await system.rename(temporary, this.file(staged.hash));
      await system.syncFolders([this.#folder]);
      return staged;
    } catch (error) {
      staged?.release();
      await system.removeFile(temporary).catch(() => {});
      throw error;
    } finally {
      this.#writing.delete(name);
    }
  }

  #hold(hash: ContentHash, size: number): StagedBlob {
    this.#held.set(hash, (this.#held.get(hash) ?? 0) + 1);
    let open = true;
    return {
      hash,
      size,
      open: (from) => this.#system.readStream(this.file(hash), from),
      release: () => {
        if (!open) return;
        open = false;
        const held = this.#held.get(hash)! - 1;
        if (held > 0) this.#held.set(hash, held);
        else {
          this.#held.delete(hash);
          this.#onReleased();
        }
      },
    };
  }

  /** A record that names the blob has been applied, or never will be: it stays only until it is at its place. */
  applied(hash: ContentHash): void {
    this.#expected.delete(hash);
  }

  /**
   * Removes what nobody waits for.
   * @param needed  something in the tree waits for its place: it is not the time
   */
  drop(needed: () => boolean): Promise<void> {
    // Many are released at once: one look is enough, as long as it has not begun.
    if (this.#nextDrop !== undefined) return this.#nextDrop;
    this.#nextDrop = this.#dropping.then(() => {
      this.#nextDrop = undefined;
      return this.#drop(needed);
    });
    this.#dropping = this.#nextDrop;
    return this.#dropping;
  }

  async #drop(needed: () => boolean): Promise<void> {
    try {
      for (const { name } of this.#system.listSync(this.#folder)) {
        // A record that came meanwhile may put one of them at its place.
        if (needed()) return;
        const hash = name.replace(/\.part$/, '') as ContentHash;
        const wanted = this.#expected.has(hash) || this.#held.has(hash) || this.#coming.has(hash);
        if (!wanted && !this.#writing.has(name)) await this.#system.removeFile(`${this.#folder}/${name}`);
      }
    } catch {
      // No such folder, or a file that stays for now.
    }
  }
}

async function* hashing(
  body: AsyncIterable<Uint8Array>,
  digest: ReturnType<typeof createHash>,
  count: (bytes: number) => void = () => {},
): AsyncIterable<Uint8Array> {
  for await (const chunk of body) {
    digest.update(chunk);
    count(chunk.length);
    yield chunk;
  }
}
