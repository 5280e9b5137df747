import type { MapnikSource } from '../../data/index.ts';

/** Files that a stylesheet refers to: symbols that were drawn, pictures that a style brings. */
export interface Assets {
  /** Keeps bytes under their hash; returns the path by which Mapnik reads them. `extension` without a dot. */
  put(bytes: Uint8Array | string, extension: string): string;
}

/** What the compiler knows while it turns the style of one layer into Mapnik's XML. */
export interface CompileContext {
  readonly source: MapnikSource;
  /** Values of `env(name)`. */
  readonly env: Readonly<Record<string, string>>;
  /** The n of 1:n that chooses rules. */
  readonly scaleDenominator: number;
  /** Ground size of a pixel, for symbol sizes in metres and feet. */
  readonly metersPerPixel: number;
  readonly assets: Assets;
  /** Faces that Mapnik has. */
  readonly faces: ReadonlySet<string>;
  /** Reads what a relative reference in the style means. */
  read(href: string): Uint8Array | undefined;
  /** What cannot be drawn as the style asks. */
  readonly warnings: Set<string>;
  /** A circle is a picture too, not Mapnik's own: behind labels there must be a file. */
  readonly circlesAsFiles?: boolean;
  readonly interpolation: 'nearest' | 'bilinear' | 'bicubic';
}

/** Something has no counterpart in Mapnik; whoever catches it decides what is left out. */
export class Untranslatable extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'Untranslatable';
  }
}
