import { UserError } from '../base/index.ts';
import {
  type CatalogView,
  changeStyle,
  createStyle,
  type Draft,
  deleteStyle,
  type Style,
  type Workspace,
  writeStyleBody,
} from '../catalog/index.ts';
import { joinPath, parentOf, type TreePath, treePath } from '../tree/index.ts';
import { type Answer, el, OK } from './answers.ts';
import { type ArchiveEntry, readArchive } from './archive.ts';
import { UPLOAD_LIMITS } from './dependencies.ts';
import type { Exchange } from './exchange.ts';
import { findStyle, scopeOf } from './find.ts';
import { charsetOf, FORMATS, type Format } from './negotiation.ts';
import { textOf, withoutLinks } from './payload.ts';
import { presentList, presentStyle, stylePath } from './present.ts';
import { OBJECT_TYPES, type Route } from './routes.ts';
import { isZip, readStyleBody, type SentBody, STYLE_TYPES } from './style-body.ts';

const BODY_TYPES = [...OBJECT_TYPES, ...Object.keys(STYLE_TYPES), 'application/zip'];

export const styleRoutes: readonly Route[] = ['', '/workspaces/{workspace}'].flatMap(routesOf);

function routesOf(scope: string): Route[] {
  const styles = `${scope}/styles`;
  const style = `${styles}/{style}`;
  return [
    {
      method: 'GET',
      path: styles,
      summary: scope === '' ? 'Lists the global styles' : 'Lists the styles of a workspace',
      produces: ['json', 'xml', 'html'],
      handle: (x) =>
        presentList(
          { list: 'styles', item: 'style' },
          Array.from(x.view.styles(scopeOf(x.view, x.params.workspace)), (found) => ({
            name: found.name,
            link: x.link(...stylePath(x.view, found)),
          })),
        ),
    },
    {
      method: 'POST',
      path: styles,
      summary: 'Makes a style: from its entry (XML or JSON), its body, or a zip of body and icons',
      consumes: BODY_TYPES,
      query: ['name', 'raw'],
      handle: postStyle,
    },
    {
      method: 'GET',
      path: style,
      summary: 'Shows the entry of a style, or with a style extension or type its body',
      produces: ['json', 'xml', 'html', 'sld', 'se', 'css', 'ysld', 'mbstyle'],
      handle: getStyle,
    },
    {
      method: 'PUT',
      path: style,
      summary: 'Changes the entry of a style, or replaces its body',
      consumes: BODY_TYPES,
      query: ['raw'],
      handle: putStyle,
    },
    {
      method: 'DELETE',
      path: style,
      summary: 'Removes a style; purge=true the body too, recurse=true takes it off layers first',
      query: ['purge', 'recurse'],
      handle: async (x) => {
        const options = { recurse: x.flag('recurse'), purge: x.flag('purge') };
        await x.write({ evaluate: (draft) => deleteStyle(draft, find(x, draft), options, x.env()) });
        return OK;
      },
    },
  ];
}

function find(x: Exchange, view: CatalogView = x.view): Style {
  return findStyle(view, x.param('style'), x.params.workspace);
}

// ---- reading

function getStyle(x: Exchange): Answer {
  const style = find(x);
  const { format } = x.negotiated;
  if (format === 'json' || format === 'xml' || format === 'html')
    return { kind: 'object', element: presentStyle(x, style) };
  const stored = storedFormat(style);
  // SLD 1.0 and 1.1 are both what `.sld` asks for; the answer's type says which it is.
  const fits = format === stored || (format === 'sld' && stored === 'se') || (format === 'se' && stored === 'sld');
  if (!fits)
    throw new UserError(406, 'style-format', `style ${style.name} is stored as ${style.format}: ask for that format`);
  const body = x.view.read(bodyPath(style, style.filename));
  if (body === undefined)
    throw new UserError(404, 'style-body-not-found', `No such style: ${style.name} has no body file ${style.filename}`);
  return { kind: 'bytes', body, contentType: FORMATS[stored].types[0] };
}

function storedFormat(style: Style): Format {
  if (style.format === 'sld') return style.languageVersion.startsWith('1.1') ? 'se' : 'sld';
  return style.format in FORMATS ? (style.format as Format) : 'text';
}

/** A file beside a style's entry. */
function bodyPath(style: Style, filename: string): TreePath {
  return joinPath(parentOf(style.path), filename);
}

// ---- making

async function postStyle(x: Exchange): Promise<Answer> {
  if ((OBJECT_TYPES as readonly string[]).includes(x.bodyType)) return postEntry(x);
  const { body, icons } = await readSentStyle(x);
  const name = x.query('name') || body.name || `style-${randomSuffix(x)}`;
  await x.write({
    evaluate: (draft) => {
      const workspace = scopeOf(draft, x.params.workspace);
      const entry = el('style', [
        el('name', name),
        el('format', body.format),
        body.languageVersion === undefined ? undefined : el('languageVersion', [el('version', body.languageVersion)]),
        el('filename', `${name}.${body.extension}`),
      ]);
      createStyle(draft, workspace, entry, x.env(), body.bytes);
      putIcons(draft, workspace, icons);
    },
  });
  return { kind: 'created', name, location: locationOf(x, name) };
}

async function postEntry(x: Exchange): Promise<Answer> {
  const sent = withoutLinks(await x.readObject('style'));
  const name = textOf(sent, 'name');
  if (name === undefined) throw new UserError(400, 'name-missing', 'a style needs a name');
  await x.write({
    evaluate: (draft) => {
      createStyle(draft, scopeOf(draft, x.params.workspace), sent, x.env());
    },
  });
  return { kind: 'created', name, location: locationOf(x, name) };
}

function locationOf(x: Exchange, name: string): string {
  const { workspace } = x.params;
  return workspace === undefined ? x.url('styles', name) : x.url('workspaces', workspace, 'styles', name);
}

function randomSuffix(x: Exchange): string {
  return Array.from({ length: 7 }, () => Math.floor(x.deps.random() * 36).toString(36)).join('');
}

// ---- changing

async function putStyle(x: Exchange): Promise<Answer> {
  if ((OBJECT_TYPES as readonly string[]).includes(x.bodyType)) {
    const patch = withoutLinks(await x.readObject('style'));
    await x.write({
      evaluate: (draft) => {
        changeStyle(draft, find(x, draft), patch, x.env());
      },
    });
    return OK;
  }
  const { body, icons } = await readSentStyle(x);
  await x.write({
    evaluate: (draft) => {
      const style = find(x, draft);
      const version = body.languageVersion === undefined ? {} : { languageVersion: body.languageVersion };
      writeStyleBody(draft, style, body.bytes, { format: body.format, ...version }, x.env());
      putIcons(draft, style.workspaceId === undefined ? undefined : draft.workspaceOf(style), icons);
    },
  });
  return OK;
}

/** A style and its icons, unpacked, in bytes. */
const ARCHIVE_BYTES_MAX = 64 * 1024 * 1024;

/** The style of the body, alone or in an archive with its icons. */
async function readSentStyle(x: Exchange): Promise<{ body: SentBody; icons: readonly ArchiveEntry[] }> {
  const raw = x.flag('raw');
  const type = x.bodyType;
  const charset = charsetOf(x.request.headers['content-type']);
  if (!isZip(type)) return { body: readStyleBody(await x.readBody(), { type, raw, charset }), icons: [] };

  const limits = { ...UPLOAD_LIMITS, ...x.deps.limits, unpackedBytesMax: ARCHIVE_BYTES_MAX };
  const entries = await readArchive(await x.readBody(), limits);
  const slds = entries.filter((entry) => /\.sld$/i.test(entry.path) && !entry.path.startsWith('__MACOSX/'));
  if (slds.length === 0)
    throw new UserError(403, 'archive-without-style', 'No sld file provided: the archive holds none');
  if (slds.length > 1)
    throw new UserError(403, 'archive-with-styles', `Expected one sld file and found ${slds.length} in the archive`);
  const body = readStyleBody(slds[0]!.bytes, { type: 'application/vnd.ogc.sld+xml', raw, charset: undefined });
  return { body, icons: entries.filter((entry) => /\.(?:svg|png|jpe?g|bmp|gif)$/i.test(entry.path)) };
}

function putIcons(draft: Draft, workspace: Workspace | undefined, icons: readonly ArchiveEntry[]): void {
  const folder = workspace === undefined ? treePath('styles') : joinPath(parentOf(workspace.path), 'styles');
  for (const icon of icons) draft.put(joinPath(folder, icon.path), icon.bytes);
}
