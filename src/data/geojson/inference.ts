import type { AttributeType, GeometryType } from '../types.ts';

type Kind = 'integer' | 'long' | 'double' | 'boolean' | 'string';

/** What the attributes and geometries of many features have in common. */
export class Inference {
  readonly #kinds = new Map<string, Kind | undefined>();
  readonly #geometries = new Set<GeometryType>();

  add(properties: GeoJSON.GeoJsonProperties, geometry: GeoJSON.Geometry | null): void {
    if (geometry !== null) this.#geometries.add(geometry.type);
    for (const name in properties) {
      const known = this.#kinds.get(name);
      const value: unknown = properties[name];
      if (known === 'string' || (value === null && this.#kinds.has(name))) continue;
      this.#kinds.set(name, value === null ? undefined : both(known, kindOf(value)));
    }
  }

  /** In the order in which they were first seen; one that never had a value is text. */
  attributes(): AttributeType[] {
    return [...this.#kinds].map(([name, kind]) => ({ name, type: kind ?? 'string', nillable: true }));
  }

  geometryType(): GeometryType {
    const [first, ...others] = this.#geometries;
    return first !== undefined && others.length === 0 ? first : 'Geometry';
  }
}

function kindOf(value: unknown): Kind {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value !== 'number') return 'string';
  if (!Number.isInteger(value)) return 'double';
  return Math.abs(value) <= 0x7fffffff ? 'integer' : 'long';
}

const WIDTH: Readonly<Partial<Record<Kind, number>>> = { integer: 1, long: 2, double: 3 };

/** The narrower of the kinds that hold both: numbers widen, all else becomes text. */
function both(a: Kind | undefined, b: Kind): Kind {
  if (a === undefined || a === b) return b;
  const [wa, wb] = [WIDTH[a], WIDTH[b]];
  return wa === undefined || wb === undefined ? 'string' : wa > wb ? a : b;
}
