/** GDAL's programs, as a second opinion and as a source of files. */
import { execFileSync, spawnSync } from 'node:child_process';

/** Runs a program to its end. @returns what it printed */
export function gdal(program: string, ...parameters: string[]): string {
  return execFileSync(program, parameters, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  });
}

/** The value fits node:test's `skip`. */
export const gdalMissing: string | undefined =
  spawnSync('ogr2ogr', ['--version']).status === 0 ? undefined : 'GDAL is not installed (apt-get install gdal-bin)';
