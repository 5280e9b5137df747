/** The table of endpoints: what is served is what is in it, and the OpenAPI description is made from it. */
import { UserError } from '../base/index.ts';
import type { Answer } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { cutExtension, type Format } from './negotiation.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface Route {
  readonly method: Method;
  /** Below `/rest`. `{name}` takes part of one segment, `{name*}` as the last one the rest of the path. */
  readonly path: string;
  /** What it does, in a few words. */
  readonly summary: string;
  /** Formats of the answer; the first is the default. Absent: a short text, or nothing. */
  readonly produces?: readonly Format[];
  /** Media types of the body, for the description. */
  readonly consumes?: readonly string[];
  /** Query parameters, for the description. */
  readonly query?: readonly string[];
  /**
   * About this node, and not about what is replicated: it works on a replica and without the log, is never forwarded, and does not
   * wait for the newest state.
   */
  readonly local?: true;
  /** Status of success, for the description, where the method does not tell. */
  readonly status?: number;
  /** The last segment keeps its extension, which is part of what is asked for. */
  readonly keepExtension?: true;
  /**
   * A file as it is: `+` in its name stands for itself, and not for a space as GeoServer writes it in links elsewhere; its
   * format is its own, and `?format=` alone says how a folder is shown.
   */
  readonly isFile?: true;
  handle(exchange: Exchange): Promise<Answer> | Answer;
}

/** Media types of an object's body. */
export const OBJECT_TYPES = ['application/json', 'application/xml', 'text/xml', 'text/json'] as const;

export type Matched =
  | { readonly kind: 'route'; readonly route: Route; readonly params: Params; readonly extension: string | undefined }
  | { readonly kind: 'other-methods'; readonly allowed: readonly Method[] }
  | { readonly kind: 'none' };

export type Params = Readonly<Record<string, string>>;

interface Compiled {
  readonly route: Route;
  readonly segments: readonly RegExp[];
  readonly names: readonly string[];
  readonly rest: boolean;
  /** Literal segments come before variable ones. */
  readonly rank: string;
}

/** Finds routes. Literal segments win over variable ones, whatever the order of the table. */
export class Router {
  /** By their first segment where it is a plain word; each list holds all routes that a path with it may be for, in order. */
  readonly #byWord = new Map<string, readonly Compiled[]>();
  /** For paths that begin with no such word. */
  readonly #others: readonly Compiled[];

  constructor(routes: readonly Route[]) {
    const compiled = routes.map(compile).sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0));
    const word = ({ route }: Compiled) =>
      route.keepExtension ? undefined : /^\/([a-z-]+)(?=\/|$)/.exec(route.path)?.[1];
    for (const first of new Set(compiled.map(word)))
      if (first !== undefined)
        this.#byWord.set(
          first,
          compiled.filter((each) => word(each) === undefined || word(each) === first),
        );
    this.#others = compiled.filter((each) => word(each) === undefined);
  }

  /**
   * @param path  below `/rest`, still percent-encoded, without the query
   * @throws UserError  400 when a segment is not well encoded, or could leave its folder (`..`, `/`, `\`, NUL)
   */
  find(method: string, path: string): Matched {
    const raw = path
      .split('/')
      .filter((segment, index, all) => segment !== '' || (index !== 0 && index !== all.length - 1));
    const decoded = raw.map((segment) => decodeSegment(segment, { plusIsSpace: true }));
    const cut = cutExtension(decoded);
    const allowed: Method[] = [];
    let found: Matched | undefined;
    let pattern: string | undefined;
    for (const compiled of this.#byWord.get(cut.segments[0] ?? '') ?? this.#others) {
      const { route } = compiled;
      const literal = route.isFile ? raw.map((segment) => decodeSegment(segment, { plusIsSpace: false })) : decoded;
      const params = matchSegments(compiled, route.keepExtension ? literal : cut.segments);
      if (params === undefined) continue;
      // The best path decides; its other methods are what `Allow` says.
      pattern ??= route.path;
      if (pattern !== route.path) continue;
      allowed.push(route.method);
      if (route.method === method && found === undefined)
        found = { kind: 'route', route, params, extension: route.keepExtension ? undefined : cut.extension };
    }
    if (found !== undefined) return found;
    return allowed.length > 0 ? { kind: 'other-methods', allowed } : { kind: 'none' };
  }
}

function compile(route: Route): Compiled {
  const names: string[] = [];
  const parts = route.path.split('/').filter((part) => part !== '');
  const rest = parts.at(-1)?.endsWith('*}') === true;
  const segments = parts.map((part) => {
    const pattern = part.replace(/\{([a-zA-Z]+)\*?\}|[^{]+/g, (piece, name: string | undefined) => {
      if (name === undefined) return piece.replace(/[.*+?^$()|[\]\\]/g, '\\$&');
      names.push(name);
      return VARIABLES[name] ?? '(.+)';
    });
    return new RegExp(`^${pattern}$`, 's');
  });
  const rank = parts
    .map((part) => (part.endsWith('*}') ? '3' : part.startsWith('{') ? (part.includes('}.{') ? '1' : '2') : '0'))
    .join('');
  return { route, segments, names, rest, rank };
}

/** Variables that take certain words only. */
const VARIABLES: Readonly<Record<string, string>> = {
  method: '([^.]+)',
  format: '((?!(?:json|xml|html)$).+|(?<=^(?:file|url|external)\\.)json)',
  service: '(wms|wfs|wcs|wmts)',
};

function matchSegments(compiled: Compiled, segments: readonly string[]): Params | undefined {
  const fixed = compiled.rest ? compiled.segments.length - 1 : compiled.segments.length;
  if (compiled.rest ? segments.length < fixed : segments.length !== fixed) return undefined;
  const values: string[] = [];
  for (let i = 0; i < fixed; i++) {
    const match = compiled.segments[i]!.exec(segments[i]!);
    if (match === null) return undefined;
    values.push(...match.slice(1));
  }
  if (compiled.rest) values.push(segments.slice(fixed).join('/'));
  return Object.fromEntries(compiled.names.map((name, index) => [name, values[index]!]));
}

function decodeSegment(segment: string, options: { plusIsSpace: boolean }): string {
  let text: string;
  try {
    text = decodeURIComponent(options.plusIsSpace ? segment.replace(/\+/g, ' ') : segment);
  } catch {
    throw new UserError(400, 'bad-path', `the path segment "${segment}" is not well percent-encoded UTF-8`);
  }
  // The control characters are what a file name must not have, and what could forge lines in a log.
  if (text === '.' || text === '..' || text === '' || /[/\\\u0000-\u001f\u007f]/.test(text))
    throw new UserError(400, 'bad-path', `the path segment "${segment}" cannot be the name of anything`);
  return text;
}
