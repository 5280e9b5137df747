import type { Band, CoverageSource } from './types.ts';

/** What GeoServer keeps in a coverage's `coverageDimension`. */
export interface CoverageDimension {
  /** `GRAY_INDEX`, `RED_BAND`, ... */
  readonly name: string;
  readonly description: string;
  /** `-inf` and `inf` where the source does not say. */
  readonly range: { readonly min: string; readonly max: string };
  readonly nullValues: readonly number[];
  /** `UNSIGNED_8BITS`, `REAL_32BITS`, ... */
  readonly dimensionType: string;
}

const DIMENSION_TYPES: Readonly<Record<Band['dataType'], string>> = {
  uint8: 'UNSIGNED_8BITS',
  int8: 'SIGNED_8BITS',
  uint16: 'UNSIGNED_16BITS',
  int16: 'SIGNED_16BITS',
  uint32: 'UNSIGNED_32BITS',
  int32: 'SIGNED_32BITS',
  float32: 'REAL_32BITS',
  float64: 'REAL_64BITS',
};

/** A coverage's bands as GeoServer describes them when it publishes the coverage. */
export function coverageDimensions(coverage: Pick<CoverageSource, 'bands'>): CoverageDimension[] {
  return coverage.bands.map((band) => ({
    name: band.name,
    description: `GridSampleDimension[${javaNumber(band.min, '-Infinity')},${javaNumber(band.max, 'Infinity')}]`,
    range: { min: javaNumber(band.min, '-inf'), max: javaNumber(band.max, 'inf') },
    nullValues: band.noData === undefined ? [] : [band.noData],
    dimensionType: DIMENSION_TYPES[band.dataType],
  }));
}

/** As Java's Double.toString: always with a fraction. */
function javaNumber(value: number | undefined, absent: string): string {
  if (value === undefined || !Number.isFinite(value)) return absent;
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-3 || magnitude >= 1e7)) {
    const [digits, exponent] = value.toExponential().split('e') as [string, string];
    return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

const COLOR_NAMES = {
  gray: 'GRAY_INDEX',
  red: 'RED_BAND',
  green: 'GREEN_BAND',
  blue: 'BLUE_BAND',
  alpha: 'ALPHA_BAND',
  palette: 'PALETTE_INDEX',
} as const;

/** Names as GeoServer gives them: after the colour, and `Band2` for a colour that is not known or comes again. */
export function nameBands(bands: readonly Omit<Band, 'name'>[]): Band[] {
  const used = new Set<string>();
  return bands.map((band, i) => {
    const named = band.colorInterpretation === undefined ? undefined : COLOR_NAMES[band.colorInterpretation];
    const name = named === undefined || used.has(named) ? `Band${i + 1}` : named;
    used.add(name);
    return { ...band, name };
  });
}
