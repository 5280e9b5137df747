import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseXml } from '../xml/index.ts';
import { formatJson, type JsonOptions, javaDouble, parseJson } from './json.ts';
import { JsonError, parseLenientJson } from './lenient-json.ts';

const toJson = (text: string, options?: JsonOptions) => formatJson(parseXml(text).root, options);
const toXml = (text: string) => parseJson(text).toString();

describe('XML as JSON', () => {
  const leaves: [xml: string, json: string][] = [
    ['1', '1'],
    ['4326', '4326'],
    ['-20', '-20'],
    ['0', '0'],
    ['-0', '"-0"'],
    ['9223372036854775807', '9223372036854775807'],
    ['9223372036854775808', '"9223372036854775808"'],
    ['12345678901234567890', '"12345678901234567890"'],
    ['1.5', '1.5'],
    ['1.0', '1'],
    ['334499.0', '334499'],
    ['-0.5', '-0.5'],
    ['-2.0037508342789244E7', '-2.0037508342789244E7'],
    ['001', '"001"'],
    ['1.50', '"1.50"'],
    ['1e3', '"1e3"'],
    ['1.0E-5', '"1.0E-5"'],
    ['+1', '"+1"'],
    ['NaN', '"NaN"'],
    ['-inf', '"-inf"'],
    ['true', 'true'],
    ['false', 'false'],
    ['TRUE', '"TRUE"'],
    ['null', '"null"'],
    ['', '""'],
    ['a/b', '"a/b"'],
    ['a "b"', '"a \\"b\\""'],
  ];
  for (const [xml, json] of leaves)
    test(`the text ${xml || '(none)'} is ${json}`, () =>
      assert.equal(toJson(`<a><b>${xml}</b></a>`), `{"a":{"b":${json}}}`));

  const trees: [what: string, xml: string, json: string, options?: JsonOptions][] = [
    ['an empty root', '<workspaces/>', '{"workspaces":""}'],
    ['a single child is an object', '<k><string>a</string></k>', '{"k":{"string":"a"}}'],
    ['repeated children are an array', '<k><string>a</string><string>2</string></k>', '{"k":{"string":["a",2]}}'],
    ['repeated children that are apart', '<k><a>1</a><b>2</b><a>3</a></k>', '{"k":{"a":[1,3],"b":2}}'],
    ['attributes are texts', '<g dimension="2"><r>1</r></g>', '{"g":{"@dimension":"2","r":1}}'],
    [
      'text beside attributes is a text',
      '<m><entry key="port">5432</entry></m>',
      '{"m":{"entry":{"@key":"port","$":"5432"}}}',
    ],
    ['an attribute alone', '<m><entry key="port"/></m>', '{"m":{"entry":{"@key":"port"}}}'],
    ['null in a map', '<p><entry><string>k</string><null/></entry></p>', '{"p":{"entry":{"string":"k","null":""}}}'],
    ['namespaces are no attributes', '<a xmlns:x="urn:x"><b>1</b></a>', '{"a":{"b":1}}'],
    ['white space and comments are nothing', '<a>\n  <!-- c -->\n  <b>1</b>\n</a>', '{"a":{"b":1}}'],
    ['the underscore of a Java field', '<s><__default>false</__default></s>', '{"s":{"_default":false}}'],
    [
      'a link beside a name',
      '<a><w><name>x</name><atom:link href="h"/></w></a>',
      '{"a":{"w":{"name":"x","href":"h"}}}',
    ],
    ['a link alone', '<a><f><atom:link href="h"/></f></a>', '{"a":{"f":"h"}}'],
    [
      'a forced array',
      '<ws><w><name>x</name></w></ws>',
      '{"ws":{"w":[{"name":"x"}]}}',
      { array: (p, c) => p === 'ws' && c === 'w' },
    ],
    [
      'empty slots',
      '<styles><style>a</style><style/></styles>',
      '{"styles":{"style":["a","null"]}}',
      { nullSlots: ['style'] },
    ],
    ['text in the style of a name', '<layer><name>123</name></layer>', '{"layer":{"name":123}}'],
  ];
  for (const [what, xml, json, options] of trees) test(what, () => assert.equal(toJson(xml, options), json));
});

describe('JSON as XML', () => {
  const cases: [what: string, json: string, xml: string][] = [
    ['texts, numbers, booleans', '{"a":{"b":"x","c":5,"d":true}}', '<a><b>x</b><c>5</c><d>true</d></a>'],
    ['a number is its shortest text', '{"a":{"b":1.50}}', '<a><b>1.5</b></a>'],
    ['a number in Java’s notation', '{"a":{"b":-9.9E36,"c":1e3}}', '<a><b>-9.9E36</b><c>1000.0</c></a>'],
    ['an integer of any length', '{"a":{"b":12345678901234567890}}', '<a><b>12345678901234567890</b></a>'],
    [
      'single quotes and bare words',
      "{workspace:{name:foo,'title':'a b'}}",
      '<workspace><name>foo</name><title>a b</title></workspace>',
    ],
    ['arrays repeat', '{"k":{"string":["a","b"]}}', '<k><string>a</string><string>b</string></k>'],
    ['an array of one, the older form', '{"k":{"string":["a"]}}', '<k><string>a</string></k>'],
    [
      'an array of one object',
      '{"l":{"styles":[{"style":[{"name":"a"}]}]}}',
      '<l><styles><style><name>a</name></style></styles></l>',
    ],
    ['an empty array clears a collection', '{"f":{"keywords":[]}}', '<f><keywords/></f>'],
    ['an empty array within is nothing', '{"f":{"keywords":{"string":[]}}}', '<f><keywords/></f>'],
    ['an empty object', '{"f":{"keywords":{}}}', '<f><keywords/></f>'],
    ['an empty text', '{"f":{"keywords":""}}', '<f><keywords/></f>'],
    ['attributes and text', '{"m":{"entry":{"@key":"port","$":"5432"}}}', '<m><entry key="port">5432</entry></m>'],
    ['null is nil', '{"f":{"title":null}}', '<f><title xsi:nil="true"/></f>'],
    ['the underscore of a Java field', '{"s":{"_default":true}}', '<s><__default>true</__default></s>'],
    [
      'plain connection parameters',
      '{"d":{"connectionParameters":{"host":"x","max connections":5}}}',
      '<d><connectionParameters><entry key="host">x</entry><entry key="max connections">5</entry></connectionParameters></d>',
    ],
    [
      'connection parameters as entries',
      '{"d":{"connectionParameters":{"entry":[{"@key":"host","$":"x"}]}}}',
      '<d><connectionParameters><entry key="host">x</entry></connectionParameters></d>',
    ],
    ['only the first key counts', '{"a":{"b":1},"c":2}', '<a><b>1</b></a>'],
    ['escapes', '{"a":{"b":"\\u00e9\\n\\"<"}}', '<a><b>é\n"&lt;</b></a>'],
  ];
  for (const [what, json, xml] of cases) test(what, () => assert.equal(toXml(json), xml));

  const broken: [what: string, json: string, said: RegExp][] = [
    ['nothing', '', /line 1, column 1/],
    ['not closed', '{"a":{"b":1}', /line 1, column 13/],
    ['an array at the top', '[1]', /object with one key/],
    ['a text at the top', '"a"', /object with one key/],
    ['an empty object', '{}', /empty/],
    ['more after the end', '{"a":1} x', /more text/],
    ['a line further down', '{\n "a" {\n', /line 2/],
    ['a name that XML cannot have', '{"a":{"b c":1}}', /cannot be the name/],
    ['a key twice', '{"a":{"b":1,"b":2}}', /twice/],
    ['too deep', `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`, /deeper/],
    ['an array in an array', '{"a":{"b":[[1,2],[3]]}}', /several values/],
  ];
  for (const [what, json, said] of broken)
    test(`refused: ${what}`, () =>
      assert.throws(
        () => parseJson(json),
        (error) => error instanceof JsonError && said.test(error.message),
      ));
});

test('a tree survives the way through JSON and back', () => {
  const name = fc.constantFrom('name', 'title', 'entry', 'style', 'enabled');
  const text = fc.stringMatching(/^[a-z][a-z \-&<>"']{0,8}[a-z]$/);
  const { tree } = fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc
        .tuple(name, text)
        .map(([n, t]) => `<${n}>${t.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')}</${n}>`),
      fc.tuple(name, tie('tree')).map(([n, child]) => `<${n}>${child}</${n}>`),
    ),
  }));
  fc.assert(
    fc.property(tree, (body) => {
      const root = parseXml(`<root>${body}</root>`).root;
      assert.equal(parseJson(formatJson(root)).toString(), root.toString());
    }),
  );
});

test('strict JSON is read as JSON.parse reads it', () => {
  const plain = (value: unknown): unknown =>
    value instanceof Map
      ? Object.fromEntries([...value].map(([k, v]) => [k, plain(v)]))
      : Array.isArray(value)
        ? value.map(plain)
        : value !== null && typeof value === 'object'
          ? Number((value as { text: string }).text)
          : value;
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), (text) => {
      fc.pre(!/""\s*:|__proto__/.test(text) && !/-0(?![.0-9])/.test(text));
      assert.deepEqual(plain(parseLenientJson(text)), JSON.parse(text));
    }),
  );
});

test('doubles are printed as Java prints them', () => {
  const cases: [number, string][] = [
    [0, '0.0'],
    [-0, '-0.0'],
    [1, '1.0'],
    [-180, '-180.0'],
    [0.001, '0.001'],
    [0.0001, '1.0E-4'],
    [9999999, '9999999.0'],
    [1e7, '1.0E7'],
    [-20037508.342789244, '-2.0037508342789244E7'],
    [1.5e-7, '1.5E-7'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
  ];
  for (const [value, text] of cases) assert.equal(javaDouble(value), text);
});
