import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { requireFile, statFile } from '../files.ts';
import { mapnikProgram } from '../mapnik-programs.ts';

/** Below this Mapnik keeps all features in memory, which is the fastest. */
const BYTES_MIN = 16 * 1024 * 1024;
const INDEX_TIMEOUT_MS = 300_000;

export interface GeoJsonIndexRequest {
  readonly file: string;
  readonly version: string;
  readonly cacheDir: string;
}

/**
 * Mapnik's parameters for a GeoJSON file. A big one is read through an index: made beside a link in the cache, for nothing is
 * written into the data directory.
 */
export async function indexedGeoJson(request: GeoJsonIndexRequest): Promise<Readonly<Record<string, string>>> {
  const { file, version, cacheDir } = request;
  const program = requireFile(file).sizeBytes < BYTES_MIN ? undefined : mapnikProgram('mapnik-index');
  if (program === undefined) return { file };
  const key = createHash('sha256').update(`${file}\n${version}`).digest('hex').slice(0, 32);
  const folder = path.join(cacheDir, 'geojson', key);
  const result = path.join(folder, 'data.geojson');
  if (statFile(result) === undefined) {
    await mkdir(path.dirname(folder), { recursive: true });
    const draft = await mkdtemp(`${folder}.`);
    try {
      await symlink(path.resolve(file), path.join(draft, 'data.geojson'));
      await promisify(execFile)(program, [path.join(draft, 'data.geojson')], { timeout: INDEX_TIMEOUT_MS });
      await rename(draft, folder);
    } catch {
      await rm(draft, { recursive: true, force: true });
      if (statFile(result) === undefined) return { file };
    }
  }
  return { file: result, cache_features: 'false' };
}
