import path from 'node:path';
import { type Logger, messageOf } from '../base/index.ts';
import type { CoverageStore, DataStore } from '../catalog/index.ts';
import { type DriverContext, openRasterStore, openVectorStore } from './drivers.ts';
import { parametersOf, placeholders } from './parameters.ts';
import { PoolRegistry } from './postgis/pools.ts';
import { type DataAccess, DataError, type RasterStore, type VectorStore } from './types.ts';

export interface DataAccessOptions {
  /** GeoServer data directory: relative locations start here. It is only read. */
  readonly dataDir: string;
  /** Folder of this node for indexes and converted files; made when needed. */
  readonly cacheDir: string;
  readonly logger: Logger;
  /** Environment for `${...}` in parameters; `process.env` when absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Stores open at a time; beyond it the one that was used longest ago is closed. */
const OPEN_STORES_MAX = 200;
/** A store that nobody has used for this long is closed when another is opened. */
const IDLE_MS_MAX = 15 * 60_000;

/** Opens stores on first use and keeps them open. A store whose file in the catalog has changed is opened anew. */
export function openDataAccess(options: DataAccessOptions): DataAccess {
  const { logger } = options;
  const env = options.env ?? process.env;
  const context: DriverContext = {
    dataDir: path.resolve(options.dataDir),
    cacheDir: path.resolve(options.cacheDir),
    logger,
    pools: new PoolRegistry(logger),
  };
  const open = new Map<string, OpenStore>();
  let isClosed = false;

  const letGo = (id: string, entry: OpenStore) => {
    if (open.get(id) === entry) open.delete(id);
    const closing = entry.opened
      .then((store) => store.close())
      .catch((error: unknown) => logger.debug('store-close-failed', { store: entry.name, reason: messageOf(error) }))
      .finally(() => closings.delete(closing));
    closings.add(closing);
  };
  const closings = new Set<Promise<void>>();

  const find = <T extends VectorStore | RasterStore>(
    store: DataStore | CoverageStore,
    make: () => T | Promise<T>,
  ): Promise<T> => {
    if (isClosed) return Promise.reject(new DataError('refused', 'the server is stopping'));
    if (!store.enabled) return Promise.reject(new DataError('refused', `store ${store.name} is disabled`));
    const now = performance.now();
    const known = open.get(store.id);
    if (known?.hash === store.hash) {
      known.usedAtMs = now;
      open.delete(store.id); // to the end of the line of those to be closed
      open.set(store.id, known);
      return known.opened as Promise<T>;
    }
    if (known !== undefined) letGo(store.id, known);
    const opened = Promise.resolve().then(make);
    const entry: OpenStore = { hash: store.hash, name: store.name, opened, usedAtMs: now };
    open.set(store.id, entry);
    // A failure is not kept: the file may be there the next time.
    opened.catch(() => {
      if (open.get(store.id) === entry) open.delete(store.id);
    });
    for (const [id, other] of open) {
      const isIdle = now - other.usedAtMs > IDLE_MS_MAX;
      if (!isIdle && open.size <= OPEN_STORES_MAX) break;
      letGo(id, other);
    }
    return opened;
  };

  return {
    vector: (store, view) => find(store, () => openVectorStore(store, parametersOf(store, { env, view }), context)),
    raster: (store, view) => find(store, () => openRasterStore(store, placeholders({ env, view })(store.url), context)),
    forget(storeId) {
      const entry = open.get(storeId);
      if (entry !== undefined) letGo(storeId, entry);
    },
    async close() {
      isClosed = true;
      for (const [id, entry] of [...open]) letGo(id, entry);
      await Promise.all(closings);
      await context.pools.close();
    },
  };
}

interface OpenStore {
  readonly hash: string;
  readonly name: string;
  readonly opened: Promise<VectorStore | RasterStore>;
  usedAtMs: number;
}
