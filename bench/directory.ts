/** Data directories of any size, as GeoServer would have written them; the same bytes for the same size. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Layers of one workspace: as many as one rename moves. */
const WORKSPACE_LAYERS = 10_000;
const STORE_LAYERS = 1_000;

/** Number as GeoServer's ids have it. */
const hex = (n: number) => (0x7fff_ffff - n).toString(16);
const id = (kind: string, n: number) => `${kind}InfoImpl--2f1a${(n % 7) + 1}c60:19a3e4d52b1:-${hex(n)}`;

const CRS = `GEOGCS[&quot;WGS 84&quot;, 
  DATUM[&quot;World Geodetic System 1984&quot;, 
    SPHEROID[&quot;WGS 84&quot;, 6378137.0, 298.257223563, AUTHORITY[&quot;EPSG&quot;,&quot;7030&quot;]], 
    AUTHORITY[&quot;EPSG&quot;,&quot;6326&quot;]], 
  PRIMEM[&quot;Greenwich&quot;, 0.0, AUTHORITY[&quot;EPSG&quot;,&quot;8901&quot;]], 
  UNIT[&quot;degree&quot;, 0.017453292519943295], 
  AXIS[&quot;Geodetic longitude&quot;, EAST], 
  AXIS[&quot;Geodetic latitude&quot;, NORTH], 
  AUTHORITY[&quot;EPSG&quot;,&quot;4326&quot;]]`;

/** A feature type of 2.7 KB. */
function featureTypeXml(n: number, name: string, namespace: string, store: string): string {
  const west = -180 + (n % 3600) / 10;
  const south = -80 + (n % 1583) / 10;
  const box = `
    <minx>${west}</minx>
    <maxx>${west + 1.25}</maxx>
    <miny>${south}</miny>
    <maxy>${south + 0.75}</maxy>
    <crs>EPSG:4326</crs>`;
  const attributes = ['the_geom', 'gid', 'name', 'class', 'valid_from'].map(
    (attribute) => `
    <attribute>
      <name>${attribute}</name>
      <minOccurs>0</minOccurs>
      <maxOccurs>1</maxOccurs>
      <nillable>true</nillable>
    </attribute>`,
  );
  return `<featureType>
  <id>${id('FeatureType', n)}</id>
  <name>${name}</name>
  <nativeName>${name}</nativeName>
  <namespace>
    <id>${namespace}</id>
  </namespace>
  <title>Survey sheet ${n}</title>
  <abstract>Parcels and buildings of sheet ${n}, as surveyed and brought up to date in the field.</abstract>
  <keywords>
    <string>features</string>
    <string>${name}</string>
  </keywords>
  <nativeCRS>${CRS}</nativeCRS>
  <srs>EPSG:4326</srs>
  <nativeBoundingBox>${box}
  </nativeBoundingBox>
  <latLonBoundingBox>${box}
  </latLonBoundingBox>
  <projectionPolicy>FORCE_DECLARED</projectionPolicy>
  <enabled>true</enabled>
  <metadata>
    <entry key="cachingEnabled">false</entry>
    <entry key="elevation"><dimensionInfo><enabled>false</enabled></dimensionInfo></entry>
  </metadata>
  <store class="dataStore">
    <id>${store}</id>
  </store>
  <serviceConfiguration>false</serviceConfiguration>
  <maxFeatures>0</maxFeatures>
  <numDecimals>0</numDecimals>
  <padWithZeros>false</padWithZeros>
  <forcedDecimal>false</forcedDecimal>
  <overridingServiceSRS>false</overridingServiceSRS>
  <skipNumberMatched>false</skipNumberMatched>
  <circularArcPresent>false</circularArcPresent>
  <attributes>${attributes.join('')}
  </attributes>
</featureType>
`;
}

const layerXml = (n: number, name: string, style: string) => `<layer>
  <name>${name}</name>
  <id>${id('Layer', n)}</id>
  <type>VECTOR</type>
  <defaultStyle>
    <id>${style}</id>
  </defaultStyle>
  <resource class="featureType">
    <id>${id('FeatureType', n)}</id>
  </resource>
  <attribution>
    <logoWidth>0</logoWidth>
    <logoHeight>0</logoHeight>
  </attribution>
</layer>
`;

const tileLayerXml = (n: number, name: string) => `<GeoServerTileLayer>
  <id>${id('Layer', n)}</id>
  <enabled>true</enabled>
  <inMemoryCached>true</inMemoryCached>
  <name>${name}</name>
  <mimeFormats>
    <string>image/png</string>
    <string>image/jpeg</string>
  </mimeFormats>
  <gridSubsets>
    <gridSubset>
      <gridSetName>EPSG:900913</gridSetName>
    </gridSubset>
    <gridSubset>
      <gridSetName>EPSG:4326</gridSetName>
    </gridSubset>
  </gridSubsets>
  <metaWidthHeight>
    <int>4</int>
    <int>4</int>
  </metaWidthHeight>
  <expireCache>0</expireCache>
  <expireClients>0</expireClients>
</GeoServerTileLayer>
`;

const sld = `<?xml version="1.0" encoding="UTF-8"?>
<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld">
  <NamedLayer><Name>sheet</Name><UserStyle><FeatureTypeStyle><Rule><LineSymbolizer/></Rule></FeatureTypeStyle></UserStyle></NamedLayer>
</StyledLayerDescriptor>
`;

/** The files of a directory with so many layers: three a layer, and a few more for each store and workspace. */
export function* directoryFiles(layers: number): Generator<readonly [file: string, text: string]> {
  const styles = ['sheet', 'survey', 'plan'];
  for (const [i, name] of styles.entries()) {
    yield [
      `styles/${name}.xml`,
      `<style>
  <id>${id('Style', i)}</id>
  <name>${name}</name>
  <format>sld</format>
  <languageVersion>
    <version>1.0.0</version>
  </languageVersion>
  <filename>${name}.sld</filename>
</style>
`,
    ];
    yield [`styles/${name}.sld`, sld];
  }
  for (let n = 0; n < layers; n++) {
    const w = Math.floor(n / WORKSPACE_LAYERS);
    const s = Math.floor(n / STORE_LAYERS);
    const [workspace, store, name] = [`survey${w}`, `store${s}`, `sheet_${n}`];
    const folder = `workspaces/${workspace}/${store}`;
    if (n % WORKSPACE_LAYERS === 0) {
      yield [
        `workspaces/${workspace}/workspace.xml`,
        `<workspace>
  <id>${id('Workspace', w)}</id>
  <name>${workspace}</name>
  <isolated>false</isolated>
</workspace>
`,
      ];
      yield [
        `workspaces/${workspace}/namespace.xml`,
        `<namespace>
  <id>${id('Namespace', w)}</id>
  <prefix>${workspace}</prefix>
  <uri>http://survey.example/${workspace}</uri>
  <isolated>false</isolated>
</namespace>
`,
      ];
    }
    if (n % STORE_LAYERS === 0)
      yield [
        `${folder}/datastore.xml`,
        `<dataStore>
  <id>${id('DataStore', s)}</id>
  <name>${store}</name>
  <type>PostGIS</type>
  <enabled>true</enabled>
  <workspace>
    <id>${id('Workspace', w)}</id>
  </workspace>
  <connectionParameters>
    <entry key="dbtype">postgis</entry>
    <entry key="host">db.survey.example</entry>
    <entry key="database">${store}</entry>
  </connectionParameters>
</dataStore>
`,
      ];
    yield [`${folder}/${name}/featuretype.xml`, featureTypeXml(n, name, id('Namespace', w), id('DataStore', s))];
    yield [`${folder}/${name}/layer.xml`, layerXml(n, name, id('Style', n % styles.length))];
    yield [`gwc-layers/${id('Layer', n).replaceAll(':', '_')}.xml`, tileLayerXml(n, `${workspace}:${name}`)];
  }
}

/** Writes such a directory; returns the hash of all that is in it. */
export function makeDirectory(dir: string, layers: number): { readonly files: number; readonly hash: string } {
  const hash = createHash('sha256');
  const made = new Set<string>();
  let files = 0;
  for (const [file, text] of directoryFiles(layers)) {
    const target = path.join(dir, file);
    const folder = path.dirname(target);
    if (!made.has(folder)) {
      mkdirSync(folder, { recursive: true });
      made.add(folder);
    }
    writeFileSync(target, text);
    hash.update(`${file}\0${text}\0`);
    files++;
  }
  return { files, hash: hash.digest('hex').slice(0, 16) };
}
