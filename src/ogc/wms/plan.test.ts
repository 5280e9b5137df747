import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OgcException } from '../common/exceptions.ts';
import { Parameters } from '../common/parameters.ts';
import { resolveScope } from '../common/service-scope.ts';
import { testNode } from '../testing.ts';
import { DIRECTORY, sld } from './fixture.ts';
import { type PlannedLayer, planMap } from './plan.ts';
import { readGetMap } from './request.ts';
import { parseStyleDocument } from './sld.ts';
import { StyleShelf } from './styles.ts';

const node = testNode(DIRECTORY);
const styles = new StyleShelf(node.catalog);

const BASICS = 'SRS=EPSG:4326&BBOX=10,50,12,51&WIDTH=10&HEIGHT=10&FORMAT=image/png';

interface Options {
  readonly workspace?: string;
  readonly layer?: string;
  readonly sld?: string;
}

function plan(query: string, options: Options = {}): PlannedLayer[] {
  const request = readGetMap(Parameters.parse(`${BASICS}&${query}`), '1.1.1');
  const document =
    options.sld === undefined
      ? undefined
      : { parsed: parseStyleDocument(options.sld, 'SLD_BODY'), parameter: 'SLD_BODY' };
  const scope = resolveScope(node.catalog, options);
  const asked =
    options.sld !== undefined && request.layers.length === 0 ? { ...request, sldBody: options.sld } : request;
  return planMap(asked, { view: node.catalog, scope, styles, layersMax: 20, document });
}

/** `layer/first color of its style`. */
const drawn = (layers: readonly PlannedLayer[]) =>
  layers.map(({ name, style }) => {
    const body = Buffer.from(style.body.bytes).toString();
    return `${name}/${/fill">(#\w+)/.exec(body)?.[1] ?? '-'}`;
  });

const BLUE = '#0000ff';
const RED = '#ff0000';
const GREEN = '#00ff00';

/** Query, what is drawn, where. */
const DRAWN: readonly [string, readonly string[], Options?][] = [
  ['LAYERS=topp:lakes', [`topp:lakes/${BLUE}`]],
  ['LAYERS=topp:lakes&STYLES=', [`topp:lakes/${BLUE}`]],
  ['LAYERS=topp:lakes&STYLES=red', [`topp:lakes/${RED}`]],
  ['LAYERS=topp:lakes&STYLES=topp:own', [`topp:lakes/${GREEN}`]],
  ['LAYERS=topp:lakes,cite:roads&STYLES=,', [`topp:lakes/${BLUE}`, `cite:roads/${BLUE}`]],
  ['LAYERS=topp:lakes,cite:roads&STYLES=red,', [`topp:lakes/${RED}`, `cite:roads/${BLUE}`]],
  ['LAYERS=topp:lakes,topp:lakes&STYLES=red,blue', [`topp:lakes/${RED}`, `topp:lakes/${BLUE}`]],
  ['LAYERS=lakes', [`topp:lakes/${BLUE}`]],
  ['LAYERS=cite:quiet', [`cite:quiet/${BLUE}`]],
  ['LAYERS=single', [`cite:roads/${BLUE}`, `topp:lakes/${BLUE}`]],
  ['LAYERS=single&STYLES=default', [`cite:roads/${BLUE}`, `topp:lakes/${BLUE}`]],
  ['LAYERS=tree', [`cite:roads/${BLUE}`, `cite:towns/${BLUE}`]],
  ['LAYERS=opaque', [`cite:inside_opaque/${BLUE}`]],
  ['LAYERS=of_styles', ['cite:roads/-', `topp:lakes/${RED}`, `cite:towns/${BLUE}`]],
  ['LAYERS=lakes&STYLES=own', [`lakes/${GREEN}`], { workspace: 'topp' }],
  ['LAYERS=topp:lakes&STYLES=topp:own', [`lakes/${GREEN}`], { workspace: 'topp' }],
  ['LAYERS=lakes&STYLES=red', [`lakes/${RED}`], { workspace: 'topp' }],
  ['LAYERS=topp_group', [`lakes/${BLUE}`], { workspace: 'topp' }],
  ['LAYERS=lakes', [`lakes/${BLUE}`], { workspace: 'topp', layer: 'lakes' }],
  ['LAYERS=secluded', [`secluded/${BLUE}`], { workspace: 'apart' }],
];

for (const [query, expected, options] of DRAWN)
  test(`${query} in /${options?.workspace ?? ''} draws ${expected.join(', ')}`, () =>
    assert.deepEqual(drawn(plan(query, options)), expected));

/** Query, code, locator, where. */
const REFUSED: readonly [string, string, string | undefined, Options?][] = [
  ['LAYERS=nonesuch', 'LayerNotDefined', 'layers'],
  ['LAYERS=topp:nonesuch', 'LayerNotDefined', 'layers'],
  ['LAYERS=nonesuch:lakes', 'LayerNotDefined', 'layers'],
  ['LAYERS=', 'MissingParameterValue', 'layers'],
  ['', 'MissingParameterValue', 'layers'],
  ['LAYERS=topp:lakes,', 'LayerNotDefined', 'layers'],
  ['LAYERS=cite:off', 'LayerNotDefined', 'layers'],
  ['LAYERS=cite:in_off_store', 'LayerNotDefined', 'layers'],
  ['LAYERS=heading', 'LayerNotDefined', 'layers'],
  ['LAYERS=apart:secluded', 'LayerNotDefined', 'layers'],
  ['LAYERS=secluded', 'LayerNotDefined', 'layers'],
  ['LAYERS=cite:roads', 'LayerNotDefined', 'layers', { workspace: 'topp' }],
  ['LAYERS=roads', 'LayerNotDefined', 'layers', { workspace: 'topp' }],
  ['LAYERS=topp_group', 'LayerNotDefined', 'layers', { workspace: 'topp', layer: 'lakes' }],
  ['LAYERS=topp:lakes&STYLES=nonesuch', 'StyleNotDefined', 'styles'],
  ['LAYERS=topp:lakes,cite:roads&STYLES=red', 'StyleNotDefined', 'styles'],
  ['LAYERS=topp:lakes&STYLES=red,blue', 'StyleNotDefined', 'styles'],
  ['LAYERS=single&STYLES=red', 'StyleNotDefined', 'styles'],
  ['LAYERS=topp:lakes&STYLES=bodiless', 'NoApplicableCode', undefined],
  ['LAYERS=topp:lakes&STYLES=cascading', 'NoApplicableCode', undefined],
  ['LAYERS=topp:lakes&CQL_FILTER=a=1;b=2', 'InvalidParameterValue', 'cql_filter'],
  ['LAYERS=topp:lakes&CQL_FILTER=a = = 1', 'InvalidParameterValue', 'cql_filter'],
  ['LAYERS=topp:lakes&CQL_FILTER=a=1&FEATUREID=lakes.1', 'InvalidParameterValue', 'cql_filter'],
  ['LAYERS=topp:lakes&FILTER=<Filter>', 'InvalidParameterValue', 'filter'],
  [`LAYERS=${Array(21).fill('topp:lakes')}`, 'InvalidParameterValue', 'layers'],
];

for (const [query, code, locator, options] of REFUSED)
  test(`${query.slice(0, 60)} in /${options?.workspace ?? ''} is ${code}`, () => {
    assert.throws(
      () => plan(query, options),
      (error) => {
        assert.ok(error instanceof OgcException, String(error));
        assert.deepEqual([error.code, error.locator], [code, locator]);
        return true;
      },
    );
  });

test('css that has an SLD beside it is drawn with that', () => {
  assert.deepEqual(drawn(plan('LAYERS=topp:lakes&STYLES=translated')), [`topp:lakes/${BLUE}`]);
});

test('one filter for each layer, groups keep theirs for all members', () => {
  const encoded = encodeURIComponent("name = 'a;b';INCLUDE");
  const kinds = plan(`LAYERS=single,topp:lakes&CQL_FILTER=${encoded}`).map(({ filter }) => filter?.kind);
  assert.deepEqual(kinds, ['comparison', 'comparison', undefined]);
  const ids = plan('LAYERS=topp:lakes&FEATUREID=lakes.1,lakes.2')[0]!.filter;
  assert.deepEqual(ids, { kind: 'ids', ids: ['lakes.1', 'lakes.2'] });
  const xml =
    '<ogc:Filter xmlns:ogc="http://www.opengis.net/ogc"><ogc:PropertyIsNull><ogc:PropertyName>a</ogc:PropertyName></ogc:PropertyIsNull></ogc:Filter>';
  const filters = plan(`LAYERS=topp:lakes,cite:roads&FILTER=${encodeURIComponent(`(${xml})(${xml})`)}`);
  assert.deepEqual(
    filters.map(({ filter }) => filter?.kind),
    ['null', 'null'],
  );
});

test('the filter in the settings of a feature type holds whatever the request says', () => {
  const file = 'workspaces/topp/shapes/lakes/featuretype.xml';
  const restricted = testNode({
    ...DIRECTORY,
    [file]: DIRECTORY[file]!.replace('<projectionPolicy>', '<cqlFilter>secret = 0</cqlFilter><projectionPolicy>'),
  });
  const request = readGetMap(Parameters.parse(`${BASICS}&LAYERS=topp:lakes&CQL_FILTER=a=1`), '1.1.1');
  const { catalog } = restricted;
  const scope = resolveScope(catalog, {});
  const [layer] = planMap(request, {
    view: catalog,
    scope,
    styles: new StyleShelf(catalog),
    layersMax: 5,
    document: undefined,
  });
  assert.equal(layer!.filter?.kind, 'and');
});

// ---- style documents

const document = (...layers: readonly string[]) =>
  `<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc">${layers.join('')}</StyledLayerDescriptor>`;
const user = (fill: string, more = '') =>
  `<UserStyle>${more}<FeatureTypeStyle><Rule><PolygonSymbolizer><Fill><CssParameter name="fill">${fill}</CssParameter></Fill></PolygonSymbolizer></Rule></FeatureTypeStyle></UserStyle>`;
const named = (name: string, ...inside: readonly string[]) =>
  `<NamedLayer><Name>${name}</Name>${inside.join('')}</NamedLayer>`;

/** Query, document, what is drawn. */
const WITH_DOCUMENT: readonly [string, string, readonly string[]][] = [
  // Alone, the document says it all.
  ['', document(named('topp:lakes', user('#111111'))), ['topp:lakes/#111111']],
  ['', document(named('topp:lakes')), [`topp:lakes/${BLUE}`]],
  ['', document(named('topp:lakes', '<NamedStyle><Name>red</Name></NamedStyle>')), [`topp:lakes/${RED}`]],
  ['', document(named('topp:lakes', user('#111111'), user('#222222'))), ['topp:lakes/#111111', 'topp:lakes/#222222']],
  ['', document(named('single')), [`cite:roads/${BLUE}`, `topp:lakes/${BLUE}`]],
  // With LAYERS, it is a library of styles.
  [
    'LAYERS=topp:lakes,cite:roads',
    document(named('topp:lakes', user('#111111'))),
    ['topp:lakes/#111111', `cite:roads/${BLUE}`],
  ],
  ['LAYERS=topp:lakes', document(named('lakes', user('#111111'))), ['topp:lakes/#111111']],
  [
    'LAYERS=topp:lakes',
    document(named('topp:lakes', user('#111111'), user('#222222', '<IsDefault>1</IsDefault>'))),
    ['topp:lakes/#222222'],
  ],
  [
    'LAYERS=topp:lakes&STYLES=b',
    document(named('topp:lakes', user('#111111', '<Name>a</Name>'), user('#222222', '<Name>b</Name>'))),
    ['topp:lakes/#222222'],
  ],
  [
    'LAYERS=topp:lakes&STYLES=red',
    document(named('topp:lakes', user('#111111', '<Name>a</Name>'))),
    [`topp:lakes/${RED}`],
  ],
  ['LAYERS=single', document(named('topp:lakes', user('#111111'))), [`cite:roads/${BLUE}`, 'topp:lakes/#111111']],
];

for (const [query, body, expected] of WITH_DOCUMENT)
  test(`SLD_BODY with ${query || 'nothing else'} draws ${expected.join(', ')}`, () => {
    const asked = query === '' ? `SLD_BODY=${encodeURIComponent(body)}` : query;
    assert.deepEqual(drawn(plan(asked, { sld: body })), expected);
  });

test('a style taken out of its document keeps the namespaces it needs', () => {
  const body = `<sld:StyledLayerDescriptor xmlns:sld="http://www.opengis.net/sld" version="1.0.0"><sld:NamedLayer xmlns:ogc="http://www.opengis.net/ogc"><sld:Name>topp:lakes</sld:Name><sld:UserStyle><sld:Title>a &amp; b</sld:Title><ogc:x/></sld:UserStyle></sld:NamedLayer></sld:StyledLayerDescriptor>`;
  const [layer] = plan(`SLD_BODY=${encodeURIComponent(body)}`, { sld: body });
  assert.equal(
    Buffer.from(layer!.style.body.bytes).toString(),
    '<sld:StyledLayerDescriptor xmlns:sld="http://www.opengis.net/sld" version="1.0.0" xmlns:ogc="http://www.opengis.net/ogc"><sld:NamedLayer><sld:Name>topp:lakes</sld:Name><sld:UserStyle><sld:Title>a &amp; b</sld:Title><ogc:x/></sld:UserStyle></sld:NamedLayer></sld:StyledLayerDescriptor>',
  );
});

for (const [body, problem] of [
  ['<StyledLayerDescriptor', /well-formed/],
  ['<Other/>', /StyledLayerDescriptor/],
  [document('<UserLayer><Name>x</Name></UserLayer>'), /UserLayer/],
  [document('<NamedLayer><UserStyle/></NamedLayer>'), /without a Name/],
  ['<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><StyledLayerDescriptor/>', /document type/],
] as const)
  test(`SLD_BODY ${body.slice(0, 40)} is refused`, () =>
    assert.throws(() => parseStyleDocument(body, 'SLD_BODY'), {
      code: 'InvalidParameterValue',
      locator: 'sld_body',
      message: problem,
    }));

// ---- bodies of styles

test('the hash of a style follows its body and its icons, and nothing else', () => {
  const changing = testNode(DIRECTORY);
  const shelf = new StyleShelf(changing.catalog);
  const hash = (name: string) => shelf.get(changing.catalog.style(name)!).body.hash;
  const [icon, blue] = [hash('icon'), hash('blue')];
  changing.change({ 'styles/img/a.png': 'picture two' });
  const second = hash('icon');
  assert.notEqual(second, icon);
  changing.change({ 'styles/img/a.png': undefined });
  assert.notEqual(hash('icon'), second);
  changing.change({ 'styles/img/a.png': 'picture one' });
  assert.equal(hash('icon'), icon);
  changing.change({ 'styles/icon.sld': sld('Other') });
  assert.notEqual(hash('icon'), icon);
  assert.equal(hash('blue'), blue);
});

test('references are read beside the style, then in the global folder, and nowhere else', () => {
  const { catalog } = testNode({
    ...DIRECTORY,
    'styles/a b.svg': 'shared',
    'styles/own.png': 'global own',
    'workspaces/topp/styles/own.png': 'own',
    'security/users.xml': 'secret',
  });
  const own = new StyleShelf(catalog).get(catalog.style('own', catalog.workspace('topp'))!).body;
  const read = (href: string) => {
    const bytes = own.read(href);
    return bytes && Buffer.from(bytes).toString();
  };
  const cases: readonly [string, string | undefined][] = [
    ['own.png', 'own'],
    ['./own.png', 'own'],
    ['img/../own.png', 'own'],
    ['file:own.png', 'own'],
    ['own.png?fill=%23ff0000', 'own'],
    ['img/a.png', 'picture one'],
    ['a%20b.svg', 'shared'],
    ['a b.svg', 'shared'],
    ['nonesuch.png', undefined],
    ['', undefined],
    ['../workspace.xml', undefined],
    ['../../../security/users.xml', undefined],
    ['..%2f..%2f..%2fsecurity/users.xml', undefined],
    ['../security/users.xml', undefined],
    ['/etc/passwd', undefined],
    ['file:///etc/passwd', undefined],
    ['http://example.org/own.png', undefined],
    ['a\0b', undefined],
  ];
  for (const [href, contents] of cases) assert.equal(read(href), contents, href);
});
