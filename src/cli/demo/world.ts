import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { feature, mesh, neighbors } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import { cutLine, cutPolygon } from './antimeridian.ts';
import { CITIES } from './cities.ts';
import type { FeatureRow, FeatureTable } from './geopackage.ts';

/** Natural Earth's countries at 1:50 million (public domain), as `world-atlas` packs them, and what can be drawn from them. */
type World = Topology<{ countries: GeometryCollection<{ name: string }> }>;

/** The tables of the demo, bottom of the map first. */
export function worldTables(): FeatureTable[] {
  const world = readAtlas<World>('countries-50m');
  const countries = countriesOf(world);
  return [
    oceanTable(),
    gridTable(),
    circlesTable(),
    landTable(),
    countriesTable(countries),
    bordersTable(world),
    labelsTable(countries),
    citiesTable(),
  ];
}

function readAtlas<Atlas>(name: string): Atlas {
  return JSON.parse(readFileSync(createRequire(import.meta.url).resolve(`world-atlas/${name}.json`), 'utf8')) as Atlas;
}

interface Country {
  readonly name: string;
  readonly iso: string;
  readonly geometry: GeoJSON.MultiPolygon;
  readonly areaKm2: number;
  /** 1 to 6; neighbours differ. */
  readonly color: number;
  /** Where a horizontal name fits best. */
  readonly label: GeoJSON.Position;
}

function countriesOf(world: World): Country[] {
  const shapes = world.objects.countries.geometries;
  const colors = colorMap(neighbors(shapes));
  const countries = feature(world, world.objects.countries).features.map((shape, index): Country => {
    const geometry = multiPolygon(shape.geometry);
    const largest = geometry.coordinates.reduce((a, b) => (ringAreaKm2(b[0]!) > ringAreaKm2(a[0]!) ? b : a));
    return {
      name: shape.properties.name,
      iso: String(shape.id ?? ''),
      geometry,
      areaKm2: Math.round(geometry.coordinates.reduce((sum, polygon) => sum + polygonAreaKm2(polygon), 0)),
      color: colors[index]! + 1,
      label: widestPlace(largest),
    };
  });
  return countries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Colours a map so that neighbours differ: the ones with most neighbours first, each the colour that is used least so far. */
function colorMap(adjacent: readonly (readonly number[])[]): number[] {
  const colors: (number | undefined)[] = adjacent.map(() => undefined);
  const used = [0, 0, 0, 0, 0, 0];
  const order = adjacent.map((_, index) => index).sort((a, b) => adjacent[b]!.length - adjacent[a]!.length || a - b);
  for (const index of order) {
    const taken = new Set(adjacent[index]!.map((other) => colors[other]));
    const free = used.map((_, color) => color).filter((color) => !taken.has(color));
    const color = free.reduce((best, next) => (used[next]! < used[best]! ? next : best));
    colors[index] = color;
    used[color]!++;
  }
  return colors as number[];
}

const EARTH_RADIUS_KM = 6371;
const radians = (degrees: number) => (degrees * Math.PI) / 180;

/** Area inside a ring on the sphere. @see Chamberlain and Duquette, "Some algorithms for polygons on a sphere", 2007 */
function ringAreaKm2(ring: readonly GeoJSON.Position[]): number {
  let sum = 0;
  for (let i = 0; i + 1 < ring.length; i++) {
    const [x1, y1] = ring[i] as [number, number];
    const [x2, y2] = ring[i + 1] as [number, number];
    sum += radians(x2 - x1) * (2 + Math.sin(radians(y1)) + Math.sin(radians(y2)));
  }
  return Math.abs((sum * EARTH_RADIUS_KM ** 2) / 2);
}

function polygonAreaKm2([outer, ...holes]: readonly GeoJSON.Position[][]): number {
  return ringAreaKm2(outer!) - holes.reduce((sum, hole) => sum + ringAreaKm2(hole), 0);
}

/** The middle of a horizontal stretch inside a polygon that is wide, and has room above and below. */
function widestPlace(polygon: readonly GeoJSON.Position[][]): GeoJSON.Position {
  const latitudes = polygon[0]!.map((point) => point[1]!);
  const [south, north] = [Math.min(...latitudes), Math.max(...latitudes)];
  const lines = 40;
  let best = { score: -1, x: polygon[0]![0]![0]!, y: polygon[0]![0]![1]! };
  for (let line = 1; line < lines; line++) {
    const y = south + ((north - south) * line) / lines;
    const crossings = crossingsAt(polygon, y, 1);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const width = (crossings[i + 1]! - crossings[i]!) * Math.cos(radians(y));
      if (width <= best.score) continue;
      const x = (crossings[i]! + crossings[i + 1]!) / 2;
      const room = Math.min(...crossingsAt(polygon, x, 0).map((edge) => Math.abs(edge - y)));
      const score = Math.min(width, ROOM_WEIGHT * room);
      if (score > best.score) best = { score, x, y };
    }
  }
  return [round(best.x), round(best.y)];
}

/** A name is this many times wider than it is far from what is above and below it, where both matter alike. */
const ROOM_WEIGHT = 5;

/** Where the edges of a polygon cross a line along which coordinate `axis` (0 for x, 1 for y) is `value`; ascending. */
function crossingsAt(polygon: readonly GeoJSON.Position[][], value: number, axis: 0 | 1): number[] {
  const crossings: number[] = [];
  const other = 1 - axis;
  for (const ring of polygon)
    for (let i = 0; i + 1 < ring.length; i++) {
      const [a, b] = [ring[i]!, ring[i + 1]!];
      if (a[axis]! <= value === b[axis]! <= value) continue;
      crossings.push(a[other]! + ((value - a[axis]!) / (b[axis]! - a[axis]!)) * (b[other]! - a[other]!));
    }
  return crossings.sort((a, b) => a - b);
}

const round = (degrees: number) => Math.round(degrees * 1e5) / 1e5;

function multiPolygon(geometry: GeoJSON.Geometry): GeoJSON.MultiPolygon {
  if (geometry.type === 'Polygon') return { type: 'MultiPolygon', coordinates: cutPolygon(geometry.coordinates) };
  if (geometry.type === 'MultiPolygon')
    return { type: 'MultiPolygon', coordinates: geometry.coordinates.flatMap(cutPolygon) };
  throw new Error(`land is a ${geometry.type}`);
}

// ---- tables

function oceanTable(): FeatureTable {
  const edge = [...range(-180, 180, 5).map((x) => [x, -90]), ...range(-90, 90, 5).map((y) => [180, y])];
  const back = [...range(-180, 180, 5).map((x) => [-x, 90]), ...range(-90, 90, 5).map((y) => [-180, -y])];
  return {
    name: 'ocean',
    title: 'Ocean',
    geometryType: 'MULTIPOLYGON',
    columns: { name: 'TEXT' },
    rows: [
      { geometry: { type: 'MultiPolygon', coordinates: [[[...edge, ...back, [-180, -90]]]] }, values: ['World ocean'] },
    ],
  };
}

/** Meridians and parallels each 10 degrees; `step` is 30 for those that a small map shows. */
function gridTable(): FeatureTable {
  const rows: FeatureRow[] = [];
  const add = (kind: string, degrees: number, line: GeoJSON.Position[]) =>
    rows.push({
      geometry: { type: 'MultiLineString', coordinates: [line] },
      values: [kind, degrees, degrees % 30 === 0 ? 30 : 10, degreeLabel(kind, degrees)],
    });
  for (const x of range(-180, 180, 10)) {
    // Only each third meridian goes on to the poles, where they would run together.
    const limit = x % 30 === 0 ? 90 : 80;
    add(
      'meridian',
      x,
      range(-limit, limit, 2).map((y) => [x, y]),
    );
  }
  for (const y of range(-80, 80, 10))
    add(
      'parallel',
      y,
      range(-180, 180, 2).map((x) => [x, y]),
    );
  return {
    name: 'graticule',
    title: 'Graticule',
    geometryType: 'MULTILINESTRING',
    columns: { kind: 'TEXT', degrees: 'INTEGER', step: 'INTEGER', label: 'TEXT' },
    rows,
  };
}

function degreeLabel(kind: string, degrees: number): string {
  if (degrees === 0) return '0°';
  const side = kind === 'meridian' ? (degrees > 0 ? 'E' : 'W') : degrees > 0 ? 'N' : 'S';
  return `${Math.abs(degrees)}°${Math.abs(degrees) === 180 ? '' : side}`;
}

function circlesTable(): FeatureTable {
  const circles: [name: string, latitude: number][] = [
    ['Arctic Circle', 66.5634],
    ['Tropic of Cancer', 23.4366],
    ['Equator', 0],
    ['Tropic of Capricorn', -23.4366],
    ['Antarctic Circle', -66.5634],
  ];
  return {
    name: 'circles',
    title: 'Equator, tropics and polar circles',
    geometryType: 'MULTILINESTRING',
    columns: { name: 'TEXT', latitude: 'REAL' },
    rows: circles.map(([name, latitude]) => ({
      geometry: { type: 'MultiLineString', coordinates: [range(-180, 180, 2).map((x) => [x, latitude])] },
      values: [name, latitude],
    })),
  };
}

function landTable(): FeatureTable {
  const world = readAtlas<Topology<{ land: GeometryCollection }>>('land-50m');
  const polygons = feature(world, world.objects.land).features.flatMap(
    (shape) => multiPolygon(shape.geometry).coordinates,
  );
  return {
    name: 'land',
    title: 'Land',
    geometryType: 'MULTIPOLYGON',
    columns: { areakm2: 'INTEGER' },
    rows: polygons.map((polygon) => ({
      geometry: { type: 'MultiPolygon', coordinates: [polygon] },
      values: [Math.round(polygonAreaKm2(polygon))],
    })),
  };
}

function countriesTable(countries: readonly Country[]): FeatureTable {
  return {
    name: 'countries',
    title: 'Countries',
    geometryType: 'MULTIPOLYGON',
    columns: { name: 'TEXT', iso: 'TEXT', areakm2: 'INTEGER', color: 'INTEGER' },
    rows: countries.map(({ geometry, name, iso, areaKm2, color }) => ({
      geometry,
      values: [name, iso, areaKm2, color],
    })),
  };
}

/** Lines between countries, each once; `kind` is `coast` for those with a country on one side only. */
function bordersTable(world: World): FeatureTable {
  const { countries } = world.objects;
  const lines = (kind: string, keep: (a: unknown, b: unknown) => boolean): FeatureRow[] =>
    mesh(world, countries, keep)
      .coordinates.flatMap(cutLine)
      .flatMap(withoutMapEdge)
      .map((line) => ({ geometry: { type: 'MultiLineString', coordinates: [line] }, values: [kind] }));
  return {
    name: 'borders',
    title: 'Borders and coasts',
    geometryType: 'MULTILINESTRING',
    columns: { kind: 'TEXT' },
    rows: [...lines('coast', (a, b) => a === b), ...lines('border', (a, b) => a !== b)],
  };
}

/** Cuts out what runs along the edge of the map: polygons are closed there, but nothing is to be seen at that place. */
function withoutMapEdge(line: GeoJSON.Position[]): GeoJSON.Position[][] {
  const onEdge = ([x, y]: GeoJSON.Position) => Math.abs(x!) > 179.99 || y! < -89.9;
  const parts: GeoJSON.Position[][] = [];
  let part: GeoJSON.Position[] = [];
  for (const [index, point] of line.entries()) {
    const before = line[index - 1];
    if (before !== undefined && onEdge(before) && onEdge(point)) {
      parts.push(part);
      part = [];
    }
    part.push(point);
  }
  return [...parts, part].filter((piece) => piece.length > 1);
}

function labelsTable(countries: readonly Country[]): FeatureTable {
  const rank = (areaKm2: number) => (areaKm2 > 2_000_000 ? 1 : areaKm2 > 400_000 ? 2 : areaKm2 > 60_000 ? 3 : 4);
  return {
    name: 'country_names',
    title: 'Names of countries',
    geometryType: 'POINT',
    columns: { name: 'TEXT', rank: 'INTEGER' },
    rows: [...countries]
      .sort((a, b) => b.areaKm2 - a.areaKm2)
      .map((country) => ({
        geometry: { type: 'Point', coordinates: country.label },
        values: [country.name, rank(country.areaKm2)],
      })),
  };
}

/** The largest first, so that their names win the room. */
function citiesTable(): FeatureTable {
  const rank = (thousands: number) => (thousands >= 10_000 ? 1 : thousands >= 3_000 ? 2 : thousands >= 500 ? 3 : 4);
  return {
    name: 'cities',
    title: 'Cities',
    geometryType: 'POINT',
    columns: { name: 'TEXT', country: 'TEXT', population: 'INTEGER', capital: 'INTEGER', rank: 'INTEGER' },
    rows: [...CITIES]
      .sort((a, b) => b.populationThousands - a.populationThousands)
      .map((city) => ({
        geometry: { type: 'Point', coordinates: [city.longitude, city.latitude] },
        values: [
          city.name,
          city.country,
          city.populationThousands * 1000,
          city.capital ? 1 : 0,
          Math.max(1, rank(city.populationThousands) - (city.capital ? 1 : 0)),
        ],
      })),
  };
}

/** From `first` to `last`, both included. */
function range(first: number, last: number, step: number): number[] {
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, index) => first + index * step);
}
