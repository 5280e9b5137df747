import { type Box, type Crs, findCrs } from '../../crs/index.ts';
import { flip, isNorthFirst } from '../common/axis-order.ts';
import { OgcException } from '../common/exceptions.ts';
import {
  bool,
  color,
  count,
  list,
  number,
  optional,
  type Parameters,
  type ParameterType,
  pairs,
  readTable,
  required,
  text,
} from '../common/parameters.ts';
import { negotiateVersion } from '../common/version.ts';

export const WMS_VERSIONS = ['1.1.1', '1.3.0'] as const;
export type WmsVersion = (typeof WMS_VERSIONS)[number];

/** How an exception is to be told. */
export type ExceptionFormat = 'xml' | 'json' | 'inimage' | 'blank';

/** A request for a map, read and checked as far as that goes without the catalog. */
export interface GetMap {
  readonly version: WmsVersion;
  /** As they came; empty with a style document that names the layers. */
  readonly layers: readonly string[];
  /** As many as layers, '' for the default; or empty when all are to have their default. */
  readonly styles: readonly string[];
  readonly crs: Crs;
  /** In `crs`, x first. */
  readonly box: Box;
  readonly width: number;
  readonly height: number;
  readonly format: MapFormat;
  readonly transparent: boolean;
  /** `#rrggbb` */
  readonly background: string;
  /** Style document that came along. */
  readonly sldBody?: string;
  /** URL of a style document. */
  readonly sldUrl?: string;
  readonly dpi?: number;
  readonly timeoutMs?: number;
  readonly bufferPx?: number;
  readonly env: Readonly<Record<string, string>>;
  /** One for each layer, or none. */
  readonly interpolations: readonly string[];
  readonly cqlFilter?: string;
  readonly filter?: string;
  readonly featureIds: readonly string[];
}

export interface MapFormat {
  /** As the renderer knows it. */
  readonly format: 'image/png' | 'image/png8' | 'image/jpeg';
  /** As the client is told. */
  readonly contentType: string;
}

const PNG: MapFormat = { format: 'image/png', contentType: 'image/png' };
const PNG8: MapFormat = { format: 'image/png8', contentType: 'image/png; mode=8bit' };
const JPEG: MapFormat = { format: 'image/jpeg', contentType: 'image/jpeg' };

/** Formats that are advertised. */
export const MAP_FORMATS = ['image/png', 'image/png; mode=8bit', 'image/jpeg'] as const;

/** All that is understood, without blanks and in lower case. */
const FORMATS: Readonly<Record<string, MapFormat>> = {
  'image/png': PNG,
  png: PNG,
  'image/png;mode=24bit': PNG,
  'image/png;mode=32bit': PNG,
  'image/png24': PNG,
  'image/png32': PNG,
  'image/png8': PNG8,
  png8: PNG8,
  'image/png;mode=8bit': PNG8,
  'image/jpeg': JPEG,
  'image/jpg': JPEG,
  jpeg: JPEG,
  jpg: JPEG,
};

const EXCEPTIONS: Readonly<Record<string, ExceptionFormat>> = {
  xml: 'xml',
  'text/xml': 'xml',
  'application/vnd.ogc.se_xml': 'xml',
  'application/vnd.gs.wms_partial': 'xml',
  partialmap: 'xml',
  json: 'json',
  'application/json': 'json',
  inimage: 'inimage',
  'application/vnd.ogc.se_inimage': 'inimage',
  blank: 'blank',
  'application/vnd.ogc.se_blank': 'blank',
};

const box: ParameterType<Box> = (value) => {
  const [minx, miny, maxx, maxy, ...more] = value.split(',').map(number);
  if (minx === undefined || miny === undefined || maxx === undefined || maxy === undefined) return undefined;
  return more.length === 0 ? [minx, miny, maxx, maxy] : undefined;
};
/** A format by any of its names; undefined when it is not offered. */
export const mapFormatOf: ParameterType<MapFormat> = (value) => FORMATS[value.toLowerCase().replace(/\s/g, '')];
const positive: ParameterType<number> = (value) => {
  const parsed = number(value);
  return parsed !== undefined && parsed > 0 ? parsed : undefined;
};
const natural: ParameterType<number> = (value) => {
  const parsed = number(value);
  return parsed !== undefined && parsed >= 0 ? Math.round(parsed) : undefined;
};
// GeoServer takes ids of one feature type after the other in parentheses, too.
const ids: ParameterType<readonly string[]> = (value) => list(value.replace(/[()]/g, ','))?.filter((id) => id !== '');
const wild: ParameterType<string> = (value) => (value.trim() === '' ? undefined : value);

const NONE: readonly string[] = [];
const NO_PAIRS: Readonly<Record<string, string>> = {};

/** Everything of GetMap but its CRS, which has another name in each version. */
const GET_MAP = {
  //                    parameter          type      when absent   error code               what it must be
  layers: optional('LAYERS', list, NONE, 'LayerNotDefined', 'names of layers between commas'),
  styles: optional('STYLES', list, NONE, 'StyleNotDefined', 'names of styles between commas'),
  box: required('BBOX', box, 'InvalidParameterValue', 'four numbers between commas'),
  width: required('WIDTH', count, 'InvalidParameterValue', 'a whole number of pixels, 1 or more'),
  height: required('HEIGHT', count, 'InvalidParameterValue', 'a whole number of pixels, 1 or more'),
  format: optional('FORMAT', mapFormatOf, PNG, 'InvalidFormat', `one of ${MAP_FORMATS.join(', ')}`),
  transparent: optional('TRANSPARENT', bool, false, 'InvalidParameterValue', 'TRUE or FALSE'),
  background: optional('BGCOLOR', color, '#ffffff', 'InvalidParameterValue', 'a color as 0xRRGGBB'),
  sldBody: optional('SLD_BODY', wild, undefined, 'InvalidParameterValue', 'a style document'),
  sldUrl: optional('SLD', wild, undefined, 'InvalidParameterValue', 'the URL of a style document'),
  options: optional('FORMAT_OPTIONS', pairs, NO_PAIRS, 'InvalidParameterValue', 'name:value pairs between semicolons'),
  dpi: optional('DPI', positive, undefined, 'InvalidParameterValue', 'a number above 0'),
  resolution: optional('MAP_RESOLUTION', positive, undefined, 'InvalidParameterValue', 'a number above 0'),
  bufferPx: optional('BUFFER', natural, undefined, 'InvalidParameterValue', 'a number of pixels'),
  env: optional('ENV', pairs, NO_PAIRS, 'InvalidParameterValue', 'name:value pairs between semicolons'),
  interpolations: optional('INTERPOLATIONS', list, NONE, 'InvalidParameterValue', 'names between commas'),
  cqlFilter: optional('CQL_FILTER', text, undefined, 'InvalidParameterValue', 'CQL filters between semicolons'),
  filter: optional('FILTER', text, undefined, 'InvalidParameterValue', 'OGC filters in parentheses'),
  featureIds: optional('FEATUREID', ids, NONE, 'InvalidParameterValue', 'ids between commas'),
};

/**
 * The version that a request is to be read and answered in. GetMap without a version is read as 1.1.1, unless it names its CRS in the manner of 1.3.0.
 *
 * @see OGC 06-042, 6.2.4
 */
export function versionOf(parameters: Parameters, operation: string): WmsVersion {
  const asked = parameters.get('VERSION') ?? parameters.get('WMTVER');
  if (asked === undefined && operation !== 'GetCapabilities')
    return parameters.has('CRS') && !parameters.has('SRS') ? '1.3.0' : '1.1.1';
  return negotiateVersion(WMS_VERSIONS, asked);
}

/** How the client wants to be told of problems; XML when it does not say, or says something unknown. */
export function exceptionFormatOf(parameters: Parameters): ExceptionFormat {
  try {
    return EXCEPTIONS[parameters.get('EXCEPTIONS')?.trim().toLowerCase() ?? 'xml'] ?? 'xml';
  } catch {
    return 'xml';
  }
}

/** @throws OgcException */
export function readGetMap(parameters: Parameters, version: WmsVersion): GetMap {
  const { options, resolution, ...read } = readTable(GET_MAP, parameters);
  const { crs, name } = readCrs(parameters, version);
  const [minx, miny, maxx, maxy] = read.box;
  if (minx >= maxx || miny >= maxy) {
    const message = `BBOX ${read.box.join(',')} is empty: its first two numbers must be less than its last two`;
    throw new OgcException('InvalidParameterValue', message, { locator: 'bbox' });
  }
  if (read.layers.length === 0 && read.sldBody === undefined && read.sldUrl === undefined)
    throw new OgcException('MissingParameterValue', 'LAYERS is missing; it must be names of layers between commas', {
      locator: 'layers',
    });
  if (read.styles.length !== read.layers.length && read.styles.some((name) => name !== '')) {
    const message = `${read.layers.length} layers are asked for, but ${read.styles.length} styles; give as many, or none`;
    throw new OgcException('StyleNotDefined', message, { locator: 'styles' });
  }
  const timeoutMs = options.timeout === undefined ? undefined : positive(options.timeout);
  return {
    ...read,
    version,
    crs,
    box: isNorthFirst(`WMS ${version}`, name) ? flip(read.box) : read.box,
    dpi: (options.dpi === undefined ? undefined : positive(options.dpi)) ?? resolution ?? read.dpi,
    timeoutMs,
  };
}

/** SRS in 1.1.1, CRS in 1.3.0; each takes the other's name when its own is missing, as clients mix them up. */
function readCrs(parameters: Parameters, version: WmsVersion): { crs: Crs; name: string } {
  const [own, other] = version === '1.3.0' ? ['CRS', 'SRS'] : ['SRS', 'CRS'];
  const name = parameters.get(own!) || parameters.get(other!);
  const locator = own!.toLowerCase();
  if (name === undefined || name.trim() === '')
    throw new OgcException('MissingParameterValue', `${own} is missing; it must be the name of a CRS`, { locator });
  const crs = findCrs(name);
  if (crs === undefined) {
    const code = version === '1.3.0' ? 'InvalidCRS' : 'InvalidSRS';
    throw new OgcException(code, `there is no CRS ${name} here`, { locator });
  }
  return { crs, name };
}
