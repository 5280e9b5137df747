import type { Expression } from '../../data/filter/index.ts';
import type { XmlElement } from '../../xml/index.ts';
import type { Channel, Channels, ColorMap, ColorMapEntry, Contrast, RasterSymbolizer } from './model.ts';
import { child, children, type StyleReader, text } from './reader.ts';

export function readRasterSymbolizer(
  reader: StyleReader,
  element: XmlElement,
  base: Pick<RasterSymbolizer, 'name' | 'geometry' | 'unit' | 'options'>,
): RasterSymbolizer {
  const channels = child(element, 'ChannelSelection');
  const colorMap = child(element, 'ColorMap');
  const contrast = child(element, 'ContrastEnhancement');
  const relief = child(element, 'ShadedRelief');
  if (relief !== undefined && relief.elements.length > 0) reader.warn('ShadedRelief is left out', relief);
  const outline = child(element, 'ImageOutline');
  if (outline !== undefined && outline.elements.length > 0) reader.warn('ImageOutline is left out', outline);
  return {
    kind: 'raster',
    ...base,
    opacity: reader.childExpression(element, 'Opacity'),
    channels: channels && readChannels(reader, channels),
    colorMap: colorMap && readColorMap(reader, colorMap),
    contrast: contrast && readContrast(reader, contrast),
  };
}

function readChannels(reader: StyleReader, element: XmlElement): Channels | undefined {
  const gray = child(element, 'GrayChannel');
  if (gray !== undefined) return { kind: 'gray', gray: readChannel(reader, gray) };
  const [red, green, blue] = ['RedChannel', 'GreenChannel', 'BlueChannel'].map((name) => child(element, name));
  if (red === undefined || green === undefined || blue === undefined) {
    if (element.elements.length > 0) reader.warn('a ChannelSelection needs red, green and blue, or gray', element);
    return undefined;
  }
  return {
    kind: 'rgb',
    red: readChannel(reader, red),
    green: readChannel(reader, green),
    blue: readChannel(reader, blue),
  };
}

function readChannel(reader: StyleReader, element: XmlElement): Channel {
  const contrast = child(element, 'ContrastEnhancement');
  return {
    name: reader.childExpression(element, 'SourceChannelName') ?? { kind: 'literal', value: '1' },
    contrast: contrast && readContrast(reader, contrast),
  };
}

function readContrast(reader: StyleReader, element: XmlElement): Contrast | undefined {
  const methods = {
    Normalize: 'normalize',
    Histogram: 'histogram',
    Logarithmic: 'logarithmic',
    Exponential: 'exponential',
  } as const;
  const found = (Object.keys(methods) as (keyof typeof methods)[]).find((name) => child(element, name) !== undefined);
  const gamma = reader.childExpression(element, 'GammaValue');
  if (found === undefined && gamma === undefined) return undefined;
  const options = { ...reader.options(element) };
  const inner = found === undefined ? undefined : child(element, found)!;
  if (inner !== undefined) {
    Object.assign(options, reader.options(inner));
    const algorithm = text(inner, 'Algorithm');
    if (algorithm !== undefined) options.algorithm = algorithm;
    for (const parameter of children(inner, 'Parameter')) {
      const name = parameter.attribute('name');
      if (name !== undefined) options[name] = parameter.deepText.trim();
    }
  }
  return { options, gamma, ...(found === undefined ? {} : { method: methods[found] }) };
}

function readColorMap(reader: StyleReader, element: XmlElement): ColorMap | undefined {
  const encoded = child(element, 'Categorize') ?? child(element, 'Interpolate');
  if (encoded !== undefined) return readEncodedColorMap(reader, encoded);
  const entries: ColorMapEntry[] = [];
  for (const e of children(element, 'ColorMapEntry')) {
    const attribute = (name: string): Expression | undefined => {
      const value = e.attribute(name)?.trim();
      return value === undefined || value === '' ? undefined : reader.template(value, e);
    };
    const color = attribute('color');
    const quantity = attribute('quantity');
    if (color === undefined || quantity === undefined) {
      reader.warn('a ColorMapEntry needs a color and a quantity', e);
      continue;
    }
    entries.push({ color, quantity, opacity: attribute('opacity'), label: e.attribute('label') });
  }
  if (entries.length === 0) return undefined;
  const type = element.attribute('type')?.trim().toLowerCase() ?? 'ramp';
  if (!/^(ramp|intervals?|values?)$/.test(type))
    reader.warn(`unknown type of ColorMap: ${type}: ramp is taken`, element);
  return { type: type.startsWith('interval') ? 'intervals' : type.startsWith('value') ? 'values' : 'ramp', entries };
}

/** Symbology Encoding's colour maps. @see OGC 05-077r4, 11.4.4 */
function readEncodedColorMap(reader: StyleReader, element: XmlElement): ColorMap | undefined {
  const entries: ColorMapEntry[] = [];
  if (element.local === 'Interpolate') {
    for (const point of children(element, 'InterpolationPoint')) {
      const color = reader.childExpression(point, 'Value');
      const quantity = reader.childExpression(point, 'Data');
      if (color !== undefined && quantity !== undefined) entries.push({ color, quantity });
    }
    return entries.length === 0 ? undefined : { type: 'ramp', entries };
  }
  // Value, Threshold, Value, ...: a value holds up to the threshold that follows it.
  let color: Expression | undefined;
  for (const e of element.elements) {
    if (e.local === 'Value') color = reader.expression(e);
    else if (e.local === 'Threshold') {
      const quantity = reader.expression(e);
      if (color !== undefined && quantity !== undefined) entries.push({ color, quantity });
    }
  }
  if (color !== undefined) entries.push({ color, quantity: { kind: 'literal', value: 1e30 } });
  return entries.length === 0 ? undefined : { type: 'intervals', entries };
}
