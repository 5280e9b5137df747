import type { ServiceSettings } from '../../catalog/index.ts';
import { type Crs, findCrs, scaleDenominator } from '../../crs/index.ts';
import { FilterError } from '../../data/filter/index.ts';
import {
  type MapLayer,
  type MapRequest,
  type Picture,
  RenderError,
  StyleError,
  TimeoutError,
} from '../../render/index.ts';
import { OgcException } from '../common/exceptions.ts';
import { type ServiceScope, serviceSettings } from '../common/service-scope.ts';
import type { OgcDependencies, OgcLimits } from '../dependencies.ts';
import { type PlannedLayer, planMap } from './plan.ts';
import type { GetMap } from './request.ts';
import { parseStyleDocument, type StyleDocument } from './sld.ts';
import { mapnikSrs, type SourceShelf } from './sources.ts';
import type { StyleShelf } from './styles.ts';

export interface MapAnswer {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

export interface MapTools {
  readonly deps: OgcDependencies;
  readonly limits: OgcLimits;
  readonly styles: StyleShelf;
  readonly sources: SourceShelf;
}

/**
 * Draws a map.
 *
 * @throws OgcException
 */
export async function getMap(
  request: GetMap,
  scope: ServiceScope,
  tools: MapTools,
  signal: AbortSignal,
): Promise<MapAnswer> {
  const { deps, limits } = tools;
  const service = serviceSettings(deps.node.catalog, scope, 'wms');
  checkSize(request, service, limits);
  const document = await styleDocument(request, service, tools, signal);
  const planned = planMap(request, {
    view: deps.node.catalog,
    scope,
    styles: tools.styles,
    layersMax: limits.mapLayersMax,
    document,
  });
  const layers = await Promise.all(planned.map((layer) => mapLayer(layer, request, service, tools.sources)));
  const picture = await draw(mapRequest(request, layers, planned, service, limits), deps, signal);
  return { contentType: request.format.contentType, bytes: picture.bytes };
}

function checkSize({ width, height }: GetMap, service: ServiceSettings | undefined, limits: OgcLimits): void {
  const longest = Math.max(width, height);
  if (longest > limits.sidePxMax) {
    const locator = width >= height ? 'width' : 'height';
    const message = `the picture is ${width} by ${height} pixels; ${limits.sidePxMax} is the most on a side`;
    throw new OgcException('InvalidParameterValue', message, { locator });
  }
  // Four bytes a pixel, as GeoServer reckons a picture's memory.
  const neededKb = (width * height * 4) / 1024;
  const allowedKb = service?.maxRequestMemoryKb ?? 0;
  if (allowedKb > 0 && neededKb > allowedKb) {
    const message = `the picture would take ${Math.ceil(neededKb)} KB of memory, ${allowedKb} KB are allowed; ask for fewer pixels`;
    throw new OgcException('InvalidParameterValue', message, { locator: 'width' });
  }
}

/** The style document of a request, in the request or behind a URL. */
async function styleDocument(
  request: GetMap,
  service: ServiceSettings | undefined,
  { deps }: MapTools,
  signal: AbortSignal,
): Promise<{ parsed: StyleDocument; parameter: string } | undefined> {
  const { sldBody, sldUrl } = request;
  if (sldBody === undefined && sldUrl === undefined) return undefined;
  const parameter = sldBody !== undefined ? 'SLD_BODY' : 'SLD';
  const locator = parameter.toLowerCase();
  if (service?.dynamicStylingDisabled)
    throw new OgcException('InvalidParameterValue', 'styles that come with a request are turned off here', { locator });
  if (sldBody !== undefined) return { parsed: parseStyleDocument(sldBody, parameter), parameter };
  if (deps.fetchStyle === undefined) {
    const message = 'styles are not fetched from other servers here; send the style itself as SLD_BODY';
    throw new OgcException('InvalidParameterValue', message, { locator });
  }
  let bytes: Uint8Array;
  try {
    bytes = await deps.fetchStyle(sldUrl!, signal);
  } catch (cause) {
    deps.logger.info('wms.style.fetch-failed', { url: sldUrl, error: cause });
    throw new OgcException('InvalidParameterValue', 'the style behind SLD could not be fetched', { locator, cause });
  }
  return { parsed: parseStyleDocument(bytes, parameter), parameter };
}

async function mapLayer(
  planned: PlannedLayer,
  request: GetMap,
  service: ServiceSettings | undefined,
  sources: SourceShelf,
): Promise<MapLayer> {
  const source = await sources.get(planned.resource, planned.name);
  const asked = request.interpolations[planned.index] || planned.layer.defaultInterpolation || service?.interpolation;
  return {
    name: planned.name,
    // A plane without a place on the earth is drawn as if it lay where the map is.
    source: source.srs === 'epsg:404000' ? { ...source, srs: mapnikSrs(drawnCrs(request)) } : source,
    style: planned.style.body,
    ...(planned.filter !== undefined && { filter: planned.filter }),
    ...(source.kind === 'raster' && asked && { interpolation: interpolationOf(asked) }),
  };
}

function interpolationOf(name: string): 'nearest' | 'bilinear' | 'bicubic' {
  switch (
    name
      .trim()
      .toLowerCase()
      .replace(/ neighbor$/, '')
  ) {
    case 'bilinear':
      return 'bilinear';
    case 'bicubic':
      return 'bicubic';
    case 'nearest':
      return 'nearest';
    default:
      throw new OgcException(
        'InvalidParameterValue',
        `there is no interpolation ${name}: use nearest, bilinear or bicubic`,
        {
          locator: 'interpolations',
        },
      );
  }
}

function mapRequest(
  request: GetMap,
  layers: readonly MapLayer[],
  planned: readonly PlannedLayer[],
  service: ServiceSettings | undefined,
  limits: OgcLimits,
): MapRequest {
  const serviceMs = (service?.maxRenderingTimeSeconds ?? 0) * 1000;
  const timeoutMs = Math.min(
    request.timeoutMs ?? Number.POSITIVE_INFINITY,
    serviceMs > 0 ? serviceMs : Number.POSITIVE_INFINITY,
    limits.renderingMsMax,
  );
  const bufferMax = service?.maxBufferPx ?? 0;
  const buffer =
    bufferMax > 0 && request.bufferPx !== undefined ? Math.min(request.bufferPx, bufferMax) : request.bufferPx;
  const needsVariables = planned.some(({ style }) => style.usesMapVariables);
  const env = needsVariables ? { ...mapVariables(request), ...request.env } : request.env;
  return {
    width: request.width,
    height: request.height,
    box: request.box,
    crs: drawnCrs(request).registryCode,
    layers,
    ...(!(request.transparent && request.format.format !== 'image/jpeg') && { background: request.background }),
    format: request.format.format,
    ...(request.dpi !== undefined && { dpi: request.dpi }),
    timeoutMs,
    ...(buffer !== undefined && { bufferPx: buffer }),
    ...(Object.keys(env).length > 0 && { env }),
  };
}

const WEB_MERCATOR = findCrs('EPSG:3857')!;

/** A map of the plane `EPSG:404000`, which Mapnik does not know, is drawn in another plane that measures in metres. */
function drawnCrs({ crs }: GetMap): Crs {
  return crs.kind === 'engineering' ? WEB_MERCATOR : crs;
}

/** The variables that GeoServer sets for every map, for styles that read them with `env`. */
function mapVariables({ box, crs, width, height }: GetMap): Record<string, string> {
  return {
    wms_bbox: box.join(','),
    wms_crs: crs.code,
    wms_srs: crs.code,
    wms_width: String(width),
    wms_height: String(height),
    wms_scale_denominator: String(scaleDenominator(box, crs, width)),
  };
}

async function draw(request: MapRequest, { renderer }: OgcDependencies, signal: AbortSignal): Promise<Picture> {
  try {
    return await renderer.draw(request, signal);
  } catch (cause) {
    // What these say is written for clients.
    if (cause instanceof TimeoutError || cause instanceof RenderError)
      throw new OgcException('NoApplicableCode', cause.message, { cause });
    if (cause instanceof StyleError || cause instanceof FilterError)
      throw new OgcException('NoApplicableCode', cause.message, { cause, locator: 'styles' });
    throw cause;
  }
}
