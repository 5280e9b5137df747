/** Text that is known to be XML: only `xml` and `trustedXml` make one, so a raw string cannot slip in unescaped. */
export class Xml {
  readonly text: string;

  private constructor(text: string) {
    this.text = text;
  }

  /** For `xml` and `trustedXml` only. */
  static of(text: string): Xml {
    return new Xml(text);
  }

  toString(): string {
    return this.text;
  }
}

export type XmlValue = Xml | string | number | bigint | boolean | null | undefined | readonly XmlValue[];

/**
 * Template for XML: every value is escaped, except what is `Xml` already; arrays are joined; null, undefined and false
 * print nothing.
 */
export function xml(strings: TemplateStringsArray, ...values: readonly XmlValue[]): Xml {
  let text = strings[0]!;
  for (let i = 0; i < values.length; i++) text += print(values[i]) + strings[i + 1]!;
  return Xml.of(text);
}

/** Declares a text to be XML; for constants and for what an XML writer made. */
export function trustedXml(text: string): Xml {
  return Xml.of(text);
}

function print(value: XmlValue): string {
  if (value instanceof Xml) return value.text;
  if (value === null || value === undefined || value === false) return '';
  if (Array.isArray(value)) return value.map(print).join('');
  return escapeText(String(value)).replace(/"/g, '&quot;');
}

const UNWRITABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

/** Escapes character data; characters that XML cannot hold are left out. */
export function escapeText(text: string): string {
  return /[&<>\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text)
    ? text
        .replace(UNWRITABLE, '')
        .replace(/&/g, '&amp;')
        .replace(/</g, '&lt;')
        .replace(/>/g, '&gt;')
        .replace(/\r/g, '&#xd;')
    : text;
}

/** Escapes a value for a double-quoted attribute (and so for character data as well). */
export function escapeAttribute(text: string): string {
  return escapeText(text)
    .replace(/"/g, '&quot;')
    .replace(/[\t\n]/g, (c) => (c === '\n' ? '&#10;' : '&#9;'));
}
