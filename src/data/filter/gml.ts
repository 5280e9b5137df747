import type { XmlElement } from '../../xml/index.ts';
import { FilterError } from './types.ts';
import { boxPolygon } from './wkt.ts';

type Position = GeoJSON.Position;

const GEOMETRIES = new Set([
  'Point',
  'LineString',
  'LinearRing',
  'Polygon',
  'MultiPoint',
  'MultiLineString',
  'MultiPolygon',
  'MultiCurve',
  'MultiSurface',
  'MultiGeometry',
  'Curve',
  'Surface',
  'Envelope',
  'Box',
]);

export function isGml(element: XmlElement): boolean {
  return GEOMETRIES.has(element.local);
}

/**
 * Reads a GML 2, 3.1 or 3.2 geometry. Coordinates keep the order they were written in; arcs are refused.
 *
 * @throws FilterError
 */
export function parseGml(element: XmlElement): { geometry: GeoJSON.Geometry; crs?: string } {
  const geometry = read(element);
  const crs = srsName(element);
  return crs === undefined ? { geometry } : { geometry, crs };
}

/** @returns the box with its numbers in the order they were written in */
export function gmlBox(element: XmlElement): { box: [number, number, number, number]; crs?: string } {
  const lower = element.child('lowerCorner');
  const upper = element.child('upperCorner');
  let numbers: number[];
  if (lower !== undefined && upper !== undefined) {
    numbers = [...tuples(lower, lower.text)[0]!.slice(0, 2), ...tuples(upper, upper.text)[0]!.slice(0, 2)];
  } else {
    const corners = positions(element);
    if (corners.length !== 2) throw new FilterError(`<${element.name}> needs two corners`, element.start);
    numbers = [...corners[0]!.slice(0, 2), ...corners[1]!.slice(0, 2)];
  }
  const box = numbers as [number, number, number, number];
  const crs = srsName(element);
  return crs === undefined ? { box } : { box, crs };
}

function srsName(element: XmlElement): string | undefined {
  const own = element.attribute('srsName');
  if (own !== undefined) return own;
  for (const child of element.elements) {
    const inner = srsName(child);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function read(element: XmlElement): GeoJSON.Geometry {
  switch (element.local) {
    case 'Point': {
      const position = positions(element)[0];
      if (position === undefined) throw new FilterError('the Point has no coordinates', element.start);
      return { type: 'Point', coordinates: position };
    }
    case 'LineString':
    case 'LinearRing':
    case 'Curve':
      return { type: 'LineString', coordinates: line(element) };
    case 'Polygon':
      return { type: 'Polygon', coordinates: rings(element) };
    case 'Surface': {
      const patches = members(element, ['patches'], (patch) => rings(patch));
      return patches.length === 1
        ? { type: 'Polygon', coordinates: patches[0]! }
        : { type: 'MultiPolygon', coordinates: patches };
    }
    case 'MultiPoint':
      return {
        type: 'MultiPoint',
        coordinates: members(element, ['pointMember', 'pointMembers'], (m) => positions(m)[0]!),
      };
    case 'MultiLineString':
    case 'MultiCurve':
      return {
        type: 'MultiLineString',
        coordinates: members(element, ['lineStringMember', 'curveMember', 'curveMembers'], line),
      };
    case 'MultiPolygon':
    case 'MultiSurface':
      return {
        type: 'MultiPolygon',
        coordinates: members(element, ['polygonMember', 'surfaceMember', 'surfaceMembers'], (m) => {
          const inner = read(m);
          if (inner.type !== 'Polygon') throw new FilterError(`<${m.name}> is not supported here`, m.start);
          return inner.coordinates;
        }),
      };
    case 'MultiGeometry':
      return {
        type: 'GeometryCollection',
        geometries: members(element, ['geometryMember', 'geometryMembers'], read),
      };
    case 'Envelope':
    case 'Box':
      return boxPolygon(gmlBox(element).box);
    default:
      throw new FilterError(`<${element.name}> is not a geometry that is supported`, element.start);
  }
}

function members<T>(element: XmlElement, names: readonly string[], each: (member: XmlElement) => T): T[] {
  return element.elements.filter((c) => names.includes(c.local)).flatMap((c) => c.elements.map(each));
}

function rings(element: XmlElement): Position[][] {
  const found: Position[][] = [];
  for (const name of ['outerBoundaryIs', 'exterior', 'innerBoundaryIs', 'interior'])
    for (const boundary of element.childrenNamed(name)) for (const ring of boundary.elements) found.push(line(ring));
  if (found.length === 0) throw new FilterError(`<${element.name}> has no outer ring`, element.start);
  return found;
}

function line(element: XmlElement): Position[] {
  const segments = element.child('segments');
  if (segments !== undefined) {
    return segments.elements.flatMap((segment, i) => {
      if (segment.local !== 'LineStringSegment')
        throw new FilterError(`<${segment.name}> is not supported: only straight lines are`, segment.start);
      return positions(segment).slice(i === 0 ? 0 : 1);
    });
  }
  if (element.local === 'Ring')
    return members(element, ['curveMember'], line).flatMap((part, i) => part.slice(i === 0 ? 0 : 1));
  const found = positions(element);
  if (found.length < 2) throw new FilterError(`<${element.name}> needs at least two positions`, element.start);
  return found;
}

function positions(element: XmlElement): Position[] {
  const found: Position[] = [];
  for (const child of element.elements) {
    switch (child.local) {
      case 'posList':
      case 'pos': {
        const dimension = Number(child.attribute('srsDimension') ?? element.attribute('srsDimension') ?? 0);
        found.push(...tuples(child, child.text, child.local === 'pos' ? undefined : dimension || 2));
        break;
      }
      case 'coordinates': {
        const decimal = child.attribute('decimal') ?? '.';
        const cs = child.attribute('cs') ?? ',';
        const ts = child.attribute('ts') ?? ' ';
        // Blanks around the comma are common in hand-written GML.
        const text = child.text.trim().replace(new RegExp(`\\s*\\${cs}\\s*`, 'g'), cs);
        for (const tuple of text.split(ts === ' ' ? /\s+/ : ts)) {
          const numbers = tuple.split(cs).map((n) => Number(decimal === '.' ? n : n.replace(decimal, '.')));
          found.push(checked(child, numbers));
        }
        break;
      }
      case 'coord':
        found.push(checked(child, [Number(child.childText('X')), Number(child.childText('Y'))]));
        break;
      case 'pointProperty':
      case 'Point':
      case 'pointRep':
        found.push(...(child.local === 'Point' ? positions(child) : child.elements.flatMap(positions)));
        break;
    }
  }
  return found;
}

function tuples(element: XmlElement, text: string, dimension?: number): Position[] {
  const numbers = checked(
    element,
    text
      .trim()
      .split(/[\s,]+/)
      .map(Number),
  );
  const size = dimension ?? numbers.length;
  if (numbers.length % size !== 0)
    throw new FilterError(
      `<${element.name}> has ${numbers.length} numbers, which is no multiple of ${size}`,
      element.start,
    );
  const found: Position[] = [];
  for (let i = 0; i < numbers.length; i += size) found.push(numbers.slice(i, i + size));
  return found;
}

function checked(element: XmlElement, numbers: number[]): number[] {
  if (numbers.length < 2 || numbers.some((n) => Number.isNaN(n)))
    throw new FilterError(`<${element.name}> does not hold coordinates`, element.start);
  return numbers;
}
