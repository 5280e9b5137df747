import type { VirtualTable } from '../catalog/index.ts';
import { DataError } from './types.ts';

/** GeoServer's validation of a parameter that names none of its own. */
const DEFAULT_REGEXP = '^[\\w\\d\\s]+$';
const VALUE_LENGTH_MAX = 10_000;

/**
 * The text of a SQL view with its parameters replaced by their defaults, each checked against its regular expression; one
 * without a default becomes nothing, as in GeoServer.
 *
 * @param values  of parameters to use in place of defaults, by name
 * @throws DataError  `refused`: a value does not match; `malformed`: a regular expression is not understood
 */
export function expandView(view: VirtualTable, values: Readonly<Record<string, string>> = {}): string {
  const expanded = new Map<string, string>();
  for (const { name, defaultValue, regexpValidator } of view.parameters) {
    const value = values[name] ?? defaultValue ?? '';
    if (value !== '' && !matches(value, regexpValidator ?? DEFAULT_REGEXP, view, name))
      throw new DataError(
        'refused',
        `parameter ${name} of the SQL view ${view.name} has a value that it does not allow`,
      );
    expanded.set(name, value);
  }
  return view.sql.replace(/%([^%\s]+)%/g, (whole, name: string) => expanded.get(name) ?? whole).replace(/[\s;]+$/, '');
}

/** As Java does it, the whole value must match. */
function matches(value: string, pattern: string, view: VirtualTable, name: string): boolean {
  let regexp: RegExp;
  try {
    regexp = new RegExp(`^(?:${pattern})$`);
  } catch (error) {
    throw new DataError(
      'malformed',
      `the regular expression of parameter ${name} of the SQL view ${view.name} is not understood`,
      {
        cause: error,
      },
    );
  }
  return value.length <= VALUE_LENGTH_MAX && regexp.test(value);
}
