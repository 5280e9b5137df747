/** What data says of itself, as elements of a feature type or coverage: pure, from schema and bounds. */
import type { BoundingBox, VirtualTable } from '../catalog/index.ts';
import { CrsError, findCrs, identifyWkt, transformBox } from '../crs/index.ts';
import {
  type AttributeType,
  type Box,
  bindingOf,
  type CoverageDimension,
  type CoverageSource,
  coverageDimensions,
  type FeatureSchema,
} from '../data/index.ts';
import { XmlElement } from '../xml/index.ts';
import { el } from './answers.ts';
import { boxElement, crsClass } from './boxes.ts';
import { javaDouble } from './json.ts';

/** A plane without a place on the earth: GeoServer's code for a CRS that nobody knows. */
const UNKNOWN_CRS = 'EPSG:404000';

/** What of a coverage goes into its file; `CoverageSource` without its methods. */
export type CoverageFacts = Omit<CoverageSource, 'mapnik'>;

export interface FeatureFacts {
  readonly schema: FeatureSchema;
  /** In the source's CRS; absent when there are no features. */
  readonly box: Box | undefined;
}

/**
 * Fills in what a new feature type lacks, from its data.
 *
 * @param sent  what the client said, which always wins; has at least a name or a native name
 */
export function completeFeatureType(sent: XmlElement, { schema, box }: FeatureFacts): XmlElement {
  const name = textAt(sent, 'name') ?? textAt(sent, 'nativeName') ?? schema.name;
  const nativeName = textAt(sent, 'nativeName') ?? schema.name;
  const native = nativeCrsOf(schema);
  const srs = textAt(sent, 'srs') ?? native ?? (schema.geometryName === undefined ? 'EPSG:4326' : UNKNOWN_CRS);
  return ordered(sent, [
    el('name', name),
    el('nativeName', nativeName),
    el('title', name),
    el('keywords', [el('string', 'features'), el('string', nativeName)]),
    ...crsElements(schema, srs),
    ...boxElements({ box, native, srs }),
    el('projectionPolicy', 'FORCE_DECLARED'),
    el('enabled', true),
    el('serviceConfiguration', false),
    el('maxFeatures', 0),
    el('numDecimals', 0),
    el('padWithZeros', false),
    el('forcedDecimal', false),
    el('overridingServiceSRS', false),
    el('skipNumberMatched', false),
    el('circularArcPresent', false),
  ]);
}

/** Fills in what a new coverage lacks, from its data. */
export function completeCoverage(sent: XmlElement, facts: CoverageFacts): XmlElement {
  const name = textAt(sent, 'name') ?? facts.name;
  const native = nativeCrsOf(facts);
  const srs = textAt(sent, 'srs') ?? native ?? 'EPSG:4326';
  const crs = native ?? srs;
  return ordered(sent, [
    el('name', name),
    el('nativeName', textAt(sent, 'nativeName') ?? facts.name),
    el('title', name),
    el('description', `Generated from ${facts.format}`),
    el('keywords', [el('string', facts.name), el('string', 'WCS'), el('string', facts.format)]),
    ...crsElements(facts, srs),
    ...boxElements({ box: facts.box, native, srs }),
    el('projectionPolicy', native === undefined ? 'FORCE_DECLARED' : 'REPROJECT_TO_DECLARED'),
    el('enabled', true),
    el('nativeFormat', facts.format),
    gridElement(facts, crs),
    el('supportedFormats', strings('GEOTIFF', 'GIF', 'PNG', 'JPEG', 'TIFF')),
    el('interpolationMethods', strings('nearest neighbor', 'bilinear', 'bicubic')),
    el('defaultInterpolationMethod', 'nearest neighbor'),
    el('dimensions', coverageDimensions(facts).map(dimensionElement)),
    el('requestSRS', strings(srs)),
    el('responseSRS', strings(srs)),
    el('parameters'),
    el('nativeCoverageName', facts.name),
  ]);
}

/** The code of the source's own CRS; undefined when it has none that is known. */
export function nativeCrsOf(facts: { readonly crs?: string; readonly crsWkt?: string }): string | undefined {
  return facts.crs ?? (facts.crsWkt === undefined ? undefined : identifyWkt(facts.crsWkt));
}

function crsElements(
  facts: { readonly crs?: string; readonly crsWkt?: string },
  srs: string,
): (XmlElement | undefined)[] {
  const native = nativeCrsOf(facts);
  const wkt = facts.crsWkt ?? findCrs(native ?? srs)?.wkt;
  return [wkt === undefined ? undefined : el('nativeCRS', wkt, crsClass(wkt)), el('srs', srs)];
}

/** Nothing is in an envelope whose ends are the wrong way round: how GeoServer writes "empty". */
const EMPTY: Box = [0, 0, -1, -1];
const WORLD: Box = [-180, -90, 180, 90];

/**
 * Both envelopes of a resource.
 *
 * @param of.native  CRS of `box`; when unknown, the declared one is taken at its word
 */
export function boxElements(of: {
  readonly box: Box | undefined;
  readonly native: string | undefined;
  readonly srs: string;
}): [native: XmlElement, latLon: XmlElement] {
  const box = of.box ?? EMPTY;
  const crs = of.native ?? of.srs;
  const latLon = of.box === undefined ? EMPTY : toLatLon(of.box, crs);
  return [
    boxElement('nativeBoundingBox', boundingBox(box, crs)),
    boxElement('latLonBoundingBox', boundingBox(latLon, 'EPSG:4326')),
  ];
}

/** A box in longitude and latitude; the whole world where it has no place on the earth. */
export function toLatLon(box: Box, crs: string): Box {
  const from = findCrs(crs);
  const to = findCrs('EPSG:4326')!;
  if (from === undefined || from.kind === 'engineering') return WORLD;
  try {
    return transformBox(box, from, to) ?? WORLD;
  } catch (error) {
    if (error instanceof CrsError) return WORLD;
    throw error;
  }
}

function boundingBox([minx, miny, maxx, maxy]: Box, crs: string): BoundingBox {
  return { minx, miny, maxx, maxy, crs };
}

function gridElement({ width, height, origin, transform }: CoverageFacts, crs: string): XmlElement {
  const [scaleX, shearX, shearY, scaleY] = transform;
  return el(
    'grid',
    [
      el('range', [el('low', '0 0'), el('high', `${width} ${height}`)]),
      el('transform', [
        el('scaleX', javaDouble(scaleX)),
        el('scaleY', javaDouble(scaleY)),
        el('shearX', javaDouble(shearX)),
        el('shearY', javaDouble(shearY)),
        // The centre of the first pixel, not its corner.
        el('translateX', javaDouble(origin[0] + (scaleX + shearX) / 2)),
        el('translateY', javaDouble(origin[1] + (shearY + scaleY) / 2)),
      ]),
      el('crs', crs, crsClass(crs)),
    ],
    { dimension: '2' },
  );
}

function dimensionElement(dimension: CoverageDimension): XmlElement {
  const { name, description, range, nullValues, dimensionType } = dimension;
  return el('coverageDimension', [
    el('name', name),
    el('description', description),
    el('range', [el('min', range.min), el('max', range.max)]),
    nullValues.length === 0
      ? undefined
      : el(
          'nullValues',
          nullValues.map((value) => el('double', javaDouble(value))),
        ),
    el('dimensionType', [el('name', dimensionType)]),
  ]);
}

/** The schema of a feature type, with types by their Java names. */
export function attributesElement(attributes: readonly AttributeType[]): XmlElement {
  return el(
    'attributes',
    attributes.map((attribute) =>
      el('attribute', [
        el('name', attribute.name),
        el('minOccurs', attribute.nillable ? 0 : 1),
        el('maxOccurs', 1),
        el('nillable', attribute.nillable),
        el('binding', bindingOf(attribute)),
        attribute.length === undefined ? undefined : el('length', attribute.length),
      ]),
    ),
  );
}

/** The kind of geometry that decides the default style; undefined for features without one. */
export function geometryOf(schema: FeatureSchema): string | undefined {
  return schema.attributes.find((attribute) => attribute.name === schema.geometryName)?.geometryType;
}

/** The SQL view of a feature type as a client sent it, in metadata `JDBC_VIRTUAL_TABLE`. */
export function virtualTableOf(sent: XmlElement): VirtualTable | undefined {
  const entries = sent.child('metadata')?.childrenNamed('entry') ?? [];
  const table = entries.find((entry) => entry.attribute('key') === 'JDBC_VIRTUAL_TABLE')?.child('virtualTable');
  const name = table?.childText('name');
  const sql = table?.childText('sql');
  if (table === undefined || name === undefined || sql === undefined) return undefined;
  return {
    name,
    sql,
    keyColumns: table.childrenNamed('keyColumn').map((column) => column.text.trim()),
    geometries: table.childrenNamed('geometry').map((geometry) => ({
      name: geometry.childText('name') ?? '',
      type: geometry.childText('type') ?? 'Geometry',
      srid: Number(geometry.childText('srid') ?? -1),
    })),
    parameters: table.childrenNamed('parameter').map((parameter) => {
      const defaultValue = parameter.childText('defaultValue');
      const regexpValidator = parameter.childText('regexpValidator');
      return {
        name: parameter.childText('name') ?? '',
        ...(defaultValue === undefined ? {} : { defaultValue }),
        ...(regexpValidator === undefined ? {} : { regexpValidator }),
      };
    }),
  };
}

// ---- order

/** Order of a resource's elements in GeoServer's files. */
const ORDER = [
  'name nativeName alias namespace title description abstract keywords metadataLinks dataLinks nativeCRS srs nativeBoundingBox',
  'latLonBoundingBox projectionPolicy enabled advertised metadata store serviceConfiguration disabledServices simpleConversionEnabled',
  'internationalTitle internationalAbstract cqlFilter maxFeatures numDecimals padWithZeros forcedDecimal attributes responseSRS',
  'overridingServiceSRS skipNumberMatched circularArcPresent encodeMeasures linearizationTolerance nativeFormat grid supportedFormats',
  'interpolationMethods defaultInterpolationMethod dimensions requestSRS responseSRS parameters nativeCoverageName',
].flatMap((line) => line.split(' '));

/** What was sent, and what was computed where nothing was sent, in the order of the files. */
function ordered(sent: XmlElement, computed: readonly (XmlElement | undefined)[]): XmlElement {
  const given = sent.elements.filter((child) => child.elements.length > 0 || child.text.trim() !== '');
  const names = new Set(given.map((child) => child.name));
  const missing = computed.filter((child) => child !== undefined && !names.has(child.name)) as XmlElement[];
  const rank = (child: XmlElement) => {
    const index = ORDER.indexOf(child.name);
    return index === -1 ? ORDER.length : index;
  };
  return XmlElement.of(
    sent.name,
    [...given, ...missing].sort((a, b) => rank(a) - rank(b)),
  );
}

function strings(...texts: readonly string[]): XmlElement[] {
  return texts.map((text) => el('string', text));
}

function textAt(element: XmlElement, name: string): string | undefined {
  const text = element.childText(name);
  return text === '' ? undefined : text;
}
