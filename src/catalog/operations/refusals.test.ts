import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UserError } from '../../base/index.ts';
import type { Draft } from '../view.ts';
import * as op from './index.ts';
import { env, layer, map, pg, roads, start, topp, water, xml } from './testing.ts';

describe('refusals have the status and text of GeoServer', () => {
  const cases: readonly [name: string, run: (draft: Draft) => unknown, status: number, message: RegExp][] = [
    ['workspace exists', (d) => op.createWorkspace(d, { name: 'topp' }, env), 409, /^Workspace 'topp' already exists$/],
    ['workspace default', (d) => op.createWorkspace(d, { name: 'default' }, env), 400, /reserved/],
    ['workspace with a slash', (d) => op.createWorkspace(d, { name: 'a/b' }, env), 400, /slash/],
    ['workspace with a backslash', (d) => op.createWorkspace(d, { name: 'a\\b' }, env), 400, /slash/],
    ['workspace named ..', (d) => op.createWorkspace(d, { name: '..' }, env), 400, /folder/],
    ['workspace with a control character', (d) => op.createWorkspace(d, { name: 'a\u0001' }, env), 400, /control/],
    ['workspace with a blank at the end', (d) => op.createWorkspace(d, { name: 'a ' }, env), 400, /blank/],
    ['workspace without a name', (d) => op.createWorkspace(d, { name: '' }, env), 400, /needs a name/],
    ['workspace with a long name', (d) => op.createWorkspace(d, { name: 'ä'.repeat(200) }, env), 400, /longer/],
    [
      'workspace not empty',
      (d) => op.deleteWorkspace(d, topp(d), { recurse: false }, env),
      403,
      /^Workspace not empty$/,
    ],
    ['namespace exists', (d) => op.createNamespace(d, { prefix: 'topp', uri: 'http://x' }, env), 500, /already exists/],
    [
      'URI exists',
      (d) => op.createNamespace(d, { prefix: 'x', uri: 'http://topp' }, env),
      500,
      /URI 'http:\/\/topp' already exists/,
    ],
    ['URI with a blank', (d) => op.createNamespace(d, { prefix: 'x', uri: 'a b' }, env), 400, /cannot be the URI/],
    ['prefix changes', (d) => op.changeNamespace(d, d.namespace('topp')!, { prefix: 'x' }, env), 403, /prefix/],
    ['namespace not empty', (d) => op.deleteNamespace(d, d.namespace('topp')!), 401, /^Namespace not empty$/],
    [
      'store exists',
      (d) => op.createStore(d, topp(d), xml('<dataStore><name>pg</name></dataStore>'), env),
      500,
      /^Store 'pg' already exists in workspace 'topp'$/,
    ],
    [
      'store named styles',
      (d) => op.createStore(d, topp(d), xml('<dataStore><name>styles</name></dataStore>'), env),
      400,
      /folder/,
    ],
    [
      'store of another workspace',
      (d) =>
        op.createStore(
          d,
          topp(d),
          xml('<dataStore><name>a</name><workspace><name>b</name></workspace></dataStore>'),
          env,
        ),
      403,
      /^Expected workspace topp but client specified b$/,
    ],
    [
      'store not empty',
      (d) => op.deleteStore(d, pg(d), { recurse: false }, env),
      403,
      /^Unable to delete non-empty store\.$/,
    ],
    [
      'resource exists',
      (d) => op.createResource(d, pg(d), xml('<featureType><name>roads</name></featureType>'), env),
      500,
      /^Resource named 'roads' already exists in store: 'pg'$/,
    ],
    [
      'coverage in a data store',
      (d) => op.createResource(d, pg(d), xml('<coverage><name>a</name></coverage>'), env),
      400,
      /holds <featureType>/,
    ],
    [
      'resource published',
      (d) => op.deleteResource(d, roads(d), { recurse: false }, env),
      403,
      /^feature type referenced by layer\(s\)$/,
    ],
    [
      'resource renamed to one that exists',
      (d) => op.changeResource(d, roads(d), xml('<featureType><name>lakes</name></featureType>'), env),
      500,
      /already exists/,
    ],
    [
      'value that cannot be stored',
      (d) =>
        op.changeResource(
          d,
          roads(d),
          xml('<featureType><projectionPolicy>forced</projectionPolicy></featureType>'),
          env,
        ),
      400,
      /cannot be stored: <projectionPolicy> is forced/,
    ],
    ['layer published twice', (d) => op.createLayer(d, roads(d), {}, env), 500, /already exists/],
    [
      'layer in a group',
      (d) => op.deleteLayer(d, layer(d), { recurse: false }, env),
      500,
      /^Unable to delete layer referenced by layer group 'map'$/,
    ],
    [
      'layer with an unknown style',
      (d) => op.changeLayer(d, layer(d), xml('<layer><defaultStyle><name>no</name></defaultStyle></layer>'), env),
      400,
      /No such style: no/,
    ],
    [
      'group empty',
      (d) => op.createLayerGroup(d, undefined, xml('<layerGroup><name>g</name></layerGroup>'), env),
      400,
      /^layer group must not be empty$/,
    ],
    [
      'group exists',
      (d) =>
        op.createLayerGroup(
          d,
          undefined,
          xml('<layerGroup><name>map</name><layers><layer>roads</layer></layers></layerGroup>'),
          env,
        ),
      500,
      /^Layer group named 'map' already exists$/,
    ],
    [
      'group of what is not there',
      (d) =>
        op.createLayerGroup(
          d,
          undefined,
          xml('<layerGroup><name>g</name><layers><layer>no</layer></layers></layerGroup>'),
          env,
        ),
      400,
      /No such layer: no/,
    ],
    [
      'group renamed',
      (d) => op.changeLayerGroup(d, map(d), xml('<layerGroup><name>x</name></layerGroup>'), env),
      403,
      /^Can't change name of a layer group$/,
    ],
    [
      'group with fewer styles',
      (d) => op.changeLayerGroup(d, map(d), xml('<layerGroup><styles><style/></styles></layerGroup>'), env),
      500,
      /different number of styles/,
    ],
    [
      'group in itself',
      (d) =>
        op.changeLayerGroup(
          d,
          map(d),
          xml(
            '<layerGroup><publishables><published type="layerGroup">map</published></publishables><styles><style/></styles></layerGroup>',
          ),
          env,
        ),
      400,
      /would contain itself/,
    ],
    [
      'group of a workspace with a layer of another',
      (d) => {
        const other = op.createWorkspace(d, { name: 'other' }, env);
        op.createLayerGroup(
          d,
          other,
          xml('<layerGroup><name>g</name><layers><layer>topp:roads</layer></layers></layerGroup>'),
          env,
        );
      },
      400,
      /other workspace: topp/,
    ],
    [
      'style exists',
      (d) => op.createStyle(d, undefined, xml('<style><name>water</name></style>'), env),
      403,
      /^Style water already exists\.$/,
    ],
    [
      'style file exists',
      (d) =>
        op.createStyle(
          d,
          undefined,
          xml('<style><name>a</name><filename>water.sld</filename></style>'),
          env,
          Buffer.from('x'),
        ),
      403,
      /^Style resource water\.sld already exists\.$/,
    ],
    [
      'style file outside its folder',
      (d) => op.createStyle(d, undefined, xml('<style><name>a</name><filename>../../x.sld</filename></style>'), env),
      400,
      /slash/,
    ],
    [
      'style in use',
      (d) => op.deleteStyle(d, water(d), { recurse: false, purge: false }, env),
      403,
      /^Can't delete style referenced by existing layers\.$/,
    ],
    [
      'default style',
      (d) => op.deleteStyle(d, d.style('point')!, { recurse: true, purge: false }, env),
      500,
      /default style/,
    ],
    ['local settings that are not there', (d) => op.deleteLocalSettings(d, topp(d)), 500, /no settings of its own/],
  ];
  for (const [name, run, status, message] of cases)
    test(name, () => {
      assert.throws(
        () => run(start()),
        (error) => error instanceof UserError && error.status === status && message.test(error.message),
      );
    });
});
