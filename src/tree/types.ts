/** Path of a file or folder in the tree: relative, `/` between segments. Made by `treePath`, which says what is refused. */
export type TreePath = string & { readonly __brand: 'TreePath' };

/** SHA-256 of some bytes, 64 lower-case hexadecimal digits. */
export type ContentHash = string & { readonly __brand: 'ContentHash' };

/** Hash of a whole tree: equal for trees with the same paths and bytes. 64 lower-case hexadecimal digits. */
export type Digest = string & { readonly __brand: 'Digest' };

/**
 * Number of a record in the log, from 1 without gaps. 0 is the place before the first record.
 * As a property of a node or tree: everything up to and including this record has been applied.
 */
export type Position = number & { readonly __brand: 'Position' };

export const START = 0 as Position;

/** Contents longer than this travel as blobs beside the log: bytes. */
export const INLINE_BYTES_MAX = 64 * 1024;

/** Contents of a file: the bytes themselves, or, when large, a reference to a blob that travels beside the log. */
export type Content =
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  | { readonly kind: 'blob'; readonly hash: ContentHash; readonly size: number };

/**
 * One step of a change. Steps of a change apply in order, all or none.
 * - `put` writes a whole file, making the folders above it;
 * - `delete` removes a file, or a folder with everything in it; a path that is not there is no error;
 * - `move` renames a file or folder, replacing what is at `to`; a `from` that is not there is no error.
 */
export type FileOperation =
  | { readonly kind: 'put'; readonly path: TreePath; readonly content: Content }
  | { readonly kind: 'delete'; readonly path: TreePath }
  | { readonly kind: 'move'; readonly from: TreePath; readonly to: TreePath };

/** An atomic set of file operations, with who, when, from where and why. */
export interface Change {
  /** Unique; chosen by the client (`Idempotency-Key`) or by the node. A change is applied once, however often it is sent. */
  readonly id: string;
  /** Wall time at the node that made it, ISO 8601 with milliseconds and Z. */
  readonly at: string;
  /** User who asked for it; `system` for the node's own. */
  readonly by: string;
  /** Network address that the request came from. */
  readonly address?: string;
  /** Name of the node that made it. */
  readonly node: string;
  /** What was done, for people: `POST /rest/workspaces`. */
  readonly why: string;
  /** W3C trace context (`traceparent`) of the request that made it. */
  readonly trace?: string;
  readonly operations: readonly FileOperation[];
}

/** What a change carries about itself. */
export type ChangeInfo = Omit<Change, 'operations'>;
