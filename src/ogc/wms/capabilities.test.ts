import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { REAL_DATA } from '../../../test/real-data.ts';
import { type Facts, silentLogger } from '../../base/index.ts';
import { parseXml, type XmlElement } from '../../xml/index.ts';
import { resolveScope } from '../common/service-scope.ts';
import { filesOf, type TestNode, testNode } from '../testing.ts';
import { readDocument } from './capabilities.consumers.ts';
import { CapabilitiesShelf, type Edition } from './capabilities-shelf.ts';
import { DIRECTORY, layerFiles } from './fixture.ts';
import { WMS_VERSIONS, type WmsVersion } from './request.ts';

const BASE = 'http://localhost:8080/geoserver';

function shelfOf(node: TestNode, warnings: Facts[] = []): CapabilitiesShelf {
  const warn = (_: string, facts?: Facts) => warnings.push(facts ?? {});
  return new CapabilitiesShelf({ view: node.catalog, logger: { ...silentLogger, warn }, bytesMax: 1e8 });
}

function documentOf(
  node: TestNode,
  version: WmsVersion,
  names: { workspace?: string; layer?: string; namespace?: string } = {},
): XmlElement {
  const edition: Edition = {
    version,
    scope: resolveScope(node.catalog, names),
    baseUrl: BASE,
    namespace: names.namespace,
  };
  return rootOf(shelfOf(node).get(edition, node.position).plain);
}

/** Our parser takes no document type declaration, which 1.1.1 has. */
function rootOf(bytes: Uint8Array): XmlElement {
  return parseXml(
    Buffer.from(bytes)
      .toString('utf8')
      .replace(/<!DOCTYPE[^>]*>/, ''),
  ).root;
}

/** Names of the layers as a tree in text: `a, [b: c, d]`; `*` for a heading without a name. */
function outline(layer: XmlElement): string {
  return layer
    .childrenNamed('Layer')
    .map((child) => {
      const name = child.childText('Name') ?? '*';
      const inner = outline(child);
      return inner === '' ? name : `[${name}: ${inner}]`;
    })
    .join(', ');
}

const rootLayer = (root: XmlElement) => root.find('Capability', 'Layer')!;

/** Children of each element in the order of the standard; `?` and `*` say how often. */
const ORDER: Readonly<Record<WmsVersion, Readonly<Record<string, string>>>> = {
  '1.1.1': {
    WMT_MS_Capabilities: 'Service Capability',
    Service: 'Name Title Abstract? KeywordList? OnlineResource ContactInformation? Fees? AccessConstraints?',
    Capability: 'Request Exception UserDefinedSymbolization? Layer?',
    Request: 'GetCapabilities GetMap',
    GetCapabilities: 'Format* DCPType*',
    GetMap: 'Format* DCPType*',
    Layer:
      'Name? Title Abstract? KeywordList? SRS* LatLonBoundingBox? BoundingBox* Attribution? AuthorityURL* Identifier* MetadataURL* Style* Layer*',
    Style: 'Name Title Abstract?',
    Attribution: 'Title? OnlineResource? LogoURL?',
    LogoURL: 'Format OnlineResource',
    MetadataURL: 'Format OnlineResource',
    ContactInformation:
      'ContactPersonPrimary? ContactPosition? ContactAddress? ContactVoiceTelephone? ContactFacsimileTelephone? ContactElectronicMailAddress?',
    ContactAddress: 'AddressType Address City StateOrProvince PostCode Country',
  },
  '1.3.0': {
    WMS_Capabilities: 'Service Capability',
    Service:
      'Name Title Abstract? KeywordList? OnlineResource ContactInformation? Fees? AccessConstraints? LayerLimit? MaxWidth? MaxHeight?',
    Capability: 'Request Exception Layer?',
    Request: 'GetCapabilities GetMap',
    GetCapabilities: 'Format* DCPType*',
    GetMap: 'Format* DCPType*',
    Layer:
      'Name? Title Abstract? KeywordList? CRS* EX_GeographicBoundingBox? BoundingBox* Attribution? AuthorityURL* Identifier* MetadataURL* Style* Layer*',
    Style: 'Name Title Abstract?',
    Attribution: 'Title? OnlineResource? LogoURL?',
    LogoURL: 'Format OnlineResource',
    MetadataURL: 'Format OnlineResource',
    EX_GeographicBoundingBox: 'westBoundLongitude eastBoundLongitude southBoundLatitude northBoundLatitude',
    ContactInformation:
      'ContactPersonPrimary? ContactPosition? ContactAddress? ContactVoiceTelephone? ContactFacsimileTelephone? ContactElectronicMailAddress?',
    ContactAddress: 'AddressType Address City StateOrProvince PostCode Country',
  },
};

function checkOrder(element: XmlElement, version: WmsVersion): void {
  const model = ORDER[version][element.local];
  if (model !== undefined) {
    const pattern = model.replace(/(\w+)([?*]?)\s*/g, '(?:$1 )$2');
    const children = element.elements.map(({ local }) => `${local} `).join('');
    assert.match(children, new RegExp(`^${pattern}$`), `children of ${element.local}`);
  }
  for (const child of element.elements) checkOrder(child, version);
}

for (const version of WMS_VERSIONS)
  describe(`capabilities ${version}`, () => {
    let node: TestNode;
    before(() => {
      node = testNode(DIRECTORY);
    });

    test('elements stand in the order of the standard', () => checkOrder(documentOf(node, version), version));

    test('layers and groups nest by mode', () => {
      const tree = outline(rootLayer(documentOf(node, version)));
      assert.equal(
        tree,
        '[*: cite:rivers], opaque, single, topp:topp_group, [inner: cite:towns, [tree: cite:roads]], cite:hidden_in_nothing, topp:lakes',
      );
    });

    test('a workspace service shows its own, without prefix', () => {
      const tree = outline(rootLayer(documentOf(node, version, { workspace: 'topp' })));
      assert.equal(tree, 'topp_group, lakes');
    });

    test('a layer service shows one', () => {
      assert.equal(outline(rootLayer(documentOf(node, version, { workspace: 'topp', layer: 'lakes' }))), 'lakes');
      assert.equal(
        outline(rootLayer(documentOf(node, version, { workspace: 'topp', layer: 'topp_group' }))),
        'topp_group',
      );
    });

    test('namespace restricts the global service; an unknown one leaves nothing', () => {
      assert.equal(outline(rootLayer(documentOf(node, version, { namespace: 'topp' }))), 'topp:topp_group, topp:lakes');
      const empty = documentOf(node, version, { namespace: 'nonesuch' });
      checkOrder(empty, version);
      assert.equal(outline(rootLayer(empty)), '');
    });

    test('what is disabled, not advertised, isolated or without a store is left out', () => {
      const edition: Edition = { version, scope: { path: '', prefixed: true }, baseUrl: BASE };
      const text = shelfOf(node).get(edition, node.position).plain.toString();
      for (const name of ['off', 'quiet', 'lost', 'in_off_store', 'secluded', 'silent'])
        assert.doesNotMatch(text, new RegExp(`[:>]${name}<`));
      // The catalog reports what is dangling.
      assert.match(JSON.stringify([...node.catalog.broken()]), /lost/);
      assert.equal(outline(rootLayer(documentOf(node, version, { workspace: 'apart' }))), 'secluded');
    });

    test('a layer that cannot be written is reported, and the others are listed', () => {
      const warnings: Facts[] = [];
      const broken = new Proxy(node.catalog, {
        get(view, key) {
          if (key === 'styleById')
            return (id: string) => {
              if (id === 'style-own') throw new Error('no such luck');
              return view.styleById(id);
            };
          const value = Reflect.get(view, key, view) as unknown;
          return typeof value === 'function' ? value.bind(view) : value;
        },
      });
      const shelf = shelfOf({ ...node, catalog: broken }, warnings);
      const text = shelf
        .get({ version, scope: { path: '', prefixed: true }, baseUrl: BASE }, node.position)
        .plain.toString();
      assert.match(text, />cite:rivers</);
      assert.doesNotMatch(text, />topp:lakes</);
      assert.match(JSON.stringify(warnings), /lakes.*no such luck/);
    });

    test('links begin with the base URL and the path of the service', () => {
      const href = (workspace?: string) =>
        documentOf(node, version, { workspace })
          .find('Capability', 'Request', 'GetMap', 'DCPType', 'HTTP', 'Get', 'OnlineResource')!
          .attributeLocal('href');
      assert.equal(href(), `${BASE}/wms?`);
      assert.equal(href('topp'), `${BASE}/topp/wms?`);
    });

    test('texts are escaped', () => {
      const title = documentOf(node, version, { workspace: 'topp' }).find('Service', 'Title')!.text;
      assert.equal(title, 'Maps & <more>');
    });

    test('an independent client understands it', () => {
      const { position } = node;
      const bytes = shelfOf(node).get({ version, scope: { path: '', prefixed: true }, baseUrl: BASE }, position).plain;
      const read = readDocument(bytes.toString());
      assert.equal(read.version, version);
      const lakes = read.Capability.Layer.Layer.find((layer) => layer.Name === 'topp:lakes')!;
      assert.equal(lakes.Title, 'Lakes');
      assert.deepEqual(
        lakes.Style.map((style) => style.Name),
        ['blue', 'topp:own'],
      );
      assert.deepEqual(
        lakes.Style.map((style) => style.Title),
        ['Blue & deep', 'topp:own'],
      );
      const latlon = lakes.BoundingBox.find((box) => (box.crs ?? box.srs) === 'EPSG:4258')!;
      // Latitude first in 1.3.0 only.
      assert.deepEqual(latlon.extent, version === '1.3.0' ? [50, 10, 51, 12] : [10, 50, 12, 51]);
      assert.deepEqual(lakes.KeywordList, ['water', 'deep & cold']);
      assert.equal(lakes.Attribution.Title, 'The surveyor');
      assert.equal(lakes.MetadataURL[0]!.OnlineResource, 'http://example.org/meta?id=1&f=xml');
    });
  });

test('fragments follow their sources: the layer, its resource, styles and their bodies', () => {
  const node = testNode(DIRECTORY);
  const shelf = shelfOf(node);
  const edition: Edition = { version: '1.3.0', scope: { path: '', prefixed: true }, baseUrl: BASE };
  const text = () => shelf.get(edition, node.position).plain.toString();
  const first = shelf.get(edition, node.position);
  assert.equal(shelf.get(edition, node.position), first, 'kept while nothing changes');
  const changes: [string, RegExp, RegExp][] = [
    ['workspaces/topp/shapes/lakes/featuretype.xml', /<Title>Lakes</, /<Title>Seas</],
    ['styles/blue.sld', /Blue &amp; deep/, /Seas &amp; deep/],
    ['workspaces/topp/wms.xml', /updateSequence="3"/, /updateSequence="4"/],
  ];
  for (const [file, old, now] of changes) {
    assert.match(text(), old);
    node.change({ [file]: DIRECTORY[file]!.replace(/Lakes|Blue(?= &amp; deep)/, 'Seas') });
    assert.match(text(), now);
    assert.doesNotMatch(text(), old);
  }
  node.change({ 'workspaces/topp/shapes/lakes/layer.xml': undefined });
  assert.doesNotMatch(text(), /topp:lakes/);
});

test('of 10,000 layers, a change of one takes a part of the work of all, and no change takes none', () => {
  const files: Record<string, string> = { ...DIRECTORY };
  for (let i = 0; i < 10_000; i++) Object.assign(files, layerFiles('topp', `many${i}`));
  const node = testNode(files);
  const shelf = shelfOf(node);
  const edition: Edition = { version: '1.3.0', scope: { path: '', prefixed: true }, baseUrl: BASE };
  // Processor time: on a busy machine the clock says nothing.
  const measured = () => {
    const before = process.cpuUsage();
    const document = shelf.get(edition, node.position);
    return { document, micros: process.cpuUsage(before).user };
  };
  const first = measured();
  assert.ok(first.document.plain.length > 5e6, `${first.document.plain.length} bytes`);
  const again: number[] = [];
  for (let i = 0; i < 5; i++) {
    node.change(layerFiles('topp', `many${i * 7}`, `Title ${i}`));
    const { document, micros } = measured();
    assert.ok(document.plain.includes(`Title ${i}`));
    again.push(micros);
  }
  assert.ok(
    Math.min(...again) < first.micros / 2,
    `first ${first.micros}, after a change ${again.join(', ')} microseconds`,
  );
  assert.equal(measured().document, measured().document);
});

const data = REAL_DATA;
test('every example directory gives a document in order', { skip: !existsSync(data) && `${data} is not there` }, () => {
  for (const name of readdirSync(data)) {
    const node = testNode(filesOf(path.join(data, name)));
    for (const version of WMS_VERSIONS) checkOrder(documentOf(node, version), version);
  }
});
