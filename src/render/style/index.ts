import { LRUCache } from 'lru-cache';
import type { Filter } from '../../data/filter/index.ts';
import { type StyleBody, StyleError } from '../types.ts';
import type { StyledLayerDescriptor, StyleWarning, UserStyle } from './model.ts';
import { readSld } from './read.ts';

export { DEFAULT_STYLES } from './defaults.ts';
export type * from './model.ts';
export { readSld, readSldDocument } from './read.ts';

const NAMES: Readonly<Record<string, string>> = {
  css: 'GeoCSS',
  ysld: 'YSLD',
  mbstyle: 'MBStyle',
  zip: 'zip',
};

const parsed = new LRUCache<string, StyledLayerDescriptor>({ max: 500 });

/**
 * Reads a style body. Bodies of equal `hash` are read once; an empty hash is no hash.
 *
 * @throws StyleError  the format is not supported, or the body is wrong
 */
export function parseStyle(body: StyleBody): StyledLayerDescriptor {
  const known = body.hash === '' ? undefined : parsed.get(body.hash);
  if (known !== undefined) return known;
  const format = body.format.toLowerCase();
  if (format !== 'sld' && !/\b(sld|se)\b/.test(format))
    throw new StyleError(
      `styles in the format ${NAMES[format] ?? body.format} cannot be drawn: store the style as SLD`,
    );
  const sld = readSld(body.bytes);
  if (body.hash !== '') parsed.set(body.hash, sld);
  return sld;
}

/** A user style, and the condition of the layer that it stands in. */
export interface ChosenStyle {
  readonly style: UserStyle;
  readonly filter?: Filter;
}

/** The user style that is meant: by name among styles and layers, else the first that draws something. */
export function chooseStyle(sld: StyledLayerDescriptor, name?: string): ChosenStyle | undefined {
  const all = sld.layers.flatMap((layer) => layer.styles.map((style) => ({ layer, style })));
  const named =
    name === undefined ? undefined : (all.find((s) => s.style.name === name) ?? all.find((s) => s.layer.name === name));
  const chosen = named ?? all.find(({ style }) => style.featureTypeStyles.length > 0) ?? all[0];
  return chosen && { style: chosen.style, filter: chosen.layer.filter };
}

/** What a style says about itself. */
export interface StyleInfo {
  readonly version: '1.0.0' | '1.1.0';
  /** Names of its layers and user styles, in order. */
  readonly layers: readonly { readonly name?: string; readonly styles: readonly string[] }[];
  readonly warnings: readonly StyleWarning[];
}

/**
 * Reads a style that is to be stored: its version and names, and what of it will not be drawn.
 *
 * @throws StyleError  it is no style, or of a format that cannot be drawn
 */
export function validateStyle(bytes: Uint8Array, format: string): StyleInfo {
  const { version, layers, warnings } = parseStyle({ hash: '', format, bytes, read: () => undefined });
  return {
    version,
    layers: layers.map(({ name, styles }) => ({ name, styles: styles.flatMap((style) => style.name ?? []) })),
    warnings,
  };
}
