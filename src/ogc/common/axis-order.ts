import { type Box, type CrsSpelling, findCrs, parseCrsName } from '../../crs/index.ts';

/** When a service reads and writes coordinates in the order of the authority. */
type Rule = 'never' | 'always' | 'urn-and-url';

/**
 * One line for each service and version; reader and writer both use it.
 *
 * `EPSG:n` and `epsg.xml#n` mean longitude first everywhere but in WMS 1.3.0 (OGC 06-042, 6.7.2), where the authority's order
 * holds for every spelling; `urn:` and `http://www.opengis.net/def/crs/` mean the authority's order from WFS 1.1 on, as GeoServer has it.
 */
const RULES = {
  'WMS 1.1.1': 'never',
  'WMS 1.3.0': 'always',
  'WFS 1.0.0': 'never',
  'WFS 1.1.0': 'urn-and-url',
  'WFS 2.0.0': 'urn-and-url',
  'WCS 1.0.0': 'never',
  'WCS 2.0.1': 'urn-and-url',
} as const satisfies Readonly<Record<string, Rule>>;

export type ServiceVersion = keyof typeof RULES;

const AUTHORITY_SPELLINGS: ReadonlySet<CrsSpelling> = new Set(['urn', 'url']);

/**
 * Whether the first coordinate is latitude or northing, when a request or a document of a service names a CRS like this.
 * `CRS:84` and its spellings are longitude first always. False for unknown names.
 */
export function isNorthFirst(service: ServiceVersion, crsName: string): boolean {
  const rule = RULES[service];
  if (rule === 'never') return false;
  const spelling = parseCrsName(crsName)?.spelling;
  if (spelling === undefined || (rule === 'urn-and-url' && !AUTHORITY_SPELLINGS.has(spelling))) return false;
  return findCrs(crsName)?.northFirst ?? false;
}

/** Turns a box from x first to y first, or back. */
export function flip([a, b, c, d]: Box): Box {
  return [b, a, d, c];
}
