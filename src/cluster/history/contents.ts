import { buffer } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import {
  type Content,
  type ContentHash,
  contentHash,
  type Position,
  type Tree,
  type TreePath,
} from '../../tree/index.ts';
import { contentsOfSnapshot } from './backup.ts';
import { baseFor } from './base.ts';
import { HistoryTrimmedError } from './errors.ts';
import { changesOf, type LogReader } from './reader.ts';

/** A file of some state, whose bytes are wanted. */
export interface Wanted {
  readonly path: TreePath;
  readonly hash: ContentHash;
  /** Bytes. */
  readonly size: number;
  /** A position at which the file was there. */
  readonly at: Position;
}

/** Gives the bytes of files by their hash; those that nobody has any more are left out. */
export type ContentSource = (wanted: readonly Wanted[]) => Promise<ReadonlyMap<ContentHash, Uint8Array>>;

/**
 * Gives the bodies of files that are too long for the memory, one after the other, each to be read before the next one. Those that
 * nobody has any more are left out; others of the same size may be among them.
 */
export type BodySource = (wanted: readonly Wanted[]) => AsyncIterable<AsyncIterable<Uint8Array>>;

const CACHE_BYTES_MAX = 16 * 1024 * 1024;

/** Finds the bytes of past files: in this node's tree, in the log's records, among its blobs, in its snapshots. */
export class Contents {
  readonly #reader: LogReader;
  readonly #tree: Tree;
  readonly #cache = new LRUCache<ContentHash, Uint8Array>({
    maxSize: CACHE_BYTES_MAX,
    maxEntrySize: CACHE_BYTES_MAX >> 3,
    sizeCalculation: (bytes) => bytes.length + 200,
  });

  /** @param tree  this node's, as it is now */
  constructor(reader: LogReader, tree: Tree) {
    this.#reader = reader;
    this.#tree = tree;
  }

  readonly get: ContentSource = async (wanted) => {
    const found = new Map<ContentHash, Uint8Array>();
    const missing = new Map<ContentHash, Wanted>();
    for (const one of wanted) {
      const bytes = found.get(one.hash) ?? this.#cache.get(one.hash) ?? this.#here(one);
      if (bytes !== undefined) found.set(one.hash, bytes);
      else if ((missing.get(one.hash)?.at ?? 0) < one.at) missing.set(one.hash, one);
    }
    const take = (hash: ContentHash, bytes: Uint8Array) => {
      found.set(hash, bytes);
      missing.delete(hash);
      this.#cache.set(hash, bytes);
    };
    // What is long travels as a blob; in a record it would be found only after many others.
    for (const { hash, size } of [...missing.values()]) if (size > SMALL_BYTES) await this.#fromBlob(hash, take);
    if (missing.size > 0) await this.#fromLog(missing, take);
    for (const hash of [...missing.keys()]) await this.#fromBlob(hash, take);
    return found;
  };

  readonly bodies: BodySource = async function* (this: Contents, wanted: readonly Wanted[]) {
    for (const one of wanted) {
      const body = await this.#body(one);
      if (body !== undefined) yield body;
    }
  }.bind(this);

  async #body({ path, hash }: Wanted): Promise<AsyncIterable<Uint8Array> | undefined> {
    const here = await this.#tree.open(path).catch(() => undefined);
    if (here?.hash === hash) return here.body;
    here?.body.destroy();
    return this.#reader.log.getBlob(hash);
  }

  /** The bytes that this change itself carries, for those who ask next. */
  remember(content: Content): void {
    if (content.kind === 'inline') this.#cache.set(contentHash(content.bytes), content.bytes);
  }

  #here({ path, hash }: Wanted): Uint8Array | undefined {
    if (this.#tree.stat(path)?.hash !== hash) return undefined;
    try {
      const bytes = this.#tree.read(path);
      return bytes !== undefined && contentHash(bytes) === hash ? bytes : undefined;
    } catch {
      // Changed by hand, or still on its way to the disk: the log has it.
      return undefined;
    }
  }

  async #fromBlob(hash: ContentHash, take: Take): Promise<void> {
    const body = await this.#reader.log.getBlob(hash);
    if (body !== undefined) take(hash, await buffer(body));
  }

  /** The records before, the newest first, down to the state that they began with. */
  async #fromLog(missing: Map<ContentHash, Wanted>, take: Take): Promise<void> {
    // One further: what a change of a record finds may have been put by an earlier one of the same record.
    const newest = Math.max(...[...missing.values()].map(({ at }) => at)) + 1;
    const top = Math.min(this.#tree.position, newest) as Position;
    const sizes = () => new Set([...missing.values()].map(({ size }) => size));
    let base: Awaited<ReturnType<typeof baseFor>> | undefined;
    try {
      base = await baseFor(this.#reader, Math.min(...[...missing.values()].map(({ at }) => at)) as Position);
    } catch (error) {
      if (!(error instanceof HistoryTrimmedError)) throw error;
    }
    try {
      let wantedSizes = sizes();
      const downTo = base?.position ?? (await this.#reader.trimmed());
      for await (const { record } of this.#reader.backwards(top, downTo)) {
        for (const { operations } of changesOf(record))
          for (const operation of operations) {
            if (operation.kind !== 'put' || operation.content.kind !== 'inline') continue;
            const { bytes } = operation.content;
            if (!wantedSizes.has(bytes.length)) continue;
            const hash = contentHash(bytes);
            if (!missing.has(hash)) continue;
            take(hash, bytes);
            wantedSizes = sizes();
          }
        if (missing.size === 0) return;
      }
      if (base === undefined) return;
      for (const [hash, bytes] of await contentsOfSnapshot(base, [...missing.values()])) take(hash, bytes);
    } finally {
      base?.discard();
    }
  }
}

type Take = (hash: ContentHash, bytes: Uint8Array) => void;

/** Longer files are among the log's blobs. */
const SMALL_BYTES = 64 * 1024;
