/**
 * The program of a drawing process. It draws one picture after another, each on a map of its own with data sources of
 * its own: Mapnik crashes when maps share them. It keeps maps, because opening data takes longer than drawing it.
 */
import { createRequire } from 'node:module';
import { LRUCache } from 'lru-cache';
import { prepareMapnik } from './boot.ts';
import type { MapnikImage, MapnikMap, MapnikModule, MapnikView } from './mapnik.d.ts';
import type { ChildMessage, DrawMessage } from './protocol.ts';

/** Most maps that are kept, and most characters of their XML together: inline data count. */
const MAPS_MAX = 200;
const XML_LENGTH_MAX = 64 * 1024 * 1024;

const paths = prepareMapnik();
const mapnik = createRequire(import.meta.url)('@mapnik/mapnik') as MapnikModule;
mapnik.register_fonts(paths.fonts, { recurse: true });
for (const folder of (process.env.GRATICULE_FONTS ?? '').split(':').filter((f) => f !== ''))
  mapnik.register_fonts(folder, { recurse: true });
mapnik.register_datasources(paths.inputPlugins);

const maps = new LRUCache<string, MapnikMap>({
  max: MAPS_MAX,
  maxSize: XML_LENGTH_MAX,
  maxEntrySize: XML_LENGTH_MAX,
  sizeCalculation: () => 1,
});
const CLEAR = new mapnik.Color(0, 0, 0, 0);
let generation = 0;

/** Format words of Mapnik's encoder. Opaque pictures need no alpha; light compression is half as slow for a tenth more. */
function encoding(format: DrawMessage['format'], opaque: boolean): string {
  switch (format) {
    case 'image/png':
      return opaque ? 'png24:z=3' : 'png32:z=3';
    case 'image/png8':
      return 'png8:m=o:z=3';
    case 'image/jpeg':
      return 'jpeg85';
  }
}

function load(xml: string): Promise<MapnikMap> {
  return new Promise((resolve, reject) => {
    const map = new mapnik.Map(256, 256);
    map.fromString(xml, { strict: true }, (error, loaded) => {
      if (error) return reject(error);
      loaded.aspect_fix_mode = mapnik.Map.ASPECT_RESPECT;
      resolve(loaded);
    });
  });
}

/** Mapnik silently keeps the old size of a map that is asked to become smaller than this. */
const SIDE_MIN = 16;

/** A picture too small for Mapnik is drawn larger, to the right and downwards, and cut. */
async function render(map: MapnikMap, job: DrawMessage): Promise<MapnikImage | MapnikView> {
  const width = Math.max(SIDE_MIN, job.width);
  const height = Math.max(SIDE_MIN, job.height);
  const [minx, miny, maxx, maxy] = job.extent;
  map.resize(width, height);
  map.extent = [minx, maxy - ((maxy - miny) * height) / job.height, minx + ((maxx - minx) * width) / job.width, maxy];
  map.background = job.background === undefined ? CLEAR : new mapnik.Color(...job.background, 255);
  const options = { buffer_size: job.bufferPx, scale: job.scale, scale_denominator: job.scaleDenominator };
  const image = await new Promise<MapnikImage>((resolve, reject) =>
    map.render(new mapnik.Image(width, height), options, (error, drawn) => (error ? reject(error) : resolve(drawn))),
  );
  return width === job.width && height === job.height ? image : image.view(0, 0, job.width, job.height);
}

function encode(image: MapnikImage | MapnikView, format: string): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    image.encode(format, (error, bytes) => (error ? reject(error) : resolve(bytes))),
  );
}

async function draw(job: DrawMessage): Promise<ChildMessage> {
  if (job.generation > generation) {
    generation = job.generation;
    maps.clear();
    mapnik.clearCache();
  }
  let map = maps.get(job.key);
  if (map === undefined) {
    if (job.xml === undefined) return { kind: 'unknown', id: job.id };
    map = await load(job.xml);
    maps.set(job.key, map, { size: Math.max(1, job.xml.length) });
  }
  try {
    const image = await render(map, job);
    const bytes = await encode(image, encoding(job.format, job.background !== undefined));
    return { kind: 'drawn', id: job.id, bytes, rssBytes: process.memoryUsage.rss() };
  } catch (error) {
    // A data source may have been left in a state that fails again.
    maps.delete(job.key);
    throw error;
  }
}

function send(message: ChildMessage): void {
  if (process.connected) process.send?.(message);
}

let queue: Promise<void> = Promise.resolve();
process.on('message', (job: DrawMessage) => {
  queue = queue.then(async () => {
    try {
      send(await draw(job));
    } catch (error) {
      send({ kind: 'failed', id: job.id, message: error instanceof Error ? error.message : String(error) });
    }
  });
});
// Leaving in the middle of a rendering can crash, so what is under way is finished.
process.on('disconnect', () => void queue.then(() => process.exit(0)));
// The parent decides when this process ends: an interrupt at the terminal reaches both.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

send({ kind: 'ready', faces: mapnik.fonts(), version: mapnik.versions.mapnik });
