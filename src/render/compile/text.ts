/** Labels as Mapnik's TextSymbolizer and ShieldSymbolizer. */
import { type Expression, toText } from '../../data/filter/index.ts';
import { escapeText } from '../../xml/index.ts';
import type { Font, TextSymbolizer } from '../style/model.ts';
import { type CompileContext, Untranslatable } from './context.ts';
import { type Attributes, element } from './element.ts';
import { asText, column, numberText, translate } from './expressions.ts';
import { chooseFace } from './fonts.ts';
import { geometryChange } from './geometry.ts';
import { markerOf } from './graphics.ts';
import { compositeOf, type Drawn } from './symbols.ts';
import {
  atMost,
  attributeText,
  colorOf,
  constantText,
  type Dynamic,
  isDynamic,
  numberOf,
  pixelsOf,
  scaled,
} from './values.ts';

const NOTHING: Drawn = { xml: '', reach: 0 };

/** A label, and the attribute that says which of the labels goes first. */
export interface DrawnLabel extends Drawn {
  /** For `sort-by`. */
  readonly priority?: string;
}

export function drawText(symbolizer: TextSymbolizer, context: CompileContext): DrawnLabel {
  const change = geometryChange(symbolizer, context);
  if (change === undefined || symbolizer.label === undefined) return NOTHING;
  const content = contentOf(symbolizer.label, context);
  if (content === undefined) return NOTHING;
  const { unit, options } = symbolizer;
  const font = fontOf(symbolizer.fonts, context);
  const size = pixelsOf(symbolizer.fonts.find((f) => f.size !== undefined)?.size, 10, unit, context);
  const opacity = numberOf(symbolizer.fill?.opacity, 1, context);
  for (const option of ['underlineText', 'strikethroughText'])
    if (options[option] === 'true') context.warnings.add(`${option} is left out`);
  const attributes: Attributes = {
    'face-name': font,
    size,
    fill: colorOf(symbolizer.fill?.color, '#000000', context),
    opacity: opacity === 1 ? undefined : opacity,
    ...haloOf(symbolizer, context),
    ...placementOf(symbolizer, content.text, size, context),
    ...(change.placement === undefined ? {} : { placement: change.placement === 'interior' ? 'interior' : 'point' }),
    ...collisions(symbolizer, context),
    'text-transform': content.transform,
    'character-spacing': optionNumber(options.charSpacing),
    'line-spacing': optionNumber(options.lineSpacing),
    'geometry-transform': change.transform,
    'comp-op': compositeOf(options, context).operation,
  };
  const priority = priorityOf(symbolizer.priority, context);
  const alternatives = alternativesOf(symbolizer, attributes);
  const shield = symbolizer.graphic === undefined ? undefined : shieldOf(symbolizer, content.text, size, context);
  const inner = escapeText(content.text) + alternatives;
  const all = alternatives === '' ? attributes : { ...attributes, 'placement-type': 'list' };
  const xml =
    shield === undefined
      ? element('TextSymbolizer', all, inner)
      : element('ShieldSymbolizer', { ...all, ...shield }, inner);
  return { xml, reach: 0, ...(priority === undefined ? {} : { priority }) };
}

function optionNumber(text: string | undefined): number | undefined {
  const value = Number(text);
  return text === undefined || Number.isNaN(value) ? undefined : value;
}

const TRANSFORMS: Readonly<Record<string, string>> = {
  strtouppercase: 'uppercase',
  strtolowercase: 'lowercase',
  strcapitalize: 'capitalize',
};

/** The text of a label; undefined when there is none. What Mapnik cannot calculate is shown as it is in the data. */
function contentOf(label: Expression, context: CompileContext): { text: string; transform?: string } | undefined {
  if (label.kind === 'literal') return toText(label.value) === '' ? undefined : { text: asText(label, context) };
  if (label.kind === 'function') {
    const transform = TRANSFORMS[label.name.toLowerCase()];
    const inner = label.arguments[0];
    if (transform !== undefined && inner !== undefined) {
      const content = contentOf(inner, context);
      return content === undefined ? undefined : { text: content.text, transform };
    }
    if (label.name.toLowerCase() === 'changecase' && inner !== undefined) {
      const content = contentOf(inner, context);
      const lower = label.arguments[1]?.kind === 'literal' && label.arguments[1].value === 'toLower';
      return content === undefined ? undefined : { text: content.text, transform: lower ? 'lowercase' : 'uppercase' };
    }
  }
  try {
    return { text: asText(simplified(label, context), context) };
  } catch (error) {
    if (!(error instanceof Untranslatable)) throw error;
    context.warnings.add(`a label cannot be drawn: ${error.message}`);
    return undefined;
  }
}

/** A label without the functions that only change how a number or text looks. */
function simplified(label: Expression, context: CompileContext): Expression {
  if (label.kind === 'arithmetic')
    return { ...label, left: simplified(label.left, context), right: simplified(label.right, context) };
  if (label.kind !== 'function') return label;
  const args = label.arguments.map((a) => simplified(a, context));
  const name = label.name.toLowerCase();
  const value = args[1];
  if ((name === 'numberformat' || name === 'numberformat2') && value !== undefined) {
    const pattern = args[0]?.kind === 'literal' ? toText(args[0].value) : '';
    if (!/[.,%E]/.test(pattern)) return { kind: 'function', name: 'round', arguments: [value] };
    context.warnings.add(`the number format ${pattern} is left out of a label`);
    return value;
  }
  if (name === 'dateformat' && value !== undefined) {
    context.warnings.add('the date format of a label is left out');
    return value;
  }
  if (name === 'language') return { kind: 'literal', value: '' };
  if (name in TRANSFORMS || name === 'stripaccents' || name === 'strstripaccents') {
    context.warnings.add(`${label.name} is left out of a label that is more than this`);
    return args[0] ?? { kind: 'literal', value: '' };
  }
  return { ...label, arguments: args };
}

function fontOf(fonts: readonly Font[], context: CompileContext): string {
  const families = fonts.flatMap((f) => f.families.flatMap((e) => constantText(e, 'a font family', context) ?? []));
  const word = (pick: (f: Font) => Expression | undefined, what: string) => {
    const found = fonts.map(pick).find((e) => e !== undefined);
    return found === undefined ? '' : (constantText(found, what, context) ?? '').toLowerCase();
  };
  const weight = word((f) => f.weight, 'a font weight');
  const { face, exact } = chooseFace(
    {
      families,
      italic: /italic|oblique/.test(word((f) => f.style, 'a font style')),
      bold: weight === 'bold' || weight === 'bolder' || Number(weight) >= 600,
    },
    context.faces,
  );
  if (!exact) context.warnings.add(`the font ${families[0]} is not installed: ${face} is taken`);
  return face;
}

function haloOf({ halo, unit }: TextSymbolizer, context: CompileContext): Attributes {
  if (halo === undefined) return {};
  const opacity = numberOf(halo.fill?.opacity, 1, context);
  return {
    'halo-radius': pixelsOf(halo.radius, 1, unit, context),
    'halo-fill': colorOf(halo.fill?.color, '#ffffff', context),
    'halo-opacity': opacity === 1 ? undefined : opacity,
  };
}

/** Width of a character as a part of the font's size, on average. */
const CHARACTER_WIDTH = 0.58;

function placementOf(
  symbolizer: TextSymbolizer,
  text: string,
  size: Dynamic<number>,
  context: CompileContext,
): Attributes {
  const { placement, unit, options } = symbolizer;
  if (placement.kind === 'line' || options.followLine === 'true') {
    const offset = placement.kind === 'line' ? scaled(pixelsOf(placement.offset, 0, unit, context), -1) : 0;
    const repeat =
      optionNumber(options.repeat) ??
      (placement.kind === 'line' && placement.repeated ? gapOf(placement.gap, unit, context) : 0);
    return {
      placement: 'line',
      dy: offset === 0 ? undefined : offset,
      'vertical-alignment': offset === 0 ? 'middle' : undefined,
      spacing: repeat > 0 ? repeat : undefined,
      'max-char-angle-delta': optionNumber(options.maxAngleDelta) ?? 22.5,
      upright: options.forceLeftToRight === 'false' ? 'left-only' : 'auto',
      'wrap-width': undefined,
    };
  }
  const anchor = (e: Expression | undefined, fallback: number): number => {
    const value = numberOf(e, fallback, context);
    if (!isDynamic(value)) return value;
    context.warnings.add('an anchor point cannot depend on the feature');
    return fallback;
  };
  const ax = anchor(placement.anchor?.[0], 0);
  const ay = anchor(placement.anchor?.[1], 0.5);
  const dx = pixelsOf(placement.displacement?.[0], 0, unit, context);
  const dy = scaled(pixelsOf(placement.displacement?.[1], 0, unit, context), -1);
  const rotation = numberOf(placement.rotation, 0, context);
  const wrap = optionNumber(options.autoWrap);
  const common: Attributes = {
    // The label of an area goes to its inside, of a line to its middle.
    placement: 'interior',
    'wrap-width': wrap !== undefined && wrap > 0 ? wrap : undefined,
    'justify-alignment': ax < 0.25 ? 'left' : ax > 0.75 ? 'right' : 'center',
  };
  if (rotation === 0) {
    return {
      ...common,
      'horizontal-alignment': ax < 0.25 ? 'right' : ax > 0.75 ? 'left' : 'middle',
      'vertical-alignment': ay < 0.25 ? 'top' : ay > 0.75 ? 'bottom' : 'middle',
      dx: dx === 0 ? undefined : dx,
      dy: dy === 0 ? undefined : dy,
    };
  }
  return {
    ...common,
    'horizontal-alignment': 'middle',
    'vertical-alignment': 'middle',
    ...turned({ ax, ay, dx, dy, rotation, text, size }),
  };
}

function gapOf(gap: Expression | undefined, unit: TextSymbolizer['unit'], context: CompileContext): number {
  return atMost(pixelsOf(gap, 200, unit, context), 200);
}

/**
 * Mapnik turns a label about its own middle, SLD about the anchor; so the middle is put where the anchor's turn takes it.
 * The width of the text is estimated from the number of its characters.
 */
function turned(label: {
  ax: number;
  ay: number;
  dx: Dynamic<number>;
  dy: Dynamic<number>;
  rotation: Dynamic<number>;
  text: string;
  size: Dynamic<number>;
}): Attributes {
  const { ax, ay, rotation, text } = label;
  const size = attributeText(label.size);
  const sum = (shift: Dynamic<number>, x: string, y: string): Dynamic<number> | undefined => {
    const parts = [shift === 0 ? '' : attributeText(shift), x, y].filter((part) => part !== '');
    return parts.length === 0 ? undefined : { text: parts.length === 1 ? parts[0]! : `(${parts.join('+')})` };
  };
  const width = (0.5 - ax) * CHARACTER_WIDTH;
  const height = ay - 0.5;
  const angle = isDynamic(rotation) ? rotation.text : String(rotation);
  const trig = (name: 'cos' | 'sin') =>
    isDynamic(rotation) ? `${name}(${angle}*0.0174532925)` : `(${numberText(Math[name]((rotation * Math.PI) / 180))})`;
  const along = (factor: number, name: 'cos' | 'sin') =>
    Math.abs(factor) < 1e-9 ? '' : `length(${text})*${size}*(${numberText(factor)})*${trig(name)}`;
  const across = (factor: number, name: 'cos' | 'sin') =>
    Math.abs(factor) < 1e-9 ? '' : `${size}*(${numberText(factor)})*${trig(name)}`;
  return {
    orientation: scaled(rotation, -1),
    dx: sum(label.dx, along(width, 'cos'), across(-height, 'sin')),
    dy: sum(label.dy, along(width, 'sin'), across(height, 'cos')),
  };
}

function collisions(symbolizer: TextSymbolizer, context: CompileContext): Attributes {
  const { options } = symbolizer;
  const resolve = options.conflictResolution !== 'false';
  const group = /^(true|yes|1)$/i.test(options.group ?? '') && options.labelAllGroup !== 'true';
  const distance = optionNumber(options.minGroupDistance);
  const space = optionNumber(options.spaceAround);
  if (space !== undefined && space < 0) context.warnings.add('a negative spaceAround counts as 0');
  return {
    'allow-overlap': resolve ? undefined : true,
    margin: space !== undefined && space > 0 ? space : undefined,
    // One label for all features of a group: no other of the same text anywhere in the picture.
    'repeat-distance': group ? 10_000 : distance !== undefined && distance > 0 ? distance : undefined,
    // GeoServer drops labels that the edge of the picture would cut.
    'avoid-edges': options.partials === 'true' || !resolve ? undefined : true,
    clip: true,
  };
}

/** `maxDisplacement`: where else a point's label may go. */
function alternativesOf({ placement, options }: TextSymbolizer, attributes: Attributes): string {
  const distance = optionNumber(options.maxDisplacement);
  if (distance === undefined || distance <= 0 || placement.kind === 'line' || options.followLine === 'true') return '';
  if (attributes.orientation !== undefined) return '';
  const step = Math.min(distance, 12);
  const sides: [string, string, number, number][] = [
    ['right', 'middle', step, 0],
    ['left', 'middle', -step, 0],
    ['middle', 'top', 0, -step],
    ['middle', 'bottom', 0, step],
  ];
  return sides
    .map(([h, v, dx, dy]) =>
      element('Placement', {
        'horizontal-alignment': h,
        'vertical-alignment': v,
        dx,
        dy,
        'justify-alignment': 'center',
      }),
    )
    .join('');
}

/** A graphic behind the text; `graphic-resize` fits it to an estimate of the text's size. */
function shieldOf(
  symbolizer: TextSymbolizer,
  text: string,
  size: Dynamic<number>,
  context: CompileContext,
): Attributes | undefined {
  const marker = markerOf(symbolizer.graphic!, symbolizer.unit, { ...context, circlesAsFiles: true });
  if (marker === undefined || marker.kind === 'glyph') return undefined;
  const { file } = marker.attributes;
  if (typeof file !== 'string') return undefined;
  const resize = symbolizer.options['graphic-resize'];
  const margins = (symbolizer.options['graphic-margin'] ?? '0').trim().split(/\s+/).map(Number);
  const [vertical, horizontal] = [margins[0] || 0, margins[1] ?? margins[0] ?? 0];
  let transform: string | undefined;
  if (resize === 'stretch' || resize === 'proportional') {
    const [w, h] = [atMost(marker.width, 20), atMost(marker.height, 20)];
    const wide = `(length(${text})*${attributeText(size)}*${CHARACTER_WIDTH + 0.06}+${numberText(2 * horizontal)})/${numberText(w)}`;
    const high = `(${attributeText(size)}*1.2+${numberText(2 * vertical)})/${numberText(h)}`;
    transform = resize === 'stretch' ? `scale(${wide},${high})` : `scale(max(${wide},${high}))`;
  }
  return { file, transform, 'unlock-image': true };
}

function priorityOf(priority: Expression | undefined, context: CompileContext): string | undefined {
  if (priority === undefined || priority.kind === 'literal') return undefined;
  if (priority.kind === 'property' && column(priority.name, context) !== undefined) {
    try {
      return translate(priority, context).text.slice(1, -1);
    } catch (error) {
      if (!(error instanceof Untranslatable)) throw error;
    }
  }
  context.warnings.add('a label priority must be an attribute: the order of the data is taken');
  return undefined;
}
