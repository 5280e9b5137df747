/**
 * The mechanical mapping between XML and JSON of GeoServer's REST API (XStream over Jettison 1.5, so GeoServer 2.21 and
 * later). Written is that form; read is that form and the older one, in which single items came as arrays.
 */
import { XmlElement } from '../xml/index.ts';
import { JsonError, type LenientJson, LenientNumber, type LenientObject, parseLenientJson } from './lenient-json.ts';

export interface JsonOptions {
  /** Whether a child is an array even when it is alone. Only the lists of the catalog are like that. */
  readonly array?: (parent: string, child: string) => boolean;
  /** Names whose empty elements are the text "null": the empty slots of a layer group. */
  readonly nullSlots?: readonly string[];
}

/** Writes an element as a JSON object with one key, the element's name. An `atom:link` becomes the key `href`. */
export function formatJson(root: XmlElement, options: JsonOptions = {}): string {
  return `{${JSON.stringify(root.name)}:${jsonOf(root, options)}}`;
}

function jsonOf(element: XmlElement, options: JsonOptions): string {
  const attributes = Object.entries(element.attributes).filter(
    ([name]) => name !== 'xmlns' && !name.startsWith('xmlns:'),
  );
  const children = element.elements;
  if (children.length === 0) {
    const text = element.text;
    if (attributes.length === 0) {
      if (text === '' && options.nullSlots?.includes(element.name)) return '"null"';
      return primitive(text);
    }
    const members = attributes.map(([name, value]) => member(`@${name}`, JSON.stringify(value)));
    if (text.trim() !== '') members.push(member('$', JSON.stringify(text)));
    return `{${members.join(',')}}`;
  }
  const link = children.length === 1 && attributes.length === 0 ? hrefOf(children[0]!) : undefined;
  if (link !== undefined) return JSON.stringify(link);

  const byName = new Map<string, string[]>();
  for (const child of children) {
    const href = hrefOf(child);
    const name = href === undefined ? child.name : 'href';
    const value = href === undefined ? jsonOf(child, options) : JSON.stringify(href);
    const same = byName.get(name);
    if (same === undefined) byName.set(name, [value]);
    else same.push(value);
  }
  const members = attributes.map(([name, value]) => member(`@${name}`, JSON.stringify(value)));
  for (const [name, values] of byName) {
    const array = values.length > 1 || options.array?.(element.name, name) === true;
    members.push(member(JSON_NAMES[name] ?? name, array ? `[${values.join(',')}]` : values[0]!));
  }
  return `{${members.join(',')}}`;
}

/** XStream doubles the underscore of a Java field in XML, and not in JSON. */
const JSON_NAMES: Readonly<Record<string, string>> = { __default: '_default' };
const XML_NAMES: Readonly<Record<string, string>> = { _default: '__default' };

function member(name: string, value: string): string {
  return `${JSON.stringify(name)}:${value}`;
}

function hrefOf(element: XmlElement): string | undefined {
  return element.name === 'atom:link' ? element.attribute('href') : undefined;
}

const LONG_MAX = 2n ** 63n - 1n;

/**
 * A leaf's text as JSON: a number where Java's `Long.toString` or `Double.toString` would print just that text, a
 * boolean for `true` and `false`, otherwise a text. A double that is whole loses its `.0`; one with a negative exponent
 * stays a text.
 */
function primitive(text: string): string {
  if (text === 'true' || text === 'false') return text;
  if (/^(?:0|-?[1-9][0-9]{0,18})$/.test(text)) {
    const value = BigInt(text);
    return value <= LONG_MAX && value >= -LONG_MAX - 1n ? text : JSON.stringify(text);
  }
  if (/^-?[0-9]+\.[0-9]+(?:E[0-9]+)?$/.test(text) && javaDouble(Number(text)) === text)
    return text.includes('E') ? text : text.replace(/\.?0+$/, '');
  return JSON.stringify(text);
}

/** A number as Java's `Double.toString` prints it; GeoServer's files and answers hold doubles in this form. */
export function javaDouble(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  const size = Math.abs(value);
  if (size === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  if (size >= 1e-3 && size < 1e7) {
    const text = String(value);
    return text.includes('.') ? text : `${text}.0`;
  }
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  return `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}E${Number(exponent)}`;
}

/** Marks an element that JSON says is `null` or XML says is `xsi:nil`: a PUT takes the value away. */
export const NIL = 'xsi:nil';

export function isNil(element: XmlElement): boolean {
  return element.attributeLocal('nil') === 'true';
}

/** Maps whose keys are free texts, so that `{"max connections": 5}` is an entry and not an element. */
const BRIEF_MAPS = new Set(['connectionParameters', 'metadata', 'vendorParameters']);

const XML_NAME = /^[A-Za-z_\u00c0-\uffff][-.\w\u00b7-\uffff]*(?::[A-Za-z_][-.\w]*)?$/;

/**
 * Reads a JSON object with one key as an element of that name.
 *
 * Arrays become repeated elements; `[]` directly below the root is an empty element, which clears a collection, and
 * deeper down it is no element at all.
 *
 * @throws JsonError  with line and column
 */
export function parseJson(source: string): XmlElement {
  const value = parseLenientJson(source);
  if (!(value instanceof Map)) throw new JsonError('a JSON object with one key is expected', source, 0);
  const [root] = value;
  if (root === undefined) throw new JsonError('the JSON object is empty', source, 0);
  const fail = (message: string) => new JsonError(message, source, 0);
  return elementOf(root[0], root[1], { depth: 0, fail });
}

interface Place {
  readonly depth: number;
  readonly fail: (message: string) => JsonError;
}

function elementOf(name: string, value: LenientJson, place: Place): XmlElement {
  if (!XML_NAME.test(name)) throw place.fail(`"${name}" cannot be the name of a property`);
  const xmlName = XML_NAMES[name] ?? name;
  if (value === null) return XmlElement.of(xmlName, [], { [NIL]: 'true' });
  if (value instanceof Map) return fromObject(xmlName, value, place);
  if (Array.isArray(value)) {
    if (value.length === 0) return XmlElement.of(xmlName);
    if (value.length === 1) return elementOf(name, value[0]!, place);
    throw place.fail(`"${name}" cannot be an array of several values`);
  }
  return XmlElement.of(xmlName, textOf(value));
}

function textOf(value: string | LenientNumber | boolean): string {
  if (!(value instanceof LenientNumber)) return String(value);
  // 1.50 is read as the double 1.5; an integer of any length stays as it is.
  return /[.eE]/.test(value.text) ? javaDouble(Number(value.text)) : value.text;
}

function fromObject(name: string, object: LenientObject, place: Place): XmlElement {
  const attributes: Record<string, string> = {};
  const children: XmlElement[] = [];
  let text: string | undefined;
  const below: Place = { ...place, depth: place.depth + 1 };
  for (const [key, value] of object) {
    if (key.startsWith('@')) {
      const attribute = key.slice(1);
      if (!XML_NAME.test(attribute)) throw place.fail(`"${key}" cannot be the name of an attribute`);
      if (value instanceof Map || Array.isArray(value)) throw place.fail(`"${key}" must be a plain value`);
      attributes[attribute] = value === null ? '' : textOf(value);
    } else if (key === '$') {
      if (value instanceof Map || Array.isArray(value)) throw place.fail(`"$" must be a plain value`);
      text = value === null ? '' : textOf(value);
    } else if (BRIEF_MAPS.has(name) && isEntryOfBriefMap(key)) {
      children.push(entryOf(key, value, place));
    } else if (Array.isArray(value) && (value.length > 0 || place.depth > 0)) {
      for (const item of value) children.push(elementOf(key, item, below));
    } else {
      children.push(elementOf(key, value, below));
    }
  }
  return XmlElement.of(name, children.length === 0 && text !== undefined ? text : children, attributes);
}

function isEntryOfBriefMap(key: string): boolean {
  return key !== 'entry' && key !== 'map';
}

function entryOf(key: string, value: LenientJson, place: Place): XmlElement {
  if (value instanceof Map || Array.isArray(value)) throw place.fail(`the entry "${key}" must be a plain value`);
  return XmlElement.of('entry', value === null ? '' : textOf(value), { key });
}
