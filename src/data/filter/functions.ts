import { compareValues, equalValues, isGeometry, toBoolean, toDate, toNumber, toText } from './convert.ts';
import { colorFunctions } from './functions-color.ts';
import { formatDate, formatNumber, parseDateAs } from './functions-format.ts';
import {
  area,
  boxOf,
  centroid,
  distance,
  interiorPoint,
  intersects,
  length,
  partsOf,
  positionsOf,
  within,
} from './geometry.ts';
import { likeMatches } from './like.ts';
import { type Expression, FilterError, type Value } from './types.ts';
import { boxPolygon, parseWkt } from './wkt.ts';

/** What a function may ask for beside its arguments. */
export interface FunctionContext {
  readonly env: Readonly<Record<string, Value>>;
  property(name: string): Value;
  geometry(argument: Expression): GeoJSON.Geometry | null;
  readonly id: string | undefined;
}

type FunctionExpression = Extract<Expression, { kind: 'function' }>;
type Plain = (args: readonly Value[]) => Value;
type OfGeometry = (geometry: GeoJSON.Geometry, args: readonly Value[]) => Value;

/**
 * Calls a function by its name as GeoServer knows it; letters may be of either case.
 *
 * @throws FilterError  there is no such function
 */
export function callFunction(
  call: FunctionExpression,
  evaluateArgument: (argument: Expression) => Value,
  context: FunctionContext,
): Value {
  const name = call.name.toLowerCase();
  const plain = PLAIN[name];
  if (plain !== undefined) return plain(call.arguments.map(evaluateArgument));
  const ofGeometry = GEOMETRY[name];
  if (ofGeometry !== undefined) {
    const [first, ...others] = call.arguments;
    const geometry = context.geometry(first ?? { kind: 'property', name: '' });
    return geometry === null ? null : ofGeometry(geometry, others.map(evaluateArgument));
  }
  const text = (i: number) => toText(call.arguments[i] === undefined ? null : evaluateArgument(call.arguments[i]));
  switch (name) {
    case 'env':
      return context.env[text(0)] ?? (call.arguments[1] === undefined ? null : evaluateArgument(call.arguments[1]));
    case 'property':
      return context.property(text(0));
    case 'propertyexists':
      return context.property(text(0)) !== null;
    case 'id':
      return context.id ?? null;
    case 'if_then_else': {
      const [condition, yes, no] = call.arguments;
      if (condition === undefined || yes === undefined || no === undefined)
        throw new FilterError('if_then_else needs three arguments');
      return evaluateArgument(toBoolean(evaluateArgument(condition)) ? yes : no);
    }
    default: {
      const binary = BINARY_GEOMETRY[name];
      if (binary === undefined) throw new FilterError(`unknown function: ${call.name}`);
      const [a, b] = call.arguments.slice(0, 2).map((argument) => context.geometry(argument));
      return a == null || b == null ? null : binary(a, b);
    }
  }
}

/** Whether a function of this name can be called. */
export function isFunction(name: string): boolean {
  const key = name.toLowerCase();
  return key in PLAIN || key in GEOMETRY || key in BINARY_GEOMETRY || SPECIAL.has(key);
}

/** Whether a function is about geometries: a property that it is given may mean the default geometry. */
export function isGeometryFunction(name: string): boolean {
  const key = name.toLowerCase();
  return key in GEOMETRY || key in BINARY_GEOMETRY;
}

const SPECIAL = new Set(['env', 'property', 'propertyexists', 'id', 'if_then_else']);

/** A function of numbers: null when an argument is no number, or the result is none. */
function numeric(f: (...numbers: number[]) => number): Plain {
  return (args) => {
    const numbers = args.map((a) => (a === null ? Number.NaN : toNumber(a)));
    if (numbers.some(Number.isNaN)) return null;
    const result = f(...numbers);
    return Number.isNaN(result) ? null : result;
  };
}

/** A function whose first argument is a text; null of null. */
function textual(f: (text: string, ...others: Value[]) => Value): Plain {
  return ([first, ...others]) => (first === null || first === undefined ? null : f(toText(first), ...others));
}

const isOneOf: Plain = ([value, ...others]) => others.some((other) => equalValues(value ?? null, other));
const ordered =
  (test: (order: number) => boolean): Plain =>
  ([a, b]) => {
    const order = compareValues(a ?? null, b ?? null);
    return order !== undefined && test(order);
  };
const number = (value: Value | undefined) => toNumber(value ?? null);
const trunc = (value: number) => Math.trunc(value);

/** Rounds half to even, as Java's `rint`. */
function rint(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

const concatenate: Plain = (args) => args.map(toText).join('');

const PLAIN: Readonly<Record<string, Plain>> = {
  // numbers
  abs: numeric(Math.abs),
  abs_2: numeric(Math.abs),
  abs_3: numeric(Math.abs),
  abs_4: numeric(Math.abs),
  acos: numeric(Math.acos),
  asin: numeric(Math.asin),
  atan: numeric(Math.atan),
  atan2: numeric(Math.atan2),
  ceil: numeric(Math.ceil),
  cos: numeric(Math.cos),
  exp: numeric(Math.exp),
  floor: numeric(Math.floor),
  ieeeremainder: numeric((a, b) => a - b * rint(a / b)),
  log: numeric(Math.log),
  max: numeric(Math.max),
  max_2: numeric(Math.max),
  max_3: numeric(Math.max),
  max_4: numeric(Math.max),
  min: numeric(Math.min),
  min_2: numeric(Math.min),
  min_3: numeric(Math.min),
  min_4: numeric(Math.min),
  modulo: numeric((a, b) => trunc(a) % trunc(b)),
  pi: () => Math.PI,
  pow: numeric((a, b) => a ** b),
  rint: numeric(rint),
  round: numeric((x) => Math.floor(x + 0.5)),
  round_2: numeric((x) => Math.floor(x + 0.5)),
  rounddouble: numeric((x) => Math.floor(x + 0.5)),
  sin: numeric(Math.sin),
  sqrt: numeric(Math.sqrt),
  tan: numeric(Math.tan),
  todegrees: numeric((x) => (x * 180) / Math.PI),
  toradians: numeric((x) => (x * Math.PI) / 180),
  int2bbool: ([v]) => number(v) !== 0,
  int2ddouble: numeric((x) => x),
  double2bool: ([v]) => number(v) !== 0,
  numberformat: ([pattern, value, language]) => {
    const n = number(value);
    return Number.isNaN(n) ? null : formatNumber(toText(pattern), n, language == null ? undefined : toText(language));
  },
  numberformat2: ([pattern, value, minus, decimal, grouping]) => {
    const n = number(value);
    if (Number.isNaN(n)) return null;
    const swap: Record<string, string> = {
      '-': toText(minus) || '-',
      '.': toText(decimal) || '.',
      ',': toText(grouping) || ',',
    };
    return formatNumber(toText(pattern), n).replace(/[-.,]/g, (c) => swap[c]!);
  },
  parseint: numeric(trunc),
  parselong: numeric(trunc),
  parsedouble: numeric((x) => x),
  parseboolean: ([v]) => toBoolean(v),

  // conditions
  equalto: ([a, b]) => equalValues(a ?? null, b ?? null),
  notequalto: ([a, b]) => !equalValues(a ?? null, b ?? null),
  lessthan: ordered((o) => o < 0),
  lessequalthan: ordered((o) => o <= 0),
  greaterthan: ordered((o) => o > 0),
  greaterequalthan: ordered((o) => o >= 0),
  between: ([value, low, high]) => {
    const a = compareValues(value ?? null, low ?? null);
    const b = compareValues(value ?? null, high ?? null);
    return a !== undefined && b !== undefined && a >= 0 && b <= 0;
  },
  not: ([v]) => !toBoolean(v),
  and: (args) => args.every(toBoolean),
  or: (args) => args.some(toBoolean),
  isnull: ([v]) => v === null || v === undefined,
  islike: ([v, pattern]) =>
    v != null &&
    likeMatches(
      {
        kind: 'like',
        value: { kind: 'literal', value: null },
        pattern: toText(pattern),
        wildcard: '*',
        single: '?',
        escape: '\\',
        matchCase: true,
      },
      toText(v),
    ),
  in: isOneOf,
  ...Object.fromEntries([2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => [`in${n}`, isOneOf])),
  coalesce: (args) => args.find((v) => v !== null) ?? null,

  // text
  concatenate,
  strconcat: concatenate,
  strabbreviate: textual((s, lower, upper, append) => {
    const cut = s.indexOf(' ', number(lower));
    const end = Math.min(cut === -1 ? s.length : cut, number(upper) === -1 ? s.length : number(upper));
    return end < s.length ? s.slice(0, end) + toText(append) : s;
  }),
  strcapitalize: textual((s) => s.toLowerCase().replace(/(^|\s)\S/gu, (c) => c.toUpperCase())),
  strdefaultifblank: ([v, fallback]) => (v == null || toText(v).trim() === '' ? (fallback ?? null) : v),
  strendswith: textual((s, end) => s.endsWith(toText(end))),
  strequalsignorecase: textual((s, other) => s.toLowerCase() === toText(other).toLowerCase()),
  strindexof: textual((s, part) => s.indexOf(toText(part))),
  strlastindexof: textual((s, part) => s.lastIndexOf(toText(part))),
  strlength: textual((s) => s.length),
  stringlength: textual((s) => s.length),
  strmatches: textual((s, pattern) => regex(toText(pattern), true).test(s)),
  strposition: ([part, s, front]) =>
    (toText(front ?? null) === 'backToFront' ? toText(s).lastIndexOf(toText(part)) : toText(s).indexOf(toText(part))) +
    1,
  strreplace: textual((s, pattern, replacement, all) =>
    s.replace(regex(toText(pattern), false, toBoolean(all) ? 'g' : ''), toText(replacement)),
  ),
  strstartswith: textual((s, start) => s.startsWith(toText(start))),
  strsubstring: textual((s, begin, end) => s.slice(number(begin), end === undefined ? undefined : number(end))),
  strsubstringstart: textual((s, begin) => s.slice(number(begin))),
  substring: textual((s, begin, count) => s.substr(number(begin) - 1, count == null ? undefined : number(count))),
  strstripaccents: textual((s) => s.normalize('NFD').replace(/\p{M}/gu, '')),
  strtolowercase: textual((s) => s.toLowerCase()),
  strtouppercase: textual((s) => s.toUpperCase()),
  changecase: textual((s, direction) => (toText(direction) === 'toLower' ? s.toLowerCase() : s.toUpperCase())),
  strtrim: textual((s) => s.trim()),
  strtrim2: textual((s, where, character) => strip(s, toText(where), toText(character))),
  trim: textual((s, where, character) => strip(s, toText(where ?? null) || 'both', toText(character ?? null) || ' ')),
  strurlencode: textual((s) => encodeURIComponent(s).replaceAll('%20', '+')),

  // dates
  dateformat: ([pattern, date]) => {
    const d = toDate(date);
    return d === undefined ? null : formatDate(toText(pattern), d);
  },
  dateparse: ([pattern, text]) => parseDateAs(toText(pattern), toText(text)) ?? null,
  datedifference: ([a, b, unit]) => {
    const [from, to] = [toDate(a), toDate(b)];
    const ms = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[toText(unit ?? 's')] ?? 1000;
    return from === undefined || to === undefined ? null : Math.trunc((from.getTime() - to.getTime()) / ms);
  },

  // classes
  recode: ([value, ...pairs]) => {
    for (let i = 0; i + 1 < pairs.length; i += 2) if (equalValues(value ?? null, pairs[i]!)) return pairs[i + 1]!;
    return null;
  },
  categorize: (args) => {
    const [value, ...rest] = args;
    const last = rest.at(-1);
    const named = rest.length % 2 === 0 && (last === 'succeeding' || last === 'preceding');
    const steps = named ? rest.slice(0, -1) : rest;
    if (value == null) return null;
    let result = steps[0] ?? null;
    for (let i = 1; i + 1 < steps.length; i += 2) {
      const order = compareValues(value, steps[i]!);
      if (order === undefined || (last === 'preceding' ? order <= 0 : order < 0)) break;
      result = steps[i + 1]!;
    }
    return result;
  },
  convert: ([value, type]) => {
    const target = toText(type).toLowerCase();
    if (value == null) return null;
    if (/string/.test(target)) return toText(value);
    if (/integer|long|short/.test(target)) return Number.isNaN(toNumber(value)) ? null : trunc(toNumber(value));
    if (/double|float|number/.test(target)) return Number.isNaN(toNumber(value)) ? null : toNumber(value);
    if (/boolean/.test(target)) return toBoolean(value);
    if (/date|time/.test(target)) return toDate(value) ?? null;
    throw new FilterError(`convert does not know the type ${toText(type)}`);
  },
  geomfromwkt: ([text]) => (text == null ? null : parseWkt(toText(text)).geometry),
  ...colorFunctions,
};

function strip(text: string, where: string, character: string): string {
  const c = character.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  let result = text;
  if (where !== 'trailing') result = result.replace(new RegExp(`^(?:${c})+`), '');
  if (where !== 'leading') result = result.replace(new RegExp(`(?:${c})+$`), '');
  return result;
}

function regex(pattern: string, whole: boolean, flags = ''): RegExp {
  try {
    return new RegExp(whole ? `^(?:${pattern})$` : pattern, flags);
  } catch (cause) {
    throw new FilterError(`not a regular expression: ${pattern}`, undefined, { cause });
  }
}

const dimension = (geometry: GeoJSON.Geometry): number => {
  const { points, lines, polygons } = partsOf(geometry);
  return polygons.length > 0 ? 2 : lines.length > 0 ? 1 : points.length > 0 ? 0 : -1;
};
const point = (position: GeoJSON.Position | undefined): GeoJSON.Geometry | null =>
  position === undefined ? null : { type: 'Point', coordinates: position };
const everyPosition = (geometry: GeoJSON.Geometry) => [...positionsOf(geometry)];

const GEOMETRY: Readonly<Record<string, OfGeometry>> = {
  geometry: (g) => g,
  geometrytype: (g) => g.type,
  area: (g) => area(g),
  area2: (g) => area(g),
  geomlength: (g) => length(g),
  length: (g) => length(g),
  centroid: (g) => point(centroid(g)),
  interiorpoint: (g) => {
    const { polygons } = partsOf(g);
    const widest = polygons.map((p) => ({
      p,
      size: area({ type: 'Polygon', coordinates: p as GeoJSON.Position[][] }),
    }));
    widest.sort((a, b) => b.size - a.size);
    return widest[0] === undefined ? point(centroid(g)) : point(interiorPoint(widest[0].p));
  },
  dimension: (g) => dimension(g),
  getx: (g) => centroid(g)?.[0] ?? null,
  gety: (g) => centroid(g)?.[1] ?? null,
  isempty: (g) => boxOf(g) === undefined,
  isgeometrytype: (g, [type]) => g.type === toText(type),
  numpoints: (g) => everyPosition(g).length,
  numgeometries: (g) => {
    const { points, lines, polygons } = partsOf(g);
    return points.length + lines.length + polygons.length;
  },
  pointn: (g, [n]) => point(everyPosition(g)[number(n)]),
  startpoint: (g) => point(everyPosition(g)[0]),
  endpoint: (g) => point(everyPosition(g).at(-1)),
  startangle: (g) => angle(everyPosition(g)[1], everyPosition(g)[0]),
  endangle: (g) => angle(everyPosition(g).at(-1), everyPosition(g).at(-2)),
  vertices: (g) => ({ type: 'MultiPoint', coordinates: everyPosition(g) }),
  envelope: (g) => {
    const box = boxOf(g);
    return box === undefined ? null : boxPolygon(box);
  },
  boundary: (g) => {
    const { lines, polygons } = partsOf(g);
    if (polygons.length > 0) return { type: 'MultiLineString', coordinates: polygons.flat() as GeoJSON.Position[][] };
    return { type: 'MultiPoint', coordinates: lines.flatMap((l) => [l[0]!, l.at(-1)!]) };
  },
  offset: (g, [dx, dy]) => moved(g, number(dx), number(dy)),
};

const BINARY_GEOMETRY: Readonly<Record<string, (a: GeoJSON.Geometry, b: GeoJSON.Geometry) => Value>> = {
  intersects,
  disjoint: (a, b) => !intersects(a, b),
  within,
  contains: (a, b) => within(b, a),
  distance,
};

/** Degrees from east, counter-clockwise; from `from` to `to`. */
function angle(to: GeoJSON.Position | undefined, from: GeoJSON.Position | undefined): number | null {
  if (to === undefined || from === undefined) return null;
  return (Math.atan2(to[1]! - from[1]!, to[0]! - from[0]!) * 180) / Math.PI;
}

function moved(geometry: GeoJSON.Geometry, dx: number, dy: number): Value {
  if (Number.isNaN(dx) || Number.isNaN(dy)) return null;
  const shift = (coordinates: unknown): unknown => {
    const list = coordinates as unknown[];
    return typeof list[0] === 'number'
      ? [(list[0] as number) + dx, (list[1] as number) + dy]
      : list.map((inner) => shift(inner));
  };
  if (geometry.type === 'GeometryCollection')
    return { ...geometry, geometries: geometry.geometries.map((g) => moved(g, dx, dy)).filter(isGeometry) };
  return { ...geometry, coordinates: shift(geometry.coordinates) } as GeoJSON.Geometry;
}
