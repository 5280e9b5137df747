import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { DataError } from './types.ts';

/**
 * The file that a store's `url`, `database`, `directory` or `file` means. `file:x/y` and `x/y` are relative to the data
 * directory and percent-decoded when they are URLs; `file:///x`, `file:/x` and `/x` are the operator's own places.
 *
 * @throws DataError  `refused`: a relative path leads out of the data directory; `no-driver`: it is not a file's URL
 */
export function resolveFile(dataDir: string, location: string): string {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(location)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'file')
    throw new DataError('no-driver', `"${scheme}:" locations are not supported: only files can be read`);
  const text = scheme === 'file' ? decode(location.slice('file:'.length)) : location;
  if (text.includes('\0')) throw new DataError('refused', 'a file name has a NUL character in it');
  if (text.startsWith('//') && !text.startsWith('///') && scheme === 'file') {
    if (text.startsWith('//localhost/')) return path.normalize(text.slice('//localhost'.length));
    throw new DataError('no-driver', `"${location}" is on another host: mount it, and give its path here`);
  }
  if (text.startsWith('/')) return path.normalize(text.replace(/^\/+/, '/'));
  const root = path.resolve(dataDir);
  const file = path.resolve(root, text);
  if (file !== root && !file.startsWith(root + path.sep))
    throw new DataError('refused', `"${location}" leads out of the data directory: give an absolute path instead`);
  return file;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone % is a part of the name
  }
}

/** A file with a moment of its life: equal versions mean equal contents. */
export interface FileFacts {
  readonly path: string;
  readonly sizeBytes: number;
  readonly isFolder: boolean;
  /** Changes whenever the file is replaced or written to. */
  readonly version: string;
}

/** @returns undefined when there is no such file */
export function statFile(file: string): FileFacts | undefined {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  return {
    path: file,
    sizeBytes: Number(stat.size),
    isFolder: stat.isDirectory(),
    version: `${stat.mtimeNs.toString(36)}-${stat.size.toString(36)}-${stat.ino.toString(36)}`,
  };
}

/** @throws DataError  `not-found` */
export function requireFile(file: string): FileFacts {
  let facts: FileFacts | undefined;
  try {
    facts = statFile(file);
  } catch (error) {
    throw new DataError('unreachable', `${file} cannot be read`, { cause: error });
  }
  if (facts === undefined) throw new DataError('not-found', `there is no file ${file}`);
  return facts;
}

/** Text of a small file beside the data (`.prj`, `.cpg`, world file); undefined when it is not there, or too large to be one. */
export function readSidecar(file: string, bytesMax = 1024 * 1024): string | undefined {
  const facts = statFile(file);
  if (facts === undefined || facts.isFolder || facts.sizeBytes > bytesMax) return undefined;
  return readFileSync(file, 'utf8');
}

/** Name of a file without folder and extension. */
export function baseName(file: string): string {
  return path.basename(file, path.extname(file));
}

/** A file's path with another extension, in whichever letter case it exists; the lower-case one when none does. */
export function sibling(file: string, extension: string): string {
  const stem = file.slice(0, file.length - path.extname(file).length);
  const lower = `${stem}.${extension}`;
  if (statFile(lower) !== undefined) return lower;
  const upper = `${stem}.${extension.toUpperCase()}`;
  return statFile(upper) === undefined ? lower : upper;
}
