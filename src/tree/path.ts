import { UserError } from '../base/index.ts';
import type { TreePath } from './types.ts';

/** Longest segment in bytes of UTF-8: what common file systems hold. */
export const SEGMENT_BYTES_MAX = 255;
/** Longest path in bytes of UTF-8; leaves room for the data directory in front of it. */
export const PATH_BYTES_MAX = 2048;

/** The text cannot be the path of a file in the tree. */
export class PathError extends UserError {
  readonly path: string;

  constructor(path: string, reason: string) {
    super(400, 'bad-path', `the path ${JSON.stringify(path)} ${reason}`);
    this.name = 'PathError';
    this.path = path;
  }
}

/**
 * A path as written by a client or a record, checked. Nothing is normalised: two spellings are two files.
 *
 * @throws PathError  absolute, empty, with empty, `.` or `..` segments, backslashes, control characters, text that UTF-8
 *   cannot carry, or too long
 */
export function treePath(text: string): TreePath {
  if (text === '') throw new PathError(text, 'is empty');
  if (text.startsWith('/')) throw new PathError(text, 'is absolute; give it relative to the data directory');
  if (/[\u0000-\u001f\u007f]/.test(text)) throw new PathError(text, 'contains a control character');
  if (text.includes('\\')) throw new PathError(text, "contains a backslash; segments are separated by '/'");
  if (!text.isWellFormed()) throw new PathError(text, 'is not well-formed Unicode');
  for (const segment of text.split('/')) {
    if (segment === '') throw new PathError(text, "has an empty segment; remove the doubled or closing '/'");
    if (segment === '.' || segment === '..') throw new PathError(text, `contains the segment '${segment}'`);
    if (segment.length * 3 > SEGMENT_BYTES_MAX && Buffer.byteLength(segment) > SEGMENT_BYTES_MAX)
      throw new PathError(text, `has a segment longer than ${SEGMENT_BYTES_MAX} bytes`);
  }
  if (text.length * 3 > PATH_BYTES_MAX && Buffer.byteLength(text) > PATH_BYTES_MAX)
    throw new PathError(text, `is longer than ${PATH_BYTES_MAX} bytes`);
  return text as TreePath;
}

/** A path below a folder; `''` is the root. Checked like any other path. */
export function joinPath(folder: TreePath | '', ...segments: string[]): TreePath {
  return treePath(folder === '' ? segments.join('/') : [folder, ...segments].join('/'));
}

/** The folder that holds a path; `''` for the root. */
export function parentOf(path: TreePath): TreePath | '' {
  return path.slice(0, Math.max(0, path.lastIndexOf('/'))) as TreePath | '';
}

/** The last segment of a path. */
export function nameOf(path: TreePath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Whether `path` is `folder` or lies in it. */
export function isWithin(path: string, folder: string): boolean {
  return folder === '' || path === folder || (path.startsWith(folder) && path.charCodeAt(folder.length) === 47);
}

/** Folders at the top of a data directory that each node keeps for itself. */
const LOCAL_FOLDERS: ReadonlySet<string> = new Set(['cluster', 'tmp', 'temp', 'uploads', 'filelocks']);
/** Folders at the top that hold both: some files of the tree beside much that is the node's own. */
const MIXED_FOLDERS: ReadonlySet<string> = new Set(['gwc', 'logs']);

/**
 * Whether a file of a data directory belongs to the replicated tree. Not of it: what a node keeps for itself (`cluster/`),
 * log files, scratch folders, cached tiles (of `gwc/` only the `*.xml` directly in it are configuration), version control,
 * and what editors and file systems leave behind.
 */
export function isReplicated(path: TreePath): boolean {
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  if (name.endsWith('.tmp') || name.endsWith('~') || name === '.DS_Store' || name.startsWith('.nfs')) return false;
  if (slash < 0) return name !== '.git' && !LOCAL_FOLDERS.has(name);
  const folder = path.slice(0, slash);
  if (isLocalFolder(folder)) return false;
  const top = topOf(folder);
  if (top === 'gwc') return name.endsWith('.xml');
  if (top === 'logs') return !name.includes('.log');
  return true;
}

/** Whether nothing in this folder, at any depth, belongs to the tree. */
export function isLocalFolder(folder: string): boolean {
  const top = topOf(folder);
  if (LOCAL_FOLDERS.has(top)) return true;
  if (top === 'gwc' && folder !== 'gwc') return true;
  return folder.includes('.git') && folder.split('/').includes('.git');
}

/** Whether files of the tree and local files lie side by side in this folder, so that it must not be moved or removed as a whole. */
export function isMixedFolder(folder: string): boolean {
  return MIXED_FOLDERS.has(topOf(folder));
}

function topOf(path: string): string {
  const slash = path.indexOf('/');
  return slash < 0 ? path : path.slice(0, slash);
}
