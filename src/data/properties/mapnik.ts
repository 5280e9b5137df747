import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { statFile } from '../files.ts';
import type { FeatureSource } from '../types.ts';

export interface Conversion {
  readonly file: string;
  readonly version: string;
  readonly source: FeatureSource;
  readonly cacheDir: string;
}

let drafts = 0;

/** Path of a GeoJSON file in the cache with a source's features, for Mapnik, which does not know the source's own form. */
export async function convertToGeoJson({ file, version, source, cacheDir }: Conversion): Promise<string> {
  const key = createHash('sha256').update(`${file}\n${version}`).digest('hex').slice(0, 32);
  const result = path.join(cacheDir, 'converted', `${key}.geojson`);
  if (statFile(result) !== undefined) return result;
  await mkdir(path.dirname(result), { recursive: true });
  const draft = `${result}.${process.pid}-${++drafts}`;
  const handle = await open(draft, 'wx');
  try {
    await handle.write('{"type":"FeatureCollection","features":[');
    let separator = '\n';
    for await (const batch of source.features())
      for (const { properties, geometry } of batch) {
        await handle.write(separator + JSON.stringify({ type: 'Feature', properties: plain(properties), geometry }));
        separator = ',\n';
      }
    await handle.write('\n]}\n');
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  await rename(draft, result);
  return result;
}

function plain(properties: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value]),
  );
}
