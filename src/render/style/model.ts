import type { Expression, Filter } from '../../data/filter/index.ts';

/** A style document, whatever language it was written in. Everything that is absent takes the standard's default. */
export interface StyledLayerDescriptor {
  readonly version: '1.0.0' | '1.1.0';
  readonly name?: string;
  readonly title?: string;
  readonly abstract?: string;
  readonly layers: readonly StyleLayer[];
  /** What was not understood, and is left out. */
  readonly warnings: readonly StyleWarning[];
}

export interface StyleWarning {
  readonly message: string;
  /** From 1; absent when it is not about one place. */
  readonly line?: number;
}

export interface StyleLayer {
  readonly kind: 'named' | 'user';
  readonly name?: string;
  readonly title?: string;
  readonly styles: readonly UserStyle[];
  /** Names of styles that the server knows. */
  readonly namedStyles: readonly string[];
  /** From LayerFeatureConstraints. */
  readonly filter?: Filter;
}

export interface UserStyle {
  readonly name?: string;
  readonly title?: string;
  readonly abstract?: string;
  readonly isDefault: boolean;
  readonly background?: Fill;
  readonly featureTypeStyles: readonly FeatureTypeStyle[];
}

/** Vendor options by name. */
export type Options = Readonly<Record<string, string>>;

export interface FeatureTypeStyle {
  readonly name?: string;
  readonly title?: string;
  readonly abstract?: string;
  /** Only for features of this type; absent: for all. */
  readonly featureTypeName?: string;
  readonly semanticTypes: readonly string[];
  /** A rendering transformation: a function over the layer's data. */
  readonly transformation?: Expression;
  readonly rules: readonly Rule[];
  readonly options: Options;
}

export interface Rule {
  readonly name?: string;
  readonly title?: string;
  readonly abstract?: string;
  readonly filter?: Filter;
  /** For the features that no other rule of the FeatureTypeStyle took at this scale. */
  readonly elseFilter: boolean;
  /** Scale denominators: min <= n < max. */
  readonly minScale?: number;
  readonly maxScale?: number;
  readonly symbolizers: readonly Symbolizer[];
  readonly legend?: Graphic;
  readonly options: Options;
}

export type Unit = 'pixel' | 'metre' | 'foot';

interface SymbolizerBase {
  readonly name?: string;
  /** What to draw instead of the default geometry. */
  readonly geometry?: Expression;
  /** Unit of sizes, widths and distances. */
  readonly unit: Unit;
  readonly options: Options;
}

export interface PointSymbolizer extends SymbolizerBase {
  readonly kind: 'point';
  readonly graphic?: Graphic;
}

export interface LineSymbolizer extends SymbolizerBase {
  readonly kind: 'line';
  readonly stroke?: Stroke;
  /** To the left of the line. */
  readonly offset?: Expression;
}

export interface PolygonSymbolizer extends SymbolizerBase {
  readonly kind: 'polygon';
  readonly fill?: Fill;
  readonly stroke?: Stroke;
  readonly offset?: Expression;
  readonly displacement?: Pair;
}

export interface TextSymbolizer extends SymbolizerBase {
  readonly kind: 'text';
  readonly label?: Expression;
  /** In order of preference. */
  readonly fonts: readonly Font[];
  readonly placement: LabelPlacement;
  readonly halo?: Halo;
  readonly fill?: Fill;
  /** Higher ones are placed first. */
  readonly priority?: Expression;
  /** Drawn behind the text. */
  readonly graphic?: Graphic;
}

export interface RasterSymbolizer extends SymbolizerBase {
  readonly kind: 'raster';
  readonly opacity?: Expression;
  readonly channels?: Channels;
  readonly colorMap?: ColorMap;
  readonly contrast?: Contrast;
}

export type Symbolizer = PointSymbolizer | LineSymbolizer | PolygonSymbolizer | TextSymbolizer | RasterSymbolizer;

/** x, y */
export type Pair = readonly [Expression, Expression];

export interface Fill {
  /** Default #808080. */
  readonly color?: Expression;
  /** 0 to 1; default 1. */
  readonly opacity?: Expression;
  /** Tiles the area instead of the colour. */
  readonly graphic?: Graphic;
}

export interface Stroke {
  /** Default #000000. */
  readonly color?: Expression;
  /** Default 1. */
  readonly width?: Expression;
  readonly opacity?: Expression;
  readonly join?: Expression;
  readonly cap?: Expression;
  /** Lengths on, off, on, ... Each may be several lengths in one text. */
  readonly dashes?: readonly Expression[];
  readonly dashOffset?: Expression;
  readonly graphicFill?: Graphic;
  readonly graphicStroke?: Graphic;
}

export interface Graphic {
  /** In order of preference: the first that can be drawn is. */
  readonly symbols: readonly (Mark | ExternalGraphic)[];
  readonly size?: Expression;
  readonly opacity?: Expression;
  /** Degrees, clockwise. */
  readonly rotation?: Expression;
  /** Which spot of the graphic lies on the point: 0,0 is lower left, 1,1 upper right. Default 0.5,0.5. */
  readonly anchor?: Pair;
  /** To the right and up. */
  readonly displacement?: Pair;
  /** For graphic strokes. */
  readonly gap?: Expression;
  readonly initialGap?: Expression;
}

export interface Mark {
  readonly kind: 'mark';
  /** `square`, `circle`, ..., `shape://...`, `ttf://Font#0x41`, `wkt://...`. Default square. */
  readonly name: Expression;
  /** Absent: not filled. */
  readonly fill?: Fill;
  /** Absent: not outlined. */
  readonly stroke?: Stroke;
}

export interface ExternalGraphic {
  readonly kind: 'external';
  readonly href: Expression;
  readonly format?: string;
  /** Content that stands in the style itself. */
  readonly inline?: Uint8Array;
}

export interface Font {
  readonly families: readonly Expression[];
  /** `normal`, `italic`, `oblique`. */
  readonly style?: Expression;
  /** `normal`, `bold`. */
  readonly weight?: Expression;
  /** Default 10. */
  readonly size?: Expression;
}

export interface Halo {
  /** Default 1. */
  readonly radius?: Expression;
  /** Default white. */
  readonly fill?: Fill;
}

export type LabelPlacement =
  | { readonly kind: 'point'; readonly anchor?: Pair; readonly displacement?: Pair; readonly rotation?: Expression }
  | {
      readonly kind: 'line';
      /** To the left of the line. */
      readonly offset?: Expression;
      readonly repeated: boolean;
      readonly initialGap?: Expression;
      readonly gap?: Expression;
    };

export type Channels =
  | { readonly kind: 'rgb'; readonly red: Channel; readonly green: Channel; readonly blue: Channel }
  | { readonly kind: 'gray'; readonly gray: Channel };

export interface Channel {
  /** Number of a band from 1, or its name. */
  readonly name: Expression;
  readonly contrast?: Contrast;
}

export interface Contrast {
  readonly method?: 'normalize' | 'histogram' | 'logarithmic' | 'exponential';
  readonly gamma?: Expression;
  readonly options: Options;
}

export interface ColorMap {
  readonly type: 'ramp' | 'intervals' | 'values';
  /** Ascending. */
  readonly entries: readonly ColorMapEntry[];
}

export interface ColorMapEntry {
  readonly color: Expression;
  readonly quantity: Expression;
  readonly opacity?: Expression;
  readonly label?: string;
}
