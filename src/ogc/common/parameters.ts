import { type ExceptionCode, OgcException } from './exceptions.ts';

/**
 * Key-value parameters of a request. Names are without regard to case; a name that is repeated with the same value counts once
 * (clients add `SERVICE=WMS` to a URL that has it), with another value the parameter is refused when it is read.
 */
export class Parameters {
  readonly #values = new Map<string, readonly string[]>();

  /** @param sources  queries and form bodies, percent-encoded, without `?` */
  static parse(...sources: readonly string[]): Parameters {
    return Parameters.of(sources.flatMap((source) => [...new URLSearchParams(source)]));
  }

  static of(pairs: Iterable<readonly [string, string]>): Parameters {
    const parameters = new Parameters();
    for (const [name, value] of pairs) {
      const key = name.toUpperCase();
      const others = parameters.#values.get(key);
      if (others === undefined) parameters.#values.set(key, [value]);
      else if (!others.includes(value)) parameters.#values.set(key, [...others, value]);
    }
    return parameters;
  }

  /**
   * Value of a parameter as it came, without percent-encoding; undefined when it is not there.
   *
   * @param name  in capitals
   * @throws OgcException  it is there several times, with different values
   */
  get(name: string): string | undefined {
    const values = this.#values.get(name);
    if (values !== undefined && values.length > 1) {
      const message = `${name} is given ${values.length} times with different values; give it once`;
      throw new OgcException('InvalidParameterValue', message, { locator: name.toLowerCase() });
    }
    return values?.[0];
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** These parameters with some more; those that are here already stay. */
  with(pairs: Iterable<readonly [string, string]>): Parameters {
    const extended = new Parameters();
    for (const [name, values] of Parameters.of(pairs).#values) extended.#values.set(name, values);
    for (const [name, values] of this.#values) extended.#values.set(name, values);
    return extended;
  }
}

/** Reads a value; undefined when it is none of this type. */
export type ParameterType<T> = (text: string) => T | undefined;

/** How one parameter is read; one line of a request's table. */
export interface Parameter<T> {
  readonly name: string;
  readonly type: ParameterType<T>;
  /** What a missing or empty parameter stands for; a parameter without it must be there. */
  readonly absent?: { readonly value: T };
  readonly code: ExceptionCode;
  /** Ends the sentence `NAME must be ...`. */
  readonly expected: string;
}

/** A parameter that must be there. */
export function required<T>(name: string, type: ParameterType<T>, code: ExceptionCode, expected: string): Parameter<T> {
  return { name, type, code, expected };
}

/** A parameter that may be left out. */
export function optional<T, U>(
  name: string,
  type: ParameterType<T>,
  absent: U,
  code: ExceptionCode,
  expected: string,
): Parameter<T | U> {
  return { name, type, absent: { value: absent }, code, expected };
}

type Table = Readonly<Record<string, Parameter<unknown>>>;
export type TableValues<T extends Table> = { readonly [K in keyof T]: T[K] extends Parameter<infer V> ? V : never };

/**
 * Reads all parameters of a table.
 *
 * @throws OgcException  `MissingParameterValue`, or the code of the line, with the parameter as locator
 */
export function readTable<T extends Table>(table: T, parameters: Parameters): TableValues<T> {
  const values: Record<string, unknown> = {};
  for (const key in table) values[key] = readParameter(table[key]!, parameters);
  return values as TableValues<T>;
}

export function readParameter<T>(parameter: Parameter<T>, parameters: Parameters): T {
  const { name, type, absent, code, expected } = parameter;
  const locator = name.toLowerCase();
  const text = parameters.get(name);
  if (text === undefined || text.trim() === '') {
    if (absent !== undefined) return absent.value;
    throw new OgcException('MissingParameterValue', `${name} is missing; it must be ${expected}`, { locator });
  }
  const value = type(text);
  if (value !== undefined) return value;
  const shown = text.length > 100 ? `${text.slice(0, 100)}...` : text;
  throw new OgcException(code, `${name} must be ${expected}, not ${shown}`, { locator });
}

// ---- types

export const text: ParameterType<string> = (value) => value;

export const bool: ParameterType<boolean> = (value) => {
  switch (value.trim().toLowerCase()) {
    case 'true':
    case '1':
    case 'yes':
    case 'on':
      return true;
    case 'false':
    case '0':
    case 'no':
    case 'off':
      return false;
    default:
      return undefined;
  }
};

export const number: ParameterType<number> = (value) => {
  const parsed = Number(value.trim());
  return value.trim() !== '' && Number.isFinite(parsed) ? parsed : undefined;
};

/** Whole numbers from 1; `256.0` is one, as some clients compute sizes. */
export const count: ParameterType<number> = (value) => {
  const parsed = number(value);
  return parsed !== undefined && Number.isInteger(parsed) && parsed >= 1 ? parsed : undefined;
};

/** Parts between commas; empty parts count. */
export const list: ParameterType<readonly string[]> = (value) => value.split(',').map((part) => part.trim());

/** `a:b;c:d`; a colon or semicolon after a backslash belongs to the value. Names in lower case. */
export const pairs: ParameterType<Readonly<Record<string, string>>> = (value) => {
  const result: Record<string, string> = {};
  for (const part of splitOutside(value, ';')) {
    if (part.trim() === '') continue;
    const colon = part.search(/(?<!\\):/);
    // A flag without a value is on.
    const [key, rest] = colon === -1 ? [part, 'true'] : [part.slice(0, colon), part.slice(colon + 1)];
    result[key.trim().toLowerCase()] = rest.replace(/\\([:;])/g, '$1').trim();
  }
  return result;
};

/** `0xRRGGBB` or `#RRGGBB`, or just the digits; gives `#rrggbb`. */
export const color: ParameterType<string> = (value) => {
  const digits = /^(?:0x|#)?([0-9a-f]{6})$/i.exec(value.trim())?.[1];
  return digits && `#${digits.toLowerCase()}`;
};

/** Splits at a character that stands neither in quotes nor after a backslash. */
export function splitOutside(value: string, separator: string): string[] {
  const parts: string[] = [];
  let quote = '';
  let start = 0;
  for (let i = 0; i < value.length; i++) {
    const c = value[i]!;
    if (quote !== '') {
      if (c === quote) quote = '';
    } else if (c === '\\') i++;
    else if (c === "'" || c === '"') quote = c;
    else if (c === separator) {
      parts.push(value.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(value.slice(start));
  return parts;
}
