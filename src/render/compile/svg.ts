/** Symbols as SVG, in the parts that Mapnik's own parser understands. */
import { parseXml, type XmlElement } from '../../xml/index.ts';
import type { Path, Point, Shape } from './shapes.ts';

export interface Paint {
  /** `#rrggbb`; absent: not filled. */
  readonly fill?: string;
  readonly fillOpacity: number;
  /** `#rrggbb`; absent: not outlined. */
  readonly stroke?: string;
  readonly strokeOpacity: number;
  /** Pixels. */
  readonly strokeWidth: number;
  readonly dashes?: readonly number[];
  readonly cap?: string;
  readonly join?: string;
}

export interface Drawing {
  readonly svg: string;
  /** Pixels; the middle of the picture is the middle of the form. */
  readonly width: number;
  readonly height: number;
}

const round = (n: number) => Math.round(n * 1000) / 1000;

function pathData(paths: readonly Path[], scale: number, cx: number, cy: number): string {
  return paths
    .map(({ points, closed }) => {
      const steps = points.map(
        ([x, y], i) => `${i === 0 ? 'M' : 'L'}${round(cx + x * scale)},${round(cy - y * scale)}`,
      );
      return steps.join(' ') + (closed ? ' Z' : '');
    })
    .join(' ');
}

/** Mapnik takes the box of what is drawn for the size of a picture; an invisible frame makes it the size that is meant. */
function frame(width: number, height: number): string {
  return `<rect x="0" y="0" width="${round(width)}" height="${round(height)}" fill="none" stroke="none"/>`;
}

function document(width: number, height: number, content: string): string {
  const [w, h] = [round(width), round(height)];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}">${frame(w, h)}${content}</svg>`;
}

/** A mark at its final size, its outline at its final width. */
export function drawSymbol(shape: Shape, size: number, paint: Paint): Drawing {
  const scale = size / shape.height;
  const reach = (i: 0 | 1) =>
    Math.max(size / 2, ...shape.paths.flatMap((p) => p.points.map((q) => Math.abs(q[i]) * scale)));
  const margin = paint.stroke === undefined ? 1 : paint.strokeWidth + 1;
  const [width, height] = [2 * (reach(0) + margin), 2 * (reach(1) + margin)];
  const data = pathData(shape.paths, scale, width / 2, height / 2);
  const attributes = [`d="${data}"`];
  if (paint.fill === undefined) attributes.push('fill="none"');
  else attributes.push(`fill="${paint.fill}" fill-opacity="${round(paint.fillOpacity)}"`);
  if (paint.stroke !== undefined) {
    attributes.push(
      `stroke="${paint.stroke}" stroke-opacity="${round(paint.strokeOpacity)}" stroke-width="${round(paint.strokeWidth)}"`,
    );
    attributes.push(`stroke-linejoin="${paint.join ?? 'miter'}" stroke-linecap="${paint.cap ?? 'butt'}"`);
    if (paint.dashes !== undefined) attributes.push(`stroke-dasharray="${paint.dashes.map(round).join(',')}"`);
  }
  return { svg: document(width, height, `<path ${attributes.join(' ')}/>`), width, height };
}

export interface Tile {
  readonly shape: Shape;
  readonly size: number;
  readonly paint: Paint;
  /** Clockwise, degrees. */
  readonly rotation: number;
  /** Space around, pixels: top, right, bottom, left. */
  readonly margin: readonly [number, number, number, number];
  /** Where marks lie in the tile (x right, y down, from its corner); absent: one in the middle. */
  readonly spots?: readonly { readonly x: number; readonly y: number; readonly rotation: number }[];
  /** Tile size when there are spots. */
  readonly extent?: number;
}

/**
 * A picture that tiles without seams: what leaves it on one side comes in on the other. Strokes are made into areas and
 * cut at the edges, for what sticks out would make the tile larger.
 */
export function drawTile(tile: Tile): Drawing {
  const { shape, size, paint, margin } = tile;
  const scale = size / shape.height;
  const width = Math.max(1, Math.round(tile.extent ?? size + margin[1] + margin[3]));
  const height = Math.max(1, Math.round(tile.extent ?? size + margin[0] + margin[2]));
  const middle = { x: margin[3] + size / 2, y: margin[0] + size / 2, rotation: 0 };
  const areas: { fill: boolean; points: Point[] }[] = [];
  for (const spot of tile.spots ?? [middle]) {
    const angle = ((tile.rotation + spot.rotation) * Math.PI) / 180;
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    // A whole size may be rounded for the tile; the mark follows, so that hatches meet at the edges.
    const [fx, fy] = tile.spots === undefined && margin.every((m) => m === 0) ? [width / size, height / size] : [1, 1];
    const place = ([x, y]: Point): Point => {
      const [px, py] = [x * scale, -y * scale];
      return [(spot.x + px * c - py * s) * fx, (spot.y + px * s + py * c) * fy];
    };
    for (const path of shape.paths) {
      const points = path.points.map(place);
      if (path.closed && paint.fill !== undefined) areas.push({ fill: true, points });
      if (paint.stroke !== undefined)
        for (const area of strokeAreas(points, path.closed, paint.strokeWidth, extension(path, shape)))
          areas.push({ fill: false, points: area });
    }
  }
  let content = '';
  for (const fill of [true, false]) {
    const pieces: string[] = [];
    for (const area of areas) {
      if (area.fill !== fill) continue;
      for (const dx of [-width, 0, width]) {
        for (const dy of [-height, 0, height]) {
          const cut = clip(
            area.points.map(([x, y]): Point => [x + dx, y + dy]),
            width,
            height,
          );
          if (cut.length >= 3) pieces.push(`M${cut.map(([x, y]) => `${round(x)},${round(y)}`).join(' L')} Z`);
        }
      }
    }
    if (pieces.length === 0) continue;
    const [color, opacity] = fill ? [paint.fill, paint.fillOpacity] : [paint.stroke, paint.strokeOpacity];
    content += `<path d="${pieces.join(' ')}" fill="${color}" fill-opacity="${round(opacity)}" stroke="none" fill-rule="nonzero"/>`;
  }
  return { svg: document(width, height, content), width, height };
}

/** Lines that reach the edge of their tile are drawn beyond it, so that a slanting one has no notch at the seam. */
function extension(path: Path, shape: Shape): number {
  return !path.closed && shape.height === 1 && path.points.length === 2 ? 1 : 0;
}

/** A line as four-cornered areas, one a segment, and round joints between them. */
function strokeAreas(points: readonly Point[], closed: boolean, width: number, extend: number): Point[][] {
  const areas: Point[][] = [];
  const half = width / 2;
  const ring = closed ? [...points, points[0]!] : points;
  for (let i = 0; i + 1 < ring.length; i++) {
    const [[x1, y1], [x2, y2]] = [ring[i]!, ring[i + 1]!];
    const length = Math.hypot(x2 - x1, y2 - y1);
    if (length === 0) continue;
    const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
    const [nx, ny] = [-uy * half, ux * half];
    const [ex, ey] = [ux * half * extend, uy * half * extend];
    areas.push([
      [x1 - ex + nx, y1 - ey + ny],
      [x2 + ex + nx, y2 + ey + ny],
      [x2 + ex - nx, y2 + ey - ny],
      [x1 - ex - nx, y1 - ey - ny],
    ]);
    const joint = closed || i > 0;
    if (joint && half > 0.4)
      areas.push(
        Array.from(
          { length: 12 },
          (_, k): Point => [x1 + half * Math.cos((k * Math.PI) / 6), y1 + half * Math.sin((k * Math.PI) / 6)],
        ),
      );
  }
  // One winding for all, so that where they overlap nothing is taken away.
  return areas.map((area) => (signedArea(area) < 0 ? [...area].reverse() : area));
}

function signedArea(points: readonly Point[]): number {
  return points.reduce((sum, [x, y], i) => {
    const [nx, ny] = points[(i + 1) % points.length]!;
    return sum + x * ny - nx * y;
  }, 0);
}

/** Sutherland and Hodgman's clipping to the rectangle from 0,0 to width,height. */
function clip(points: readonly Point[], width: number, height: number): Point[] {
  let result = [...points];
  const sides: [axis: 0 | 1, limit: number, sign: 1 | -1][] = [
    [0, 0, 1],
    [0, width, -1],
    [1, 0, 1],
    [1, height, -1],
  ];
  for (const [axis, limit, sign] of sides) {
    const input = result;
    result = [];
    input.forEach((to, i) => {
      const from = input[(i + input.length - 1) % input.length]!;
      const inside = (p: Point) => (p[axis] - limit) * sign >= 0;
      if (inside(from) !== inside(to)) {
        const t = (limit - from[axis]) / (to[axis] - from[axis]);
        result.push([from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])]);
      }
      if (inside(to)) result.push(to);
    });
  }
  return result;
}

/**
 * A foreign SVG made fit: its size in pixels as numbers, its frame inside, its parameters (`param(fill) #f00`) filled in
 * from the query of its address.
 *
 * @returns undefined when it is not well-formed or has no size
 */
export function prepareSvg(bytes: Uint8Array, query: string): Drawing | undefined {
  let source = Buffer.from(bytes).toString('utf8');
  source = withoutDoctype(source);
  const parameters = new URLSearchParams(query);
  source = source.replace(
    /param\(\s*([\w-]+)\s*\)[ \t]*([^"';<]*)/g,
    (_, name: string, fallback: string) => parameters.get(name) ?? fallback,
  );
  let root: XmlElement;
  try {
    root = parseXml(source).root;
  } catch {
    return undefined;
  }
  if (root.local !== 'svg') return undefined;
  const box = root
    .attribute('viewBox')
    ?.trim()
    .split(/[\s,]+/)
    .map(Number);
  const view = box?.length === 4 && box.every(Number.isFinite) ? (box as [number, number, number, number]) : undefined;
  const width = pixels(root.attribute('width')) ?? view?.[2];
  const height = pixels(root.attribute('height')) ?? view?.[3];
  if (width === undefined || height === undefined || !(width > 0 && height > 0)) return undefined;
  root.setAttribute('width', String(round(width)));
  root.setAttribute('height', String(round(height)));
  const [x, y, w, h] = view ?? [0, 0, width, height];
  const text = root.toString();
  const open = text.indexOf('>', startTagEnd(text));
  const rect = `<${root.name.replace(/svg$/, 'rect')} x="${x}" y="${y}" width="${w}" height="${h}" fill="none" stroke="none"/>`;
  return { svg: `${text.slice(0, open + 1)}${rect}${text.slice(open + 1)}`, width, height };
}

/** Drawing programs write namespaces as entities; those are put in, and the declaration goes. */
function withoutDoctype(source: string): string {
  const doctype = /<!DOCTYPE[^>[]*(?:\[([^\]]*)\])?[^>]*>/.exec(source);
  if (doctype === null) return source;
  let text = source.replace(doctype[0], '');
  for (const [, name, value] of [
    ...(doctype[1] ?? '').matchAll(/<!ENTITY\s+([\w.-]+)\s+["']([^"'&]{0,200})["']\s*>/g),
  ].slice(0, 50))
    text = text.replaceAll(`&${name};`, value!);
  return text;
}

/** Offset of the last quote of the start tag, after which its `>` follows. */
function startTagEnd(text: string): number {
  const match = /^<[^\s>]+(?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*/.exec(text);
  return match === null ? 0 : match[0].length;
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  px: 1,
  pt: 96 / 72,
  pc: 16,
  mm: 96 / 25.4,
  cm: 96 / 2.54,
  in: 96,
};

function pixels(length: string | undefined): number | undefined {
  const match = /^\s*([\d.]+)\s*(px|pt|pc|mm|cm|in)?\s*$/.exec(length ?? '');
  return match === null ? undefined : Number(match[1]) * UNITS[match[2] ?? '']!;
}
