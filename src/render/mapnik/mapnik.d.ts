/** What we use of `@mapnik/mapnik` 4.7, which brings no types. */

export interface MapnikModule {
  readonly Map: MapConstructor;
  readonly Image: ImageConstructor;
  readonly Color: new (r: number, g: number, b: number, a: number) => MapnikColor;
  readonly versions: { readonly mapnik: string };
  register_fonts(folder: string, options?: { recurse?: boolean }): boolean;
  register_datasources(folder: string): boolean;
  /** Face names, such as `DejaVu Sans Bold Oblique`. */
  fonts(): string[];
  /** Forgets icons and mapped files. */
  clearCache(): void;
}

export interface MapnikColor {
  readonly a: number;
}

export interface MapConstructor {
  new (width: number, height: number, srs?: string): MapnikMap;
  /** The picture shows just the extent, whatever its aspect. */
  readonly ASPECT_RESPECT: number;
}

export interface MapnikMap {
  aspect_fix_mode: number;
  srs: string;
  /** minx, miny, maxx, maxy. Never set while a rendering is under way. */
  extent: readonly [number, number, number, number];
  background: MapnikColor | undefined;
  resize(width: number, height: number): void;
  fromString(
    xml: string,
    options: { strict?: boolean; base?: string },
    done: (error: Error | null, map: MapnikMap) => void,
  ): void;
  render(
    image: MapnikImage,
    options: {
      buffer_size?: number;
      scale?: number;
      scale_denominator?: number;
      variables?: Record<string, string | number>;
    },
    done: (error: Error | null, image: MapnikImage) => void,
  ): void;
}

export interface ImageConstructor {
  new (width: number, height: number): MapnikImage;
}

export interface MapnikImage {
  encode(format: string, done: (error: Error | null, bytes: Buffer) => void): void;
  /** A part of the picture. Only the asynchronous `encode` of a view keeps to the part. */
  view(x: number, y: number, width: number, height: number): MapnikView;
  isSolid(done: (error: Error | null, solid: boolean, pixel: number) => void): void;
}

export interface MapnikView {
  encode(format: string, done: (error: Error | null, bytes: Buffer) => void): void;
}
