import { readdirSync } from 'node:fs';
import path from 'node:path';
import { type Logger, messageOf, silentLogger } from '../../base/index.ts';
import { baseName, readSidecar, requireFile, statFile } from '../files.ts';
import type { Georeference } from '../raster/georeference.ts';
import { isNorthUp } from '../raster/georeference.ts';
import { type RasterHeader, readRasterHeader } from '../raster/header.ts';
import { openShapefiles } from '../shapefile/index.ts';
import { DataError } from '../types.ts';

/** An image of a mosaic. */
export interface Granule {
  readonly file: string;
  readonly header: RasterHeader & { readonly georeference: Georeference };
}

/** Where a mosaic is, whichever of its files the store names. */
export interface MosaicPlace {
  readonly folder: string;
  readonly name: string;
  /** Shapefile that lists the granules. */
  readonly index?: string;
  readonly locationAttribute: string;
}

const GRANULES_MAX = 100_000;
const FOLDERS_DEEP_MAX = 10;
const HEADERS_AT_ONCE = 16;
const IMAGE = /\.(tiff?|png|jpe?g|gif|bmp)$/i;

/** @param location  a folder, or the index (`.shp`) or properties file in it */
export function findMosaic(location: string): MosaicPlace {
  const isFolder = requireFile(location).isFolder;
  const folder = isFolder ? location : path.dirname(location);
  const stem = isFolder ? path.basename(location) : baseName(location);
  const settings = parseProperties(readSidecar(path.join(folder, `${stem}.properties`)));
  const candidates = [stem, settings.get('Name')].filter((name) => name !== undefined);
  let index = candidates.map((name) => path.join(folder, `${name}.shp`)).find((file) => statFile(file) !== undefined);
  if (index === undefined) {
    const shapefiles = readdirSync(folder).filter((name) => /\.shp$/i.test(name));
    if (shapefiles.length === 1) index = path.join(folder, shapefiles[0]!);
  }
  return {
    folder,
    name: settings.get('Name') ?? (index === undefined ? stem : baseName(index)),
    ...(index === undefined ? {} : { index }),
    locationAttribute: settings.get('LocationAttribute') ?? 'location',
  };
}

function parseProperties(text: string | undefined): Map<string, string> {
  const lines = (text ?? '').split(/\r?\n/).map((line) => /^\s*([^#!=:\s][^=:\s]*)\s*[=:]\s*(.*?)\s*$/.exec(line));
  return new Map(lines.filter((match) => match !== null).map((match) => [match[1]!, match[2]!]));
}

/** Changes when granules are added or taken away; a granule that is written over is only noticed with the folder. */
export function mosaicVersion(place: MosaicPlace): string {
  const index = place.index === undefined ? '' : requireFile(place.index).version;
  return `${requireFile(place.folder).version}.${index}`;
}

/**
 * All granules that can be used, in the order of the index, or of names. One that cannot be read, or that is in another CRS
 * than the first, is left out and logged.
 *
 * @throws DataError  there is none
 */
export async function readGranules(place: MosaicPlace, logger: Logger): Promise<Granule[]> {
  const files = (await indexedFiles(place)) ?? imagesIn(place.folder, 0);
  if (files.length > GRANULES_MAX)
    throw new DataError(
      'refused',
      `the mosaic ${place.name} has ${files.length} images; at most ${GRANULES_MAX} are drawn`,
    );
  const headers: (RasterHeader | undefined)[] = new Array(files.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < files.length; i = next++)
      headers[i] = await readRasterHeader(files[i]!).catch((error: unknown) => {
        logger.warn('granule-left-out', { file: files[i], reason: messageOf(error) });
        return undefined;
      });
  };
  await Promise.all(Array.from({ length: HEADERS_AT_ONCE }, worker));
  const granules: Granule[] = [];
  const leaveOut = (file: string, reason: string) => logger.warn('granule-left-out', { file, reason });
  files.forEach((file, i) => {
    const header = headers[i];
    if (header === undefined) return;
    const { georeference, native, codec } = header;
    const first = granules[0]?.header.native.crs;
    if (georeference === undefined || !isNorthUp(georeference)) leaveOut(file, 'not georeferenced, or turned');
    else if (codec !== undefined) leaveOut(file, `compressed with ${codec}`);
    else if (first !== undefined && native.crs !== undefined && native.crs !== first)
      leaveOut(file, `in ${native.crs} instead of ${first}`);
    else granules.push({ file, header: { ...header, georeference } });
  });
  if (granules.length === 0) throw new DataError('malformed', `the mosaic ${place.name} has no image that can be read`);
  return granules;
}

/** Undefined when the index does not say where the images are. */
async function indexedFiles(place: MosaicPlace): Promise<string[] | undefined> {
  if (place.index === undefined) return undefined;
  const store = openShapefiles(place.index, { cacheDir: place.folder, logger: silentLogger });
  const source = await store.source(baseName(place.index));
  const attribute = source.schema.attributes.find(
    ({ name }) => name.toLowerCase() === place.locationAttribute.slice(0, 10).toLowerCase(),
  );
  if (attribute === undefined) return undefined;
  const files: string[] = [];
  for await (const batch of source.features())
    for (const { properties } of batch) {
      const location = properties[attribute.name];
      if (typeof location === 'string' && location !== '')
        files.push(path.resolve(place.folder, location.replace(/^file:(\/\/)?/, '')));
    }
  return files;
}

function imagesIn(folder: string, depth: number): string[] {
  if (depth > FOLDERS_DEEP_MAX) return [];
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return imagesIn(file, depth + 1);
    return IMAGE.test(entry.name) && entry.name !== 'sample_image' ? [file] : [];
  });
}
