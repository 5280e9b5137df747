import { unreachable } from '../../base/index.ts';
import { compareValues, equalValues, isGeometry, toDate, toNumber, toText } from './convert.ts';
import { callFunction } from './functions.ts';
import { boxesMeet, boxOf, distance, equals, intersects, within } from './geometry.ts';
import { likeMatches } from './like.ts';
import { type Expression, type Filter, FilterError, localName, type Value } from './types.ts';

/** What filters and expressions are evaluated on: a `Feature`, or anything of its shape. */
export interface Evaluated {
  readonly id?: string;
  readonly properties: Readonly<Record<string, Value>>;
  readonly geometry?: GeoJSON.Geometry | null;
}

export interface EvaluationContext {
  /** Name of the default geometry; a property that is not among the others yields it. */
  readonly geometryName?: string;
  /** For `env(name, default)`. */
  readonly env?: Readonly<Record<string, Value>>;
  /** Metres in one unit of the CRS, for distances with units. */
  readonly metersPerUnit?: number;
}

const NOTHING: EvaluationContext = {};

/**
 * Whether a feature meets a condition, with GeoServer's lenient conversions between text, numbers, dates and booleans.
 * Geometries are compared in the plane, in one and the same CRS: see `mapGeometries`.
 *
 * @throws FilterError  for predicates and functions that are not implemented
 */
export function evaluate(filter: Filter, feature: Evaluated, context: EvaluationContext = NOTHING): boolean {
  switch (filter.kind) {
    case 'include':
      return true;
    case 'exclude':
      return false;
    case 'and':
      return filter.filters.every((f) => evaluate(f, feature, context));
    case 'or':
      return filter.filters.some((f) => evaluate(f, feature, context));
    case 'not':
      return !evaluate(filter.filter, feature, context);
    case 'comparison': {
      const left = evaluateExpression(filter.left, feature, context);
      const right = evaluateExpression(filter.right, feature, context);
      if (filter.operator === '=') return equalValues(left, right, filter.matchCase);
      if (filter.operator === '<>') return !equalValues(left, right, filter.matchCase);
      const order = compareValues(left, right, filter.matchCase);
      if (order === undefined) return false;
      switch (filter.operator) {
        case '<':
          return order < 0;
        case '<=':
          return order <= 0;
        case '>':
          return order > 0;
        case '>=':
          return order >= 0;
        default:
          return unreachable(filter.operator);
      }
    }
    case 'like': {
      const value = evaluateExpression(filter.value, feature, context);
      return value !== null && likeMatches(filter, toText(value));
    }
    case 'between': {
      const value = evaluateExpression(filter.value, feature, context);
      const low = compareValues(value, evaluateExpression(filter.lower, feature, context));
      const high = compareValues(value, evaluateExpression(filter.upper, feature, context));
      return low !== undefined && high !== undefined && low >= 0 && high <= 0;
    }
    case 'null':
      return evaluateExpression(filter.value, feature, context) === null;
    case 'ids':
      return feature.id !== undefined && filter.ids.includes(feature.id);
    case 'bbox': {
      const geometry = geometryOf(filter.value, feature, context);
      const box = geometry === null ? undefined : boxOf(geometry);
      return box !== undefined && boxesMeet(box, filter.box);
    }
    case 'spatial':
      return spatial(filter, feature, context);
    case 'distance': {
      const left = geometryOf(filter.left, feature, context);
      const right = geometryOf(filter.right, feature, context);
      if (left === null || right === null) return false;
      const limit = (filter.distance * metres(filter.units, context)) / (context.metersPerUnit ?? 1);
      return filter.operator === 'dwithin' ? distance(left, right) <= limit : distance(left, right) > limit;
    }
    case 'relate':
      throw new FilterError('RELATE is not supported on this kind of data');
    case 'temporal':
      return temporal(filter, evaluateExpression(filter.value, feature, context));
    default:
      return unreachable(filter);
  }
}

/** The value of an expression on a feature; null where an attribute is not there or a calculation has no result. */
export function evaluateExpression(
  expression: Expression,
  feature: Evaluated,
  context: EvaluationContext = NOTHING,
): Value {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'geometry':
      return expression.geometry;
    case 'property':
      return propertyOf(expression.name, feature, context);
    case 'arithmetic': {
      const left = evaluateExpression(expression.left, feature, context);
      const right = evaluateExpression(expression.right, feature, context);
      if (left === null || right === null) return null;
      const [a, b] = [toNumber(left), toNumber(right)];
      const result = { '+': a + b, '-': a - b, '*': a * b, '/': a / b }[expression.operator];
      return Number.isNaN(result) ? null : result;
    }
    case 'function':
      return callFunction(expression, (argument) => evaluateExpression(argument, feature, context), {
        env: context.env ?? {},
        property: (name) => propertyOf(name, feature, context),
        geometry: (argument) => geometryOf(argument, feature, context),
        id: feature.id,
      });
    default:
      return unreachable(expression);
  }
}

function propertyOf(name: string, feature: Evaluated, context: EvaluationContext): Value {
  const value = feature.properties[name] ?? feature.properties[localName(name)];
  if (value !== undefined) return value;
  return name === '' || localName(name) === context.geometryName ? (feature.geometry ?? null) : null;
}

/** Where a geometry is asked for, a property that is no attribute is the default geometry. */
function geometryOf(expression: Expression, feature: Evaluated, context: EvaluationContext): GeoJSON.Geometry | null {
  const value = evaluateExpression(expression, feature, context);
  if (isGeometry(value)) return value;
  if (expression.kind === 'property' && value === null) return feature.geometry ?? null;
  return null;
}

function spatial(
  filter: Extract<Filter, { kind: 'spatial' }>,
  feature: Evaluated,
  context: EvaluationContext,
): boolean {
  const left = geometryOf(filter.left, feature, context);
  const right = geometryOf(filter.right, feature, context);
  if (left === null || right === null) return false;
  switch (filter.operator) {
    case 'intersects':
      return intersects(left, right);
    case 'disjoint':
      return !intersects(left, right);
    case 'within':
      return within(left, right);
    case 'contains':
      return within(right, left);
    case 'equals':
      return equals(left, right);
    case 'touches':
    case 'crosses':
    case 'overlaps':
      throw new FilterError(
        `${filter.operator.toUpperCase()} is not supported on this kind of data: use INTERSECTS, WITHIN or CONTAINS`,
      );
    default:
      return unreachable(filter.operator);
  }
}

const UNITS: Readonly<Record<string, number>> = {
  m: 1,
  meter: 1,
  meters: 1,
  metre: 1,
  metres: 1,
  km: 1000,
  kilometer: 1000,
  kilometers: 1000,
  ft: 0.3048,
  feet: 0.3048,
  foot: 0.3048,
  'statute miles': 1609.344,
  mi: 1609.344,
  miles: 1609.344,
  'nautical miles': 1852,
};

/** Metres in a unit of distance, or units of the CRS themselves where there is no knowing. */
function metres(units: string, context: EvaluationContext): number {
  const name = units.trim().toLowerCase();
  if (name === '' || name === 'degree' || name === 'degrees') return context.metersPerUnit ?? 1;
  const known = UNITS[name.slice(Math.max(name.lastIndexOf('#'), name.lastIndexOf(':')) + 1)];
  if (known === undefined) throw new FilterError(`unknown unit of distance: ${units}`);
  return known;
}

function temporal(filter: Extract<Filter, { kind: 'temporal' }>, value: Value): boolean {
  const date = toDate(value);
  if (date === undefined) return false;
  const t = date.getTime();
  const [begin, end] = [filter.begin.getTime(), filter.end.getTime()];
  switch (filter.operator) {
    case 'after':
      return t > end;
    case 'before':
      return t < begin;
    case 'during':
      return t > begin && t < end;
    case 'begins':
      return t === begin && begin < end;
    case 'ends':
      return t === end && begin < end;
    case 'tEquals':
      return begin === end && t === begin;
    case 'anyInteracts':
      return t >= begin && t <= end;
    case 'meets':
    case 'metBy':
    case 'begunBy':
    case 'endedBy':
    case 'tContains':
    case 'tOverlaps':
    case 'overlappedBy':
      // An attribute holds an instant, and these compare periods.
      return false;
    default:
      return unreachable(filter.operator);
  }
}
