import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parseCrsName } from './name.ts';
import { firstAxis, helmertShift } from './proj-db.ts';
import { metersPerDegree } from './scale.ts';
import type { Box } from './transform.ts';

/** A coordinate reference system with two horizontal axes. Equal codes are the same object. */
export interface Crs {
  /** `EPSG:n`, `ESRI:n`, or `CRS:84`, `CRS:83`, `CRS:27`. */
  readonly code: string;
  /** The same coordinates, x first, under a code that PROJ and data formats know: `EPSG:4326` for `CRS:84`. */
  readonly registryCode: string;
  readonly name: string;
  /** `engineering` is GeoServer's `EPSG:404000`: a plane without a place on the earth. */
  readonly kind: 'geographic' | 'projected' | 'engineering';
  /** OGC WKT 1 without regard to axis order; absent for a few. */
  readonly wkt?: string;
  /** PROJ string; x is easting or longitude. Empty for `engineering`. */
  readonly proj4: string;
  /** Whether the authority puts latitude or northing first: what `EPSG:n` means in WMS 1.3.0. */
  readonly northFirst: boolean;
  /** Metres in one unit of the axes; of degrees at the equator, as OGC defines it for scales. */
  readonly metersPerUnit: number;
  /** Degrees, longitude first. Crosses the antimeridian when the first is greater than the third. */
  readonly areaOfUse?: Box;
}

/** What is read of a file of the package epsg-index. */
interface Definition {
  readonly code: string;
  readonly kind: string;
  readonly name: string;
  readonly wkt: string | null;
  readonly proj4: string | null;
  /** North, west, south, east. */
  readonly bbox?: readonly [number, number, number, number];
}

const folder = path.join(path.dirname(createRequire(import.meta.url).resolve('epsg-index/package.json')), 's');
const KINDS: Readonly<Record<string, Crs['kind']>> = {
  'CRS-PROJCRS': 'projected',
  'CRS-GEOGCRS': 'geographic',
  'CRS-GEOG3DCRS': 'geographic',
};

/** Codes of which the index has the same CRS under another number. */
const SAME_AS: Readonly<Record<number, number>> = { 3785: 3857, 102100: 3857, 102113: 3857 };

/** The longitude-first twins of WMS 1.3.0, annex B.3 to B.5. */
const CRS_CODES: Readonly<Record<number, number>> = { 84: 4326, 83: 4269, 27: 4267 };

const WILDCARD: Crs = {
  code: 'EPSG:404000',
  registryCode: 'EPSG:404000',
  name: 'Wildcard 2D cartesian plane in metric unit',
  kind: 'engineering',
  wkt: 'LOCAL_CS["Wildcard 2D cartesian plane in metric unit", LOCAL_DATUM["Unknown", 0], UNIT["m", 1.0], AXIS["x", EAST], AXIS["y", NORTH], AUTHORITY["EPSG","404000"]]',
  proj4: '',
  northFirst: false,
  metersPerUnit: 1,
};

const found = new Map<string, Crs>();

/**
 * Finds a CRS by any of its names (`EPSG:n` in any case, `urn:ogc:def:crs:EPSG::n`, `http://www.opengis.net/def/crs/EPSG/0/n`,
 * `http://www.opengis.net/gml/srs/epsg.xml#n`, `CRS:84`, ...). The first use of a code reads one small file.
 *
 * @returns undefined for unknown names, and for what is no horizontal CRS (heights, geocentric ones)
 */
export function findCrs(name: string): Crs | undefined {
  const parsed = parseCrsName(name);
  if (parsed === undefined) return undefined;
  const key = `${parsed.authority}:${parsed.code}`;
  const known = found.get(key);
  if (known !== undefined) return known;
  const crs = parsed.authority === 'CRS' ? longitudeFirst(parsed.code) : load(parsed.code);
  if (crs === undefined || (parsed.authority === 'ESRI' && !crs.code.startsWith('ESRI'))) return undefined;
  found.set(key, crs);
  return crs;
}

function longitudeFirst(code: number): Crs | undefined {
  const base = findCrs(`EPSG:${CRS_CODES[code]}`);
  return base && { ...base, code: `CRS:${code}`, registryCode: base.code, northFirst: false };
}

function load(code: number): Crs | undefined {
  if (code === 404000) return WILDCARD;
  const definition = readDefinition(SAME_AS[code] ?? code);
  if (definition?.proj4 == null) return undefined;
  const kind = KINDS[definition.kind] ?? horizontalKind(definition);
  if (kind === undefined) return undefined;
  const axis = firstAxis(code);
  const name = `${axis?.authority ?? 'EPSG'}:${code}`;
  const twin = found.get(name);
  if (twin !== undefined) return twin;
  const { wkt, bbox } = definition;
  const areaOfUse = bbox && bbox[0] > bbox[2] ? ([bbox[1], bbox[2], bbox[3], bbox[0]] as const) : undefined;
  const proj4 = withUsableShift(definition.proj4, code, areaOfUse);
  const crs: Crs = {
    code: name,
    registryCode: code in SAME_AS ? `EPSG:${definition.code}` : name,
    name: definition.name,
    kind,
    ...(wkt !== null && { wkt }),
    proj4,
    northFirst: axis?.northFirst ?? (kind === 'geographic' || northFirstByWkt(wkt ?? '')),
    metersPerUnit: kind === 'geographic' ? metersPerDegree : projectedUnit(proj4),
    ...(areaOfUse !== undefined && { areaOfUse }),
  };
  found.set(name, crs);
  return crs;
}

function readDefinition(code: number): Definition | undefined {
  try {
    return JSON.parse(readFileSync(path.join(folder, `${code}.json`), 'utf8')) as Definition;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * No datum grids are at hand (for OSGB36, DHDN, NAD27, ...): a shift by seven parameters takes their place. Shifts with rotations
 * are looked up too, for the index has some in the wrong unit: EPSG:28992 was 160 m off, EPSG:3021 240 m.
 */
function withUsableShift(proj4: string, code: number, area: Box | undefined): string {
  const grids = / \+nadgrids=(?!@null)("[^"]*"|\S+)/;
  const rotated = / \+towgs84=[^,\s]+,[^,\s]+,[^,\s]+,(?!0,0,0,)\S+/;
  const replaced = grids.test(proj4) ? grids : rotated.test(proj4) ? rotated : undefined;
  if (replaced === undefined) return proj4;
  const shift = area && helmertShift(code, area);
  if (shift !== undefined) return proj4.replace(replaced, ` +towgs84=${shift}`);
  return replaced === grids ? proj4.replace(grids, '') : proj4;
}

/**
 * The first axis by WKT 1 as GDAL writes it, which leaves AXIS out where the authority's order is not east, north. Measured
 * against PROJ's data set it is wrong for about 100 of 7,000 CRS, most of them polar.
 */
function northFirstByWkt(wkt: string): boolean {
  const axis = /AXIS\["[^"]*",\s*"?(\w+)/i.exec(wkt)?.[1];
  return axis === undefined || /^(NORTH|SOUTH)$/i.test(axis);
}

/** A compound CRS stands for its horizontal part. */
function horizontalKind({ kind, proj4 }: Definition): Crs['kind'] | undefined {
  if (kind !== 'CRS-COMPOUNDCRS') return undefined;
  return proj4!.includes('+proj=longlat') ? 'geographic' : 'projected';
}

/** Metres in PROJ's named units of length. */
const UNITS: Readonly<Record<string, number>> = {
  m: 1,
  km: 1000,
  ft: 0.3048,
  'us-ft': 1200 / 3937,
  yd: 0.9144,
  'ind-yd': 0.91439523,
  'ind-ft': 0.30479841,
  link: 0.201168,
  ch: 20.1168,
};

function projectedUnit(proj4: string): number {
  const factor = /\+to_meter=([\d.eE+-]+)/.exec(proj4)?.[1];
  if (factor !== undefined) return Number(factor);
  return UNITS[/\+units=([\w-]+)/.exec(proj4)?.[1] ?? 'm'] ?? 1;
}
