/** Points put on a full circle when an arc is drawn as a line; GeoServer's default tolerance gives about as many. */
const SEGMENTS_PER_CIRCLE = 128;

/**
 * Straight-line form of a circular string: each three points (start, any point between, end) are an arc, and its end is
 * the start of the next. A start that equals the end means a full circle whose diameter ends in the middle point.
 *
 * @see ISO/IEC 13249-3 (SQL/MM Spatial), ST_CircularString
 */
export function strokeArcs(points: readonly GeoJSON.Position[]): GeoJSON.Position[] {
  const line: GeoJSON.Position[] = points.length > 0 ? [points[0]!] : [];
  for (let i = 0; i + 2 < points.length; i += 2) strokeArc(line, points[i]!, points[i + 1]!, points[i + 2]!);
  return line;
}

function strokeArc(
  line: GeoJSON.Position[],
  from: GeoJSON.Position,
  via: GeoJSON.Position,
  to: GeoJSON.Position,
): void {
  const [ax, ay] = from as [number, number];
  const [bx, by] = via as [number, number];
  const [cx, cy] = to as [number, number];
  const isCircle = ax === cx && ay === cy;
  const cross = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
  if (!isCircle && Math.abs(cross) < 1e-12 * Math.hypot(cx - ax, cy - ay) ** 2) {
    line.push(via, to);
    return;
  }
  let x0 = (ax + bx) / 2;
  let y0 = (ay + by) / 2;
  if (!isCircle) {
    const b2 = (bx - ax) ** 2 + (by - ay) ** 2;
    const c2 = (cx - ax) ** 2 + (cy - ay) ** 2;
    x0 = ax + ((cy - ay) * b2 - (by - ay) * c2) / (2 * cross);
    y0 = ay + ((bx - ax) * c2 - (cx - ax) * b2) / (2 * cross);
  }
  const radius = Math.hypot(ax - x0, ay - y0);
  const start = Math.atan2(ay - y0, ax - x0);
  const turn = 2 * Math.PI;
  // Counter-clockwise when the middle point lies to the right of the chord.
  let sweep = isCircle ? turn : Math.atan2(cy - y0, cx - x0) - start;
  if (!isCircle && cross > 0 && sweep <= 0) sweep += turn;
  if (!isCircle && cross < 0 && sweep >= 0) sweep -= turn;
  const segments = Math.max(2, Math.ceil((Math.abs(sweep) / turn) * SEGMENTS_PER_CIRCLE));
  for (let i = 1; i < segments; i++) {
    const angle = start + (sweep * i) / segments;
    line.push([x0 + radius * Math.cos(angle), y0 + radius * Math.sin(angle)]);
  }
  line.push(to);
}
