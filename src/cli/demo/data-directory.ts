import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { UserError } from '../../base/index.ts';
import { newSecurityFiles } from '../../security/index.ts';
import { isReplicated, type TreePath } from '../../tree/index.ts';
import { trustedXml, type Xml, xml } from '../../xml/index.ts';
import { type Bounds, type FeatureTable, wkt84, writeGeoPackage } from './geopackage.ts';
import { worldTables } from './world.ts';

const STYLES = path.join(import.meta.dirname, 'styles');
const WORLD_BOX: Bounds = [-180, -90, 180, 90];

interface DemoLayer {
  /** Table in the GeoPackage, and name of the layer. */
  readonly name: string;
  readonly abstract: string;
  readonly style: string;
  readonly otherStyles?: readonly string[];
}

/** Bottom of the map first. */
const LAYERS: readonly DemoLayer[] = [
  { name: 'ocean', abstract: 'One polygon around the world.', style: 'ne_ocean' },
  { name: 'graticule', abstract: 'Meridians and parallels each 10 degrees.', style: 'ne_graticule' },
  { name: 'circles', abstract: 'The equator, the tropics and the polar circles.', style: 'ne_circles' },
  { name: 'land', abstract: 'Land masses and islands, 1:50 million.', style: 'ne_land' },
  {
    name: 'countries',
    abstract: 'Countries, 1:50 million, with their area and a colour that differs from their neighbours.',
    style: 'ne_countries',
    otherStyles: ['ne_countries_by_area'],
  },
  { name: 'borders', abstract: 'Each border and coast once, as a line.', style: 'ne_borders' },
  { name: 'cities', abstract: 'Capitals and large cities with their inhabitants.', style: 'ne_cities' },
  { name: 'country_names', abstract: 'A point inside each country where its name fits.', style: 'ne_country_names' },
];

/** Layers of the group `world`. Countries cover the land; names of countries make way for cities. */
const WORLD = ['ocean', 'graticule', 'circles', 'countries', 'borders', 'cities', 'country_names'];

/**
 * Makes the demo's data directory: Natural Earth in a GeoPackage, styles, layers, one layer group, one user.
 * It is complete when it appears: it is made beside its place and renamed.
 *
 * @param salt  16 random bytes for the administrator's password
 */
export async function makeDemoDirectory(
  folder: string,
  options: { adminPassword: string; salt: Uint8Array },
): Promise<void> {
  const making = `${folder}.making`;
  rmSync(making, { recursive: true, force: true });
  const write = (file: string, content: string | Uint8Array | Xml) => {
    const full = path.join(making, file);
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, content instanceof Uint8Array ? content : String(content));
  };
  mkdirSync(path.join(making, 'data'), { recursive: true });
  const tables = worldTables();
  const bounds = writeGeoPackage(path.join(making, 'data/natural_earth.gpkg'), tables);
  write('data/README.txt', DATA_NOTE);
  for (const [file, content] of Object.entries(globalFiles())) write(file, content);
  for (const [file, content] of Object.entries(layerFiles(tables, bounds))) write(file, content);
  for (const file of readdirSync(STYLES, { recursive: true, encoding: 'utf8' }))
    if (/\.(?:sld|svg)$/.test(file)) write(`styles/${file}`, readFileSync(path.join(STYLES, file)));
  for (const file of await newSecurityFiles(options)) write(file.path, file.bytes);
  renameSync(making, folder);
}

/**
 * Copies somebody's data directory; the original is only read. What belongs to the node that ran on it stays behind.
 *
 * @throws UserError  it is no data directory
 */
export function copyDataDirectory(from: string, to: string): void {
  if (!existsSync(from)) throw new UserError(404, 'no-such-directory', `--from ${from}: there is no such folder`);
  const looksRight = ['global.xml', 'workspaces', 'styles', 'security'].some((name) =>
    existsSync(path.join(from, name)),
  );
  if (!looksRight)
    throw new UserError(
      400,
      'not-a-data-directory',
      `--from ${from}: this folder has neither global.xml nor workspaces/, so it is not a GeoServer data directory`,
    );
  const making = `${to}.making`;
  rmSync(making, { recursive: true, force: true });
  const belongs = (source: string) => {
    const relative = path.relative(from, source).split(path.sep).join('/');
    if (relative === '') return true;
    // Of a folder, what counts is whether a file in it could belong.
    return isReplicated((statSync(source).isDirectory() ? `${relative}/any.xml` : relative) as TreePath);
  };
  cpSync(from, making, { recursive: true, dereference: true, filter: belongs });
  // A copy of what may only be read is still to be written to.
  for (const entry of ['', ...readdirSync(making, { recursive: true, encoding: 'utf8' })]) {
    const full = path.join(making, entry);
    chmodSync(full, statSync(full).mode | 0o600);
  }
  renameSync(making, to);
}

const DATA_NOTE = `natural_earth.gpkg holds the countries of Natural Earth (https://www.naturalearthdata.com) at a scale of 1:50 million,
version 4.1.0, as packed in the npm package world-atlas, and what was computed from them. Natural Earth is in the public domain.
The cities are common knowledge, with rounded coordinates and numbers.
`;

// ---- global files

const ID = {
  workspace: 'WorkspaceInfoImpl-demo:ne',
  namespace: 'NamespaceInfoImpl-demo:ne',
  store: 'DataStoreInfoImpl-demo:natural_earth',
  style: (name: string) => `StyleInfoImpl-demo:${name}`,
  resource: (name: string) => `FeatureTypeInfoImpl-demo:${name}`,
  layer: (name: string) => `LayerInfoImpl-demo:${name}`,
};
const NAMESPACE_URI = 'https://www.naturalearthdata.com';

function globalFiles(): Record<string, Xml> {
  const workspace = xml`<workspace>
  <id>${ID.workspace}</id>
  <name>ne</name>
  <isolated>false</isolated>
</workspace>`;
  return {
    'global.xml': xml`<global>
  <settings>
    <id>SettingsInfoImpl-demo:global</id>
    <contact>
      <addressCity>Null Island</addressCity>
      <addressCountry>Atlantic Ocean</addressCountry>
      <contactOrganization>Graticule demo</contactOrganization>
      <contactPerson>The demo's keeper</contactPerson>
    </contact>
    <charset>UTF-8</charset>
    <title>Graticule demo</title>
    <numDecimals>8</numDecimals>
    <verbose>false</verbose>
    <verboseExceptions>false</verboseExceptions>
    <localWorkspaceIncludesPrefix>false</localWorkspaceIncludesPrefix>
  </settings>
  <updateSequence>1</updateSequence>
  <featureTypeCacheSize>0</featureTypeCacheSize>
  <globalServices>true</globalServices>
</global>`,
    'logging.xml': xml`<logging>
  <level>DEFAULT_LOGGING</level>
  <location>logs/geoserver.log</location>
  <stdOutLogging>true</stdOutLogging>
</logging>`,
    'wms.xml': xml`<wms>
  <id>wms</id>
  <enabled>true</enabled>
  <name>WMS</name>
  <title>Graticule demo: the world in maps</title>
  <maintainer>https://www.naturalearthdata.com</maintainer>
  <abstrct>Countries, cities and a graticule, drawn from Natural Earth by every node of a small cluster.</abstrct>
  <accessConstraints>NONE</accessConstraints>
  <fees>NONE</fees>
  <keywords>
    <string>Natural Earth</string>
    <string>world</string>
    <string>demo</string>
  </keywords>
  <citeCompliant>false</citeCompliant>
  <onlineResource>https://www.naturalearthdata.com</onlineResource>
  <schemaBaseURL>http://schemas.opengis.net</schemaBaseURL>
  <verbose>false</verbose>
  <srs>
    <string>4326</string>
    <string>3857</string>
    <string>3395</string>
    <string>3035</string>
    <string>3031</string>
    <string>3995</string>
  </srs>
  <bboxForEachCRS>false</bboxForEachCRS>
  <interpolation>Bilinear</interpolation>
  <maxBuffer>128</maxBuffer>
  <maxRequestMemory>65536</maxRequestMemory>
  <maxRenderingTime>60</maxRenderingTime>
  <maxRenderingErrors>1000</maxRenderingErrors>
</wms>`,
    'workspaces/default.xml': workspace,
    'workspaces/ne/workspace.xml': workspace,
    'workspaces/ne/namespace.xml': xml`<namespace>
  <id>${ID.namespace}</id>
  <prefix>ne</prefix>
  <uri>${NAMESPACE_URI}</uri>
  <isolated>false</isolated>
</namespace>`,
    'workspaces/ne/natural_earth/datastore.xml': xml`<dataStore>
  <id>${ID.store}</id>
  <name>natural_earth</name>
  <description>Natural Earth, public domain</description>
  <type>GeoPackage</type>
  <enabled>true</enabled>
  <workspace>
    <id>${ID.workspace}</id>
  </workspace>
  <connectionParameters>
    <entry key="dbtype">geopkg</entry>
    <entry key="database">file:data/natural_earth.gpkg</entry>
    <entry key="read_only">true</entry>
    <entry key="namespace">${NAMESPACE_URI}</entry>
  </connectionParameters>
  <__default>true</__default>
</dataStore>`,
    ...styleFiles(),
    ...groupFile(),
  };
}

function styleFiles(): Record<string, Xml> {
  const files: Record<string, Xml> = {};
  for (const file of readdirSync(STYLES).filter((name) => name.endsWith('.sld'))) {
    const name = path.basename(file, '.sld');
    files[`styles/${name}.xml`] = xml`<style>
  <id>${ID.style(name)}</id>
  <name>${name}</name>
  <format>sld</format>
  <languageVersion>
    <version>1.0.0</version>
  </languageVersion>
  <filename>${file}</filename>
</style>`;
  }
  return files;
}

function groupFile(): Record<string, Xml> {
  return {
    'layergroups/world.xml': xml`<layerGroup>
  <id>LayerGroupInfoImpl-demo:world</id>
  <name>world</name>
  <mode>SINGLE</mode>
  <title>The world</title>
  <abstractTxt>Ocean, graticule, countries, borders, cities and names as one map.</abstractTxt>
  <enabled>true</enabled>
  <advertised>true</advertised>
  <publishables>${WORLD.map(
    (name) => xml`
    <published type="layer">
      <id>${ID.layer(name)}</id>
    </published>`,
  )}
  </publishables>
  <styles>${WORLD.map(
    () => xml`
    <style/>`,
  )}
  </styles>
  <bounds>
    ${box(WORLD_BOX)}
  </bounds>
  <keywords>
    <string>world</string>
  </keywords>
</layerGroup>`,
  };
}

// ---- layers

function layerFiles(tables: readonly FeatureTable[], bounds: ReadonlyMap<string, Bounds>): Record<string, Xml> {
  const files: Record<string, Xml> = {};
  for (const layer of LAYERS) {
    const table = tables.find((candidate) => candidate.name === layer.name);
    const own = bounds.get(layer.name);
    if (table === undefined || own === undefined) throw new Error(`the demo has no table ${layer.name}`);
    const folder = `workspaces/ne/natural_earth/${layer.name}`;
    files[`${folder}/featuretype.xml`] = featureTypeXml(layer, table.title, own);
    files[`${folder}/layer.xml`] = layerXml(layer);
  }
  return files;
}

function featureTypeXml(layer: DemoLayer, title: string, bounds: Bounds): Xml {
  return xml`<featureType>
  <id>${ID.resource(layer.name)}</id>
  <name>${layer.name}</name>
  <nativeName>${layer.name}</nativeName>
  <namespace>
    <id>${ID.namespace}</id>
  </namespace>
  <title>${title}</title>
  <abstract>${layer.abstract}</abstract>
  <keywords>
    <string>Natural Earth</string>
    <string>${layer.name}</string>
  </keywords>
  <nativeCRS>${wkt84()}</nativeCRS>
  <srs>EPSG:4326</srs>
  <nativeBoundingBox>
    ${box(bounds)}
  </nativeBoundingBox>
  <latLonBoundingBox>
    ${box(bounds)}
  </latLonBoundingBox>
  <projectionPolicy>FORCE_DECLARED</projectionPolicy>
  <enabled>true</enabled>
  <store class="dataStore">
    <id>${ID.store}</id>
  </store>
  <serviceConfiguration>false</serviceConfiguration>
  <maxFeatures>0</maxFeatures>
  <numDecimals>0</numDecimals>
  <padWithZeros>false</padWithZeros>
  <forcedDecimal>false</forcedDecimal>
  <overridingServiceSRS>false</overridingServiceSRS>
  <skipNumberMatched>false</skipNumberMatched>
  <circularArcPresent>false</circularArcPresent>
</featureType>`;
}

function layerXml(layer: DemoLayer): Xml {
  const others = layer.otherStyles ?? [];
  return xml`<layer>
  <name>${layer.name}</name>
  <id>${ID.layer(layer.name)}</id>
  <type>VECTOR</type>
  <defaultStyle>
    <id>${ID.style(layer.style)}</id>
  </defaultStyle>${
    others.length > 0 &&
    xml`
  <styles class="linked-hash-set">${others.map(
    (style) => xml`
    <style>
      <id>${ID.style(style)}</id>
    </style>`,
  )}
  </styles>`
  }
  <resource class="featureType">
    <id>${ID.resource(layer.name)}</id>
  </resource>
  <attribution>
    <title>Natural Earth</title>
    <href>https://www.naturalearthdata.com</href>
    <logoWidth>0</logoWidth>
    <logoHeight>0</logoHeight>
  </attribution>
</layer>`;
}

function box([minx, miny, maxx, maxy]: Bounds): Xml {
  return trustedXml(
    `<minx>${minx}</minx>\n    <maxx>${maxx}</maxx>\n    <miny>${miny}</miny>\n    <maxy>${maxy}</maxy>\n    <crs>EPSG:4326</crs>`,
  );
}
