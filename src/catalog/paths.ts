import type { TreePath } from '../tree/index.ts';
import type { ObjectKind, ServiceSettings } from './objects.ts';

/** What a file of the data directory is to the catalog; `default-workspace` is the copy in `workspaces/default.xml`. */
export type FileKind = ObjectKind | 'default-workspace';

export const DEFAULT_WORKSPACE_FILE = 'workspaces/default.xml' as TreePath;
export const GLOBAL_FILE = 'global.xml' as TreePath;
export const LOGGING_FILE = 'logging.xml' as TreePath;

/** Root elements, and file names, of the services. */
export const SERVICES = ['wms', 'wfs', 'wcs', 'wmts', 'csw', 'wps'] as const;

/** Folders inside a workspace that are no stores. */
export const RESERVED_FOLDERS: ReadonlySet<string> = new Set(['styles', 'layergroups']);

const serviceFiles: ReadonlySet<string> = new Set(SERVICES.map((service) => `${service}.xml`));

export const STORE_FILES = {
  dataStore: 'datastore.xml',
  coverageStore: 'coveragestore.xml',
  wmsStore: 'wmsstore.xml',
  wmtsStore: 'wmtsstore.xml',
} as const;

export const RESOURCE_FILES = {
  featureType: 'featuretype.xml',
  coverage: 'coverage.xml',
  wmsLayer: 'wmslayer.xml',
  wmtsLayer: 'wmtslayer.xml',
} as const;

const storeKinds: Readonly<Record<string, ObjectKind>> = {
  'datastore.xml': 'dataStore',
  'coveragestore.xml': 'coverageStore',
  'wmsstore.xml': 'wmsStore',
  'wmtsstore.xml': 'wmtsStore',
};

const resourceKinds: Readonly<Record<string, ObjectKind>> = {
  'featuretype.xml': 'featureType',
  'coverage.xml': 'coverage',
  'wmslayer.xml': 'wmsLayer',
  'wmtslayer.xml': 'wmtsLayer',
  'layer.xml': 'layer',
};

/** Which kind of object a file holds, by its place alone; undefined when it is no file of the catalog. */
export function kindOfPath(path: string): FileKind | undefined {
  if (!path.endsWith('.xml')) return undefined;
  const parts = path.split('/');
  const file = parts.at(-1)!;
  if (parts.length === 1) {
    if (file === GLOBAL_FILE) return 'global';
    if (file === LOGGING_FILE) return 'logging';
    return serviceFiles.has(file) ? 'service' : undefined;
  }
  if (parts.length === 2) {
    if (parts[0] === 'styles') return 'style';
    if (parts[0] === 'layergroups') return 'layerGroup';
    return path === DEFAULT_WORKSPACE_FILE ? 'default-workspace' : undefined;
  }
  if (parts[0] !== 'workspaces') return undefined;
  const folder = parts[2]!;
  switch (parts.length) {
    case 3:
      if (file === 'workspace.xml') return 'workspace';
      if (file === 'namespace.xml') return 'namespace';
      if (file === 'settings.xml') return 'settings';
      return serviceFiles.has(file) ? 'service' : undefined;
    case 4:
      if (folder === 'styles') return 'style';
      if (folder === 'layergroups') return 'layerGroup';
      return storeKinds[file];
    case 5:
      return RESERVED_FOLDERS.has(folder) ? undefined : resourceKinds[file];
    default:
      return undefined;
  }
}

/** Folder of the workspace that a file lies in; undefined for global files. */
export function workspaceFolder(path: string): string | undefined {
  const parts = path.split('/');
  return parts[0] === 'workspaces' && parts.length > 2 ? parts[1] : undefined;
}

/** Folder that a file or folder lies in; '' at the top. */
export function folderOf(path: TreePath): TreePath | '' {
  const slash = path.lastIndexOf('/');
  return slash === -1 ? '' : (path.slice(0, slash) as TreePath);
}

/** Path of something in a folder; the name was checked before. */
export function inFolder(folder: TreePath | '', name: string): TreePath {
  return (folder === '' ? name : `${folder}/${name}`) as TreePath;
}

/** Folder of the styles of a workspace, or of the global ones. */
export function stylesFolder(workspacePath: TreePath | undefined): TreePath {
  return workspacePath === undefined ? ('styles' as TreePath) : inFolder(folderOf(workspacePath), 'styles');
}

/** Folder of the groups of a workspace, or of the global ones. */
export function layerGroupsFolder(workspacePath: TreePath | undefined): TreePath {
  return workspacePath === undefined ? ('layergroups' as TreePath) : inFolder(folderOf(workspacePath), 'layergroups');
}

/** File of a service's settings. */
export function serviceFile(service: ServiceSettings['service'], workspacePath: TreePath | undefined): TreePath {
  return inFolder(workspacePath === undefined ? '' : folderOf(workspacePath), `${service}.xml`);
}
