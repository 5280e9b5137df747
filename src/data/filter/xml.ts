import { XmlElement } from '../../xml/index.ts';
import { toDate } from './convert.ts';
import { gmlBox, isGml, parseGml } from './gml.ts';
import {
  and,
  type ComparisonOperator,
  type Expression,
  type Filter,
  FilterError,
  type SpatialOperator,
  type TemporalOperator,
} from './types.ts';
import { boxPolygon } from './wkt.ts';

/**
 * Reads a filter: OGC Filter Encoding 1.0 and 1.1, and FES 2.0, by local names, so that a wrong or missing namespace
 * does no harm.
 *
 * @param element  `Filter`, or one of the operators that stand in it
 * @throws FilterError  with the offset of the element that is wrong
 * @see OGC 02-059 (1.0), OGC 04-095 (1.1), OGC 09-026r2 (2.0)
 */
export function parseFilterXml(element: XmlElement): Filter {
  if (element.local !== 'Filter') return operator(element);
  const elements = element.elements;
  if (elements.length === 0) throw new FilterError('the Filter is empty', element.start);
  const ids = elements.filter((child) => child.local in ID_ATTRIBUTES);
  if (ids.length === elements.length) return { kind: 'ids', ids: ids.map(idOf) };
  if (elements.length > 1)
    throw new FilterError(`the Filter holds ${elements.length} conditions: put them into And or Or`, element.start);
  return operator(elements[0]!);
}

/**
 * Reads an expression: PropertyName, ValueReference, Literal, Function, Add, Sub, Mul, Div, and Symbology Encoding's
 * Recode, Categorize, Interpolate, Concatenate and their kin, which become functions.
 *
 * @throws FilterError
 */
export function parseExpressionXml(element: XmlElement): Expression {
  switch (element.local) {
    case 'PropertyName':
    case 'ValueReference':
      return { kind: 'property', name: element.text.trim() };
    case 'Literal': {
      const inner = element.elements[0];
      if (inner !== undefined && isGml(inner)) return { kind: 'geometry', ...parseGml(inner) };
      return { kind: 'literal', value: element.deepText };
    }
    case 'Add':
    case 'Sub':
    case 'Mul':
    case 'Div': {
      const operators = { Add: '+', Sub: '-', Mul: '*', Div: '/' } as const;
      const [left, right] = operands(element, 2);
      return { kind: 'arithmetic', operator: operators[element.local], left: left!, right: right! };
    }
    case 'Function': {
      const name = element.attribute('name');
      if (name === undefined) throw new FilterError('a Function needs a name', element.start);
      return { kind: 'function', name, arguments: element.elements.map(parseExpressionXml) };
    }
    default: {
      const reader = SE_FUNCTIONS[element.local];
      if (reader !== undefined) return { kind: 'function', name: element.local, arguments: reader(element) };
      if (isGml(element)) return { kind: 'geometry', ...parseGml(element) };
      // Filters as arguments of functions (`if_then_else` in GeoServer's dialect) yield booleans.
      const filterFunction = FILTER_FUNCTIONS[element.local];
      if (filterFunction !== undefined)
        return { kind: 'function', name: filterFunction, arguments: element.elements.map(parseExpressionXml) };
      throw new FilterError(`<${element.name}> is not an expression`, element.start);
    }
  }
}

/**
 * Reads what may hold text and expressions side by side, such as a CssParameter or a Label.
 *
 * White space around elements is dropped when it is nothing else, and CDATA sections are kept as they are.
 *
 * @returns undefined when there is nothing in it
 */
export function parseMixedXml(element: XmlElement): Expression | undefined {
  const hasElements = element.elements.length > 0;
  const parts: Expression[] = [];
  for (const child of element.children) {
    if (child instanceof XmlElement) parts.push(parseExpressionXml(child));
    else if ('value' in child) {
      const cdata = child.raw.startsWith('<![CDATA[');
      const text = cdata ? child.value : hasElements ? collapse(child.value) : child.value.trim();
      if (text !== '' && (cdata || text.trim() !== '')) parts.push({ kind: 'literal', value: text });
    }
  }
  if (parts.length === 0) return undefined;
  return parts.length === 1 ? parts[0] : { kind: 'function', name: 'Concatenate', arguments: parts };
}

/** Runs of white space become one space; a line break at either end counts as layout. */
function collapse(text: string): string {
  return text
    .replace(/^\s*[\r\n]\s*/, '')
    .replace(/\s*[\r\n]\s*$/, '')
    .replace(/\s+/g, ' ');
}

const FILTER_FUNCTIONS: Readonly<Record<string, string>> = {
  PropertyIsEqualTo: 'equalTo',
  PropertyIsNotEqualTo: 'notEqualTo',
  PropertyIsLessThan: 'lessThan',
  PropertyIsGreaterThan: 'greaterThan',
  PropertyIsLessThanOrEqualTo: 'lessEqualThan',
  PropertyIsGreaterThanOrEqualTo: 'greaterEqualThan',
  PropertyIsNull: 'isNull',
};

/** Symbology Encoding's functions, their arguments put into GeoServer's order. @see OGC 05-077r4, 11.6 */
const SE_FUNCTIONS: Readonly<Record<string, (element: XmlElement) => Expression[]>> = {
  Recode: (e) => [
    lookup(e),
    ...e.childrenNamed('MapItem').flatMap((item) => [parameter(item, 'Data'), parameter(item, 'Value')]),
  ],
  Categorize: (e) => [
    lookup(e),
    ...e.elements.filter((c) => c.local === 'Value' || c.local === 'Threshold').map(content),
    ...mode(e, ['threshholdsBelongTo', 'thresholdsBelongTo']),
  ],
  Interpolate: (e) => [
    lookup(e),
    ...e.childrenNamed('InterpolationPoint').flatMap((p) => [parameter(p, 'Data'), parameter(p, 'Value')]),
    ...mode(e, ['mode']),
    ...mode(e, ['method']),
  ],
  Concatenate: (e) => e.childrenNamed('StringValue').map(content),
  ChangeCase: (e) => [parameter(e, 'StringValue'), { kind: 'literal', value: e.attribute('direction') ?? 'toUpper' }],
  StringLength: (e) => [parameter(e, 'StringValue')],
  Trim: (e) => [
    parameter(e, 'StringValue'),
    { kind: 'literal', value: e.attribute('stripOffPosition') ?? 'leading' },
    { kind: 'literal', value: e.attribute('stripOffChar') ?? ' ' },
  ],
};

function lookup(element: XmlElement): Expression {
  return parameter(element, 'LookupValue');
}

function mode(element: XmlElement, names: readonly string[]): Expression[] {
  for (const name of names) {
    const value = element.attribute(name);
    if (value !== undefined) return [{ kind: 'literal', value }];
  }
  return [];
}

function parameter(element: XmlElement, name: string): Expression {
  const child = element.child(name);
  if (child === undefined) throw new FilterError(`<${element.name}> needs ${name}`, element.start);
  return content(child);
}

function content(element: XmlElement): Expression {
  return parseMixedXml(element) ?? { kind: 'literal', value: '' };
}

function operands(element: XmlElement, count: number): Expression[] {
  const elements = element.elements;
  if (elements.length !== count)
    throw new FilterError(`<${element.name}> needs ${count} expressions, not ${elements.length}`, element.start);
  return elements.map(parseExpressionXml);
}

// ---- conditions

const COMPARISONS: Readonly<Record<string, ComparisonOperator>> = {
  PropertyIsEqualTo: '=',
  PropertyIsNotEqualTo: '<>',
  PropertyIsLessThan: '<',
  PropertyIsLessThanOrEqualTo: '<=',
  PropertyIsGreaterThan: '>',
  PropertyIsGreaterThanOrEqualTo: '>=',
};

const SPATIAL: Readonly<Record<string, SpatialOperator>> = {
  Equals: 'equals',
  Disjoint: 'disjoint',
  Intersects: 'intersects',
  Intersect: 'intersects',
  Touches: 'touches',
  Crosses: 'crosses',
  Within: 'within',
  Contains: 'contains',
  Overlaps: 'overlaps',
};

const TEMPORAL: Readonly<Record<string, TemporalOperator>> = {
  After: 'after',
  Before: 'before',
  Begins: 'begins',
  BegunBy: 'begunBy',
  TContains: 'tContains',
  During: 'during',
  EndedBy: 'endedBy',
  Ends: 'ends',
  TEquals: 'tEquals',
  Meets: 'meets',
  MetBy: 'metBy',
  TOverlaps: 'tOverlaps',
  OverlappedBy: 'overlappedBy',
  AnyInteracts: 'anyInteracts',
};

const ID_ATTRIBUTES: Readonly<Record<string, string>> = {
  FeatureId: 'fid',
  GmlObjectId: 'id',
  ResourceId: 'rid',
};

function idOf(element: XmlElement): string {
  const id = element.attributeLocal(ID_ATTRIBUTES[element.local]!);
  if (id === undefined) throw new FilterError(`<${element.name}> needs ${ID_ATTRIBUTES[element.local]}`, element.start);
  return id;
}

function operator(element: XmlElement): Filter {
  const { local } = element;
  const comparison = COMPARISONS[local];
  if (comparison !== undefined) {
    const [left, right] = operands(element, 2);
    const matchCase = element.attribute('matchCase') !== 'false';
    return { kind: 'comparison', operator: comparison, left: left!, right: right!, matchCase };
  }
  const spatial = SPATIAL[local];
  if (spatial !== undefined) {
    const [left, right] = spatialOperands(element);
    return { kind: 'spatial', operator: spatial, left, right };
  }
  const temporal = TEMPORAL[local];
  if (temporal !== undefined) return temporalFilter(element, temporal);
  switch (local) {
    case 'And':
    case 'Or': {
      const filters = element.elements.map(operator);
      if (filters.length === 0) throw new FilterError(`<${element.name}> is empty`, element.start);
      if (local === 'And') return and(...filters);
      return filters.length === 1 ? filters[0]! : { kind: 'or', filters };
    }
    case 'Not': {
      const [only, ...others] = element.elements;
      if (only === undefined || others.length > 0)
        throw new FilterError(`<${element.name}> needs one condition`, element.start);
      return { kind: 'not', filter: operator(only) };
    }
    case 'PropertyIsLike':
      return like(element);
    case 'PropertyIsNull':
    case 'PropertyIsNil':
      return { kind: 'null', value: operands(element, 1)[0]! };
    case 'PropertyIsBetween':
      return between(element);
    case 'FeatureId':
    case 'GmlObjectId':
    case 'ResourceId':
      return { kind: 'ids', ids: [idOf(element)] };
    case 'BBOX':
      return bbox(element);
    case 'DWithin':
    case 'Beyond': {
      const distance = element.child('Distance');
      const [left, right] = spatialOperands(element);
      const number = Number(distance?.text.trim() || Number.NaN);
      if (distance === undefined || Number.isNaN(number))
        throw new FilterError(`<${element.name}> needs a Distance that is a number`, element.start);
      const units = distance.attribute('units') ?? distance.attribute('uom') ?? '';
      return {
        kind: 'distance',
        operator: local === 'DWithin' ? 'dwithin' : 'beyond',
        left,
        right,
        distance: number,
        units,
      };
    }
    case 'Filter':
      return parseFilterXml(element);
    default:
      throw new FilterError(`<${element.name}> is not a condition that is known`, element.start);
  }
}

function like(element: XmlElement): Filter {
  const [value, literal] = operands(element, 2);
  if (literal!.kind !== 'literal')
    throw new FilterError('PropertyIsLike needs a Literal as its pattern', element.start);
  return {
    kind: 'like',
    value: value!,
    pattern: String(literal!.value ?? ''),
    wildcard: element.attribute('wildCard') ?? '*',
    single: element.attribute('singleChar') ?? '?',
    escape: element.attribute('escapeChar') ?? element.attribute('escape') ?? '\\',
    matchCase: element.attribute('matchCase') !== 'false',
  };
}

function between(element: XmlElement): Filter {
  const value = element.elements.find((c) => c.local !== 'LowerBoundary' && c.local !== 'UpperBoundary');
  if (value === undefined) throw new FilterError('PropertyIsBetween needs an expression', element.start);
  return {
    kind: 'between',
    value: parseExpressionXml(value),
    lower: parameter(element, 'LowerBoundary'),
    upper: parameter(element, 'UpperBoundary'),
  };
}

function bbox(element: XmlElement): Filter {
  const elements = element.elements;
  const envelope = elements.find((c) => c.local === 'Box' || c.local === 'Envelope');
  if (envelope === undefined) throw new FilterError('BBOX needs an Envelope or Box', element.start);
  const other = elements.find((c) => c !== envelope);
  const value: Expression = other === undefined ? { kind: 'property', name: '' } : parseExpressionXml(other);
  return { kind: 'bbox', value, ...gmlBox(envelope) };
}

function spatialOperands(element: XmlElement): [Expression, Expression] {
  const found = element.elements
    .filter((c) => c.local !== 'Distance')
    .map((c): Expression => {
      if (c.local !== 'Envelope' && c.local !== 'Box') return parseExpressionXml(c);
      const { box, crs } = gmlBox(c);
      return { kind: 'geometry', geometry: boxPolygon(box), ...(crs === undefined ? {} : { crs }) };
    });
  if (found.length === 1) found.unshift({ kind: 'property', name: '' });
  if (found.length !== 2) throw new FilterError(`<${element.name}> needs a property and a geometry`, element.start);
  return [found[0]!, found[1]!];
}

function temporalFilter(element: XmlElement, name: TemporalOperator): Filter {
  const [first, second] = element.elements;
  if (first === undefined || second === undefined)
    throw new FilterError(`<${element.name}> needs a property and a time`, element.start);
  const times: Date[] = [];
  const texts: string[] = [];
  const walk = (node: XmlElement) => {
    if (node.elements.length === 0 && node.text.trim() !== '') texts.push(...node.text.trim().split(/[\s/]+/));
    node.elements.forEach(walk);
  };
  walk(second);
  for (const text of texts) {
    const date = toDate(text);
    if (date === undefined) throw new FilterError(`${text} is not a time`, second.start);
    times.push(date);
  }
  const begin = times[0];
  if (begin === undefined || times.length > 2)
    throw new FilterError(`<${element.name}> needs an instant or a period`, element.start);
  return { kind: 'temporal', operator: name, value: parseExpressionXml(first), begin, end: times[1] ?? begin };
}
