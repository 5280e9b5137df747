/** Which format an answer has: path extension, then `?format=`, then `Accept`, then the endpoint's own default. */

/** Formats of answers, with their media types (the first is the one that is sent) and their path extension. */
export const FORMATS = {
  json: { types: ['application/json', 'text/json'], extension: 'json' },
  xml: { types: ['application/xml', 'text/xml'], extension: 'xml' },
  html: { types: ['text/html'], extension: 'html' },
  text: { types: ['text/plain'], extension: 'txt' },
  sld: { types: ['application/vnd.ogc.sld+xml'], extension: 'sld' },
  se: { types: ['application/vnd.ogc.se+xml'], extension: 'se' },
  css: { types: ['application/vnd.geoserver.geocss+css', 'text/css'], extension: 'css' },
  ysld: { types: ['application/vnd.geoserver.ysld+yaml'], extension: 'ysld' },
  mbstyle: {
    types: ['application/vnd.geoserver.mbstyle+json', 'application/vnd.geoserver.mapbox+json'],
    extension: 'mbstyle',
  },
  zip: { types: ['application/zip'], extension: 'zip' },
  diff: { types: ['text/x-diff', 'text/plain'], extension: 'diff' },
  snapshot: { types: ['application/zstd', 'application/octet-stream'], extension: 'zst' },
} as const satisfies Record<string, { types: readonly string[]; extension: string }>;

export type Format = keyof typeof FORMATS;

export interface Negotiated {
  readonly format: Format;
  /** As it was asked for, where one was: `text/xml` stays `text/xml`. */
  readonly contentType: string;
}

const STYLE_FORMATS: readonly Format[] = ['sld', 'se', 'css', 'ysld', 'mbstyle', 'zip'];

/**
 * Cuts a known extension off the last segment of a path; any other dot belongs to the name (`roads.v2`).
 * Style formats are extensions only where there are styles.
 */
export function cutExtension(segments: readonly string[]): {
  segments: readonly string[];
  extension: string | undefined;
} {
  const last = segments.at(-1) ?? '';
  const dot = last.lastIndexOf('.');
  const extension = last.slice(dot + 1).toLowerCase();
  const known: readonly string[] =
    segments.at(-2) === 'styles' ? ['json', 'xml', 'html', ...STYLE_FORMATS] : ['json', 'xml', 'html'];
  if (dot <= 0 || !known.includes(extension)) return { segments, extension: undefined };
  return { segments: [...segments.slice(0, -1), last.slice(0, dot)], extension };
}

/** @returns undefined when the client takes nothing that is offered: 406 */
export function negotiate(
  offered: readonly Format[],
  asked: { extension?: string; format?: string; accept?: string },
): Negotiated | undefined {
  const explicit = asked.extension ?? asked.format?.toLowerCase();
  if (explicit !== undefined && explicit !== '') {
    const format = offered.find(
      (name) => FORMATS[name].extension === explicit || (FORMATS[name].types as readonly string[]).includes(explicit),
    );
    if (format !== undefined) return { format, contentType: FORMATS[format].types[0] };
    if (asked.extension !== undefined) return undefined;
  }
  for (const range of acceptedTypes(asked.accept)) {
    if (range === '*/*') return first(offered);
    for (const format of offered) {
      const type = FORMATS[format].types.find(
        (t) => range === t || (range.endsWith('/*') && t.startsWith(range.slice(0, -1))),
      );
      if (type !== undefined) return { format, contentType: type };
    }
  }
  return asked.accept === undefined || asked.accept.trim() === '' ? first(offered) : undefined;
}

function first(offered: readonly Format[]): Negotiated {
  const format = offered[0]!;
  return { format, contentType: FORMATS[format].types[0] };
}

/** Media ranges of an Accept header, the most wanted first; those with `q=0` left out. */
function acceptedTypes(accept: string | undefined): string[] {
  if (accept === undefined) return [];
  const ranges = accept.split(',').flatMap((part, index) => {
    const [type, ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    if (type === undefined || !/^[^/\s]+\/[^/\s]+$/.test(type)) return [];
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = q === undefined ? 1 : Number(q.slice(2));
    return Number.isFinite(quality) && quality > 0 ? [{ type, quality, index }] : [];
  });
  return ranges.sort((a, b) => b.quality - a.quality || a.index - b.index).map((range) => range.type);
}

/** Media type of a Content-Type header, lower case, without parameters. */
export function mediaType(header: string | undefined): string {
  return (header ?? '').split(';')[0]!.trim().toLowerCase();
}

/** The charset parameter of a Content-Type header. */
export function charsetOf(header: string | undefined): string | undefined {
  return /;\s*charset\s*=\s*"?([^";\s]+)"?/i.exec(header ?? '')?.[1]?.toLowerCase();
}

/** A boolean query parameter as clients write it: `true`, `True`, `on`, `yes`, `1`; anything else that is not a no is refused. */
export function parseBoolean(text: string): boolean | undefined {
  switch (text.trim().toLowerCase()) {
    case 'true':
    case 'on':
    case 'yes':
    case '1':
      return true;
    case 'false':
    case 'off':
    case 'no':
    case '0':
      return false;
    default:
      return undefined;
  }
}
