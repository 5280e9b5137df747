import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseXml } from '../../xml/index.ts';
import {
  type Evaluated,
  evaluate,
  evaluateExpression,
  type Filter,
  FilterError,
  likeRegex,
  likeSql,
  mapGeometries,
  parseFilterXml,
  parseMixedXml,
  propertiesOf,
} from './index.ts';
import { likeMatches } from './like.ts';

const NAMESPACES =
  'xmlns:ogc="http://www.opengis.net/ogc" xmlns:fes="http://www.opengis.net/fes/2.0" xmlns:gml="http://www.opengis.net/gml"';
const filterOf = (body: string): Filter =>
  parseFilterXml(parseXml(`<ogc:Filter ${NAMESPACES}>${body}</ogc:Filter>`).root);

const feature: Evaluated = {
  id: 'roads.3',
  properties: { name: 'Main Street', n: 5, when: new Date('2020-06-15T12:00:00Z') },
  geometry: {
    type: 'LineString',
    coordinates: [
      [0, 0],
      [10, 10],
    ],
  },
};

const P = (name: string) => `<ogc:PropertyName>${name}</ogc:PropertyName>`;
const L = (value: string) => `<ogc:Literal>${value}</ogc:Literal>`;

const holds: [string, string, boolean][] = [
  ['equal', `<ogc:PropertyIsEqualTo>${P('topp:n')}${L('5')}</ogc:PropertyIsEqualTo>`, true],
  [
    'without case',
    `<ogc:PropertyIsEqualTo matchCase="false">${P('name')}${L('MAIN STREET')}</ogc:PropertyIsEqualTo>`,
    true,
  ],
  ['with case', `<ogc:PropertyIsEqualTo>${P('name')}${L('MAIN STREET')}</ogc:PropertyIsEqualTo>`, false],
  [
    'like',
    `<ogc:PropertyIsLike wildCard="*" singleChar="#" escape="!">${P('name')}${L('Ma#n*')}</ogc:PropertyIsLike>`,
    true,
  ],
  [
    'like, FES',
    `<fes:PropertyIsLike wildCard="%" singleChar="_" escapeChar="\\" matchCase="false"><fes:ValueReference>name</fes:ValueReference>${L('m%')}</fes:PropertyIsLike>`,
    true,
  ],
  [
    'between',
    `<ogc:PropertyIsBetween>${P('n')}<ogc:LowerBoundary>${L('5')}</ogc:LowerBoundary><ogc:UpperBoundary>${L('6')}</ogc:UpperBoundary></ogc:PropertyIsBetween>`,
    true,
  ],
  ['null', `<ogc:PropertyIsNull>${P('none')}</ogc:PropertyIsNull>`, true],
  [
    'and',
    `<ogc:And><ogc:PropertyIsGreaterThan>${P('n')}${L('4')}</ogc:PropertyIsGreaterThan><ogc:Not><ogc:PropertyIsNull>${P('n')}</ogc:PropertyIsNull></ogc:Not></ogc:And>`,
    true,
  ],
  ['ids', '<ogc:FeatureId fid="roads.1"/><ogc:FeatureId fid="roads.3"/>', true],
  ['resource id', '<fes:ResourceId rid="roads.4"/>', false],
  [
    'arithmetic',
    `<ogc:PropertyIsEqualTo><ogc:Add>${P('n')}<ogc:Mul>${L('2')}${L('3')}</ogc:Mul></ogc:Add>${L('11')}</ogc:PropertyIsEqualTo>`,
    true,
  ],
  [
    'function',
    `<ogc:PropertyIsEqualTo><ogc:Function name="strLength">${P('name')}</ogc:Function>${L('11')}</ogc:PropertyIsEqualTo>`,
    true,
  ],
  [
    'bbox',
    `<ogc:BBOX>${P('geom')}<gml:Envelope srsName="EPSG:4326"><gml:lowerCorner>9 9</gml:lowerCorner><gml:upperCorner>12 12</gml:upperCorner></gml:Envelope></ogc:BBOX>`,
    true,
  ],
  ['bbox, GML 2', '<ogc:BBOX><gml:Box><gml:coordinates>11,11 12,12</gml:coordinates></gml:Box></ogc:BBOX>', false],
  [
    'intersects',
    `<ogc:Intersects>${P('geom')}<gml:LineString><gml:posList>0 10 10 0</gml:posList></gml:LineString></ogc:Intersects>`,
    true,
  ],
  [
    'within a polygon',
    `<ogc:Within>${P('geom')}<gml:Polygon><gml:exterior><gml:LinearRing><gml:posList>-1 -1 11 -1 11 11 -1 11 -1 -1</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></ogc:Within>`,
    true,
  ],
  [
    'within a polygon with a notch',
    `<ogc:Within>${P('geom')}<gml:Polygon><gml:outerBoundaryIs><gml:LinearRing><gml:coordinates>-1,-1 11,-1 11,11 5,2 -1,11 -1,-1</gml:coordinates></gml:LinearRing></gml:outerBoundaryIs></gml:Polygon></ogc:Within>`,
    false,
  ],
  [
    'dwithin',
    `<ogc:DWithin>${P('geom')}<gml:Point><gml:pos>0 2</gml:pos></gml:Point><ogc:Distance units="m">1.5</ogc:Distance></ogc:DWithin>`,
    true,
  ],
  [
    'during',
    `<fes:During><fes:ValueReference>when</fes:ValueReference><gml:TimePeriod><gml:begin><gml:TimeInstant><gml:timePosition>2020-01-01</gml:timePosition></gml:TimeInstant></gml:begin><gml:end><gml:TimeInstant><gml:timePosition>2021-01-01</gml:timePosition></gml:TimeInstant></gml:end></gml:TimePeriod></fes:During>`,
    true,
  ],
];

for (const [name, body, expected] of holds)
  test(`filter in XML: ${name}`, () => assert.equal(evaluate(filterOf(body), feature), expected));

test('wrong filters say what and where', () => {
  for (const [body, message] of [
    ['', /is empty/],
    ['<ogc:Nonsense/>', /<ogc:Nonsense> is not a condition/],
    [`<ogc:PropertyIsEqualTo>${P('n')}</ogc:PropertyIsEqualTo>`, /needs 2 expressions, not 1/],
    ['<ogc:Not/>', /needs one condition/],
    [
      `<ogc:PropertyIsNull>${P('a')}</ogc:PropertyIsNull><ogc:PropertyIsNull>${P('b')}</ogc:PropertyIsNull>`,
      /put them into And or Or/,
    ],
  ] as const)
    assert.throws(
      () => filterOf(body),
      (error) => error instanceof FilterError && message.test(error.message) && error.offset !== undefined,
    );
});

test('mixed content becomes one expression', () => {
  const label = (body: string) => {
    const expression = parseMixedXml(parseXml(`<Label ${NAMESPACES}>${body}</Label>`).root);
    return expression === undefined ? undefined : evaluateExpression(expression, feature);
  };
  assert.equal(label(''), undefined);
  assert.equal(label('  hello  '), 'hello');
  assert.equal(label(P('name')), 'Main Street');
  assert.equal(label(`\n  ${P('name')}\n  <![CDATA[ - ]]>\n  ${P('n')}\n`), 'Main Street - 5');
  assert.equal(label(`No. ${P('n')} of it`), 'No. 5 of it');
});

test('geometries of a filter can be changed, and its attributes listed', () => {
  const filter = filterOf(
    `<ogc:And><ogc:BBOX>${P('geom')}<gml:Envelope srsName="urn:ogc:def:crs:EPSG::4326"><gml:lowerCorner>9 1</gml:lowerCorner><gml:upperCorner>12 2</gml:upperCorner></gml:Envelope></ogc:BBOX><ogc:PropertyIsNull>${P('a:b')}</ogc:PropertyIsNull></ogc:And>`,
  );
  const seen: (string | undefined)[] = [];
  const flipped = mapGeometries(filter, (g, crs) => {
    seen.push(crs);
    assert.equal(g.type, 'Polygon');
    return { type: 'Polygon', coordinates: (g as GeoJSON.Polygon).coordinates.map((r) => r.map(([x, y]) => [y!, x!])) };
  });
  assert.deepEqual(seen, ['urn:ogc:def:crs:EPSG::4326']);
  assert.deepEqual((flipped as unknown as { filters: unknown[] }).filters[0], {
    kind: 'bbox',
    value: { kind: 'property', name: 'geom' },
    box: [1, 9, 2, 12],
  });
  assert.deepEqual([...propertiesOf(filter)], ['geom', 'b']);
});

test('like patterns: the matcher, the regular expression and the parts agree', () => {
  const piece = fc.constantFrom('a', 'b', '*', '?', '\\', '.', '(', 'é');
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 8 }),
      fc.array(fc.constantFrom('a', 'b', '.', '*', 'é', '\\'), { maxLength: 10 }),
      (p, t) => {
        const like = {
          kind: 'like',
          value: { kind: 'literal', value: '' },
          pattern: p.join(''),
          wildcard: '*',
          single: '?',
          escape: '\\',
          matchCase: true,
        } as const;
        const text = t.join('');
        assert.equal(likeMatches(like, text), new RegExp(`^${likeRegex(like)}$`, 'su').test(text));
      },
    ),
  );
  assert.equal(likeSql({ pattern: '10%*_?!*', wildcard: '*', single: '?', escape: '!' }), '10\\%%\\__*');
});
