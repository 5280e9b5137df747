/** What tests of this room share: stores without a catalog, temporary folders. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { silentLogger } from '../../base/index.ts';
import type { CatalogView, CoverageStore, DataStore } from '../../catalog/index.ts';
import type { ContentHash, TreePath } from '../../tree/index.ts';
import { openDataAccess } from '../access.ts';
import type { DataAccess, Feature, FeatureQuery, FeatureSource } from '../types.ts';

export interface TestAccess {
  readonly access: DataAccess;
  readonly folder: string;
  vector(parameters: Readonly<Record<string, string>>, more?: Partial<DataStore>): ReturnType<DataAccess['vector']>;
  raster(url: string, more?: Partial<CoverageStore>): ReturnType<DataAccess['raster']>;
  close(): Promise<void>;
}

/** A view of a catalog in which there is nothing. */
export const emptyView = { read: () => undefined } as Partial<CatalogView> as CatalogView;

/** @param dataDir  absent: the temporary folder itself */
export function testAccess(dataDir?: string, env: Readonly<Record<string, string>> = {}): TestAccess {
  const folder = mkdtempSync(path.join(tmpdir(), 'graticule-data-'));
  const cacheDir = path.join(folder, 'cache');
  const access = openDataAccess({ dataDir: dataDir ?? folder, cacheDir, logger: silentLogger, env });
  return {
    access,
    folder,
    vector: (connectionParameters, more) => access.vector(dataStore({ connectionParameters, ...more }), emptyView),
    raster: (url, more) => access.raster(coverageStore({ url, ...more }), emptyView),
    async close() {
      await access.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

let stores = 0;

export function dataStore(parts: Partial<DataStore>): DataStore {
  const id = `DataStoreInfoImpl--${++stores}`;
  return { kind: 'dataStore', ...common(id), connectionParameters: {}, ...parts };
}

export function coverageStore(parts: Partial<CoverageStore>): CoverageStore {
  const id = `CoverageStoreInfoImpl--${++stores}`;
  return { kind: 'coverageStore', ...common(id), url: '', ...parts };
}

function common(id: string) {
  const hash = '0'.repeat(64) as ContentHash;
  return { id, hash, path: `workspaces/test/${id}.xml` as TreePath, name: 'test', workspaceId: 'test', enabled: true };
}

export async function collect(source: FeatureSource, query?: FeatureQuery): Promise<Feature[]> {
  const features: Feature[] = [];
  for await (const batch of source.features(query)) features.push(...batch);
  return features;
}
