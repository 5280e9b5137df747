/** What a client sent, made fit for the catalog: without links and what only the server says. */
import type { CatalogView } from '../catalog/index.ts';
import { XmlElement } from '../xml/index.ts';
import { isNil } from './json.ts';
import { STORE_KINDS } from './present.ts';

/** Elements that only the server writes, or that are links to collections. */
const SERVER_SIDE = new Set([
  'id',
  'dateCreated',
  'dateModified',
  ...Object.values(STORE_KINDS).map((kind) => kind.list as string),
]);

const CHILDREN = new Set<string>(Object.values(STORE_KINDS).map((kind) => kind.children.element));

/** A copy of an object's element without links and without what only the server writes. */
export function withoutLinks(element: XmlElement): XmlElement {
  const kept = element.elements.filter((child) => !SERVER_SIDE.has(child.local) && !isLinkOnly(child));
  return XmlElement.of(element.local, kept.map(unlinked), element.attributes);
}

/** `<featureTypes><atom:link .../></featureTypes>`, or its JSON, which is a URL. */
function isLinkOnly(child: XmlElement): boolean {
  if (!CHILDREN.has(child.local)) return false;
  return child.elements.every(isLink) && (child.text.trim() === '' || /^https?:/.test(child.text.trim()));
}

function isLink(element: XmlElement): boolean {
  return (
    element.name === 'atom:link' ||
    element.name === 'href' ||
    (element.local === 'link' && element.attribute('rel') !== undefined)
  );
}

function unlinked(element: XmlElement): XmlElement {
  if (element.elements.length === 0) return element;
  // A URL list such as metadata links has its address in `content`; `href` elsewhere is what JSON makes of a link.
  const kept =
    element.local === 'AuthorityURL' || element.local === 'attribution'
      ? element.elements
      : element.elements.filter((child) => !isLink(child));
  return XmlElement.of(element.name, kept.map(unlinked), element.attributes);
}

/** The element with a child set, in the place of one of that name or at the end. */
export function withChild(element: XmlElement, child: XmlElement): XmlElement {
  const others = element.elements.filter((other) => other.name !== child.name);
  return XmlElement.of(element.name, [...others, child], element.attributes);
}

export function withoutChildren(element: XmlElement, ...names: readonly string[]): XmlElement {
  return XmlElement.of(
    element.name,
    element.elements.filter((child) => !names.includes(child.local)),
    element.attributes,
  );
}

/** Text of a child, undefined when it is absent, empty or nil. */
export function textOf(element: XmlElement, name: string): string | undefined {
  const child = element.child(name);
  const text = child === undefined || isNil(child) ? '' : child.text.trim();
  return text === '' ? undefined : text;
}

/** A reference such as `<workspace>topp</workspace>` or `<workspace><name>topp</name></workspace>`. */
export function referenceOf(element: XmlElement, name: string): string | undefined {
  const child = element.child(name);
  if (child === undefined) return undefined;
  const inner = child.childText('name') ?? (child.elements.length === 0 ? child.text.trim() : undefined);
  return inner === '' ? undefined : inner;
}

const STYLE_REFERENCES = new Set(['defaultStyle', 'style', 'rootLayerStyle']);

/**
 * A copy in which styles are referred to by id, so that a plain name means what it means when it is shown: a global style;
 * only where there is none, one of the workspace.
 */
export function withStyleIds(view: CatalogView, element: XmlElement, workspaceName: string | undefined): XmlElement {
  if (STYLE_REFERENCES.has(element.name)) {
    const id = styleIdOf(view, element, workspaceName);
    return id === undefined ? element : XmlElement.of(element.name, [XmlElement.of('id', id)]);
  }
  if (element.elements.length === 0) return element;
  return XmlElement.of(
    element.name,
    element.elements.map((child) => withStyleIds(view, child, workspaceName)),
    element.attributes,
  );
}

function styleIdOf(view: CatalogView, element: XmlElement, workspaceName: string | undefined): string | undefined {
  const name = element.childText('name') ?? (element.elements.length === 0 ? element.text.trim() : undefined);
  if (name === undefined || name === '') return undefined;
  const scope = referenceOf(element, 'workspace');
  const inWorkspace = (workspace: string, style: string) => {
    const found = view.workspace(workspace);
    return found && view.style(style, found)?.id;
  };
  const colon = name.indexOf(':');
  const qualified = colon > 0 ? inWorkspace(name.slice(0, colon), name.slice(colon + 1)) : undefined;
  if (qualified !== undefined) return qualified;
  if (scope !== undefined) return inWorkspace(scope, name);
  return view.style(name)?.id ?? (workspaceName === undefined ? undefined : inWorkspace(workspaceName, name));
}
