import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TreePath } from '../tree/index.ts';
import { parseXml, XmlElement } from '../xml/index.ts';
import { draftOf } from './draft.ts';
import { catalogOf, SMALL } from './testing/fixtures.ts';
import { boundingBoxElement, editXmlFile, formatDate, formatDouble, newId, setElement, setText } from './write.ts';

test('dates have an unpadded fraction', () => {
  assert.equal(formatDate(Date.UTC(2022, 7, 21, 15, 24, 36, 787)), '2022-08-21 15:24:36.787 UTC');
  assert.equal(formatDate(Date.UTC(2022, 7, 21, 15, 24, 36, 89)), '2022-08-21 15:24:36.89 UTC');
  assert.equal(formatDate(Date.UTC(2022, 7, 21, 15, 24, 36)), '2022-08-21 15:24:36.0 UTC');
});

describe('doubles are printed as Java does', () => {
  const cases: readonly [number, string][] = [
    [0, '0.0'],
    [-0, '-0.0'],
    [-180, '-180.0'],
    [10.5, '10.5'],
    [9999999, '9999999.0'],
    [10000000, '1.0E7'],
    [-20037508.342789244, '-2.0037508342789244E7'],
    [0.001, '0.001'],
    [0.0001, '1.0E-4'],
    [1e-7, '1.0E-7'],
    [1.5e300, '1.5E300'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
  ];
  for (const [value, text] of cases) test(text, () => assert.equal(formatDouble(value), text));
});

test('ids have the form of GeoServer, and follow from the randomness alone', () => {
  const half = newId('workspace', () => 0.5);
  assert.equal(half, 'WorkspaceInfoImpl-88888888:18888888888:-4800');
  assert.match(newId('wmsStore', Math.random), /^WMSStoreInfoImpl-[0-9a-f]{8}:1[0-9a-f]{10}:-[1-7][0-9a-f]{3}$/);
});

test('an envelope has its numbers in the order of the files', () => {
  const box = boundingBoxElement('bounds', { minx: 0, miny: 2, maxx: 1, maxy: 3, crs: 'EPSG:4326' });
  assert.equal(
    box.toString(),
    '<bounds><minx>0.0</minx><maxx>1.0</maxx><miny>2.0</miny><maxy>3.0</maxy><crs>EPSG:4326</crs></bounds>',
  );
});

describe('editing', () => {
  const STORE = 'workspaces/topp/pg/datastore.xml' as TreePath;

  test('leaves everything else as it is', () => {
    const draft = draftOf(catalogOf(SMALL));
    assert.equal(
      editXmlFile(draft, STORE, (root) => setText(root, 'name', 'other')),
      true,
    );
    const expected = SMALL[STORE]!.replace('<name>pg</name>', '<name>other</name>');
    assert.equal(Buffer.from(draft.read(STORE)!).toString(), expected);
  });

  test('records nothing when nothing changes', () => {
    const draft = draftOf(catalogOf(SMALL));
    assert.equal(
      editXmlFile(draft, STORE, (root) => setText(root, 'name', 'pg')),
      false,
    );
    assert.deepEqual(draft.operations, []);
  });

  test('puts new elements where GeoServer writes them, indented', () => {
    const { root } = parseXml(
      '<layer>\n  <name>a</name>\n  <resource class="featureType">\n    <id>f</id>\n  </resource>\n</layer>',
    );
    setElement(root, XmlElement.of('defaultStyle', [XmlElement.of('id', 's')]));
    setText(root, 'dateModified', 'now');
    assert.equal(
      root.toString(),
      '<layer>\n  <name>a</name>\n  <defaultStyle>\n    <id>s</id>\n  </defaultStyle>\n  <resource class="featureType">\n    <id>f</id>\n  </resource>\n  <dateModified>now</dateModified>\n</layer>',
    );
  });
});
