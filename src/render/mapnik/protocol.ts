/** What a drawing process and its parent tell each other. */

/** One picture to draw. */
export interface DrawMessage {
  readonly id: number;
  /** Hash of the map's XML. */
  readonly key: string;
  /** Absent when the process should have the map already. */
  readonly xml?: string;
  readonly width: number;
  readonly height: number;
  readonly extent: readonly [number, number, number, number];
  /** Of widths and texts: pixels per pixel of 0.28 mm. */
  readonly scale: number;
  readonly scaleDenominator: number;
  readonly bufferPx: number;
  /** Absent: transparent. */
  readonly background?: readonly [number, number, number];
  readonly format: 'image/png' | 'image/png8' | 'image/jpeg';
  /** Grows whenever data files were replaced; the process then lets go of all that it has open. */
  readonly generation: number;
}

export type ChildMessage =
  | { readonly kind: 'ready'; readonly faces: readonly string[]; readonly version: string }
  | { readonly kind: 'drawn'; readonly id: number; readonly bytes: Uint8Array; readonly rssBytes: number }
  /** The process let go of the map: send it again with its XML. */
  | { readonly kind: 'unknown'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };
