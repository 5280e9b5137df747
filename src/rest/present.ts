/**
 * From a catalog file to what the REST API shows of it: ids go, references become names with links, links to child
 * collections come at the end, secrets are masked. What is not known here passes through.
 */
import type {
  CatalogObject,
  CatalogView,
  Layer,
  LayerGroup,
  Resource,
  Store,
  Style,
  Workspace,
} from '../catalog/index.ts';
import { parseXml, type XmlElement } from '../xml/index.ts';
import { atomLink, el } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { maskSecrets } from './secrets.ts';

/** How the kinds of stores and resources are called in paths, lists and messages. */
export const STORE_KINDS = {
  dataStore: {
    path: 'datastores',
    list: 'dataStores',
    children: { element: 'featureTypes', path: 'featuretypes' },
    resource: 'featureType',
  },
  coverageStore: {
    path: 'coveragestores',
    list: 'coverageStores',
    children: { element: 'coverages', path: 'coverages' },
    resource: 'coverage',
  },
  wmsStore: {
    path: 'wmsstores',
    list: 'wmsStores',
    children: { element: 'wmslayers', path: 'wmslayers' },
    resource: 'wmsLayer',
  },
  wmtsStore: {
    path: 'wmtsstores',
    list: 'wmtsStores',
    children: { element: 'layers', path: 'layers' },
    resource: 'wmtsLayer',
  },
} as const satisfies Record<Store['kind'], unknown>;

/** The root element of an object's file. */
export function rootOf(view: CatalogView, object: CatalogObject): XmlElement {
  const bytes = view.read(object.path);
  if (bytes === undefined) throw new Error(`${object.path} left the tree while it was read`);
  return parseXml(bytes).root;
}

/** The element with some children replaced (`undefined` drops them), and others added at the end. */
function rebuilt(
  root: XmlElement,
  replace: Readonly<Record<string, (child: XmlElement) => XmlElement | undefined>>,
  add: readonly (XmlElement | undefined)[] = [],
): XmlElement {
  const children = root.elements.map((child) => {
    const change = Object.hasOwn(replace, child.name) ? replace[child.name] : undefined;
    return change === undefined ? child : change(child);
  });
  return el(root.name, [...children, ...add]);
}

const drop = () => undefined;

/** `child` unless the element has one of that name. */
function unlessThere(root: XmlElement, child: XmlElement): XmlElement | undefined {
  return root.elements.some((other) => other.name === child.name) ? undefined : child;
}

export function presentWorkspace(x: Exchange, workspace: Workspace): XmlElement {
  const root = rootOf(x.view, workspace);
  const links = Object.values(STORE_KINDS).map((kind) =>
    el(kind.list, [x.link('workspaces', workspace.name, kind.path)]),
  );
  return rebuilt(root, { id: drop }, [unlessThere(root, el('isolated', workspace.isolated)), ...links]);
}

export function presentStore(x: Exchange, store: Store): XmlElement {
  const root = rootOf(x.view, store);
  const workspace = x.view.workspaceOf(store);
  const kind = STORE_KINDS[store.kind];
  const shown = rebuilt(root, { id: drop, workspace: (child) => workspaceReference(x, workspace, child) }, [
    unlessThere(root, el('enabled', store.enabled)),
    unlessThere(root, el('__default', 'false')),
    workspace &&
      el(kind.children.element, [x.link('workspaces', workspace.name, kind.path, store.name, kind.children.path)]),
  ]);
  return maskSecrets(shown, store.id);
}

function workspaceReference(x: Exchange, workspace: Workspace | undefined, child: XmlElement): XmlElement {
  if (workspace === undefined) return child;
  return el('workspace', [el('name', workspace.name), x.link('workspaces', workspace.name)]);
}

/** Path of a resource below `/rest`; undefined when it hangs in the air. */
export function resourcePath(view: CatalogView, resource: Resource): string[] | undefined {
  const store = view.storeById(resource.storeId);
  const workspace = store && view.workspaceOf(store);
  if (store === undefined || workspace === undefined) return undefined;
  const kind = STORE_KINDS[store.kind];
  return ['workspaces', workspace.name, kind.path, store.name, kind.children.path, resource.name];
}

export function presentResource(x: Exchange, resource: Resource): XmlElement {
  const store = x.view.storeById(resource.storeId);
  const workspace = x.view.workspaceOf(resource);
  return rebuilt(rootOf(x.view, resource), {
    id: drop,
    namespace: (child) =>
      workspace === undefined
        ? child
        : el('namespace', [el('name', workspace.name), x.link('namespaces', workspace.name)]),
    store: (child) => {
      const home = store && x.view.workspaceOf(store);
      if (store === undefined || home === undefined) return child;
      const content = [
        el('name', `${home.name}:${store.name}`),
        x.link('workspaces', home.name, STORE_KINDS[store.kind].path, store.name),
      ];
      return el('store', content, { class: store.kind });
    },
  });
}

export function presentLayer(x: Exchange, layer: Layer): XmlElement {
  const { view } = x;
  const resource = view.resourceOf(layer);
  return rebuilt(rootOf(view, layer), {
    id: drop,
    name: () => el('name', view.nameOf(layer)),
    defaultStyle: (child) => styleReference(x, child),
    styles: (child) =>
      el(
        'styles',
        child.elements.map((style) => styleReference(x, style)),
        { class: child.attribute('class') ?? 'linked-hash-set' },
      ),
    resource: (child) => {
      const workspace = resource && view.workspaceOf(resource);
      if (resource === undefined || workspace === undefined) return child;
      const path = resource.kind === 'wmtsLayer' ? undefined : resourcePath(view, resource);
      const content = [el('name', `${workspace.name}:${resource.name}`), path && x.link(...path)];
      return el('resource', content, { class: resource.kind });
    },
  });
}

/** Path of a style below `/rest`. */
export function stylePath(view: CatalogView, style: Style): string[] {
  const workspace = style.workspaceId === undefined ? undefined : view.workspaceOf(style);
  return workspace === undefined ? ['styles', style.name] : ['workspaces', workspace.name, 'styles', style.name];
}

/** A reference to a style, by id in the file, as name and link; an empty one stays empty. */
function styleReference(x: Exchange, child: XmlElement): XmlElement {
  const id = child.childText('id');
  const style = id === undefined ? undefined : x.view.styleById(id);
  if (style === undefined) return child;
  const workspace = style.workspaceId === undefined ? undefined : x.view.workspaceOf(style);
  const name = workspace === undefined ? style.name : `${workspace.name}:${style.name}`;
  return el(child.name, [
    el('name', name),
    workspace && el('workspace', workspace.name),
    x.link(...stylePath(x.view, style)),
  ]);
}

export function presentStyle(x: Exchange, style: Style): XmlElement {
  const workspace = style.workspaceId === undefined ? undefined : x.view.workspaceOf(style);
  const root = rootOf(x.view, style);
  const { elements } = rebuilt(root, {
    id: drop,
    // What languageVersion was called long ago.
    sldVersion: drop,
    workspace: (child) => (workspace === undefined ? child : el('workspace', [el('name', workspace.name)])),
  });
  // Old files say neither format nor version; clients look for them before the file name.
  const missing = [
    unlessThere(root, el('format', style.format)),
    unlessThere(root, el('languageVersion', [el('version', style.languageVersion)])),
  ];
  const at = elements.findIndex((child) => child.name === 'filename');
  const place = at === -1 ? elements.length : at;
  return el('style', [...elements.slice(0, place), ...missing, ...elements.slice(place)]);
}

/** Path of a group below `/rest`. */
export function groupPath(view: CatalogView, group: LayerGroup): string[] {
  const workspace = group.workspaceId === undefined ? undefined : view.workspaceOf(group);
  return workspace === undefined
    ? ['layergroups', group.name]
    : ['workspaces', workspace.name, 'layergroups', group.name];
}

export function presentLayerGroup(x: Exchange, group: LayerGroup): XmlElement {
  const workspace = group.workspaceId === undefined ? undefined : x.view.workspaceOf(group);
  const members = (child: XmlElement) =>
    el(
      child.name,
      child.elements.map((published) => publishedReference(x, published)),
    );
  const styles = (child: XmlElement) =>
    el(
      child.name,
      child.elements.map((style) => styleReference(x, style)),
    );
  const root = rootOf(x.view, group);
  const shown = rebuilt(root, {
    id: drop,
    workspace: (child) => (workspace === undefined ? child : el('workspace', [el('name', workspace.name)])),
    rootLayer: (child) => publishedReference(x, child),
    rootLayerStyle: (child) => styleReference(x, child),
    publishables: members,
    layers: (child) =>
      el(
        'publishables',
        child.elements.map((layer) => publishedReference(x, layer)),
      ),
    styles,
    layerGroupStyles: (child) =>
      el(
        'layerGroupStyles',
        child.elements.map((style) => rebuilt(style, { id: drop, layers: members, publishables: members, styles })),
      ),
  });
  const mode = unlessThere(root, el('mode', group.mode));
  return mode === undefined ? shown : el(shown.name, [...shown.elements, mode]);
}

function publishedReference(x: Exchange, child: XmlElement): XmlElement {
  const { view } = x;
  const id = child.childText('id');
  if (id === undefined) return child;
  const layer = view.layerById(id);
  const isRoot = child.name === 'rootLayer';
  if (layer !== undefined) {
    const workspace = view.workspaceOf(layer);
    const name = view.nameOf(layer);
    const path = workspace === undefined ? ['layers', name] : ['workspaces', workspace.name, 'layers', name];
    const content = [el('name', workspace === undefined ? name : `${workspace.name}:${name}`), x.link(...path)];
    return isRoot ? el('rootLayer', content, child.attributes) : el('published', content, { type: 'layer' });
  }
  const group = view.byId('layerGroup', id);
  if (group === undefined) return child;
  const workspace = group.workspaceId === undefined ? undefined : view.workspaceOf(group);
  const name = workspace === undefined ? group.name : `${workspace.name}:${group.name}`;
  return el('published', [el('name', name), x.link(...groupPath(view, group))], { type: 'layerGroup' });
}

/** JSON of a group: its empty slots are the text "null". */
export const GROUP_JSON = { nullSlots: ['style', 'published'] };

// ---- lists

/** A list of the catalog: names and links; in JSON always an array, or "" when there is nothing. */
export function presentList(
  names: { readonly list: string; readonly item: string },
  items: Iterable<{ readonly name: string; readonly link: XmlElement }>,
): { kind: 'object'; element: XmlElement; json: { array: (parent: string, child: string) => boolean } } {
  const children = Array.from(items, ({ name, link }) => el(names.item, [el('name', name), link]));
  return {
    kind: 'object',
    element: el(names.list, children),
    json: { array: (parent, child) => parent === names.list && child === names.item },
  };
}

export { atomLink };
