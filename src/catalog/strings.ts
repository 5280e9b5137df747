/**
 * Strings cut from a file's text keep the whole text alive in V8, and files of one directory repeat the same few texts
 * thousands of times. Both cost more memory than the catalog itself.
 */

/** Shorter cuts are copied by V8 anyway. */
const SLICED_LENGTH_MIN = 13;

/** Beyond this many texts the table starts anew; sharing is an economy, nothing depends on it. */
const SHARED_MAX = 100_000;

const shared = new Map<string, string>();

/** The same text with storage of its own. */
export function flat(text: string): string {
  return text.length < SLICED_LENGTH_MIN ? text : Buffer.from(text, 'utf8').toString('utf8');
}

/** The same text, one copy for all who ask for it: for CRS definitions, codes, ids that are referred to. */
export function intern(text: string): string {
  const known = shared.get(text);
  if (known !== undefined) return known;
  if (shared.size >= SHARED_MAX) shared.clear();
  const copy = flat(text);
  shared.set(copy, copy);
  return copy;
}

/** One array for all that are empty. */
export const NOTHING: readonly never[] = Object.freeze([]);
