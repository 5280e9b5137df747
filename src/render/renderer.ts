import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { LRUCache } from 'lru-cache';
import type { Logger } from '../base/index.ts';
import { findCrs, PIXEL_METERS, scaleDenominator } from '../crs/index.ts';
import { openAssets } from './assets.ts';
import { blankPng } from './blank.ts';
import { type CompiledMap, compileMap } from './compile-map.ts';
import { isWorthARetry, toRenderError } from './failures.ts';
import { Pool } from './mapnik/pool.ts';
import { type MapRequest, type Picture, RenderError, type Renderer, type RendererStats } from './types.ts';

export interface RendererOptions {
  /** Drawing processes; default: one for each core. */
  readonly children?: number;
  /** Folder for symbols and pictures of styles; may be emptied while no renderer uses it. */
  readonly cacheDir: string;
  readonly logger: Logger;
  /** Folders with fonts beside Mapnik's own, searched with all below them; default: those of the system. */
  readonly fontFolders?: readonly string[];
  /** Most pictures that wait; default 500. */
  readonly queueMax?: number;
  /** A drawing process is replaced after this many pictures; default 50,000, */
  readonly drawsMax?: number;
  /** or beyond this much memory; default 1.5 GB. */
  readonly rssBytesMax?: number;
}

const SYSTEM_FONTS = ['/usr/share/fonts', '/usr/local/share/fonts', '/Library/Fonts'];
/** Most pixels of one picture: 400 MB as Mapnik holds them. */
const PIXELS_MAX = 100_000_000;
/** Standard resolution: one pixel of 0.28 mm. */
const DPI = 25.4 / 0.28;
const CONTENT_TYPES = { 'image/png': 'image/png', 'image/png8': 'image/png', 'image/jpeg': 'image/jpeg' } as const;

/** Starts drawing processes and draws maps with them. */
export function createRenderer(options: RendererOptions): Renderer {
  return new MapnikRenderer(options);
}

export class MapnikRenderer implements Renderer {
  readonly pool: Pool;
  readonly #logger: Logger;
  readonly #compile: (request: MapRequest, scale: Scale, faces: ReadonlySet<string>) => CompiledMap;
  readonly #blanks = new LRUCache<string, Uint8Array>({ max: 50 });
  readonly #warned = new LRUCache<string, true>({ max: 5000 });

  constructor(options: RendererOptions) {
    this.#logger = options.logger;
    this.pool = new Pool({
      children: options.children ?? availableParallelism(),
      queueMax: options.queueMax ?? 500,
      logger: options.logger,
      fontFolders: (options.fontFolders ?? SYSTEM_FONTS).filter((folder) => existsSync(folder)),
      drawsMax: options.drawsMax ?? 50_000,
      rssBytesMax: options.rssBytesMax ?? 1536 * 1024 * 1024,
    });
    this.#compile = compileMap(openAssets(path.join(options.cacheDir, 'symbols')));
  }

  async draw(request: MapRequest, signal?: AbortSignal): Promise<Picture> {
    check(request);
    const contentType = CONTENT_TYPES[request.format];
    const background = rgbOf(request.background);
    if (request.layers.length === 0 && request.format !== 'image/jpeg')
      return { bytes: this.#blank(request.width, request.height, background), contentType };
    const scale = scaleOf(request);
    const map = this.#compile(request, scale, await this.pool.faces());
    for (const { layer, message, styleHash } of map.warnings) {
      const key = `${styleHash}\0${message}`;
      if (this.#warned.has(key)) continue;
      this.#warned.set(key, true);
      this.#logger.info('render.style-warning', { layer, message });
    }
    const job = {
      key: map.key,
      xml: map.xml,
      width: request.width,
      height: request.height,
      extent: request.box,
      scale: scale.factor,
      scaleDenominator: scale.denominator,
      bufferPx: Math.round((request.bufferPx ?? map.reach) * scale.factor),
      background: background ?? (request.format === 'image/jpeg' ? ([255, 255, 255] as const) : undefined),
      format: request.format,
      generation: map.generation,
    };
    const limits = { timeoutMs: request.timeoutMs, signal };
    try {
      const bytes = await this.pool.draw(job, limits).catch((error) => {
        if (isWorthARetry(error)) return this.pool.draw(job, limits);
        throw error;
      });
      return { bytes, contentType };
    } catch (error) {
      throw toRenderError(error, request, this.#logger);
    }
  }

  stats(): RendererStats {
    const { alive, drawing, waiting, counts } = this.pool;
    return { children: alive, drawing, waiting, ...counts };
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  #blank(width: number, height: number, color: readonly [number, number, number] | undefined): Uint8Array {
    const key = `${width},${height},${color}`;
    let bytes = this.#blanks.get(key);
    if (bytes === undefined) {
      bytes = blankPng(width, height, color);
      this.#blanks.set(key, bytes);
    }
    return bytes;
  }
}

/** What a request says about scale. */
export interface Scale {
  /** n of 1:n. */
  readonly denominator: number;
  /** Ground metres in one standard pixel of the styles. */
  readonly metersPerPixel: number;
  /** Pixels of the picture in a standard pixel. */
  readonly factor: number;
}

function scaleOf(request: MapRequest): Scale {
  const crs = findCrs(request.crs);
  if (crs === undefined) throw new RenderError(`maps cannot be drawn in ${request.crs}: it is not known`);
  const factor = (request.dpi ?? DPI) / DPI;
  // With more pixels to the inch, a picture of the same size on paper has more of them.
  const denominator = request.scaleDenominator ?? scaleDenominator(request.box, crs, request.width) * factor;
  const metersPerPixel = ((request.box[2] - request.box[0]) * crs.metersPerUnit * factor) / request.width;
  return { denominator, metersPerPixel: metersPerPixel > 0 ? metersPerPixel : denominator * PIXEL_METERS, factor };
}

function check({ width, height, box, timeoutMs }: MapRequest): void {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0))
    throw new RenderError(`a map of ${width} by ${height} pixels cannot be drawn`);
  if (width * height > PIXELS_MAX)
    throw new RenderError(`a map of ${width} by ${height} pixels is too large: ${PIXELS_MAX} pixels are the most`);
  if (!box.every(Number.isFinite) || box[2] <= box[0] || box[3] <= box[1])
    throw new RenderError('the bounding box of the map is empty or has no end');
  if (!(timeoutMs > 0)) throw new RenderError('the time for drawing must be longer than 0 ms');
}

function rgbOf(color: string | undefined): readonly [number, number, number] | undefined {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color ?? '');
  return match === null
    ? undefined
    : (match.slice(1).map((hex) => Number.parseInt(hex, 16)) as [number, number, number]);
}
