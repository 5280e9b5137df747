import { escapeAttribute } from '../../xml/index.ts';
import { attributeText, type Dynamic } from './values.ts';

export type Attributes = Readonly<Record<string, Dynamic<number | string> | boolean | undefined>>;

/** An element of Mapnik's XML; attributes that are undefined are left out. */
export function element(name: string, attributes: Attributes, content = ''): string {
  let text = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    text += ` ${key}="${escapeAttribute(typeof value === 'boolean' ? String(value) : attributeText(value))}"`;
  }
  return content === '' ? `${text}/>` : `${text}>${content}</${name}>`;
}
