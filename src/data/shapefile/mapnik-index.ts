import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Logger, messageOf } from '../../base/index.ts';
import { baseName, sibling, statFile } from '../files.ts';
import { mapnikProgram } from '../mapnik-programs.ts';

/** Below this, Mapnik reads a whole shapefile about as fast as through an index. */
const FEATURES_MIN = 1000;
const INDEX_TIMEOUT_MS = 300_000;

export interface IndexRequest {
  readonly shpFile: string;
  /** Of the shapefile's files: another version gets a copy of its own. */
  readonly version: string;
  readonly features: number;
  readonly cacheDir: string;
  readonly logger: Logger;
}

/**
 * The path under which Mapnik reads a shapefile. Mapnik needs its own `.index` beside the `.shp` (it reads no `.qix`), and
 * nothing is written into the data directory: so a folder in the cache has links to the files, and the index. Without an
 * index, for small files or when none can be made, it is the file itself; or links, when its extensions are not in lower
 * case as Mapnik wants them.
 */
export function indexedCopy(request: IndexRequest): Promise<string> {
  const { shpFile, version, features, cacheDir } = request;
  const program = features < FEATURES_MIN ? undefined : mapnikProgram('shapeindex');
  const isLowerCase = ['shp', 'shx', 'dbf'].every((extension) => sibling(shpFile, extension).endsWith(extension));
  if (program === undefined && isLowerCase) return Promise.resolve(shpFile);
  const key = createHash('sha256').update(`${shpFile}\n${version}`).digest('hex').slice(0, 32);
  const folder = path.join(cacheDir, 'shapefile', key);
  const result = path.join(folder, 'data.shp');
  if (statFile(result) !== undefined) return Promise.resolve(result);
  let running = inProgress.get(folder);
  if (running === undefined) {
    running = make(request, folder, program)
      .then(() => result)
      .finally(() => inProgress.delete(folder));
    inProgress.set(folder, running);
  }
  return running;
}

const inProgress = new Map<string, Promise<string>>();

/** Made under another name and renamed, so that other processes see all of it or nothing. */
async function make(request: IndexRequest, folder: string, program: string | undefined): Promise<void> {
  const { shpFile, logger } = request;
  await mkdir(path.dirname(folder), { recursive: true });
  const draft = await mkdtemp(`${folder}.`);
  try {
    for (const extension of ['shp', 'shx', 'dbf', 'prj']) {
      const file = sibling(shpFile, extension);
      if (statFile(file) !== undefined) await symlink(path.resolve(file), path.join(draft, `data.${extension}`));
    }
    if (program !== undefined) {
      const started = performance.now();
      try {
        await promisify(execFile)(program, [path.join(draft, 'data.shp')], { timeout: INDEX_TIMEOUT_MS });
        logger.info('shapefile-indexed', { name: baseName(shpFile), tookMs: Math.round(performance.now() - started) });
      } catch (error) {
        logger.warn('shapefile-not-indexed', { name: baseName(shpFile), reason: messageOf(error) });
      }
    }
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process was faster: what it made is as good.
    if (statFile(path.join(folder, 'data.shp')) === undefined) throw error;
  }
}
