/** Points, lines and polygons as Mapnik's symbolizers. */

import type { Expression } from '../../data/filter/index.ts';
import { escapeText } from '../../xml/index.ts';
import type {
  Fill,
  Graphic,
  LineSymbolizer,
  Options,
  PointSymbolizer,
  PolygonSymbolizer,
  Stroke,
  Unit,
} from '../style/model.ts';
import type { CompileContext } from './context.ts';
import { type Attributes, element } from './element.ts';
import { quote } from './expressions.ts';
import { geometryChange } from './geometry.ts';
import { capAndJoin, dashesOf, markerOf, patternOf, reachOf, transformOf } from './graphics.ts';
import { atMost, attributeText, colorOf, type Dynamic, isDynamic, numberOf, pixelsOf, scaled } from './values.ts';

/** Symbolizers as XML, and how far in pixels they reach beyond the geometry. */
export interface Drawn {
  readonly xml: string;
  readonly reach: number;
}

const NOTHING: Drawn = { xml: '', reach: 0 };

/**
 * Vertices closer than half a pixel are dropped and what is far outside is cut off: two to six times as fast on detailed
 * geometries. Not where it shows: dashes and patterns along a line would begin elsewhere.
 */
const FAST: Attributes = { clip: true, simplify: 0.5, 'simplify-algorithm': 'radial-distance' };

/** Operations that GeoServer and Mapnik have in common. */
const OPERATIONS: Readonly<Record<string, string>> = {
  'source-over': 'src-over',
  'destination-over': 'dst-over',
  'source-in': 'src-in',
  'destination-in': 'dst-in',
  'source-out': 'src-out',
  'destination-out': 'dst-out',
  'source-atop': 'src-atop',
  'destination-atop': 'dst-atop',
  copy: 'src',
  destination: 'dst',
  xor: 'xor',
  multiply: 'multiply',
  screen: 'screen',
  overlay: 'overlay',
  darken: 'darken',
  lighten: 'lighten',
  'color-dodge': 'color-dodge',
  'color-burn': 'color-burn',
  'hard-light': 'hard-light',
  'soft-light': 'soft-light',
  difference: 'difference',
  exclusion: 'exclusion',
};

/** The vendor option `composite`: `multiply` or `multiply, 0.5`. */
export function compositeOf(options: Options, context: CompileContext): { operation?: string; opacity?: number } {
  const [word, opacity] = (options.composite ?? '').split(',').map((part) => part.trim());
  if (word === undefined || word === '') return {};
  const operation = OPERATIONS[word.toLowerCase()];
  if (operation === undefined) context.warnings.add(`unknown composite operation ${word}`);
  const value = Number(opacity ?? 1);
  return { operation, ...(value >= 0 && value < 1 ? { opacity: value } : {}) };
}

export function drawPoint(symbolizer: PointSymbolizer, context: CompileContext): Drawn {
  const change = geometryChange(symbolizer, context);
  if (change === undefined) return NOTHING;
  const { unit, options } = symbolizer;
  let graphic: Graphic = symbolizer.graphic ?? { symbols: [] };
  if (change.placement === 'vertices') return drawDots(graphic, unit, context);
  const atEnd = change.placement === 'vertex-first' || change.placement === 'vertex-last';
  const direction = atEnd ? endDirection(graphic) : undefined;
  if (direction === 'left' || direction === 'right') graphic = { ...graphic, rotation: undefined };
  return drawMarker(graphic, unit, context, {
    direction,
    placement: change.placement ?? (isPoints(context) ? 'point' : 'interior'),
    'multi-policy': change.placement === 'interior' ? 'whole' : undefined,
    // Labels keep clear of a graphic only where the style asks for it.
    'ignore-placement': options.labelObstacle === 'true' ? undefined : true,
    'geometry-transform': change.transform,
    'comp-op': compositeOf(options, context).operation,
    clip: change.placement === undefined ? undefined : false,
  });
}

function isPoints({ source }: CompileContext): boolean {
  return source.attributes?.some((a) => a.type === 'geometry' && a.geometryType === 'Point') ?? false;
}

function isAreas({ source }: CompileContext): boolean {
  return source.attributes?.some((a) => a.type === 'geometry' && /Polygon$/.test(a.geometryType ?? '')) ?? false;
}

/**
 * Symbology Encoding counts to the left of a line, Mapnik to the right. Of areas the outside is meant; Mapnik lets their
 * outer rings run counter-clockwise, so that this is the right as well.
 */
function offsetOf(
  offset: Expression | undefined,
  unit: Unit,
  areas: boolean,
  context: CompileContext,
): Dynamic<number> {
  return scaled(pixelsOf(offset, 0, unit, context), areas ? 1 : -1);
}

/** The angle of a line's end is what Mapnik turns a marker by without being asked. */
function endDirection({ rotation }: Graphic): 'left' | 'right' | 'up' {
  if (rotation?.kind !== 'function') return 'up';
  const name = rotation.name.toLowerCase();
  return name === 'startangle' ? 'left' : name === 'endangle' ? 'right' : 'up';
}

/** Mapnik marks every vertex with plain dots only. */
function drawDots(graphic: Graphic, unit: Unit, context: CompileContext): Drawn {
  const mark = graphic.symbols.find((s) => s.kind === 'mark');
  const size = pixelsOf(graphic.size, 16, unit, context);
  const color = mark?.fill?.color ?? mark?.stroke?.color;
  const opacity = numberOf(mark?.fill?.opacity ?? graphic.opacity, 1, context);
  const xml = element('DotSymbolizer', {
    width: size,
    height: size,
    fill: colorOf(color, '#808080', context),
    opacity: opacity === 1 ? undefined : opacity,
  });
  return { xml, reach: atMost(size, 16) / 2 };
}

function drawMarker(graphic: Graphic, unit: Unit, context: CompileContext, attributes: Attributes): Drawn {
  const marker = markerOf(graphic, unit, context);
  if (marker === undefined) return NOTHING;
  const opacity = numberOf(graphic.opacity, 1, context);
  const reach = reachOf(graphic, marker, unit, context);
  if (marker.kind === 'glyph') {
    const rotation = numberOf(graphic.rotation, 0, context);
    const line = attributes.placement === 'line';
    const xml = element(
      'TextSymbolizer',
      {
        'face-name': marker.face,
        size: marker.size,
        fill: marker.fill,
        opacity: multiplied(marker.opacity, opacity),
        placement: line ? 'line' : 'interior',
        spacing: line ? attributes.spacing : undefined,
        'horizontal-alignment': 'middle',
        'vertical-alignment': 'middle',
        orientation: rotation === 0 || line ? undefined : scaled(rotation, -1),
        'allow-overlap': true,
        'comp-op': attributes['comp-op'],
        'geometry-transform': attributes['geometry-transform'],
      },
      escapeText(quote(marker.character)),
    );
    return { xml, reach };
  }
  const xml = element('MarkersSymbolizer', {
    ...marker.attributes,
    opacity: opacity === 1 ? undefined : opacity,
    transform: transformOf(graphic, marker, unit, context),
    'allow-overlap': true,
    ...attributes,
  });
  return { xml, reach };
}

function multiplied(a: Dynamic<number>, b: Dynamic<number>): Dynamic<number> | undefined {
  if (!isDynamic(a) && !isDynamic(b)) return a * b === 1 ? undefined : a * b;
  return { text: `(${attributeText(a)}*${attributeText(b)})` };
}

export function drawLine(symbolizer: LineSymbolizer, context: CompileContext): Drawn {
  const change = geometryChange(symbolizer, context);
  if (change === undefined || symbolizer.stroke === undefined) return NOTHING;
  const { unit, options } = symbolizer;
  const offset = offsetOf(symbolizer.offset, unit, isAreas(context), context);
  return drawStroke(symbolizer.stroke, { unit, options, offset, transform: change.transform }, context);
}

export function drawPolygon(symbolizer: PolygonSymbolizer, context: CompileContext): Drawn {
  const change = geometryChange(symbolizer, context);
  if (change === undefined) return NOTHING;
  const { unit, options, fill, stroke, displacement } = symbolizer;
  const offset = offsetOf(symbolizer.offset, unit, true, context);
  let { transform } = change;
  if (displacement !== undefined) {
    const [dx, dy] = displacement.map((e) => pixelsOf(e, 0, unit, context)) as [Dynamic<number>, Dynamic<number>];
    if (dx !== 0 || dy !== 0)
      transform = `translate(${attributeText(dx)},${attributeText(scaled(dy, -1))}) ${transform ?? ''}`.trim();
  }
  const area = fill === undefined ? NOTHING : drawFill(fill, { unit, options, transform }, context);
  const outline = stroke === undefined ? NOTHING : drawStroke(stroke, { unit, options, offset, transform }, context);
  return { xml: area.xml + outline.xml, reach: Math.max(area.reach, outline.reach) };
}

interface Manner {
  readonly unit: Unit;
  readonly options: Options;
  readonly transform: string | undefined;
}

function drawFill(fill: Fill, { unit, options, transform }: Manner, context: CompileContext): Drawn {
  const operation = compositeOf(options, context).operation;
  const shared: Attributes = { 'comp-op': operation, 'geometry-transform': transform };
  const opacity = numberOf(fill.opacity, 1, context);
  if (fill.graphic !== undefined) {
    const pattern = patternOf(fill.graphic, unit, options, context);
    if (pattern === undefined) return NOTHING;
    const both = multiplied(pattern.opacity, opacity);
    const attributes = {
      file: pattern.file,
      transform: pattern.transform,
      opacity: both,
      alignment: 'global',
      ...shared,
    };
    return { xml: element('PolygonPatternSymbolizer', { ...attributes, clip: true }), reach: 0 };
  }
  const attributes = {
    fill: colorOf(fill.color, '#808080', context),
    'fill-opacity': opacity === 1 ? undefined : opacity,
    ...(transform === undefined ? FAST : {}),
    ...shared,
  };
  return { xml: element('PolygonSymbolizer', attributes), reach: 0 };
}

function drawStroke(
  stroke: Stroke,
  manner: Manner & { readonly offset: Dynamic<number> },
  context: CompileContext,
): Drawn {
  const { unit, options, offset, transform } = manner;
  if (stroke.graphicStroke !== undefined) return drawGraphicStroke(stroke, stroke.graphicStroke, manner, context);
  if (stroke.graphicFill !== undefined) context.warnings.add('a Stroke with a GraphicFill is drawn in its colour');
  const width = pixelsOf(stroke.width, 1, unit, context);
  const opacity = numberOf(stroke.opacity, 1, context);
  if (width === 0 || opacity === 0) return NOTHING;
  const dashes = dashesOf(stroke, unit, context);
  const dashOffset = pixelsOf(stroke.dashOffset, 0, unit, context);
  const plain = dashes === undefined && offset === 0 && transform === undefined;
  const { cap, join } = capAndJoin(stroke, context);
  const xml = element('LineSymbolizer', {
    stroke: colorOf(stroke.color, '#000000', context),
    'stroke-width': width,
    'stroke-opacity': opacity === 1 ? undefined : opacity,
    'stroke-linecap': cap,
    'stroke-linejoin': join,
    'stroke-dasharray': Array.isArray(dashes)
      ? dashes.map(attributeText).join(',')
      : (dashes as Dynamic<string> | undefined),
    'stroke-dashoffset': dashOffset === 0 || dashes === undefined ? undefined : dashOffset,
    offset: offset === 0 ? undefined : offset,
    'comp-op': compositeOf(options, context).operation,
    'geometry-transform': transform,
    ...(plain ? FAST : {}),
  });
  return { xml, reach: atMost(width, 20) / 2 + Math.abs(atMost(offset, 20)) + 1 };
}

/** Graphics along a line. GeoServer's dash array beside a GraphicStroke says where they are: one at each dash. */
function drawGraphicStroke(
  stroke: Stroke,
  graphic: Graphic,
  { unit, options, offset, transform }: Manner & { readonly offset: Dynamic<number> },
  context: CompileContext,
): Drawn {
  const marker = markerOf(graphic, unit, context);
  if (marker === undefined) return NOTHING;
  const margin = marker.kind === 'marker' && !('width' in marker.attributes) ? 2 : 0;
  const length =
    marker.kind === 'glyph'
      ? atMost(marker.size, 16)
      : atMost(
          graphic.size === undefined
            ? marker.width
            : pixelsOf(graphic.size, atMost(marker.width, 16) - margin, unit, context),
          16,
        );
  const dashes = dashesOf(stroke, unit, context);
  let spacing: Dynamic<number> = length;
  let start: number = length / 2;
  if (Array.isArray(dashes)) {
    const whole = dashes.reduce((a, b) => a + b, 0);
    spacing = whole;
    const shift = atMost(pixelsOf(stroke.dashOffset, 0, unit, context), 0);
    start = (((dashes[0]! / 2 - shift) % whole) + whole) % whole;
  } else if (graphic.gap !== undefined) {
    const gap = pixelsOf(graphic.gap, 0, unit, context);
    spacing = isDynamic(gap) ? { text: `(${gap.text}+${length})` } : gap + length;
    start = length / 2 + atMost(pixelsOf(graphic.initialGap, 0, unit, context), 0);
  }
  if (!isDynamic(spacing)) spacing = Math.max(spacing, 1);
  return drawMarker(graphic, unit, context, {
    placement: 'line',
    spacing,
    'spacing-offset': start,
    'max-error': 1,
    'ignore-placement': options.labelObstacle === 'true' ? undefined : true,
    offset: offset === 0 ? undefined : offset,
    'geometry-transform': transform,
    'comp-op': compositeOf(options, context).operation,
  });
}
