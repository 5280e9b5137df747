import { type FileContents, kindOfPath, readContents } from '../catalog/index.ts';
import { contentHash, type Position, type TreePath } from '../tree/index.ts';
import type { ChangesRecord } from './replica.ts';

/** A record, and where it stands in the log. */
export interface PlacedRecord {
  readonly position: Position;
  readonly record: ChangesRecord;
}

/**
 * So many operations are taken in at once, at most, while nobody else has a turn: some 50 ms. Who catches up over many changes
 * of the same files then reads only the last version of each.
 */
const OPERATIONS_MAX = 4096;
/** For fewer it is not worth while. */
const READ_AHEAD_FROM = 64;

/** Records that come one after the other and are taken in in one step. */
export class RecordWindow {
  readonly records: PlacedRecord[] = [];
  #operations = 0;

  add(position: Position, record: ChangesRecord): void {
    this.records.push({ position, record });
    for (const { operations } of record.changes) this.#operations += operations.length;
  }

  get isFull(): boolean {
    return this.#operations >= OPERATIONS_MAX;
  }

  /** What the files of the catalog hold after these records; others have their turn in `breathe`. */
  async readAhead(breathe: () => Promise<void>): Promise<ReadonlyMap<string, FileContents>> {
    const read = new Map<string, FileContents>();
    if (this.#operations < READ_AHEAD_FROM) return read;
    for (const [path, bytes] of this.#lastContents()) {
      const contents = readContents(path, contentHash(bytes), () => bytes);
      if (contents !== undefined) read.set(path, contents);
      await breathe();
    }
    return read;
  }

  #lastContents(): ReadonlyMap<TreePath, Uint8Array> {
    const last = new Map<TreePath, Uint8Array>();
    for (const { record } of this.records)
      for (const { operations } of record.changes)
        for (const operation of operations)
          if (operation.kind === 'put' && operation.content.kind === 'inline') {
            if (kindOfPath(operation.path) !== undefined) last.set(operation.path, operation.content.bytes);
          }
    return last;
  }
}

/** Whether a record moves files: then the catalog looks at it by itself, for it need not read again what has only moved. */
export function moves({ changes }: ChangesRecord): boolean {
  return changes.some(({ operations }) => operations.some(({ kind }) => kind === 'move'));
}
