import type { Filter } from '../data/filter/index.ts';
import type { Box, MapnikSource } from '../data/index.ts';

/** A picture of a map, to be drawn. */
export interface MapRequest {
  readonly width: number;
  readonly height: number;
  /** x/y, in `crs`. */
  readonly box: Box;
  /** `EPSG:n`. */
  readonly crs: string;
  /** Bottom first. */
  readonly layers: readonly MapLayer[];
  /** `#rrggbb`; absent for a transparent picture. */
  readonly background?: string;
  readonly format: 'image/png' | 'image/png8' | 'image/jpeg';
  /** Pixels per inch that the client asked for; 90.7 (0.28 mm) when absent. */
  readonly dpi?: number;
  /** n of 1:n that chooses rules; computed from box, CRS and width when absent. */
  readonly scaleDenominator?: number;
  /** The drawing is given up after this long. */
  readonly timeoutMs: number;
  /** Pixels around the picture whose features are drawn as well. Absent: from the styles. */
  readonly bufferPx?: number;
  /** SLD environment variables. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface MapLayer {
  /** For messages. */
  readonly name: string;
  readonly source: MapnikSource;
  readonly style: StyleBody;
  /** Restricts the features. */
  readonly filter?: Filter;
  /** Of several NamedLayers or UserStyles in the body, the one to use; absent: the first that applies. */
  readonly styleName?: string;
  readonly interpolation?: 'nearest' | 'bilinear' | 'bicubic';
  readonly opacity?: number;
}

/** A style as it is stored. */
export interface StyleBody {
  /** Hash of the body and of everything that it refers to; equal hashes mean equal pictures. */
  readonly hash: string;
  readonly format: string;
  readonly bytes: Uint8Array;
  /** Reads what a relative reference in the style means (`icons/cafe.svg`); undefined when it is not there. */
  read(href: string): Uint8Array | undefined;
}

export interface Picture {
  readonly bytes: Uint8Array;
  readonly contentType: string;
}

/** Draws maps. */
export interface Renderer {
  /**
   * @throws StyleError    a style cannot be understood
   * @throws RenderError   a source could not be read or drawn
   * @throws TimeoutError  it took longer than `timeoutMs`
   */
  draw(request: MapRequest, signal?: AbortSignal): Promise<Picture>;
  /** Children alive, pictures waiting and being drawn: for metrics and health. */
  stats(): RendererStats;
  close(): Promise<void>;
}

export interface RendererStats {
  readonly children: number;
  readonly drawing: number;
  readonly waiting: number;
  readonly drawn: number;
  readonly failed: number;
  readonly restarts: number;
}

/** A style is not well-formed, or uses something that cannot be drawn at all. */
export class StyleError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StyleError';
  }
}

/** Drawing failed; the text is fit for clients: no paths, no SQL, no secrets. */
export class RenderError extends Error {
  readonly layer: string | undefined;

  constructor(message: string, layer?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RenderError';
    this.layer = layer;
  }
}

/** Drawing took longer than it may. */
export class TimeoutError extends Error {
  constructor(timeoutMs: number) {
    super(`drawing took longer than ${timeoutMs} ms`);
    this.name = 'TimeoutError';
  }
}
