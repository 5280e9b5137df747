/**
 * Secrets of stores never leave: a token stands in their place. The token says nothing about the secret; it is
 * recognised when it comes back for the same store and parameter, so that a client may read a store, change something,
 * and write it again.
 */
import { createHash } from 'node:crypto';
import { UserError } from '../base/index.ts';
import { XmlElement } from '../xml/index.ts';

/** Names of parameters and elements that hold secrets. */
const SECRET =
  /(?:^|[\s:_.-])(?:passwd|password|pwd|passphrase)$|^(?:secret.*|.*secretKey|authKey|headerValue|storepass|accessKey|sasToken)$/i;

/** Values that carry the prefix of a reversible encryption are of no use without the key store; they are shown as they are. */
const ENCRYPTED = /^crypt[12]:/;

const TOKEN_PREFIX = 'crypt1:kept.';

function tokenFor(storeId: string, name: string): string {
  return TOKEN_PREFIX + createHash('sha256').update(`${storeId}\0${name}`).digest('base64url').slice(0, 24);
}

/** The parameter or element name when an element holds a secret. */
function secretName(element: XmlElement): string | undefined {
  const name = element.name === 'entry' ? element.attribute('key') : element.local;
  return name !== undefined && element.elements.length === 0 && SECRET.test(name) ? name : undefined;
}

/** A copy in which every secret that is not encrypted is replaced by its token. */
export function maskSecrets(element: XmlElement, storeId: string): XmlElement {
  const name = secretName(element);
  if (name !== undefined) {
    const value = element.text;
    return value === '' || ENCRYPTED.test(value)
      ? element
      : XmlElement.of(element.name, tokenFor(storeId, name), element.attributes);
  }
  if (element.elements.length === 0) return element;
  return XmlElement.of(
    element.name,
    element.elements.map((child) => maskSecrets(child, storeId)),
    element.attributes,
  );
}

/**
 * A copy of what a client sent in which the tokens are secrets again.
 *
 * @param stored  the store as it is in its file; undefined when it is new
 * @throws UserError  400 when a token belongs to another store or parameter
 */
export function restoreSecrets(sent: XmlElement, stored: { element: XmlElement; id: string } | undefined): XmlElement {
  const name = secretName(sent);
  if (name !== undefined && sent.text.startsWith(TOKEN_PREFIX)) {
    const kept =
      stored !== undefined && sent.text === tokenFor(stored.id, name) ? findSecret(stored.element, name) : undefined;
    if (kept === undefined)
      throw new UserError(
        400,
        'unknown-secret',
        `the value of "${name}" is a placeholder that does not belong to this store: send the secret itself`,
      );
    return XmlElement.of(sent.name, kept, sent.attributes);
  }
  if (sent.elements.length === 0) return sent;
  return XmlElement.of(
    sent.name,
    sent.elements.map((child) => restoreSecrets(child, stored)),
    sent.attributes,
  );
}

function findSecret(element: XmlElement, name: string): string | undefined {
  for (const child of element.elements) {
    const found = secretName(child) === name ? child.text : findSecret(child, name);
    if (found !== undefined) return found;
  }
  return undefined;
}
