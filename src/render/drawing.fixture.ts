/** What tests share that draw: a renderer of their own, pixels, and the elements of styles. */
import assert from 'node:assert/strict';
import { PNG } from 'pngjs';
import { temporaryFolder } from '../../test/temporary-folder.ts';
import { silentLogger } from '../base/index.ts';
import type { MapnikSource } from '../data/index.ts';
import { createRenderer, type MapLayer, type MapRequest, type Renderer, type StyleBody } from './index.ts';
import { requestOf, styleOf } from './testing.ts';

export interface Drawing {
  readonly renderer: Renderer;
  /** For files that a test draws from. */
  readonly folder: string;
  draw(layers: readonly MapLayer[], more?: Partial<MapRequest>): Promise<PNG>;
  close(): Promise<void>;
}

/** One drawing process, which starts with the first picture. */
export function openDrawing(): Drawing {
  const folder = temporaryFolder('render');
  const renderer = createRenderer({ children: 1, cacheDir: folder, logger: silentLogger, fontFolders: [] });
  return {
    renderer,
    folder,
    async draw(layers, more) {
      const picture = await renderer.draw(requestOf(layers, more));
      assert.equal(picture.contentType, 'image/png');
      return PNG.sync.read(Buffer.from(picture.bytes));
    },
    async close() {
      await renderer.close();
    },
  };
}

export const layer = (source: MapnikSource, style: StyleBody | string, more: Partial<MapLayer> = {}): MapLayer => ({
  name: 'test',
  source,
  style: typeof style === 'string' ? styleOf(style) : style,
  ...more,
});

/** `#rrggbb`, or `-` where nothing is drawn. */
export function pixel(png: PNG, x: number, y: number): string {
  const at = (y * png.width + x) * 4;
  const [r, g, b, a] = png.data.subarray(at, at + 4);
  if (a === 0) return '-';
  return `#${[r, g, b].map((c) => c!.toString(16).padStart(2, '0')).join('')}`;
}

// ---- elements of styles

export const css = (name: string, value: string | number) => `<CssParameter name="${name}">${value}</CssParameter>`;
export const fill = (color: string, more = '') =>
  `<PolygonSymbolizer><Fill>${css('fill', color)}${more}</Fill></PolygonSymbolizer>`;
export const stroke = (color: string, width: number, more = '') =>
  `<LineSymbolizer><Stroke>${css('stroke', color)}${css('stroke-width', width)}${more}</Stroke></LineSymbolizer>`;
export const mark = (name: string, size: number, more = '', graphic = '') =>
  `<PointSymbolizer><Graphic><Mark><WellKnownName>${name}</WellKnownName><Fill>${css('fill', '#ff0000')}</Fill>${more}</Mark><Size>${size}</Size>${graphic}</Graphic></PointSymbolizer>`;
export const text = (more = '') =>
  `<TextSymbolizer><Label><ogc:PropertyName>name</ogc:PropertyName></Label><Font>${css('font-family', 'DejaVu Sans')}${css('font-size', 12)}</Font>${more}<Fill>${css('fill', '#000000')}</Fill></TextSymbolizer>`;
export const comparison = (operator: string, name: string, value: string) =>
  `<ogc:Filter><ogc:PropertyIs${operator}><ogc:PropertyName>${name}</ogc:PropertyName><ogc:Literal>${value}</ogc:Literal></ogc:PropertyIs${operator}></ogc:Filter>`;
