/**
 * Makes Mapnik's npm package loadable where install scripts did not run.
 *
 * The package looks for two links and a settings file beside its addon, which its own install script would make: the
 * addon finds libmapnik.so through `lib`. We make them with relative links, so that the tree can be moved or copied.
 * Doing it twice, or in several processes at once, does no harm.
 */
import {
  existsSync,
  lstatSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

export interface MapnikPaths {
  readonly addon: string;
  readonly fonts: string;
  readonly inputPlugins: string;
  /** Program that writes the `.index` of a shapefile. */
  readonly shapeIndex: string;
  /** What Mapnik's libraries read from the environment; variables of another GDAL or PROJ would mislead them. */
  readonly environment: Readonly<Record<string, string>>;
}

const SETTINGS = `var path = require('path');
module.exports.paths = {
  fonts: path.join(__dirname, '../../lib/mapnik/fonts'),
  input_plugins: path.join(__dirname, 'lib/mapnik/input'),
  mapnik_index: path.join(__dirname, 'bin/mapnik-index'),
  shape_index: path.join(__dirname, 'bin/shapeindex'),
};
module.exports.env = {
  ICU_DATA: path.join(__dirname, '../../share/icu'),
  GDAL_DATA: path.join(__dirname, '../../share/gdal'),
  PROJ_LIB: path.join(__dirname, '../../share/proj'),
};
`;

/**
 * @returns where Mapnik's parts are
 * @throws Error  this platform has no Mapnik, or the links cannot be made: the text says what to do
 */
export function prepareMapnik(): MapnikPaths {
  const platform = `${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  const root = locate(require, '@mapnik/mapnik');
  const core = locate(createRequire(path.join(root, 'package.json')), `@mapnik/core-${platform}`);
  const prebuilt = path.join(root, 'prebuilds', platform);
  for (const folder of ['lib', 'bin']) link(path.join(prebuilt, folder), path.join(core, folder));
  const settings = path.join(prebuilt, 'mapnik_settings.js');
  if (!existsSync(settings)) {
    attempt(prebuilt, () => {
      const temporary = `${settings}.${process.pid}`;
      writeFileSync(temporary, SETTINGS);
      renameSync(temporary, settings);
    });
  }
  return {
    addon: root,
    fonts: path.join(root, 'lib/mapnik/fonts'),
    inputPlugins: path.join(core, 'lib/mapnik/input'),
    shapeIndex: path.join(core, 'bin/shapeindex'),
    environment: {
      ICU_DATA: path.join(root, 'share/icu'),
      GDAL_DATA: path.join(root, 'share/gdal'),
      PROJ_LIB: path.join(root, 'share/proj'),
      PROJ_DATA: path.join(root, 'share/proj'),
      // A data set opened through a VRT must not be shared between maps that draw at once.
      VRT_SHARED_SOURCE: '0',
    },
  };
}

function locate(require: NodeJS.Require, name: string): string {
  try {
    return path.dirname(require.resolve(`${name}/package.json`));
  } catch (cause) {
    const platforms = 'Linux with glibc and macOS, x64 and arm64';
    throw new Error(`${name} is not installed: run npm ci, on a platform that Mapnik is built for (${platforms})`, {
      cause,
    });
  }
}

function link(from: string, to: string): void {
  if (existsSync(from) && realpathSync(from) === realpathSync(to)) {
    const isRelative = !lstatSync(from).isSymbolicLink() || !path.isAbsolute(readlinkSync(from));
    if (isRelative) return;
    try {
      replace(from, to);
    } catch {
      // An absolute link that works is good enough where nothing can be written.
    }
    return;
  }
  attempt(path.dirname(from), () => replace(from, to));
}

function replace(from: string, to: string): void {
  const temporary = `${from}.${process.pid}`;
  rmSync(temporary, { force: true });
  symlinkSync(path.relative(path.dirname(from), to), temporary);
  renameSync(temporary, from);
}

function attempt(folder: string, make: () => void): void {
  try {
    make();
  } catch (cause) {
    throw new Error(
      `Mapnik must be linked once in ${folder}, which cannot be written: run "npm rebuild @mapnik/mapnik" as the owner of node_modules (in a container: while the image is built)`,
      { cause },
    );
  }
}
