/**
 * Mapnik's expressions. They are typed: `[n] = '12'` does not hold for a number, so literals are cast to the type of the
 * column that they meet; `/` divides whole numbers without a rest, so one side is made a double.
 */

import {
  type Evaluated,
  type Expression,
  evaluateExpression,
  isFunction,
  isGeometryFunction,
  localName,
  propertiesOf,
  toNumber,
  toText,
  type Value,
} from '../../data/filter/index.ts';
import type { AttributeType } from '../../data/index.ts';
import { type CompileContext, Untranslatable } from './context.ts';

export type ValueType = 'number' | 'text' | 'boolean' | 'date' | 'unknown';

/** An expression in Mapnik's language. */
export interface Translated {
  readonly text: string;
  readonly type: ValueType;
}

const NOTHING: Evaluated = { properties: {} };

/** Functions whose value does not follow from their arguments alone. */
const IMPURE = new Set(['id', 'iscoverage', 'property', 'propertyexists']);

function isImpure(name: string): boolean {
  return IMPURE.has(name) || !isFunction(name) || isGeometryFunction(name);
}

/**
 * The expression with everything worked out that does not depend on the feature: environment variables, constant
 * functions, attributes that the source does not have (null).
 */
export function fold(expression: Expression, context: CompileContext): Expression {
  switch (expression.kind) {
    case 'literal':
    case 'geometry':
      return expression;
    case 'property':
      return expression.name !== '' &&
        column(expression.name, context) === undefined &&
        !isGeometry(expression.name, context)
        ? { kind: 'literal', value: null }
        : expression;
    case 'arithmetic': {
      const folded = { ...expression, left: fold(expression.left, context), right: fold(expression.right, context) };
      return work(folded, context);
    }
    case 'function': {
      const name = expression.name.toLowerCase();
      if (name === 'iscoverage') return { kind: 'literal', value: context.source.kind === 'raster' };
      const folded = { ...expression, arguments: expression.arguments.map((a) => fold(a, context)) };
      return isImpure(name) ? folded : work(folded, context);
    }
  }
}

function work(expression: Expression, context: CompileContext): Expression {
  if (propertiesOf(expression).size > 0 || hasImpure(expression)) return expression;
  try {
    const value = evaluateExpression(expression, NOTHING, { env: context.env });
    return isPlain(value) ? { kind: 'literal', value } : expression;
  } catch {
    return expression;
  }
}

function isPlain(value: Value): value is string | number | bigint | boolean | Date | null {
  return value === null || typeof value !== 'object' || value instanceof Date;
}

function hasImpure(expression: Expression): boolean {
  if (expression.kind === 'arithmetic') return hasImpure(expression.left) || hasImpure(expression.right);
  if (expression.kind !== 'function') return expression.kind === 'geometry';
  return isImpure(expression.name.toLowerCase()) || expression.arguments.some(hasImpure);
}

function isGeometry(property: string, context: CompileContext): boolean {
  const name = localName(property);
  return context.source.attributes?.some((a) => a.name === name && a.type === 'geometry') ?? false;
}

/** The column that a property means; undefined when the source has none of that name. */
export function column(property: string, context: CompileContext): AttributeType | undefined {
  const name = localName(property);
  const attributes = context.source.attributes;
  if (attributes === undefined) return { name, type: 'string', nillable: true };
  return attributes.find((a) => a.name === name && a.type !== 'geometry');
}

function columnType(attribute: AttributeType, context: CompileContext): ValueType {
  if (context.source.attributes === undefined) return 'unknown';
  switch (attribute.type) {
    case 'integer':
    case 'long':
    case 'double':
      return 'number';
    case 'string':
      return 'text';
    case 'boolean':
      return 'boolean';
    case 'date':
    case 'dateTime':
    case 'time':
      return 'date';
    default:
      throw new Untranslatable(`the attribute ${attribute.name}, which is ${attribute.type}`);
  }
}

/** A text in quotes. */
export function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\r', '')}'`;
}

export function numberText(value: number): string {
  if (!Number.isFinite(value)) throw new Untranslatable('a number without end');
  // Mapnik's parser takes no exponents like 1e+21.
  const text = String(value);
  return text.includes('e') ? value.toFixed(20).replace(/\.?0+$/, '') || '0' : text;
}

/**
 * Translates an expression that `fold` has simplified.
 *
 * @throws Untranslatable  there is nothing like it in Mapnik
 */
export function translate(expression: Expression, context: CompileContext): Translated {
  switch (expression.kind) {
    case 'literal':
      return literal(expression.value);
    case 'property': {
      const attribute = column(expression.name, context);
      if (attribute === undefined) {
        if (isGeometry(expression.name, context)) throw new Untranslatable('a geometry');
        return { text: 'null', type: 'unknown' };
      }
      if (/[\]\\]/.test(attribute.name)) throw new Untranslatable(`the attribute name ${attribute.name}`);
      return { text: `[${attribute.name}]`, type: columnType(attribute, context) };
    }
    case 'arithmetic': {
      const left = asNumber(expression.left, context);
      const right = asNumber(expression.right, context);
      return {
        text: expression.operator === '/' ? `(1.0*${left}/${right})` : `(${left}${expression.operator}${right})`,
        type: 'number',
      };
    }
    case 'function':
      return translateFunction(expression, context);
    case 'geometry':
      throw new Untranslatable('a geometry');
  }
}

function literal(value: string | number | bigint | boolean | Date | null): Translated {
  if (value === null) return { text: 'null', type: 'unknown' };
  if (typeof value === 'number') return { text: numberText(value), type: 'number' };
  if (typeof value === 'bigint') return { text: String(value), type: 'number' };
  if (typeof value === 'boolean') return { text: String(value), type: 'boolean' };
  if (value instanceof Date) return { text: quote(value.toISOString()), type: 'date' };
  return { text: quote(value), type: 'text' };
}

/** As a number, in parentheses where needed. */
export function asNumber(expression: Expression, context: CompileContext): string {
  if (expression.kind === 'literal') {
    const value = expression.value === null ? Number.NaN : toNumber(expression.value);
    if (Number.isNaN(value))
      throw new Untranslatable(`${JSON.stringify(toText(expression.value))} where a number is needed`);
    return value < 0 ? `(${numberText(value)})` : numberText(value);
  }
  const { text, type } = translate(expression, context);
  return type === 'number' ? text : `float(${text})`;
}

/** As a text; null counts as an empty one. */
export function asText(expression: Expression, context: CompileContext): string {
  if (expression.kind === 'literal') return quote(toText(expression.value));
  const { text, type } = translate(expression, context);
  return type === 'text' ? text : type === 'number' ? `str(${text})` : text;
}

type FunctionReader = (args: readonly Expression[], context: CompileContext) => Translated;

const numeric = (text: string): Translated => ({ text, type: 'number' });
const textual = (text: string): Translated => ({ text, type: 'text' });
const direct =
  (name: string): FunctionReader =>
  ([x], c) =>
    numeric(`${name}(${asNumber(needed(x), c)})`);
const chain =
  (name: 'min' | 'max'): FunctionReader =>
  (args, c) =>
    numeric(args.map((a) => asNumber(a, c)).reduce((a, b) => `${name}(${a},${b})`));
const concatenate: FunctionReader = (args, c) =>
  textual(args.length === 0 ? "''" : `(${["''", ...args.map((a) => asText(a, c))].join('+')})`);
const passed =
  (type: ValueType): FunctionReader =>
  ([x], c) => ({ text: type === 'number' ? asNumber(needed(x), c) : asText(needed(x), c), type });
const RADIANS = String(Math.PI / 180);

const FUNCTIONS: Readonly<Record<string, FunctionReader>> = {
  abs: direct('abs'),
  sin: direct('sin'),
  cos: direct('cos'),
  tan: direct('tan'),
  atan: direct('atan'),
  exp: direct('exp'),
  log: direct('log'),
  sqrt: ([x], c) => numeric(`pow(${asNumber(needed(x), c)},0.5)`),
  pow: ([x, y], c) => numeric(`pow(${asNumber(needed(x), c)},${asNumber(needed(y), c)})`),
  min: chain('min'),
  max: chain('max'),
  modulo: ([x, y], c) => numeric(`(int(${asNumber(needed(x), c)}) % int(${asNumber(needed(y), c)}))`),
  todegrees: ([x], c) => numeric(`(${asNumber(needed(x), c)}/${RADIANS})`),
  toradians: ([x], c) => numeric(`(${asNumber(needed(x), c)}*${RADIANS})`),
  // int() cuts towards zero; a negative number that is not whole goes one further down.
  floor: ([x], c) => floor(asNumber(needed(x), c)),
  round: ([x], c) => floor(`(${asNumber(needed(x), c)}+0.5)`),
  rint: ([x], c) => floor(`(${asNumber(needed(x), c)}+0.5)`),
  ceil: ([x], c) => numeric(`(-${floor(`(-1.0*${asNumber(needed(x), c)})`).text})`),
  parseint: ([x], c) => numeric(`int(${asNumber(needed(x), c)})`),
  parselong: ([x], c) => numeric(`int(${asNumber(needed(x), c)})`),
  parsedouble: passed('number'),
  int2ddouble: passed('number'),
  concatenate,
  strconcat: concatenate,
  strlength: ([x], c) => numeric(`length(${asText(needed(x), c)})`),
  strtrim: ([x], c) => textual(`(${asText(needed(x), c)}).replace('^\\\\s+|\\\\s+$','')`),
  strsubstring: ([x, begin, end], c) => substring(needed(x), begin, end, c),
  strsubstringstart: ([x, begin], c) => substring(needed(x), begin, undefined, c),
  strreplace: ([x, pattern, replacement], c) => {
    if (pattern?.kind !== 'literal' || replacement?.kind !== 'literal')
      throw new Untranslatable('strReplace of attributes');
    return textual(
      `(${asText(needed(x), c)}).replace(${quote(toText(pattern.value))},${quote(toText(replacement.value))})`,
    );
  },
};
FUNCTIONS satisfies Record<string, FunctionReader>;

for (const name of ['min', 'max', 'abs', 'round']) {
  for (const n of [2, 3, 4]) (FUNCTIONS as Record<string, FunctionReader>)[`${name}_${n}`] = FUNCTIONS[name]!;
}

function floor(x: string): Translated {
  return numeric(`(int(${x})-(${x} < int(${x})))`);
}

function substring(
  x: Expression,
  begin: Expression | undefined,
  end: Expression | undefined,
  c: CompileContext,
): Translated {
  const from = begin?.kind === 'literal' ? toNumber(begin.value) : Number.NaN;
  const to = end === undefined ? undefined : end.kind === 'literal' ? toNumber(end.value) : Number.NaN;
  if (!Number.isInteger(from) || from < 0 || (to !== undefined && !(Number.isInteger(to) && to >= from)))
    throw new Untranslatable('strSubstring whose ends are not constant');
  const kept = to === undefined ? '.*' : `.{0,${to - from}}`;
  return textual(`(${asText(x, c)}).replace('^.{0,${from}}(${kept}).*$','$1')`);
}

function needed(expression: Expression | undefined): Expression {
  if (expression === undefined) throw new Untranslatable('a function with too few arguments');
  return expression;
}

function translateFunction(call: Extract<Expression, { kind: 'function' }>, context: CompileContext): Translated {
  const reader = FUNCTIONS[call.name.toLowerCase()];
  if (reader === undefined) throw new Untranslatable(`the function ${call.name}`);
  return reader(call.arguments, context);
}
