/** Values of symbolizer attributes: constants where they are known, else expressions in Mapnik's language. */
import { type Expression, toNumber, toText } from '../../data/filter/index.ts';
import type { Unit } from '../style/model.ts';
import { type CompileContext, Untranslatable } from './context.ts';
import { asNumber, asText, numberText } from './expressions.ts';

/** Of a symbolizer attribute: a number or text that is known, or `{text}`, an expression. */
export type Dynamic<T> = T | { readonly text: string };

export function isDynamic<T>(value: Dynamic<T>): value is { readonly text: string } {
  return typeof value === 'object' && value !== null;
}

/** A number; the default where the expression is missing, null or no number. */
export function numberOf(
  expression: Expression | undefined,
  fallback: number,
  context: CompileContext,
): Dynamic<number> {
  if (expression === undefined) return fallback;
  if (expression.kind === 'literal') {
    const value = expression.value === null ? Number.NaN : toNumber(numeral(expression.value));
    if (!Number.isNaN(value)) return value;
    if (expression.value !== null && toText(expression.value).trim() !== '')
      context.warnings.add(`${JSON.stringify(toText(expression.value))} is no number: ${fallback} is taken`);
    return fallback;
  }
  return attempt<Dynamic<number>>(context, fallback, () => ({ text: asNumber(expression, context) }));
}

/** `2px` and `2 px` are numbers to GeoServer. */
function numeral(value: string | number | bigint | boolean | Date): string | number {
  return typeof value === 'number'
    ? value
    : toText(value)
        .trim()
        .replace(/\s*px$/, '');
}

/** A number in pixels, from one in the unit of the symbolizer. */
export function pixelsOf(
  expression: Expression | undefined,
  fallback: number,
  unit: Unit,
  context: CompileContext,
): Dynamic<number> {
  if (expression === undefined) return fallback;
  const pixels = expression.kind === 'literal' && /px\s*$/.test(toText(expression.value));
  const value = numberOf(expression, Number.NaN, context);
  if (typeof value === 'number' && Number.isNaN(value)) return fallback;
  return pixels ? value : scaled(value, pixelsPer(unit, context));
}

/** Pixels in one unit at the present scale. */
export function pixelsPer(unit: Unit, context: CompileContext): number {
  if (unit === 'pixel') return 1;
  return (unit === 'metre' ? 1 : 0.3048) / context.metersPerPixel;
}

export function scaled(value: Dynamic<number>, factor: number): Dynamic<number> {
  if (factor === 1) return value;
  return isDynamic(value) ? { text: `(${value.text}*${numberText(factor)})` } : value * factor;
}

/** A word or text; undefined where it is missing or empty. */
export function textOf(expression: Expression | undefined, context: CompileContext): Dynamic<string> | undefined {
  if (expression === undefined) return undefined;
  if (expression.kind === 'literal') return toText(expression.value).trim() || undefined;
  return attempt(context, undefined, () => ({ text: asText(expression, context) }));
}

/** A text that must be known now, such as the name of a font. */
export function constantText(
  expression: Expression | undefined,
  what: string,
  context: CompileContext,
): string | undefined {
  const value = textOf(expression, context);
  if (value === undefined || !isDynamic(value)) return value;
  context.warnings.add(`${what} cannot depend on the feature`);
  return undefined;
}

const NAMED: Readonly<Record<string, string>> = {
  black: '#000000',
  white: '#ffffff',
  red: '#ff0000',
  green: '#008000',
  blue: '#0000ff',
  yellow: '#ffff00',
  gray: '#808080',
  grey: '#808080',
  orange: '#ffa500',
  cyan: '#00ffff',
  magenta: '#ff00ff',
  lime: '#00ff00',
  navy: '#000080',
  maroon: '#800000',
  purple: '#800080',
  teal: '#008080',
  olive: '#808000',
  silver: '#c0c0c0',
  brown: '#a52a2a',
  pink: '#ffc0cb',
};

/** `#rrggbb` from what styles write; undefined when it is no colour. */
export function parseColor(text: string): string | undefined {
  const trimmed = text.trim().toLowerCase();
  if (/^#[0-9a-f]{6}$/.test(trimmed)) return trimmed;
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/.exec(trimmed);
  if (short !== null)
    return `#${short
      .slice(1)
      .map((c) => c + c)
      .join('')}`;
  const bare = /^(?:0x)?([0-9a-f]{6})$/.exec(trimmed);
  if (bare !== null) return `#${bare[1]}`;
  const rgb = /^rgb\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(trimmed);
  if (rgb !== null)
    return `#${rgb
      .slice(1)
      .map((c) => Math.min(255, Number(c)).toString(16).padStart(2, '0'))
      .join('')}`;
  return NAMED[trimmed];
}

/** A colour; the default where the expression is missing or no colour. */
export function colorOf(
  expression: Expression | undefined,
  fallback: string,
  context: CompileContext,
): Dynamic<string> {
  if (expression === undefined) return fallback;
  if (expression.kind === 'literal') {
    const color = parseColor(toText(expression.value));
    if (color !== undefined) return color;
    if (toText(expression.value).trim() !== '')
      context.warnings.add(`${JSON.stringify(toText(expression.value))} is no colour: ${fallback} is taken`);
    return fallback;
  }
  return attempt<Dynamic<string>>(context, fallback, () => {
    if (expression.kind === 'function' && expression.name.toLowerCase() === 'rgb') {
      const channels = expression.arguments.map((c) => `str(int(${asNumber(c, context)}+0.5))`);
      return { text: `'rgb('+${channels.join("+','+")}+')'` };
    }
    return { text: safeColor(asText(expression, context), fallback) };
  });
}

/** A text that is no colour would end the drawing of the whole map: it is replaced, feature by feature. */
function safeColor(text: string, fallback: string): string {
  const colors = ['#[0-9a-fA-F]{6}', '#[0-9a-fA-F]{3}', ...Object.keys(NAMED)].join('|');
  return `(''+${text}).replace('^([0-9a-fA-F]{6})$','#$1').replace('^(?!(${colors})$).*$','${fallback}')`;
}

function attempt<T>(context: CompileContext, fallback: T, translate: () => T): T {
  try {
    return translate();
  } catch (error) {
    if (!(error instanceof Untranslatable)) throw error;
    context.warnings.add(`${error.message} cannot be drawn: the default is taken`);
    return fallback;
  }
}

/** As the value of an attribute. */
export function attributeText(value: Dynamic<number | string>): string {
  if (isDynamic(value)) return value.text;
  return typeof value === 'number' ? numberText(Math.round(value * 1e6) / 1e6) : value;
}

/** An upper limit of a number, to size the picture's margin with. */
export function atMost(value: Dynamic<number>, guess: number): number {
  return isDynamic(value) ? guess : value;
}
