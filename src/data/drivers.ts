import path from 'node:path';
import type { Logger } from '../base/index.ts';
import type { CoverageStore, DataStore } from '../catalog/index.ts';
import { openArcGrid } from './arcgrid/index.ts';
import { requireFile, resolveFile, statFile } from './files.ts';
import { openGeoJson } from './geojson/index.ts';
import { openGeoPackage } from './geopackage/index.ts';
import { openGeoTiff } from './geotiff/index.ts';
import { openImageMosaic } from './imagemosaic/index.ts';
import { openImagePyramid } from './imagepyramid/index.ts';
import type { Parameters } from './parameters.ts';
import { openPostgis } from './postgis/index.ts';
import type { PoolRegistry } from './postgis/pools.ts';
import { openProperties } from './properties/index.ts';
import { openShapefiles } from './shapefile/index.ts';
import { DataError, type RasterStore, type VectorStore } from './types.ts';
import { openWorldImage } from './worldimage/index.ts';

/** What every driver may use. */
export interface DriverContext {
  /** Root of relative `file:` locations; never written to. */
  readonly dataDir: string;
  /** For indexes and converted files; may be emptied while nothing runs. */
  readonly cacheDir: string;
  readonly logger: Logger;
  readonly pools: PoolRegistry;
}

interface VectorDriver {
  /** As GeoServer calls it. */
  readonly name: string;
  /** Whether the parameters mean this driver. */
  accepts(parameters: Parameters, type: string): boolean;
  open(parameters: Parameters, context: DriverContext): VectorStore | Promise<VectorStore>;
}

/** The first that accepts is taken: parameters decide, the type only where they are ambiguous. */
const VECTOR_DRIVERS: readonly VectorDriver[] = [
  {
    name: 'PostGIS',
    accepts: (parameters) => /^postgis(ng)?$/i.test(dbtype(parameters)),
    open: (parameters, context) => openPostgis(parameters, context),
  },
  {
    name: 'GeoPackage',
    accepts: (parameters) =>
      /^(geopkg|gpkg|geopackage)$/i.test(dbtype(parameters)) ||
      (dbtype(parameters) === '' && /\.gpkg$/i.test(location(parameters) ?? '')),
    open: (parameters, { dataDir }) => openGeoPackage(existing(dataDir, parameters)),
  },
  {
    name: 'GeoJSON',
    accepts: (parameters) => dbtype(parameters) === '' && /\.(geo)?json$/i.test(location(parameters) ?? ''),
    open: (parameters, context) => openGeoJson(existing(context.dataDir, parameters), context),
  },
  {
    name: 'Properties',
    accepts: (parameters, type) =>
      dbtype(parameters) === '' &&
      ((parameters.text('directory') !== undefined && !/shapefile/i.test(type)) ||
        /\.properties$/i.test(location(parameters) ?? '')),
    open: (parameters, context) => openProperties(existing(context.dataDir, parameters), context),
  },
  {
    name: 'Shapefile',
    accepts: (parameters, type) => {
      const place = location(parameters);
      if (dbtype(parameters) !== '' || place === undefined) return false;
      const extension = path.extname(place).toLowerCase();
      return (
        extension === '.shp' ||
        (extension === '' && (type === '' || /shape|director/i.test(type))) ||
        place.endsWith('/')
      );
    },
    open(parameters, context) {
      const charset = parameters.text('charset');
      const { cacheDir, logger } = context;
      return openShapefiles(existing(context.dataDir, parameters), {
        cacheDir,
        logger,
        ...(charset === undefined ? {} : { charset }),
      });
    },
  },
];

/** @throws DataError  `no-driver`, or what the driver says */
export function openVectorStore(
  store: DataStore,
  parameters: Parameters,
  context: DriverContext,
): VectorStore | Promise<VectorStore> {
  const type = store.type ?? '';
  const driver = VECTOR_DRIVERS.find((candidate) => candidate.accepts(parameters, type));
  if (driver !== undefined) return driver.open(parameters, context);
  const asked = type === '' ? dbtype(parameters) || 'unknown' : type;
  throw new DataError(
    'no-driver',
    `store ${store.name} is of the type "${asked}", for which there is no driver; there are ${VECTOR_DRIVERS.map(({ name }) => name).join(', ')}`,
  );
}

const dbtype = (parameters: Parameters) => parameters.text('dbtype')?.trim() ?? '';

/** Where the files are, whichever parameter says it. */
function location(parameters: Parameters): string | undefined {
  return ['url', 'database', 'file', 'directory']
    .map((name) => parameters.text(name))
    .find((text) => text !== undefined)
    ?.trim();
}

function existing(dataDir: string, parameters: Parameters): string {
  const place = location(parameters);
  if (place === undefined) throw new DataError('malformed', 'the store does not say where its file is');
  return requireFile(resolveFile(dataDir, place)).path;
}

interface RasterDriver {
  /** GeoServer's name of the format. */
  readonly format: string;
  accepts(file: string, type: string): boolean;
  open(file: string, context: DriverContext): RasterStore | Promise<RasterStore>;
}

const isNamed = (type: string, ...names: string[]) => names.includes(type.toLowerCase().replaceAll(' ', ''));
const isFolder = (file: string) => statFile(file)?.isFolder === true;

const RASTER_DRIVERS: readonly RasterDriver[] = [
  { format: 'ImagePyramid', accepts: (_, type) => isNamed(type, 'imagepyramid'), open: openImagePyramid },
  {
    format: 'ImageMosaic',
    accepts: (file, type) => isNamed(type, 'imagemosaic') || isFolder(file) || /\.(shp|properties)$/i.test(file),
    open: openImageMosaic,
  },
  {
    format: 'ArcGrid',
    accepts: (file, type) => (isNamed(type, 'arcgrid') && !/\.tiff?$/i.test(file)) || /\.(asc|grd)(\.gz)?$/i.test(file),
    open: openArcGrid,
  },
  {
    format: 'WorldImage',
    accepts: (file, type) => isNamed(type, 'worldimage') || /\.(png|jpe?g|gif|bmp)$/i.test(file),
    open: openWorldImage,
  },
  // An upload through GeoServer's REST API is named `.geotiff`.
  { format: 'GeoTIFF', accepts: (file) => /\.(tiff?|gtiff?|geotiff)$/i.test(file), open: openGeoTiff },
];

/** @throws DataError  `no-driver`, or what the driver says */
export function openRasterStore(
  store: CoverageStore,
  url: string,
  context: DriverContext,
): RasterStore | Promise<RasterStore> {
  const type = store.type ?? '';
  const file = resolveFile(context.dataDir, url);
  const driver = RASTER_DRIVERS.find((candidate) => candidate.accepts(file, type));
  if (driver !== undefined) return driver.open(requireFile(file).path, context);
  throw new DataError(
    'no-driver',
    `coverage store ${store.name} is of the type "${type || path.extname(file)}", for which there is no driver; there are ${RASTER_DRIVERS.map(({ format }) => format).join(', ')}`,
  );
}
