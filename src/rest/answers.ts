/** What handlers answer with, and how that goes out: XML, JSON, or a small HTML page. */
import type { Readable } from 'node:stream';
import { trustedXml, XmlElement, xml } from '../xml/index.ts';
import { formatJson, type JsonOptions } from './json.ts';
import type { Format, Negotiated } from './negotiation.ts';

export type Answer =
  | { readonly kind: 'object'; readonly element: XmlElement; readonly json?: JsonOptions; readonly status?: number }
  /** Plain JSON, not the mapping of XML; XML and HTML are made from `element`. */
  | {
      readonly kind: 'data';
      readonly value: unknown;
      readonly element: XmlElement;
      readonly status?: number;
      readonly headers?: Headers;
    }
  /** 201: the new thing's name as text, and where it is. */
  | { readonly kind: 'created'; readonly name: string; readonly location?: string }
  | { readonly kind: 'text'; readonly status: number; readonly text: string; readonly headers?: Headers }
  | { readonly kind: 'empty'; readonly status: number; readonly headers?: Headers }
  | {
      readonly kind: 'bytes';
      readonly body: Uint8Array | Readable;
      readonly contentType: string;
      readonly headers?: Headers;
    };

type Headers = Readonly<Record<string, string>>;

export const OK: Answer = { kind: 'empty', status: 200 };

/** An answer as bytes and headers. */
export interface Rendered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string | Uint8Array | Readable;
}

export function render(answer: Answer, negotiated: Negotiated): Rendered {
  switch (answer.kind) {
    case 'object':
      return {
        status: answer.status ?? 200,
        ...document(answer.element, negotiated, () => formatJson(answer.element, answer.json)),
      };
    case 'data':
      return withHeaders(answer.headers, {
        status: answer.status ?? 200,
        ...document(answer.element, negotiated, () => JSON.stringify(answer.value)),
      });
    case 'created': {
      const headers: Record<string, string> = { 'content-type': TEXT };
      if (answer.location !== undefined) headers.location = answer.location;
      return { status: 201, headers, body: answer.name };
    }
    case 'text':
      return { status: answer.status, headers: { 'content-type': TEXT, ...answer.headers }, body: answer.text };
    case 'empty':
      return { status: answer.status, headers: answer.headers ?? {}, body: '' };
    case 'bytes':
      return { status: 200, headers: { 'content-type': answer.contentType, ...answer.headers }, body: answer.body };
  }
}

function withHeaders(headers: Headers | undefined, rendered: Rendered): Rendered {
  return { ...rendered, headers: { ...rendered.headers, ...headers } };
}

export const TEXT = 'text/plain;charset=UTF-8';

function document(
  element: XmlElement,
  { format, contentType }: Negotiated,
  json: () => string,
): Omit<Rendered, 'status'> {
  switch (format) {
    case 'xml':
      return { headers: { 'content-type': contentType }, body: element.toIndentedString() };
    case 'html':
      return { headers: { 'content-type': 'text/html;charset=UTF-8' }, body: page(element) };
    default:
      return { headers: { 'content-type': contentType }, body: json() };
  }
}

/** A page for people who look at the API with a browser: the tree as nested lists, links as links. */
export function page(element: XmlElement): string {
  return `<!DOCTYPE html>\n${
    xml`<html lang="en"><head><meta charset="utf-8"/><title>${element.name}</title></head>
<body><h1>${element.name}</h1>${items(element)}</body></html>`.text
  }\n`;
}

function items(element: XmlElement): ReturnType<typeof xml> {
  const children = element.elements.filter((child) => child.name !== 'atom:link');
  if (children.length === 0) return xml`${element.text}`;
  return xml`<ul>${children.map((child) => {
    const href = child.child('atom:link')?.attribute('href');
    const name = child.childText('name');
    const key = child.attribute('key') ?? child.attribute('name') ?? child.name;
    const value = child.attribute('value');
    if (href !== undefined) return xml`<li><a href="${href}">${name ?? child.name}</a></li>`;
    if (value !== undefined) return xml`<li>${key}: ${value}</li>`;
    return xml`<li>${key}: ${child.elements.length > 0 ? items(child) : trustedXml(xml`${child.text}`.text)}</li>`;
  })}</ul>`;
}

const ATOM = 'http://www.w3.org/2005/Atom';

/** An `atom:link`; JSON shows it as `href`. */
export function atomLink(href: string, format: Format): XmlElement {
  const type = format === 'json' ? 'application/json' : format === 'html' ? 'text/html' : 'application/xml';
  return new XmlElement('atom:link', { 'xmlns:atom': ATOM, rel: 'alternate', href, type });
}

/** Shorthand for a leaf, or an element with children; undefined children are left out. */
export function el(
  name: string,
  content: string | number | boolean | readonly (XmlElement | undefined)[] = [],
  attributes: Readonly<Record<string, string>> = {},
): XmlElement {
  const children = Array.isArray(content) ? content.filter((child) => child !== undefined) : String(content);
  return XmlElement.of(name, children, attributes);
}
