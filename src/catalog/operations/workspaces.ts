import { UserError } from '../../base/index.ts';
import type { TreePath } from '../../tree/index.ts';
import { XmlElement } from '../../xml/index.ts';
import { setMapValue } from '../brief-map.ts';
import type { Namespace, Workspace } from '../objects.ts';
import { DEFAULT_WORKSPACE_FILE, folderOf, inFolder } from '../paths.ts';
import type { Draft } from '../view.ts';
import { editXmlFile, formatDate, newId, putXmlFile, setText } from '../write.ts';
import { removeLayer, removeLayerGroup, removeStyle } from './cascade.ts';
import { checkName, freeFolder, stamp, written } from './check.ts';
import type { Env } from './env.ts';

const WORKSPACES = 'workspaces' as TreePath;

/**
 * Makes a workspace with its namespace (`http://<name>` unless a URI is given), or for a namespace that has none. The first
 * workspace becomes the default.
 *
 * @throws UserError  409 when it is there; 400 when the name cannot be used
 */
export function createWorkspace(
  draft: Draft,
  options: { name: string; isolated?: boolean; uri?: string; makeDefault?: boolean },
  env: Env,
): Workspace {
  const { name, isolated = false } = options;
  checkWorkspaceName('workspace', name);
  if (draft.workspace(name) !== undefined)
    throw new UserError(409, 'workspace-exists', `Workspace '${name}' already exists`);
  const before = draft.defaultWorkspace();
  const folder = freeFolder(draft, WORKSPACES, name, ['workspace.xml', 'namespace.xml']);
  const path = inFolder(folder, 'workspace.xml');
  putXmlFile(
    draft,
    path,
    XmlElement.of('workspace', [
      XmlElement.of('id', newId('workspace', env.random)),
      XmlElement.of('name', name),
      XmlElement.of('isolated', String(isolated)),
      XmlElement.of('dateCreated', formatDate(env.now)),
    ]),
  );
  if (draft.namespace(name) === undefined)
    putNamespace(draft, folder, { prefix: name, uri: options.uri ?? uriFor(name), isolated }, env);
  const workspace = written<Workspace>(draft, path);
  // Without the file the first by name is the default: a new one must not take its place unnoticed.
  if (options.makeDefault || before === undefined) setDefaultWorkspace(draft, workspace);
  else if (!draft.exists(DEFAULT_WORKSPACE_FILE)) setDefaultWorkspace(draft, before);
  return workspace;
}

/**
 * Renames a workspace, its folder, and the prefix of its namespace; or changes `isolated`. What is absent stays. The folder
 * moves in one operation, whatever it holds.
 *
 * @throws UserError  409 when the new name is taken; 400 when it cannot be used
 */
export function changeWorkspace(
  draft: Draft,
  workspace: Workspace,
  change: { name?: string; isolated?: boolean },
  env: Env,
): Workspace {
  const { name = workspace.name, isolated = workspace.isolated } = change;
  if (name === workspace.name && isolated === workspace.isolated) return workspace;
  const isDefault = draft.defaultWorkspace()?.id === workspace.id;
  const namespace = draft.namespace(workspace.name);
  if (name !== workspace.name) {
    checkWorkspaceName('workspace', name);
    if (draft.workspace(name) !== undefined)
      throw new UserError(409, 'workspace-exists', `Workspace '${name}' already exists`);
    if (namespace !== undefined && draft.namespace(name) !== undefined)
      throw new UserError(409, 'namespace-exists', `Namespace with prefix '${name}' already exists.`);
  }
  if (namespace !== undefined && isolated !== workspace.isolated) checkUri(draft, namespace.uri, isolated, namespace);
  editXmlFile(draft, workspace.path, (root) => {
    setText(root, 'name', name);
    if (isolated !== workspace.isolated) setText(root, 'isolated', String(isolated));
    stamp(root, env);
  });
  if (namespace !== undefined)
    editXmlFile(draft, namespace.path, (root) => {
      setText(root, 'prefix', name);
      if (isolated !== workspace.isolated) setText(root, 'isolated', String(isolated));
    });
  let path = workspace.path;
  if (name !== workspace.name) {
    const folder = freeFolder(draft, WORKSPACES, name, ['workspace.xml']);
    draft.move(folderOf(path) as TreePath, folder);
    path = inFolder(folder, 'workspace.xml');
  }
  const changed = written<Workspace>(draft, path);
  if (isDefault) setDefaultWorkspace(draft, changed);
  return changed;
}

/**
 * Deletes a workspace with its folder. What lies in it leaves the groups and layers of others that use it; the next workspace
 * by name becomes the default if this was it.
 *
 * @throws UserError  403 when it is not empty and `recurse` is not set
 */
export function deleteWorkspace(draft: Draft, workspace: Workspace, options: { recurse: boolean }, env: Env): void {
  const namespace = draft.namespace(workspace.name);
  const stores = [...draft.stores(workspace)];
  const groups = [...draft.layerGroups(workspace)];
  const styles = [...draft.styles(workspace)];
  if (!options.recurse) {
    if (stores.length + groups.length + styles.length > 0)
      throw new UserError(403, 'workspace-not-empty', 'Workspace not empty');
    if (namespace !== undefined && !isEmpty(draft.resources(workspace)))
      throw new UserError(403, 'namespace-not-empty', 'Namespace for workspace not empty.');
  }
  const wasDefault = draft.defaultWorkspace()?.id === workspace.id;
  const folder = folderOf(workspace.path) as TreePath;
  for (const group of groups) removeLayerGroup(draft, group, env, folder);
  for (const store of stores) {
    for (const resource of [...draft.resources(store)])
      for (const layer of [...draft.layersOf(resource)]) removeLayer(draft, layer, env, folder);
    if (!isIn(store.path, folder)) draft.delete(folderOf(store.path) as TreePath);
  }
  for (const style of styles) removeStyle(draft, style, env, folder);
  const settings = draft.localSettings(workspace);
  if (settings !== undefined && !isIn(settings.path, folder)) draft.delete(settings.path);
  if (namespace !== undefined && !isIn(namespace.path, folder)) draft.delete(namespace.path);
  draft.delete(folder);
  if (!wasDefault) return;
  draft.delete(DEFAULT_WORKSPACE_FILE);
  for (const next of draft.workspaces()) {
    setDefaultWorkspace(draft, next);
    break;
  }
}

/** The file that says so is a copy of the workspace's own. */
export function setDefaultWorkspace(draft: Draft, workspace: Workspace): void {
  const bytes = draft.read(workspace.path);
  if (bytes === undefined || draft.hash(DEFAULT_WORKSPACE_FILE) === draft.hash(workspace.path)) return;
  draft.put(DEFAULT_WORKSPACE_FILE, bytes);
}

/**
 * Makes a namespace, and its workspace.
 * @throws UserError  500, as GeoServer's, when prefix or URI are taken; 400 when they cannot be used
 */
export function createNamespace(
  draft: Draft,
  options: { prefix: string; uri: string; isolated?: boolean },
  env: Env,
): Namespace {
  const { prefix, uri, isolated = false } = options;
  checkWorkspaceName('namespace', prefix);
  if (draft.namespace(prefix) !== undefined)
    throw new UserError(500, 'namespace-exists', `Namespace with prefix '${prefix}' already exists.`);
  const workspace = draft.workspace(prefix);
  if (workspace === undefined) createWorkspace(draft, { name: prefix, isolated, uri }, env);
  else putNamespace(draft, folderOf(workspace.path) as TreePath, { prefix, uri, isolated }, env);
  return draft.namespace(prefix)!;
}

/**
 * Changes URI or isolation. Data stores carry the URI in their parameter `namespace`, which follows.
 * @throws UserError  403 when the prefix differs; 500, as GeoServer's, when the URI is taken
 */
export function changeNamespace(
  draft: Draft,
  namespace: Namespace,
  change: { prefix?: string; uri?: string; isolated?: boolean },
  env: Env,
): Namespace {
  if (change.prefix !== undefined && change.prefix !== namespace.prefix)
    throw new UserError(403, 'prefix-change', "Can't change the prefix of a namespace; rename its workspace instead.");
  const { uri = namespace.uri, isolated = namespace.isolated } = change;
  if (uri === namespace.uri && isolated === namespace.isolated) return namespace;
  checkUri(draft, uri, isolated, namespace);
  editXmlFile(draft, namespace.path, (root) => {
    setText(root, 'uri', uri);
    if (isolated !== namespace.isolated) setText(root, 'isolated', String(isolated));
    if (root.child('dateModified') !== undefined) stamp(root, env);
  });
  const workspace = draft.workspace(namespace.prefix);
  if (workspace !== undefined) {
    if (uri !== namespace.uri)
      for (const store of [...draft.stores(workspace)])
        if (store.kind === 'dataStore' && store.connectionParameters.namespace !== undefined)
          editXmlFile(draft, store.path, (root) => {
            const parameters = root.child('connectionParameters');
            if (parameters !== undefined) setMapValue(parameters, 'namespace', uri);
          });
    if (isolated !== workspace.isolated)
      editXmlFile(draft, workspace.path, (root) => {
        setText(root, 'isolated', String(isolated));
        stamp(root, env);
      });
  }
  return written<Namespace>(draft, namespace.path);
}

/**
 * Deletes a namespace that has no resources; the workspace stays.
 * @throws UserError  401, as GeoServer's, when it has resources
 */
export function deleteNamespace(draft: Draft, namespace: Namespace): void {
  const workspace = draft.workspace(namespace.prefix);
  if (workspace !== undefined && !isEmpty(draft.resources(workspace)))
    throw new UserError(401, 'namespace-not-empty', 'Namespace not empty');
  draft.delete(namespace.path);
}

function putNamespace(
  draft: Draft,
  folder: TreePath,
  namespace: { prefix: string; uri: string; isolated: boolean },
  env: Env,
): void {
  checkUri(draft, namespace.uri, namespace.isolated);
  putXmlFile(
    draft,
    inFolder(folder, 'namespace.xml'),
    XmlElement.of('namespace', [
      XmlElement.of('id', newId('namespace', env.random)),
      XmlElement.of('prefix', namespace.prefix),
      XmlElement.of('uri', namespace.uri),
      XmlElement.of('isolated', String(namespace.isolated)),
    ]),
  );
}

/** GeoServer's choice for who names none; what no URI can hold is escaped. */
function uriFor(name: string): string {
  return `http://${name.replace(/[\s<>"{}|\\^`%]/g, encodeURIComponent)}`;
}

function checkWorkspaceName(what: string, name: string): void {
  checkName(what, name);
  if (name.toLowerCase() === 'default')
    throw new UserError(400, 'reserved-name', `default is a reserved keyword and cannot be the name of a ${what}`);
  if (/[:,]/.test(name))
    throw new UserError(
      400,
      'bad-name',
      `the ${what} name '${name}' contains ':' or ',', which separate names; choose another`,
    );
}

/** Two namespaces may share a URI when at most one of them is not isolated. */
function checkUri(draft: Draft, uri: string, isolated: boolean, except?: Namespace): void {
  if (uri === '' || /[\s<>"{}|\\^`\u0000-\u001f]/.test(uri))
    throw new UserError(
      400,
      'bad-uri',
      `'${uri}' cannot be the URI of a namespace: it needs one without blanks, such as http://example.org/`,
    );
  if (isolated) return;
  for (const other of draft.namespaces(uri))
    if (!other.isolated && other.id !== except?.id)
      throw new UserError(500, 'namespace-exists', `Namespace with URI '${uri}' already exists.`);
}

function isEmpty(things: Iterable<unknown>): boolean {
  for (const _ of things) return false;
  return true;
}

function isIn(path: TreePath, folder: TreePath): boolean {
  return path.startsWith(`${folder}/`);
}
