/** Graphics of point symbols, patterns and graphic strokes: which picture, how large, where its anchor is. */
import type { ExternalGraphic, Fill, Graphic, Mark, Options, Stroke, Unit } from '../style/model.ts';
import type { CompileContext } from './context.ts';
import type { Attributes } from './element.ts';
import { numberText } from './expressions.ts';
import { faceOf } from './fonts.ts';
import { pictureInfo } from './pictures.ts';
import { type Shape, shapeOf } from './shapes.ts';
import { type Drawing, drawSymbol, drawTile, type Paint, prepareSvg, type Tile } from './svg.ts';
import {
  atMost,
  attributeText,
  colorOf,
  type Dynamic,
  isDynamic,
  numberOf,
  pixelsOf,
  pixelsPer,
  scaled,
  textOf,
} from './values.ts';

/** Size of a mark that states none. GeoServer takes 16 where the standard has 6. */
const MARK_SIZE = 16;
/** Largest picture in pixels. */
const SIZE_MAX = 1000;

/** A graphic as Mapnik's MarkersSymbolizer takes it, or as a glyph of a font. */
export type Marker =
  | {
      readonly kind: 'marker';
      readonly attributes: Attributes;
      readonly width: Dynamic<number>;
      readonly height: Dynamic<number>;
    }
  | {
      readonly kind: 'glyph';
      readonly face: string;
      readonly character: string;
      readonly size: Dynamic<number>;
      readonly fill: Dynamic<string>;
      readonly opacity: Dynamic<number>;
    };

/** Numbers of a paint that may depend on the feature. */
interface DynamicPaint {
  readonly fill?: Dynamic<string>;
  readonly fillOpacity: Dynamic<number>;
  readonly stroke?: Dynamic<string>;
  readonly strokeOpacity: Dynamic<number>;
  readonly strokeWidth: Dynamic<number>;
}

/** The first symbol of a graphic that can be drawn; undefined when none can. */
export function markerOf(graphic: Graphic, unit: Unit, context: CompileContext): Marker | undefined {
  for (const symbol of graphic.symbols) {
    const marker =
      symbol.kind === 'mark'
        ? markMarker(symbol, graphic, unit, context)
        : externalMarker(symbol, graphic, unit, context);
    if (marker !== undefined) return marker;
  }
  if (graphic.symbols.length > 0) return undefined;
  // A Graphic with nothing in it is the standard's grey square.
  const square: Mark = { kind: 'mark', name: { kind: 'literal', value: 'square' }, fill: {}, stroke: {} };
  return markMarker(square, graphic, unit, context);
}

function paintOf(
  fill: Fill | undefined,
  stroke: Stroke | undefined,
  unit: Unit,
  context: CompileContext,
): DynamicPaint {
  return {
    ...(fill === undefined ? {} : { fill: colorOf(fill.color, '#808080', context) }),
    fillOpacity: numberOf(fill?.opacity, 1, context),
    ...(stroke === undefined ? {} : { stroke: colorOf(stroke.color, '#000000', context) }),
    strokeOpacity: numberOf(stroke?.opacity, 1, context),
    strokeWidth: pixelsOf(stroke?.width, 1, unit, context),
  };
}

function isConstant(paint: DynamicPaint): boolean {
  return !Object.values(paint).some((value) => isDynamic(value));
}

function constantPaint(paint: DynamicPaint, stroke: Stroke | undefined, unit: Unit, context: CompileContext): Paint {
  const constant = <T>(value: Dynamic<T> | undefined, fallback: T): T =>
    value === undefined || isDynamic(value) ? fallback : value;
  const dashes = stroke === undefined ? undefined : dashesOf(stroke, unit, context);
  return {
    ...(paint.fill === undefined ? {} : { fill: constant(paint.fill, '#808080') }),
    fillOpacity: constant(paint.fillOpacity, 1),
    ...(paint.stroke === undefined ? {} : { stroke: constant(paint.stroke, '#000000') }),
    strokeOpacity: constant(paint.strokeOpacity, 1),
    strokeWidth: constant(paint.strokeWidth, 1),
    ...(Array.isArray(dashes) ? { dashes } : {}),
    ...capAndJoin(stroke, context),
  };
}

/** Words of Mapnik and SVG for the ends and corners of lines. */
export function capAndJoin(stroke: Stroke | undefined, context: CompileContext): { cap?: string; join?: string } {
  const word = (value: Dynamic<string> | undefined, words: readonly string[]) => {
    const lower = value === undefined || isDynamic(value) ? undefined : value.toLowerCase().replace('mitre', 'miter');
    return lower !== undefined && words.includes(lower) ? lower : undefined;
  };
  const cap = word(textOf(stroke?.cap, context), ['butt', 'round', 'square']);
  const join = word(textOf(stroke?.join, context), ['miter', 'round', 'bevel']);
  return { ...(cap === undefined ? {} : { cap }), ...(join === undefined ? {} : { join }) };
}

/** Lengths in pixels, an even number of them; undefined for a solid line; an expression yields a text. */
export function dashesOf(
  stroke: Stroke,
  unit: Unit,
  context: CompileContext,
): readonly number[] | Dynamic<string> | undefined {
  if (stroke.dashes === undefined) return undefined;
  const numbers: number[] = [];
  const factor = pixelsPer(unit, context);
  for (const dash of stroke.dashes) {
    const value = textOf(dash, context);
    if (value === undefined) continue;
    if (isDynamic(value)) {
      if (stroke.dashes.length === 1 && factor === 1) return value;
      context.warnings.add('a dash array of several lengths cannot depend on the feature: the line is solid');
      return undefined;
    }
    numbers.push(...value.split(/[\s,]+/).map((n) => Math.max(0, Number(n) * factor)));
  }
  if (numbers.length === 0 || numbers.some(Number.isNaN) || numbers.every((n) => n === 0)) return undefined;
  if (numbers.length === 1 && numbers[0]! < 0.01) return undefined;
  return numbers.length % 2 === 0 ? numbers : [...numbers, ...numbers];
}

function markMarker(mark: Mark, graphic: Graphic, unit: Unit, context: CompileContext): Marker | undefined {
  const name = textOf(mark.name, context) ?? 'square';
  if (isDynamic(name)) {
    context.warnings.add('the name of a mark cannot be an attribute: squares are drawn');
    return shapeMarker('square', shapeOf('square')!, mark, graphic, unit, context);
  }
  if (/^ttf:\/\//i.test(name))
    return glyphMarker(name, mark, graphic, unit, context) ?? substitute(name, mark, graphic, unit, context);
  if (/^file:/i.test(name)) {
    const external: ExternalGraphic = { kind: 'external', href: { kind: 'literal', value: name } };
    return externalMarker(external, graphic, unit, context);
  }
  const shape = shapeOf(name);
  if (shape === undefined) {
    // GeoServer tries the name as a file too.
    if (/\.(svg|png)$/i.test(name))
      return externalMarker({ kind: 'external', href: mark.name }, graphic, unit, context);
    return substitute(name, mark, graphic, unit, context);
  }
  return shapeMarker(name.toLowerCase(), shape, mark, graphic, unit, context);
}

function substitute(name: string, mark: Mark, graphic: Graphic, unit: Unit, context: CompileContext): Marker {
  context.warnings.add(`there is no mark ${name}: squares are drawn`);
  return shapeMarker('square', shapeOf('square')!, mark, graphic, unit, context);
}

function shapeMarker(
  name: string,
  shape: Shape,
  mark: Mark,
  graphic: Graphic,
  unit: Unit,
  context: CompileContext,
): Marker {
  const size = limited(pixelsOf(graphic.size, MARK_SIZE, unit, context));
  const paint = paintOf(mark.fill, mark.stroke, unit, context);
  const solid = mark.fill?.graphic === undefined && mark.stroke?.dashes === undefined;
  if ((name === 'circle' || name === 'shape://circle') && solid && context.circlesAsFiles !== true) {
    // Mapnik draws circles by itself, at any size and without scaling their outline.
    return {
      kind: 'marker',
      width: size,
      height: size,
      attributes: {
        width: size,
        height: size,
        fill: paint.fill ?? '#000000',
        'fill-opacity': paint.fill === undefined ? 0 : paint.fillOpacity,
        stroke: paint.stroke ?? '#000000',
        'stroke-width': paint.stroke === undefined ? 0 : paint.strokeWidth,
        'stroke-opacity': paint.stroke === undefined ? 0 : paint.strokeOpacity,
      },
    };
  }
  if (!isDynamic(size) && isConstant(paint)) {
    const symbol = drawSymbol(shape, Math.max(size, 0.1), constantPaint(paint, mark.stroke, unit, context));
    const file = context.assets.put(symbol.svg, 'svg');
    return { kind: 'marker', width: symbol.width, height: symbol.height, attributes: { file } };
  }
  return dynamicMarker(shape, size, paint, constantPaint(paint, mark.stroke, unit, context), context);
}

/** Side of the picture of a mark whose size or colours depend on the feature. */
const BASE = 20;

function dynamicMarker(
  shape: Shape,
  size: Dynamic<number>,
  paint: DynamicPaint,
  base: Paint,
  context: CompileContext,
): Marker {
  const symbol = drawSymbol(shape, BASE, { ...base, strokeWidth: 1 });
  const file = context.assets.put(symbol.svg, 'svg');
  const times = (factor: number) => scaled(size, factor);
  const [width, height] = [times(symbol.width / BASE), times(symbol.height / BASE)];
  // The outline is scaled with the picture, so its width is divided by the same factor before.
  const strokeWidth =
    isDynamic(paint.strokeWidth) || isDynamic(size)
      ? { text: `(${attributeText(paint.strokeWidth)}*${BASE}.0/${attributeText(size)})` }
      : (paint.strokeWidth * BASE) / size;
  return {
    kind: 'marker',
    width,
    height,
    attributes: {
      file,
      width,
      height,
      ...(paint.fill === undefined ? {} : { fill: paint.fill, 'fill-opacity': paint.fillOpacity }),
      ...(paint.stroke === undefined
        ? {}
        : { stroke: paint.stroke, 'stroke-opacity': paint.strokeOpacity, 'stroke-width': strokeWidth }),
    },
  };
}

function limited(size: Dynamic<number>): Dynamic<number> {
  return isDynamic(size) ? size : Math.min(Math.max(size, 0), SIZE_MAX);
}

function glyphMarker(
  name: string,
  mark: Mark,
  graphic: Graphic,
  unit: Unit,
  context: CompileContext,
): Marker | undefined {
  const match = /^ttf:\/\/([^#]+)#(.+)$/i.exec(name);
  if (match === null) return undefined;
  const face = faceOf(match[1]!, context.faces);
  const code = /^(?:0x|\\?u\+?|&#x)?([0-9a-f]{1,6});?$/i.exec(match[2]!.trim());
  if (face === undefined || code === null) return undefined;
  const point = Number.parseInt(code[1]!, 16);
  if (point > 0x10ffff || point < 0x20) return undefined;
  const fill = mark.fill ?? (mark.stroke === undefined ? {} : { color: mark.stroke.color });
  return {
    kind: 'glyph',
    face,
    character: String.fromCodePoint(point),
    size: limited(pixelsOf(graphic.size, MARK_SIZE, unit, context)),
    fill: colorOf(fill.color, '#000000', context),
    opacity: numberOf(fill.opacity, 1, context),
  };
}

/** A picture that the style brings, put where Mapnik can read it. */
export function externalFile(
  external: ExternalGraphic,
  context: CompileContext,
): { path: string; width: number; height: number; symbol?: Drawing } | undefined {
  const href = textOf(external.href, context) ?? '';
  if (isDynamic(href)) {
    context.warnings.add('the address of a graphic cannot be an attribute');
    return undefined;
  }
  const query = href.indexOf('?');
  const name = (query === -1 ? href : href.slice(0, query)).replace(/^file:(\/\/)?/i, '');
  if (external.inline === undefined && /^[a-z][a-z0-9+.-]*:/i.test(name)) {
    context.warnings.add(`graphics are not fetched from other servers: ${href}`);
    return undefined;
  }
  const bytes = external.inline ?? context.read(name);
  const info = bytes && pictureInfo(bytes);
  if (bytes === undefined || info === undefined) {
    context.warnings.add(
      bytes === undefined ? `the graphic ${name} is not there` : `the graphic ${name} is no picture that can be drawn`,
    );
    return undefined;
  }
  if (info.type === 'svg') {
    const symbol = prepareSvg(bytes, query === -1 ? '' : href.slice(query + 1));
    if (symbol === undefined) {
      context.warnings.add(`the graphic ${name} is no SVG that can be drawn`);
      return undefined;
    }
    return { path: context.assets.put(symbol.svg, 'svg'), width: symbol.width, height: symbol.height, symbol };
  }
  if (info.type === 'gif') {
    context.warnings.add(`the graphic ${name} is a GIF: convert it to PNG`);
    return undefined;
  }
  return { path: context.assets.put(bytes, info.type), width: info.width, height: info.height };
}

function externalMarker(
  external: ExternalGraphic,
  graphic: Graphic,
  unit: Unit,
  context: CompileContext,
): Marker | undefined {
  const picture = externalFile(external, context);
  if (picture === undefined) return undefined;
  if (graphic.size === undefined)
    return { kind: 'marker', width: picture.width, height: picture.height, attributes: { file: picture.path } };
  // Size is the height; the width follows.
  const height = limited(pixelsOf(graphic.size, picture.height, unit, context));
  const width = scaled(height, picture.width / picture.height);
  return { kind: 'marker', width, height, attributes: { file: picture.path, width, height } };
}

/** Turn, anchor and displacement as a transformation; undefined when there is nothing to do. */
export function transformOf(
  graphic: Graphic,
  marker: { width: Dynamic<number>; height: Dynamic<number> },
  unit: Unit,
  context: CompileContext,
): string | undefined {
  const steps: string[] = [];
  const pair = (x: Dynamic<number>, y: Dynamic<number>) => {
    if (x !== 0 || y !== 0) steps.push(`translate(${attributeText(x)},${attributeText(y)})`);
  };
  if (graphic.displacement !== undefined) {
    const [dx, dy] = graphic.displacement.map((e) => pixelsOf(e, 0, unit, context)) as [
      Dynamic<number>,
      Dynamic<number>,
    ];
    pair(dx, scaled(dy, -1));
  }
  const rotation = numberOf(graphic.rotation, 0, context);
  if (rotation !== 0) steps.push(`rotate(${attributeText(rotation)})`);
  if (graphic.anchor !== undefined) {
    const [ax, ay] = graphic.anchor.map((e) => numberOf(e, 0.5, context)) as [Dynamic<number>, Dynamic<number>];
    if (!isDynamic(ax) && !isDynamic(ay))
      pair(zeroFree(scaled(marker.width, 0.5 - ax)), zeroFree(scaled(marker.height, ay - 0.5)));
    else context.warnings.add('an anchor point cannot depend on the feature');
  }
  return steps.length === 0 ? undefined : steps.join(' ');
}

function zeroFree(value: Dynamic<number>): Dynamic<number> {
  return isDynamic(value) && value.text.endsWith('*0)') ? 0 : value;
}

/** How far from its point a marker may reach, in pixels. */
export function reachOf(graphic: Graphic, marker: Marker, unit: Unit, context: CompileContext): number {
  const side =
    marker.kind === 'glyph' ? atMost(marker.size, 32) : Math.max(atMost(marker.width, 32), atMost(marker.height, 32));
  const shift = graphic.displacement?.map((e) => Math.abs(atMost(pixelsOf(e, 0, unit, context), 16))) ?? [0];
  return side + Math.max(...shift);
}

export interface Pattern {
  readonly file: string;
  readonly opacity: Dynamic<number>;
  readonly transform?: string;
}

/** A graphic that tiles an area; undefined when it cannot be drawn. */
export function patternOf(
  graphic: Graphic,
  unit: Unit,
  options: Options,
  context: CompileContext,
): Pattern | undefined {
  const opacity = numberOf(graphic.opacity, 1, context);
  const margin = marginOf(options['graphic-margin']);
  for (const symbol of graphic.symbols) {
    if (symbol.kind === 'external') {
      const picture = externalFile(symbol, context);
      if (picture === undefined) continue;
      const size = pixelsOf(graphic.size, picture.height, unit, context);
      const scale = isDynamic(size) ? 1 : size / picture.height;
      if (margin.some((m) => m > 0) || options.random !== undefined)
        context.warnings.add('margins and random placement need a mark: the picture is tiled');
      return { file: picture.path, opacity, ...(scale === 1 ? {} : { transform: `scale(${numberText(scale)})` }) };
    }
    const pattern = markPattern(symbol, graphic, unit, options, margin, context);
    if (pattern !== undefined) return { file: pattern, opacity };
  }
  return undefined;
}

function markPattern(
  mark: Mark,
  graphic: Graphic,
  unit: Unit,
  options: Options,
  margin: Tile['margin'],
  context: CompileContext,
): string | undefined {
  const name = textOf(mark.name, context) ?? 'square';
  const shape = isDynamic(name) ? undefined : shapeOf(name);
  const size = pixelsOf(graphic.size, MARK_SIZE, unit, context);
  const paint = paintOf(mark.fill, mark.stroke, unit, context);
  if (shape === undefined || isDynamic(size) || !isConstant(paint)) {
    context.warnings.add(
      shape === undefined
        ? `there is no mark ${attributeText(name)} to fill with`
        : 'a pattern cannot depend on the feature',
    );
    return undefined;
  }
  const rotation = numberOf(graphic.rotation, 0, context);
  const scatter = options.random === undefined || options.random === 'none' ? {} : scattered(options, size);
  const symbol = drawTile({
    shape,
    size: Math.min(Math.max(size, 1), SIZE_MAX),
    paint: constantPaint(paint, mark.stroke, unit, context),
    rotation: isDynamic(rotation) ? 0 : rotation,
    margin,
    ...scatter,
  });
  return context.assets.put(symbol.svg, 'svg');
}

/** `top right bottom left`, in CSS's short forms too. */
function marginOf(text: string | undefined): [number, number, number, number] {
  const numbers = (text ?? '0').trim().split(/\s+/).map(Number);
  if (numbers.length === 0 || numbers.length > 4 || !numbers.every((n) => n >= 0 && n <= SIZE_MAX)) return [0, 0, 0, 0];
  const [top, right = top, bottom = top, left = right] = numbers as [number, number?, number?, number?];
  return [top, right, bottom, left];
}

/** Places for the marks of a random fill: the same for equal seeds. */
function scattered(options: Options, size: number): Pick<Tile, 'spots' | 'extent'> {
  const number = (name: string, fallback: number, max: number) => {
    const n = Number(options[name]);
    return options[name] !== undefined && n > 0 ? Math.min(n, max) : fallback;
  };
  const extent = number('random-tile-size', 256, 1024);
  const count = Math.round(number('random-symbol-count', 16, 500));
  let state = (Math.trunc(Number(options['random-seed'] ?? 0)) || 0) >>> 0;
  const random = () => {
    // Mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const cells = Math.ceil(Math.sqrt(count));
  const grid = options.random === 'grid';
  const spots = Array.from({ length: count }, (_, i) => {
    const turn = options['random-rotation'] === 'free' ? random() * 360 : 0;
    if (!grid) return { x: random() * extent, y: random() * extent, rotation: turn };
    const cell = extent / cells;
    const room = Math.max(0, cell - size);
    const [column, row] = [i % cells, Math.floor(i / cells)];
    return {
      x: (column + 0.5) * cell + (random() - 0.5) * room,
      y: (row + 0.5) * cell + (random() - 0.5) * room,
      rotation: turn,
    };
  });
  return { spots, extent };
}
