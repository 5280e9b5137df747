import { findCrs, identifyWkt } from '../crs/index.ts';

/** What is known about the CRS of a source: both, one of them, or nothing. */
export interface NativeCrs {
  /** `EPSG:n` */
  readonly crs?: string;
  readonly crsWkt?: string;
}

/** From the text of a `.prj` file, or any WKT. */
export function crsOfWkt(wkt: string | undefined): NativeCrs {
  const text = wkt?.replace(/^\uFEFF/, '').trim();
  if (text === undefined || text === '') return {};
  const code = identifyWkt(text);
  return code === undefined ? { crsWkt: text } : { crs: code, crsWkt: text };
}

/** From a number of EPSG's registry; 0, -1 and user-defined numbers that nobody knows give nothing. */
export function crsOfCode(code: number): NativeCrs {
  return code > 0 ? crsOfName(`EPSG:${code}`) : {};
}

/** From any spelling of a name: `EPSG:4326`, `urn:ogc:def:crs:OGC:1.3:CRS84`, ... */
export function crsOfName(name: string): NativeCrs {
  const crs = findCrs(name);
  if (crs === undefined) return {};
  return { crs: crs.registryCode, ...(crs.wkt === undefined ? {} : { crsWkt: crs.wkt }) };
}

/** The form that Mapnik takes. A source without a known CRS is taken for longitude and latitude. */
export function mapnikSrs(native: NativeCrs): string {
  return native.crs?.toLowerCase() ?? 'epsg:4326';
}
