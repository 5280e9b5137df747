import { type XmlElement as Element, XmlElement } from '../../xml/index.ts';
import { complexValue, mapElement, readMap } from '../brief-map.ts';
import { setElement } from '../write.ts';
import { isNull, knownChildren } from './check.ts';

/** How an element that a client sent is written to a file, where that is not as it was sent; undefined to leave it out. */
export type Rewrite = Readonly<Record<string, (element: Element) => Element | undefined>>;

/** Elements whose value is a map: any of the four spellings comes in, the one that GeoServer writes goes out. */
const maps: Rewrite = {
  connectionParameters: normalMap,
  metadata: normalMap,
  vendorParameters: normalMap,
  parameters: (element) => {
    // As GeoServer writes it: kept, for a value may be null there.
    if (element.elements.every((entry) => entry.name === 'entry' && entry.elements[0]?.name === 'string'))
      return element;
    const pairs = Array.from(readMap(element), ([key, value]) =>
      XmlElement.of('entry', [XmlElement.of('string', key), XmlElement.of('string', value)]),
    );
    return XmlElement.of('parameters', pairs);
  },
};

/** Elements that no client decides. */
const SERVER_SIDE: ReadonlySet<string> = new Set(['id', 'dateCreated', 'dateModified', 'modifiedBy']);

/**
 * Lays what a client sent over a stored object: what is absent stays, what is there replaces the whole element, null removes
 * it. Elements that GeoServer does not know are not taken over.
 */
export function overlay(stored: Element, patch: Element, rewrite: Rewrite): void {
  for (const child of knownChildren(patch, stored.name)) {
    if (SERVER_SIDE.has(child.name)) continue;
    if (isNull(child)) stored.removeChildren(child.name);
    else {
      const value = rewritten(child, stored.name, rewrite);
      if (value !== undefined) setElement(stored, value);
    }
  }
}

/** The elements of a new object. */
export function bodyOf(sent: Element, rewrite: Rewrite): Element[] {
  return knownChildren(sent)
    .filter((child) => !SERVER_SIDE.has(child.name) && !isNull(child))
    .map((child) => rewritten(child, sent.name, rewrite))
    .filter((child) => child !== undefined);
}

function rewritten(child: Element, root: string, rewrite: Rewrite): Element | undefined {
  const rule = rewrite[child.name] ?? (root === 'settings' || root === 'global' ? undefined : maps[child.name]);
  return rule === undefined ? child : rule(child);
}

function normalMap(element: Element): Element {
  const plain = readMap(element);
  // Complex values (dimensions, SQL views) exist in one spelling only.
  if (element.elements.some((entry) => complexValue(element, entry.attribute('key') ?? '') !== undefined))
    return element;
  return mapElement(element.name, plain);
}
