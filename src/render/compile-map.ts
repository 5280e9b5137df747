/**
 * From a request to Mapnik's XML, remembered: a request that differs from an earlier one in box and size only costs a
 * look-up.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { and } from '../data/filter/index.ts';
import type { MapnikSource } from '../data/index.ts';
import { type Assets, Untranslatable } from './compile/context.ts';
import { type CompiledLayer, compileLayer } from './compile/layer.ts';
import { mapXml } from './compile/map.ts';
import { type StyleTraits, traitsOf } from './compile/traits.ts';
import type { Scale } from './renderer.ts';
import { chooseStyle, parseStyle } from './style/index.ts';
import { type MapLayer, type MapRequest, RenderError, StyleError } from './types.ts';

export interface CompiledMap {
  /** Hash of the XML. */
  readonly key: string;
  readonly xml: string;
  /** Pixels that symbols may reach into the picture from outside. */
  readonly reach: number;
  readonly generation: number;
  readonly warnings: readonly { readonly layer: string; readonly styleHash: string; readonly message: string }[];
}

interface KnownLayer {
  readonly compiled: CompiledLayer;
  readonly warnings: readonly string[];
}

/** Most styled layers and maps that are remembered. */
const LAYERS_MAX = 2000;
const MAPS_MAX = 500;
/** Widest margin around a picture that is drawn with it. */
const REACH_MAX = 256;

export function compileMap(
  assets: Assets,
): (request: MapRequest, scale: Scale, faces: ReadonlySet<string>) => CompiledMap {
  const layers = new LRUCache<string, KnownLayer>({ max: LAYERS_MAX });
  const maps = new LRUCache<string, CompiledMap>({ max: MAPS_MAX });
  const generations = new Generations();

  return (request, scale, faces) => {
    const generation = generations.of(request.layers);
    const keys = request.layers.map((layer) => layerKey(layer, request, scale));
    const mapKey = `${request.crs} ${keys.join(' ')}`;
    const known = maps.get(mapKey);
    if (known !== undefined) return known.generation === generation ? known : { ...known, generation };
    const parts = request.layers.map((layer, i) => {
      const key = keys[i]!;
      let entry = layers.get(key);
      if (entry === undefined) {
        entry = compile(layer, request, scale, faces, assets);
        layers.set(key, entry);
      }
      return { layer, entry };
    });
    const xml = mapXml(
      parts.map(({ layer, entry }) => ({
        source: layer.source,
        compiled: entry.compiled,
        opacity: layer.opacity ?? 1,
      })),
      mapSrs(request),
    );
    const map: CompiledMap = {
      key: hashOf(`${xml}${request.layers.map((l) => l.source.version).join(' ')}`),
      xml,
      reach: Math.min(REACH_MAX, Math.ceil(Math.max(1, ...parts.map(({ entry }) => entry.compiled.reach)))),
      generation,
      warnings: parts.flatMap(({ layer, entry }) =>
        entry.warnings.map((message) => ({ layer: layer.name, styleHash: layer.style.hash, message })),
      ),
    };
    maps.set(mapKey, map);
    return map;
  };
}

function compile(
  layer: MapLayer,
  request: MapRequest,
  scale: Scale,
  faces: ReadonlySet<string>,
  assets: Assets,
): KnownLayer {
  const warnings = new Set<string>();
  const chosen = chooseStyle(parseStyle(layer.style), layer.styleName);
  if (chosen === undefined) throw new StyleError(`the style of layer ${layer.name} holds no UserStyle`);
  const context = {
    source: layer.source,
    env: request.env ?? {},
    scaleDenominator: scale.denominator,
    metersPerPixel: scale.metersPerPixel,
    assets,
    faces,
    read: (href: string) => layer.style.read(href),
    warnings,
    interpolation: layer.interpolation ?? 'nearest',
  };
  try {
    const filter =
      layer.filter === undefined && chosen.filter === undefined ? undefined : and(layer.filter, chosen.filter);
    return { compiled: compileLayer(chosen.style, filter, context), warnings: [...warnings] };
  } catch (error) {
    if (!(error instanceof Untranslatable)) throw error;
    throw new RenderError(
      `the layer ${layer.name} cannot be drawn with this filter: ${error.message} is not possible on its data`,
      layer.name,
      {
        cause: error,
      },
    );
  }
}

/** Everything that the compiled layer depends on: of scale and environment only what the style looks at. */
function layerKey(layer: MapLayer, request: MapRequest, scale: Scale): string {
  const chosen = chooseStyle(parseStyle(layer.style), layer.styleName);
  const traits: StyleTraits =
    chosen === undefined ? { breaks: [], env: [], needsGround: false } : traitsOf(chosen.style);
  const env = traits.env.map((name) => request.env?.[name]);
  const step = traits.breaks.findIndex((limit) => scale.denominator < limit);
  return hashOf(
    JSON.stringify(
      [
        layer.style.hash === '' ? Buffer.from(layer.style.bytes).toString('latin1') : layer.style.hash,
        layer.styleName,
        sourceKey(layer.source),
        layer.filter,
        layer.interpolation,
        layer.opacity,
        env,
        step,
        traits.needsGround ? scale.metersPerPixel : 0,
      ],
      (_, value) => (typeof value === 'bigint' ? `${value}n` : value),
    ),
  );
}

const sourceKeys = new WeakMap<MapnikSource, string>();

function sourceKey(source: MapnikSource): string {
  let key = sourceKeys.get(source);
  if (key === undefined) {
    key = hashOf(JSON.stringify([source.parameters, source.srs, source.version, source.attributes, source.bands]));
    sourceKeys.set(source, key);
  }
  return key;
}

/** CRS of the picture as Mapnik names it. A plane without a place on the earth is whatever its layers say. */
function mapSrs({ crs, layers }: MapRequest): string {
  const srs = crs.toLowerCase();
  return srs === 'epsg:404000' ? (layers[0]?.source.srs ?? 'epsg:3857') : srs;
}

/**
 * Counts how often data were replaced under maps that are open. Mapnik keeps files of one path mapped, whichever map
 * opened them, so drawing processes must let go of all of them.
 */
class Generations {
  readonly #versions = new LRUCache<string, string>({ max: 20_000 });
  readonly #seen = new WeakSet<MapnikSource>();
  #generation = 0;

  of(layers: readonly MapLayer[]): number {
    for (const { source } of layers) {
      if (this.#seen.has(source)) continue;
      this.#seen.add(source);
      const { type, file, base, layer } = source.parameters;
      if (file === undefined || file.length > 4096) continue;
      const key = JSON.stringify([type, base, file, layer]);
      const known = this.#versions.get(key);
      if (known !== undefined && known !== source.version) this.#generation++;
      this.#versions.set(key, source.version);
    }
    return this.#generation;
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 27);
}
