import type { Logger } from '../base/index.ts';
import { MapnikError } from './mapnik/pool.ts';
import { withoutSecrets } from './mapnik/worker.ts';
import { type MapRequest, RenderError } from './types.ts';

/** What clients are told, by what Mapnik said. Its own words may hold paths, SQL and hosts, and go to the log only. */
const TEXTS: readonly (readonly [RegExp, string])[] = [
  [/postgis plugin|pgsql|libpq|could not connect|psql/i, 'its database could not be read'],
  [
    /shape plugin|gdal plugin|ogr plugin|geojson plugin|csv plugin|raster plugin|topojson|geobuf/i,
    'its data could not be read',
  ],
  [
    /failed to (initialize|open|create) .*datasource|could not create datasource|does not exist|no such file|cannot open/i,
    'its data could not be opened',
  ],
  [
    /failed to initialize projection|proj_create|could not initialize/i,
    'its coordinate reference system cannot be drawn in that of the map',
  ],
  [/bad_alloc|memory/i, 'there is not enough memory'],
];

/** Whether the same may well succeed at once: a database closed a connection that had been idle. */
export function isWorthARetry(error: unknown): boolean {
  return (
    error instanceof MapnikError &&
    /postgis plugin/i.test(error.message) &&
    /connection|terminat|server closed/i.test(error.message)
  );
}

/** An error for the client, from what the pool threw; the details are logged. */
export function toRenderError(error: unknown, request: MapRequest, logger: Logger): unknown {
  if (!(error instanceof MapnikError)) return error;
  const number = /(?:layer|style) '(\d+)\.t?\d+/i.exec(error.message)?.[1];
  const layer =
    number === undefined
      ? request.layers.length === 1
        ? request.layers[0]
        : undefined
      : request.layers[Number(number)];
  logger.error('render.failed', { layer: layer?.name, message: withoutSecrets(error.message) });
  const text = TEXTS.find(([pattern]) => pattern.test(error.message))?.[1] ?? 'drawing failed';
  return new RenderError(
    layer === undefined ? `the map cannot be drawn: ${text}` : `the layer ${layer.name} cannot be drawn: ${text}`,
    layer?.name,
    {
      cause: error,
    },
  );
}
