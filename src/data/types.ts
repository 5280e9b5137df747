import type { CatalogView, CoverageStore, DataStore, VirtualTable } from '../catalog/index.ts';
import type { Filter } from './filter/index.ts';

/** minx, miny, maxx, maxy; x is easting or longitude, whatever the CRS says. */
export type Box = readonly [number, number, number, number];

export type AttributeValue = string | number | bigint | boolean | Date | Uint8Array | null;

export interface AttributeType {
  readonly name: string;
  readonly type:
    | 'string'
    | 'integer'
    | 'long'
    | 'double'
    | 'boolean'
    | 'date'
    | 'dateTime'
    | 'time'
    | 'bytes'
    | 'geometry';
  /** Only for geometries: `Point`, `MultiPolygon`, ..., `Geometry` when mixed. */
  readonly geometryType?: GeometryType;
  readonly nillable: boolean;
  /** Longest text, where the source says so. */
  readonly length?: number;
}

export type GeometryType =
  | 'Point'
  | 'LineString'
  | 'Polygon'
  | 'MultiPoint'
  | 'MultiLineString'
  | 'MultiPolygon'
  | 'GeometryCollection'
  | 'Geometry';

export interface FeatureSchema {
  /** Native name: table, file, type. */
  readonly name: string;
  readonly attributes: readonly AttributeType[];
  /** The default geometry attribute; absent when there is none. */
  readonly geometryName?: string;
  /** CRS of the default geometry, `EPSG:n`; absent when unknown. */
  readonly crs?: string;
  /** WKT of that CRS as the source gives it, or from the registry; absent when unknown. */
  readonly crsWkt?: string;
  /** Columns of the primary key; empty when there is none. */
  readonly keyColumns: readonly string[];
}

export interface Feature {
  /** `type.fid`, stable between requests where the source has keys. */
  readonly id: string;
  /** Every attribute but geometries. */
  readonly properties: Readonly<Record<string, AttributeValue>>;
  /** Default geometry as GeoJSON, x/y in the source's CRS. */
  readonly geometry: GeoJSON.Geometry | null;
}

export interface FeatureQuery {
  /** Features whose bounding box meets this, in the source's CRS. */
  readonly box?: Box;
  readonly filter?: Filter;
  readonly limit?: number;
  readonly offset?: number;
}

/** One type of features. */
export interface FeatureSource {
  readonly schema: FeatureSchema;
  /** Bounds of all features in the source's CRS; undefined when there are none. */
  bounds(): Promise<Box | undefined>;
  count(query?: FeatureQuery): Promise<number>;
  /** Streams features in batches, with back-pressure. */
  features(query?: FeatureQuery, signal?: AbortSignal): AsyncIterable<readonly Feature[]>;
  /** How Mapnik reads it. */
  mapnik(): Promise<MapnikSource>;
}

/** What Mapnik needs to read a source by itself. */
export interface MapnikSource {
  readonly kind: 'vector' | 'raster';
  /** Parameters of Mapnik's `<Datasource>`, `type` among them. May hold a password: never logged. */
  readonly parameters: Readonly<Record<string, string>>;
  /** CRS in the form that Mapnik takes: `epsg:n` in lower case, or a proj string. */
  readonly srs: string;
  /** Changes whenever opened handles of an earlier source are worthless (a file was replaced). */
  readonly version: string;
  /** Attribute names and types as Mapnik sees them, to write its expressions with. Absent for rasters. */
  readonly attributes?: readonly AttributeType[];
  /** Bands of a raster. */
  readonly bands?: readonly Band[];
}

export interface Band {
  readonly name: string;
  readonly dataType: 'uint8' | 'int8' | 'uint16' | 'int16' | 'uint32' | 'int32' | 'float32' | 'float64';
  readonly noData?: number;
  readonly min?: number;
  readonly max?: number;
  readonly colorInterpretation?: 'gray' | 'red' | 'green' | 'blue' | 'alpha' | 'palette';
}

/** A coverage, seen from outside. */
export interface CoverageSource {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** In the coverage's CRS: outer edges of the outer pixels. */
  readonly box: Box;
  /** scaleX, shearX, shearY, scaleY (negative for north up) in CRS units per pixel. */
  readonly transform: readonly [number, number, number, number];
  /** Outer corner of the first pixel. It is not a corner of `box` when the raster is turned. */
  readonly origin: readonly [number, number];
  /** `EPSG:n`; absent when unknown. */
  readonly crs?: string;
  readonly crsWkt?: string;
  readonly bands: readonly Band[];
  /** GeoServer's name of the format: `GeoTIFF`, `ArcGrid`, ... */
  readonly format: string;
  mapnik(): Promise<MapnikSource>;
}

export interface VectorStore {
  /** Names of the types in it. */
  names(): Promise<readonly string[]>;
  /** @throws DataError  there is no such type */
  source(nativeName: string, virtualTable?: VirtualTable): Promise<FeatureSource>;
  close(): Promise<void>;
}

export interface RasterStore {
  names(): Promise<readonly string[]>;
  /** Without a name, the only or first coverage. */
  source(nativeName?: string): Promise<CoverageSource>;
  close(): Promise<void>;
}

/** The geodata behind a catalog: opens stores, keeps them open, and lets go of those that changed or left. */
export interface DataAccess {
  /** @throws DataError  no driver for it, not enabled, file missing, database not reached */
  vector(store: DataStore, view: CatalogView): Promise<VectorStore>;
  raster(store: CoverageStore, view: CatalogView): Promise<RasterStore>;
  /** Lets go of everything opened for a store. */
  forget(storeId: string): void;
  close(): Promise<void>;
}

/** Data that cannot be had: the text says which and why, without secrets. */
export class DataError extends Error {
  readonly code: 'no-driver' | 'not-found' | 'unreachable' | 'malformed' | 'refused';

  constructor(code: DataError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DataError';
    this.code = code;
  }
}
