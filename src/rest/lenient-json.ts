/**
 * A reader for the JSON that clients of GeoServer really send: besides RFC 8259 it takes single quotes, unquoted words,
 * and `=` or `;` for `:` and `,`, as the parser of Jettison does. Numbers keep their text, so nothing is rounded.
 */

export type LenientJson = string | LenientNumber | boolean | null | LenientJson[] | LenientObject;

/** Keys in the order of the text. A map, so that no key has a meaning of its own (`__proto__`). */
export type LenientObject = Map<string, LenientJson>;

/** A number as it was written. */
export class LenientNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The text is not JSON, not even leniently. */
export class JsonError extends Error {
  /** Line of the error, from 1. */
  readonly line: number;
  /** Column of the error in UTF-16 units, from 1. */
  readonly column: number;

  constructor(message: string, source: string, offset: number) {
    const before = source.slice(0, offset).split('\n');
    const line = before.length;
    const column = before.at(-1)!.length + 1;
    super(`${message} (line ${line}, column ${column})`);
    this.name = 'JsonError';
    this.line = line;
    this.column = column;
  }
}

const DEPTH_MAX = 100;

/** @throws JsonError  with line and column */
export function parseLenientJson(source: string): LenientJson {
  const reader = new Reader(source);
  const value = reader.value(0);
  reader.end();
  return value;
}

const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

class Reader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
    if (source.charCodeAt(0) === 0xfeff) this.#at = 1;
  }

  value(depth: number): LenientJson {
    if (depth > DEPTH_MAX) throw this.#error(`nested deeper than ${DEPTH_MAX} values`);
    this.#space();
    const c = this.#source[this.#at];
    switch (c) {
      case undefined:
        throw this.#error('the text ends where a value is expected');
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
      case "'":
        return this.#quoted(c);
      default:
        return this.#word();
    }
  }

  end(): void {
    this.#space();
    if (this.#at < this.#source.length) throw this.#error('there is more text after the value');
  }

  #object(depth: number): LenientObject {
    const object: LenientObject = new Map();
    this.#at++;
    for (;;) {
      this.#space();
      if (this.#take('}')) return object;
      const start = this.#at;
      const c = this.#source[this.#at];
      const key = c === '"' || c === "'" ? this.#quoted(c) : this.#bare();
      if (key === '') throw this.#error('a key is expected', start);
      this.#space();
      if (this.#take('=')) this.#take('>');
      else if (!this.#take(':')) throw this.#error(`a colon is expected after the key "${key}"`);
      if (object.has(key)) throw this.#error(`the key "${key}" is there twice`, start);
      object.set(key, this.value(depth + 1));
      this.#space();
      if (this.#take(',') || this.#take(';')) continue;
      if (this.#take('}')) return object;
      throw this.#error('a comma or } is expected');
    }
  }

  #array(depth: number): LenientJson[] {
    const array: LenientJson[] = [];
    this.#at++;
    for (;;) {
      this.#space();
      if (this.#take(']')) return array;
      array.push(this.value(depth + 1));
      this.#space();
      if (this.#take(',') || this.#take(';')) continue;
      if (this.#take(']')) return array;
      throw this.#error('a comma or ] is expected');
    }
  }

  #quoted(quote: string): string {
    const start = this.#at++;
    let text = '';
    for (;;) {
      const c = this.#source[this.#at++];
      if (c === undefined) throw this.#error('a text is not closed', start);
      if (c === quote) return text;
      if (c !== '\\') {
        text += c;
        continue;
      }
      const escaped = this.#source[this.#at++];
      if (escaped === undefined) throw this.#error('a text is not closed', start);
      if (escaped !== 'u') {
        text += ESCAPES[escaped] ?? escaped;
        continue;
      }
      const hex = this.#source.slice(this.#at, this.#at + 4);
      if (!/^[0-9A-Fa-f]{4}$/.test(hex)) throw this.#error('\\u needs four hexadecimal digits');
      text += String.fromCharCode(Number.parseInt(hex, 16));
      this.#at += 4;
    }
  }

  #word(): LenientJson {
    const start = this.#at;
    const text = this.#bare();
    if (text === '') throw this.#error('a value is expected', start);
    if (text === 'true') return true;
    if (text === 'false') return false;
    if (text === 'null') return null;
    return NUMBER.test(text) ? new LenientNumber(text) : text;
  }

  /** Text up to the next delimiter, without the white space at its end. */
  #bare(): string {
    const start = this.#at;
    while (this.#at < this.#source.length && !/[,:\]}"[{;=\n]/.test(this.#source[this.#at]!)) this.#at++;
    return this.#source.slice(start, this.#at).trim();
  }

  #space(): void {
    while (/\s/.test(this.#source[this.#at] ?? '')) this.#at++;
  }

  #take(c: string): boolean {
    if (this.#source[this.#at] !== c) return false;
    this.#at++;
    return true;
  }

  #error(message: string, offset = this.#at): JsonError {
    return new JsonError(message, this.#source, offset);
  }
}
