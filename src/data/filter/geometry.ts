/**
 * Plane geometry on GeoJSON, as exact as doubles are: enough for the common spatial predicates. Curves on the ellipsoid
 * are not its subject; whoever needs metres on a geographic CRS transforms first.
 */
type Position = GeoJSON.Position;
type Geometry = GeoJSON.Geometry;
type Ring = readonly Position[];

export type Box = readonly [number, number, number, number];

interface Parts {
  readonly points: Position[];
  /** Open or closed, but not those of polygons. */
  readonly lines: Ring[];
  readonly polygons: (readonly Ring[])[];
}

/** The geometry taken apart into points, lines and polygons. */
export function partsOf(geometry: Geometry): Parts {
  const parts: Parts = { points: [], lines: [], polygons: [] };
  collect(geometry, parts);
  return parts;
}

function collect(geometry: Geometry, into: Parts): void {
  switch (geometry.type) {
    case 'Point':
      if (geometry.coordinates.length >= 2) into.points.push(geometry.coordinates);
      return;
    case 'MultiPoint':
      into.points.push(...geometry.coordinates);
      return;
    case 'LineString':
      into.lines.push(geometry.coordinates);
      return;
    case 'MultiLineString':
      into.lines.push(...geometry.coordinates);
      return;
    case 'Polygon':
      into.polygons.push(geometry.coordinates);
      return;
    case 'MultiPolygon':
      into.polygons.push(...geometry.coordinates);
      return;
    case 'GeometryCollection':
      for (const member of geometry.geometries) collect(member, into);
  }
}

/** Every position, in order. */
export function* positionsOf(geometry: Geometry): Generator<Position> {
  const { points, lines, polygons } = partsOf(geometry);
  yield* points;
  for (const line of lines) yield* line;
  for (const polygon of polygons) for (const ring of polygon) yield* ring;
}

/** Undefined for an empty geometry. */
export function boxOf(geometry: Geometry): Box | undefined {
  let [minx, miny, maxx, maxy] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of positionsOf(geometry) as Generator<[number, number]>) {
    if (x < minx) minx = x;
    if (x > maxx) maxx = x;
    if (y < miny) miny = y;
    if (y > maxy) maxy = y;
  }
  return minx <= maxx ? [minx, miny, maxx, maxy] : undefined;
}

export function boxesMeet(a: Box, b: Box): boolean {
  return a[0] <= b[2] && a[2] >= b[0] && a[1] <= b[3] && a[3] >= b[1];
}

/** Whether the two have a position in common. */
export function intersects(a: Geometry, b: Geometry): boolean {
  const boxA = boxOf(a);
  const boxB = boxOf(b);
  if (boxA === undefined || boxB === undefined || !boxesMeet(boxA, boxB)) return false;
  if (isBox(a, boxA) && containsBox(boxA, boxB)) return true;
  const partsA = partsOf(a);
  const partsB = partsOf(b);
  const segmentsA = [...segments(partsA)];
  const segmentsB = [...segments(partsB)];
  for (const p of partsA.points) if (locate(p, partsB, segmentsB) !== 'outside') return true;
  for (const p of partsB.points) if (locate(p, partsA, segmentsA) !== 'outside') return true;
  for (const [p, q] of segmentsA) {
    if (Math.max(p[0]!, q[0]!) < boxB[0] || Math.min(p[0]!, q[0]!) > boxB[2]) continue;
    if (Math.max(p[1]!, q[1]!) < boxB[1] || Math.min(p[1]!, q[1]!) > boxB[3]) continue;
    for (const [r, s] of segmentsB) if (segmentsMeet(p, q, r, s)) return true;
  }
  // No boundaries cross, so one is wholly inside the other or they are apart: one position of each part decides.
  return inside(partsA, partsB) || inside(partsB, partsA);
}

function inside(inner: Parts, outer: Parts): boolean {
  if (outer.polygons.length === 0) return false;
  const starts = [...inner.lines.map((l) => l[0]), ...inner.polygons.map((p) => p[0]?.[0])];
  return starts.some((p) => p !== undefined && outer.polygons.some((polygon) => inPolygon(p, polygon) !== 'outside'));
}

/**
 * Whether every position of `a` belongs to `b`, and some to the interior of `b`.
 *
 * Edges of `a` are cut where they meet the boundary of `b`; between the cuts they lie on one side, so their middles
 * decide. A hole of `b` that lies within `a` takes something from it.
 */
export function within(a: Geometry, b: Geometry): boolean {
  const boxA = boxOf(a);
  const boxB = boxOf(b);
  if (boxA === undefined || boxB === undefined || !containsBox(boxB, boxA)) return false;
  const partsA = partsOf(a);
  const partsB = partsOf(b);
  if (partsA.polygons.length > 0 && partsB.polygons.length === 0) return false;
  const edges = [...segments(partsB)];
  let interior = partsA.polygons.length > 0;
  for (const point of partsA.points) {
    const place = locate(point, partsB, edges);
    if (place === 'outside') return false;
    if (place === 'inside') interior = true;
  }
  for (const [p, q] of segments(partsA)) {
    const cuts = [0, 1];
    for (const [r, s] of edges) cuts.push(...crossings(p, q, r, s));
    cuts.sort((m, n) => m - n);
    for (let i = 0; i < cuts.length; i++) {
      for (const t of i + 1 < cuts.length ? [cuts[i]!, (cuts[i]! + cuts[i + 1]!) / 2] : [cuts[i]!]) {
        const place = locate([p[0]! + t * (q[0]! - p[0]!), p[1]! + t * (q[1]! - p[1]!)], partsB, edges);
        if (place === 'outside' && t !== cuts[i]) return false;
        if (place === 'inside') interior = true;
      }
    }
  }
  for (const polygon of partsB.polygons) {
    for (const hole of polygon.slice(1)) {
      const middle = interiorPoint([hole]);
      if (middle !== undefined && partsA.polygons.some((own) => inPolygon(middle, own) === 'inside')) return false;
    }
  }
  return interior;
}

/** Whether the two are the same set of positions. */
export function equals(a: Geometry, b: Geometry): boolean {
  return within(a, b) && within(b, a);
}

/** Least distance in the units of the coordinates; 0 when they meet, Infinity when one is empty. */
export function distance(a: Geometry, b: Geometry): number {
  if (intersects(a, b)) return 0;
  const spotsA = spots(partsOf(a));
  const spotsB = spots(partsOf(b));
  let best = Infinity;
  for (const [p, q] of spotsA) {
    for (const [r, s] of spotsB) {
      best = Math.min(best, fromSegment(p, r, s), fromSegment(q, r, s), fromSegment(r, p, q), fromSegment(s, p, q));
    }
  }
  return best;
}

/** Area of polygons, holes taken off, in square units. */
export function area(geometry: Geometry): number {
  let sum = 0;
  for (const polygon of partsOf(geometry).polygons)
    polygon.forEach((ring, i) => {
      sum += Math.abs(signedArea(ring)) * (i === 0 ? 1 : -1);
    });
  return sum;
}

/** Length of lines, or of all rings of polygons. */
export function length(geometry: Geometry): number {
  let sum = 0;
  for (const [p, q] of segments(partsOf(geometry))) sum += Math.hypot(q[0]! - p[0]!, q[1]! - p[1]!);
  return sum;
}

/** Centre of gravity of the parts of the highest dimension. */
export function centroid(geometry: Geometry): Position | undefined {
  const { points, lines, polygons } = partsOf(geometry);
  let [x, y, weight] = [0, 0, 0];
  const add = (px: number, py: number, w: number) => {
    x += px * w;
    y += py * w;
    weight += w;
  };
  const origin = [...positionsOf(geometry)][0];
  if (origin === undefined) return undefined;
  const [ox, oy] = origin as [number, number];
  for (const polygon of polygons) {
    polygon.forEach((ring, i) => {
      const sign = (i === 0 ? 1 : -1) * Math.sign(signedArea(ring));
      for (let k = 0; k + 1 < ring.length; k++) {
        // Triangles to a common origin near the ring keep the sums small.
        const [ax, ay] = [ring[k]![0]! - ox, ring[k]![1]! - oy];
        const [bx, by] = [ring[k + 1]![0]! - ox, ring[k + 1]![1]! - oy];
        add(ox + (ax + bx) / 3, oy + (ay + by) / 3, (sign * (ax * by - bx * ay)) / 2);
      }
    });
  }
  if (weight === 0) {
    for (const [p, q] of segments({ points: [], lines, polygons }))
      add((p[0]! + q[0]!) / 2, (p[1]! + q[1]!) / 2, Math.hypot(q[0]! - p[0]!, q[1]! - p[1]!));
  }
  if (weight === 0) for (const p of points) add(p[0]!, p[1]!, 1);
  return weight === 0 ? origin : [x / weight, y / weight];
}

/** A position inside: middle of the widest run of the line halfway up. */
export function interiorPoint(polygon: readonly Ring[]): Position | undefined {
  const ring = polygon[0];
  if (ring === undefined || ring.length < 3) return undefined;
  const ys = [...new Set(polygon.flat().map((p) => p[1]!))].sort((a, b) => a - b);
  if (ys.length < 2) return ring[0] as Position;
  const half = (ys[0]! + ys.at(-1)!) / 2;
  // Between two heights where there are vertices, so that no vertex lies on the line.
  const above = ys.find((y) => y > half) ?? ys.at(-1)!;
  const y = (ys[ys.indexOf(above) - 1]! + above) / 2;
  const xs: number[] = [];
  for (const r of polygon) {
    for (let i = 0; i + 1 < r.length; i++) {
      const [x1, y1, x2, y2] = [r[i]![0]!, r[i]![1]!, r[i + 1]![0]!, r[i + 1]![1]!];
      if (y1 > y !== y2 > y) xs.push(x1 + ((y - y1) / (y2 - y1)) * (x2 - x1));
    }
  }
  xs.sort((a, b) => a - b);
  let best: Position | undefined;
  let widest = -1;
  for (let i = 0; i + 1 < xs.length; i += 2) {
    const width = xs[i + 1]! - xs[i]!;
    if (width > widest) {
      widest = width;
      best = [xs[i]! + width / 2, y];
    }
  }
  return best;
}

// ---- leaves

function isBox(geometry: Geometry, box: Box): boolean {
  if (geometry.type !== 'Polygon' || geometry.coordinates.length !== 1) return false;
  const ring = geometry.coordinates[0]!;
  if (ring.length !== 5) return false;
  const corner = ([x, y]: Position) => (x === box[0] || x === box[2]) && (y === box[1] || y === box[3]);
  return ring.every((p, i) => corner(p) && (i === 0 || p[0] === ring[i - 1]![0] || p[1] === ring[i - 1]![1]));
}

function containsBox(outer: Box, inner: Box): boolean {
  return outer[0] <= inner[0] && outer[1] <= inner[1] && outer[2] >= inner[2] && outer[3] >= inner[3];
}

function* segments(parts: Parts): Generator<readonly [Position, Position]> {
  for (const line of parts.lines) for (let i = 0; i + 1 < line.length; i++) yield [line[i]!, line[i + 1]!];
  for (const polygon of parts.polygons)
    for (const ring of polygon) for (let i = 0; i + 1 < ring.length; i++) yield [ring[i]!, ring[i + 1]!];
}

function spots(parts: Parts): (readonly [Position, Position])[] {
  return [...segments(parts), ...parts.points.map((p) => [p, p] as const)];
}

type Place = 'inside' | 'boundary' | 'outside';

function locate(p: Position, parts: Parts, edges: readonly (readonly [Position, Position])[]): Place {
  for (const polygon of parts.polygons) if (inPolygon(p, polygon) === 'inside') return 'inside';
  if (parts.points.some((q) => q[0] === p[0] && q[1] === p[1])) return 'inside';
  for (const [r, s] of edges) {
    if (!near(p, r, s)) continue;
    if (parts.polygons.length > 0) return 'boundary';
    const ends = parts.lines.flatMap((l) => [l[0]!, l.at(-1)!]);
    return ends.some((e) => e[0] === p[0] && e[1] === p[1]) ? 'boundary' : 'inside';
  }
  return 'outside';
}

function inPolygon(p: Position, polygon: readonly Ring[]): Place {
  const [x, y] = p as [number, number];
  let odd = false;
  for (const ring of polygon) {
    for (let i = 0; i + 1 < ring.length; i++) {
      const [x1, y1] = ring[i] as [number, number];
      const [x2, y2] = ring[i + 1] as [number, number];
      if (near(p, ring[i]!, ring[i + 1]!)) return 'boundary';
      if (y1 > y !== y2 > y && x < x1 + ((y - y1) / (y2 - y1)) * (x2 - x1)) odd = !odd;
    }
  }
  return odd ? 'inside' : 'outside';
}

/** On the segment, within the rounding of computed cuts. */
function near(p: Position, r: Position, s: Position): boolean {
  const scale = Math.max(Math.abs(p[0]!), Math.abs(p[1]!), Math.abs(r[0]! - s[0]!), Math.abs(r[1]! - s[1]!), 1e-300);
  return fromSegment(p, r, s) <= scale * 1e-14;
}

function fromSegment(p: Position, r: Position, s: Position): number {
  const [dx, dy] = [s[0]! - r[0]!, s[1]! - r[1]!];
  const square = dx * dx + dy * dy;
  const t = square === 0 ? 0 : Math.max(0, Math.min(1, ((p[0]! - r[0]!) * dx + (p[1]! - r[1]!) * dy) / square));
  return Math.hypot(p[0]! - (r[0]! + t * dx), p[1]! - (r[1]! + t * dy));
}

function side(p: Position, q: Position, r: Position): number {
  return (q[0]! - p[0]!) * (r[1]! - p[1]!) - (q[1]! - p[1]!) * (r[0]! - p[0]!);
}

function segmentsMeet(p: Position, q: Position, r: Position, s: Position): boolean {
  const [d1, d2, d3, d4] = [side(p, q, r), side(p, q, s), side(r, s, p), side(r, s, q)];
  if (d1 * d2 < 0 && d3 * d4 < 0) return true;
  const between = (a: Position, b: Position, c: Position) =>
    Math.min(a[0]!, b[0]!) <= c[0]! &&
    c[0]! <= Math.max(a[0]!, b[0]!) &&
    Math.min(a[1]!, b[1]!) <= c[1]! &&
    c[1]! <= Math.max(a[1]!, b[1]!);
  return (
    (d1 === 0 && between(p, q, r)) ||
    (d2 === 0 && between(p, q, s)) ||
    (d3 === 0 && between(r, s, p)) ||
    (d4 === 0 && between(r, s, q))
  );
}

/** Where along p-q (0 to 1) it meets r-s; both ends of a common stretch. */
function crossings(p: Position, q: Position, r: Position, s: Position): number[] {
  const [dx, dy] = [q[0]! - p[0]!, q[1]! - p[1]!];
  const [ex, ey] = [s[0]! - r[0]!, s[1]! - r[1]!];
  const cross = dx * ey - dy * ex;
  if (cross === 0) {
    const square = dx * dx + dy * dy;
    if (square === 0 || side(p, q, r) !== 0) return [];
    return [r, s].map((c) => ((c[0]! - p[0]!) * dx + (c[1]! - p[1]!) * dy) / square).filter((t) => t > 0 && t < 1);
  }
  const t = ((r[0]! - p[0]!) * ey - (r[1]! - p[1]!) * ex) / cross;
  const u = ((r[0]! - p[0]!) * dy - (r[1]! - p[1]!) * dx) / cross;
  return t > 0 && t < 1 && u >= 0 && u <= 1 ? [t] : [];
}

function signedArea(ring: Ring): number {
  const [ox, oy] = (ring[0] ?? [0, 0]) as [number, number];
  let sum = 0;
  for (let i = 0; i + 1 < ring.length; i++)
    sum += (ring[i]![0]! - ox) * (ring[i + 1]![1]! - oy) - (ring[i + 1]![0]! - ox) * (ring[i]![1]! - oy);
  return sum / 2;
}
