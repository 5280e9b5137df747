import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/**
 * Path of a program that comes with the Mapnik package.
 *
 * @returns undefined where the package, or its part for this platform, is not installed
 */
export function mapnikProgram(name: 'shapeindex' | 'mapnik-index'): string | undefined {
  const require = createRequire(import.meta.url);
  try {
    const root = path.dirname(require.resolve('@mapnik/mapnik/package.json'));
    const core = `@mapnik/core-${process.platform}-${process.arch}/package.json`;
    const program = path.join(path.dirname(require.resolve(core, { paths: [root] })), 'bin', name);
    return existsSync(program) ? program : undefined;
  } catch {
    return undefined;
  }
}
