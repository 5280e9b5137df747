import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { SaxesParser } from 'saxes';
import { REAL_DATA } from '../../test/real-data.ts';
import { escapeText, parseXml, trustedXml, XmlElement, XmlError, xml } from './index.ts';

suite('parsing', () => {
  const refused: readonly [what: string, document: string | Uint8Array, message: RegExp][] = [
    ['nothing', '', /no root element/],
    ['text only', 'hello <a/>', /outside the root/],
    ['an open element', '<a><b></b>', /<a> is not closed/],
    ['crossed elements', '<a><b></a></b>', /<\/b> expected/],
    ['two roots', '<a/><b/>', /after the root/],
    ['an unquoted attribute', '<a b=c/>', /not well-formed/],
    ['an attribute twice', '<a b="1" b="2"/>', /twice/],
    ['a bare ampersand', '<a>fish & chips</a>', /unknown entity/],
    ['an unknown entity', '<a>&nbsp;</a>', /unknown entity &nbsp;/],
    ['a reference to NUL', '<a>&#0;</a>', /unknown entity/],
    ['an open comment', '<a><!-- </a>', /comment is not closed/],
    ['an open CDATA section', '<a><![CDATA[x</a>', /CDATA section is not closed/],
    ['a control character', '<a>\u0001</a>', /does not allow/],
    ['invalid UTF-8', Uint8Array.of(0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e), /not valid utf-8/],
    ['an unknown encoding', Buffer.from('<?xml version="1.0" encoding="klingon"?><a/>'), /unknown encoding klingon/],
    ['a document type', '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', /document type/],
    [
      'an external entity',
      '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
      /document type/,
    ],
    ['a bomb of entities', '<!DOCTYPE l [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><l>&b;</l>', /document type/],
    ['too much nesting', '<a>'.repeat(10_000), /nested deeper/],
    ['too many attributes', `<a ${Array.from({ length: 300 }, (_, i) => `b${i}=""`).join(' ')}/>`, /more than 256/],
  ];
  for (const [what, document, message] of refused) {
    test(`refuses ${what}`, () => assert.throws(() => parseXml(document), { name: 'XmlError', message }));
  }

  test('names line and column', () => {
    assert.throws(
      () => parseXml('<a>\n  <b>\n  </c>\n</a>'),
      (error) => error instanceof XmlError && error.line === 3 && error.column === 3,
    );
  });

  test('reads text, CDATA, references, attributes and namespaces', () => {
    const { root } = parseXml(
      '<a xmlns="urn:d" xmlns:x="urn:x" k="1&#x41;&quot;"><!-- c --><x:b>1 &lt; 2<![CDATA[ & 3]]></x:b><?p i?><b/></a>',
    );
    assert.equal(root.namespace, 'urn:d');
    assert.equal(root.attribute('k'), '1A"');
    assert.equal(root.child('x:b')?.namespace, 'urn:x');
    assert.equal(root.child('x:b')?.text, '1 < 2 & 3');
    assert.deepEqual(
      root.childrenNamed('b').map((e) => e.name),
      ['x:b', 'b'],
    );
  });

  test('reads what another parser reads', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ' ', '<', '&', '>', '"', 'é', '\n', ']', '😀') });
    const element: fc.Arbitrary<XmlElement> = fc.letrec<{ element: XmlElement }>((tie) => ({
      element: fc
        .tuple(
          fc.constantFrom('a', 'b:c', 'd-e.f', 'ü'),
          fc.dictionary(fc.constantFrom('k', 'l', 'm'), text),
          fc.oneof({ depthSize: 'small' }, text, fc.array(tie('element'), { maxLength: 3 })),
        )
        .map(([name, attributes, content]) => XmlElement.of(name, content, attributes)),
    })).element;
    fc.assert(
      fc.property(element, (generated) => {
        const printed = generated.toString();
        const events: string[] = [];
        const saxes = new SaxesParser({ xmlns: false });
        saxes.on('opentag', (tag) => void events.push(`<${tag.name} ${JSON.stringify(tag.attributes)}`));
        saxes.on('closetag', (tag) => void events.push(`/${tag.name}`));
        saxes.on('text', (t) => void events.push(t));
        saxes.write(printed).close();
        const ours: string[] = [];
        const walk = (e: XmlElement) => {
          ours.push(`<${e.name} ${JSON.stringify(e.attributes)}`);
          if (e.elements.length > 0) e.elements.forEach(walk);
          else if (e.text !== '') ours.push(e.text);
          ours.push(`/${e.name}`);
        };
        walk(parseXml(printed).root);
        assert.deepEqual(ours, events);
      }),
    );
  });
});

suite('changing', () => {
  const source = `<?xml version='1.0'?>
<!-- a head -->
<layer  a = 'x'>
  <name>roads</name><!-- note -->
  <style>
    <id>1</id>
  </style>
  <odd   b='"' />
</layer>
`;

  test('an untouched document is printed as it was read', () => {
    assert.equal(parseXml(source).toString(), source);
  });

  test('only what changed is printed anew', () => {
    const document = parseXml(source);
    document.root.find('style', 'id')!.setText('2');
    assert.equal(document.toString(), source.replace('<id>1</id>', '<id>2</id>'));
  });

  test('setting what is there already changes nothing', () => {
    const document = parseXml(source);
    document.root.child('name')!.setText('roads');
    assert.equal(document.root.changed, false);
  });

  test('a new child takes its place in the order, with white space like its neighbours', () => {
    const document = parseXml(source);
    document.root.setChild(XmlElement.of('title', 'Roads & rails'), ['name', 'title', 'style']);
    assert.equal(
      document.toString(),
      source.replace('<name>roads</name>', '<name>roads</name>\n  <title>Roads &amp; rails</title>'),
    );
  });

  test('removing a child removes the white space before it', () => {
    const document = parseXml(source);
    assert.equal(document.root.removeChildren('odd'), 1);
    assert.equal(document.toString(), source.replace(`\n  <odd   b='"' />`, ''));
  });

  test('bytes come back in the encoding they were read in', () => {
    const bytes = Buffer.from(`<?xml version="1.0" encoding="ISO-8859-1"?><a>Zürich</a>`, 'latin1');
    const document = parseXml(bytes);
    assert.equal(document.root.text, 'Zürich');
    assert.deepEqual(Buffer.from(document.toBytes()), bytes);
    document.root.setText('Łódź');
    assert.match(Buffer.from(document.toBytes()).toString('latin1'), /<a>&#321;\xf3d&#378;<\/a>/);
  });
});

suite('writing', () => {
  test('the template escapes every value but XML', () => {
    const item = xml`<i k="${'"<'}">${'a & b'}</i>`;
    assert.equal(item.text, '<i k="&quot;&lt;">a &amp; b</i>');
    assert.equal(xml`<l>${[item, null, false, 1]}${trustedXml('<t/>')}</l>`.text, `<l>${item.text}1<t/></l>`);
  });

  test('characters that XML cannot hold are left out', () => {
    assert.equal(escapeText('a\u0000b\u001fc'), 'abc');
  });
});

test('every document of real data directories survives reading and printing to the byte', {
  skip: !existsSync(REAL_DATA) && `needs ${REAL_DATA}`,
}, () => {
  let documents = 0;
  for (const entry of readdirSync(REAL_DATA, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(xml|sld)$/.test(entry.name)) continue;
    const file = path.join(entry.parentPath, entry.name);
    const bytes = readFileSync(file);
    try {
      const document = parseXml(bytes);
      assert.deepEqual(Buffer.from(document.toBytes()), bytes, file);
      documents++;
    } catch (error) {
      assert.ok(error instanceof XmlError, `${file}: ${error}`);
    }
  }
  assert.ok(documents > 4000, `${documents} documents`);
});
