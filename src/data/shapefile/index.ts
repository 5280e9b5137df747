import { readdirSync } from 'node:fs';
import path from 'node:path';
import { baseName, requireFile } from '../files.ts';
import { DataError, type FeatureSource, type VectorStore } from '../types.ts';
import { openShapefile, type ShapefileOptions, shapefileVersion } from './shapefile.ts';

/**
 * A `.shp` file, or a folder of them. Files are looked at again on every use, so one that was replaced is read anew.
 *
 * @throws DataError  `not-found`
 */
export function openShapefiles(location: string, options: ShapefileOptions): VectorStore {
  const isFolder = requireFile(location).isFolder;
  const opened = new Map<string, { version: string; source: Promise<FeatureSource> }>();
  const files = () => (isFolder ? shapefilesIn(location) : new Map([[baseName(location), location]]));
  return {
    async names() {
      return [...files().keys()];
    },
    async source(nativeName, virtualTable) {
      if (virtualTable !== undefined)
        throw new DataError('refused', 'a SQL view needs a database: shapefiles have none');
      const file = files().get(nativeName);
      if (file === undefined) throw new DataError('not-found', `there is no shapefile ${nativeName} in ${location}`);
      const version = shapefileVersion(file);
      const known = opened.get(nativeName);
      if (known?.version === version) return known.source;
      const source = openShapefile(file, options);
      opened.set(nativeName, { version, source });
      source.catch(() => opened.delete(nativeName));
      return source;
    },
    async close() {
      opened.clear();
    },
  };
}

/** Type names and files, in the order of names. */
function shapefilesIn(folder: string): Map<string, string> {
  const names = readdirSync(folder).filter((name) => path.extname(name).toLowerCase() === '.shp');
  return new Map(names.sort().map((name) => [baseName(name), path.join(folder, name)]));
}
