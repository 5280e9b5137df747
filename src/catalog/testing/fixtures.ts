/** What the tests of this room have in common. */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { REAL_DATA } from '../../../test/real-data.ts';
import { isReplicated, type Position, Tree, type TreePath } from '../../tree/index.ts';
import { Catalog } from '../catalog.ts';
import type { CatalogView } from '../view.ts';

/** Data directories that GeoServer wrote; empty where there are none to be had. */
export function dataDirectories(): readonly string[] {
  if (!existsSync(REAL_DATA)) return [];
  const isDirectory = (folder: string) =>
    existsSync(path.join(folder, 'global.xml')) || existsSync(path.join(folder, 'workspaces'));
  return readdirSync(REAL_DATA, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => {
      const folder = path.join(REAL_DATA, entry.name);
      if (isDirectory(folder)) return [folder];
      const nested = readdirSync(folder, { withFileTypes: true }).filter((child) => child.isDirectory());
      return nested.map((child) => path.join(folder, child.name)).filter(isDirectory);
    });
}

/** A tree in memory of the XML files of a folder. */
export function treeOfFolder(folder: string): Tree {
  const files = globSync('**/*.xml', { cwd: folder }).filter((file) => isReplicated(file as TreePath));
  return treeOf(Object.fromEntries(files.map((file) => [file, readFileSync(path.join(folder, file))])));
}

export function treeOf(files: Readonly<Record<string, string | Uint8Array>>): Tree {
  const tree = new Tree();
  const operations = Object.entries(files).map(([file, content]) => ({
    kind: 'put' as const,
    path: file as TreePath,
    content: { kind: 'inline' as const, bytes: Buffer.from(content) },
  }));
  tree.apply(1 as Position, operations);
  return tree;
}

export function catalogOf(files: Readonly<Record<string, string | Uint8Array>>): Catalog {
  return new Catalog(treeOf(files));
}

/** A small catalog as GeoServer writes it: workspace `topp` with a store, two published feature types, a group, and styles. */
export const SMALL: Readonly<Record<string, string>> = {
  'workspaces/default.xml': '<workspace><id>ws-1</id><name>topp</name></workspace>',
  'workspaces/topp/workspace.xml': '<workspace>\n  <id>ws-1</id>\n  <name>topp</name>\n</workspace>',
  'workspaces/topp/namespace.xml':
    '<namespace>\n  <id>ns-1</id>\n  <prefix>topp</prefix>\n  <uri>http://topp</uri>\n</namespace>',
  'workspaces/topp/pg/datastore.xml': `<dataStore>
  <id>store-1</id>
  <name>pg</name>
  <enabled>true</enabled>
  <workspace>
    <id>ws-1</id>
  </workspace>
  <connectionParameters>
    <entry key="dbtype">postgis</entry>
    <entry key="namespace">http://topp</entry>
  </connectionParameters>
  <!-- kept -->
  <unknownToUs a="1"><b/></unknownToUs>
</dataStore>`,
  ...published('roads', 1, 'org.locationtech.jts.geom.MultiLineString'),
  ...published('lakes', 2, 'org.locationtech.jts.geom.MultiPolygon'),
  'layergroups/map.xml': `<layerGroup>
  <id>group-1</id>
  <name>map</name>
  <mode>SINGLE</mode>
  <publishables>
    <published type="layer">
      <id>layer-1</id>
    </published>
    <published type="layer">
      <id>layer-2</id>
    </published>
  </publishables>
  <styles>
    <style/>
    <style>
      <id>style-water</id>
    </style>
  </styles>
</layerGroup>`,
  ...style('point'),
  ...style('line'),
  ...style('polygon'),
  ...style('generic'),
  ...style('water'),
};

export function style(name: string): Record<string, string> {
  return {
    [`styles/${name}.xml`]: `<style>\n  <id>style-${name}</id>\n  <name>${name}</name>\n  <filename>${name}.sld</filename>\n</style>`,
    [`styles/${name}.sld`]: `<StyledLayerDescriptor version="1.0.0"/>`,
  };
}

function published(name: string, n: number, binding: string): Record<string, string> {
  const folder = `workspaces/topp/pg/${name}`;
  return {
    [`${folder}/featuretype.xml`]: `<featureType>
  <id>ft-${n}</id>
  <name>${name}</name>
  <nativeName>${name}</nativeName>
  <namespace>
    <id>ns-1</id>
  </namespace>
  <srs>EPSG:4326</srs>
  <enabled>true</enabled>
  <store class="dataStore">
    <id>store-1</id>
  </store>
  <attributes>
    <attribute>
      <name>geom</name>
      <binding>${binding}</binding>
    </attribute>
  </attributes>
</featureType>`,
    [`${folder}/layer.xml`]: `<layer>
  <name>${name}</name>
  <id>layer-${n}</id>
  <type>VECTOR</type>
  <defaultStyle>
    <id>style-water</id>
  </defaultStyle>
  <resource class="featureType">
    <id>ft-${n}</id>
  </resource>
</layer>`,
  };
}

/** Everything that a view answers, in a form to compare: two views that answer the same are the same to all who ask. */
export function answers(view: CatalogView): unknown {
  const paths = (objects: Iterable<{ path: string }>) => Array.from(objects, (object) => object.path);
  const workspaces = [...view.workspaces()];
  const stores = workspaces.flatMap((workspace) => [...view.stores(workspace)]);
  const resources = stores.flatMap((store) => [...view.resources(store)]);
  const layers = [...view.layers()];
  const groups = [...view.allLayerGroups()];
  const styles = [...view.styles(), ...workspaces.flatMap((workspace) => [...view.styles(workspace)])];
  return {
    counts: view.counts(),
    default: view.defaultWorkspace()?.path,
    namespaces: paths(view.namespaces()),
    workspaces: workspaces.map((workspace) => ({
      object: workspace,
      byName: view.workspace(workspace.name)?.path,
      byId: view.byId('workspace', workspace.id)?.path,
      stores: paths(view.stores(workspace)),
      resources: paths(view.resources(workspace)),
      layers: paths(view.layers(workspace)),
      groups: paths(view.layerGroups(workspace)),
      styles: paths(view.styles(workspace)),
      settings: view.localSettings(workspace)?.path,
      wms: view.service('wms', workspace)?.path,
    })),
    stores: stores.map((store) => ({
      object: store,
      byId: view.storeById(store.id)?.path,
      byName: view.store(view.workspaceOf(store)!, store.name)?.path,
      workspace: view.workspaceOf(store)?.path,
      resources: paths(view.resources(store)),
    })),
    resources: resources.map((resource) => ({
      object: resource,
      byId: view.resourceById(resource.id)?.path,
      byName: view.resource(view.storeById(resource.storeId)!, resource.name)?.path,
      layers: paths(view.layersOf(resource)),
    })),
    layers: layers.map((layer) => ({
      object: layer,
      name: view.nameOf(layer),
      byName: view.layer(view.nameOf(layer))?.path,
      byId: view.layerById(layer.id)?.path,
      resource: view.resourceOf(layer)?.path,
      groups: paths(view.groupsWith(layer.id)),
    })),
    globalGroups: paths(view.layerGroups()),
    groups: groups.map((group) => ({ object: group, groups: paths(view.groupsWith(group.id)) })),
    styles: styles.map((style) => ({
      object: style,
      byId: view.styleById(style.id)?.path,
      layers: paths(view.layersWithStyle(style.id)),
      groups: paths(view.groupsWith(style.id)),
    })),
    wms: view.service('wms')?.path,
    global: view.globalSettings(),
    broken: Array.from(view.broken(), ({ path, problem }) => `${path}: ${problem}`).sort(),
  };
}
