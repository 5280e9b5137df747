export { createRenderer, type RendererOptions } from './renderer.ts';
export {
  DEFAULT_STYLES,
  type FeatureTypeStyle,
  parseStyle,
  type Rule,
  type StyledLayerDescriptor,
  type StyleInfo,
  type StyleLayer,
  type StyleWarning,
  type Symbolizer,
  type UserStyle,
} from './style/index.ts';
export * from './types.ts';
