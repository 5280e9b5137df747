/**
 * Mapnik has no conditional expressions, but rules have filters: a symbolizer with `if_then_else`, Recode, Categorize or
 * Interpolate becomes several, each with a condition and without the function.
 */
import { and, type Expression, type Filter, toNumber, toText } from '../../data/filter/index.ts';
import { Untranslatable } from './context.ts';
import { condition } from './filters.ts';

export interface Case<T> {
  /** Absent: always. */
  readonly when?: Filter;
  readonly value: T;
}

/** Most symbolizers that one may become. */
const CASES_MAX = 200;

const EXPRESSIONS = new Set(['literal', 'property', 'arithmetic', 'function', 'geometry']);

function isExpressionNode(node: object): node is Expression {
  return 'kind' in node && EXPRESSIONS.has(node.kind as string);
}

/** A copy of a piece of a style with every outermost expression in it replaced. */
export function mapExpressions<T>(node: T, change: (expression: Expression) => Expression): T {
  if (Array.isArray(node)) return node.map((item) => mapExpressions(item, change)) as T;
  if (typeof node !== 'object' || node === null || node instanceof Uint8Array) return node;
  if (isExpressionNode(node)) return change(node) as T;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node)) copy[key] = mapExpressions(value, change);
  return copy as T;
}

/**
 * All the cases of a piece of a style whose expressions are folded.
 *
 * @throws Untranslatable  there are too many
 */
export function expandCases<T>(piece: T, refold: (e: Expression) => Expression): Case<T>[] {
  const done: Case<T>[] = [];
  const open: Case<T>[] = [{ value: piece }];
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const call = findConditional(next.value);
    if (call === undefined) {
      done.push(next);
      continue;
    }
    const key = JSON.stringify(call);
    const { when, value } = next;
    const alternatives = casesOf(call).map((alternative): Case<T> => {
      const substitute = (e: Expression): Expression => {
        if (e.kind === 'function' && JSON.stringify(e) === key) return alternative.value;
        if (e.kind === 'arithmetic') return { ...e, left: substitute(e.left), right: substitute(e.right) };
        return e.kind === 'function' ? { ...e, arguments: e.arguments.map(substitute) } : e;
      };
      return { when: and(when, alternative.when), value: mapExpressions(value, (e) => refold(substitute(e))) };
    });
    open.unshift(...alternatives);
    if (done.length + open.length > CASES_MAX)
      throw new Untranslatable(`more than ${CASES_MAX} cases in one symbolizer`);
  }
  return done;
}

type Call = Extract<Expression, { kind: 'function' }>;

const CONDITIONAL = new Set(['if_then_else', 'recode', 'categorize', 'interpolate', 'coalesce', 'strdefaultifblank']);

/** An innermost conditional call, so that its own arguments have none. */
function findConditional(node: unknown): Call | undefined {
  let found: Call | undefined;
  const visit = (e: Expression): void => {
    if (found !== undefined) return;
    if (e.kind === 'arithmetic') [e.left, e.right].forEach(visit);
    if (e.kind !== 'function') return;
    e.arguments.forEach(visit);
    if (found === undefined && CONDITIONAL.has(e.name.toLowerCase())) found = e;
  };
  mapExpressions(node, (e) => {
    visit(e);
    return e;
  });
  return found;
}

const compare = (left: Expression, operator: '=' | '<' | '<=' | '>' | '>=', right: Expression): Filter => ({
  kind: 'comparison',
  operator,
  left,
  right,
  matchCase: true,
});
const NULL: Expression = { kind: 'literal', value: null };

function casesOf(call: Call): Case<Expression>[] {
  const [first = NULL, ...rest] = call.arguments;
  switch (call.name.toLowerCase()) {
    case 'if_then_else': {
      const when = condition(first);
      return [
        { when, value: rest[0] ?? NULL },
        { when: { kind: 'not', filter: when }, value: rest[1] ?? NULL },
      ];
    }
    case 'recode': {
      const cases: Case<Expression>[] = [];
      for (let i = 0; i + 1 < rest.length; i += 2)
        cases.push({ when: compare(first, '=', rest[i]!), value: rest[i + 1]! });
      const none: Filter = { kind: 'not', filter: { kind: 'or', filters: cases.map((c) => c.when!) } };
      return [...cases, { when: none, value: NULL }];
    }
    case 'coalesce':
    case 'strdefaultifblank': {
      const isNull: Filter = { kind: 'null', value: first };
      return [
        { when: { kind: 'not', filter: isNull }, value: first },
        { when: isNull, value: rest.length > 1 ? { ...call, arguments: rest } : (rest[0] ?? NULL) },
      ];
    }
    case 'categorize':
      return categorize(first, rest);
    default:
      return interpolate(first, rest);
  }
}

function categorize(value: Expression, rest: readonly Expression[]): Case<Expression>[] {
  const last = rest.at(-1);
  const named =
    rest.length % 2 === 0 && last?.kind === 'literal' && /^(succeeding|preceding)$/.test(toText(last.value));
  const preceding = named && toText(last.value) === 'preceding';
  const steps = named ? rest.slice(0, -1) : rest;
  const [below, above] = preceding ? (['<=', '>'] as const) : (['<', '>='] as const);
  const cases: Case<Expression>[] = [];
  for (let i = 0; i < steps.length; i += 2) {
    const from = i === 0 ? undefined : compare(value, above, steps[i - 1]!);
    const to = i + 1 < steps.length ? compare(value, below, steps[i + 1]!) : undefined;
    cases.push({ when: and(from, to), value: steps[i]! });
  }
  return [...cases, { when: { kind: 'null', value }, value: NULL }];
}

function interpolate(value: Expression, rest: readonly Expression[]): Case<Expression>[] {
  const points = [...rest];
  let color = false;
  for (
    let last = points.at(-1);
    last?.kind === 'literal' && /^(linear|cosine|cubic|numeric|colou?r)$/i.test(toText(last.value));
    last = points.at(-1)
  ) {
    const word = toText((points.pop() as { value: string }).value).toLowerCase();
    if (word === 'cosine' || word === 'cubic') throw new Untranslatable(`Interpolate in the mode ${word}`);
    if (word.startsWith('col')) color = true;
  }
  const datum = (i: number) => {
    const e = points[i];
    const n = e?.kind === 'literal' ? toNumber(e.value) : Number.NaN;
    if (Number.isNaN(n)) throw new Untranslatable('Interpolate between data that are not constant');
    return n;
  };
  if (points.length < 2) throw new Untranslatable('Interpolate without points');
  const firstValue = points[1]!;
  if (firstValue.kind === 'literal' && toText(firstValue.value).trim().startsWith('#')) color = true;
  const cases: Case<Expression>[] = [{ when: compare(value, '<=', points[0]!), value: firstValue }];
  for (let i = 0; i + 3 < points.length; i += 2) {
    const [d0, d1] = [datum(i), datum(i + 2)];
    const when = and(compare(value, '>', points[i]!), compare(value, '<=', points[i + 2]!));
    const part: Expression = arithmetic(arithmetic(value, '-', number(d0)), '/', number(d1 - d0));
    cases.push({
      when,
      value: color ? mixColor(points[i + 1]!, points[i + 3]!, part) : mix(points[i + 1]!, points[i + 3]!, part),
    });
  }
  cases.push({ when: compare(value, '>', points[points.length - 2]!), value: points.at(-1)! });
  return [...cases, { when: { kind: 'null', value }, value: NULL }];
}

const number = (value: number): Expression => ({ kind: 'literal', value });

function arithmetic(left: Expression, operator: '+' | '-' | '*' | '/', right: Expression): Expression {
  return { kind: 'arithmetic', operator, left, right };
}

function mix(from: Expression, to: Expression, part: Expression): Expression {
  return arithmetic(from, '+', arithmetic(part, '*', arithmetic(to, '-', from)));
}

/** As a call of `rgb`, which becomes the text of a colour. */
function mixColor(from: Expression, to: Expression, part: Expression): Expression {
  const channels = (e: Expression) => {
    const match =
      e.kind === 'literal' ? /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(toText(e.value).trim()) : null;
    if (match === null) throw new Untranslatable('Interpolate between colours that are not constant');
    return match.slice(1).map((hex) => number(Number.parseInt(hex, 16)));
  };
  const [a, b] = [channels(from), channels(to)];
  return { kind: 'function', name: 'rgb', arguments: a.map((c, i) => mix(c, b[i]!, part)) };
}
