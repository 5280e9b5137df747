import { lstatSync, mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import path from 'node:path';

/**
 * Keeps this program, as V8 has compiled it, in the node's own folder: written when the process ends, it saves the next start half a
 * second. To be called before what is worth it has been loaded. Before a node's first start there is no such folder, and none is
 * made, for the start may be refused.
 *
 * What lies there is run. So it is not used where somebody else could have put it there.
 */
export function keepCompiled(clusterDir: string): void {
  const folder = path.join(clusterDir, 'cache', 'code');
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return;
  }
  if (isOursAlone(folder)) enableCompileCache(folder);
}

function isOursAlone(folder: string): boolean {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) return false;
  // (Windows has no such modes; there the folder has the rights of the one above it.)
  return process.getuid === undefined || (stats.uid === process.getuid() && (stats.mode & 0o022) === 0);
}
