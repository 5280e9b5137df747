/** What operations check and refuse in common. */
import { UserError } from '../../base/index.ts';
import { isReplicated, type TreePath, treePath } from '../../tree/index.ts';
import type { XmlElement } from '../../xml/index.ts';
import { reference } from '../codec/values.ts';
import { inFolder } from '../paths.ts';
import { orderOf } from '../schema.ts';
import type { CatalogView, Draft } from '../view.ts';
import { formatDate, setText } from '../write.ts';
import type { Env } from './env.ts';

/** Longest name in bytes: it must fit, with an extension, into the name of a file. */
const NAME_BYTES_MAX = 240;

/**
 * Checks a name that a client chose: it becomes part of paths and URLs.
 * @throws UserError  400 when it is missing or cannot be used
 */
export function checkName(what: string, name: string | undefined): asserts name is string {
  const refuse = (reason: string): never => {
    throw new UserError(400, 'bad-name', `the ${what} name ${JSON.stringify(name ?? '')} ${reason}`);
  };
  if (name === undefined || name === '') throw new UserError(400, 'name-missing', `a ${what} needs a name`);
  if (/[/\\]/.test(name)) refuse('contains a slash or backslash; choose another');
  if (/[\u0000-\u001f\u007f]/.test(name)) refuse('contains a control character; choose another');
  if (name.trim() !== name) refuse('begins or ends with a blank; leave that out');
  if (name === '.' || name === '..') refuse('means a folder; choose another');
  if (!name.isWellFormed()) refuse('is not well-formed Unicode');
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) refuse(`is longer than ${NAME_BYTES_MAX} bytes`);
}

/** Trimmed text of a child; undefined when it is missing or empty. */
export function nameIn(element: XmlElement): string | undefined {
  const text = element.child('name')?.text;
  return text === undefined || text === '' ? undefined : text;
}

/** What a child element refers to, by id or name; undefined when it is missing or empty. */
export function referenceIn(element: XmlElement, name: string): string | undefined {
  const child = element.child(name);
  return child && reference(child);
}

/**
 * A folder for a new object: mostly its name. Another one where that is taken, or would read as a file of the catalog: the
 * name of an object is in its file, folders only keep objects apart.
 */
export function freeFolder(view: CatalogView, parent: TreePath, name: string, files: readonly string[]): TreePath {
  for (let attempt = 1; ; attempt++) {
    const folder = inFolder(parent, attempt === 1 ? name : `${name}_${attempt}`);
    const taken = files.some((file) => view.exists(inFolder(folder, file))) || view.hash(folder) !== undefined;
    if (!taken && !name.endsWith('.xml')) return checked(folder, files[0]!);
    if (attempt > 1 && !taken) return checked(folder, files[0]!);
  }
}

/** A file `<name>.xml` in a folder, or with a number when that is taken. */
export function freeFile(view: CatalogView, folder: TreePath, name: string): TreePath {
  for (let attempt = 1; ; attempt++) {
    const path = inFolder(folder, `${attempt === 1 ? name : `${name}_${attempt}`}.xml`);
    if (!view.exists(path)) return treePath(path);
  }
}

/** @throws UserError  400 when files in such a folder would not be part of the tree */
function checked(folder: TreePath, file: string): TreePath {
  const path = treePath(inFolder(folder, file));
  if (!isReplicated(path))
    throw new UserError(400, 'bad-name', `${folder} is a place for files of one node; choose another name`);
  return folder;
}

/** Notes when, and where a file says so already by whom, an object was changed. */
export function stamp(root: XmlElement, env: Env): void {
  setText(root, 'dateModified', formatDate(env.now));
  if (root.child('modifiedBy') !== undefined) setText(root, 'modifiedBy', env.user);
}

/** Whether an element stands for null. */
export function isNull(element: XmlElement): boolean {
  return element.attributeLocal('nil') === 'true';
}

/** The children of what a client sent that GeoServer knows, in its order; several of one name stay together. */
export function knownChildren(element: XmlElement, root: string = element.name): XmlElement[] {
  const order = orderOf(root);
  return element.elements
    .filter((child) => order.includes(child.name))
    .sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

/** The object just written at a path: an operation that wrote something unreadable is a mistake of the program or of a client's value. */
export function written<T>(draft: Draft, path: TreePath): T {
  const object = draft.at(path);
  if (object !== undefined) return object as T;
  for (const broken of draft.broken())
    if (broken.path === path) throw new UserError(400, 'bad-value', `this cannot be stored: ${broken.problem}`);
  throw new Error(`nothing was written to ${path}`);
}
