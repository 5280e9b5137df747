import { unreachable } from '../../base/index.ts';
import { type Expression, type Filter, localName } from './types.ts';
import { boxPolygon } from './wkt.ts';

/** Expressions that stand directly in a filter, filters in it left out. */
export function expressionsOf(filter: Filter): readonly Expression[] {
  switch (filter.kind) {
    case 'comparison':
    case 'spatial':
    case 'distance':
    case 'relate':
      return [filter.left, filter.right];
    case 'between':
      return [filter.value, filter.lower, filter.upper];
    case 'like':
    case 'null':
    case 'bbox':
    case 'temporal':
      return [filter.value];
    case 'include':
    case 'exclude':
    case 'ids':
    case 'and':
    case 'or':
    case 'not':
      return [];
    default:
      return unreachable(filter);
  }
}

/** Local names of all attributes that a filter or expression reads. */
export function propertiesOf(subject: Filter | Expression): Set<string> {
  const names = new Set<string>();
  const visitExpression = (expression: Expression): void => {
    if (expression.kind === 'property') names.add(localName(expression.name));
    else if (expression.kind === 'arithmetic') [expression.left, expression.right].forEach(visitExpression);
    else if (expression.kind === 'function') expression.arguments.forEach(visitExpression);
  };
  const visitFilter = (filter: Filter): void => {
    if (filter.kind === 'and' || filter.kind === 'or') filter.filters.forEach(visitFilter);
    else if (filter.kind === 'not') visitFilter(filter.filter);
    else expressionsOf(filter).forEach(visitExpression);
  };
  if (isExpression(subject)) visitExpression(subject);
  else visitFilter(subject);
  return names;
}

export function isExpression(subject: Filter | Expression): subject is Expression {
  return ['literal', 'geometry', 'property', 'arithmetic', 'function'].includes(subject.kind);
}

/**
 * A filter with every geometry in it changed, for example put into another CRS or axis order; boxes become polygons
 * where they are not boxes any more.
 *
 * @param change  gets a geometry and the name of its CRS as it was written, and returns it in the layer's own CRS
 */
export function mapGeometries(
  filter: Filter,
  change: (geometry: GeoJSON.Geometry, crs: string | undefined) => GeoJSON.Geometry,
): Filter {
  const expression = (e: Expression): Expression => {
    switch (e.kind) {
      case 'geometry':
        return { kind: 'geometry', geometry: change(e.geometry, e.crs) };
      case 'arithmetic':
        return { ...e, left: expression(e.left), right: expression(e.right) };
      case 'function':
        return { ...e, arguments: e.arguments.map(expression) };
      default:
        return e;
    }
  };
  switch (filter.kind) {
    case 'and':
    case 'or':
      return { kind: filter.kind, filters: filter.filters.map((f) => mapGeometries(f, change)) };
    case 'not':
      return { kind: 'not', filter: mapGeometries(filter.filter, change) };
    case 'bbox': {
      const changed = change(boxPolygon(filter.box), filter.crs);
      if (changed.type === 'Polygon') {
        const ring = changed.coordinates[0] ?? [];
        const xs = [...new Set(ring.map((p) => p[0]!))];
        const ys = [...new Set(ring.map((p) => p[1]!))];
        if (xs.length <= 2 && ys.length <= 2)
          return {
            kind: 'bbox',
            value: filter.value,
            box: [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)],
          };
      }
      return {
        kind: 'spatial',
        operator: 'intersects',
        left: filter.value,
        right: { kind: 'geometry', geometry: changed },
      };
    }
    case 'comparison':
    case 'spatial':
    case 'distance':
    case 'relate':
      return { ...filter, left: expression(filter.left), right: expression(filter.right) };
    default:
      return filter;
  }
}
