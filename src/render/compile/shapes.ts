/**
 * Forms of marks as plain paths in a unit square around 0,0, y up, before they are sized. Names as in GeoServer.
 *
 * @see https://docs.geoserver.org/stable/en/user/styling/sld/extensions/pointsymbols.html
 */
import { parseWkt } from '../../data/filter/index.ts';

export type Point = readonly [number, number];

/** A run of points; closed ones are filled. */
export interface Path {
  readonly points: readonly Point[];
  readonly closed: boolean;
}

export interface Shape {
  readonly paths: readonly Path[];
  /** Height that `Size` means; 1 for all but `wkt://`, which keeps its own measure. */
  readonly height: number;
}

const circle = (radius: number, from = 0, to = 2 * Math.PI): Point[] =>
  Array.from({ length: 49 }, (_, i) => {
    const angle = from + ((to - from) * i) / 48;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });

const closed = (...points: Point[]): Shape => ({ paths: [{ points, closed: true }], height: 1 });
const lines = (...paths: Point[][]): Shape => ({
  paths: paths.map((points) => ({ points, closed: false })),
  height: 1,
});

function regular(corners: number, outer: number, inner: number): Point[] {
  return Array.from({ length: corners * 2 }, (_, i) => {
    const radius = i % 2 === 0 ? outer : inner;
    const angle = Math.PI / 2 + (i * Math.PI) / corners;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

const SHAPES: Readonly<Record<string, () => Shape>> = {
  square: () => closed([-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]),
  rectangle: () => closed([-0.5, -0.25], [0.5, -0.25], [0.5, 0.25], [-0.5, 0.25]),
  circle: () => closed(...circle(0.5).slice(0, -1)),
  triangle: () => closed([-0.5, -0.5], [0.5, -0.5], [0, 0.5]),
  star: () => closed(...regular(5, 0.5, 0.191)),
  pentagon: () => closed(...regular(5, 0.5, 0.5).filter((_, i) => i % 2 === 0)),
  hexagon: () => closed(...regular(6, 0.5, 0.5).filter((_, i) => i % 2 === 0)),
  octagon: () => closed(...regular(8, 0.5, 0.5).filter((_, i) => i % 2 === 0)),
  diamond: () => closed([0, -0.5], [0.5, 0], [0, 0.5], [-0.5, 0]),
  cross: () => closed(...cross(0.125)),
  cross_filled: () => closed(...cross(0.125)),
  x: () => closed(...turned(cross(0.125), Math.PI / 4)),
  arrow: () => closed([0.5, 0], [0, 0.5], [0, 0.15], [-0.5, 0.15], [-0.5, -0.15], [0, -0.15], [0, -0.5]),
  hatch: () =>
    lines([
      [-0.5, 0.5],
      [0.5, -0.5],
    ]),
  'shape://vertline': () =>
    lines([
      [0, -0.5],
      [0, 0.5],
    ]),
  'shape://horline': () =>
    lines([
      [-0.5, 0],
      [0.5, 0],
    ]),
  'shape://slash': () =>
    lines([
      [-0.5, -0.5],
      [0.5, 0.5],
    ]),
  'shape://backslash': () =>
    lines([
      [-0.5, 0.5],
      [0.5, -0.5],
    ]),
  'shape://dot': () => closed(...circle(0.02).slice(0, -1)),
  'shape://plus': () =>
    lines(
      [
        [-0.5, 0],
        [0.5, 0],
      ],
      [
        [0, -0.5],
        [0, 0.5],
      ],
    ),
  'shape://times': () =>
    lines(
      [
        [-0.5, -0.5],
        [0.5, 0.5],
      ],
      [
        [-0.5, 0.5],
        [0.5, -0.5],
      ],
    ),
  'shape://oarrow': () =>
    lines([
      [-0.5, 0.3],
      [0.5, 0],
      [-0.5, -0.3],
    ]),
  'shape://carrow': () => closed([-0.5, 0.3], [0.5, 0], [-0.5, -0.3]),
  'shape://coarrow': () => closed([-0.5, 0.3], [0.5, 0], [-0.5, -0.3], [-0.25, 0]),
  'shape://emicircle': () => closed(...circle(0.5, 0, Math.PI)),
  'shape://triangleemicircle': () => closed([-0.5, 0], [0, 0.5], [0.5, 0]),
  'shape://wave': () =>
    lines(Array.from({ length: 33 }, (_, i): Point => [i / 32 - 0.5, 0.25 * Math.sin((2 * Math.PI * i) / 32)])),
};

/** Other spellings that are about. */
const ALIASES: Readonly<Record<string, string>> = {
  'shape://square': 'square',
  'shape://circle': 'circle',
  'shape://triangle': 'triangle',
  'shape://star': 'star',
  'shape://cross': 'cross',
  'shape://x': 'x',
  'shape://arrow': 'arrow',
};

function cross(half: number): Point[] {
  return [
    [-half, 0.5],
    [half, 0.5],
    [half, half],
    [0.5, half],
    [0.5, -half],
    [half, -half],
    [half, -0.5],
    [-half, -0.5],
    [-half, -half],
    [-0.5, -half],
    [-0.5, half],
    [-half, half],
  ];
}

function turned(points: readonly Point[], angle: number): Point[] {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return points.map(([x, y]) => [x * c - y * s, x * s + y * c]);
}

/** `extshape://arrow?hr=2&t=0.2&ab=0.5`: height to width, thickness, where the head begins. */
function arrow(query: string): Shape {
  const value = (name: string, fallback: number) => {
    const n = Number(new URLSearchParams(query).get(name) ?? Number.NaN);
    return n > 0 ? n : fallback;
  };
  const height = Math.min(value('hr', 2), 1000);
  const thick = Math.min(value('t', 0.2), 1) / 2;
  const base = Math.min(value('ab', 0.5), 1);
  const [top, neck] = [height / 2, height / 2 - height * (1 - base)];
  return {
    paths: [
      {
        points: [
          [0, top],
          [-0.5, neck],
          [-thick, neck],
          [-thick, -top],
          [thick, -top],
          [thick, neck],
          [0.5, neck],
        ],
        closed: true,
      },
    ],
    height,
  };
}

/** The form of a mark; undefined when there is none of that name. */
export function shapeOf(name: string): Shape | undefined {
  const key = name.trim();
  const lower = key.toLowerCase();
  const known = SHAPES[ALIASES[lower] ?? lower];
  if (known !== undefined) return known();
  if (lower.startsWith('extshape://arrow')) return arrow(key.split('?')[1] ?? '');
  if (lower.startsWith('extshape://')) return SHAPES[`shape://${lower.slice(11)}`]?.() ?? SHAPES[lower.slice(11)]?.();
  if (lower.startsWith('wkt://')) return wktShape(key.slice(6));
  return undefined;
}

/** `wkt://LINESTRING(...)`, also several geometries with commas between them. */
function wktShape(text: string): Shape | undefined {
  const paths: Path[] = [];
  try {
    for (let at = 0; at < text.length; ) {
      const { geometry, end } = parseWkt(text, at);
      collect(geometry, paths);
      at = end;
      while (/[\s,]/.test(text[at] ?? '')) at++;
    }
  } catch {
    return undefined;
  }
  if (paths.length === 0) return undefined;
  const all = paths.flatMap((p) => p.points);
  const size = (i: 0 | 1) => Math.max(...all.map((p) => p[i])) - Math.min(...all.map((p) => p[i]));
  return { paths, height: size(1) || size(0) || 1 };
}

function collect(geometry: GeoJSON.Geometry, into: Path[]): void {
  const add = (positions: GeoJSON.Position[], isClosed: boolean) =>
    into.push({ points: positions.map(([x, y]): Point => [x!, y!]), closed: isClosed });
  switch (geometry.type) {
    case 'LineString':
      add(geometry.coordinates, false);
      break;
    case 'MultiLineString':
      for (const line of geometry.coordinates) add(line, false);
      break;
    case 'Polygon':
      for (const ring of geometry.coordinates) add(ring.slice(0, -1), true);
      break;
    case 'MultiPolygon':
      for (const polygon of geometry.coordinates) for (const ring of polygon) add(ring.slice(0, -1), true);
      break;
    case 'GeometryCollection':
      for (const inner of geometry.geometries) collect(inner, into);
  }
}
