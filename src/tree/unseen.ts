import { createHash } from 'node:crypto';
import type { Clock } from '../base/index.ts';
import { contentHash } from './digest.ts';
import type { FileSystem } from './files.ts';
import type { FileEntry, Files } from './folder.ts';
import { isWithin } from './path.ts';
import type { FileStat } from './tree.ts';
import type { TreePath } from './types.ts';

/** So long a file is waited for; who writes it may have gone. */
const WAIT_MS_MAX = 10_000;
const LOOK_MS = 100;
/** The last so many files are looked for. */
const FILES_MAX = 1000;
const WHOLE_BYTES_MAX = 4 * 1024 * 1024;

interface Awaited {
  readonly entry: FileEntry;
  readonly untilMs: number;
}

export interface UnseenParts {
  readonly system: FileSystem;
  readonly dir: string;
  readonly clock: Clock;
  /** The files of the tree now. */
  files(): Files;
}

/** Files of the tree that another node is going to write into the directory, and has not as far as was seen. */
export class Unseen {
  readonly #parts: UnseenParts;
  /** Oldest first. */
  readonly #awaited = new Map<TreePath, Awaited>();
  #looking: Promise<void> | undefined;

  constructor(parts: UnseenParts) {
    this.#parts = parts;
  }

  /** Those still waited for. */
  get count(): number {
    this.#giveUp();
    return this.#awaited.size;
  }

  /** A file was put. */
  put(path: TreePath, entry: FileEntry): void {
    this.#await(path, { entry, untilMs: this.#parts.clock.monotonicMs() + WAIT_MS_MAX });
  }

  /** A file or folder was moved. */
  moved(from: TreePath, to: TreePath): void {
    for (const [path, awaited] of [...this.#awaited])
      if (isWithin(path, from)) {
        this.#awaited.delete(path);
        this.#await((to + path.slice(from.length)) as TreePath, awaited);
      }
    // One file tells whether the whole has been moved.
    const { value: first } = this.#parts.files().within(to).next() as IteratorResult<[TreePath, FileEntry], undefined>;
    if (first !== undefined && !this.#awaited.has(first[0])) this.put(...first);
  }

  /** Resolves when each of the files has been seen, has become another one, or was waited for long enough. */
  async seen(signal: AbortSignal): Promise<void> {
    const wanted = [...this.#awaited];
    while (!signal.aborted) {
      await this.#look();
      if (!wanted.some(([path, awaited]) => this.#awaited.get(path) === awaited)) return;
      await this.#parts.clock.sleep(LOOK_MS, signal).catch(() => {});
    }
  }

  #await(path: TreePath, awaited: Awaited): void {
    this.#awaited.delete(path);
    this.#awaited.set(path, awaited);
    if (this.#awaited.size > FILES_MAX) this.#awaited.delete(this.#awaited.keys().next().value!);
  }

  #giveUp(): void {
    const now = this.#parts.clock.monotonicMs();
    for (const [path, { untilMs }] of this.#awaited) if (untilMs <= now) this.#awaited.delete(path);
  }

  /** One look for all who wait. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookAt([...this.#awaited]).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookAt(awaited: readonly [TreePath, Awaited][]): Promise<void> {
    const { system, dir } = this.#parts;
    this.#giveUp();
    for (const [path, one] of awaited) {
      if (this.#awaited.get(path) !== one) continue;
      const isOver =
        this.#parts.files().get(path) !== one.entry || (await isFileWith(system, `${dir}/${path}`, one.entry));
      if (isOver && this.#awaited.get(path) === one) this.#awaited.delete(path);
    }
  }
}

/** Whether a file is there and has these contents. */
export async function isFileWith(system: FileSystem, file: string, { hash, size }: FileStat): Promise<boolean> {
  try {
    const stat = await system.stat(file);
    if (stat?.kind !== 'file' || stat.size !== size) return false;
    if (size <= WHOLE_BYTES_MAX) return contentHash(system.readSync(file)!) === hash;
    const digest = createHash('sha256');
    for await (const chunk of system.readStream(file)) digest.update(chunk as Uint8Array);
    return digest.digest('hex') === hash;
  } catch {
    return false;
  }
}
