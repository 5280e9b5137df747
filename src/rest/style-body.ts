/** What is known of a style's body before it is stored: format, version, its own name, and whether it can be drawn. */
import { UserError } from '../base/index.ts';
import { parseStyle, StyleError } from '../render/index.ts';
import { parseXml, type XmlElement, XmlError } from '../xml/index.ts';

/** Formats of bodies by media type. */
export const STYLE_TYPES: Readonly<Record<string, { format: string; extension: string; languageVersion?: string }>> = {
  'application/vnd.ogc.sld+xml': { format: 'sld', extension: 'sld', languageVersion: '1.0.0' },
  'application/vnd.ogc.se+xml': { format: 'sld', extension: 'sld', languageVersion: '1.1.0' },
  'application/vnd.geoserver.geocss+css': { format: 'css', extension: 'css' },
  'application/vnd.geoserver.ysld+yaml': { format: 'ysld', extension: 'ysld' },
  'application/vnd.geoserver.mbstyle+json': { format: 'mbstyle', extension: 'json' },
  'application/vnd.geoserver.mapbox+json': { format: 'mbstyle', extension: 'json' },
};

const ZIP_TYPES = new Set(['application/zip', 'multipart/x-zip', 'application/x-zip-compressed', 'application/x-zip']);

export function isZip(type: string): boolean {
  return ZIP_TYPES.has(type);
}

export interface SentBody {
  readonly bytes: Uint8Array;
  readonly format: string;
  readonly extension: string;
  readonly languageVersion?: string;
  /** The name that the style gives itself. */
  readonly name?: string;
}

/**
 * Looks at a body. It is stored as it was sent, byte for byte; `raw` only says that it is not looked into.
 *
 * @throws UserError  415 for a type that is no style's, 400 when it is no valid style
 */
export function readStyleBody(
  sent: Uint8Array,
  options: { readonly type: string; readonly raw: boolean; readonly charset: string | undefined },
): SentBody {
  const known = STYLE_TYPES[options.type];
  if (known === undefined)
    throw new UserError(
      415,
      'unsupported-media-type',
      `Content-Type ${options.type || 'is missing and'} is not that of a style: send one of ${Object.keys(STYLE_TYPES).join(', ')}`,
    );
  if (sent.length === 0) throw new UserError(400, 'style-empty', 'Invalid style: the body is empty');
  const bytes = known.format === 'sld' ? withDeclaredEncoding(sent, options.charset) : sent;
  if (known.format !== 'sld') return { bytes, ...known };
  const root = rootOf(bytes);
  if (root === undefined && !options.raw) {
    // Parsed again for its message: line and column are what the author needs.
    try {
      parseXml(bytes);
    } catch (error) {
      if (error instanceof XmlError) throw invalid(error);
      throw error;
    }
  }
  const version = root?.attribute('version') ?? known.languageVersion;
  const languageVersion = version?.startsWith('1.1') ? '1.1.0' : '1.0.0';
  if (!options.raw) {
    try {
      parseStyle({ hash: '', format: 'sld', bytes, read: () => undefined });
    } catch (error) {
      if (error instanceof StyleError || error instanceof XmlError) throw invalid(error);
      throw error;
    }
  }
  const name = root && ownName(root);
  return { bytes, ...known, languageVersion, ...(name === undefined ? {} : { name }) };
}

function invalid(error: Error): UserError {
  return new UserError(400, 'style-invalid', `Invalid style: ${error.message}`, { cause: error });
}

function rootOf(bytes: Uint8Array): XmlElement | undefined {
  try {
    return parseXml(bytes).root;
  } catch {
    return undefined;
  }
}

function ownName(root: XmlElement): string | undefined {
  const layer = root.child('NamedLayer') ?? root.child('UserLayer');
  const name = layer?.child('UserStyle')?.childText('Name') ?? layer?.childText('Name');
  return name === undefined || name === '' ? undefined : name;
}

/** A body whose charset is only in the header is stored as UTF-8, for the header is not stored. */
function withDeclaredEncoding(bytes: Uint8Array, charset: string | undefined): Uint8Array {
  const head = Buffer.from(bytes.subarray(0, 200)).toString('latin1');
  if (charset === undefined || charset === 'utf-8' || charset === 'utf8' || /^[^<]{0,4}<\?xml[^>]*encoding/.test(head))
    return bytes;
  try {
    return Buffer.from(new TextDecoder(charset, { fatal: true }).decode(bytes), 'utf8');
  } catch {
    throw new UserError(400, 'bad-encoding', `the body is not valid ${charset}`);
  }
}
