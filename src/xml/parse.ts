import { XmlComment, XmlDocument, XmlElement, type XmlNode, XmlText } from './document.ts';

/** Bounds on what is parsed; a document beyond one of them is an `XmlError`. */
export interface XmlLimits {
  /** Longest document in UTF-16 units. */
  readonly lengthMax: number;
  /** Deepest nesting of elements. */
  readonly depthMax: number;
  /** Most attributes of one element. */
  readonly attributesMax: number;
}

export const XML_LIMITS: XmlLimits = { lengthMax: 32 * 1024 * 1024, depthMax: 200, attributesMax: 256 };

/** The document is not well-formed, or is refused: document type declarations, unknown entities, too deep, too large. */
export class XmlError extends Error {
  /** Line of the error, from 1. */
  readonly line: number;
  /** Column of the error in UTF-16 units, from 1. */
  readonly column: number;

  constructor(message: string, source: string, offset: number) {
    let line = 1;
    let lineStart = 0;
    for (let i = source.indexOf('\n'); i !== -1 && i < offset; i = source.indexOf('\n', i + 1)) {
      line++;
      lineStart = i + 1;
    }
    const column = offset - lineStart + 1;
    super(`${message} (line ${line}, column ${column})`);
    this.name = 'XmlError';
    this.line = line;
    this.column = column;
  }
}

/**
 * Parses a well-formed XML 1.0 document.
 *
 * Every node remembers its own piece of the source, so a document that is changed and printed again differs from its
 * source in the changed nodes only. There is no document type declaration, hence no entity but the five predefined
 * ones, and nothing is ever fetched.
 *
 * @param input  text, or bytes in the encoding that their declaration names (UTF-8, UTF-16, ISO-8859-1, ...)
 * @throws XmlError  with line and column
 * @see https://www.w3.org/TR/xml/
 */
export function parseXml(input: string | Uint8Array, limits: XmlLimits = XML_LIMITS): XmlDocument {
  const { source, encoding } = typeof input === 'string' ? { source: input, encoding: 'utf-8' } : decode(input);
  if (source.length > limits.lengthMax) throw new XmlError(`larger than ${limits.lengthMax} characters`, '', 0);
  return new Scanner(source, encoding, limits).document();
}

function decode(bytes: Uint8Array): { source: string; encoding: string } {
  let encoding = 'utf-8';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) encoding = 'utf-16le';
  else if (bytes[0] === 0xfe && bytes[1] === 0xff) encoding = 'utf-16be';
  else {
    const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 200)).toString('latin1');
    const declared = /^(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']/.exec(head)?.[1];
    if (declared !== undefined) encoding = declared.toLowerCase();
  }
  try {
    return { source: decoderOf(encoding).decode(bytes), encoding };
  } catch (cause) {
    // It may have stopped in the middle of a character.
    decoders.delete(encoding);
    const problem = cause instanceof RangeError ? `unknown encoding ${encoding}` : `not valid ${encoding}`;
    throw new XmlError(problem, '', 0);
  }
}

/** Making one costs as much as reading a small file with it. */
const decoders = new Map<string, InstanceType<typeof TextDecoder>>();

function decoderOf(encoding: string): InstanceType<typeof TextDecoder> {
  let decoder = decoders.get(encoding);
  if (decoder === undefined) {
    // ignoreBOM keeps the mark in the text, so that it is printed again.
    decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
    decoders.set(encoding, decoder);
  }
  return decoder;
}

const NAME =
  /[:A-Z_a-z\u{C0}-\u{D6}\u{D8}-\u{F6}\u{F8}-\u{2FF}\u{370}-\u{37D}\u{37F}-\u{1FFF}\u{200C}-\u{200D}\u{2070}-\u{218F}\u{2C00}-\u{2FEF}\u{3001}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFFD}\u{10000}-\u{EFFFF}][-.0-9:A-Z_a-z\u{B7}\u{C0}-\u{D6}\u{D8}-\u{F6}\u{F8}-\u{37D}\u{37F}-\u{1FFF}\u{200C}-\u{200D}\u{203F}-\u{2040}\u{2070}-\u{218F}\u{2C00}-\u{2FEF}\u{3001}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFFD}\u{10000}-\u{EFFFF}]*/uy;
const ATTRIBUTE = /\s+([^\s=<>"'/]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const NO_NAMESPACES: Readonly<Record<string, string>> = Object.freeze({ xml: 'http://www.w3.org/XML/1998/namespace' });
const PREDEFINED: Readonly<Record<string, string | undefined>> = Object.assign(Object.create(null), {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
});
const NO_ATTRIBUTES: Readonly<Record<string, string>> = Object.freeze({});

class Scanner {
  readonly #source: string;
  readonly #encoding: string;
  readonly #limits: XmlLimits;
  #at = 0;

  constructor(source: string, encoding: string, limits: XmlLimits) {
    this.#source = source;
    this.#encoding = encoding;
    this.#limits = limits;
  }

  document(): XmlDocument {
    const source = this.#source;
    const forbidden = FORBIDDEN.exec(source);
    if (forbidden) throw this.#error('a character that XML does not allow', forbidden.index);
    if (source.charCodeAt(0) === 0xfeff) this.#at = 1;
    this.#misc();
    const start = this.#at;
    if (start >= source.length) throw this.#error('no root element');
    const root = this.#elements();
    const end = this.#at;
    this.#misc();
    if (this.#at < source.length) throw this.#error('content after the root element');
    return new XmlDocument({
      root,
      before: source.slice(0, start),
      after: source.slice(end),
      encoding: this.#encoding,
    });
  }

  /** Skips white space, comments and processing instructions outside the root element. */
  #misc(): void {
    const source = this.#source;
    for (;;) {
      while (isSpace(source.charCodeAt(this.#at))) this.#at++;
      if (source.startsWith('<?', this.#at)) this.#at = this.#past('?>', 'a processing instruction');
      else if (source.startsWith('<!--', this.#at)) this.#at = this.#past('-->', 'a comment');
      else if (source.startsWith('<!', this.#at)) throw this.#error('document type declarations are not accepted');
      else return;
    }
  }

  /** Reads the root element with everything in it; a loop, so that depth costs no stack. */
  #elements(): XmlElement {
    const source = this.#source;
    const open: XmlElement[] = [];
    for (;;) {
      const lt = source.indexOf('<', this.#at);
      const parent = open.at(-1);
      if (lt === -1) throw this.#error(parent ? `<${parent.name}> is not closed` : 'no root element', source.length);
      if (lt > this.#at) {
        const raw = source.slice(this.#at, lt);
        if (parent === undefined) throw this.#error('text outside the root element');
        parent.adopt(new XmlText(raw.includes('&') ? this.#unescape(raw, this.#at) : raw, raw));
        this.#at = lt;
      }
      const next = source.charCodeAt(lt + 1);
      if (next === 0x2f /* / */) {
        const gt = source.indexOf('>', lt);
        const name = source.slice(lt + 2, gt === -1 ? undefined : gt).trimEnd();
        if (parent === undefined || name !== parent.name || gt === -1)
          throw this.#error(parent ? `</${parent.name}> expected` : 'an end tag without its start', lt);
        this.#at = gt + 1;
        parent.close(this.#at);
        open.pop();
        if (open.length === 0) return parent;
      } else if (next === 0x21 /* ! */) {
        this.#markup(lt, parent);
      } else if (next === 0x3f /* ? */) {
        this.#at = this.#past('?>', 'a processing instruction');
        parent?.adopt(new XmlComment(source.slice(lt, this.#at)));
      } else {
        const { element, empty } = this.#startTag(lt, parent);
        parent?.adopt(element);
        if (!empty) {
          open.push(element);
          if (open.length > this.#limits.depthMax)
            throw this.#error(`nested deeper than ${this.#limits.depthMax} elements`, lt);
        } else if (parent === undefined) return element;
      }
    }
  }

  #markup(lt: number, parent: XmlElement | undefined): void {
    const source = this.#source;
    if (source.startsWith('<!--', lt)) {
      this.#at = this.#past('-->', 'a comment');
      parent?.adopt(new XmlComment(source.slice(lt, this.#at)));
    } else if (source.startsWith('<![CDATA[', lt) && parent !== undefined) {
      this.#at = this.#past(']]>', 'a CDATA section');
      parent.adopt(new XmlText(source.slice(lt + 9, this.#at - 3), source.slice(lt, this.#at)));
    } else throw this.#error('document type declarations are not accepted', lt);
  }

  #startTag(lt: number, parent: XmlElement | undefined): { element: XmlElement; empty: boolean } {
    const source = this.#source;
    const name = this.#name(lt + 1);
    if (name === undefined) throw this.#error('a tag needs a name', lt);
    let at = lt + 1 + name.length;
    let attributes: Record<string, string> | undefined;
    let namespaces = parent?.namespaces ?? NO_NAMESPACES;
    let count = 0;
    for (;;) {
      const code = source.charCodeAt(at);
      if (code === 0x3e || code === 0x2f) break;
      ATTRIBUTE.lastIndex = at;
      const match = ATTRIBUTE.exec(source);
      if (match === null) {
        while (isSpace(source.charCodeAt(at))) at++;
        if (source.charCodeAt(at) === 0x3e || source.charCodeAt(at) === 0x2f) break;
        throw this.#error(`the start tag of <${name}> is not well-formed`, at);
      }
      const key = match[1]!;
      const raw = match[2] ?? match[3]!;
      if (++count > this.#limits.attributesMax)
        throw this.#error(`more than ${this.#limits.attributesMax} attributes`, at);
      attributes ??= Object.create(null) as Record<string, string>;
      if (key in attributes) throw this.#error(`attribute ${key} is there twice`, at);
      // Attribute values are normalised: line breaks and tabs become spaces (XML 1.0, 3.3.3).
      const value = raw.includes('&') ? this.#unescape(raw, at) : raw.replace(/[\t\r\n]/g, ' ');
      attributes[key] = value;
      if (key === 'xmlns' || key.startsWith('xmlns:')) {
        namespaces = Object.assign(Object.create(namespaces) as Record<string, string>, {
          [key === 'xmlns' ? '' : key.slice(6)]: value,
        });
      }
      at = ATTRIBUTE.lastIndex;
    }
    const empty = source.charCodeAt(at) === 0x2f;
    if (empty) at++;
    if (source.charCodeAt(at) !== 0x3e) throw this.#error(`the start tag of <${name}> is not closed`, at);
    this.#at = at + 1;
    const element = new XmlElement(name, attributes ?? NO_ATTRIBUTES, { namespaces, source, start: lt });
    element.opened(this.#at);
    if (empty) element.close(this.#at);
    return { element, empty };
  }

  /** The name at an offset; nearly all are ASCII, and need no regular expression. */
  #name(from: number): string | undefined {
    const source = this.#source;
    let to = from;
    while (isPlainNamePart(source.charCodeAt(to))) to++;
    const next = source.charCodeAt(to);
    const ended = next === 0x3e || next === 0x2f || isSpace(next);
    const first = source.charCodeAt(from);
    if (ended && to > from && first > 0x39 /* neither digit nor - nor . */) return source.slice(from, to);
    NAME.lastIndex = from;
    return NAME.exec(source)?.[0];
  }

  #unescape(raw: string, offset: number): string {
    let text = '';
    let done = 0;
    for (let at = raw.indexOf('&'); at !== -1; at = raw.indexOf('&', done)) {
      const end = raw.indexOf(';', at);
      const known = end === -1 ? undefined : PREDEFINED[raw.slice(at + 1, end)];
      if (known === undefined) return text + raw.slice(done, at) + this.#unescapeAny(raw.slice(at), offset + at);
      text += raw.slice(done, at) + known;
      done = end + 1;
    }
    return text + raw.slice(done);
  }

  #unescapeAny(raw: string, offset: number): string {
    return raw.replace(/&([^;&\s]{0,40};?)/g, (whole, body: string, index: number) => {
      const known = body.endsWith(';') ? PREDEFINED[body.slice(0, -1)] : undefined;
      if (known !== undefined) return known;
      const reference = /^#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}));$/.exec(body);
      const code = reference ? Number.parseInt(reference[1] ?? reference[2]!, reference[1] ? 16 : 10) : -1;
      const allowed =
        code === 9 ||
        code === 10 ||
        code === 13 ||
        (code >= 0x20 && code <= 0xd7ff) ||
        (code >= 0xe000 && code <= 0x10ffff);
      if (!allowed) throw this.#error(`unknown entity ${whole}`, offset + index);
      return String.fromCodePoint(code);
    });
  }

  #past(end: string, what: string): number {
    const index = this.#source.indexOf(end, this.#at + 2);
    if (index === -1) throw this.#error(`${what} is not closed`);
    return index + end.length;
  }

  #error(message: string, offset = this.#at): XmlError {
    return new XmlError(message, this.#source, offset);
  }
}

/** Letters, digits, `-`, `.`, `:` and `_` of ASCII. */
function isPlainNamePart(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x3a) ||
    code === 0x5f ||
    code === 0x2d ||
    code === 0x2e
  );
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

export type { XmlNode };
