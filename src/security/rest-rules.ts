import type { CatalogView } from '../catalog/index.ts';
import type { ContentHash, TreePath } from '../tree/index.ts';
import type { Principal } from './authenticator.ts';
import { parseProperties } from './properties.ts';
import { ROLE_ADMINISTRATOR } from './registry.ts';

/** A line of `rest.properties`: `/rest/workspaces/topp/**;GET,POST=ADMIN,EDITOR`. */
interface Rule {
  readonly path: RegExp;
  /** Empty for all. */
  readonly methods: ReadonlySet<string>;
  readonly roles: readonly string[];
}

export type RestAccess = 'granted' | 'login-needed' | 'forbidden';

const FILE = 'security/rest.properties' as TreePath;
/** Role names that let everybody in. */
const OPEN = new Set(['*', 'IS_AUTHENTICATED_ANONYMOUSLY', 'ROLE_ANONYMOUS']);

/**
 * Who may do what below `/rest`, by `security/rest.properties`: the first line whose path and method fit decides. Where
 * none fits, administrators only: a method that somebody forgot to list must not be open.
 */
export class RestRules {
  #hash: ContentHash | undefined;
  #rules: readonly Rule[] = [];
  #read = false;

  /** @param path  below the context path, without query: `/rest/workspaces/topp.json` */
  access(
    request: { readonly path: string; readonly method: string },
    who: Principal | undefined,
    view: CatalogView,
  ): RestAccess {
    const roles = this.#rolesFor(request, view);
    if (roles.some((role) => OPEN.has(role))) return 'granted';
    if (who === undefined) return 'login-needed';
    return who.isAdmin || roles.some((role) => who.roles.includes(role)) ? 'granted' : 'forbidden';
  }

  #rolesFor(request: { readonly path: string; readonly method: string }, view: CatalogView): readonly string[] {
    const hash = view.hash(FILE);
    if (!this.#read || hash !== this.#hash) {
      const bytes = view.read(FILE);
      this.#rules = bytes === undefined ? [] : parseRestRules(bytes);
      this.#hash = hash;
      this.#read = true;
    }
    // What may be read with GET may be asked for with HEAD.
    const methods = request.method === 'HEAD' ? ['HEAD', 'GET'] : [request.method];
    for (const rule of this.#rules) {
      const fits = rule.methods.size === 0 || methods.some((method) => rule.methods.has(method));
      if (fits && rule.path.test(request.path)) return rule.roles;
    }
    return [ROLE_ADMINISTRATOR];
  }
}

function parseRestRules(bytes: Uint8Array): Rule[] {
  const rules: Rule[] = [];
  for (const [key, value] of parseProperties(bytes)) {
    const [pattern = '', methods = ''] = key.split(';');
    const list = (text: string) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
    rules.push({
      path: antPath(pattern.trim()),
      methods: new Set(list(methods).map((method) => method.toUpperCase())),
      roles: list(value),
    });
  }
  return rules;
}

/** Ant's path patterns: `?` one character, `*` within a segment, `**` any number of segments. */
export function antPath(pattern: string): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length; ) {
    if (pattern.startsWith('/**', at) && (at + 3 === pattern.length || pattern[at + 3] === '/')) {
      source += '(?:/.*)?';
      at += 3;
    } else if (pattern.startsWith('**', at)) {
      source += '.*';
      at += 2;
    } else {
      const character = pattern[at++]!;
      source +=
        character === '*' ? '[^/]*' : character === '?' ? '[^/]' : character.replace(/[.+^${}()|[\]\\]/g, '\\$&');
    }
  }
  return new RegExp(`^${source}$`);
}
