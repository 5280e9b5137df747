import path from 'node:path';
import type { ServeOptions } from '../serve-options.ts';

/** The folder of the node's own state: a flag is relative to where one is, a variable to the data directory, as in GeoServer. */
export function clusterFolder(given: ServeOptions, source: 'command line' | 'environment' | undefined): string {
  const dataDir = path.resolve(given.dataDir);
  if (given.clusterDir === undefined) return path.join(dataDir, 'cluster');
  return source === 'command line' ? path.resolve(given.clusterDir) : path.resolve(dataDir, given.clusterDir);
}
