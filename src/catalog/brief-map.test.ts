import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseXml } from '../xml/index.ts';
import { complexValue, readMap, removeMapValue, setMapValue } from './brief-map.ts';

describe('setting a value keeps the spelling of the map', () => {
  const cases: readonly [before: string, key: string, value: string, after: string][] = [
    ['<m><entry key="a">1</entry></m>', 'a', '2', '<m><entry key="a">2</entry></m>'],
    ['<m><a>1</a></m>', 'a', '2', '<m><a>2</a></m>'],
    ['<m><a><int>1</int></a></m>', 'a', '2', '<m><a><int>2</int></a></m>'],
    [
      '<m><entry><string>a</string><string>1</string></entry></m>',
      'a',
      '2',
      '<m><entry><string>a</string><string>2</string></entry></m>',
    ],
    [
      '<m>\n  <entry key="a">1</entry>\n</m>',
      'b',
      '2',
      '<m>\n  <entry key="a">1</entry>\n  <entry key="b">2</entry>\n</m>',
    ],
    ['<m/>', 'b', '<&', '<m><entry key="b">&lt;&amp;</entry></m>'],
    ['<m><map/></m>', 'b', '2', '<m><map><entry><string>b</string><string>2</string></entry></map></m>'],
    ['<m> <entry key="a">1</entry> </m>', 'a', '1', '<m> <entry key="a">1</entry> </m>'],
  ];
  for (const [before, key, value, after] of cases)
    test(`${before} ${key}=${value}`, () => {
      const document = parseXml(before);
      setMapValue(document.root, key, value);
      assert.equal(document.toString(), after);
      assert.equal(readMap(document.root).get(key), value);
    });
});

test('removing an entry takes the white space before it along', () => {
  const document = parseXml('<m>\n  <entry key="a">1</entry>\n  <entry key="b">2</entry>\n</m>');
  assert.equal(removeMapValue(document.root, 'a'), true);
  assert.equal(removeMapValue(document.root, 'a'), false);
  assert.equal(document.toString(), '<m>\n  <entry key="b">2</entry>\n</m>');
});

test('complex values are not plain ones', () => {
  const { root } = parseXml('<m><entry key="time"><dimensionInfo><enabled>true</enabled></dimensionInfo></entry></m>');
  assert.equal(readMap(root).size, 0);
  assert.equal(complexValue(root, 'time')?.name, 'dimensionInfo');
  assert.equal(complexValue(root, 'other'), undefined);
});
