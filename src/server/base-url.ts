import type { IncomingHttpHeaders } from 'node:http';
import type { CatalogView } from '../catalog/index.ts';
import type { ContentHash, TreePath } from '../tree/index.ts';
import { parseXml } from '../xml/index.ts';

export const CONTEXT_PATH = '/geoserver';

export interface BaseUrlOptions {
  /** Base URL that an operator gave, for all requests; may hold `${X-Forwarded-Proto}` and the like. */
  readonly proxyBaseUrl?: string;
  /** Whether `Forwarded` and `X-Forwarded-*` may be believed: only behind a proxy that sets them. */
  readonly trustProxy: boolean;
  /** What to answer with when a request has no usable Host header. */
  readonly ownUrl: string;
}

interface Source {
  readonly headers: IncomingHttpHeaders;
  readonly encrypted: boolean;
}

/**
 * The URL that clients reach this service at, with the context path and without a slash at its end; every link that is
 * sent out begins with it.
 *
 * In order: the operator's, the proxy base URL of the global settings (with placeholders for headers), forwarded headers
 * where they are trusted, the Host header. A list in a forwarded header is a chain of proxies: the first one is the client's.
 */
export class BaseUrls {
  readonly #options: BaseUrlOptions;
  #hash: ContentHash | undefined;
  #useHeaders = false;

  constructor(options: BaseUrlOptions) {
    this.#options = options;
  }

  of(source: Source, view: CatalogView): string {
    const settings = view.globalSettings();
    const given = this.#options.proxyBaseUrl ?? settings?.proxyBaseUrl;
    if (given !== undefined && given.trim() !== '') {
      const filled = fill(given.trim(), source);
      if (filled !== undefined) return filled.replace(/\/+$/, '');
    }
    const trusted = this.#options.trustProxy || this.#settingsTrustHeaders(view);
    return fromHeaders(source, trusted) ?? this.#options.ownUrl;
  }

  /** `useHeadersProxyURL`: in `settings` since 2.22, beside it before. */
  #settingsTrustHeaders(view: CatalogView): boolean {
    const path = 'global.xml' as TreePath;
    const hash = view.hash(path);
    if (hash !== this.#hash) {
      this.#hash = hash;
      this.#useHeaders = false;
      const bytes = view.read(path);
      try {
        const root = bytes && parseXml(bytes).root;
        const flag = root?.child('settings')?.childText('useHeadersProxyURL') ?? root?.childText('useHeadersProxyURL');
        this.#useHeaders = flag === 'true';
      } catch {
        // A broken file is reported by the catalog.
      }
    }
    return this.#useHeaders;
  }
}

/** Several templates may be given, separated by spaces: the first whose placeholders all have a value is used. */
function fill(templates: string, source: Source): string | undefined {
  const forwarded = forwardedOf(source.headers);
  for (const template of templates.split(/\s+/)) {
    let missing = false;
    const filled = template.replace(/\$\{([^}]+)\}/g, (_, name: string) => {
      const [header = '', part] = name.toLowerCase().split('.');
      const value = header === 'forwarded' && part !== undefined ? forwarded[part] : first(source.headers[header]);
      if (value === undefined || !/^[A-Za-z0-9.\-_:/[\]%~]*$/.test(value)) missing = true;
      return value ?? '';
    });
    if (!missing) return filled;
  }
  return undefined;
}

function fromHeaders(source: Source, trusted: boolean): string | undefined {
  const { headers } = source;
  let proto = source.encrypted ? 'https' : 'http';
  let host = headers.host;
  let path = CONTEXT_PATH;
  if (trusted) {
    const forwarded = forwardedOf(headers);
    proto = (forwarded.proto ?? first(headers['x-forwarded-proto']) ?? proto).toLowerCase();
    const forwardedHost = forwarded.host ?? first(headers['x-forwarded-host']);
    host = forwardedHost ?? host;
    const port = first(headers['x-forwarded-port']);
    // The port belongs to the forwarded host; one that is in the host already wins.
    if (port !== undefined && /^\d{1,5}$/.test(port) && host !== undefined && !/:\d+$/.test(host))
      host = isDefaultPort(proto, port) ? host : `${host}:${port}`;
    const whole = first(headers['x-forwarded-path']);
    const prefix = first(headers['x-forwarded-prefix']);
    if (whole !== undefined) path = whole;
    else if (prefix !== undefined) path = prefix.replace(/\/+$/, '') + CONTEXT_PATH;
  }
  if (host === undefined || !/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(host)) return undefined;
  if (proto !== 'http' && proto !== 'https') return undefined;
  if (!/^\/[A-Za-z0-9._~/%-]*$/.test(path)) path = CONTEXT_PATH;
  return `${proto}://${host}${path.replace(/\/+$/, '')}`;
}

function isDefaultPort(proto: string, port: string): boolean {
  return (proto === 'http' && port === '80') || (proto === 'https' && port === '443');
}

function first(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header[0] : header;
  const item = text?.split(',', 1)[0]?.trim();
  return item === '' ? undefined : item;
}

/** The first element of `Forwarded`. @see RFC 7239, 4 */
function forwardedOf(headers: IncomingHttpHeaders): Readonly<Record<string, string | undefined>> {
  const element = first(headers.forwarded as string | undefined);
  if (element === undefined) return {};
  const pairs: Record<string, string> = {};
  for (const match of element.matchAll(/([A-Za-z]+)=(?:"([^"]*)"|([^;\s]+))/g))
    pairs[match[1]!.toLowerCase()] = match[2] ?? match[3]!;
  return pairs;
}
