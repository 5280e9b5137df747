/** RasterSymbolizer: colour maps, channels and contrast in Mapnik's terms. */
import type { Band } from '../../data/index.ts';
import type { Channel, ColorMap, Contrast, RasterSymbolizer } from '../style/model.ts';
import type { CompileContext } from './context.ts';
import { element } from './element.ts';
import { numberText } from './expressions.ts';
import { compositeOf } from './symbols.ts';
import { colorOf, constantText, isDynamic, numberOf } from './values.ts';

/** A raster symbolizer as XML, and what the source must be asked for. */
export interface DrawnRaster {
  readonly xml: string;
  /** Replaces parameters of the source. */
  readonly parameters: Readonly<Record<string, string>>;
}

const SCALING = { nearest: 'near', bilinear: 'bilinear', bicubic: 'bicubic' } as const;

export function drawRaster(symbolizer: RasterSymbolizer, context: CompileContext): DrawnRaster {
  const opacity = numberOf(symbolizer.opacity, 1, context);
  const attributes = {
    opacity: opacity === 1 ? undefined : isDynamic(opacity) ? 1 : opacity,
    scaling: SCALING[context.interpolation],
    'comp-op': compositeOf(symbolizer.options, context).operation,
  };
  const bands = context.source.bands ?? [];
  const colorizer = (content: string, band: number): DrawnRaster => ({
    xml: element('RasterSymbolizer', attributes, content),
    parameters: { band: String(band) },
  });
  const { channels, colorMap } = symbolizer;
  if (colorMap !== undefined) {
    const band = channels?.kind === 'gray' ? bandOf(channels.gray, bands, context) : 1;
    return colorizer(colorizerOf(colorMap, context), band);
  }
  if (channels?.kind === 'gray' || (channels === undefined && isGray(bands))) {
    const band = channels?.kind === 'gray' ? bandOf(channels.gray, bands, context) : 1;
    const contrast = (channels?.kind === 'gray' ? channels.gray.contrast : undefined) ?? symbolizer.contrast;
    return colorizer(grayRamp(bands[band - 1], contrast, context), band);
  }
  if (channels?.kind === 'rgb') {
    if (
      symbolizer.contrast !== undefined ||
      [channels.red, channels.green, channels.blue].some((c) => c.contrast !== undefined)
    )
      context.warnings.add('the contrast of colour channels is left out');
    const numbers = [channels.red, channels.green, channels.blue].map((c) => bandOf(c, bands, context));
    if (numbers.join() !== '1,2,3') {
      const vrt = bandVrt(numbers, context);
      if (vrt !== undefined) return { xml: element('RasterSymbolizer', attributes), parameters: vrt };
      context.warnings.add('channels in another order than 1, 2, 3 cannot be drawn of this source');
    }
  } else if (symbolizer.contrast !== undefined) context.warnings.add('the contrast of a colour picture is left out');
  return { xml: element('RasterSymbolizer', attributes), parameters: {} };
}

/** One band that is not a picture in itself. */
function isGray(bands: readonly Band[]): boolean {
  return bands.length === 1 && bands[0]!.colorInterpretation !== 'palette';
}

function bandOf(channel: Channel, bands: readonly Band[], context: CompileContext): number {
  const name = constantText(channel.name, 'the name of a channel', context) ?? '1';
  const number = Number(name);
  if (Number.isInteger(number) && number >= 1 && (bands.length === 0 || number <= bands.length)) return number;
  const index = bands.findIndex((band) => band.name === name);
  if (index !== -1) return index + 1;
  context.warnings.add(`there is no band ${name}: band 1 is taken`);
  return 1;
}

/** Below every value that there is. */
const LOWEST = -1e30;

interface Stop {
  readonly value: number;
  readonly color: string;
}

/**
 * Mapnik's stops begin at their value. A ramp is the same in both, but for values below its first stop, which keep the
 * first colour. An interval of SLD ends at its quantity, so each colour moves to the quantity before its own, and
 * nothing is drawn from the last one on.
 */
export function colorizerOf(map: ColorMap, context: CompileContext): string {
  const entries: Stop[] = [];
  for (const entry of map.entries) {
    const quantity = numberOf(entry.quantity, Number.NaN, context);
    if (isDynamic(quantity) || Number.isNaN(quantity)) continue;
    entries.push({ value: quantity, color: withAlpha(entry.color, entry.opacity, context) });
  }
  if (map.type !== 'values') entries.sort((a, b) => a.value - b.value);
  const first = entries[0];
  if (first === undefined) return '';
  switch (map.type) {
    case 'ramp':
      return colorizer('linear', [{ value: LOWEST, color: first.color }, ...entries]);
    case 'intervals': {
      const stops = entries.map((entry, i) => ({
        value: i === 0 ? LOWEST : entries[i - 1]!.value,
        color: entry.color,
      }));
      return colorizer('discrete', [...stops, { value: entries.at(-1)!.value, color: TRANSPARENT }]);
    }
    case 'values': {
      const unique = [...new Map(entries.map((e) => [e.value, e])).values()].sort((a, b) => a.value - b.value);
      return colorizer('exact', unique);
    }
  }
}

const TRANSPARENT = 'rgba(0,0,0,0)';

function withAlpha(
  color: Parameters<typeof colorOf>[0],
  opacity: Parameters<typeof numberOf>[0],
  context: CompileContext,
): string {
  const hex = colorOf(color, '#000000', context);
  const alpha = numberOf(opacity, 1, context);
  if (isDynamic(hex)) return TRANSPARENT;
  if (isDynamic(alpha) || alpha >= 1) return hex;
  const [r, g, b] = [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
  return `rgba(${r},${g},${b},${Math.max(0, alpha)})`;
}

function colorizer(mode: 'linear' | 'discrete' | 'exact', stops: readonly Stop[]): string {
  const content = stops.map(({ value, color }) =>
    element('stop', { color, value: { text: value === LOWEST ? '-1e30' : numberText(value) } }),
  );
  return element(
    'RasterColorizer',
    {
      'default-mode': mode,
      'default-color': 'transparent',
      ...(mode === 'exact' ? { epsilon: { text: '0.000001' } } : {}),
    },
    content.join(''),
  );
}

/** From black at the least value to white at the greatest. */
function grayRamp(band: Band | undefined, contrast: Contrast | undefined, context: CompileContext): string {
  let [low, high] = [0, 255];
  const stretched = contrast?.method === 'normalize' || contrast?.method === 'histogram';
  if (contrast?.method !== undefined && contrast.method !== 'normalize')
    context.warnings.add(`the contrast method ${contrast.method} is drawn as a plain stretch`);
  const option = (name: string) => {
    const value = Number(contrast?.options[name] ?? Number.NaN);
    return Number.isNaN(value) ? undefined : value;
  };
  if (stretched || band?.dataType !== 'uint8') {
    low = option('minValue') ?? band?.min ?? low;
    high = option('maxValue') ?? band?.max ?? high;
    if (band?.min === undefined && option('minValue') === undefined && stretched)
      context.warnings.add('the contrast cannot be stretched: the least and greatest value of the band are not known');
  }
  if (!(high > low)) high = low + 1;
  const gamma = numberOf(contrast?.gamma, 1, context);
  const exponent = isDynamic(gamma) || !(gamma > 0) ? 1 : 1 / gamma;
  const steps = exponent === 1 ? 1 : 32;
  const stops: Stop[] = Array.from({ length: steps + 1 }, (_, i) => {
    const level = Math.round(255 * (i / steps) ** exponent)
      .toString(16)
      .padStart(2, '0');
    return { value: low + ((high - low) * i) / steps, color: `#${level}${level}${level}` };
  });
  return colorizer('linear', [{ value: LOWEST, color: '#000000' }, ...stops]);
}

/** Some bands of a file in another order, through GDAL's virtual data sets. */
function bandVrt(numbers: readonly number[], context: CompileContext): Readonly<Record<string, string>> | undefined {
  const { parameters } = context.source;
  const file = parameters.file;
  if (file === undefined || parameters.type !== 'gdal' || file.startsWith('<') || file.includes('?')) return undefined;
  const path = parameters.base === undefined || file.startsWith('/') ? file : `${parameters.base}/${file}`;
  return { file: `vrt://${path}?bands=${numbers.join(',')}` };
}
