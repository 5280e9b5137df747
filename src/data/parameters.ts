import type { CatalogView, DataStore } from '../catalog/index.ts';
import type { TreePath } from '../tree/index.ts';
import { DataError } from './types.ts';

/** A store's connection parameters, found without regard to letter case. */
export interface Parameters {
  /** Undefined when the parameter is absent or blank. */
  text(name: string): string | undefined;
  flag(name: string, fallback: boolean): boolean;
  /** @throws DataError  it is not a whole number */
  integer(name: string, fallback: number): number;
  /** A password in the clear. @throws DataError  it is encrypted with a key that is not at hand */
  password(name: string): string | undefined;
  /** All of them, for a look at what is there. Names in lower case. */
  readonly names: readonly string[];
}

export interface ParameterSources {
  /** Environment variables; placeholders are replaced only when `ALLOW_ENV_PARAMETRIZATION` is `true` there. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly view: CatalogView;
}

export function parametersOf(store: DataStore, sources: ParameterSources): Parameters {
  const values = new Map<string, string>();
  const expand = placeholders(sources);
  for (const [name, value] of Object.entries(store.connectionParameters)) values.set(name.toLowerCase(), expand(value));
  const text = (name: string) => {
    const value = values.get(name.toLowerCase());
    return value === undefined || value.trim() === '' ? undefined : value;
  };
  return {
    text,
    flag: (name, fallback) => (text(name) === undefined ? fallback : text(name)?.trim().toLowerCase() === 'true'),
    integer(name, fallback) {
      const value = text(name);
      if (value === undefined) return fallback;
      if (!/^\s*[-+]?\d+\s*$/.test(value))
        throw new DataError('malformed', `parameter "${name}" of store ${store.name} is not a whole number`);
      return Number(value);
    },
    password: (name) => decodePassword(store, text(name)),
    names: [...values.keys()],
  };
}

/**
 * `${NAME}` in values: from the environment, then from `geoserver-environment.properties`. One that nobody sets stays as
 * it is, as in GeoServer.
 */
export function placeholders({ env, view }: ParameterSources): (text: string) => string {
  if (env.ALLOW_ENV_PARAMETRIZATION?.toLowerCase() !== 'true') return (text) => text;
  let fromFile: ReadonlyMap<string, string> | undefined;
  const file = () => {
    const bytes = view.read('geoserver-environment.properties' as TreePath);
    const lines = bytes === undefined ? [] : new TextDecoder().decode(bytes).split(/\r?\n/);
    const pairs = lines
      .map((line) => /^\s*([^#!=:\s][^=:\s]*)\s*[=:]\s*(.*)$/.exec(line))
      .filter((match) => match !== null);
    return new Map(pairs.map((match) => [match[1]!, match[2]!]));
  };
  return (text) =>
    text.replace(/\$\{([^}]+)\}/g, (whole, name: string) => {
      const set = env[name];
      if (set !== undefined) return set;
      fromFile ??= file();
      return fromFile.get(name) ?? whole;
    });
}

/** GeoServer's prefixes say how a password is kept; without one it is the password itself. */
function decodePassword(store: DataStore, stored: string | undefined): string | undefined {
  if (stored?.startsWith('plain:')) return stored.slice('plain:'.length);
  if (stored !== undefined && /^crypt[12]:/.test(stored))
    throw new DataError(
      'refused',
      `the password of store ${store.name} is encrypted, and GeoServer's key store cannot be read yet: set the password again`,
    );
  return stored;
}
