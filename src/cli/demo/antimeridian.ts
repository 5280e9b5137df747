/**
 * `world-atlas` holds shapes of the sphere: rings run on across the 180th meridian, and the one around the South Pole never
 * returns. A flat map from -180 to 180 degrees needs them cut there.
 */
type Point = GeoJSON.Position;
type Ring = Point[];

/** Cuts a polygon (outer ring, then holes) at the 180th meridian; each part lies between -180 and 180 degrees. */
export function cutPolygon(rings: readonly Ring[]): Ring[][] {
  // The pole itself is written as a ring of its own, which leaves the ring around it as a hole.
  const [outer, ...holes] = rings.filter((ring) => !ring.every(([, y]) => Math.abs(y!) > 89.9)).map(unwrap);
  if (outer === undefined) return [];
  closeAroundPole(outer);
  const middle = (extent(outer)[0] + extent(outer)[1]) / 2;
  for (const hole of holes) {
    const turns = Math.round((middle - (extent(hole)[0] + extent(hole)[1]) / 2) / 360);
    for (const point of hole) point[0]! += turns * 360;
  }
  const parts: Ring[][] = [];
  for (const turn of [-1, 0, 1]) {
    const west = -180 + turn * 360;
    const part = [outer, ...holes]
      .map((ring) => clip(clip(ring, west, 1), west + 360, -1).map(([x, y]) => [x! - turn * 360, y!]))
      .filter((ring) => ring.length >= 4 && extent(ring)[1] - extent(ring)[0] > 1e-9);
    // Where the outer ring has no part, its holes have none either.
    if (part.length > 0) parts.push(part);
  }
  return parts;
}

/** Cuts a line where it crosses the 180th meridian. */
export function cutLine(line: readonly Point[]): Point[][] {
  const parts: Point[][] = [];
  let part: Point[] = [];
  for (const [i, point] of line.entries()) {
    const before = line[i - 1];
    if (before !== undefined && Math.abs(point[0]! - before[0]!) > 180) {
      const side = before[0]! > 0 ? 180 : -180;
      const x = point[0]! + 2 * side;
      const y = before[1]! + ((side - before[0]!) / (x - before[0]!)) * (point[1]! - before[1]!);
      part.push([side, y]);
      parts.push(part);
      part = [[-side, y]];
    }
    part.push(point);
  }
  return [...parts, part].filter((piece) => piece.length > 1);
}

/** Copies a ring so that no step is longer than half the way round. */
function unwrap(ring: readonly Point[]): Ring {
  let turns = 0;
  return ring.map(([x, y], i) => {
    const before = ring[i - 1]?.[0];
    if (before !== undefined && Math.abs(x! - before) > 180) turns += before > 0 ? 1 : -1;
    return [x! + turns * 360, y!];
  });
}

/** A ring that ends a full turn from where it began goes around a pole: its way back is along that pole. */
function closeAroundPole(ring: Ring): void {
  const [first, last] = [ring[0]!, ring.at(-1)!];
  if (Math.abs(last[0]! - first[0]!) < 180) return;
  const pole = first[1]! < 0 ? -90 : 90;
  ring.push([last[0]!, pole], [first[0]!, pole], [...first]);
}

function extent(ring: readonly Point[]): [number, number] {
  let [min, max] = [Infinity, -Infinity];
  for (const [x] of ring) [min, max] = [Math.min(min, x!), Math.max(max, x!)];
  return [min, max];
}

/** The part of a closed ring on one side of a meridian: east of it for `sign` 1, west of it for -1. */
function clip(ring: readonly Point[], meridian: number, sign: 1 | -1): Ring {
  const inside = (point: Point) => (point[0]! - meridian) * sign >= 0;
  if (ring.every(inside)) return ring.map((point) => [...point]);
  const kept: Ring = [];
  for (let i = 1; i < ring.length; i++) {
    const [a, b] = [ring[i - 1]!, ring[i]!];
    if (inside(a)) kept.push([...a]);
    if (inside(a) !== inside(b))
      kept.push([meridian, a[1]! + ((meridian - a[0]!) / (b[0]! - a[0]!)) * (b[1]! - a[1]!)]);
  }
  if (kept.length > 0) kept.push([...kept[0]!]);
  return kept;
}
