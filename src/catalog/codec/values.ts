import type { XmlElement } from '../../xml/index.ts';
import { readMap } from '../brief-map.ts';
import type { BoundingBox, MetadataLink } from '../objects.ts';
import { flat, intern, NOTHING } from '../strings.ts';

/** A catalog file is well-formed XML, but not what its place says it is. */
export class CodecError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CodecError';
  }
}

/**
 * Which property each child element fills, and how it is read. Elements may come in any order; those that are not in the
 * table are passed over; of several with one name the last counts.
 */
export type FieldTable<T> = Readonly<
  Record<string, { [P in keyof T]-?: readonly [P, (element: XmlElement) => T[P] | undefined] }[keyof T]>
>;

/** Reads the children of an element by a table. What is missing, or empty where that means missing, is left out. */
export function readFields<T>(element: XmlElement, table: FieldTable<T>): Partial<T> {
  const found: Partial<T> = {};
  for (const child of element.elements) {
    if (!Object.hasOwn(table, child.name)) continue;
    const [property, read] = table[child.name]!;
    const value = read(child);
    if (value !== undefined) found[property] = value;
  }
  return found;
}

/** A text of its own; undefined when empty. */
export function text(element: XmlElement): string | undefined {
  const value = element.text.trim();
  return value === '' ? undefined : flat(value);
}

/** A text that many files have. */
export function common(element: XmlElement): string | undefined {
  const value = element.text.trim();
  return value === '' ? undefined : intern(value);
}

/** As Java reads it: everything but `true` is false. */
export function boolean(element: XmlElement): boolean {
  return element.text.trim().toLowerCase() === 'true';
}

/** @throws CodecError  it is not a number */
export function number(element: XmlElement): number | undefined {
  const value = element.text.trim();
  if (value === '') return undefined;
  const parsed = parseDouble(value);
  if (parsed === undefined) throw new CodecError(`<${element.name}> is not a number: ${value.slice(0, 40)}`);
  return parsed;
}

/** A number in Java's notation. */
export function parseDouble(value: string): number | undefined {
  if (/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?[dDfF]?$/.test(value)) return Number.parseFloat(value);
  switch (value) {
    case 'NaN':
      return Number.NaN;
    case 'Infinity':
    case '+Infinity':
    case 'inf':
      return Number.POSITIVE_INFINITY;
    case '-Infinity':
    case '-inf':
      return Number.NEGATIVE_INFINITY;
    default:
      return undefined;
  }
}

/** One of the words; anything else is an error, as it is in GeoServer. */
export function word<W extends string>(...words: readonly W[]): (element: XmlElement) => W | undefined {
  return (element) => {
    const value = element.text.trim();
    if (value === '') return undefined;
    const known = words.find((candidate) => candidate === value);
    if (known === undefined)
      throw new CodecError(`<${element.name}> is ${value.slice(0, 40)}, not one of ${words.join(', ')}`);
    return known;
  };
}

/** One array for all that are empty. */
export function none<T>(): readonly T[] {
  return NOTHING;
}

/** `<string>` items. */
export function strings(element: XmlElement): readonly string[] {
  const values: string[] = [];
  for (const child of element.elements) {
    const value = text(child);
    if (value !== undefined) values.push(value);
  }
  return values.length === 0 ? NOTHING : values;
}

/** `<string>` items that many files have: CRS codes and the like. */
export function commonStrings(element: XmlElement): readonly string[] {
  const values = strings(element);
  return values.length === 0 ? values : values.map(intern);
}

/**
 * A reference to another object: its text, or `id`, or `name` (`prefix` for a namespace) with the workspace before it
 * where there is one. Undefined when it refers to nothing, which in lists is a slot of its own.
 */
export function reference(element: XmlElement): string | undefined {
  let id: string | undefined;
  let name: string | undefined;
  let workspace: string | undefined;
  let children = 0;
  for (const child of element.elements) {
    children++;
    if (child.name === 'id') id = common(child);
    else if (child.name === 'name' || child.name === 'prefix') name = common(child);
    else if (child.name === 'workspace') workspace = reference(child);
  }
  if (children === 0) return common(element);
  if (id !== undefined) return id;
  if (name === undefined || workspace === undefined || name.includes(':')) return name;
  return intern(`${workspace}:${name}`);
}

/** References that are there; slots are not kept. */
export function references(element: XmlElement): readonly string[] {
  const found = element.elements.map(reference).filter((value) => value !== undefined);
  return found.length === 0 ? NOTHING : found;
}

/** Undefined unless all four numbers are there and finite. */
export function boundingBox(element: XmlElement): BoundingBox | undefined {
  let minx = Number.NaN;
  let miny = Number.NaN;
  let maxx = Number.NaN;
  let maxy = Number.NaN;
  let crs: string | undefined;
  for (const child of element.elements) {
    switch (child.name) {
      case 'minx':
        minx = number(child) ?? Number.NaN;
        break;
      case 'miny':
        miny = number(child) ?? Number.NaN;
        break;
      case 'maxx':
        maxx = number(child) ?? Number.NaN;
        break;
      case 'maxy':
        maxy = number(child) ?? Number.NaN;
        break;
      case 'crs':
        crs = common(child);
    }
  }
  if (!Number.isFinite(minx + miny + maxx + maxy)) return undefined;
  return crs === undefined ? { minx, miny, maxx, maxy } : { minx, miny, maxx, maxy, crs };
}

export function metadataLinks(element: XmlElement): readonly MetadataLink[] {
  const links = element.childrenNamed('metadataLink').map((link) => ({
    type: link.childText('type') ?? '',
    metadataType: link.childText('metadataType') ?? '',
    content: flat(link.childText('content') ?? ''),
  }));
  return links.length === 0 ? NOTHING : links;
}

/** The entries with a plain value. */
export function plainMap(element: XmlElement): Readonly<Record<string, string>> {
  return Object.fromEntries(Array.from(readMap(element), ([key, value]) => [intern(key), flat(value)]));
}
