/** Formats of uploads: which file of an archive counts, and what the store over it looks like. */
import type { Store } from '../catalog/index.ts';

/** A store over some files. */
export interface Location {
  /** GeoServer's name of the store's type. */
  readonly type: string;
  readonly url: string;
  /** Connection parameters of a data store; empty for coverages. */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface UploadFormat {
  /** The file, or '' for the folder itself, that the store is over; undefined when there is none. */
  primary(files: readonly string[], packed: boolean): string | undefined;
  locate(place: { readonly url: string } | { readonly external: string }): Location;
  /** Whether a store that is there already is of this format. */
  owns(store: Store): boolean;
  /** Whether it is over that very location. */
  at(store: Store, location: Location): boolean;
}

function urlOf(place: { readonly url: string } | { readonly external: string }): string {
  return 'url' in place ? place.url : place.external;
}

function firstWith(pattern: RegExp) {
  return (files: readonly string[]) => files.find((file) => pattern.test(file));
}

const SHAPEFILE_FOLDER = 'Directory of spatial files (shapefiles)';

/** A single `.shp` is a store of its own; an archive is a folder of them. */
const shapefile: UploadFormat = {
  primary: (files, packed) => {
    const first = files.find((file) => /\.shp$/i.test(file));
    if (!packed) return first;
    if (first === undefined) return undefined;
    return first.includes('/') ? first.slice(0, first.lastIndexOf('/')) : '';
  },
  locate: (place) => {
    const url = urlOf(place).replace(/\/$/, '');
    return { type: /\.shp$/i.test(url) ? 'Shapefile' : SHAPEFILE_FOLDER, url, parameters: { url } };
  },
  owns: (store) =>
    store.kind === 'dataStore' &&
    locationOf(store) !== undefined &&
    !/\.(?:gpkg|geojson|json|properties)$/i.test(locationOf(store)!),
  at: (store, location) => locationOf(store) === location.url,
};

function file(of: {
  readonly type: string;
  readonly pattern: RegExp;
  readonly parameters: (url: string) => Readonly<Record<string, string>>;
}): UploadFormat {
  return {
    primary: firstWith(of.pattern),
    locate: (place) => ({ type: of.type, url: urlOf(place), parameters: of.parameters(urlOf(place)) }),
    owns: (store) => store.kind === 'dataStore' && (store.type === of.type || of.pattern.test(locationOf(store) ?? '')),
    at: (store, location) => locationOf(store) === location.url,
  };
}

function locationOf(store: Store): string | undefined {
  if (store.kind === 'coverageStore') return store.url;
  if (store.kind !== 'dataStore') return undefined;
  const { url, database, directory } = store.connectionParameters;
  if (store.connectionParameters.dbtype !== undefined && database === undefined) return undefined;
  return url ?? database ?? directory;
}

const geoJson = file({ type: 'GeoJSON', pattern: /\.(?:geo)?json$/i, parameters: (url) => ({ url }) });

export const VECTOR_FORMATS: Readonly<Record<string, UploadFormat>> = {
  shp: shapefile,
  gpkg: file({ type: 'GeoPackage', pattern: /\.gpkg$/i, parameters: (url) => ({ dbtype: 'geopkg', database: url }) }),
  geojson: geoJson,
  json: geoJson,
  properties: {
    ...file({
      type: 'Properties',
      pattern: /\.properties$/i,
      parameters: (url) => ({ directory: url }),
    }),
    // The store is the folder, whose files are its types.
    primary: (files) => {
      const first = files.find((name) => /\.properties$/i.test(name));
      return first === undefined ? undefined : first.includes('/') ? first.slice(0, first.lastIndexOf('/')) : '';
    },
  },
};

function raster(type: string, primary: UploadFormat['primary']): UploadFormat {
  return {
    primary,
    locate: (place) => ({ type, url: urlOf(place), parameters: {} }),
    owns: (store) => store.kind === 'coverageStore' && (store.type === undefined || store.type === type),
    at: (store, location) => locationOf(store) === location.url,
  };
}

export const RASTER_FORMATS: Readonly<Record<string, UploadFormat>> = {
  geotiff: raster('GeoTIFF', firstWith(/\.(?:geo)?tiff?$/i)),
  worldimage: raster('WorldImage', firstWith(/\.(?:png|jpe?g|gif|bmp|tiff?|worldimage)$/i)),
  arcgrid: raster('ArcGrid', firstWith(/\.(?:asc|grd|arcgrid)$/i)),
  imagemosaic: raster('ImageMosaic', (files) => (files.length > 0 ? '' : undefined)),
};
