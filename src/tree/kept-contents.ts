import { codeOf, type FileSystem, makeFolders } from './files.ts';
import type { ContentHash } from './types.ts';

const PREFIX = 'contents-';
/** So much is copied at once. */
const COPY_BYTES = 4 * 1024 * 1024;

/**
 * Contents of files by their hash, one behind the other in a file of this process's own. It is scratch: the log has everything,
 * and who opens it again begins with nothing.
 */
export class KeptContents {
  readonly #system: FileSystem;
  readonly #folder: string;
  #generation = 0;
  readonly #places = new Map<ContentHash, number>();
  #end = 0;
  /** Ends when nothing is being written. */
  #busy: Promise<unknown> = Promise.resolve();

  private constructor(system: FileSystem, folder: string) {
    this.#system = system;
    this.#folder = folder;
  }

  /** @param folder  absolute; made, and cleared of what a former process left there */
  static async open(system: FileSystem, folder: string): Promise<KeptContents> {
    await makeFolders(system, folder);
    for (const { name } of system.listSync(folder))
      if (name.startsWith(PREFIX)) await system.removeFile(`${folder}/${name}`);
    return new KeptContents(system, folder);
  }

  /** Bytes of the file, those of contents that nobody wants any more included. */
  get bytes(): number {
    return this.#end;
  }

  has(hash: ContentHash): boolean {
    return this.#places.has(hash);
  }

  /** @param size  bytes of the contents */
  read(hash: ContentHash, size: number): Uint8Array | undefined {
    const at = this.#places.get(hash);
    if (at === undefined) return undefined;
    // Nothing is no part of a file, which may not be there yet.
    return size === 0 ? new Uint8Array(0) : this.#system.readPartSync(this.#file, at, size);
  }

  /** @throws what the disk says; nothing has been added then */
  add(contents: readonly { readonly hash: ContentHash; readonly bytes: Uint8Array }[]): Promise<void> {
    return this.#inTurn(async () => {
      const fresh = new Map<ContentHash, Uint8Array>();
      for (const { hash, bytes } of contents) if (!this.#places.has(hash)) fresh.set(hash, bytes);
      if (fresh.size === 0) return;
      const places = [...fresh].map(([hash, { length }]) => ({ hash, length }));
      await this.#system.write(this.#file, Buffer.concat([...fresh.values()]), this.#end);
      for (const { hash, length } of places) {
        this.#places.set(hash, this.#end);
        this.#end += length;
      }
    });
  }

  /** Forgets all contents but these, at once, and makes the file smaller. @param wanted  their sizes, bytes */
  shrinkTo(wanted: ReadonlyMap<ContentHash, number>): Promise<void> {
    // What is added later, also what is forgotten now, comes behind.
    for (const hash of this.#places.keys()) if (!wanted.has(hash)) this.#places.delete(hash);
    return this.#inTurn(async () => {
      const former = this.#file;
      const next = `${this.#folder}/${PREFIX}${this.#generation + 1}`;
      const places = new Map<ContentHash, number>();
      let end = 0;
      let pieces: Uint8Array[] = [];
      let waiting = 0;
      const flush = async () => {
        await this.#system.write(next, Buffer.concat(pieces), end);
        end += waiting;
        [pieces, waiting] = [[], 0];
      };
      for (const hash of this.#places.keys()) {
        const size = wanted.get(hash);
        // (Added by somebody whose turn was before.)
        if (size === undefined) continue;
        places.set(hash, end + waiting);
        pieces.push(this.read(hash, size)!);
        waiting += size;
        if (waiting >= COPY_BYTES) await flush();
      }
      await flush();
      this.#places.clear();
      for (const [hash, at] of places) this.#places.set(hash, at);
      this.#generation++;
      this.#end = end;
      await this.#system.removeFile(former).catch(() => {});
    });
  }

  /** Removes the file. */
  close(): Promise<void> {
    return this.#inTurn(async () => {
      this.#places.clear();
      await this.#system.removeFile(this.#file).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT') throw error;
      });
    });
  }

  get #file(): string {
    return `${this.#folder}/${PREFIX}${this.#generation}`;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = done.catch(() => {});
    return done;
  }
}
