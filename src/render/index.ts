export { isTranslatable as canDrawFilter } from './compile/filters.ts';
export { createRenderer, type RendererOptions } from './renderer.ts';
export {
  chooseStyle,
  DEFAULT_STYLES,
  type FeatureTypeStyle,
  parseStyle,
  type Rule,
  readSldDocument,
  type StyledLayerDescriptor,
  type StyleInfo,
  type StyleLayer,
  type StyleWarning,
  type Symbolizer,
  type UserStyle,
  validateStyle,
} from './style/index.ts';
export * from './types.ts';
