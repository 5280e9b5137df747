import type { Expression, Filter } from './filter/index.ts';
import { likeSql } from './filter/index.ts';
import { boxesMeet, boxOf, unionOf } from './geometry/box.ts';
import type { AttributeType, Box, FeatureQuery, FeatureSchema } from './types.ts';

/**
 * What can be said of all features that meet a filter, so that a driver reads fewer: a box, and a condition in SQL. Both let
 * features through that do not meet the filter, never the other way round: the filter itself is evaluated on what was read.
 */
export function withFilterBox(query: FeatureQuery, schema: FeatureSchema): FeatureQuery {
  const found = query.filter === undefined ? undefined : boxOfFilter(query.filter, schema.geometryName);
  return found === undefined ? query : { ...query, box: query.box === undefined ? found : bothBoxes(query.box, found) };
}

/** Box that the default geometry must meet; undefined when the filter does not say. */
export function boxOfFilter(filter: Filter, geometryName: string | undefined): Box | undefined {
  const isGeometry = (expression: Expression) =>
    expression.kind === 'property' && (expression.name === '' || expression.name === geometryName);
  switch (filter.kind) {
    case 'bbox':
      return isGeometry(filter.value) ? filter.box : undefined;
    case 'spatial': {
      if (!['intersects', 'within', 'contains', 'equals'].includes(filter.operator)) return undefined;
      const other = isGeometry(filter.left) ? filter.right : isGeometry(filter.right) ? filter.left : undefined;
      return other?.kind === 'geometry' ? boxOf(other.geometry) : undefined;
    }
    case 'and': {
      const boxes = filter.filters.map((part) => boxOfFilter(part, geometryName)).filter((box) => box !== undefined);
      return boxes.length === 0 ? undefined : boxes.reduce(bothBoxes);
    }
    case 'or': {
      const boxes = filter.filters.map((part) => boxOfFilter(part, geometryName));
      return boxes.every((box) => box !== undefined) ? boxes.reduce<Box | undefined>(unionOf, undefined) : undefined;
    }
    default:
      return undefined;
  }
}

/**
 * A geometry that meets both boxes need not meet what they have in common (it may lie around it): but its own box does, when
 * there is something in common. Without, one of the two is restriction enough.
 */
function bothBoxes(a: Box, b: Box): Box {
  if (!boxesMeet(a, b)) return a;
  return [Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])];
}

/** What the SQL of a condition is made with. */
export interface SqlNames {
  readonly schema: FeatureSchema;
  /** Expression for an attribute that is no geometry. */
  column(attribute: AttributeType): string;
  /** Expression for a column of the key. */
  key(name: string): string;
  /** Whether the key's one column holds whole numbers. */
  readonly hasIntegerKey: boolean;
  /** Keeps a value for the statement, and returns its placeholder. */
  add(value: string | number | bigint, type: 'integer' | 'double' | 'text'): string;
}

const TERMS_MAX = 1000;

/** Prints a condition; keeps its values only then, for statements must have no values that they do not use. */
type Condition = () => string;

/** A condition that is true, in SQL, for every feature that meets the filter; undefined when there is none. */
export function narrowingSql(filter: Filter, names: SqlNames): string | undefined {
  return narrowing(filter, names)?.();
}

function narrowing(filter: Filter, names: SqlNames): Condition | undefined {
  switch (filter.kind) {
    case 'exclude':
      return () => '1 = 0';
    case 'and':
      return join(
        filter.filters.map((part) => narrowing(part, names)).filter((part) => part !== undefined),
        'AND',
      );
    case 'or': {
      const parts = filter.filters.map((part) => narrowing(part, names));
      return parts.every((part) => part !== undefined) ? join(parts, 'OR') : undefined;
    }
    case 'ids':
      return narrowingIds(filter.ids, names);
    case 'comparison':
      return (
        narrowingComparison(filter, names) ??
        narrowingComparison(
          { ...filter, operator: TURNED[filter.operator], left: filter.right, right: filter.left },
          names,
        )
      );
    case 'between': {
      const bound = (operator: '>=' | '<=', right: Expression) =>
        narrowingComparison({ kind: 'comparison', operator, left: filter.value, right, matchCase: true }, names);
      return join(
        [bound('>=', filter.lower), bound('<=', filter.upper)].filter((part) => part !== undefined),
        'AND',
      );
    }
    case 'like': {
      const attribute = attributeOf(filter.value, names);
      if (attribute?.type !== 'string' || !filter.matchCase) return undefined;
      return () => `${names.column(attribute)} LIKE ${names.add(likeSql(filter), 'text')} ESCAPE '\\'`;
    }
    default:
      return undefined;
  }
}

function join(parts: readonly Condition[], word: 'AND' | 'OR'): Condition | undefined {
  if (parts.length === 0 || parts.length > TERMS_MAX) return undefined;
  return () => parts.map((part) => `(${part()})`).join(` ${word} `);
}

type Comparison = Extract<Filter, { kind: 'comparison' }>;

/** The operator when its sides change places. */
const TURNED = { '=': '=', '<>': '<>', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;

function narrowingComparison({ operator, left, right, matchCase }: Comparison, names: SqlNames): Condition | undefined {
  const attribute = attributeOf(left, names);
  if (attribute === undefined || right.kind !== 'literal' || operator === '<>') return undefined;
  const { value } = right;
  const { add } = names;
  const column = names.column(attribute);
  if (attribute.type === 'string')
    return operator === '=' && matchCase && typeof value === 'string'
      ? () => `${column} = ${add(value, 'text')}`
      : undefined;
  const isNumber = attribute.type === 'integer' || attribute.type === 'long' || attribute.type === 'double';
  const number =
    typeof value === 'number' || (typeof value === 'string' && value.trim() !== '') ? Number(value) : Number.NaN;
  if (!isNumber || !Number.isFinite(number)) return undefined;
  if (attribute.type !== 'double' && Number.isSafeInteger(number))
    return () => `${column} ${operator} ${add(number, 'integer')}`;
  // A column of 32-bit floats, or of decimals, reads as a number that is a little off.
  const margin = Math.max(Math.abs(number) * 1e-6, Number.MIN_VALUE);
  const atLeast = () => `${column} >= ${add(number - margin, 'double')}`;
  const atMost = () => `${column} <= ${add(number + margin, 'double')}`;
  if (operator === '=') return () => `${atLeast()} AND ${atMost()}`;
  return operator === '>' || operator === '>=' ? atLeast : atMost;
}

function attributeOf(expression: Expression, { schema }: SqlNames): AttributeType | undefined {
  if (expression.kind !== 'property') return undefined;
  return schema.attributes.find(({ name, type }) => name === expression.name && type !== 'geometry');
}

function narrowingIds(ids: readonly string[], { schema, key, hasIntegerKey, add }: SqlNames): Condition | undefined {
  const [column, ...others] = schema.keyColumns;
  if (column === undefined || others.length > 0 || ids.length > TERMS_MAX) return undefined;
  const start = `${schema.name}.`;
  const values = ids.filter((id) => id.startsWith(start)).map((id) => id.slice(start.length));
  const usable = hasIntegerKey ? values.filter((value) => /^-?\d{1,18}$/.test(value)) : values;
  if (usable.length === 0) return () => '1 = 0';
  const keep = (value: string) => (hasIntegerKey ? add(BigInt(value), 'integer') : add(value, 'text'));
  return () => `${key(column)} IN (${usable.map(keep).join(', ')})`;
}
