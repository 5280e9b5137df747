/** A logical line of a properties file: continuation lines are part of it. */
export interface Line {
  readonly text: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes, with continuations, without the end of the line. */
  readonly length: number;
}

/** Lines that say something: no blank ones, no comments (`#`, `!`). A line that ends with a backslash goes on in the next. */
export function* linesOf(bytes: Buffer): Generator<Line> {
  for (let at = 0; at < bytes.length; ) {
    const offset = at;
    let end = endOfLine(bytes, at);
    at = nextLine(bytes, end);
    const first = bytes.toString('utf8', offset, end).trimStart();
    if (first === '' || first.startsWith('#') || first.startsWith('!')) continue;
    while (isContinued(bytes, end) && at < bytes.length) {
      end = endOfLine(bytes, at);
      at = nextLine(bytes, end);
    }
    yield { text: joinLines(bytes.toString('utf8', offset, end)), offset, length: end - offset };
  }
}

/** The one line in these bytes, with continuations joined. */
export function joinLines(text: string): string {
  return text.replace(/(?<!\\)((?:\\\\)*)\\\r?\n[ \t]*/g, '$1').trimStart();
}

function endOfLine(bytes: Buffer, from: number): number {
  const end = bytes.indexOf(0x0a, from);
  if (end === -1) return bytes.length;
  return end > from && bytes[end - 1] === 0x0d ? end - 1 : end;
}

function nextLine(bytes: Buffer, end: number): number {
  return bytes[end] === 0x0d ? end + 2 : end + 1;
}

function isContinued(bytes: Buffer, end: number): boolean {
  let backslashes = 0;
  while (end - 1 - backslashes >= 0 && bytes[end - 1 - backslashes] === 0x5c) backslashes++;
  return backslashes % 2 === 1;
}

/**
 * Values of a line after its `=`, between `|`. A backslash takes away the meaning of the next character, and writes what
 * Java's properties write with it: `\n`, `\t`, `\u00e9`.
 */
export function splitValues(text: string): string[] {
  const values: string[] = [];
  let value = '';
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === '|') {
      values.push(value);
      value = '';
    } else if (character === '\\' && i + 1 < text.length) {
      const next = text[++i]!;
      const code = next === 'u' ? /^[0-9a-fA-F]{4}/.exec(text.slice(i + 1, i + 5))?.[0] : undefined;
      if (code !== undefined) {
        value += String.fromCharCode(Number.parseInt(code, 16));
        i += 4;
      } else value += { n: '\n', t: '\t', r: '\r', f: '\f' }[next] ?? next;
    } else value += character;
  }
  values.push(value);
  return values;
}
