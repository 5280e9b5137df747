/** Functions that make colours, and interpolation, which may be between colours. */
import { toNumber, toText } from './convert.ts';
import { FilterError, type Value } from './types.ts';

type Rgb = readonly [number, number, number];

/** Reads `#rrggbb`, `#rgb` or `rrggbb`. */
export function parseRgb(value: Value): Rgb | undefined {
  const text = toText(value).trim();
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(text);
  if (short !== null) return short.slice(1).map((c) => Number.parseInt(c + c, 16)) as unknown as Rgb;
  const long = /^(?:#|0x)?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text);
  return long === null ? undefined : (long.slice(1).map((c) => Number.parseInt(c, 16)) as unknown as Rgb);
}

export function formatRgb(rgb: readonly number[]): string {
  const hex = (c: number) =>
    Math.round(Math.max(0, Math.min(255, c)))
      .toString(16)
      .padStart(2, '0');
  return `#${rgb.map(hex).join('')}`;
}

/** Hue 0 to 360, saturation and lightness 0 to 1. */
function toHsl([r, g, b]: Rgb): [number, number, number] {
  const [x, y, z] = [r / 255, g / 255, b / 255];
  const max = Math.max(x, y, z);
  const min = Math.min(x, y, z);
  const lightness = (max + min) / 2;
  if (max === min) return [0, 0, lightness];
  const delta = max - min;
  const saturation = delta / (1 - Math.abs(2 * lightness - 1));
  const hue = max === x ? ((y - z) / delta) % 6 : max === y ? (z - x) / delta + 2 : (x - y) / delta + 4;
  return [(hue * 60 + 360) % 360, saturation, lightness];
}

function fromHsl(hue: number, saturation: number, lightness: number): string {
  const chroma = (1 - Math.abs(2 * lightness - 1)) * saturation;
  const channel = (n: number) => {
    const k = (n + hue / 30) % 12;
    return 255 * (lightness - (chroma / 2) * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
  };
  return formatRgb([channel(0), channel(8), channel(4)]);
}

const clamp = (x: number) => Math.max(0, Math.min(1, x));

/** Amounts are 0 to 1, or `10%`; `relative` ones are parts of what is there. */
function adjusted(part: 1 | 2, sign: 1 | -1): (args: readonly Value[]) => Value {
  return ([color, amount, method]) => {
    const rgb = parseRgb(color ?? null);
    const text = toText(amount ?? null).trim();
    const by = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : toNumber(amount);
    if (rgb === undefined || Number.isNaN(by)) return null;
    const hsl = toHsl(rgb);
    const step = toText(method ?? null) === 'relative' ? hsl[part] * by : by;
    hsl[part] = clamp(hsl[part] + sign * step);
    return fromHsl(...hsl);
  };
}

export const colorFunctions: Readonly<Record<string, (args: readonly Value[]) => Value>> = {
  lighten: adjusted(2, 1),
  darken: adjusted(2, -1),
  saturate: adjusted(1, 1),
  desaturate: adjusted(1, -1),
  grayscale: ([color]) => {
    const rgb = parseRgb(color ?? null);
    if (rgb === undefined) return null;
    const [h, , l] = toHsl(rgb);
    return fromHsl(h, 0, l);
  },
  spin: ([color, degrees]) => {
    const rgb = parseRgb(color ?? null);
    if (rgb === undefined) return null;
    const [h, s, l] = toHsl(rgb);
    return fromHsl((h + toNumber(degrees) + 720) % 360, s, l);
  },
  tint: ([color, weight]) => mixed('#ffffff', color ?? null, toNumber(weight)),
  shade: ([color, weight]) => mixed('#000000', color ?? null, toNumber(weight)),
  mix: ([a, b, weight]) => mixed(a ?? null, b ?? null, toNumber(weight)),
  hsl: ([h, s, l]) => fromHsl(toNumber(h) % 360, clamp(toNumber(s)), clamp(toNumber(l))),
  rgb: ([r, g, b]) => formatRgb([toNumber(r), toNumber(g), toNumber(b)]),
  interpolate,
};

/** `weight` is the part of the first colour, 0 to 1. */
function mixed(first: Value, second: Value, weight: number): Value {
  const [a, b] = [parseRgb(first), parseRgb(second)];
  if (a === undefined || b === undefined || Number.isNaN(weight)) return null;
  return formatRgb(a.map((c, i) => c * weight + b[i]! * (1 - weight)));
}

/**
 * Interpolate(value, data1, value1, data2, value2, ... [, mode] [, method]): mode `linear`, `cosine` or `cubic`, method
 * `numeric` or `color`; colours are found out. Outside the data the nearest value holds.
 *
 * @see OGC 05-077r4, 11.6.2
 */
function interpolate(args: readonly Value[]): Value {
  const rest = [...args.slice(1)];
  let mode = 'linear';
  let method: string | undefined;
  while (typeof rest.at(-1) === 'string' && /^(linear|cosine|cubic|numeric|colou?r)$/i.test(rest.at(-1) as string)) {
    const word = (rest.pop() as string).toLowerCase();
    if (word === 'linear' || word === 'cosine' || word === 'cubic') mode = word;
    else method = word;
  }
  const x = args[0] == null ? Number.NaN : toNumber(args[0]);
  if (Number.isNaN(x) || rest.length < 2) return null;
  const points = [];
  for (let i = 0; i + 1 < rest.length; i += 2) points.push({ data: toNumber(rest[i]), value: rest[i + 1]! });
  const first = points[0]!;
  const last = points.at(-1)!;
  if (x <= first.data) return first.value;
  if (x >= last.data) return last.value;
  if (mode === 'cubic') throw new FilterError('Interpolate: the mode cubic is not supported: use linear or cosine');
  const upper = points.findIndex((p) => x < p.data);
  const [from, to] = [points[upper - 1]!, points[upper]!];
  let t = (x - from.data) / (to.data - from.data);
  if (mode === 'cosine') t = (1 - Math.cos(t * Math.PI)) / 2;
  const [a, b] = [parseColor(from.value, method), parseColor(to.value, method)];
  if (a !== undefined && b !== undefined) return formatRgb(a.map((c, i) => c + t * (b[i]! - c)));
  const [m, n] = [toNumber(from.value), toNumber(to.value)];
  return Number.isNaN(m) || Number.isNaN(n) ? null : m + t * (n - m);
}

function parseColor(value: Value, method: string | undefined): Rgb | undefined {
  const colorLike =
    method === undefined ? typeof value === 'string' && value.trim().startsWith('#') : method !== 'numeric';
  return colorLike ? parseRgb(value) : undefined;
}
