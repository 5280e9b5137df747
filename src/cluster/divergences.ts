import { type Clock, type Logger, messageOf } from '../base/index.ts';
import type { Digest, FileSystem, Position, TreePath } from '../tree/index.ts';

/** A time when a node's tree was not what the log said. */
export interface Divergence {
  /** ISO 8601: when it was noticed. */
  readonly at: string;
  readonly position: Position;
  /** Digest that the log says the tree has there. */
  readonly expected: Digest;
  readonly found: Digest;
  /** How it ended; absent while it has not. */
  readonly mended?: {
    /** ISO 8601. */
    readonly at: string;
    /** How many files differed. */
    readonly files: number;
    /** The first of them, in order. */
    readonly paths: readonly TreePath[];
    /** Where this node's files of that time are kept, if there were any. */
    readonly aside?: string;
  };
}

export interface DivergencesParts {
  readonly system: FileSystem;
  /** Absolute; the folder above it exists once a node has joined. */
  readonly file: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

const KEPT = 100;
const PATHS_KEPT = 1000;

/** What this node knows of its own divergences, oldest first; kept in a file, for the alarm outlives the process. */
export class Divergences {
  readonly #parts: DivergencesParts;
  #list: readonly Divergence[];
  #saving: Promise<void> = Promise.resolve();

  constructor(parts: DivergencesParts) {
    this.#parts = parts;
    this.#list = readList(parts);
  }

  list(): readonly Divergence[] {
    return this.#list;
  }

  noticed(what: Pick<Divergence, 'position' | 'expected' | 'found'>): void {
    const last = this.#list.at(-1);
    // The same one, found again: after a restart, or because its mending broke off.
    if (last !== undefined && last.mended === undefined) return;
    this.#list = [...this.#list, { at: this.#now(), ...what }].slice(-KEPT);
    this.#save();
  }

  mended(paths: readonly TreePath[], aside: string | undefined): void {
    if (this.#list.at(-1)?.mended !== undefined) return;
    const mended = { at: this.#now(), files: paths.length, paths: paths.slice(0, PATHS_KEPT), ...(aside && { aside }) };
    this.#list = this.#list.map((one) => (one.mended === undefined ? { ...one, mended } : one));
    this.#save();
  }

  /** Resolves when the file says what is known. */
  saved(): Promise<void> {
    return this.#saving;
  }

  #now(): string {
    return new Date(this.#parts.clock.now()).toISOString();
  }

  #save(): void {
    const { system, file, logger } = this.#parts;
    this.#saving = this.#saving.then(async () => {
      try {
        await system.write(`${file}.tmp`, Buffer.from(`${JSON.stringify(this.#list, undefined, 2)}\n`));
        await system.rename(`${file}.tmp`, file);
      } catch (error) {
        logger.warn('divergences-unsaved', { file, reason: messageOf(error) });
      }
    });
  }
}

function readList({ system, file, logger }: DivergencesParts): readonly Divergence[] {
  let bytes: Uint8Array | undefined;
  try {
    bytes = system.readSync(file);
  } catch {
    return [];
  }
  try {
    const list = JSON.parse(Buffer.from(bytes!).toString()) as readonly Divergence[];
    if (!Array.isArray(list)) throw new TypeError('it is no list');
    return list;
  } catch (error) {
    logger.warn('divergences-unread', { file, reason: messageOf(error) });
    return [];
  }
}
