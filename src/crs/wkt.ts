import proj4 from 'proj4';
import { knownNames } from './proj-db.ts';
import { findCrs } from './registry.ts';
import { transformer } from './transform.ts';

/** One WKT object: `NAME[value, value, ...]`. */
interface WktNode {
  readonly keyword: string;
  readonly values: readonly (string | number | WktNode)[];
}

const LENGTH_MAX = 100_000;
const DEPTH_MAX = 50;

/**
 * The EPSG code of the CRS that a WKT describes, as `.prj` files, GeoPackages and catalogs carry it: by the code in it, by
 * its name (EPSG's or ESRI's), or by its datum and parameters. A projected CRS known by name only is taken when its
 * parameters give the coordinates that EPSG's definition gives.
 *
 * @returns `EPSG:n`; undefined when the text is no WKT, or of a CRS that has no code
 */
export function identifyWkt(wkt: string): string | undefined {
  if (wkt.length > LENGTH_MAX) return undefined;
  const key = wkt.trim();
  let code = identified.get(key);
  if (code === undefined) {
    code = identify(key) ?? null;
    if (identified.size >= 1000) identified.clear();
    identified.set(key, code);
  }
  return code ?? undefined;
}

const identified = new Map<string, string | null>();

function identify(wkt: string): string | undefined {
  const root = parseWkt(wkt);
  if (root === undefined) return undefined;
  if (/^(COMPD_CS|COMPOUNDCRS)$/.test(root.keyword)) {
    const whole = byAuthority(root);
    if (whole !== undefined) return whole;
    const horizontal = root.values.find((value) => typeof value === 'object');
    return horizontal && identifyHorizontal(horizontal, wkt);
  }
  return identifyHorizontal(root, wkt);
}

function identifyHorizontal(node: WktNode, wkt: string): string | undefined {
  if (/^(PROJCS|PROJCRS|PROJECTEDCRS)$/.test(node.keyword))
    return byAuthority(node) ?? projectedByName(node, wkt) ?? utmZone(node);
  if (/^(GEOGCS|GEOGCRS|GEODCRS|GEOGRAPHICCRS|GEODETICCRS)$/.test(node.keyword))
    return byAuthority(node) ?? geographicByName(node);
  if (/^(LOCAL_CS|ENGCRS)$/.test(node.keyword)) return byAuthority(node);
  return undefined;
}

function byAuthority(node: WktNode): string | undefined {
  const authority = child(node, 'AUTHORITY') ?? child(node, 'ID');
  const [name, code] = authority?.values ?? [];
  if (typeof name !== 'string' || (typeof code !== 'string' && typeof code !== 'number')) return undefined;
  return findCrs(`${name}:${code}`)?.code;
}

function geographicByName(node: WktNode): string | undefined {
  const code = code4Name('crs', text(node)) ?? code4Name('datum', text(child(node, 'DATUM')));
  if (code === undefined) return undefined;
  const meridian = child(node, 'PRIMEM')?.values[1];
  const crs = findCrs(`EPSG:${code}`);
  // A datum alone says nothing about the meridian: NTF (Paris) shares its datum's name with NTF.
  const elsewhere = typeof meridian === 'number' && Math.abs(meridian) > 1e-9;
  return crs === undefined || elsewhere !== /\+pm=/.test(crs.proj4) ? undefined : crs.code;
}

function projectedByName(node: WktNode, wkt: string): string | undefined {
  const code = code4Name('crs', text(node));
  const crs = code === undefined ? undefined : findCrs(`EPSG:${code}`);
  if (crs?.kind !== 'projected' || crs.areaOfUse === undefined) return undefined;
  return samePlace(wkt, crs) ? crs.code : undefined;
}

/** Whether a WKT's own parameters put a few points of the area of use where the registry's definition does, within 1 m. */
function samePlace(wkt: string, crs: NonNullable<ReturnType<typeof findCrs>>): boolean {
  const geographic = findCrs('EPSG:4326')!;
  const [west, south, east, north] = crs.areaOfUse!;
  try {
    const mine = proj4(wkt);
    const theirs = transformer(geographic, crs);
    return [0.25, 0.5, 0.75].every((t) => {
      const lon = west + (east - west) * t;
      const lat = south + (north - south) * t;
      const [x, y] = theirs(lon, lat);
      // WKT seldom tells the shift of the datum, the registry does: hence the radius of a few hundred metres.
      const [mx, my] = mine.forward([lon, lat]) as [number, number];
      return Math.hypot(mx - x, my - y) * crs.metersPerUnit < 1000;
    });
  } catch {
    return false;
  }
}

/** A zone of UTM under a name of its own, by its parameters; `<datum> / UTM zone n` must be a CRS of EPSG. */
function utmZone(node: WktNode): string | undefined {
  if (!/transverse.?mercator/i.test(text(child(node, 'PROJECTION')) ?? '')) return undefined;
  const parameters = new Map<string, number>();
  for (const value of node.values)
    if (typeof value === 'object' && value.keyword === 'PARAMETER')
      parameters.set(normalise(String(value.values[0])), Number(value.values[1]));
  const near = (name: string, wanted: number) => Math.abs((parameters.get(name) ?? Number.NaN) - wanted) < 1e-6;
  const zone = ((parameters.get('centralmeridian') ?? Number.NaN) + 183) / 6;
  const south = near('falsenorthing', 1e7);
  if (!Number.isInteger(zone) || !near('scalefactor', 0.9996) || !near('falseeasting', 5e5)) return undefined;
  if (!near('latitudeoforigin', 0) || !(south || near('falsenorthing', 0))) return undefined;
  const base = child(node, 'GEOGCS') ?? child(node, 'BASEGEOGCRS') ?? child(node, 'BASEGEODCRS');
  const code = base && geographicByName(base);
  const datum = code === undefined ? undefined : findCrs(code)?.name;
  const found = code4Name('crs', `${datum} / UTM zone ${zone}${south ? 'S' : 'N'}`);
  return found === undefined ? undefined : `EPSG:${found}`;
}

// ---- names

let index: { readonly crs: Map<string, number>; readonly datum: Map<string, number> } | undefined;

function code4Name(what: 'crs' | 'datum', name: string | undefined): number | undefined {
  if (name === undefined) return undefined;
  if (index === undefined) {
    index = { crs: new Map(), datum: new Map() };
    // Names in force win over withdrawn ones, then lower codes over higher ones.
    const names = knownNames().sort((a, b) => Number(a.deprecated) - Number(b.deprecated) || a.code - b.code);
    for (const entry of names) {
      const key = normalise(entry.name);
      if (!index[entry.what].has(key)) index[entry.what].set(key, entry.code);
    }
    // The datum of WGS 84 is shared with its realisations; plain GPS data mean 4326.
    for (const alias of ['WGS 84', 'WGS84', 'WGS_1984', 'D_WGS_1984']) index.datum.set(normalise(alias), 4326);
  }
  return index[what].get(normalise(name));
}

/** Names differ in case, blanks, underscores, and ESRI's prefixes. */
function normalise(name: string): string {
  return name
    .toLowerCase()
    .replace(/^(gcs|d)_/, '')
    .replace(/[^a-z0-9+]/g, '');
}

// ---- syntax

function child(node: WktNode, keyword: string): WktNode | undefined {
  for (const value of node.values) if (typeof value === 'object' && value.keyword === keyword) return value;
  return undefined;
}

function text(node: WktNode | undefined): string | undefined {
  const first = node?.values[0];
  return typeof first === 'string' ? first : undefined;
}

const TOKEN = /\s*(?:"((?:[^"]|"")*)"|([A-Za-z_]\w*)|([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|([[\](),]))/y;

/** Parses WKT 1 or 2; undefined when it is neither. */
function parseWkt(wkt: string): WktNode | undefined {
  let at = 0;
  const next = (): RegExpExecArray | undefined => {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(wkt) ?? undefined;
    if (match !== undefined) at = TOKEN.lastIndex;
    return match;
  };
  const node = (keyword: string, depth: number): WktNode | undefined => {
    const values: (string | number | WktNode)[] = [];
    for (;;) {
      const token = next();
      if (token === undefined) return undefined;
      if (token[1] !== undefined) values.push(token[1].replaceAll('""', '"'));
      else if (token[3] !== undefined) values.push(Number(token[3]));
      else if (token[2] !== undefined) {
        const before = at;
        const open = next()?.[4];
        if (open === '[' || open === '(') {
          const inner = depth < DEPTH_MAX ? node(token[2].toUpperCase(), depth + 1) : undefined;
          if (inner === undefined) return undefined;
          values.push(inner);
        } else {
          at = before;
          values.push(token[2]);
        }
      } else return undefined;
      const end = next()?.[4];
      if (end === ']' || end === ')') return { keyword, values };
      if (end !== ',') return undefined;
    }
  };
  const keyword = next()?.[2];
  const open = next()?.[4];
  return keyword !== undefined && (open === '[' || open === '(') ? node(keyword.toUpperCase(), 0) : undefined;
}
