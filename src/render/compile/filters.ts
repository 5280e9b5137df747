import { unreachable } from '../../base/index.ts';
import {
  compareValues,
  type Expression,
  equalValues,
  type Filter,
  type Like,
  likeMatches,
  likeRegex,
  localName,
  toDate,
  toNumber,
  toText,
} from '../../data/filter/index.ts';
import { type CompileContext, Untranslatable } from './context.ts';
import { asNumber, asText, column, fold, quote, type Translated, translate } from './expressions.ts';

/**
 * Translates a condition.
 *
 * @returns true or false when it does not depend on the feature
 * @throws Untranslatable  Mapnik cannot test it: spatial conditions, ids, functions it lacks
 */
export function translateFilter(filter: Filter, context: CompileContext): string | boolean {
  switch (filter.kind) {
    case 'include':
      return true;
    case 'exclude':
      return false;
    case 'and':
    case 'or':
      return junction(filter, context);
    case 'not': {
      const inner = translateFilter(filter.filter, context);
      return typeof inner === 'boolean' ? !inner : `not (${inner})`;
    }
    case 'comparison':
      return comparison(filter, context);
    case 'like':
      return like(filter, context);
    case 'between': {
      const { value, lower, upper } = filter;
      return junction(
        {
          kind: 'and',
          filters: [
            { kind: 'comparison', operator: '>=', left: value, right: lower, matchCase: true },
            { kind: 'comparison', operator: '<=', left: value, right: upper, matchCase: true },
          ],
        },
        context,
      );
    }
    case 'null': {
      const value = fold(filter.value, context);
      if (value.kind === 'literal') return value.value === null;
      return `${translate(value, context).text} = null`;
    }
    case 'ids':
      throw new Untranslatable('a condition on feature ids');
    case 'bbox':
    case 'spatial':
    case 'distance':
    case 'relate':
      throw new Untranslatable('a spatial condition');
    case 'temporal':
      return temporal(filter, context);
    default:
      return unreachable(filter);
  }
}

function junction(filter: Extract<Filter, { kind: 'and' | 'or' }>, context: CompileContext): string | boolean {
  const isAnd = filter.kind === 'and';
  const merged = isAnd ? undefined : oneOf(filter.filters, context);
  if (merged !== undefined) return merged;
  const parts: string[] = [];
  for (const inner of filter.filters) {
    const part = translateFilter(inner, context);
    if (typeof part === 'string') parts.push(`(${part})`);
    else if (part !== isAnd) return part;
  }
  return parts.length === 0 ? isAnd : balanced(parts, filter.kind);
}

/** Nests a long chain as a tree: Mapnik's parser and evaluation go as deep as the chain is long. */
function balanced(parts: readonly string[], word: string): string {
  if (parts.length <= 4) return parts.join(` ${word} `);
  const middle = parts.length >> 1;
  return `(${balanced(parts.slice(0, middle), word)}) ${word} (${balanced(parts.slice(middle), word)})`;
}

const MANY = 12;

/** Many `a = 'x'` on one text attribute are one regular expression, which is much quicker to parse. */
function oneOf(filters: readonly Filter[], context: CompileContext): string | undefined {
  if (filters.length < MANY) return undefined;
  const words: string[] = [];
  let subject: string | undefined;
  for (const f of filters) {
    if (f.kind !== 'comparison' || f.operator !== '=' || !f.matchCase) return undefined;
    if (f.left.kind !== 'property' || f.right.kind !== 'literal' || typeof f.right.value !== 'string') return undefined;
    const left = translate(fold(f.left, context), context);
    if (left.type !== 'text' || (subject !== undefined && subject !== left.text)) return undefined;
    subject = left.text;
    words.push(regexEscape(f.right.value));
  }
  return `${subject}.match(${quote(words.join('|'))})`;
}

function regexEscape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

const FLIPPED = { '=': '=', '<>': '<>', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;
const OPERATORS = { '=': '=', '<>': '!=', '<': '<', '<=': '<=', '>': '>', '>=': '>=' } as const;

/** Mapnik calculates with null as if it were 0 or 1; here as in SQL the result is null, which equals nothing. */
function comparison(filter: Extract<Filter, { kind: 'comparison' }>, context: CompileContext): string | boolean {
  const test = compareSides(filter, context);
  if (typeof test === 'boolean') return test;
  const names = new Set<string>();
  for (const side of [filter.left, filter.right]) calculated(fold(side, context), false, names);
  const columns = [...names]
    .filter((name) => column(name, context) !== undefined)
    .map((name) => translate({ kind: 'property', name }, context).text);
  if (columns.length === 0) return test;
  return filter.operator === '<>'
    ? `${columns.map((c) => `(${c} = null)`).join(' or ')} or (${test})`
    : `${columns.map((c) => `(${c} != null)`).join(' and ')} and (${test})`;
}

/** Attributes that something is calculated from; joining texts takes null for nothing. */
function calculated(expression: Expression, inside: boolean, names: Set<string>): void {
  if (expression.kind === 'property') {
    if (inside) names.add(localName(expression.name));
  } else if (expression.kind === 'arithmetic') {
    calculated(expression.left, true, names);
    calculated(expression.right, true, names);
  } else if (expression.kind === 'function' && conditionOf(expression) === undefined) {
    const joins = /^(concatenate|strconcat)$/i.test(expression.name);
    for (const argument of expression.arguments) calculated(argument, !joins, names);
  }
}

function compareSides(filter: Extract<Filter, { kind: 'comparison' }>, context: CompileContext): string | boolean {
  let { operator } = filter;
  let left = fold(filter.left, context);
  let right = fold(filter.right, context);
  if (left.kind === 'literal' && right.kind !== 'literal') {
    [left, right] = [right, left];
    operator = FLIPPED[operator];
  }
  if (left.kind === 'literal' && right.kind === 'literal') {
    if (operator === '=' || operator === '<>')
      return equalValues(left.value, right.value, filter.matchCase) === (operator === '=');
    const order = compareValues(left.value, right.value, filter.matchCase) ?? Number.NaN;
    return { '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[operator];
  }
  const special = dimensionTest(left, operator, right) ?? booleanTest(left, operator, right, context);
  if (special !== undefined) return special;
  const subject = translate(left, context);
  const sign = OPERATORS[operator];
  if (right.kind !== 'literal') {
    const other = translate(right, context);
    if (subject.type === other.type) return `${subject.text} ${sign} ${other.text}`;
    if (subject.type === 'number' || other.type === 'number')
      return `${asNumber(left, context)} ${sign} ${asNumber(right, context)}`;
    return `${subject.text} ${sign} ${other.text}`;
  }
  if (right.value === null) {
    if (operator === '=') return `${subject.text} = null`;
    return operator === '<>' ? `${subject.text} != null` : false;
  }
  const { value } = right;
  const number = toNumber(value);
  switch (subject.type) {
    case 'number':
      // A number never equals a text that is none.
      if (Number.isNaN(number)) return operator === '<>';
      return `${subject.text} ${sign} ${asNumber(right, context)}`;
    case 'boolean': {
      const wanted = /^\s*(true|yes|1)\s*$/i.test(toText(value));
      return `${subject.text} ${sign} ${wanted}`;
    }
    case 'date':
      return `${subject.text} ${sign} ${dateLiteral(value, context)}`;
    case 'text':
      return compareText(
        {
          left,
          subject,
          operator,
          sign,
          value: toText(value),
          isNumber: typeof value !== 'string',
          matchCase: filter.matchCase,
        },
        context,
      );
    case 'unknown': {
      const text = `${subject.text} ${sign} ${quote(toText(value))}`;
      if (Number.isNaN(number)) return text;
      const asNumbers = `${subject.text} ${sign} ${asNumber(right, context)}`;
      return operator === '<>' ? `(${asNumbers}) and (${text})` : `(${asNumbers}) or (${text})`;
    }
    default:
      return unreachable(subject.type);
  }
}

interface TextComparison {
  readonly left: Expression;
  readonly subject: Translated;
  readonly operator: Extract<Filter, { kind: 'comparison' }>['operator'];
  readonly sign: string;
  readonly value: string;
  /** The literal was typed as a number, so texts that are numbers compare as numbers. */
  readonly isNumber: boolean;
  readonly matchCase: boolean;
}

const NUMBER_PATTERN = quote('\\s*[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]+)?\\s*');

function compareText(c: TextComparison, context: CompileContext): string {
  const equality = c.operator === '=' || c.operator === '<>';
  const number = toNumber(c.value);
  if (!Number.isNaN(number) && (c.isNumber || !equality)) {
    const test = `float(${c.subject.text}) ${c.sign} ${asNumber({ kind: 'literal', value: number }, context)}`;
    const isNumber = `${c.subject.text}.match(${NUMBER_PATTERN})`;
    return c.operator === '<>' ? `not (${isNumber}) or (${test})` : `(${isNumber}) and (${test})`;
  }
  if (c.matchCase) return `${c.subject.text} ${c.sign} ${quote(c.value)}`;
  if (!equality) throw new Untranslatable('an order of texts without regard to case');
  const match = `${asText(c.left, context)}.match(${quote(`(?i)${regexEscape(c.value)}`)})`;
  return c.operator === '=' ? match : `not (${match})`;
}

const DIMENSIONS: Readonly<Record<string, number>> = { point: 1, linestring: 2, polygon: 3 };

/** `dimension(geometry)` and `geometryType(geometry)` against a constant. */
function dimensionTest(left: Expression, operator: string, right: Expression): string | undefined {
  if (left.kind !== 'function' || right.kind !== 'literal' || (operator !== '=' && operator !== '<>')) return undefined;
  const name = left.name.toLowerCase();
  let type: number | undefined;
  if (name === 'dimension') type = toNumber(right.value) + 1;
  else if (name === 'geometrytype')
    type =
      DIMENSIONS[
        toText(right.value)
          .toLowerCase()
          .replace(/^multi/, '')
      ];
  else return undefined;
  return `[mapnik::geometry_type] ${operator === '=' ? '=' : '!='} ${type ?? 0}`;
}

/** `equalTo(a, b) = true` and its kin: the function is a condition itself. */
function booleanTest(
  left: Expression,
  operator: string,
  right: Expression,
  context: CompileContext,
): string | boolean | undefined {
  if (left.kind !== 'function' || right.kind !== 'literal') return undefined;
  const filter = conditionOf(left);
  if (filter === undefined) return undefined;
  const wanted = /^\s*(true|yes|1)\s*$/i.test(toText(right.value)) === (operator === '=');
  return translateFilter(wanted ? filter : { kind: 'not', filter }, context);
}

const CONDITIONS = {
  equalto: '=',
  notequalto: '<>',
  lessthan: '<',
  lessequalthan: '<=',
  greaterthan: '>',
  greaterequalthan: '>=',
} as const;

/** The condition that a boolean function stands for. */
export function conditionOf(expression: Expression): Filter | undefined {
  if (expression.kind === 'literal')
    return { kind: /^\s*(true|yes|1)\s*$/i.test(toText(expression.value)) ? 'include' : 'exclude' };
  if (expression.kind !== 'function') return undefined;
  const name = expression.name.toLowerCase();
  const [a, b, c] = expression.arguments;
  const operator = CONDITIONS[name as keyof typeof CONDITIONS];
  if (operator !== undefined && a !== undefined && b !== undefined)
    return { kind: 'comparison', operator, left: a, right: b, matchCase: true };
  if (/^in(10|[2-9])?$/.test(name) && a !== undefined)
    return {
      kind: 'or',
      filters: expression.arguments
        .slice(1)
        .map((right) => ({ kind: 'comparison', operator: '=', left: a, right, matchCase: true })),
    };
  const inner = (e: Expression | undefined): Filter => condition(e ?? { kind: 'literal', value: false });
  switch (name) {
    case 'not':
      return { kind: 'not', filter: inner(a) };
    case 'and':
    case 'or':
      return { kind: name, filters: expression.arguments.map(inner) };
    case 'isnull':
      return a === undefined ? undefined : { kind: 'null', value: a };
    case 'between':
      return a && b && c ? { kind: 'between', value: a, lower: b, upper: c } : undefined;
    case 'islike':
      return a && b?.kind === 'literal'
        ? {
            kind: 'like',
            value: a,
            pattern: toText(b.value),
            wildcard: '*',
            single: '?',
            escape: '\\',
            matchCase: true,
          }
        : undefined;
    case 'strequalsignorecase':
      return a && b ? { kind: 'comparison', operator: '=', left: a, right: b, matchCase: false } : undefined;
    case 'strstartswith':
    case 'strendswith': {
      if (a === undefined || b?.kind !== 'literal') return undefined;
      const text = toText(b.value).replace(/[\\*?]/g, '\\$&');
      const pattern = name === 'strstartswith' ? `${text}*` : `*${text}`;
      return { kind: 'like', value: a, pattern, wildcard: '*', single: '?', escape: '\\', matchCase: true };
    }
    default:
      return undefined;
  }
}

/** Any expression as a condition: a boolean function, or a value that is true. */
export function condition(expression: Expression): Filter {
  return (
    conditionOf(expression) ?? {
      kind: 'comparison',
      operator: '=',
      left: expression,
      right: { kind: 'literal', value: true },
      matchCase: true,
    }
  );
}

function like(filter: Like, context: CompileContext): string | boolean {
  const value = fold(filter.value, context);
  if (value.kind === 'literal') return value.value !== null && likeMatches(filter, toText(value.value));
  return `${asText(value, context)}.match(${quote((filter.matchCase ? '' : '(?i)') + likeRegex(filter))})`;
}

/** Dates reach Mapnik as text, which each of its plugins writes in its own way. */
function dateLiteral(value: unknown, context: CompileContext): string {
  const date = toDate(value as Date);
  if (date === undefined) throw new Untranslatable(`${toText(value as string)} where a date is needed`);
  const iso = date.toISOString();
  const midnight = iso.slice(11, 23) === '00:00:00.000';
  switch (context.source.parameters.type) {
    case 'shape':
      return quote(iso.slice(0, 10).replaceAll('-', ''));
    case 'ogr':
      return quote(
        midnight
          ? iso.slice(0, 10).replaceAll('-', '/')
          : `${iso.slice(0, 10).replaceAll('-', '/')} ${iso.slice(11, 19)}`,
      );
    case 'geojson':
      return quote(midnight ? iso.slice(0, 10) : `${iso.slice(0, 19)}Z`);
    default:
      return quote(midnight ? iso.slice(0, 10) : `${iso.slice(0, 10)} ${iso.slice(11, 19)}`);
  }
}

function temporal(filter: Extract<Filter, { kind: 'temporal' }>, context: CompileContext): string | boolean {
  const compare = (operator: '<' | '<=' | '=' | '>=' | '>', date: Date): Filter => ({
    kind: 'comparison',
    operator,
    left: filter.value,
    right: { kind: 'literal', value: date },
    matchCase: true,
  });
  const { begin, end } = filter;
  switch (filter.operator) {
    case 'before':
      return translateFilter(compare('<', begin), context);
    case 'after':
      return translateFilter(compare('>', end), context);
    case 'during':
      return translateFilter({ kind: 'and', filters: [compare('>', begin), compare('<', end)] }, context);
    case 'anyInteracts':
      return translateFilter({ kind: 'and', filters: [compare('>=', begin), compare('<=', end)] }, context);
    case 'tEquals':
      return translateFilter(compare('=', begin), context);
    case 'begins':
      return translateFilter(compare('=', begin), context);
    case 'ends':
      return translateFilter(compare('=', end), context);
    default:
      return false;
  }
}
