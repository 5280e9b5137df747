import type { Resource, Store } from '../../catalog/index.ts';
import type { ClusterNode } from '../../cluster/index.ts';
import type { Crs } from '../../crs/index.ts';
import { type DataAccess, DataError, type MapnikSource } from '../../data/index.ts';
import { OgcException } from '../common/exceptions.ts';
import { crsOf } from './capabilities.ts';

interface Kept {
  readonly resourceHash: string;
  readonly storeHash: string;
  readonly source: Promise<MapnikSource>;
  readonly askedAtMs: number;
}

/** How long an answer about a source is good: a file that is replaced under a layer is noticed after this. */
const FRESH_MS = 1_000;
const SOURCES_MAX = 10_000;

/** What a client is told of missing data; the full text, with paths and hosts, is for the log. */
const TOLD: Readonly<Record<DataError['code'], string>> = {
  'no-driver': 'there is no driver for its data',
  'not-found': 'its data is not there',
  unreachable: 'its data cannot be reached now',
  malformed: 'its data cannot be understood',
  refused: 'its data cannot be used',
};

/** How Mapnik reads the resources of the catalog, asked of the data room once a second at most. */
export class SourceShelf {
  readonly #node: ClusterNode;
  readonly #data: DataAccess;
  readonly #kept = new Map<string, Kept>();

  constructor(node: ClusterNode, data: DataAccess) {
    this.#node = node;
    this.#data = data;
  }

  /** @throws OgcException  the data cannot be had; the text names the layer */
  async get(resource: Resource, layerName: string): Promise<MapnikSource> {
    const store = this.#node.catalog.storeById(resource.storeId);
    if (store === undefined) throw unreadable(layerName, 'its store is not in the catalog');
    try {
      return await this.#ask(resource, store);
    } catch (error) {
      if (error instanceof DataError) throw unreadable(layerName, TOLD[error.code], error);
      throw error;
    }
  }

  #ask(resource: Resource, store: Store): Promise<MapnikSource> {
    const now = performance.now();
    const kept = this.#kept.get(resource.id);
    if (
      kept !== undefined &&
      now - kept.askedAtMs < FRESH_MS &&
      kept.resourceHash === resource.hash &&
      kept.storeHash === store.hash
    )
      return kept.source;
    const source = this.#open(resource, store).catch(async (error: unknown) => {
      if (!(error instanceof DataError) || this.#node.status().unwritten === 0) throw error;
      // An upload is in the catalog a moment before its files are on this node's disk.
      await this.#node.written();
      this.#data.forget(store.id);
      return this.#open(resource, store);
    });
    if (this.#kept.size >= SOURCES_MAX) this.#kept.clear();
    const entry = { resourceHash: resource.hash, storeHash: store.hash, source, askedAtMs: now };
    this.#kept.set(resource.id, entry);
    // A failure is not kept: the file may be there, the database back, the next time.
    source.catch(() => {
      if (this.#kept.get(resource.id) === entry) this.#kept.delete(resource.id);
    });
    return source;
  }

  async #open(resource: Resource, store: Store): Promise<MapnikSource> {
    const { catalog } = this.#node;
    if (resource.kind === 'featureType' && store.kind === 'dataStore') {
      const opened = await this.#data.vector(store, catalog);
      const source = await opened.source(resource.nativeName, resource.virtualTable);
      return inServedCrs(await source.mapnik(), resource, source.schema.crs ?? source.schema.crsWkt);
    }
    if (resource.kind === 'coverage' && store.kind === 'coverageStore') {
      const opened = await this.#data.raster(store, catalog);
      const source = await opened.source(resource.nativeCoverageName ?? resource.nativeName);
      return inServedCrs(await source.mapnik(), resource, source.crs ?? source.crsWkt);
    }
    throw new DataError('no-driver', 'cascaded layers are kept, but cannot be drawn');
  }
}

/** The source in the CRS that it is to be read in: a declared CRS that is forced replaces the source's own, and fills in for none. */
function inServedCrs(source: MapnikSource, resource: Resource, native: string | undefined): MapnikSource {
  const declared = crsOf(resource.srs) ?? crsOf(resource.nativeCrs);
  const forced = declared !== undefined && (resource.projectionPolicy === 'FORCE_DECLARED' || native === undefined);
  return forced ? { ...source, srs: mapnikSrs(declared) } : source;
}

/** A CRS as Mapnik takes it. */
export function mapnikSrs(crs: Crs): string {
  return crs.registryCode.toLowerCase();
}

function unreadable(layer: string, problem: string, cause?: unknown): OgcException {
  return new OgcException('NoApplicableCode', `layer ${layer} cannot be drawn: ${problem}`, {
    cause,
    locator: 'layers',
  });
}
