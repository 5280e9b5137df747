import { UserError } from '../../base/index.ts';
import type { TreePath } from '../../tree/index.ts';
import { XmlElement } from '../../xml/index.ts';
import { mapElement, readMap } from '../brief-map.ts';
import type { Workspace } from '../objects.ts';
import { folderOf, inFolder, RESERVED_FOLDERS, STORE_FILES } from '../paths.ts';
import { orderOf } from '../schema.ts';
import type { Draft, Store } from '../view.ts';
import { editXmlFile, formatDate, newId, putXmlFile, referenceElement } from '../write.ts';
import { removeLayer, removeResource } from './cascade.ts';
import { checkName, freeFolder, nameIn, referenceIn, stamp, written } from './check.ts';
import type { Env } from './env.ts';
import { bodyOf, overlay, type Rewrite } from './overlay.ts';

/**
 * Makes a store from its XML (`<dataStore>`, `<coverageStore>`, `<wmsStore>`, `<wmtsStore>`). The workspace is the given one,
 * `namespace` is put among the parameters of a data store, `type` is worked out where the parameters tell it, and passwords in
 * clear text are marked `plain:`. A store without `enabled` is enabled.
 *
 * @throws UserError  500, as GeoServer's, when the name is taken; 403 when the XML names another workspace; 400
 */
export function createStore(draft: Draft, workspace: Workspace, element: XmlElement, env: Env): Store {
  const kind = kindOf(element);
  const name = nameIn(element);
  checkStoreName(name);
  checkWorkspace(draft, workspace, element);
  refuseTaken(draft, workspace, name);
  const folder = freeFolder(draft, folderOf(workspace.path) as TreePath, name, Object.values(STORE_FILES));
  const path = inFolder(folder, STORE_FILES[kind]);
  const children = bodyOf(withOwnFlag(element), rewriteFor(draft, workspace)).filter(
    (child) => child.name !== 'workspace',
  );
  const has = (child: string) => children.some((other) => other.name === child);
  children.push(
    XmlElement.of('id', newId(kind, env.random)),
    referenceElement('workspace', workspace.id),
    XmlElement.of('dateCreated', formatDate(env.now)),
  );
  if (!has('enabled')) children.push(XmlElement.of('enabled', 'true'));
  if (kind === 'dataStore' && !has('connectionParameters'))
    children.push(mapElement('connectionParameters', ownParameters(draft, workspace, new Map())));
  if (!has('type')) {
    const type = typeOf(kind, children);
    if (type !== undefined) children.push(XmlElement.of('type', type));
  }
  putXmlFile(draft, path, inOrder(kind, children));
  return written<Store>(draft, path);
}

/**
 * Lays the given elements over the stored ones; a new name moves the folder.
 * @throws UserError  500 when the new name is taken; 403 when the XML names another workspace
 */
export function changeStore(draft: Draft, store: Store, patch: XmlElement, env: Env): Store {
  const workspace = draft.workspaceOf(store)!;
  checkWorkspace(draft, workspace, patch);
  const name = nameIn(patch) ?? store.name;
  if (name !== store.name) {
    checkStoreName(name);
    refuseTaken(draft, workspace, name);
  }
  editXmlFile(draft, store.path, (root) => {
    const before = root.toString();
    overlay(root, withOwnFlag(patch), { ...rewriteFor(draft, workspace), workspace: () => undefined });
    if (root.toString() !== before) stamp(root, env);
  });
  if (name === store.name) return written<Store>(draft, store.path);
  const file = STORE_FILES[store.kind];
  const folder = freeFolder(draft, folderOf(workspace.path) as TreePath, name, Object.values(STORE_FILES));
  draft.move(folderOf(store.path) as TreePath, folder);
  return written<Store>(draft, inFolder(folder, file));
}

/**
 * Deletes a store with its folder; with `recurse` its resources and layers, which leave their groups. Data stay where they are.
 * @throws UserError  403 (data stores) or 401 (others), as GeoServer's, when it is not empty and `recurse` is not set
 */
export function deleteStore(draft: Draft, store: Store, options: { recurse: boolean }, env: Env): void {
  const resources = [...draft.resources(store)];
  if (resources.length > 0 && !options.recurse) {
    if (store.kind === 'dataStore') throw new UserError(403, 'store-not-empty', 'Unable to delete non-empty store.');
    throw new UserError(401, 'store-not-empty', `${store.kind.toLowerCase()} not empty`);
  }
  const folder = folderOf(store.path) as TreePath;
  for (const resource of resources) {
    for (const layer of [...draft.layersOf(resource)]) removeLayer(draft, layer, env, folder);
    if (!resource.path.startsWith(`${folder}/`)) removeResource(draft, resource);
  }
  draft.delete(folder);
}

function kindOf(element: XmlElement): Store['kind'] {
  if (Object.hasOwn(STORE_FILES, element.name)) return element.name as Store['kind'];
  throw new UserError(400, 'bad-element', `<${element.name}> is no store: ${Object.keys(STORE_FILES).join(', ')} are`);
}

function checkStoreName(name: string | undefined): asserts name is string {
  checkName('store', name);
  if (RESERVED_FOLDERS.has(name))
    throw new UserError(400, 'reserved-name', `a store cannot be named '${name}': that is a folder of every workspace`);
}

function refuseTaken(draft: Draft, workspace: Workspace, name: string): void {
  if (draft.store(workspace, name) !== undefined)
    throw new UserError(500, 'store-exists', `Store '${name}' already exists in workspace '${workspace.name}'`);
}

function checkWorkspace(draft: Draft, workspace: Workspace, element: XmlElement): void {
  const ref = referenceIn(element, 'workspace');
  if (ref === undefined || ref === workspace.id || ref === workspace.name) return;
  const other = draft.byId('workspace', ref)?.name ?? ref;
  throw new UserError(403, 'workspace-mismatch', `Expected workspace ${workspace.name} but client specified ${other}`);
}

/** The field `_default` is `__default` in XML, and `_default` in JSON. */
function withOwnFlag(element: XmlElement): XmlElement {
  if (element.child('_default') === undefined) return element;
  const children = element.elements.map((child) =>
    child.name === '_default' ? XmlElement.of('__default', child.text.trim()) : child,
  );
  return XmlElement.of(element.name, children, element.attributes);
}

function rewriteFor(draft: Draft, workspace: Workspace): Rewrite {
  return {
    connectionParameters: (element) => mapElement(element.name, ownParameters(draft, workspace, readMap(element))),
    password: (element) => XmlElement.of('password', marked(element.text)),
  };
}

const PASSWORDS = /^(?:passwd|password|.*:PASSWORD)$/;

/** `plain:` in front of a value that has no mark yet, as GeoServer reads it without a key store. */
function marked(secret: string): string {
  return secret === '' || /^(?:plain|crypt1|crypt2):/.test(secret) ? secret : `plain:${secret}`;
}

function ownParameters(draft: Draft, workspace: Workspace, sent: ReadonlyMap<string, string>): Map<string, string> {
  const parameters = new Map(Array.from(sent, ([key, value]) => [key, PASSWORDS.test(key) ? marked(value) : value]));
  const uri = draft.namespace(workspace.name)?.uri;
  if (uri !== undefined) parameters.set('namespace', uri);
  return parameters;
}

/** GeoServer's names of data access factories, where the parameters leave no doubt. */
function typeOf(kind: Store['kind'], children: readonly XmlElement[]): string | undefined {
  if (kind === 'wmsStore') return 'WMS';
  if (kind === 'wmtsStore') return 'WMTS';
  const textOf = (name: string) => children.find((child) => child.name === name)?.text.trim() ?? '';
  if (kind === 'coverageStore') return /\.(?:tiff?|geotiff?)$/i.test(textOf('url')) ? 'GeoTIFF' : undefined;
  const map = children.find((child) => child.name === 'connectionParameters');
  const parameters = map === undefined ? new Map<string, string>() : readMap(map);
  const url = parameters.get('url') ?? '';
  switch (parameters.get('dbtype')) {
    case 'postgis':
      return parameters.has('jndiReferenceName') ? 'PostGIS (JNDI)' : 'PostGIS';
    case 'geopkg':
      return 'GeoPackage';
    case undefined:
      break;
    default:
      return undefined;
  }
  if (/\.shp$/i.test(url)) return 'Shapefile';
  return parameters.get('filetype') === 'shapefile' || /^file:[^?]*\/$/.test(url)
    ? 'Directory of spatial files (shapefiles)'
    : undefined;
}

/** A new element of a catalog file, its children in GeoServer's order. */
export function inOrder(root: string, children: readonly XmlElement[]): XmlElement {
  const order = orderOf(root);
  return XmlElement.of(
    root,
    [...children].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name)),
  );
}
