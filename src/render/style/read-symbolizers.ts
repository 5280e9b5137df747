import type { Expression } from '../../data/filter/index.ts';
import type { XmlElement } from '../../xml/index.ts';
import type {
  ExternalGraphic,
  Fill,
  Font,
  Graphic,
  LabelPlacement,
  Mark,
  Pair,
  Stroke,
  Symbolizer,
  TextSymbolizer,
  Unit,
} from './model.ts';
import { readRasterSymbolizer } from './read-raster.ts';
import { child, children, type StyleReader, text } from './reader.ts';

/** Reads a symbolizer of SLD 1.0 or SE 1.1; undefined for an element that is none. */
export function readSymbolizer(reader: StyleReader, element: XmlElement): Symbolizer | undefined {
  const geometryElement = child(element, 'Geometry');
  const geometry = reader.expression(geometryElement);
  const name = text(element, 'Name');
  const base = {
    unit: readUnit(reader, element),
    options: reader.options(element),
    ...(name === undefined ? {} : { name }),
    ...(geometry === undefined ? {} : { geometry }),
  };
  switch (element.local.toLowerCase()) {
    case 'pointsymbolizer': {
      const graphic = child(element, 'Graphic');
      return { kind: 'point', ...base, graphic: graphic && readGraphic(reader, graphic) };
    }
    case 'linesymbolizer': {
      const stroke = child(element, 'Stroke');
      const offset = reader.childExpression(element, 'PerpendicularOffset');
      return { kind: 'line', ...base, stroke: stroke && readStroke(reader, stroke), offset };
    }
    case 'polygonsymbolizer': {
      const fill = child(element, 'Fill');
      const stroke = child(element, 'Stroke');
      return {
        kind: 'polygon',
        ...base,
        fill: fill && readFill(reader, fill),
        stroke: stroke && readStroke(reader, stroke),
        offset: reader.childExpression(element, 'PerpendicularOffset'),
        displacement: readPair(reader, child(element, 'Displacement'), 'DisplacementX', 'DisplacementY'),
      };
    }
    case 'textsymbolizer':
      return { ...base, ...readText(reader, element) };
    case 'rastersymbolizer':
      return readRasterSymbolizer(reader, element, base);
    default:
      return undefined;
  }
}

function readUnit(reader: StyleReader, element: XmlElement): Unit {
  const uom = element.attribute('uom')?.trim();
  if (uom === undefined || uom === '' || /pixel$/i.test(uom)) return 'pixel';
  if (/(metre|meter)$/i.test(uom)) return 'metre';
  if (/(foot|feet)$/i.test(uom)) return 'foot';
  reader.warn(`unknown unit of measure ${uom}: pixels are taken`, element);
  return 'pixel';
}

export function readFill(reader: StyleReader, element: XmlElement): Fill {
  const parameters = reader.parameters(element);
  const graphic = child(element, 'GraphicFill');
  const inner = graphic && child(graphic, 'Graphic');
  for (const name of parameters.keys())
    if (!['fill', 'fill-opacity'].includes(name))
      reader.warn(`a Fill knows no parameter ${name}`, parameters.get(name));
  return {
    color: reader.expression(parameters.get('fill')),
    opacity: reader.expression(parameters.get('fill-opacity')),
    graphic: inner && readGraphic(reader, inner),
  };
}

const STROKE_PARAMETERS = new Set([
  'stroke',
  'stroke-width',
  'stroke-opacity',
  'stroke-linejoin',
  'stroke-linecap',
  'stroke-dasharray',
  'stroke-dashoffset',
]);

export function readStroke(reader: StyleReader, element: XmlElement): Stroke {
  const parameters = reader.parameters(element);
  for (const name of parameters.keys())
    if (!STROKE_PARAMETERS.has(name)) reader.warn(`a Stroke knows no parameter ${name}`, parameters.get(name));
  const graphicIn = (name: string): Graphic | undefined => {
    const outer = child(element, name);
    const inner = outer && child(outer, 'Graphic');
    if (outer === undefined || inner === undefined) return undefined;
    const graphic = readGraphic(reader, inner);
    // Symbology Encoding has the gaps beside the Graphic.
    const gap = reader.childExpression(outer, 'Gap');
    const initialGap = reader.childExpression(outer, 'InitialGap');
    return { ...graphic, ...(gap === undefined ? {} : { gap }), ...(initialGap === undefined ? {} : { initialGap }) };
  };
  const dashes = parameters.get('stroke-dasharray');
  return {
    color: reader.expression(parameters.get('stroke')),
    width: reader.expression(parameters.get('stroke-width')),
    opacity: reader.expression(parameters.get('stroke-opacity')),
    join: reader.expression(parameters.get('stroke-linejoin')),
    cap: reader.expression(parameters.get('stroke-linecap')),
    dashes: dashes && readDashes(reader, dashes),
    dashOffset: reader.expression(parameters.get('stroke-dashoffset')),
    graphicFill: graphicIn('GraphicFill'),
    graphicStroke: graphicIn('GraphicStroke'),
  };
}

function readDashes(reader: StyleReader, element: XmlElement): Expression[] | undefined {
  const whole = reader.expression(element);
  if (whole === undefined) return undefined;
  // Lengths and expressions side by side arrive as one concatenation.
  if (whole.kind === 'function' && whole.name === 'Concatenate') return [...whole.arguments];
  return [whole];
}

function readPair(reader: StyleReader, element: XmlElement | undefined, x: string, y: string): Pair | undefined {
  if (element === undefined) return undefined;
  const zero: Expression = { kind: 'literal', value: 0 };
  return [reader.childExpression(element, x) ?? zero, reader.childExpression(element, y) ?? zero];
}

function readAnchor(reader: StyleReader, element: XmlElement): Pair | undefined {
  return readPair(reader, child(element, 'AnchorPoint'), 'AnchorPointX', 'AnchorPointY');
}

export function readGraphic(reader: StyleReader, element: XmlElement): Graphic {
  const symbols: (Mark | ExternalGraphic)[] = [];
  for (const e of element.elements) {
    const local = e.local.toLowerCase();
    if (local === 'mark') symbols.push(readMark(reader, e));
    else if (local === 'externalgraphic') {
      const external = readExternalGraphic(reader, e);
      if (external !== undefined) symbols.push(external);
    }
  }
  return {
    symbols,
    size: reader.childExpression(element, 'Size'),
    opacity: reader.childExpression(element, 'Opacity'),
    rotation: reader.childExpression(element, 'Rotation'),
    anchor: readAnchor(reader, element),
    displacement: readPair(reader, child(element, 'Displacement'), 'DisplacementX', 'DisplacementY'),
    gap: reader.childExpression(element, 'Gap'),
    initialGap: reader.childExpression(element, 'InitialGap'),
  };
}

function readMark(reader: StyleReader, element: XmlElement): Mark {
  const fill = child(element, 'Fill');
  const stroke = child(element, 'Stroke');
  return {
    kind: 'mark',
    name: readMarkName(reader, element),
    fill: fill && readFill(reader, fill),
    stroke: stroke && readStroke(reader, stroke),
  };
}

function readMarkName(reader: StyleReader, element: XmlElement): Expression {
  const wellKnown = child(element, 'WellKnownName');
  if (wellKnown !== undefined) {
    if (wellKnown.elements.length > 0) {
      const expression = reader.expression(wellKnown);
      if (expression !== undefined) return expression;
    } else if (wellKnown.text.trim() !== '') return reader.template(wellKnown.text.trim(), wellKnown);
  }
  // Symbology Encoding names a glyph by the font and its index.
  const resource = child(element, 'OnlineResource')?.attributeLocal('href')?.trim();
  if (resource !== undefined) {
    const index = text(element, 'MarkIndex');
    return {
      kind: 'literal',
      value: index === undefined || resource.includes('#') ? resource : `${resource}#${index}`,
    };
  }
  return { kind: 'literal', value: 'square' };
}

function readExternalGraphic(reader: StyleReader, element: XmlElement): ExternalGraphic | undefined {
  const format = text(element, 'Format');
  if (child(element, 'ColorReplacement') !== undefined) reader.warn('ColorReplacement is left out', element);
  const resource = child(element, 'OnlineResource');
  const href = resource?.attributeLocal('href')?.trim();
  if (resource !== undefined && href !== undefined && href !== '')
    return { kind: 'external', href: reader.template(href, resource), format };
  const inline = child(element, 'InlineContent');
  if (inline !== undefined) {
    const svg = inline.elements[0];
    const bytes =
      inline.attribute('encoding')?.toLowerCase() === 'base64'
        ? Buffer.from(inline.text, 'base64')
        : Buffer.from(svg === undefined ? inline.text : svg.toString());
    return { kind: 'external', href: { kind: 'literal', value: '' }, format, inline: bytes };
  }
  reader.warn('an ExternalGraphic needs an OnlineResource with a href', element);
  return undefined;
}

function readText(reader: StyleReader, element: XmlElement): Omit<TextSymbolizer, 'unit' | 'options'> {
  const halo = child(element, 'Halo');
  const haloFill = halo && child(halo, 'Fill');
  const fill = child(element, 'Fill');
  const graphic = child(element, 'Graphic');
  return {
    kind: 'text',
    label: reader.childExpression(element, 'Label'),
    fonts: children(element, 'Font').map((font) => readFont(reader, font)),
    placement: readPlacement(reader, child(element, 'LabelPlacement')),
    halo: halo && {
      radius: reader.childExpression(halo, 'Radius'),
      fill: haloFill && readFill(reader, haloFill),
    },
    fill: fill && readFill(reader, fill),
    priority: reader.childExpression(element, 'Priority'),
    graphic: graphic && readGraphic(reader, graphic),
  };
}

function readFont(reader: StyleReader, element: XmlElement): Font {
  const families: Expression[] = [];
  for (const e of element.elements) {
    if (!/^(css|svg)parameter$/i.test(e.local) || e.attribute('name')?.trim() !== 'font-family') continue;
    const family = reader.expression(e);
    if (family !== undefined) families.push(family);
  }
  const parameters = reader.parameters(element);
  return {
    families,
    style: reader.expression(parameters.get('font-style')),
    weight: reader.expression(parameters.get('font-weight')),
    size: reader.expression(parameters.get('font-size')),
  };
}

function readPlacement(reader: StyleReader, element: XmlElement | undefined): LabelPlacement {
  const line = element && child(element, 'LinePlacement');
  if (line !== undefined) {
    return {
      kind: 'line',
      offset: reader.childExpression(line, 'PerpendicularOffset'),
      repeated: text(line, 'IsRepeated') === 'true',
      initialGap: reader.childExpression(line, 'InitialGap'),
      gap: reader.childExpression(line, 'Gap'),
    };
  }
  const point = element && child(element, 'PointPlacement');
  if (point === undefined) return { kind: 'point' };
  return {
    kind: 'point',
    anchor: readAnchor(reader, point),
    displacement: readPair(reader, child(point, 'Displacement'), 'DisplacementX', 'DisplacementY'),
    rotation: reader.childExpression(point, 'Rotation'),
  };
}
