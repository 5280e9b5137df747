import { FilterError } from './types.ts';

export type Token =
  | { readonly kind: 'word'; readonly text: string; readonly at: number; readonly quoted: boolean }
  | { readonly kind: 'string' | 'number' | 'date' | 'duration'; readonly text: string; readonly at: number }
  | { readonly kind: 'symbol'; readonly text: string; readonly at: number }
  | { readonly kind: 'end'; readonly text: ''; readonly at: number };

const SPACE = /\s+/y;
const DATE = /\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?|Z)?(?![\w.])/y;
const DURATION = /P(?=\d|T\d)(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?(?![\w.])/y;
const NUMBER = /(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/y;
const WORD = /[\p{L}_@$][\p{L}\p{N}_.:@$]*/uy;
const SYMBOL = /<>|!=|<=|>=|[=<>(),+\-*/;[\]]/y;
const STRING = /'((?:[^']|'')*)'/y;
const QUOTED = /"((?:[^"\\]|\\.|"")*)"/y;

/** The token at this offset, and where the next one may begin. */
export function tokenAt(text: string, offset: number): { token: Token; end: number } {
  const at = skip(text, offset);
  if (at >= text.length) return { token: { kind: 'end', text: '', at }, end: at };
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  for (const [pattern, kind] of LITERALS) {
    const found = match(pattern);
    if (found !== null) return { token: { kind, text: found[0], at }, end: at + found[0].length };
  }
  const string = match(STRING);
  if (string !== null)
    return { token: { kind: 'string', text: string[1]!.replaceAll("''", "'"), at }, end: at + string[0].length };
  const quoted = match(QUOTED);
  if (quoted !== null) {
    const name = quoted[1]!.replaceAll('""', '"').replace(/\\(.)/g, '$1');
    return { token: { kind: 'word', text: name, at, quoted: true }, end: at + quoted[0].length };
  }
  const word = match(WORD);
  if (word !== null) return { token: { kind: 'word', text: word[0], at, quoted: false }, end: at + word[0].length };
  const symbol = match(SYMBOL);
  if (symbol !== null) return { token: { kind: 'symbol', text: symbol[0], at }, end: at + symbol[0].length };
  const problem = text[at] === "'" || text[at] === '"' ? 'a quote is not closed' : `unexpected '${text[at]}'`;
  throw new FilterError(`${problem} at character ${at + 1}`, at);
}

const LITERALS = [
  [DATE, 'date'],
  [DURATION, 'duration'],
  [NUMBER, 'number'],
] as const;

function skip(text: string, offset: number): number {
  SPACE.lastIndex = offset;
  return SPACE.test(text) ? SPACE.lastIndex : offset;
}
