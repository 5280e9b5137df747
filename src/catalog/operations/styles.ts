import { UserError } from '../../base/index.ts';
import type { TreePath } from '../../tree/index.ts';
import { XmlElement } from '../../xml/index.ts';
import type { Style, Workspace } from '../objects.ts';
import { folderOf, inFolder, stylesFolder } from '../paths.ts';
import type { CatalogView, Draft } from '../view.ts';
import { editXmlFile, formatDate, newId, putXmlFile, referenceElement, setElement, setText } from '../write.ts';
import { removeStyle } from './cascade.ts';
import { checkName, freeFile, nameIn, stamp, written } from './check.ts';
import type { Env } from './env.ts';
import { bodyOf, overlay } from './overlay.ts';
import { inOrder } from './stores.ts';

/** Styles that GeoServer expects to be there, and makes again when they are not. */
const DEFAULT_STYLES: ReadonlySet<string> = new Set(['point', 'line', 'polygon', 'raster', 'generic']);

/** Extension of a body file by format, where it is not the format's name. */
const extensions: Readonly<Record<string, string>> = { mbstyle: 'json' };

const extensionOf = (format: string) => extensions[format] ?? format;

/**
 * Makes a style's entry from `<style>` (`name`, `filename`, `format`, ...), and its body file when given. The file name defaults
 * to the style's, the format to that of the file name's extension, else SLD.
 *
 * @throws UserError  403 when the name, or with a body the file, is there; 400 when one of them cannot be used
 */
export function createStyle(
  draft: Draft,
  workspace: Workspace | undefined,
  element: XmlElement,
  env: Env,
  body?: Uint8Array,
): Style {
  const name = nameIn(element);
  checkName('style', name);
  if (draft.style(name, workspace) !== undefined)
    throw new UserError(403, 'style-exists', `Style ${name} already exists.`);
  const format = element.childText('format') || formatOf(element.childText('filename')) || 'sld';
  const filename = element.childText('filename') || `${name}.${extensionOf(format)}`;
  checkFilename(filename);
  const folder = stylesFolder(workspace?.path);
  const bodyPath = inFolder(folder, filename);
  if (body !== undefined && draft.exists(bodyPath))
    throw new UserError(403, 'style-file-exists', `Style resource ${filename} already exists.`);
  const own = new Set(['workspace', 'format', 'filename', 'languageVersion']);
  const children = bodyOf(element, {}).filter((child) => !own.has(child.name));
  children.push(
    XmlElement.of('id', newId('style', env.random)),
    XmlElement.of('format', format),
    languageVersion(versionIn(element) ?? '1.0.0'),
    XmlElement.of('filename', filename),
    XmlElement.of('dateCreated', formatDate(env.now)),
  );
  if (workspace !== undefined) children.push(referenceElement('workspace', workspace.id));
  const path = freeFile(draft, folder, name);
  putXmlFile(draft, path, inOrder('style', children));
  if (body !== undefined) draft.put(bodyPath, body);
  return written<Style>(draft, path);
}

/**
 * Lays the given elements over the stored ones. A new name renames the `.xml`; the body stays under its file name, and a new
 * `filename` only refers to another body.
 *
 * @throws UserError  403 when the new name is taken; 500, as GeoServer's, to rename a default style; 400
 */
export function changeStyle(draft: Draft, style: Style, patch: XmlElement, env: Env): Style {
  const workspace = draft.workspaceOf(style);
  const name = nameIn(patch) ?? style.name;
  if (name !== style.name) {
    checkName('style', name);
    if (isDefault(style)) throw new UserError(500, 'default-style', `Cannot rename default style ${style.name}`);
    if (draft.style(name, workspace) !== undefined)
      throw new UserError(403, 'style-exists', `Style ${name} already exists.`);
  }
  const filename = patch.childText('filename');
  if (filename) checkFilename(filename);
  editXmlFile(draft, style.path, (root) => {
    const before = root.toString();
    overlay(root, patch, { workspace: () => undefined, languageVersion: (sent) => rewrittenVersion(sent) });
    if (patch.child('languageVersion') !== undefined) root.removeChildren('sldVersion');
    if (root.toString() !== before) stamp(root, env);
  });
  let path = style.path;
  if (name !== style.name) {
    path = freeFile(draft, folderOf(style.path) as TreePath, name);
    draft.move(style.path, path);
  }
  return written<Style>(draft, path);
}

/**
 * Replaces the body; format and version are recorded when they differ. With another format the body gets that extension, and the
 * file of the old one goes unless another style uses it.
 */
export function writeStyleBody(
  draft: Draft,
  style: Style,
  body: Uint8Array,
  as: { format?: string; languageVersion?: string },
  env: Env,
): Style {
  const format = as.format ?? style.format;
  const version = as.languageVersion ?? style.languageVersion;
  const folder = folderOf(style.path) as TreePath;
  let filename = style.filename;
  if (format !== style.format) {
    const stem = filename.replace(/\.[^.]*$/, '');
    filename = `${stem}.${extensionOf(format)}`;
    for (let attempt = 2; filename !== style.filename && draft.exists(inFolder(folder, filename)); attempt++)
      filename = `${stem}_${attempt}.${extensionOf(format)}`;
  }
  checkFilename(filename);
  if (format !== style.format || version !== style.languageVersion)
    editXmlFile(draft, style.path, (root) => {
      setText(root, 'format', format);
      setText(root, 'filename', filename);
      root.removeChildren('sldVersion');
      setElement(root, languageVersion(version));
      stamp(root, env);
    });
  const changed = written<Style>(draft, style.path);
  if (filename !== style.filename && !isShared(draft, changed, style.filename))
    draft.delete(inFolder(folder, style.filename));
  draft.put(inFolder(folder, filename), body);
  return changed;
}

/**
 * Deletes a style's entry. With `recurse` layers that use it get the default style for their geometry, and groups their layers'
 * default; `purge` deletes the body file too, unless another style uses it.
 *
 * @throws UserError  403 when a layer uses it and `recurse` is not set; 500, as GeoServer's, when a group does, or when it is
 *   one of the default styles
 */
export function deleteStyle(draft: Draft, style: Style, options: { recurse: boolean; purge: boolean }, env: Env): void {
  if (isDefault(style)) throw new UserError(500, 'default-style', `Unable to delete a default style: ${style.name}`);
  if (!options.recurse) {
    for (const _ of draft.layersWithStyle(style.id))
      throw new UserError(403, 'style-in-use', "Can't delete style referenced by existing layers.");
    for (const group of draft.groupsWith(style.id))
      throw new UserError(500, 'style-in-use', `Unable to delete style referenced by layer group '${group.name}'`);
  }
  const file = inFolder(folderOf(style.path), style.filename);
  const purge = options.purge && isPlainName(style.filename) && !isShared(draft, style, style.filename);
  removeStyle(draft, style, env);
  if (purge) draft.delete(file);
}

function isDefault(style: Style): boolean {
  return style.workspaceId === undefined && DEFAULT_STYLES.has(style.name);
}

/** Whether another style in the same folder has this body file. */
function isShared(draft: CatalogView, style: Style, filename: string): boolean {
  for (const other of draft.styles(draft.workspaceOf(style)))
    if (other.id !== style.id && other.filename === filename && folderOf(other.path) === folderOf(style.path))
      return true;
  return false;
}

function isPlainName(filename: string): boolean {
  return !/[/\\]/.test(filename) && filename !== '.' && filename !== '..';
}

function checkFilename(filename: string): void {
  checkName('style file', filename);
  if (filename.endsWith('.xml'))
    throw new UserError(
      400,
      'bad-name',
      `the style file name '${filename}' ends with .xml, which the styles' own entries do; choose another`,
    );
}

function formatOf(filename: string | undefined): string | undefined {
  switch (filename?.slice(filename.lastIndexOf('.') + 1).toLowerCase()) {
    case 'css':
      return 'css';
    case 'ysld':
    case 'yaml':
      return 'ysld';
    case 'json':
      return 'mbstyle';
    default:
      return undefined;
  }
}

function versionIn(element: XmlElement): string | undefined {
  const holder = element.child('languageVersion') ?? element.child('sldVersion');
  return (holder?.childText('version') ?? holder?.text.trim()) || undefined;
}

function languageVersion(version: string): XmlElement {
  return XmlElement.of('languageVersion', [XmlElement.of('version', version)]);
}

function rewrittenVersion(sent: XmlElement): XmlElement | undefined {
  const version = (sent.childText('version') ?? sent.text.trim()) || undefined;
  return version === undefined ? undefined : languageVersion(version);
}
