import { escapeAttribute, escapeText } from './write.ts';

export type XmlNode = XmlElement | XmlText | XmlComment;

/** A run of character data, or one CDATA section. */
export class XmlText {
  /** The text it stands for. */
  readonly value: string;
  /** As it is written. */
  readonly raw: string;

  constructor(value: string, raw: string = escapeText(value)) {
    this.value = value;
    this.raw = raw;
  }
}

/** A comment or processing instruction: kept and printed, otherwise without meaning. */
export class XmlComment {
  readonly raw: string;

  constructor(raw: string) {
    this.raw = raw;
  }
}

interface Origin {
  readonly namespaces: Readonly<Record<string, string>>;
  readonly source: string;
  /** Offset of the start tag in the source. */
  readonly start: number;
}

const NOWHERE: Origin = { namespaces: {}, source: '', start: -1 };

/**
 * An element. Reading is by name as written (`child('name')`) or by local name; changing goes through the methods, so
 * that an element which nobody changed is printed exactly as it was read.
 */
export class XmlElement {
  /** Name as written, with its prefix. */
  readonly name: string;
  readonly #origin: Origin;
  #attributes: Readonly<Record<string, string>>;
  #children: XmlNode[] = [];
  /** Where, in the source, its start tag ends; -1 when it is other than it was read. */
  #tagEnd = -1;
  /** Where, in the source, the element ends; -1 when it is other than it was read. */
  #end = -1;

  constructor(name: string, attributes: Readonly<Record<string, string>> = {}, origin: Origin = NOWHERE) {
    this.name = name;
    this.#attributes = attributes;
    this.#origin = origin;
  }

  /** Builds an element with text or children in it. */
  static of(
    name: string,
    content: string | readonly XmlNode[] = [],
    attributes: Readonly<Record<string, string>> = {},
  ): XmlElement {
    const element = new XmlElement(name, attributes);
    element.#children = typeof content === 'string' ? (content === '' ? [] : [new XmlText(content)]) : [...content];
    return element;
  }

  /** Name without its prefix. */
  get local(): string {
    const colon = this.name.indexOf(':');
    return colon === -1 ? this.name : this.name.slice(colon + 1);
  }

  /** Namespace URI; empty when there is none, or when the prefix is not declared. */
  get namespace(): string {
    const colon = this.name.indexOf(':');
    return this.#origin.namespaces[colon === -1 ? '' : this.name.slice(0, colon)] ?? '';
  }

  /** Namespace URIs by prefix that are in scope here; the default one is at ''. */
  get namespaces(): Readonly<Record<string, string>> {
    return this.#origin.namespaces;
  }

  get start(): number {
    return this.#origin.start;
  }

  get attributes(): Readonly<Record<string, string>> {
    return this.#attributes;
  }

  get children(): readonly XmlNode[] {
    return this.#children;
  }

  /** Child elements in document order. */
  get elements(): XmlElement[] {
    return this.#children.filter((child) => child instanceof XmlElement);
  }

  /** All character data directly in this element, as it stands; '' when there is none. */
  get text(): string {
    if (this.#children.length === 1 && this.#children[0] instanceof XmlText) return this.#children[0].value;
    let text = '';
    for (const child of this.#children) if (child instanceof XmlText) text += child.value;
    return text;
  }

  /** All character data in this element and below it. */
  get deepText(): string {
    let text = '';
    for (const child of this.#children) {
      if (child instanceof XmlText) text += child.value;
      else if (child instanceof XmlElement) text += child.deepText;
    }
    return text;
  }

  attribute(name: string): string | undefined {
    return this.#attributes[name];
  }

  /** Value of the attribute with this local name, whatever its prefix (`xlink:href`, `href`). */
  attributeLocal(local: string): string | undefined {
    for (const name in this.#attributes)
      if (name === local || name.endsWith(`:${local}`)) return this.#attributes[name];
    return undefined;
  }

  /** The first child element of this name, or local name when `name` has no prefix and none matches as written. */
  child(name: string): XmlElement | undefined {
    for (const child of this.#children) if (child instanceof XmlElement && child.name === name) return child;
    for (const child of this.#children) if (child instanceof XmlElement && child.local === name) return child;
    return undefined;
  }

  /** Child elements whose name or local name this is. */
  childrenNamed(name: string): XmlElement[] {
    return this.elements.filter((child) => child.name === name || child.local === name);
  }

  /** Trimmed text of a child element; undefined when there is no such child. */
  childText(name: string): string | undefined {
    return this.child(name)?.text.trim();
  }

  /** The element at a path of child names, for example `find('store', 'id')`. */
  find(...names: readonly string[]): XmlElement | undefined {
    let element: XmlElement | undefined = this;
    for (const name of names) element = element?.child(name);
    return element;
  }

  // ---- changing

  setAttribute(name: string, value: string | undefined): void {
    if (this.#attributes[name] === value) return;
    const next = { ...this.#attributes };
    if (value === undefined) delete next[name];
    else next[name] = value;
    this.#attributes = next;
    this.#tagEnd = -1;
    this.#end = -1;
  }

  /** Replaces everything in the element by text; nothing changes when it holds just that text already. */
  setText(value: string): void {
    if (this.elements.length === 0 && this.text === value) return;
    this.setChildren(value === '' ? [] : [new XmlText(value)]);
  }

  setChildren(children: readonly XmlNode[]): void {
    this.#children = [...children];
    this.#end = -1;
  }

  /**
   * Puts a child in the place of the first one of its name, or after the last child whose name stands before it in
   * `order`. White space around it follows its neighbours.
   */
  setChild(child: XmlElement, order: readonly string[] = []): void {
    const index = this.#children.findIndex((c) => c instanceof XmlElement && c.name === child.name);
    this.#end = -1;
    if (index !== -1) {
      this.#children[index] = child;
      return;
    }
    const rank = order.indexOf(child.name);
    let after = -1;
    this.#children.forEach((c, i) => {
      if (!(c instanceof XmlElement)) return;
      if (rank === -1) after = i;
      else {
        const other = order.indexOf(c.name);
        if (other !== -1 && other < rank) after = i;
      }
    });
    const first = this.#children.findIndex((c) => c instanceof XmlElement);
    const lead = first > 0 ? this.#children[first - 1] : undefined;
    const space = lead instanceof XmlText && lead.value.trim() === '' ? [new XmlText(lead.value, lead.raw)] : [];
    if (after !== -1) this.#children.splice(after + 1, 0, ...space, child);
    else if (first !== -1) this.#children.splice(first, 0, child, ...space);
    else this.#children = [child];
  }

  /** Removes all children of this name with the white space before them; returns how many there were. */
  removeChildren(name: string): number {
    const kept: XmlNode[] = [];
    let removed = 0;
    for (const child of this.#children) {
      if (child instanceof XmlElement && child.name === name) {
        removed++;
        const last = kept.at(-1);
        if (last instanceof XmlText && last.value.trim() === '') kept.pop();
      } else kept.push(child);
    }
    if (removed > 0) this.setChildren(kept);
    return removed;
  }

  // ---- used by the parser

  adopt(child: XmlNode): void {
    this.#children.push(child);
  }

  /** @param tagEnd  offset in the source, after the start tag */
  opened(tagEnd: number): void {
    this.#tagEnd = tagEnd;
  }

  /** @param end  offset in the source, after the element */
  close(end: number): void {
    this.#end = end;
  }

  // ---- printing

  /** Whether this element, or anything in it, is other than it was read. */
  get changed(): boolean {
    return this.#end === -1 || this.#children.some((child) => child instanceof XmlElement && child.changed);
  }

  /** The element as text: as it was read where nothing changed, otherwise newly written without added white space. */
  toString(): string {
    const { source, start: at } = this.#origin;
    if (!this.changed) return source.slice(at, this.#end);
    const inner = this.#children.map((child) => (child instanceof XmlElement ? child.toString() : child.raw)).join('');
    let start = this.#tagEnd === -1 ? undefined : source.slice(at, this.#tagEnd);
    if (start === undefined) {
      const attributes = Object.entries(this.#attributes).map(([k, v]) => ` ${k}="${escapeAttribute(v)}"`);
      start = `<${this.name}${attributes.join('')}>`;
    } else if (start.endsWith('/>')) start = `${start.slice(0, -2).trimEnd()}>`;
    return inner === '' ? `${start.slice(0, -1)}/>` : `${start}${inner}</${this.name}>`;
  }

  /**
   * The element written anew in the manner of GeoServer's files: two spaces of indentation, no declaration, comments
   * and white space between elements dropped.
   */
  toIndentedString(indent = ''): string {
    const attributes = Object.entries(this.#attributes).map(([k, v]) => ` ${k}="${escapeAttribute(v)}"`);
    const tag = `${this.name}${attributes.join('')}`;
    const elements = this.elements;
    if (elements.length === 0) {
      const text = this.text;
      return text === '' ? `${indent}<${tag}/>` : `${indent}<${tag}>${escapeText(text)}</${this.name}>`;
    }
    const lines = elements.map((child) => child.toIndentedString(`${indent}  `));
    return `${indent}<${tag}>\n${lines.join('\n')}\n${indent}</${this.name}>`;
  }
}

/** A parsed document: its root, and what stands before and after it. */
export class XmlDocument {
  readonly root: XmlElement;
  /** Encoding of the bytes it was read from, lower case. */
  readonly encoding: string;
  readonly #before: string;
  readonly #after: string;

  constructor(parts: { root: XmlElement; before?: string; after?: string; encoding?: string }) {
    this.root = parts.root;
    this.encoding = parts.encoding ?? 'utf-8';
    this.#before = parts.before ?? '';
    this.#after = parts.after ?? '';
  }

  toString(): string {
    return this.#before + this.root.toString() + this.#after;
  }

  /**
   * The document in the encoding it was read in. A character which that encoding lacks is written as a character
   * reference.
   */
  toBytes(): Uint8Array {
    const text = this.toString();
    switch (this.encoding) {
      case 'utf-8':
      case 'utf8':
        return Buffer.from(text, 'utf8');
      case 'utf-16le':
      case 'utf-16':
        return Buffer.from(text, 'utf16le');
      case 'utf-16be':
        return Buffer.from(text, 'utf16le').swap16();
      default: {
        const referenced = text.replace(/[^\x00-\x7f]/gu, (c) =>
          encodesAs(c, this.encoding) ? c : `&#${c.codePointAt(0)};`,
        );
        return Uint8Array.from(referenced, (c) => singleByte(c, this.encoding)!);
      }
    }
  }
}

const encoders = new Map<string, Map<string, number>>();

function singleByte(character: string, encoding: string): number | undefined {
  let table = encoders.get(encoding);
  if (table === undefined) {
    const decoder = new TextDecoder(encoding);
    table = new Map(Array.from({ length: 256 }, (_, byte) => [decoder.decode(Uint8Array.of(byte)), byte]));
    encoders.set(encoding, table);
  }
  return table.get(character);
}

function encodesAs(character: string, encoding: string): boolean {
  return singleByte(character, encoding) !== undefined;
}
