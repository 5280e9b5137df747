/**
 * The maps of GeoServer's files: connection parameters, metadata, reader options. Four spellings are read:
 *
 *     <port>5432</port>                  <entry key="port">5432</entry>
 *     <port><int>5432</int></port>       <entry><string>port</string><string>5432</string></entry>
 *
 * The third is written, and the fourth where the map holds such entries already or is a plain map by nature
 * (`parameters` of a coverage, `map` in settings). Settings wrap their map in `<map>`.
 */
import { XmlElement } from '../xml/index.ts';

/** The plain values of a map by key, in the order of the file. Null and complex values (`<dimensionInfo>`) are left out. */
export function readMap(element: XmlElement): Map<string, string> {
  const values = new Map<string, string>();
  for (const entry of entriesOf(element)) {
    const key = keyOf(entry);
    const value = plainValueOf(entry);
    if (key !== undefined && value !== undefined) values.set(key, value);
  }
  return values;
}

/** The element that holds a complex value of a map: `<virtualTable>`, `<dimensionInfo>`, ... */
export function complexValue(element: XmlElement, key: string): XmlElement | undefined {
  const entry = findEntry(element, key);
  const value = entry?.elements.at(-1);
  return value !== undefined && value.elements.length > 0 ? value : undefined;
}

/** Sets a plain value, in the spelling that the entry has; nothing changes when it has that value already. */
export function setMapValue(element: XmlElement, key: string, value: string): void {
  const entry = findEntry(element, key);
  if (entry !== undefined) {
    if (plainValueOf(entry) === value) return;
    const holders = entry.elements;
    if (entry.name === 'entry' && entry.attribute('key') === undefined)
      entry.setChildren([XmlElement.of('string', key), XmlElement.of('string', value)]);
    else if (holders.length === 1) holders[0]!.setText(value);
    else entry.setText(value);
    return;
  }
  const inner = wrapped(element);
  const pairs = inner.name === 'map' || inner.name === 'parameters' || inner.elements.some(isPair);
  const added = pairs
    ? XmlElement.of('entry', [XmlElement.of('string', key), XmlElement.of('string', value)])
    : XmlElement.of('entry', value, { key });
  appendChild(inner, added);
}

/** Removes an entry; returns whether there was one. */
export function removeMapValue(element: XmlElement, key: string): boolean {
  const inner = wrapped(element);
  const entry = findEntry(element, key);
  if (entry === undefined) return false;
  const children = [...inner.children];
  const index = children.indexOf(entry);
  const before = children[index - 1];
  const blank =
    before !== undefined && !(before instanceof XmlElement) && 'value' in before && before.value.trim() === '';
  children.splice(blank ? index - 1 : index, blank ? 2 : 1);
  inner.setChildren(children);
  return true;
}

/** A map in the spelling that GeoServer writes today. */
export function mapElement(name: string, values: Iterable<readonly [string, string]>): XmlElement {
  return XmlElement.of(
    name,
    Array.from(values, ([key, value]) => XmlElement.of('entry', value, { key })),
  );
}

function appendChild(element: XmlElement, child: XmlElement): void {
  // White space before the new child follows the first one's; that before the end tag stays last.
  const children = [...element.children];
  const first = children.findIndex((node) => node instanceof XmlElement);
  const last = children.findLastIndex((node) => node instanceof XmlElement);
  if (first === -1) element.setChildren([child]);
  else {
    children.splice(last + 1, 0, ...children.slice(0, first), child);
    element.setChildren(children);
  }
}

function wrapped(element: XmlElement): XmlElement {
  const [only, ...others] = element.elements;
  return only?.name === 'map' && others.length === 0 ? only : element;
}

function entriesOf(element: XmlElement): XmlElement[] {
  return wrapped(element).elements;
}

function findEntry(element: XmlElement, key: string): XmlElement | undefined {
  return entriesOf(element).findLast((entry) => keyOf(entry) === key);
}

function isPair(entry: XmlElement): boolean {
  return entry.name === 'entry' && entry.attribute('key') === undefined && entry.elements.length > 0;
}

function keyOf(entry: XmlElement): string | undefined {
  if (entry.name !== 'entry') return entry.name;
  return entry.attribute('key') ?? entry.elements[0]?.text;
}

function plainValueOf(entry: XmlElement): string | undefined {
  const holders = entry.elements;
  if (isPair(entry)) return holders.length === 2 ? leafText(holders[1]!) : undefined;
  if (holders.length === 0) return entry.text;
  return holders.length === 1 ? leafText(holders[0]!) : undefined;
}

function leafText(element: XmlElement): string | undefined {
  return element.name === 'null' || element.elements.length > 0 ? undefined : element.text;
}
