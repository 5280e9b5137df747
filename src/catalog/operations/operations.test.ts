import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TreePath } from '../../tree/index.ts';
import { draftOf } from '../draft.ts';
import { catalogOf } from '../testing/fixtures.ts';
import * as op from './index.ts';
import { clean, env, environment, exists, layer, map, pg, roads, start, text, topp, water, xml } from './testing.ts';

describe('workspaces', () => {
  test('are made with their namespace, in the form of GeoServer', () => {
    const draft = start();
    const made = op.createWorkspace(draft, { name: 'new ünd' }, environment());
    assert.equal(
      text(draft, 'workspaces/new ünd/workspace.xml'),
      `<workspace>\n  <id>${made.id}</id>\n  <name>new ünd</name>\n  <isolated>false</isolated>\n  <dateCreated>2026-01-02 03:04:05.6 UTC</dateCreated>\n</workspace>`,
    );
    assert.equal(draft.namespace('new ünd')?.uri, 'http://new%20ünd');
    assert.equal(draft.defaultWorkspace()?.name, 'topp');
    clean(draft);
  });

  test('the first one becomes the default', () => {
    const draft = draftOf(catalogOf({}));
    op.createWorkspace(draft, { name: 'b' }, env);
    op.createWorkspace(draft, { name: 'a' }, env);
    assert.equal(draft.defaultWorkspace()?.name, 'b');
  });

  test('renaming moves the folder in one operation, and keeps ids', () => {
    const draft = start();
    const before = layer(draft).id;
    op.changeWorkspace(draft, topp(draft), { name: 'tip' }, env);
    assert.equal(draft.layer('tip:roads')?.id, before);
    assert.equal(draft.layer('topp:roads'), undefined);
    assert.equal(draft.defaultWorkspace()?.name, 'tip');
    assert.equal(draft.namespace('tip')?.uri, 'http://topp');
    assert.deepEqual(draft.list('workspaces' as TreePath), ['default.xml', 'tip/']);
    assert.equal(draft.operations.filter((operation) => operation.kind === 'move').length, 1);
    assert.ok(draft.operations.length <= 4);
    clean(draft);
  });

  test('deleting takes everything along, and the next becomes the default', () => {
    const draft = start({ 'gwc-layers/layer-1.xml': '<GeoServerTileLayer/>' });
    op.createWorkspace(draft, { name: 'next' }, env);
    op.deleteWorkspace(draft, topp(draft), { recurse: true }, env);
    assert.deepEqual([...draft.layers()], []);
    assert.equal(draft.layerGroup('map'), undefined, 'the group became empty');
    assert.equal(draft.defaultWorkspace()?.name, 'next');
    assert.equal(text(draft, 'workspaces/default.xml'), text(draft, 'workspaces/next/workspace.xml'));
    assert.equal(exists(draft, 'gwc-layers/layer-1.xml'), false);
    clean(draft);
    op.deleteWorkspace(draft, draft.workspace('next')!, { recurse: true }, env);
    assert.equal(exists(draft, 'workspaces'), false);
  });

  test('a namespace takes its URI to the stores', () => {
    const draft = start();
    op.changeNamespace(draft, draft.namespace('topp')!, { uri: 'http://new' }, env);
    const store = pg(draft);
    assert.equal(store.kind === 'dataStore' && store.connectionParameters.namespace, 'http://new');
    assert.match(text(draft, store.path), /<!-- kept -->/);
  });
});

describe('stores and resources', () => {
  const STORE =
    '<dataStore><name>shapes</name><connectionParameters><url>file:data/x.shp</url><passwd>secret</passwd></connectionParameters><featureTypes>http://x</featureTypes></dataStore>';

  test('a store is written as GeoServer would', () => {
    const draft = start();
    const store = op.createStore(draft, topp(draft), xml(STORE), environment());
    assert.equal(
      text(draft, 'workspaces/topp/shapes/datastore.xml'),
      `<dataStore>
  <id>${store.id}</id>
  <name>shapes</name>
  <type>Shapefile</type>
  <enabled>true</enabled>
  <workspace>
    <id>ws-1</id>
  </workspace>
  <connectionParameters>
    <entry key="url">file:data/x.shp</entry>
    <entry key="passwd">plain:secret</entry>
    <entry key="namespace">http://topp</entry>
  </connectionParameters>
  <dateCreated>2026-01-02 03:04:05.6 UTC</dateCreated>
</dataStore>`,
    );
    clean(draft);
  });

  test('changing keeps what is not named, and what is unknown', () => {
    const draft = start();
    const changed = op.changeStore(
      draft,
      pg(draft),
      xml('<dataStore><name>db</name><description>d</description></dataStore>'),
      env,
    );
    assert.equal(changed.path, 'workspaces/topp/db/datastore.xml');
    assert.match(text(draft, changed.path), /<unknownToUs a="1"><b\/><\/unknownToUs>/);
    assert.match(text(draft, changed.path), /<name>db<\/name>\n {2}<description>d<\/description>\n/);
    assert.match(text(draft, changed.path), /<entry key="dbtype">postgis<\/entry>/);
    assert.match(text(draft, changed.path), /<dateModified>2026-01-02/);
    assert.equal(layer(draft).path, 'workspaces/topp/db/roads/layer.xml');
    clean(draft);
  });

  test('a change that changes nothing records nothing', () => {
    const draft = start();
    op.changeStore(draft, pg(draft), xml('<dataStore><name>pg</name><enabled>true</enabled></dataStore>'), env);
    op.changeLayer(draft, layer(draft), xml('<layer><defaultStyle><name>water</name></defaultStyle></layer>'), env);
    op.changeLayerGroup(draft, map(draft), xml('<layerGroup><mode>SINGLE</mode></layerGroup>'), env);
    assert.deepEqual(draft.operations, []);
  });

  test('a connection map replaces the stored one', () => {
    const draft = start();
    const changed = op.changeStore(
      draft,
      pg(draft),
      xml('<dataStore><connectionParameters><entry key="host">h</entry></connectionParameters></dataStore>'),
      env,
    );
    assert.deepEqual(changed.kind === 'dataStore' && changed.connectionParameters, {
      host: 'h',
      namespace: 'http://topp',
    });
  });

  test('null removes an element', () => {
    const draft = start();
    op.changeStore(draft, pg(draft), xml('<dataStore><description>d</description></dataStore>'), env);
    const nil =
      '<dataStore xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><description xsi:nil="true"/></dataStore>';
    assert.equal(op.changeStore(draft, pg(draft), xml(nil), env).description, undefined);
  });

  test('deleting a store empties groups, and data stay', () => {
    const draft = start({ 'data/x.txt': 'x' });
    op.deleteStore(draft, pg(draft), { recurse: true }, env);
    assert.equal(map(draft), undefined);
    assert.equal(exists(draft, 'data/x.txt'), true);
    assert.deepEqual(draft.list('workspaces/topp' as TreePath), ['namespace.xml', 'workspace.xml']);
    clean(draft);
  });

  test('a resource is published with the style for its geometry', () => {
    const cases = [
      ['org.locationtech.jts.geom.MultiPoint', 'point'],
      ['com.vividsolutions.jts.geom.LineString', 'line'],
      ['MultiPolygon', 'polygon'],
      ['Geometry', 'generic'],
      [undefined, 'generic'],
    ] as const;
    for (const [geometry, style] of cases) {
      const draft = start();
      const resource = op.createResource(draft, pg(draft), xml('<featureType><name>new</name></featureType>'), env);
      const made = op.createLayer(draft, resource, geometry === undefined ? {} : { geometry }, env);
      assert.equal(made.defaultStyleId, `style-${style}`);
      assert.equal(draft.layer('topp:new'), made);
      assert.equal(resource.nativeName, 'new');
      clean(draft);
    }
  });

  test('the name of a file in the way leads to another folder', () => {
    const draft = start();
    const store = op.createStore(draft, topp(draft), xml('<dataStore><name>namespace.xml</name></dataStore>'), env);
    assert.equal(store.path, 'workspaces/topp/namespace.xml_2/datastore.xml');
    assert.equal(draft.namespace('topp')?.id, 'ns-1');
    clean(draft);
  });

  test('renaming a resource renames its layer', () => {
    const draft = start();
    op.changeResource(draft, roads(draft), xml('<featureType><name>streets</name></featureType>'), env);
    assert.equal(draft.layer('topp:streets')?.id, 'layer-1');
    assert.match(text(draft, 'workspaces/topp/pg/streets/layer.xml'), /<name>streets<\/name>/);
    assert.equal(exists(draft, 'workspaces/topp/pg/roads'), false);
    clean(draft);
  });
});

describe('layers and groups', () => {
  test('a layer takes styles by name, and leaves enabled to its resource', () => {
    const draft = start();
    const sent =
      '<layer><name>x</name><enabled>false</enabled><queryable>false</queryable><defaultStyle>line</defaultStyle><styles><style><name>point</name></style></styles><resource><name>no</name></resource></layer>';
    const changed = op.changeLayer(draft, layer(draft), xml(sent), env);
    assert.equal(changed.defaultStyleId, 'style-line');
    assert.deepEqual(changed.styleIds, ['style-point']);
    assert.equal(changed.queryable, false);
    assert.equal(roads(draft).enabled, false);
    assert.doesNotMatch(text(draft, changed.path), /enabled/);
    assert.equal(draft.nameOf(changed), 'roads');
    const more = op.addStyleToLayer(draft, changed, water(draft), { makeDefault: false }, env);
    assert.deepEqual(more.styleIds, ['style-point', 'style-water']);
    assert.equal(
      op.addStyleToLayer(draft, more, water(draft), { makeDefault: true }, env).defaultStyleId,
      'style-water',
    );
  });

  test('a layer that is deleted with recurse leaves its group, with its slot', () => {
    const draft = start();
    op.deleteLayer(draft, layer(draft), { recurse: true }, env);
    assert.deepEqual(map(draft).publishables, [{ type: 'layer', id: 'layer-2' }]);
    assert.deepEqual(map(draft).styleIds, ['style-water']);
    assert.equal(roads(draft), undefined);
    op.deleteLayer(draft, layer(draft, 'lakes'), { recurse: true }, env);
    assert.equal(map(draft), undefined);
    clean(draft);
  });

  test('groups that become empty take those along that hold only them', () => {
    const draft = start();
    const outer =
      '<layerGroup><name>outer</name><publishables><published type="layerGroup"><name>map</name></published></publishables></layerGroup>';
    op.createLayerGroup(draft, undefined, xml(outer), env);
    assert.throws(() => op.deleteLayerGroup(draft, map(draft), env), /referenced by layer group 'outer'/);
    op.deleteStore(draft, pg(draft), { recurse: true }, env);
    assert.deepEqual([...draft.allLayerGroups()], []);
    clean(draft);
  });

  test('a group is made from layers by name', () => {
    const draft = start();
    const sent =
      '<layerGroup><name>g</name><layers><layer>topp:roads</layer><layer><name>lakes</name></layer></layers><styles><style/><style>point</style></styles></layerGroup>';
    const group = op.createLayerGroup(draft, topp(draft), xml(sent), env);
    assert.equal(group.path, 'workspaces/topp/layergroups/g.xml');
    assert.deepEqual(group.publishables, [
      { type: 'layer', id: 'layer-1' },
      { type: 'layer', id: 'layer-2' },
    ]);
    assert.deepEqual(group.styleIds, [undefined, 'style-point']);
    assert.equal(group.workspaceId, 'ws-1');
    assert.match(text(draft, group.path), /<style\/>/);
    clean(draft);
  });

  test('a group in the old spelling is changed into the new one', () => {
    const old =
      '<layerGroup>\n  <id>g</id>\n  <name>old</name>\n  <layers>\n    <layer>\n      <id>layer-1</id>\n    </layer>\n  </layers>\n</layerGroup>';
    const draft = start({ 'layergroups/old.xml': old });
    const sent = '<layerGroup><publishables><published><name>lakes</name></published></publishables></layerGroup>';
    const group = op.changeLayerGroup(draft, draft.layerGroup('old')!, xml(sent), env);
    assert.deepEqual(group.publishables, [{ type: 'layer', id: 'layer-2' }]);
    assert.doesNotMatch(text(draft, group.path), /<layers>/);
  });
});

describe('styles', () => {
  test('are made with their body', () => {
    const draft = start();
    const made = op.createStyle(draft, topp(draft), xml('<style><name>new</name></style>'), env, Buffer.from('<a/>'));
    assert.equal(made.path, 'workspaces/topp/styles/new.xml');
    assert.equal(text(draft, 'workspaces/topp/styles/new.sld'), '<a/>');
    assert.equal(made.workspaceId, 'ws-1');
    clean(draft);
  });

  test('a new name leaves the body where it is', () => {
    const draft = start();
    const changed = op.changeStyle(draft, water(draft), xml('<style><name>sea</name></style>'), env);
    assert.equal(changed.path, 'styles/sea.xml');
    assert.equal(changed.filename, 'water.sld');
    assert.equal(exists(draft, 'styles/water.sld'), true);
    clean(draft);
  });

  test('a body of another format gets its extension', () => {
    const draft = start();
    const changed = op.writeStyleBody(draft, water(draft), Buffer.from('* {}'), { format: 'css' }, env);
    assert.equal(changed.filename, 'water.css');
    assert.equal(text(draft, 'styles/water.css'), '* {}');
    assert.equal(exists(draft, 'styles/water.sld'), false);
  });

  test('a body of the same format touches only its file', () => {
    const draft = start();
    op.writeStyleBody(draft, water(draft), Buffer.from('<b/>'), { format: 'sld', languageVersion: '1.0.0' }, env);
    assert.deepEqual(
      draft.operations.map((operation) => operation.kind === 'put' && operation.path),
      ['styles/water.sld'],
    );
  });

  test('layers of a deleted style get the default for their geometry, groups the default slot', () => {
    const draft = start();
    op.deleteStyle(draft, water(draft), { recurse: true, purge: true }, env);
    assert.equal(layer(draft).defaultStyleId, 'style-line');
    assert.equal(layer(draft, 'lakes').defaultStyleId, 'style-polygon');
    assert.deepEqual(map(draft).styleIds, [undefined, undefined]);
    assert.equal(exists(draft, 'styles/water.sld'), false);
    clean(draft);
  });

  test('a body that another style uses is not purged', () => {
    const draft = start({
      'styles/sea.xml': '<style><id>sea</id><name>sea</name><filename>water.sld</filename></style>',
    });
    op.deleteStyle(draft, draft.style('sea')!, { recurse: true, purge: true }, env);
    assert.equal(exists(draft, 'styles/water.sld'), true);
  });
});

describe('settings', () => {
  test('a block replaces the stored one and keeps its id', () => {
    const draft = start({
      'global.xml':
        '<global><settings><id>s</id><charset>UTF-8</charset><verbose>true</verbose></settings><updateSequence>4</updateSequence><x/></global>',
    });
    const changed = op.changeGlobalSettings(
      draft,
      xml('<global><settings><numDecimals>2</numDecimals></settings><updateSequence>9</updateSequence></global>'),
      env,
    );
    assert.equal(changed.numDecimals, 2);
    assert.equal(changed.updateSequence, 4);
    assert.match(
      text(draft, 'global.xml'),
      /<settings>\s*<id>s<\/id>\s*<numDecimals>2<\/numDecimals>\s*<\/settings>.*<x\/>/s,
    );
  });

  test('contact fields are laid over the stored ones', () => {
    const draft = start({
      'global.xml': '<global><settings><contact><addressCity>Rome</addressCity></contact></settings></global>',
    });
    const changed = op.changeContact(draft, xml('<contact><contactPerson>Anna</contactPerson></contact>'), env);
    assert.deepEqual(changed.contact, { addressCity: 'Rome', person: 'Anna' });
  });

  test('a workspace has settings and services of its own', () => {
    const draft = start();
    op.changeLocalSettings(draft, topp(draft), xml('<settings><verbose>true</verbose></settings>'), env);
    op.changeService(draft, topp(draft), xml('<wms><title>T</title></wms>'), env);
    assert.equal(draft.service('wms', topp(draft))?.title, 'T');
    assert.equal(draft.service('wms'), undefined);
    op.deleteService(draft, topp(draft), 'wms');
    op.deleteLocalSettings(draft, topp(draft));
    assert.equal(draft.localSettings(topp(draft)), undefined);
    clean(draft);
  });
});
