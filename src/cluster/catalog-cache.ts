import { setImmediate as nextTick } from 'node:timers/promises';
import { type Clock, type Logger, messageOf } from '../base/index.ts';
import { type Catalog, type CatalogObject, unpackObjects } from '../catalog/index.ts';
import { type FileSystem, replaceFile } from '../tree/index.ts';

export interface CatalogCacheParts {
  readonly system: FileSystem;
  /** Absolute. */
  readonly file: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** So many files that the next start would have to parse make it worth writing the cache. */
  readonly worthFiles: number;
}

/** How often is looked whether the cache is worth writing. */
const LOOK_MS = 15_000;
const FIRST_LOOK_MS = 2000;

/** The catalog's objects in a file of the node's own, so that a start need not parse what it has parsed before. */
export class CatalogCache {
  readonly #parts: CatalogCacheParts;
  readonly #closing = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(parts: CatalogCacheParts) {
    this.#parts = parts;
  }

  /** Objects by path; whatever is wrong with the cache, they are fewer. */
  async read(): Promise<ReadonlyMap<string, CatalogObject>> {
    const known = new Map<string, CatalogObject>();
    try {
      for (const objects of unpackObjects(this.#parts.system.readSync(this.#parts.file)!)) {
        for (const object of objects) known.set(object.path, object);
        await nextTick();
      }
    } catch {
      // None, or not one of ours: the files are parsed.
    }
    return known;
  }

  /** From now on, writes the cache when much has changed, and no more does. */
  keep(catalog: Catalog): void {
    this.#loop = this.#run(catalog).catch(() => {});
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
  }

  async #run(catalog: Catalog): Promise<void> {
    const { clock, worthFiles } = this.#parts;
    const { signal } = this.#closing;
    // Not at once: a node that starts has other things to do.
    for (let before = -1; ; before = catalog.unpacked) {
      if (catalog.unpacked >= worthFiles && catalog.unpacked === before) await this.#write(catalog);
      await clock.sleep(before < 0 ? FIRST_LOOK_MS : LOOK_MS, signal);
    }
  }

  async #write(catalog: Catalog): Promise<void> {
    const { system, file, logger } = this.#parts;
    const pieces: Uint8Array[] = [];
    for (const piece of catalog.pack()) {
      pieces.push(piece);
      await nextTick();
      this.#closing.signal.throwIfAborted();
    }
    try {
      await replaceFile(system, file, Buffer.concat(pieces));
    } catch (error) {
      // It is a cache: the next start takes longer.
      logger.warn('cache-failed', { file, reason: messageOf(error) });
    }
  }
}
