/** What an expression yields. */
export type Value = string | number | bigint | boolean | Date | Uint8Array | GeoJSON.Geometry | null;

/** An expression over the attributes of a feature. */
export type Expression =
  | {
      readonly kind: 'literal';
      /** XML literals are text and stay so; they are converted when they meet a typed value. */
      readonly value: string | number | bigint | boolean | Date | null;
    }
  | {
      readonly kind: 'geometry';
      /** Coordinates in the order they were written in. */
      readonly geometry: GeoJSON.Geometry;
      /** Name of the CRS as it was written (`EPSG:4326`, `urn:ogc:def:crs:EPSG::4326`); absent: the layer's own. */
      readonly crs?: string;
    }
  | {
      readonly kind: 'property';
      /** As written: may have a namespace prefix, may be a path. '' is the default geometry. */
      readonly name: string;
    }
  | {
      readonly kind: 'arithmetic';
      readonly operator: '+' | '-' | '*' | '/';
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'function'; readonly name: string; readonly arguments: readonly Expression[] };

export type ComparisonOperator = '=' | '<>' | '<' | '<=' | '>' | '>=';

export type SpatialOperator =
  | 'equals'
  | 'disjoint'
  | 'intersects'
  | 'touches'
  | 'crosses'
  | 'within'
  | 'contains'
  | 'overlaps';

export type TemporalOperator =
  | 'after'
  | 'before'
  | 'begins'
  | 'begunBy'
  | 'tContains'
  | 'during'
  | 'endedBy'
  | 'ends'
  | 'tEquals'
  | 'meets'
  | 'metBy'
  | 'tOverlaps'
  | 'overlappedBy'
  | 'anyInteracts';

/** A condition on a feature. Built by `parseCql` and `parseFilterXml`, or by hand. */
export type Filter =
  | { readonly kind: 'include' }
  | { readonly kind: 'exclude' }
  | { readonly kind: 'and' | 'or'; readonly filters: readonly Filter[] }
  | { readonly kind: 'not'; readonly filter: Filter }
  | {
      readonly kind: 'comparison';
      readonly operator: ComparisonOperator;
      readonly left: Expression;
      readonly right: Expression;
      /** False: letters compare without regard to case. */
      readonly matchCase: boolean;
    }
  | {
      readonly kind: 'like';
      readonly value: Expression;
      readonly pattern: string;
      /** One character each; `escape` may be ''. */
      readonly wildcard: string;
      readonly single: string;
      readonly escape: string;
      readonly matchCase: boolean;
    }
  | {
      readonly kind: 'between';
      readonly value: Expression;
      /** Both ends belong to the range. */
      readonly lower: Expression;
      readonly upper: Expression;
    }
  | { readonly kind: 'null'; readonly value: Expression }
  | { readonly kind: 'ids'; readonly ids: readonly string[] }
  | {
      readonly kind: 'bbox';
      /** Normally a property; '' is the default geometry. */
      readonly value: Expression;
      /** As written: minx, miny, maxx, maxy, or y first where `crs` says so. */
      readonly box: readonly [number, number, number, number];
      readonly crs?: string;
    }
  | {
      readonly kind: 'spatial';
      readonly operator: SpatialOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'distance';
      readonly operator: 'dwithin' | 'beyond';
      readonly left: Expression;
      readonly right: Expression;
      /** In `units`. */
      readonly distance: number;
      /** As written: `meters`, `m`, `feet`, ...; '' for units of the CRS. */
      readonly units: string;
    }
  | {
      readonly kind: 'relate';
      readonly left: Expression;
      readonly right: Expression;
      /** DE-9IM pattern of 9 characters of `TF*012`. */
      readonly pattern: string;
    }
  | {
      readonly kind: 'temporal';
      readonly operator: TemporalOperator;
      readonly value: Expression;
      /** Equal for an instant. */
      readonly begin: Date;
      readonly end: Date;
    };

/** A filter or expression is not well-formed, or uses something that is not supported. */
export class FilterError extends Error {
  /** Where: UTF-16 offset in the text, or of the element in its document; absent when it is not about one place. */
  readonly offset: number | undefined;

  constructor(message: string, offset?: number, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FilterError';
    this.offset = offset;
  }
}

export const INCLUDE: Filter = { kind: 'include' };
export const EXCLUDE: Filter = { kind: 'exclude' };

/** All of them must hold; nested `and`s and `include`s vanish. */
export function and(...filters: readonly (Filter | undefined)[]): Filter {
  const flat: Filter[] = [];
  for (const filter of filters) {
    if (filter === undefined || filter.kind === 'include') continue;
    if (filter.kind === 'exclude') return EXCLUDE;
    if (filter.kind === 'and') flat.push(...filter.filters);
    else flat.push(filter);
  }
  return flat.length === 0 ? INCLUDE : flat.length === 1 ? flat[0]! : { kind: 'and', filters: flat };
}

/** Attribute name without namespace prefixes and leading steps: `topp:states/topp:NAME` is `NAME`. */
export function localName(property: string): string {
  const step = property.slice(property.lastIndexOf('/') + 1);
  return step.slice(step.lastIndexOf(':') + 1);
}
