import { createHash } from 'node:crypto';
import type { CatalogView, Style } from '../../catalog/index.ts';
import type { StyleBody } from '../../render/index.ts';
import { type ContentHash, joinPath, PathError, type TreePath, treePath } from '../../tree/index.ts';
import { OgcException } from '../common/exceptions.ts';

const GLOBAL_STYLES = 'styles' as TreePath;

/** A style, ready to be drawn with. */
export interface LoadedStyle {
  readonly body: StyleBody;
  /** Whether it refers to variables that GeoServer sets for every map (`wms_scale_denominator`, ...). */
  readonly usesMapVariables: boolean;
}

interface Kept extends LoadedStyle {
  readonly bodyPath: TreePath;
  /** The files that it was made of, and their hashes then; undefined for one that was not there. */
  readonly files: readonly (readonly [TreePath, ContentHash | undefined])[];
}

const STYLES_MAX = 5_000;

/**
 * Bodies of the catalog's styles, each read once until one of its files changes: the body, or an icon that it refers to.
 */
export class StyleShelf {
  readonly #view: CatalogView;
  readonly #kept = new Map<string, Kept>();

  constructor(view: CatalogView) {
    this.#view = view;
  }

  /** @throws OgcException  there is no body, or it is in a language that cannot be drawn */
  get(style: Style): LoadedStyle {
    const path = this.#bodyPath(style);
    const kept = this.#kept.get(style.id);
    if (kept?.bodyPath === path && kept.files.every(([file, hash]) => this.#view.hash(file) === hash)) return kept;
    const loaded = this.#load(style, path);
    if (this.#kept.size >= STYLES_MAX) this.#kept.clear();
    this.#kept.set(style.id, loaded);
    return loaded;
  }

  /** A style that came with a request: it may use the icons of the catalog's styles, like a style stored there. */
  inline(bytes: Uint8Array, folder: TreePath = GLOBAL_STYLES): LoadedStyle {
    return this.#make({ bytes, folder, path: undefined });
  }

  /** The folder that relative references of a style start in. */
  folderOf(style: Style): TreePath {
    return folderOf(style);
  }

  #bodyPath(style: Style): TreePath {
    const folder = folderOf(style);
    const own = inFolder(folder, style.filename);
    if (style.format === 'sld' || style.format === '') {
      if (own !== undefined && this.#view.exists(own)) return own;
      throw new OgcException('NoApplicableCode', `style ${style.name} has no body: ${style.filename} is not there`);
    }
    const sld = inFolder(folder, style.filename.replace(/\.[^./]*$/, '.sld'));
    if (sld !== undefined && this.#view.exists(sld)) return sld;
    const message = `style ${style.name} is written in ${style.format}, which cannot be drawn; store it as SLD`;
    throw new OgcException('NoApplicableCode', message);
  }

  #load(style: Style, path: TreePath): Kept {
    const bytes = this.#view.read(path);
    if (bytes === undefined)
      throw new OgcException('NoApplicableCode', `style ${style.name} has no body: ${style.filename} is not there`);
    return this.#make({ bytes, folder: folderOf(style), path });
  }

  #make({ bytes, folder, path }: { bytes: Uint8Array; folder: TreePath; path: TreePath | undefined }): Kept {
    const view = this.#view;
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    const files: [TreePath, ContentHash | undefined][] = path === undefined ? [] : [[path, view.hash(path)]];
    for (const href of hrefsIn(source))
      for (const file of filesMeant(view, folder, href)) files.push([file, view.hash(file)]);
    const hash = createHash('sha256').update(bytes);
    for (const [file, contents] of files) hash.update(`\0${file}\0${contents ?? ''}`);
    const body: StyleBody = {
      hash: hash.digest('hex'),
      format: 'sld',
      bytes,
      read(href) {
        for (const file of candidates(folder, href)) {
          const found = view.read(file);
          if (found !== undefined) return found;
        }
        return undefined;
      },
    };
    return { body, bodyPath: path ?? folder, files, usesMapVariables: source.includes('wms_') };
  }
}

function folderOf(style: Style): TreePath {
  return style.path.slice(0, style.path.lastIndexOf('/')) as TreePath;
}

/** A path that a file name or reference gives in a folder; undefined when it leads out of the tree, or is no path. */
function inFolder(folder: TreePath, name: string): TreePath | undefined {
  const segments: string[] = folder.split('/');
  for (const segment of name.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment !== '..') segments.push(segment);
    else if (segments.pop() === undefined) return undefined;
  }
  try {
    return treePath(segments.join('/'));
  } catch (error) {
    if (error instanceof PathError) return undefined;
    throw error;
  }
}

/**
 * Files that a relative reference may mean, best first: beside the style, then in the global styles folder. None for URLs of
 * other places and for absolute paths. What follows `?` or `#` (parameters of an SVG) is no part of the name.
 */
function candidates(folder: TreePath, href: string): TreePath[] {
  let name = href.trim().replace(/[?#].*$/s, '');
  if (/^file:(?!\/)/i.test(name)) name = name.slice('file:'.length);
  if (name === '' || name.startsWith('/') || /^[a-z][a-z0-9+.-]*:/i.test(name)) return [];
  try {
    name = decodeURIComponent(name);
  } catch {
    // A percent sign that is meant as such.
  }
  // Within the styles folders only: a style must not read the rest of the configuration.
  const within = (base: TreePath) => {
    const path = inFolder(base, name);
    return path?.startsWith(`${base}/`) ? path : undefined;
  };
  const own = within(folder);
  const shared = folder === GLOBAL_STYLES ? undefined : within(GLOBAL_STYLES);
  return [own, shared].filter((path) => path !== undefined);
}

/** The files whose contents decide what a reference gives. One with a variable in it may mean any file of its folder. */
function filesMeant(view: CatalogView, folder: TreePath, href: string): TreePath[] {
  const variable = href.indexOf('${');
  if (variable === -1) return candidates(folder, href);
  const prefix = href.slice(0, href.lastIndexOf('/', variable) + 1);
  const folders = prefix === '' ? new Set([folder, GLOBAL_STYLES]) : new Set(candidates(folder, prefix));
  return [...folders].flatMap((path) =>
    view
      .list(path)
      .filter((name) => !name.endsWith('/'))
      .map((name) => joinPath(path, name)),
  );
}

function hrefsIn(sld: string): Set<string> {
  const found = new Set<string>();
  for (const match of sld.matchAll(/\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
    const href = (match[1] ?? match[2]!).replace(/&amp;/g, '&');
    if (!/^https?:/i.test(href)) found.add(href);
  }
  return found;
}

// ---- titles

const titles = new WeakMap<CatalogView, Map<ContentHash, string | undefined>>();

/** Hash of a style's body, as far as it is SLD; undefined when there is none. */
export function bodyHash(view: CatalogView, style: Style): ContentHash | undefined {
  const path = sldPath(style);
  return path && view.hash(path);
}

const sldPaths = new WeakMap<Style, { readonly path: TreePath | undefined }>();

function sldPath(style: Style): TreePath | undefined {
  let known = sldPaths.get(style);
  if (known === undefined) {
    known = { path: inFolder(folderOf(style), style.filename.replace(/\.[^./]*$/, '.sld')) };
    sldPaths.set(style, known);
  }
  return known.path;
}

/** Title of the first UserStyle in a body, read once for each content; undefined when there is none. */
export function styleTitle(view: CatalogView, style: Style): string | undefined {
  const path = sldPath(style);
  const hash = path && view.hash(path);
  if (path === undefined || hash === undefined) return undefined;
  let known = titles.get(view);
  if (known === undefined) {
    known = new Map();
    titles.set(view, known);
  }
  if (known.has(hash)) return known.get(hash);
  const title = titleIn(view.read(path));
  known.set(hash, title);
  return title;
}

/** By pattern: parsing every style for one line of text would make the first capabilities document of a big catalog slow. */
function titleIn(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const start = source.search(/<(?:\w+:)?UserStyle[\s>]/);
  if (start === -1) return undefined;
  // Up to the first rule: further in, titles are those of rules.
  const end = source.slice(start).search(/<(?:\w+:)?(?:FeatureTypeStyle|CoverageStyle)[\s>]/);
  const head = source.slice(start, end === -1 ? undefined : start + end);
  const title = /<(?:\w+:)?Title>\s*(?:<!\[CDATA\[)?([^<\]]*)/.exec(head)?.[1]?.trim();
  return title === undefined || title === '' ? undefined : unescapeXml(title);
}

function unescapeXml(text: string): string {
  const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => entities[name]!);
}
