/** What the tests of this room share. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { AttributeType, MapnikSource } from '../data/index.ts';
import type { MapLayer, MapRequest, StyleBody } from './types.ts';

/** A style body from rules, or from whole FeatureTypeStyles. */
export function styleOf(content: string, files: Readonly<Record<string, Uint8Array>> = {}): StyleBody {
  const inner = content.includes('<FeatureTypeStyle')
    ? content
    : `<FeatureTypeStyle>${content.includes('<Rule') ? content : `<Rule>${content}</Rule>`}</FeatureTypeStyle>`;
  const text = `<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc" xmlns:xlink="http://www.w3.org/1999/xlink"><NamedLayer><Name>l</Name><UserStyle>${inner}</UserStyle></NamedLayer></StyledLayerDescriptor>`;
  return {
    hash: createHash('sha256').update(text).digest('hex'),
    format: 'sld',
    bytes: Buffer.from(text),
    read: (href) => files[href],
  };
}

export function styleFile(file: string): StyleBody {
  const bytes = readFileSync(file);
  return {
    hash: createHash('sha256').update(file).update(bytes).digest('hex'),
    format: 'sld',
    bytes,
    read(href) {
      try {
        return readFileSync(path.resolve(path.dirname(file), href));
      } catch {
        return undefined;
      }
    },
  };
}

export interface TestFeature {
  readonly geometry: GeoJSON.Geometry;
  readonly properties?: Readonly<Record<string, string | number | boolean | null>>;
}

/** A source of a few features in EPSG:3857; types of attributes are those of the first value that is not null. */
export function sourceOf(
  features: readonly TestFeature[],
  geometryType: AttributeType['geometryType'] = 'Geometry',
): MapnikSource {
  const attributes: AttributeType[] = [{ name: 'geom', type: 'geometry', geometryType, nillable: true }];
  for (const feature of features) {
    for (const [name, value] of Object.entries(feature.properties ?? {})) {
      if (value === null || attributes.some((a) => a.name === name)) continue;
      const type =
        typeof value === 'string'
          ? 'string'
          : typeof value === 'boolean'
            ? 'boolean'
            : Number.isInteger(value)
              ? 'integer'
              : 'double';
      attributes.push({ name, type, nillable: true });
    }
  }
  const collection = {
    type: 'FeatureCollection',
    features: features.map((f) => ({ type: 'Feature', properties: f.properties ?? {}, geometry: f.geometry })),
  };
  return {
    kind: 'vector',
    parameters: { type: 'geojson', inline: JSON.stringify(collection) },
    srs: 'epsg:3857',
    version: '1',
    attributes,
  };
}

export const point = (x: number, y: number, properties?: TestFeature['properties']): TestFeature => ({
  geometry: { type: 'Point', coordinates: [x, y] },
  properties,
});

export const line = (coordinates: GeoJSON.Position[], properties?: TestFeature['properties']): TestFeature => ({
  geometry: { type: 'LineString', coordinates },
  properties,
});

export const square = (x: number, y: number, side: number, properties?: TestFeature['properties']): TestFeature => ({
  geometry: {
    type: 'Polygon',
    coordinates: [
      [
        [x, y],
        [x + side, y],
        [x + side, y + side],
        [x, y + side],
        [x, y],
      ],
    ],
  },
  properties,
});

/** A request for a picture of a plane, one unit a pixel, on white. */
export function requestOf(layers: readonly MapLayer[], more: Partial<MapRequest> = {}): MapRequest {
  const { width = 64, height = 64 } = more;
  return {
    width,
    height,
    box: [0, 0, width, height],
    crs: 'EPSG:3857',
    layers,
    background: '#ffffff',
    format: 'image/png',
    timeoutMs: 20_000,
    ...more,
  };
}
