import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { REAL_DATA } from '../../../test/real-data.ts';
import { styleOf } from '../testing.ts';
import { StyleError } from '../types.ts';
import { chooseStyle, DEFAULT_STYLES, parseStyle, readSld, validateStyle } from './index.ts';
import type { PolygonSymbolizer, RasterSymbolizer, TextSymbolizer } from './model.ts';

const read = (content: string) => readSld(styleOf(content).bytes);
const symbolizer = <T>(content: string) =>
  read(content).layers[0]!.styles[0]!.featureTypeStyles[0]!.rules[0]!.symbolizers[0] as T;
const literal = (value: string) => ({ kind: 'literal', value });

test('a style in SLD 1.0 with all its levels', () => {
  const sld = readSld(
    Buffer.from(
      `<?xml version="1.0" encoding="ISO-8859-1"?>
<sld:StyledLayerDescriptor version="1.0.0" xmlns:sld="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc">
  <sld:Name>doc</sld:Name>
  <sld:NamedLayer><sld:Name>a:b</sld:Name>
    <sld:LayerFeatureConstraints><sld:FeatureTypeConstraint><ogc:Filter><ogc:PropertyIsNull><ogc:PropertyName>x</ogc:PropertyName></ogc:PropertyIsNull></ogc:Filter></sld:FeatureTypeConstraint></sld:LayerFeatureConstraints>
    <sld:NamedStyle><sld:Name>elsewhere</sld:Name></sld:NamedStyle>
    <sld:UserStyle><sld:Name>one</sld:Name><sld:Title>Stra\xdfen</sld:Title><sld:IsDefault>1</sld:IsDefault>
      <sld:FeatureTypeStyle>
        <sld:Rule><sld:Name>r1</sld:Name><sld:Title>Rule 1</sld:Title>
          <ogc:Filter><ogc:PropertyIsEqualTo><ogc:PropertyName>n</ogc:PropertyName><ogc:Literal>1</ogc:Literal></ogc:PropertyIsEqualTo></ogc:Filter>
          <sld:MinScaleDenominator>100</sld:MinScaleDenominator><sld:MaxScaleDenominator>2E5</sld:MaxScaleDenominator>
          <sld:LineSymbolizer><sld:stroke><sld:CssParameter name="stroke">#ff0000</sld:CssParameter><sld:CssParameter name="stroke-dasharray">5 2</sld:CssParameter></sld:stroke></sld:LineSymbolizer>
        </sld:Rule>
        <sld:Rule><sld:ElseFilter/></sld:Rule>
        <sld:VendorOption name="ruleEvaluation">first</sld:VendorOption>
      </sld:FeatureTypeStyle>
    </sld:UserStyle>
    <sld:UserStyle><sld:Name>two</sld:Name></sld:UserStyle>
  </sld:NamedLayer>
</sld:StyledLayerDescriptor>`,
      'latin1',
    ),
  );
  assert.deepEqual(sld.warnings, []);
  assert.equal(sld.version, '1.0.0');
  const layer = sld.layers[0]!;
  assert.deepEqual(
    [layer.name, layer.kind, layer.namedStyles, layer.filter?.kind],
    ['a:b', 'named', ['elsewhere'], 'null'],
  );
  const style = layer.styles[0]!;
  assert.deepEqual([style.name, style.title, style.isDefault], ['one', 'Straßen', true]);
  const [fts] = style.featureTypeStyles;
  assert.deepEqual(fts!.options, { ruleEvaluation: 'first' });
  const [first, second] = fts!.rules;
  assert.deepEqual(
    [first!.name, first!.minScale, first!.maxScale, first!.filter?.kind],
    ['r1', 100, 200_000, 'comparison'],
  );
  assert.equal(second!.elseFilter, true);
  const [lines] = first!.symbolizers;
  assert.equal(lines?.kind, 'line');
  assert.deepEqual(lines?.kind === 'line' && lines.stroke?.dashes, [literal('5 2')]);
  assert.equal(chooseStyle(sld, 'two')?.style.name, 'two');
  assert.equal(chooseStyle(sld, 'nobody')?.style.name, 'one');
});

test('Symbology Encoding 1.1: descriptions, units, parameters, patterns, functions', () => {
  const polygon =
    symbolizer<PolygonSymbolizer>(`<PolygonSymbolizer xmlns:se="http://www.opengis.net/se" uom="http://www.opengeospatial.org/se/units/metre">
    <se:Fill><se:GraphicFill><se:Graphic><se:Mark><se:WellKnownName>shape://slash</se:WellKnownName><se:Stroke/></se:Mark><se:Size>8</se:Size></se:Graphic></se:GraphicFill></se:Fill>
    <se:Stroke><se:SvgParameter name="stroke-width"><ogc:Div><ogc:PropertyName>w</ogc:PropertyName><ogc:Literal>2</ogc:Literal></ogc:Div></se:SvgParameter></se:Stroke>
    <se:PerpendicularOffset>3</se:PerpendicularOffset></PolygonSymbolizer>`);
  assert.equal(polygon.unit, 'metre');
  assert.equal(polygon.fill?.graphic?.symbols[0]?.kind, 'mark');
  assert.equal(polygon.stroke?.width?.kind, 'arithmetic');
  assert.deepEqual(polygon.offset, literal('3'));

  const text = symbolizer<TextSymbolizer>(`<TextSymbolizer><Label>A <ogc:PropertyName>n</ogc:PropertyName><![CDATA[
]]><se:Categorize xmlns:se="http://www.opengis.net/se"><se:LookupValue><ogc:PropertyName>n</ogc:PropertyName></se:LookupValue><se:Value>lo</se:Value><se:Threshold>5</se:Threshold><se:Value>hi</se:Value></se:Categorize></Label>
    <Font><CssParameter name="font-family">Arial</CssParameter><CssParameter name="font-family">Sans</CssParameter></Font>
    <LabelPlacement><PointPlacement><AnchorPoint><AnchorPointX>0.5</AnchorPointX><AnchorPointY>1</AnchorPointY></AnchorPoint></PointPlacement></LabelPlacement>
    <Priority><ogc:PropertyName>p</ogc:PropertyName></Priority><VendorOption name="autoWrap">60</VendorOption></TextSymbolizer>`);
  assert.deepEqual(text.fonts[0]?.families, [literal('Arial'), literal('Sans')]);
  assert.deepEqual(text.placement, {
    kind: 'point',
    anchor: [literal('0.5'), literal('1')],
    displacement: undefined,
    rotation: undefined,
  });
  assert.deepEqual(text.options, { autoWrap: '60' });
  assert.equal(text.label?.kind === 'function' && text.label.arguments.length, 4);

  const raster =
    symbolizer<RasterSymbolizer>(`<RasterSymbolizer><Opacity>0.5</Opacity><ChannelSelection><GrayChannel><SourceChannelName>2</SourceChannelName></GrayChannel></ChannelSelection>
    <ColorMap type="intervals"><ColorMapEntry color="#000000" quantity="\${5*2}" opacity="0"/><ColorMapEntry color="#ffffff" quantity="20" label="high"/></ColorMap>
    <ContrastEnhancement><Normalize/><GammaValue>2</GammaValue></ContrastEnhancement></RasterSymbolizer>`);
  assert.equal(raster.colorMap?.type, 'intervals');
  assert.equal(raster.colorMap?.entries[0]?.quantity.kind, 'arithmetic');
  assert.deepEqual(raster.contrast?.method, 'normalize');
});

test('well-known names and addresses may hold expressions', () => {
  const point = symbolizer<{ graphic: { symbols: { name: unknown }[] } }>(
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the style's syntax
    "<PointSymbolizer><Graphic><Mark><WellKnownName>${strConcat('st', 'ar')}</WellKnownName></Mark></Graphic></PointSymbolizer>",
  );
  assert.equal((point.graphic.symbols[0]!.name as { kind: string }).kind, 'function');
});

test('what is not understood is a warning with its line, and the rest is read', () => {
  const sld = read(`<Rule>
<ogc:Filter><ogc:PropertyNameIsEqualsTo/></ogc:Filter>
<LineSymbolizer><Stroke><CssParameter name="stroke-colour">#000</CssParameter></Stroke></LineSymbolizer>
</Rule>`);
  assert.deepEqual(
    sld.warnings.map((w) => w.line),
    [2, 3],
  );
  const [rule] = sld.layers[0]!.styles[0]!.featureTypeStyles[0]!.rules;
  assert.equal(rule!.filter?.kind, 'exclude', 'a rule whose filter is not understood takes no feature');
  assert.equal(rule!.symbolizers.length, 1);
});

test('documents that are no styles are refused with a clear message', () => {
  const bodies: [string, string, RegExp][] = [
    ['sld', '<a><b></a>', /not well-formed XML: .*line 1/],
    ['sld', '\n<Capabilities/>', /root is <Capabilities>.*line 2/],
    ['sld', 'no xml', /not well-formed/],
    ['css', '* { fill: red }', /GeoCSS cannot be drawn: store the style as SLD/],
    ['ysld', 'x', /YSLD/],
    ['mbstyle', '{}', /MBStyle/],
  ];
  for (const [format, body, message] of bodies)
    assert.throws(
      () => parseStyle({ hash: '', format, bytes: Buffer.from(body), read: () => undefined }),
      (error) => error instanceof StyleError && message.test(error.message),
    );
});

test('a style tells its version, its names and what of it is not drawn', () => {
  const style = styleOf(
    '<LineSymbolizer><Stroke><CssParameter name="colour">x</CssParameter></Stroke></LineSymbolizer>',
  );
  assert.deepEqual(validateStyle(style.bytes, 'sld'), {
    version: '1.0.0',
    layers: [{ name: 'l', styles: [] }],
    warnings: [{ message: 'a Stroke knows no parameter colour', line: 1 }],
  });
});

test('the default styles are styles without warnings', () => {
  for (const [name, body] of Object.entries(DEFAULT_STYLES)) {
    const sld = readSld(Buffer.from(body));
    assert.deepEqual(sld.warnings, [], name);
    assert.ok(chooseStyle(sld)!.style.featureTypeStyles[0]!.rules.length > 0);
  }
});

test('every real style that is well-formed is read', {
  skip: existsSync(REAL_DATA) ? false : `${REAL_DATA} is not there`,
}, () => {
  const files = globSync('**/*.sld', { cwd: REAL_DATA });
  assert.ok(files.length > 1000);
  const refused: string[] = [];
  for (const file of files) {
    try {
      readSld(readFileSync(path.join(REAL_DATA, file)));
    } catch (error) {
      assert.ok(error instanceof StyleError, `${file}: ${error}`);
      assert.match(error.message, /not well-formed XML/, file);
      refused.push(file);
    }
  }
  assert.ok(refused.length < 10, refused.join('\n'));
});
