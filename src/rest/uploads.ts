/**
 * Uploads: files, a store over them, its resources and layers, all in one change.
 *
 * The files are first laid into a folder of this node, where the drivers look at them; then they go into the tree as
 * `data/<workspace>/<store>/`, so every node has them.
 */

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { UserError } from '../base/index.ts';
import {
  type CatalogView,
  changeResource,
  changeStore,
  createLayer,
  createResource,
  createStore,
  type DataStore,
  type Draft,
  type Resource,
  type Store,
  type Workspace,
} from '../catalog/index.ts';
import { NotPrimaryError, type StagedFile } from '../cluster/index.ts';
import { treePath } from '../tree/index.ts';
import type { XmlElement } from '../xml/index.ts';
import { type Answer, el } from './answers.ts';
import { ensureDefaultStyles } from './default-styles.ts';
import {
  boxElements,
  type CoverageFacts,
  completeCoverage,
  completeFeatureType,
  type FeatureFacts,
  geometryOf,
  nativeCrsOf,
} from './describe.ts';
import type { Exchange } from './exchange.ts';
import { findStore, findWorkspace } from './find.ts';
import { presentStore } from './present.ts';
import type { Route } from './routes.ts';
import { receive, stageReceived } from './upload-body.ts';
import { type Location, RASTER_FORMATS, type UploadFormat, VECTOR_FORMATS } from './upload-formats.ts';
import { writeZip } from './zip.ts';

const UPLOAD_TYPES = [
  'application/zip',
  'application/octet-stream',
  'image/tiff',
  'application/geopackage+sqlite3',
  'text/plain',
];

export const uploadRoutes: readonly Route[] = [
  {
    method: 'PUT',
    path: '/workspaces/{workspace}/datastores/{store}/{method}.{format}',
    summary: 'Uploads vector data: makes or changes the store, and publishes what is in it',
    keepExtension: true,
    consumes: UPLOAD_TYPES,
    query: ['configure', 'update', 'filename', 'charset', 'target'],
    handle: (x) => upload(x, vectorUpload(x)),
  },
  {
    method: 'GET',
    path: '/workspaces/{workspace}/datastores/{store}/{method}.{format}',
    summary: 'Downloads the files of a store as a zip archive',
    keepExtension: true,
    produces: ['zip'],
    handle: (x) => download(x, 'dataStore'),
  },
  {
    method: 'PUT',
    path: '/workspaces/{workspace}/coveragestores/{store}/{method}.{format}',
    summary: 'Uploads a raster: makes or changes the store, and publishes its coverage',
    keepExtension: true,
    consumes: UPLOAD_TYPES,
    produces: ['xml', 'json'],
    query: ['configure', 'coverageName', 'filename'],
    handle: (x) => upload(x, rasterUpload(x)),
  },
  {
    method: 'GET',
    path: '/workspaces/{workspace}/coveragestores/{store}/{method}.{format}',
    summary: 'Downloads the files of a coverage store as a zip archive',
    keepExtension: true,
    produces: ['zip'],
    handle: (x) => download(x, 'coverageStore'),
  },
];

type Configure = 'first' | 'none' | 'all';

/** What differs between vectors and rasters. */
interface Upload {
  readonly kind: 'dataStore' | 'coverageStore';
  readonly format: UploadFormat;
  /** Looks at what is in the files; `names` of it as `configure` says. */
  readonly look: (options: { readonly location: Location; readonly configure: Configure }) => Promise<readonly Found[]>;
  /** The store's element for a location. */
  readonly store: (location: Location) => XmlElement;
  readonly answer: (store: Store, configured: boolean) => Answer;
}

/** A feature type or coverage in the files. */
interface Found {
  readonly nativeName: string;
  readonly name: string;
  element(name: string): XmlElement;
  /** New boxes for a resource that is there already. */
  boxes(srs: string | undefined): readonly XmlElement[];
  readonly geometry: string | undefined;
}

async function upload(x: Exchange, of: Upload): Promise<Answer> {
  const method = x.param('method');
  const configure = configureOf(x);
  const workspaceName = x.param('workspace');
  const storeName = x.param('store');
  // Nothing is received by a node that takes no changes, or for a workspace that is not there.
  const { node } = x.deps;
  if (node.role !== 'both') {
    const primaries = node.members().filter(({ role }) => role === 'both');
    throw new NotPrimaryError(
      node.name,
      primaries.map(({ url }) => url),
    );
  }
  await node.catchUp();
  findWorkspace(x.view, workspaceName, `No such workspace: ${workspaceName}`);

  if (method === 'external') {
    const location = of.format.locate({ external: await externalOf(x) });
    return publish(x, of, { location, found: await of.look({ location, configure }), received: undefined });
  }
  if (method !== 'file' && method !== 'url')
    throw new UserError(400, 'bad-method', `Unknown upload method ${method}: file, url or external is expected`);
  const received = await receive(x, method, x.query('filename') || `${storeName}.${x.param('format').toLowerCase()}`);
  try {
    const primary = of.format.primary(received.files, received.packed);
    if (primary === undefined)
      throw new UserError(400, 'no-primary-file', `Could not find appropriate ${x.param('format')} file in archive`);
    const look = of.format.locate({ url: fileUrl(path.join(received.folder, primary)) });
    const found = await of.look({ location: look, configure });
    const folder = treePath(`data/${workspaceName}/${storeName}`);
    const stored = of.format.locate({ url: `file:${encodePath(primary === '' ? folder : `${folder}/${primary}`)}` });
    const files = await stageReceived(x, received);
    return await publish(x, of, { location: stored, found, received: { files, folder } });
  } finally {
    await received.dispose();
  }
}

function configureOf(x: Exchange): Configure {
  const text = (x.query('configure') || 'first').toLowerCase();
  if (text !== 'first' && text !== 'none' && text !== 'all')
    throw new UserError(400, 'bad-parameter', `configure=${text}: first, none or all is expected`);
  return text;
}

async function externalOf(x: Exchange): Promise<string> {
  const text = (await x.readText()).trim();
  if (text === '')
    throw new UserError(400, 'body-missing', 'the body must be the path of a file on the server, or its file: URL');
  if (/^[a-z][a-z0-9+.-]*:/i.test(text) && !/^file:/i.test(text))
    throw new UserError(
      400,
      'bad-url',
      `"${text.slice(0, 200)}" is not a place on the server: a path or a file: URL is expected`,
    );
  return /^file:/i.test(text) ? text : text.startsWith('/') ? fileUrl(text) : `file:${encodePath(text)}`;
}

function fileUrl(file: string): string {
  return pathToFileURL(file).href;
}

/** As GeoServer writes locations: `+` and spaces are percent-encoded. */
function encodePath(text: string): string {
  return text.replace(/%/g, '%25').replace(/\+/g, '%2B').replace(/ /g, '%20');
}

// ---- publishing

interface Publication {
  readonly location: Location;
  readonly found: readonly Found[];
  /** Files with their folder in the tree; undefined for what stays where it is. */
  readonly received: { readonly files: ReadonlyMap<string, StagedFile>; readonly folder: string } | undefined;
}

async function publish(x: Exchange, of: Upload, publication: Publication): Promise<Answer> {
  const { received, found, location } = publication;
  const id = await x.write<undefined, string>({
    evaluate: (draft) => {
      const workspace = findWorkspace(draft, x.param('workspace'), `No such workspace: ${x.param('workspace')}`);
      if (received !== undefined) {
        const folder = treePath(received.folder);
        if (draft.list(folder).length > 0) draft.delete(folder);
        for (const [file, staged] of received.files) staged.putInto(draft, treePath(`${folder}/${file}`));
      }
      const store = storeOver(x, of, { draft, workspace, location });
      if (found.length > 0) ensureDefaultStyles(draft, x.env());
      for (const item of found) publishOne(x, { draft, workspace, store, item });
      return store.id;
    },
  });
  if (id !== undefined) x.deps.data.forget(id);
  // Who is answered may ask for a map at once.
  await x.deps.node.written();
  const store = findStore(x.view, of.kind, { workspace: x.param('workspace'), store: x.param('store') });
  return of.answer(store, found.length > 0);
}

/** The store of that name over the files: made, or changed when it is over other ones. */
function storeOver(
  x: Exchange,
  of: Upload,
  at: { readonly draft: Draft; readonly workspace: Workspace; readonly location: Location },
): Store {
  const { draft, workspace, location } = at;
  const name = x.param('store');
  const existing = draft.store(workspace, name);
  const element = of.store(location);
  if (existing === undefined) return createStore(draft, workspace, element, x.env());
  if (existing.kind !== of.kind || !of.format.owns(existing))
    throw new UserError(
      400,
      'store-of-other-type',
      `Store ${name} in workspace ${workspace.name} is of the type ${existing.type ?? existing.kind}: data is not copied into it, choose another store name`,
    );
  const changed = element.elements.filter((child) => child.name === 'url' || child.name === 'connectionParameters');
  const isSame = of.format.at(existing, location);
  return isSame ? existing : changeStore(draft, existing, el(existing.kind, changed), x.env());
}

function publishOne(
  x: Exchange,
  at: { readonly draft: Draft; readonly workspace: Workspace; readonly store: Store; readonly item: Found },
): void {
  const { draft, workspace, store, item } = at;
  const published = [...draft.resources(store)].filter((resource) => nativeNameOf(resource) === item.nativeName);
  for (const resource of published)
    changeResource(draft, resource, el(resource.kind, item.boxes(resource.srs)), x.env());
  if (published.length > 0) return;
  const resource = createResource(draft, store, item.element(freeName(draft, workspace, item.name)), x.env());
  createLayer(draft, resource, item.geometry === undefined ? {} : { geometry: item.geometry }, x.env());
}

function nativeNameOf(resource: Resource): string {
  return resource.kind === 'coverage' ? (resource.nativeCoverageName ?? resource.nativeName) : resource.nativeName;
}

/** The name, or with 1, 2, ... behind it when another resource of the workspace has it. */
function freeName(view: CatalogView, workspace: Workspace, name: string): string {
  if (view.resource(workspace, name) === undefined) return name;
  for (let n = 1; ; n++) if (view.resource(workspace, `${name}${n}`) === undefined) return `${name}${n}`;
}

// ---- vectors

function formatOf(x: Exchange, formats: Readonly<Record<string, UploadFormat>>): UploadFormat {
  const name = x.param('format').toLowerCase();
  const format = Object.hasOwn(formats, name) ? formats[name] : undefined;
  if (format === undefined)
    throw new UserError(
      400,
      'unsupported-format',
      `Unsupported format: ${name}, could be one of: ${Object.keys(formats).join(', ')}`,
    );
  return format;
}

function vectorUpload(x: Exchange): Upload {
  const format = formatOf(x, VECTOR_FORMATS);
  const charset = x.query('charset');
  const name = x.param('store');
  return {
    kind: 'dataStore',
    format,
    store: (location) =>
      el('dataStore', [
        el('name', name),
        el('type', location.type),
        el('enabled', true),
        el(
          'connectionParameters',
          Object.entries(parametersAt(location, charset)).map(([key, value]) => el('entry', value, { key })),
        ),
      ]),
    look: async ({ location, configure }) => {
      const store = temporaryStore(x, {
        kind: 'dataStore' as const,
        type: location.type,
        connectionParameters: parametersAt(location, charset),
      });
      try {
        const opened = await x.vector(store);
        const all = await opened.names();
        const names = configure === 'all' ? all : configure === 'first' ? all.slice(0, 1) : [];
        const found: Found[] = [];
        for (const native of names) {
          const source = await opened.source(native);
          found.push(foundType(native, { schema: source.schema, box: await source.bounds() }));
        }
        return found;
      } finally {
        x.deps.data.forget(store.id);
      }
    },
    answer: () => ({ kind: 'empty', status: 201 }),
  };
}

function parametersAt(location: Location, charset: string | undefined): Readonly<Record<string, string>> {
  return charset === undefined ? location.parameters : { ...location.parameters, charset };
}

function foundType(nativeName: string, facts: FeatureFacts): Found {
  return {
    nativeName,
    name: nativeName,
    element: (name) => completeFeatureType(el('featureType', [el('name', name), el('nativeName', nativeName)]), facts),
    boxes: (srs) => {
      const native = nativeCrsOf(facts.schema);
      return boxElements({ box: facts.box, native, srs: srs ?? native ?? 'EPSG:4326' });
    },
    geometry: geometryOf(facts.schema),
  };
}

// ---- rasters

function rasterUpload(x: Exchange): Upload {
  const format = formatOf(x, RASTER_FORMATS);
  const coverageName = x.query('coverageName') || undefined;
  return {
    kind: 'coverageStore',
    format,
    store: (location) =>
      el('coverageStore', [
        el('name', x.param('store')),
        el('type', location.type),
        el('enabled', true),
        el('url', location.url),
      ]),
    look: async ({ location, configure }) => {
      if (configure === 'none') return [];
      const store = temporaryStore(x, { kind: 'coverageStore' as const, type: location.type, url: location.url });
      try {
        const opened = await x.raster(store);
        const names = await opened.names();
        if (names.length > 1 && coverageName !== undefined)
          throw new UserError(
            400,
            'several-coverages',
            `coverageName=${coverageName}: the file holds several coverages, ${names.join(', ')}`,
          );
        const found: Found[] = [];
        for (const name of names) found.push(foundCoverage(await opened.source(name), coverageName));
        return found;
      } finally {
        x.deps.data.forget(store.id);
      }
    },
    answer: (store, configured) =>
      configured ? { kind: 'object', status: 201, element: presentStore(x, store) } : { kind: 'empty', status: 201 },
  };
}

function foundCoverage(facts: CoverageFacts, wanted: string | undefined): Found {
  const completed = (name: string) => completeCoverage(el('coverage', [el('name', name)]), facts);
  return {
    nativeName: facts.name,
    name: wanted ?? facts.name,
    element: completed,
    boxes: () =>
      completed(facts.name).elements.filter((child) =>
        ['nativeBoundingBox', 'latLonBoundingBox', 'grid'].includes(child.name),
      ),
    geometry: undefined,
  };
}

/** A store that is in no catalog, to look at files that are in no tree. */
function temporaryStore<T extends object>(
  x: Exchange,
  of: T,
): T & Pick<DataStore, 'path' | 'hash' | 'id' | 'name' | 'workspaceId' | 'enabled'> {
  const id = `upload-${Math.floor(x.deps.random() * 2 ** 48).toString(36)}-${x.deps.clock.monotonicMs()}`;
  return {
    ...of,
    path: treePath('data'),
    hash: id as DataStore['hash'],
    id,
    name: x.param('store'),
    workspaceId: '',
    enabled: true,
  };
}

// ---- downloading

function download(x: Exchange, kind: 'dataStore' | 'coverageStore'): Answer {
  const names = { workspace: x.param('workspace'), store: x.param('store') };
  const store = findStore(x.view, kind, names);
  const folder = treePath(`data/${names.workspace}/${names.store}`);
  const files = [...filesOf(x.view, folder, '')];
  if (files.length === 0) {
    const word = kind === 'dataStore' ? 'datastore' : 'coveragestore';
    throw new UserError(404, 'no-files', `No files for ${word} ${store.name}`);
  }
  const body = writeZip(
    files.map((file) => ({ path: file, bytes: x.view.read(treePath(`${folder}/${file}`)) ?? new Uint8Array() })),
  );
  return {
    kind: 'bytes',
    body,
    contentType: 'application/zip',
    headers: { 'content-disposition': `attachment; filename=${encodeURIComponent(store.name)}.zip` },
  };
}

function* filesOf(view: CatalogView, root: string, below: string): Iterable<string> {
  for (const name of view.list(treePath(below === '' ? root : `${root}/${below}`))) {
    const file = below === '' ? name : `${below}/${name}`;
    if (name.endsWith('/')) yield* filesOf(view, root, file.slice(0, -1));
    else yield file;
  }
}
