import type { Clock } from '../base/index.ts';
import { type FileSystem, replaceFile } from './files.ts';
import { type CachedFolder, decodeHashCache, encodeHashCache } from './hash-cache.ts';
import { type Scan, SETTLED_MS } from './scan.ts';

export interface HashKeeperParts {
  readonly system: FileSystem;
  /** Absolute. */
  readonly file: string;
  readonly clock: Clock;
  /** So many files that would have to be read at the next start make it worth writing the cache. */
  readonly worthFiles: number;
  /** Looks at all files again, with what is known. */
  scan(known: ReadonlyMap<string, CachedFolder> | undefined, signal: AbortSignal): Promise<Scan>;
}

/**
 * Keeps the cache of hashes. It only ever holds what a scan has read: what was written is not taken for what is there. So
 * a change costs nothing here; after many, when all is quiet, the changed files are read once.
 */
export class HashKeeper {
  readonly #parts: HashKeeperParts;
  readonly #closing = new AbortController();
  /** Files that the next start would have to read, about. */
  #unknown = 0;
  #work: Promise<void> | undefined;

  constructor(parts: HashKeeperParts) {
    this.#parts = parts;
  }

  /** What is known, by folder; undefined when there is no cache that can be used. */
  read(): ReadonlyMap<string, CachedFolder> | undefined {
    try {
      return decodeHashCache(this.#parts.system.readSync(this.#parts.file)!);
    } catch {
      return undefined;
    }
  }

  /** A scan has read files. */
  scanned(scan: Scan): void {
    this.#unknown = scan.read;
    if (this.#isWorthIt()) this.#run(() => this.#keep(scan));
  }

  /** Files have been written. */
  wrote(files: number): void {
    this.#unknown += files;
  }

  /** Nothing waits to be written. */
  idle(): void {
    if (this.#isWorthIt()) this.#run(() => this.#lookAgain());
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#work;
  }

  #isWorthIt(): boolean {
    return this.#unknown >= this.#parts.worthFiles;
  }

  /** It is a cache: whatever fails, the next start reads more. */
  #run(work: () => Promise<void>): void {
    if (this.#work !== undefined || this.#closing.signal.aborted) return;
    this.#work = work()
      .catch(() => {})
      .finally(() => {
        this.#work = undefined;
      });
  }

  async #keep(scan: Scan): Promise<void> {
    await this.#write(scan);
    if (this.#isWorthIt()) await this.#lookAgain();
  }

  /** Files that were changed just now are known once they have been left alone for a while. */
  async #lookAgain(): Promise<void> {
    const { clock, scan } = this.#parts;
    const { signal } = this.#closing;
    await clock.sleep(2 * SETTLED_MS, signal);
    await this.#write(await scan(this.read(), signal));
  }

  async #write({ hashes, unsettled }: Scan): Promise<void> {
    this.#unknown = unsettled;
    await replaceFile(this.#parts.system, this.#parts.file, encodeHashCache(hashes));
  }
}
