type Ring = GeoJSON.Position[];

/**
 * Polygons from the rings of one shape. Clockwise rings are shells and the others holes, each of the smallest shell that it
 * lies in. A hole outside every shell is taken for a shell that was digitised the wrong way round.
 */
export function assembleRings(rings: readonly Ring[]): Ring[][] {
  if (rings.length === 1) return [[rings[0]!]];
  const shells: Shell[] = [];
  const holes: Ring[] = [];
  for (const ring of rings) {
    const area = signedArea(ring);
    if (area <= 0) shells.push({ polygon: [ring], area: -area });
    else holes.push(ring);
  }
  if (shells.length === 0) return rings.map((ring) => [ring]);
  const strays: Ring[] = [];
  for (const hole of holes) {
    const shell = shells.length === 1 ? shells[0] : smallestAround(hole, shells);
    if (shell === undefined) strays.push(hole);
    else shell.polygon.push(hole);
  }
  return [...shells.map((shell) => shell.polygon), ...strays.map((ring) => [ring])];
}

interface Shell {
  readonly polygon: Ring[];
  readonly area: number;
}

function smallestAround(hole: Ring, shells: readonly Shell[]): Shell | undefined {
  let best: Shell | undefined;
  for (const shell of shells)
    if ((best === undefined || shell.area < best.area) && contains(shell.polygon[0]!, hole)) best = shell;
  return best;
}

/** Whether a ring lies in another, judged by its first point that is not on the other's border. */
function contains(shell: Ring, ring: Ring): boolean {
  for (const point of ring) {
    const side = sideOf(shell, point[0]!, point[1]!);
    if (side !== 0) return side > 0;
  }
  return true;
}

/** 1 inside, -1 outside, 0 on the border. */
function sideOf(ring: Ring, x: number, y: number): number {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi, yi] = ring[i] as [number, number];
    const [xj, yj] = ring[j] as [number, number];
    const cross = (x - xi) * (yj - yi) - (y - yi) * (xj - xi);
    if (cross === 0 && Math.min(xi, xj) <= x && x <= Math.max(xi, xj) && Math.min(yi, yj) <= y && y <= Math.max(yi, yj))
      return 0;
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside ? 1 : -1;
}

/** Positive for counter-clockwise. Taken from the first point, so that large coordinates do not eat the digits. */
function signedArea(ring: Ring): number {
  const [x0, y0] = (ring[0] ?? [0, 0]) as [number, number];
  let sum = 0;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++)
    sum += (ring[j]![0]! - x0) * (ring[i]![1]! - y0) - (ring[i]![0]! - x0) * (ring[j]![1]! - y0);
  return sum / 2;
}
