import proj4 from 'proj4';
import type { Crs } from './registry.ts';

/** minx, miny, maxx, maxy; x is easting or longitude, whatever the CRS says. */
export type Box = readonly [number, number, number, number];

/** Coordinates cannot be transformed: the projection is not implemented. */
export class CrsError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CrsError';
  }
}

interface Converter {
  forward(point: number[]): number[];
}

type Transform = (x: number, y: number) => [number, number];

/** No map puts a place farther from its origin than this, in its units; numbers beyond it stand for infinity. */
const FAR = 2e8;

const identity: Transform = (x, y) => [x, y];
const transforms = new Map<string, Transform>();

/**
 * How coordinates go from one CRS into another, x first on both sides. A point that has no place in the target becomes
 * `[NaN, NaN]`; nothing is thrown for a point. The plane of `EPSG:404000` takes and gives coordinates as they are.
 *
 * @throws CrsError  the projection of one of the two is not implemented
 */
export function transformer(from: Crs, to: Crs): Transform {
  if (from.proj4 === to.proj4 || from.proj4 === '' || to.proj4 === '') return identity;
  const key = `${from.code} ${to.code}`;
  let transform = transforms.get(key);
  if (transform === undefined) {
    transform = makeTransform(from, to);
    transforms.set(key, transform);
  }
  return transform;
}

function makeTransform(from: Crs, to: Crs): Transform {
  let converter: Converter;
  try {
    converter = proj4(from.proj4, to.proj4);
  } catch (cause) {
    throw new CrsError(`coordinates cannot be transformed from ${from.code} to ${to.code}`, { cause });
  }
  const limit = latitudeLimit(to);
  return (x, y) => {
    if (limit !== undefined && from.kind === 'geographic') y = Math.min(limit, Math.max(-limit, y));
    try {
      const [tx, ty] = converter.forward([x, y]) as [number, number];
      return Math.abs(tx) < FAR && Math.abs(ty) < FAR ? [tx, ty] : [Number.NaN, Number.NaN];
    } catch {
      return [Number.NaN, Number.NaN];
    }
  };
}

/**
 * Mercator's projection puts the poles at infinity, so latitudes are cut at its own edge: for the one of the web where it
 * is as high as it is wide.
 */
function latitudeLimit(to: Crs): number | undefined {
  return /\+proj=merc\b/.test(to.proj4) ? 85.0511287798066 : undefined;
}

/** Points on each side of a box that are transformed; curved edges bulge between its corners. */
const SIDE = 21;

/**
 * The smallest box in `to` that holds a box in `from`, by points along its edges. When some of these have no place in the
 * target, points inside the box count as well; poles inside a box count where the target is geographic.
 *
 * @returns undefined when no part of the box has a place in the target
 * @throws CrsError  the projection of one of the two is not implemented
 */
export function transformBox(box: Box, from: Crs, to: Crs): Box | undefined {
  const forward = transformer(from, to);
  if (forward === identity) return box;
  const back = transformer(to, from);
  const [minx, miny, maxx, maxy] = box;
  // A point counts when it comes back to where it was: far outside their domain, formulas give numbers without meaning.
  const tolerance = Math.max(maxx - minx, maxy - miny, from.kind === 'geographic' ? 1e-3 : 1e3) * 1e-3;
  const result: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity];
  const include = (x: number, y: number) => {
    result[0] = Math.min(result[0], x);
    result[1] = Math.min(result[1], y);
    result[2] = Math.max(result[2], x);
    result[3] = Math.max(result[3], y);
  };
  const sample = (i: number, j: number): boolean => {
    const x = minx + ((maxx - minx) * i) / (SIDE - 1);
    const y = miny + ((maxy - miny) * j) / (SIDE - 1);
    const [tx, ty] = forward(x, y);
    if (Number.isNaN(tx)) return false;
    const [bx, by] = back(tx, ty);
    const turn = from.kind === 'geographic' ? Math.abs(((((bx - x) % 360) + 540) % 360) - 180) : Math.abs(bx - x);
    const clamped = latitudeLimit(to) !== undefined && from.kind === 'geographic';
    if (!clamped && !(turn <= tolerance && Math.abs(by - y) <= tolerance)) return false;
    include(tx, ty);
    return true;
  };
  let whole = true;
  for (let i = 0; i < SIDE; i++)
    for (let j = 0; j < SIDE; j++)
      if (i === 0 || j === 0 || i === SIDE - 1 || j === SIDE - 1) whole = sample(i, j) && whole;
  if (!whole) for (let i = 1; i < SIDE - 1; i++) for (let j = 1; j < SIDE - 1; j++) sample(i, j);
  if (to.kind === 'geographic') includePoles(box, back, include);
  return result[0] <= result[2] ? result : undefined;
}

/** A box around a pole reaches up to it, and around the whole earth. */
function includePoles(box: Box, back: Transform, include: (x: number, y: number) => void): void {
  for (const pole of [90, -90]) {
    const [x, y] = back(0, pole);
    const [x2, y2] = back(120, pole);
    const isPoint = Math.abs(x - x2) < 1 && Math.abs(y - y2) < 1;
    if (!isPoint || x <= box[0] || x >= box[2] || y <= box[1] || y >= box[3]) continue;
    include(-180, pole);
    include(180, pole);
  }
}
