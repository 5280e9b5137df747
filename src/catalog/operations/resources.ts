import { UserError } from '../../base/index.ts';
import type { TreePath } from '../../tree/index.ts';
import { XmlElement } from '../../xml/index.ts';
import { folderOf, inFolder, RESOURCE_FILES } from '../paths.ts';
import type { Draft, Resource, Store } from '../view.ts';
import { editXmlFile, newId, putXmlFile, referenceElement, setText } from '../write.ts';
import { removeLayer, removeResource } from './cascade.ts';
import { checkName, freeFolder, nameIn, referenceIn, written } from './check.ts';
import type { Env } from './env.ts';
import { bodyOf, overlay } from './overlay.ts';
import { inOrder } from './stores.ts';

/** Which kinds of resources a store holds. */
const kindsOf: Readonly<Record<Store['kind'], Resource['kind']>> = {
  dataStore: 'featureType',
  coverageStore: 'coverage',
  wmsStore: 'wmsLayer',
  wmtsStore: 'wmtsLayer',
};

/**
 * Makes a resource from its XML (`<featureType>`, `<coverage>`, `<wmsLayer>`, `<wmtsLayer>`), without a layer. The namespace is
 * that of the store's workspace; `nativeName` defaults to the name; a resource without `enabled` is enabled.
 *
 * @throws UserError  500, as GeoServer's, when the name is taken; 403 when the XML names another store or namespace; 400
 */
export function createResource(draft: Draft, store: Store, element: XmlElement, env: Env): Resource {
  const kind = kindsOf[store.kind];
  if (element.name !== kind)
    throw new UserError(400, 'bad-element', `a ${store.kind} holds <${kind}>, not <${element.name}>`);
  const name = nameIn(element);
  checkName(kind, name);
  const workspace = draft.workspaceOf(store)!;
  const namespace = draft.namespace(workspace.name);
  if (namespace === undefined)
    throw new UserError(
      500,
      'namespace-missing',
      `workspace ${workspace.name} has no namespace: make one with the prefix ${workspace.name}`,
    );
  checkOwners(draft, { store, namespaceId: namespace.id }, element);
  refuseTaken(draft, store, name);
  const folder = freeFolder(draft, folderOf(store.path) as TreePath, name, [
    ...Object.values(RESOURCE_FILES),
    'layer.xml',
  ]);
  const path = inFolder(folder, RESOURCE_FILES[kind]);
  const children = bodyOf(element, {}).filter((child) => child.name !== 'store' && child.name !== 'namespace');
  const has = (child: string) => children.some((other) => other.name === child);
  children.push(
    XmlElement.of('id', newId(kind, env.random)),
    referenceElement('namespace', namespace.id),
    referenceElement('store', store.id, { class: store.kind }),
  );
  if (!has('nativeName')) children.push(XmlElement.of('nativeName', name));
  if (!has('enabled')) children.push(XmlElement.of('enabled', 'true'));
  putXmlFile(draft, path, inOrder(kind, children));
  return written<Resource>(draft, path);
}

/**
 * Lays the given elements over the stored ones. A new name moves the folder; the layer, whose name this is, goes with it.
 * @throws UserError  500 when the new name is taken; 403 when the XML names another store or namespace
 */
export function changeResource(draft: Draft, resource: Resource, patch: XmlElement, _env: Env): Resource {
  const store = draft.storeById(resource.storeId)!;
  checkOwners(draft, { store, namespaceId: resource.namespaceId }, patch);
  const name = nameIn(patch) ?? resource.name;
  if (name !== resource.name) {
    checkName(resource.kind, name);
    refuseTaken(draft, store, name);
  }
  editXmlFile(draft, resource.path, (root) =>
    overlay(root, patch, { store: () => undefined, namespace: () => undefined }),
  );
  if (name === resource.name) return written<Resource>(draft, resource.path);
  for (const layer of [...draft.layersOf(draft.resourceById(resource.id) ?? resource)])
    editXmlFile(draft, layer.path, (root) => {
      if (root.child('name') !== undefined) setText(root, 'name', name);
    });
  const files = [...Object.values(RESOURCE_FILES), 'layer.xml'];
  const folder = freeFolder(draft, folderOf(store.path) as TreePath, name, files);
  draft.move(folderOf(resource.path) as TreePath, folder);
  return written<Resource>(draft, inFolder(folder, RESOURCE_FILES[resource.kind]));
}

const words: Readonly<Record<Resource['kind'], string>> = {
  featureType: 'feature type',
  coverage: 'coverage',
  wmsLayer: 'wms layer',
  wmtsLayer: 'wmts layer',
};

/**
 * Deletes a resource with its folder; with `recurse` its layers first, which leave their groups. Data stay where they are.
 * @throws UserError  403 when layers publish it and `recurse` is not set
 */
export function deleteResource(draft: Draft, resource: Resource, options: { recurse: boolean }, env: Env): void {
  const layers = [...draft.layersOf(resource)];
  if (layers.length > 0 && !options.recurse)
    throw new UserError(403, 'resource-in-use', `${words[resource.kind]} referenced by layer(s)`);
  for (const layer of layers) removeLayer(draft, layer, env);
  removeResource(draft, resource);
}

function refuseTaken(draft: Draft, store: Store, name: string): void {
  if (draft.resource(store, name) !== undefined)
    throw new UserError(500, 'resource-exists', `Resource named '${name}' already exists in store: '${store.name}'`);
  const workspace = draft.workspaceOf(store)!;
  if (draft.resource(workspace, name) !== undefined)
    throw new UserError(
      500,
      'resource-exists',
      `Resource named '${name}' already exists in namespace: '${workspace.name}'`,
    );
}

function checkOwners(draft: Draft, expected: { store: Store; namespaceId: string }, element: XmlElement): void {
  const { store } = expected;
  const named = referenceIn(element, 'store');
  const workspace = draft.workspaceOf(store)!.name;
  if (
    named !== undefined &&
    named !== store.name &&
    named !== `${workspace}:${store.name}` &&
    draft.storeById(named)?.id !== store.id
  )
    throw new UserError(403, 'store-mismatch', `Expected store ${store.name} but client specified ${named}`);
  const prefix = referenceIn(element, 'namespace');
  if (prefix === undefined || prefix === expected.namespaceId) return;
  const namespace = draft.byId('namespace', prefix) ?? draft.namespace(prefix);
  if (namespace?.prefix !== workspace && namespace?.id !== expected.namespaceId)
    throw new UserError(403, 'namespace-mismatch', `Expected workspace ${workspace} but client specified ${prefix}`);
}
