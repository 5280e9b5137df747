import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { messageOf, UserError } from '../../base/index.ts';
import { parseProperties } from '../../security/index.ts';

/** Longest file that is read, in bytes. */
const BYTES_MAX = 1024 * 1024;

/**
 * Text of a properties file, one character a byte (ISO 8859-1, as Java has it); undefined when there is no file.
 *
 * @throws UserError  it cannot be read
 */
export function readPropertiesText(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  try {
    if (statSync(file).size > BYTES_MAX) throw new Error(`it is larger than ${BYTES_MAX} bytes`);
    return readFileSync(file, 'latin1');
  } catch (cause) {
    throw new UserError(400, 'settings-unreadable', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

export function propertiesOf(text: string): Map<string, string> {
  return parseProperties(Buffer.from(text, 'latin1'));
}

/**
 * The text with some values changed: everything else, comments and order included, stays as it is. A key that is new comes last;
 * `undefined` takes a key away. When a key is there several times, its last line counts, and is the one that changes.
 */
export function editProperties(text: string, changes: ReadonlyMap<string, string | undefined>): string {
  const lines = logicalLines(text);
  const lastLineOf = new Map<string, number>();
  lines.forEach(({ key }, index) => {
    if (key !== undefined) lastLineOf.set(key, index);
  });
  const newline = /\r\n/.test(text) ? '\r\n' : '\n';
  const kept = lines.flatMap(({ key, text: line }, index) => {
    if (key === undefined || !changes.has(key)) return [line];
    const value = changes.get(key);
    if (value === undefined) return [];
    return lastLineOf.get(key) === index ? [`${entryLine(key, value)}${newline}`] : [line];
  });
  let edited = kept.join('');
  for (const [key, value] of changes) {
    if (value === undefined || lastLineOf.has(key)) continue;
    if (edited !== '' && !/[\r\n]$/.test(edited)) edited += newline;
    edited += `${entryLine(key, value)}${newline}`;
  }
  return edited;
}

interface LogicalLine {
  /** As it stands, with its ends of line. */
  readonly text: string;
  /** Absent for comments and empty lines. */
  readonly key?: string;
}

function logicalLines(text: string): LogicalLine[] {
  const lines: LogicalLine[] = [];
  let open = '';
  for (const natural of text.match(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$/g) ?? []) {
    const isComment = open === '' && /^[ \t\f]*(?:[#!]|[\r\n]|$)/.test(natural);
    if (isComment) {
      lines.push({ text: natural });
      continue;
    }
    open += natural;
    if (/(?:^|[^\\])(?:\\\\)*\\(?:\r\n|\r|\n)$/.test(natural)) continue;
    lines.push({ text: open, key: propertiesOf(open).keys().next().value });
    open = '';
  }
  if (open !== '') lines.push({ text: open, key: propertiesOf(open).keys().next().value });
  return lines;
}

function entryLine(key: string, value: string): string {
  return `${escaped(key).replace(/[=: #!]/g, '\\$&')}=${escaped(value).replace(/^[ #!=:]/, '\\$&')}`;
}

function escaped(text: string): string {
  return text.replace(/[\\\n\r\t\f]|[^\x20-\x7e]/g, (character) => {
    const short = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\f': '\\f' }[character];
    return short ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** A file that is written, and not yet in its place. */
export interface PreparedFile {
  /** Puts it in its place. */
  commit(): void;
  discard(): void;
}

/**
 * Writes the new content beside the file, so that only a rename is left to be done.
 *
 * @throws UserError  the folder cannot be written to
 */
export function prepareProperties(file: string, text: string): PreparedFile {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.tmp`);
  const failed = (cause: unknown) =>
    new UserError(500, 'settings-unwritable', `${file} cannot be written: ${messageOf(cause)}; nothing was changed`, {
      cause,
    });
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    // A broker's URL may hold a password.
    const mode = existsSync(file) ? statSync(file).mode & 0o777 : 0o600;
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, 'wx', mode);
    try {
      writeSync(fd, text, null, 'latin1');
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw failed(cause);
  }
  return {
    commit: () => {
      try {
        renameSync(temporary, file);
      } catch (cause) {
        rmSync(temporary, { force: true });
        throw failed(cause);
      }
    },
    discard: () => rmSync(temporary, { force: true }),
  };
}
