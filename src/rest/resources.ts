/** The files of the replicated tree as they are: icons, templates, anything. */
import type { Readable } from 'node:stream';
import { UserError } from '../base/index.ts';
import { type CatalogView, kindOfPath } from '../catalog/index.ts';
import type { StagedFile } from '../cluster/index.ts';
import { isReplicated, PathError, type TreePath, treePath } from '../tree/index.ts';
import { type Answer, atomLink, el, OK } from './answers.ts';
import { UPLOAD_LIMITS } from './dependencies.ts';
import { type Exchange, OBJECT_BYTES_MAX } from './exchange.ts';
import type { Route } from './routes.ts';

const PATHS = ['/resource', '/resource/{path*}'] as const;

export const resourceRoutes: readonly Route[] = PATHS.flatMap((path): Route[] => {
  const common = { path, keepExtension: true, isFile: true } as const;
  return [
    {
      ...common,
      method: 'GET',
      summary: 'Reads a file, lists a folder, or with operation=metadata tells what is there',
      produces: ['html', 'json', 'xml'],
      query: ['operation', 'format'],
      handle: getResource,
    },
    {
      ...common,
      method: 'PUT',
      summary: 'Writes a file; with operation=copy or move takes it from the path in the body',
      query: ['operation'],
      handle: putResource,
    },
    {
      ...common,
      method: 'DELETE',
      summary: 'Removes a file, or a folder with everything in it',
      handle: deleteResource,
    },
  ];
});

type Where = { readonly path: TreePath | ''; readonly kind: 'resource' | 'directory' | 'undefined' };

function at(view: CatalogView, path: TreePath | ''): Where {
  if (path !== '' && view.hash(path) !== undefined) return { path, kind: 'resource' };
  return { path, kind: path === '' || view.list(path).length > 0 ? 'directory' : 'undefined' };
}

async function getResource(x: Exchange): Promise<Answer> {
  const where = at(x.view, pathOf(x.params.path ?? ''));
  const operation = (x.query('operation') ?? 'default').toLowerCase();
  if (operation === 'metadata') return { kind: 'object', element: metadata(x, where) };
  if (operation !== 'default')
    throw new UserError(
      400,
      'bad-parameter',
      `operation=${operation} does not go with GET: default or metadata is expected`,
    );
  switch (where.kind) {
    case 'undefined':
      throw new UserError(404, 'resource-not-found', 'Undefined resource path.');
    case 'directory':
      return {
        kind: 'object',
        element: directory(x, where.path),
        json: { array: (parent, child) => parent === 'children' && child === 'child' },
      };
    case 'resource': {
      const name = nameOf(where.path);
      const parent = parentOf(where.path);
      const { body, size } = await opened(x, where.path as TreePath);
      return {
        kind: 'bytes',
        body,
        contentType: contentType(name),
        headers: {
          'content-length': String(size),
          location: x.url('resource', ...where.path.split('/')),
          'resource-parent': x.url('resource', ...parent.split('/').filter(Boolean)),
          'resource-type': 'resource',
          'content-disposition': `attachment; filename="${name.replace(/[^\x20-\x7e]|["\\]/g, '_')}"`,
        },
      };
    }
  }
}

/** Short files at once, long ones piece by piece. */
async function opened(x: Exchange, path: TreePath): Promise<{ body: Uint8Array | Readable; size: number }> {
  if ((x.view.stat(path)?.size ?? 0) <= AT_ONCE_BYTES_MAX) {
    const bytes = x.view.read(path)!;
    return { body: bytes, size: bytes.length };
  }
  const file = await x.deps.node.open(path);
  if (file === undefined) throw new UserError(404, 'resource-not-found', 'Undefined resource path.');
  return file;
}

const AT_ONCE_BYTES_MAX = 1024 * 1024;

function directory(x: Exchange, path: TreePath | ''): ReturnType<typeof el> {
  const children = x.view.list(path).map((name) => {
    const bare = name.replace(/\/$/, '');
    return el('child', [el('name', bare), link(x, join(path, bare))]);
  });
  return el('ResourceDirectory', [
    el('name', nameOf(path)),
    path === '' ? undefined : el('parent', [el('path', `/${parentOf(path)}`), link(x, parentOf(path))]),
    el('children', children),
  ]);
}

function metadata(x: Exchange, { path, kind }: Where): ReturnType<typeof el> {
  return el('ResourceMetadata', [
    el('name', nameOf(path)),
    path === '' ? undefined : el('parent', [el('path', `/${parentOf(path)}`), link(x, parentOf(path))]),
    el('type', kind),
  ]);
}

/** In JSON a link is an object here, and not a single `href` as elsewhere. */
function link(x: Exchange, path: string): ReturnType<typeof el> {
  const { format } = x.negotiated;
  const suffix = format === 'html' ? '' : `?format=${format}`;
  const href = `${x.url('resource', ...path.split('/').filter(Boolean))}${path === '' ? '' : suffix}`.replace(
    /\/$/,
    '',
  );
  if (format !== 'json') return atomLink(href, format);
  return el('link', [el('href', href), el('rel', 'alternate'), el('type', 'application/json')]);
}

async function putResource(x: Exchange): Promise<Answer> {
  const path = pathOf(x.params.path ?? '');
  if (path === '')
    throw new UserError(405, 'resource-is-folder', 'the root of the tree is a folder and cannot be written');
  const operation = (x.query('operation') ?? 'default').toLowerCase();
  switch (operation) {
    case 'default': {
      // What is read as a part of the configuration is read as a whole.
      const most =
        kindOfPath(path) === undefined ? { ...UPLOAD_LIMITS, ...x.deps.limits }.bodyBytesMax : OBJECT_BYTES_MAX;
      const file = await x.stage(x.bodyWithin(most));
      await x.write({
        evaluate: (draft) => {
          if (at(draft, path).kind === 'directory')
            throw new UserError(405, 'resource-is-folder', `Trying to write data to a directory: ${path}`);
          refuseFolderAbove(draft, path);
          file.putInto(draft, path);
        },
      });
      break;
    }
    case 'copy':
    case 'move': {
      const from = pathOf((await x.readBody(PATH_BYTES_MAX)).toString('utf8').trim());
      await x.write<StagedFile | undefined>({
        prepare: async (view) => {
          if (operation === 'move' || from === '' || at(view, from).kind !== 'resource') return undefined;
          const source = await x.deps.node.open(from);
          return source && x.stage(source.body);
        },
        stillHolds: (copied, draft) => copied === undefined || draft.hash(from as TreePath) === copied.hash,
        evaluate: (draft, copied) => {
          const source = at(draft, from);
          if (source.kind === 'undefined' || from === '')
            throw new UserError(404, 'resource-not-found', 'Unable to locate source resource.');
          refuseFolderAbove(draft, path);
          if (path === from) return;
          if (path.startsWith(`${from}/`))
            throw new UserError(400, 'resource-into-itself', `${from} cannot be moved into itself`);
          if (operation === 'move') return draft.move(from, path);
          if (source.kind === 'directory') throw new UserError(405, 'resource-is-folder', 'Cannot copy directory.');
          if (copied === undefined)
            throw new UserError(409, 'resource-changed', `${from} was written at this moment; try again`);
          copied.putInto(draft, path);
        },
      });
      break;
    }
    default:
      throw new UserError(
        400,
        'bad-parameter',
        `operation=${operation} does not go with PUT: default, copy or move is expected`,
      );
  }
  return { kind: 'created', name: '', location: x.url('resource', ...path.split('/')) };
}

/** A file whose place in the tree lies below another file cannot be. */
function refuseFolderAbove(view: CatalogView, path: TreePath): void {
  for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent))
    if (view.hash(parent as TreePath) !== undefined)
      throw new UserError(405, 'resource-is-file', `${parent} is a file, so there can be nothing in it`);
}

async function deleteResource(x: Exchange): Promise<Answer> {
  const path = pathOf(x.params.path ?? '');
  if (path === '') throw new UserError(405, 'resource-is-root', 'the root of the tree cannot be removed');
  await x.write({
    evaluate: (draft) => {
      if (at(draft, path).kind === 'undefined')
        throw new UserError(404, 'resource-not-found', 'Undefined resource path.');
      draft.delete(path);
    },
  });
  return OK;
}

/** @throws UserError  400 for a path that is none, 403 for one that is not replicated and so is no resource */
function pathOf(text: string): TreePath | '' {
  const trimmed = text.replace(/^\/+|\/+$/g, '');
  if (trimmed === '') return '';
  try {
    const path = treePath(trimmed);
    if (!isReplicated(path))
      throw new UserError(403, 'resource-local', `${path} belongs to this node alone and is not served as a resource`);
    return path;
  } catch (error) {
    if (error instanceof PathError) throw new UserError(400, 'bad-path', error.message);
    throw error;
  }
}

/** Longest body that is a path, in bytes. */
const PATH_BYTES_MAX = 64 * 1024;

const TYPES: Readonly<Record<string, string>> = {
  xml: 'application/xml',
  sld: 'application/vnd.ogc.sld+xml',
  json: 'application/json',
  geojson: 'application/geo+json',
  svg: 'image/svg+xml',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  bmp: 'image/bmp',
  tif: 'image/tiff',
  tiff: 'image/tiff',
  css: 'text/css',
  ftl: 'text/plain',
  txt: 'text/plain',
  properties: 'text/plain',
  csv: 'text/csv',
  // What a browser would run is plain text.
  html: 'text/plain',
  htm: 'text/plain',
  js: 'text/plain',
  zip: 'application/zip',
};

function contentType(name: string): string {
  return TYPES[name.slice(name.lastIndexOf('.') + 1).toLowerCase()] ?? 'application/octet-stream';
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function parentOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
