/** Puts compiled layers together to the XML of a whole map. */
import type { MapnikSource } from '../../data/index.ts';
import { escapeAttribute, escapeText } from '../../xml/index.ts';
import { element } from './element.ts';
import type { CompiledLayer, CompiledStyle } from './layer.ts';

export interface MapPart {
  readonly source: MapnikSource;
  readonly compiled: CompiledLayer;
  /** 0 to 1. */
  readonly opacity: number;
}

/**
 * All shapes of all layers first, then all labels, for later shapes would cover them. Layers are named `0.1`: the number of the
 * part, and of the Mapnik layer in it, so that errors can be told to the layer that they belong to.
 *
 * @param srs  CRS of the picture
 */
export function mapXml(parts: readonly MapPart[], srs: string): string {
  let styles = '';
  let layers = '';
  const write = (part: number, group: readonly CompiledStyle[], serial: string) => {
    const { source, opacity } = parts[part]!;
    const names = group.map((style, i) => {
      const name = `${serial}.${i}`;
      styles += element('Style', { name, ...style.attributes }, style.rules);
      return name;
    });
    layers += layerXml(serial, { source, opacity, srs }, names, group[0]!);
  };
  // Labels over the only layer may share its data source: nothing is drawn between.
  const single = parts.length === 1;
  for (const [part, { compiled }] of parts.entries()) {
    const all = single ? [...compiled.styles, ...compiled.labels] : compiled.styles;
    for (const [i, group] of groups(all).entries()) write(part, group, `${part}.${i}`);
  }
  if (!single)
    for (const [part, { compiled }] of parts.entries())
      for (const [i, group] of groups(compiled.labels).entries()) write(part, group, `${part}.t${i}`);
  return `<Map srs="${escapeAttribute(srs)}">${styles}${layers}</Map>`;
}

/** Runs of styles that one Mapnik layer can draw: of one order, and of one source. */
function groups(styles: readonly CompiledStyle[]): CompiledStyle[][] {
  const found: CompiledStyle[][] = [];
  for (const style of styles) {
    const run = found.at(-1);
    const same =
      run !== undefined &&
      run[0]!.sortBy === style.sortBy &&
      run[0]!.parameters === undefined &&
      style.parameters === undefined;
    if (same) run.push(style);
    else found.push([style]);
  }
  return found;
}

function layerXml(
  name: string,
  layer: { source: MapnikSource; opacity: number; srs: string },
  styleNames: readonly string[],
  style: CompiledStyle,
): string {
  const { source, opacity } = layer;
  const parameters = { ...source.parameters, ...style.parameters };
  const content =
    styleNames.map((styleName) => `<StyleName>${escapeText(styleName)}</StyleName>`).join('') +
    element(
      'Datasource',
      {},
      Object.entries(parameters)
        .map(([key, value]) => element('Parameter', { name: key }, parameterText(value)))
        .join(''),
    );
  const attributes = { name, srs: source.srs, 'sort-by': style.sortBy, opacity: opacity < 1 ? opacity : undefined };
  return element('Layer', attributes, content);
}

/** Long texts such as inline data are quicker to parse as CDATA. */
function parameterText(value: string): string {
  return value.length > 200 ? `<![CDATA[${value.replaceAll(']]>', ']]]]><![CDATA[>')}]]>` : escapeText(value);
}
