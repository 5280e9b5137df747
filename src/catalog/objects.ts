import type { ContentHash, TreePath } from '../tree/index.ts';

/**
 * The typed objects of the catalog. Each is read from one file; what the type does not name stays in the file.
 * References are ids, as in the files. Bounding boxes are x/y: easting/longitude first, whatever the CRS says.
 */
export type CatalogObject =
  | Workspace
  | Namespace
  | DataStore
  | CoverageStore
  | RemoteStore
  | FeatureType
  | Coverage
  | RemoteLayer
  | Layer
  | LayerGroup
  | Style
  | ServiceSettings
  | GlobalSettings
  | LoggingSettings
  | LocalSettings;

export type ObjectKind = CatalogObject['kind'];

interface Common {
  /** File that the object was read from. */
  readonly path: TreePath;
  /** Hash of that file: changes whenever anything in it changes. */
  readonly hash: ContentHash;
  readonly id: string;
}

export interface BoundingBox {
  readonly minx: number;
  readonly miny: number;
  readonly maxx: number;
  readonly maxy: number;
  /** `EPSG:4326`, or WKT where the file has no code; absent when the file says nothing. */
  readonly crs?: string;
}

export interface Workspace extends Common {
  readonly kind: 'workspace';
  readonly name: string;
  readonly isolated: boolean;
}

export interface Namespace extends Common {
  readonly kind: 'namespace';
  readonly prefix: string;
  readonly uri: string;
  readonly isolated: boolean;
}

interface StoreCommon extends Common {
  readonly name: string;
  readonly workspaceId: string;
  readonly enabled: boolean;
  readonly description?: string;
  /** Display name of the data access factory (`PostGIS`, `Shapefile`, `GeoTIFF`); absent in many files. */
  readonly type?: string;
}

export interface DataStore extends StoreCommon {
  readonly kind: 'dataStore';
  /** As in the file: strings, passwords still encoded, `file:` URLs unresolved. */
  readonly connectionParameters: Readonly<Record<string, string>>;
}

export interface CoverageStore extends StoreCommon {
  readonly kind: 'coverageStore';
  /** `file:data/x.tif`, `file:///abs/x.tif`, ... */
  readonly url: string;
}

/** A cascaded WMS or WMTS: kept and listed. */
export interface RemoteStore extends StoreCommon {
  readonly kind: 'wmsStore' | 'wmtsStore';
  readonly capabilitiesUrl: string;
}

interface ResourceCommon extends Common {
  readonly name: string;
  readonly nativeName: string;
  readonly namespaceId: string;
  readonly storeId: string;
  readonly title?: string;
  readonly abstract?: string;
  readonly keywords: readonly string[];
  /** Declared CRS, `EPSG:n`. */
  readonly srs?: string;
  /** WKT of the source's own CRS. */
  readonly nativeCrs?: string;
  readonly nativeBoundingBox?: BoundingBox;
  /** Longitude is x. */
  readonly latLonBoundingBox?: BoundingBox;
  readonly projectionPolicy: 'FORCE_DECLARED' | 'REPROJECT_TO_DECLARED' | 'NONE';
  readonly enabled: boolean;
  readonly advertised: boolean;
  readonly metadataLinks: readonly MetadataLink[];
}

export interface MetadataLink {
  readonly type: string;
  readonly metadataType: string;
  readonly content: string;
}

export interface FeatureType extends ResourceCommon {
  readonly kind: 'featureType';
  /** ECQL that restricts the features for everyone. */
  readonly cqlFilter?: string;
  /** 0 or absent: the service's limit. */
  readonly maxFeatures?: number;
  /** SQL view, from metadata `JDBC_VIRTUAL_TABLE`. */
  readonly virtualTable?: VirtualTable;
}

export interface VirtualTable {
  readonly name: string;
  readonly sql: string;
  readonly keyColumns: readonly string[];
  readonly geometries: readonly { readonly name: string; readonly type: string; readonly srid: number }[];
  readonly parameters: readonly {
    readonly name: string;
    readonly defaultValue?: string;
    readonly regexpValidator?: string;
  }[];
}

export interface Coverage extends ResourceCommon {
  readonly kind: 'coverage';
  readonly nativeCoverageName?: string;
  /** Reader options (`InputTransparentColor`, `Bands`, ...). */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface RemoteLayer extends ResourceCommon {
  readonly kind: 'wmsLayer' | 'wmtsLayer';
}

export interface Layer extends Common {
  readonly kind: 'layer';
  readonly resourceId: string;
  readonly type: 'VECTOR' | 'RASTER' | 'REMOTE' | 'WMS' | 'WMTS' | 'GROUP';
  readonly defaultStyleId?: string;
  readonly styleIds: readonly string[];
  readonly queryable: boolean;
  readonly opaque: boolean;
  readonly attribution?: Attribution;
  readonly authorityUrls: readonly { readonly name: string; readonly href: string }[];
  readonly identifiers: readonly { readonly authority: string; readonly identifier: string }[];
  readonly defaultInterpolation?: string;
}

export interface Attribution {
  readonly title?: string;
  readonly href?: string;
  readonly logoUrl?: string;
  readonly logoType?: string;
  readonly logoWidth: number;
  readonly logoHeight: number;
}

export interface LayerGroup extends Common {
  readonly kind: 'layerGroup';
  readonly name: string;
  readonly workspaceId?: string;
  readonly mode: 'SINGLE' | 'OPAQUE_CONTAINER' | 'NAMED' | 'CONTAINER' | 'EO';
  readonly title?: string;
  readonly abstract?: string;
  readonly keywords: readonly string[];
  readonly enabled: boolean;
  readonly advertised: boolean;
  readonly queryable: boolean;
  readonly bounds?: BoundingBox;
  readonly rootLayerId?: string;
  readonly rootLayerStyleId?: string;
  /** Bottom first. `undefined` is a slot filled by a style group: see the style at the same index. */
  readonly publishables: readonly (Publishable | undefined)[];
  /** One for each publishable; `undefined` is the layer's default style. */
  readonly styleIds: readonly (string | undefined)[];
}

export interface Publishable {
  readonly type: 'layer' | 'layerGroup';
  readonly id: string;
}

export interface Style extends Common {
  readonly kind: 'style';
  readonly name: string;
  readonly workspaceId?: string;
  /** `sld`, `css`, `ysld`, `mbstyle`, ... */
  readonly format: string;
  readonly languageVersion: string;
  /** Name of the body file in the same folder. */
  readonly filename: string;
}

/** Settings of one service, global or of a workspace (`wms.xml`). */
export interface ServiceSettings extends Common {
  readonly kind: 'service';
  /** Root element: `wms`, `wfs`, `wcs`, `wmts`, `csw`, `wps`. */
  readonly service: string;
  readonly workspaceId?: string;
  readonly enabled: boolean;
  readonly name: string;
  readonly title?: string;
  readonly abstract?: string;
  readonly maintainer?: string;
  readonly onlineResource?: string;
  readonly fees?: string;
  readonly accessConstraints?: string;
  readonly keywords: readonly string[];
  /** WMS and WFS: CRS codes without authority to advertise; empty for all. */
  readonly srs: readonly string[];
  readonly citeCompliant: boolean;
  /** WMS limits; 0 for none. Units: KB, s, errors, px. */
  readonly maxRequestMemoryKb?: number;
  readonly maxRenderingTimeSeconds?: number;
  readonly maxRenderingErrors?: number;
  readonly maxBufferPx?: number;
  readonly dynamicStylingDisabled: boolean;
  readonly interpolation?: string;
  readonly rootLayerTitle?: string;
  readonly rootLayerAbstract?: string;
  /** All `metadata` entries with a plain value. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Contact {
  readonly person?: string;
  readonly organization?: string;
  readonly position?: string;
  readonly addressType?: string;
  readonly address?: string;
  readonly addressDeliveryPoint?: string;
  readonly addressCity?: string;
  readonly addressState?: string;
  readonly addressPostalCode?: string;
  readonly addressCountry?: string;
  readonly voice?: string;
  readonly facsimile?: string;
  readonly email?: string;
  readonly onlineResource?: string;
  readonly welcome?: string;
}

interface SettingsCommon extends Common {
  readonly contact: Contact;
  readonly charset: string;
  readonly numDecimals: number;
  readonly proxyBaseUrl?: string;
  readonly onlineResource?: string;
  readonly verbose: boolean;
  readonly verboseExceptions: boolean;
  readonly localWorkspaceIncludesPrefix: boolean;
  readonly quietOnNotFound: boolean;
}

export interface GlobalSettings extends SettingsCommon {
  readonly kind: 'global';
  readonly updateSequence: number;
  readonly globalServices: boolean;
}

export interface LocalSettings extends SettingsCommon {
  readonly kind: 'settings';
  readonly workspaceId: string;
}

export interface LoggingSettings extends Common {
  readonly kind: 'logging';
  readonly level: string;
  readonly location: string;
  readonly stdOutLogging: boolean;
}

/** A catalog file that cannot be understood: it stays where it is, and everything else goes on. */
export interface BrokenFile {
  readonly path: TreePath;
  readonly problem: string;
}
