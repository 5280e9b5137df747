import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TreePath } from '../../tree/index.ts';
import { readObject } from './index.ts';

const read = (path: string, xml: string) => readObject(path as TreePath, Buffer.from(xml));
const part = (path: string, xml: string, ...keys: readonly string[]) => {
  const object = read(path, xml) as unknown as Record<string, unknown>;
  return Object.fromEntries(keys.map((key) => [key, object[key]]));
};

const FT = 'workspaces/topp/pg/roads/featuretype.xml';
const LAYER = 'workspaces/topp/pg/roads/layer.xml';
const GROUP = 'layergroups/map.xml';
const featureType = (inner: string) =>
  `<featureType><id>f</id><name>roads</name><namespace><id>n</id></namespace><store class="dataStore"><id>s</id></store>${inner}</featureType>`;
const layer = (inner: string) => `<layer><id>l</id><resource class="featureType"><id>f</id></resource>${inner}</layer>`;
const group = (inner: string) => `<layerGroup><id>g</id><name>map</name>${inner}</layerGroup>`;

describe('what a file is follows from its path', () => {
  const cases: readonly [path: string, root: string, kind: string | undefined][] = [
    ['workspaces/a/workspace.xml', '<workspace><id>i</id><name>a</name></workspace>', 'workspace'],
    ['workspaces/default.xml', '<workspace><id>i</id><name>a</name></workspace>', 'workspace'],
    ['workspaces/a/styles/s.xml', '<style><id>i</id><name>s</name></style>', 'style'],
    ['styles/s.xml', '<StyledLayerDescriptor/>', undefined],
    ['styles/icons/s.xml', '<style/>', undefined],
    ['workspaces/a/styles/point/featuretype.xml', '<featureType/>', undefined],
    ['gwc-gs.xml', '<GeoServerGWCConfig/>', undefined],
    ['wms.xml', '<wms/>', 'service'],
    ['workspaces/a/wfs.xml', '<wfs/>', 'service'],
    ['data/x/datastore.xml', '<dataStore/>', undefined],
    ['security/config.xml', '<security/>', undefined],
    ['workspaces/a/b/c/d/layer.xml', '<layer/>', undefined],
  ];
  for (const [path, xml, kind] of cases) test(path, () => assert.equal(read(path, xml)?.kind, kind));
});

describe('old and new spellings read alike', () => {
  const cases: readonly [name: string, actual: () => unknown, expected: unknown][] = [
    [
      'reference as plain text',
      () => part(LAYER, layer('<defaultStyle>point</defaultStyle>'), 'defaultStyleId'),
      { defaultStyleId: 'point' },
    ],
    [
      'reference by name',
      () => part(LAYER, layer('<defaultStyle><name>point</name></defaultStyle>'), 'defaultStyleId'),
      { defaultStyleId: 'point' },
    ],
    [
      'reference by name and workspace',
      () =>
        part(
          LAYER,
          layer('<defaultStyle><name>p</name><workspace><name>w</name></workspace></defaultStyle>'),
          'defaultStyleId',
        ),
      { defaultStyleId: 'w:p' },
    ],
    [
      'reference by name and plain workspace',
      () => part(LAYER, layer('<defaultStyle><name>p</name><workspace>w</workspace></defaultStyle>'), 'defaultStyleId'),
      { defaultStyleId: 'w:p' },
    ],
    [
      'no reference',
      () => part(LAYER, layer('<defaultStyle/>'), 'defaultStyleId', 'queryable', 'opaque', 'type'),
      { defaultStyleId: undefined, queryable: true, opaque: false, type: 'VECTOR' },
    ],
    [
      'type by the class of the resource',
      () => part(LAYER, '<layer><id>l</id><resource class="coverage"><id>c</id></resource></layer>', 'type'),
      { type: 'RASTER' },
    ],
    [
      'authority URLs of 2.1 as JSON among the metadata',
      () =>
        part(
          LAYER,
          layer('<metadata><entry key="authorityURLs">[{"name":"a","href":"http://a"}]</entry></metadata>'),
          'authorityUrls',
        ),
      { authorityUrls: [{ name: 'a', href: 'http://a' }] },
    ],
    [
      'attribution that says nothing',
      () =>
        part(
          LAYER,
          layer('<attribution><logoWidth>0</logoWidth><logoHeight>0</logoHeight></attribution>'),
          'attribution',
        ),
      { attribution: undefined },
    ],
    [
      'layers of a group before 2.3',
      () =>
        part(
          GROUP,
          group('<layers><layer><id>a</id></layer><layer><id>b</id></layer></layers>'),
          'publishables',
          'styleIds',
        ),
      {
        publishables: [
          { type: 'layer', id: 'a' },
          { type: 'layer', id: 'b' },
        ],
        styleIds: [undefined, undefined],
      },
    ],
    [
      'slots of a group',
      () =>
        part(
          GROUP,
          group(
            '<publishables><published type="layerGroup"><id>a</id></published><published/></publishables><styles><style/><style><id>s</id></style></styles>',
          ),
          'publishables',
          'styleIds',
          'mode',
        ),
      { publishables: [{ type: 'layerGroup', id: 'a' }, undefined], styleIds: [undefined, 's'], mode: 'SINGLE' },
    ],
    [
      'sldVersion',
      () =>
        part(
          'styles/s.xml',
          '<style><id>i</id><name>s</name><sldVersion><version>1.1.0</version></sldVersion></style>',
          'languageVersion',
          'format',
          'filename',
        ),
      { languageVersion: '1.1.0', format: 'sld', filename: 's.sld' },
    ],
    [
      'flat global.xml',
      () =>
        part(
          'global.xml',
          '<global><charset>ISO-8859-1</charset><proxyBaseUrl>http://p</proxyBaseUrl><updateSequence>7</updateSequence></global>',
          'charset',
          'proxyBaseUrl',
          'updateSequence',
          'numDecimals',
        ),
      { charset: 'ISO-8859-1', proxyBaseUrl: 'http://p', updateSequence: 7, numDecimals: 4 },
    ],
    [
      'settings in global.xml, with their wrapped map',
      () =>
        part(
          'global.xml',
          '<global><settings><numDecimals>8</numDecimals><metadata><map><entry><string>quietOnNotFound</string><boolean>true</boolean></entry></map></metadata></settings></global>',
          'numDecimals',
          'quietOnNotFound',
        ),
      { numDecimals: 8, quietOnNotFound: true },
    ],
    [
      'local settings refer to their workspace in full',
      () =>
        part(
          'workspaces/a/settings.xml',
          '<settings><workspace><id>w</id><name>a</name></workspace></settings>',
          'workspaceId',
        ),
      { workspaceId: 'w' },
    ],
    [
      'logging profile with its suffix',
      () => part('logging.xml', '<logging><level>VERBOSE_LOGGING.properties</level></logging>', 'level'),
      { level: 'VERBOSE_LOGGING' },
    ],
    [
      'resource defaults',
      () => part(FT, featureType(''), 'enabled', 'advertised', 'projectionPolicy', 'nativeName', 'keywords'),
      { enabled: false, advertised: true, projectionPolicy: 'FORCE_DECLARED', nativeName: 'roads', keywords: [] },
    ],
    [
      'envelope in Java notation',
      () =>
        part(
          FT,
          featureType(
            '<nativeBoundingBox><minx>-2.0037508342789244E7</minx><maxx>1.0</maxx><miny>-1.0E-5</miny><maxy>4</maxy><crs class="projected">EPSG:3857</crs></nativeBoundingBox>',
          ),
          'nativeBoundingBox',
        ),
      { nativeBoundingBox: { minx: -20037508.342789244, maxx: 1, miny: -0.00001, maxy: 4, crs: 'EPSG:3857' } },
    ],
    [
      'envelope without numbers',
      () =>
        part(
          FT,
          featureType('<latLonBoundingBox><minx>NaN</minx><maxx>1</maxx></latLonBoundingBox>'),
          'latLonBoundingBox',
        ),
      { latLonBoundingBox: undefined },
    ],
    [
      'SQL view',
      () =>
        part(
          FT,
          featureType(
            '<metadata><entry key="cachingEnabled">false</entry><entry key="JDBC_VIRTUAL_TABLE"><virtualTable><name>v</name><sql>select &gt;\n 1</sql><keyColumn>gid</keyColumn><geometry><name>geom</name><type>Point</type><srid>4326</srid></geometry><parameter><name>p</name><defaultValue>1</defaultValue></parameter></virtualTable></entry></metadata>',
          ),
          'virtualTable',
        ),
      {
        virtualTable: {
          name: 'v',
          sql: 'select >\n 1',
          keyColumns: ['gid'],
          geometries: [{ name: 'geom', type: 'Point', srid: 4326 }],
          parameters: [{ name: 'p', defaultValue: '1', regexpValidator: undefined }],
        },
      },
    ],
    [
      'the four syntaxes of a map',
      () =>
        part(
          'workspaces/a/s/datastore.xml',
          '<dataStore><id>i</id><name>s</name><workspace>a</workspace><connectionParameters><host>h</host><port><int>5</int></port><entry key="user">u</entry><entry><string>passwd</string><string>p</string></entry><entry><string>none</string><null/></entry></connectionParameters></dataStore>',
          'connectionParameters',
          'workspaceId',
        ),
      { connectionParameters: { host: 'h', port: '5', user: 'u', passwd: 'p' }, workspaceId: 'a' },
    ],
  ];
  for (const [name, actual, expected] of cases) test(name, () => assert.deepEqual(actual(), expected));
});

describe('what cannot be understood is refused with a reason', () => {
  const cases: readonly [path: string, xml: string, message: RegExp][] = [
    [FT, '<featureType>', /not closed/],
    [FT, '<coverage/>', /the root element is <coverage>, not <featureType>/],
    [FT, '<featureType><id>f</id><store><id>s</id></store></featureType>', /<name> is missing/],
    [FT, featureType('<maxFeatures>many</maxFeatures>'), /<maxFeatures> is not a number: many/],
    [LAYER, layer('<type>vector</type>'), /<type> is vector, not one of VECTOR, RASTER/],
    ['workspaces/a/workspace.xml', '<workspace/>', /<name> is missing/],
  ];
  for (const [path, xml, message] of cases)
    test(`${path}: ${xml.slice(0, 50)}`, () => assert.throws(() => read(path, xml), { message }));
});
