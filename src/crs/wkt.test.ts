import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { REAL_DATA } from '../../test/real-data.ts';
import { findCrs, identifyWkt } from './index.ts';

const WGS84 =
  'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]';
const utm = (name: string, meridian: number, northing: number, base = WGS84) =>
  `PROJCS["${name}",${base},PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",${northing}],PARAMETER["Central_Meridian",${meridian}],PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]`;
const geographic = (name: string, datum: string, meridian = 0) =>
  `GEOGCS["${name}",DATUM["${datum}",SPHEROID["x",6378206.4,294.9786982]],PRIMEM["m",${meridian}],UNIT["Degree",0.0174532925199433]]`;

/** What it is, WKT, code. */
const CASES: readonly [string, string, string | undefined][] = [
  ['ESRI WGS 84', WGS84, 'EPSG:4326'],
  ['by authority', findCrs('EPSG:25832')!.wkt!, 'EPSG:25832'],
  [
    'WKT 2',
    'GEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]],CS[ellipsoidal,2],AXIS["lat",north],AXIS["lon",east],UNIT["degree",0.0174532925199433],ID["EPSG",4326]]',
    'EPSG:4326',
  ],
  ['NAD27', geographic('GCS_North_American_1927', 'D_North_American_1927'), 'EPSG:4267'],
  ['NAD83', geographic('GCS_North_American_1983', 'D_North_American_1983'), 'EPSG:4269'],
  ['known by its datum only', geographic('my data', 'D_North_American_1927'), 'EPSG:4267'],
  ['another meridian', geographic('my data', 'Nouvelle_Triangulation_Francaise', 2.5969213), undefined],
  ['ESRI UTM', utm('WGS_1984_UTM_Zone_33N', 15, 0), 'EPSG:32633'],
  ['ESRI UTM south', utm('WGS_1984_UTM_Zone_33S', 15, 10000000), 'EPSG:32733'],
  ['UTM under another name', utm('unnamed', 9, 0), 'EPSG:32632'],
  [
    'UTM on NAD27 under another name',
    utm('x', -105, 0, geographic('GCS_North_American_1927', 'D_North_American_1927')),
    'EPSG:26713',
  ],
  ['a name that its parameters belie', utm('WGS_1984_UTM_Zone_33N', 16, 0), undefined],
  [
    'ESRI web Mercator',
    `PROJCS["WGS_1984_Web_Mercator_Auxiliary_Sphere",${WGS84},PROJECTION["Mercator_Auxiliary_Sphere"],PARAMETER["False_Easting",0.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",0.0],PARAMETER["Standard_Parallel_1",0.0],PARAMETER["Auxiliary_Sphere_Type",0.0],UNIT["Meter",1.0]]`,
    'EPSG:3857',
  ],
  ['nothing', '', undefined],
  ['no WKT', 'hello', undefined],
  ['cut off', WGS84.slice(0, 60), undefined],
  ['too deep', 'GEOGCS['.repeat(60), undefined],
];

for (const [title, wkt, code] of CASES) test(`${title} is ${code}`, () => assert.equal(identifyWkt(wkt), code));

const data = REAL_DATA;
test('every .prj of the example directories', { skip: !existsSync(data) && `${data} is not there` }, () => {
  const counts: Record<string, number> = {};
  for (const file of globSync(path.join(data, '**/*.prj'))) {
    const code = identifyWkt(readFileSync(file, 'latin1'));
    assert.ok(code, file);
    counts[code] = (counts[code] ?? 0) + 1;
  }
  assert.deepEqual(Object.keys(counts).sort(), ['EPSG:26713', 'EPSG:32633', 'EPSG:4283', 'EPSG:4326']);
});
