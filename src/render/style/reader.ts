import { type Expression, FilterError, parseCqlExpression, parseMixedXml } from '../../data/filter/index.ts';
import type { XmlElement } from '../../xml/index.ts';
import type { Options, StyleWarning } from './model.ts';

/** What the readers of the parts of a document share: its warnings, and names without regard to case. */
export class StyleReader {
  readonly warnings: StyleWarning[] = [];
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  /** Line of an offset in the document, from 1. */
  line(offset: number): number {
    let line = 1;
    for (let i = this.#source.indexOf('\n'); i !== -1 && i < offset; i = this.#source.indexOf('\n', i + 1)) line++;
    return line;
  }

  warn(message: string, element?: XmlElement, offset = element?.start): void {
    if (this.warnings.length >= WARNINGS_MAX) return;
    this.warnings.push(offset === undefined || offset < 0 ? { message } : { message, line: this.line(offset) });
  }

  /** Runs a reader of filters or expressions; what is wrong becomes a warning, and the part undefined. */
  attempt<T>(element: XmlElement, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      this.warn(error.message, element, element.start);
      return undefined;
    }
  }

  /** Text and expressions in a child element, if there is one with something in it. */
  expression(element: XmlElement | undefined): Expression | undefined {
    return element === undefined ? undefined : this.attempt(element, () => parseMixedXml(element));
  }

  childExpression(element: XmlElement, name: string): Expression | undefined {
    return this.expression(child(element, name));
  }

  /** CssParameters and SvgParameters by name; later ones win. */
  parameters(element: XmlElement): ReadonlyMap<string, XmlElement> {
    const found = new Map<string, XmlElement>();
    for (const e of element.elements) {
      const local = e.local.toLowerCase();
      if (local !== 'cssparameter' && local !== 'svgparameter') continue;
      const name = e.attribute('name')?.trim().toLowerCase();
      if (name === undefined) this.warn(`<${e.name}> has no name`, e);
      else found.set(name, e);
    }
    return found;
  }

  options(element: XmlElement): Options {
    const options: Record<string, string> = {};
    for (const option of children(element, 'VendorOption')) {
      const name = option.attribute('name');
      if (name === undefined) this.warn('<VendorOption> has no name', option);
      else options[name] = option.deepText.trim();
    }
    return options;
  }

  /** A text in which `${...}` holds expressions, as in well-known names and addresses of graphics. */
  template(text: string, element: XmlElement): Expression {
    if (!text.includes('${')) return { kind: 'literal', value: text };
    const parsed = this.attempt(element, () => parseTemplate(text));
    return parsed ?? { kind: 'literal', value: text };
  }
}

const WARNINGS_MAX = 200;

/** @throws FilterError */
export function parseTemplate(text: string): Expression {
  const parts: Expression[] = [];
  let at = 0;
  for (;;) {
    const open = text.indexOf('${', at);
    if (open > at || (open === -1 && at < text.length))
      parts.push({ kind: 'literal', value: text.slice(at, open === -1 ? undefined : open) });
    if (open === -1) break;
    const close = text.indexOf('}', open);
    if (close === -1) throw new FilterError('an expression is not closed by }', open);
    parts.push(parseCqlExpression(text.slice(open + 2, close)));
    at = close + 1;
  }
  return parts.length === 1 ? parts[0]! : { kind: 'function', name: 'Concatenate', arguments: parts };
}

/** The first child of this local name, in any case: GeoServer reads `<stroke>` and `<Stroke>` alike. */
export function child(element: XmlElement, name: string): XmlElement | undefined {
  const wanted = name.toLowerCase();
  return element.elements.find((e) => e.local.toLowerCase() === wanted);
}

export function children(element: XmlElement, name: string): XmlElement[] {
  const wanted = name.toLowerCase();
  return element.elements.filter((e) => e.local.toLowerCase() === wanted);
}

/** Trimmed text of a child; undefined when it is missing or empty. */
export function text(element: XmlElement, name: string): string | undefined {
  const value = child(element, name)?.deepText.trim();
  return value === undefined || value === '' ? undefined : value;
}
