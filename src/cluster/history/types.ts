import type { ChangeInfo, ContentHash, Position, TreePath } from '../../tree/index.ts';

/**
 * Names one change: the position of its record and, when several changes share that record, which of them, from 1. Written
 * `12` or `12.2`.
 */
export interface ChangeRef {
  readonly position: Position;
  readonly index?: number;
}

/** A step of a change without bytes. */
export type Step =
  | { readonly kind: 'put'; readonly path: TreePath; readonly size: number }
  | { readonly kind: 'delete'; readonly path: TreePath }
  | { readonly kind: 'move'; readonly from: TreePath; readonly to: TreePath };

/** A change as a list shows it: who, when, from where, why, and its steps as they were recorded (folders not expanded). */
export interface ChangeEntry extends ChangeInfo {
  /** `12`, or `12.2` when the record holds several changes. */
  readonly ref: string;
  readonly position: Position;
  /** `genesis`: the record that the log begins with; it has no steps. */
  readonly kind: 'change' | 'genesis';
  readonly steps: readonly Step[];
}

/** Which changes to list. All that is given must hold. */
export interface ChangeFilter {
  /** Files at or below this path were touched. */
  readonly path?: TreePath;
  /** Name of a workspace that was touched. */
  readonly workspace?: string;
  /** The user. */
  readonly by?: string;
  /** Name of the node that made the change. */
  readonly node?: string;
  /** Milliseconds since 1970, inclusive. */
  readonly since?: number;
  /** Milliseconds since 1970, inclusive. */
  readonly until?: number;
  /** Text within `why`, whatever its case. */
  readonly why?: string;
}

export interface ListOptions extends ChangeFilter {
  /** Most changes in the answer, 1 to `LIST_MAX`. */
  readonly limit: number;
  /** Only changes before this one. Default: from the newest. */
  readonly before?: ChangeRef;
}

export interface ChangeList {
  /** The newest first. */
  readonly changes: readonly ChangeEntry[];
  /** Give this as `before` to go on; absent when there is nothing older that the log still holds. */
  readonly next?: string;
  /** The oldest position that the log keeps. */
  readonly keptFrom: Position;
}

/** A file's identity; no bytes. */
export interface FileVersion {
  readonly hash: ContentHash;
  /** Bytes. */
  readonly size: number;
}

/** What a change, or the way from one position to another, did to one file. */
export interface FileChange {
  readonly kind: 'added' | 'changed' | 'deleted' | 'moved';
  /** Where the file is now; of a deleted file, where it was. */
  readonly path: TreePath;
  /** Where a moved file was. */
  readonly from?: TreePath;
  readonly before?: FileVersion;
  readonly after?: FileVersion;
}

/** One change with every file that it touched; of a folder that was moved or deleted, every file in it. */
export interface ChangeDetails extends ChangeEntry {
  readonly files: readonly FileChange[];
}

/** Why a file cannot be taken back just so. */
export interface Conflict {
  readonly path: TreePath;
  readonly reason: string;
  /** Later changes that touched the file, the newest first; at most `CONFLICT_REFS_MAX`. */
  readonly changedBy: readonly string[];
}

export type RevertTarget =
  /** Undo one change. */
  | { readonly kind: 'change'; readonly ref: ChangeRef }
  /** Undo one change, by its id. */
  | { readonly kind: 'id'; readonly id: string }
  /** Back to the state at a position. */
  | { readonly kind: 'to'; readonly position: Position };

export interface RevertRequest {
  readonly target: RevertTarget;
  /** Only files at or below this path. Default: all. */
  readonly path?: TreePath;
  /** Take files back although later changes touched them. */
  readonly force?: boolean;
  /** Change nothing; say what would be done. */
  readonly dryRun?: boolean;
  /** Reason, for the history. */
  readonly why?: string;
}

export interface Reverted {
  /** Where the new change stands; the position that was looked at when nothing was changed. */
  readonly position: Position;
  /** Whether there is a new change: not after a dry run, when there was nothing to take back, or when it was made before. */
  readonly changed: boolean;
  /** What was taken back, for people: `change 12 (PUT /rest/styles/a)`. */
  readonly what: string;
  /** What becomes of the files, from what they are to what they were. */
  readonly files: readonly FileChange[];
  /** Of a dry run, or what `force` passed over. */
  readonly conflicts: readonly Conflict[];
  /** Of a dry run: what would become of the files, as a unified diff; cut off after `DRY_RUN_CHARACTERS_MAX`. */
  readonly diff?: string;
}

export const DRY_RUN_CHARACTERS_MAX = 1_000_000;

/** Most changes of one list. */
export const LIST_MAX = 1_000;
export const CONFLICT_REFS_MAX = 10;
