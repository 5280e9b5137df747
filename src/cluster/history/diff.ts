import { isUtf8 } from 'node:buffer';
import { structuredPatch } from 'diff';
import type { ContentHash, Position } from '../../tree/index.ts';
import type { ContentSource, Wanted } from './contents.ts';
import { isSecretFile, maskSecrets } from './secrets.ts';
import type { FileChange, FileVersion } from './types.ts';

/** Longer files are shown with size and hash only. */
const SHOWN_BYTES_MAX = 1024 * 1024;
/** Files that differ in more lines than this are shown as taken away and added as a whole. */
const EDITS_MAX = 4_000;
/** Files are compared in portions of so many bytes, so that a long diff needs little memory. */
const PORTION_BYTES = 8 * 1024 * 1024;
const CONTEXT_LINES = 3;

/**
 * Unified diffs, one text a file, as `git diff` writes them and `patch` reads them. Secrets are masked; of binary and long
 * files, size and hash are given.
 *
 * @param between  positions at which the files were as before, and as after
 */
export async function* formatDiff(
  files: readonly FileChange[],
  between: { readonly before: Position; readonly after: Position },
  contents: ContentSource,
): AsyncGenerator<string> {
  for (const portion of portions(files)) {
    const wanted: Wanted[] = [];
    for (const { path, from, before, after } of portion) {
      if (before && isShown(before)) wanted.push({ path: from ?? path, ...before, at: between.before });
      if (after && isShown(after)) wanted.push({ path, ...after, at: between.after });
    }
    const bytes = wanted.length > 0 ? await contents(wanted) : new Map<ContentHash, Uint8Array>();
    for (const file of portion) yield fileDiff(file, bytes);
  }
}

const isShown = ({ size }: FileVersion) => size <= SHOWN_BYTES_MAX;

function* portions(files: readonly FileChange[]): Generator<readonly FileChange[]> {
  let portion: FileChange[] = [];
  let bytes = 0;
  for (const file of files) {
    portion.push(file);
    // Nothing is read for a file whose bytes did not change.
    bytes += (file.before?.size ?? 0) + (file.after?.size ?? 0) + 500;
    if (bytes < PORTION_BYTES) continue;
    yield portion;
    portion = [];
    bytes = 0;
  }
  if (portion.length > 0) yield portion;
}

function fileDiff(file: FileChange, bytes: ReadonlyMap<ContentHash, Uint8Array>): string {
  const { path, from, before, after } = file;
  const lines = [`diff --git ${quoted(`a/${from ?? path}`)} ${quoted(`b/${path}`)}`];
  if (before === undefined) lines.push('new file mode 100644');
  if (after === undefined) lines.push('deleted file mode 100644');
  if (from !== undefined)
    lines.push(
      ...(before?.hash === after?.hash ? ['similarity index 100%'] : []),
      `rename from ${from}`,
      `rename to ${path}`,
    );
  if (before?.hash !== after?.hash) lines.push(...body(file, bytes));
  return `${lines.join('\n')}\n`;
}

function body(file: FileChange, bytes: ReadonlyMap<ContentHash, Uint8Array>): readonly string[] {
  const { path, from, before, after } = file;
  if (isSecretFile(path) || (from !== undefined && isSecretFile(from)))
    return ['Secret files differ; their contents are not shown'];
  const note = () => [`Binary files differ: ${described(before)} -> ${described(after)}`];
  const texts = [before, after].map((side) => (side === undefined ? undefined : textOf(side, bytes)));
  if ((before !== undefined && texts[0] === undefined) || (after !== undefined && texts[1] === undefined)) {
    const lost = [before, after].some((side) => side && isShown(side) && !bytes.has(side.hash));
    return lost ? [`Contents are no longer held: ${described(before)} -> ${described(after)}`] : note();
  }
  const [old, now] = maskSecrets(texts[0], texts[1]);
  if (old === now) return ['Only secrets differ'];
  const hunks = hunksOf(old ?? '', now ?? '');
  // Both empty, one of them absent.
  if (hunks.length === 0) return [];
  const oldName = before === undefined ? '/dev/null' : quoted(`a/${from ?? path}`);
  const newName = after === undefined ? '/dev/null' : quoted(`b/${path}`);
  return [`--- ${oldName}`, `+++ ${newName}`, ...hunks];
}

/** Undefined when it is not known, too long, or no text. */
function textOf({ hash, size }: FileVersion, bytes: ReadonlyMap<ContentHash, Uint8Array>): string | undefined {
  const content = bytes.get(hash);
  if (content === undefined || size > SHOWN_BYTES_MAX || content.includes(0) || !isUtf8(content)) return undefined;
  return Buffer.from(content.buffer, content.byteOffset, content.length).toString('utf8');
}

function hunksOf(before: string, after: string): readonly string[] {
  const patch =
    structuredPatch('', '', before, after, '', '', { context: CONTEXT_LINES, maxEditLength: EDITS_MAX }) ??
    replaced(before, after);
  return patch.hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
    `@@ -${range(oldStart, oldLines)} +${range(newStart, newLines)} @@`,
    ...lines,
  ]);
}

/** Everything taken away, everything added. */
function replaced(before: string, after: string) {
  const [old, now] = [linesOf(before, '-'), linesOf(after, '+')];
  const count = (lines: readonly string[]) => lines.filter((line) => !line.startsWith('\\')).length;
  return { hunks: [{ oldStart: 1, oldLines: count(old), newStart: 1, newLines: count(now), lines: [...old, ...now] }] };
}

function linesOf(text: string, sign: string): readonly string[] {
  if (text === '') return [];
  const lines = text.split('\n');
  const ended = lines.at(-1) === '';
  if (ended) lines.pop();
  return [...lines.map((line) => sign + line), ...(ended ? [] : ['\\ No newline at end of file'])];
}

/** An empty range is named by the line before it. */
function range(start: number, lines: number): string {
  return lines === 1 ? String(start) : `${lines === 0 ? Math.max(0, start - 1) : start},${lines}`;
}

function described(version: FileVersion | undefined): string {
  return version === undefined ? 'absent' : `${version.size} bytes, sha256 ${version.hash.slice(0, 16)}`;
}

/** As git does, so that a name cannot be taken for something else. */
function quoted(name: string): string {
  return /["\\\s]/.test(name) ? `"${name.replace(/["\\]/g, '\\$&')}"` : name;
}
