import type { Filter } from './types.ts';

export type Like = Extract<Filter, { kind: 'like' }>;

export type LikePart = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'any' | 'one' };

/** The pattern of a `like` taken apart: literal runs, any run, one character. */
export function likeParts(like: Pick<Like, 'pattern' | 'wildcard' | 'single' | 'escape'>): LikePart[] {
  const parts: LikePart[] = [];
  let text = '';
  const flush = () => {
    if (text !== '') parts.push({ kind: 'text', text });
    text = '';
  };
  for (let i = 0; i < like.pattern.length; ) {
    if (like.escape !== '' && like.pattern.startsWith(like.escape, i) && i + like.escape.length < like.pattern.length) {
      i += like.escape.length;
      text += like.pattern[i++]!;
    } else if (like.wildcard !== '' && like.pattern.startsWith(like.wildcard, i)) {
      flush();
      parts.push({ kind: 'any' });
      i += like.wildcard.length;
    } else if (like.single !== '' && like.pattern.startsWith(like.single, i)) {
      flush();
      parts.push({ kind: 'one' });
      i += like.single.length;
    } else text += like.pattern[i++]!;
  }
  flush();
  return parts;
}

/** The pattern as the source of a regular expression for a full match, without anchors. */
export function likeRegex(like: Pick<Like, 'pattern' | 'wildcard' | 'single' | 'escape'>): string {
  return likeParts(like)
    .map((part) =>
      part.kind === 'text' ? part.text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&') : part.kind === 'any' ? '.*' : '.',
    )
    .join('');
}

/** The pattern in SQL's form: `%`, `_`, escaped by a backslash. */
export function likeSql(like: Pick<Like, 'pattern' | 'wildcard' | 'single' | 'escape'>): string {
  return likeParts(like)
    .map((part) => (part.kind === 'text' ? part.text.replace(/[\\%_]/g, '\\$&') : part.kind === 'any' ? '%' : '_'))
    .join('');
}

/** Whether the whole text is of the pattern. Takes time of text times pattern at worst, however many wildcards. */
export function likeMatches(like: Like, text: string): boolean {
  const fold = (s: string) => (like.matchCase ? s : s.toLowerCase());
  const want: (string | null | undefined)[] = [];
  for (const part of likeParts(like)) {
    // A character, null for any one, undefined for any run.
    if (part.kind === 'text') want.push(...fold(part.text));
    else want.push(part.kind === 'one' ? null : undefined);
  }
  const have = [...fold(text)];
  let [w, h, star, mark] = [0, 0, -1, 0];
  while (h < have.length) {
    if (w < want.length && want[w] !== undefined && (want[w] === null || want[w] === have[h])) {
      w++;
      h++;
    } else if (w < want.length && want[w] === undefined) {
      star = w++;
      mark = h;
    } else if (star !== -1) {
      w = star + 1;
      h = ++mark;
    } else return false;
  }
  while (w < want.length && want[w] === undefined) w++;
  return w === want.length;
}
