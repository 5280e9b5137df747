import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Graticule's own version. */
export const VERSION = manifest.version;

/** The GeoServer release whose REST API, formats and quirks are served; clients parse it out of `about/version`. */
export const GEOSERVER_VERSION = '2.27.0';
