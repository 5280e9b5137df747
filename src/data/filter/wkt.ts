import { FilterError } from './types.ts';

export interface WktGeometry {
  readonly geometry: GeoJSON.Geometry;
  /** `EPSG:n` of an `SRID=n;` prefix. */
  readonly crs?: string;
  /** Offset after the geometry. */
  readonly end: number;
}

type Position = GeoJSON.Position;

const TYPES =
  /(?:SRID\s*=\s*(\d+)\s*;\s*)?(POINT|LINESTRING|POLYGON|MULTIPOINT|MULTILINESTRING|MULTIPOLYGON|GEOMETRYCOLLECTION|ENVELOPE)\s*(?:ZM|Z|M)?\s*(?=\(|EMPTY)/iy;
const NUMBER = /\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)/y;

/** Whether a geometry begins at this offset. */
export function startsWkt(text: string, offset: number): boolean {
  TYPES.lastIndex = offset;
  return TYPES.test(text);
}

/**
 * Reads well-known text, with PostGIS' `SRID=n;` in front or not, and ECQL's `ENVELOPE(x1, x2, y1, y2)`.
 *
 * @throws FilterError  with the offset
 */
export function parseWkt(text: string, offset = 0): WktGeometry {
  const reader = new WktReader(text, offset);
  return reader.tagged();
}

class WktReader {
  readonly #text: string;
  #at: number;

  constructor(text: string, at: number) {
    this.#text = text;
    this.#at = at;
  }

  tagged(): WktGeometry {
    this.#space();
    TYPES.lastIndex = this.#at;
    const match = TYPES.exec(this.#text);
    if (match === null) throw this.#error('a geometry is expected');
    this.#at = TYPES.lastIndex;
    const geometry = this.#body(match[2]!.toUpperCase());
    return { geometry, end: this.#at, ...(match[1] === undefined ? {} : { crs: `EPSG:${match[1]}` }) };
  }

  #body(type: string): GeoJSON.Geometry {
    if (/^\s*EMPTY/i.test(this.#text.slice(this.#at, this.#at + 20))) {
      this.#at = this.#text.toUpperCase().indexOf('EMPTY', this.#at) + 5;
      return { type: 'GeometryCollection', geometries: [] };
    }
    switch (type) {
      case 'POINT':
        return { type: 'Point', coordinates: this.#inParentheses(() => this.#position()) };
      case 'LINESTRING':
        return { type: 'LineString', coordinates: this.#line() };
      case 'POLYGON':
        return { type: 'Polygon', coordinates: this.#list(() => this.#line()) };
      case 'MULTIPOINT':
        return {
          type: 'MultiPoint',
          coordinates: this.#list(() =>
            this.#peek() === '(' ? this.#inParentheses(() => this.#position()) : this.#position(),
          ),
        };
      case 'MULTILINESTRING':
        return { type: 'MultiLineString', coordinates: this.#list(() => this.#line()) };
      case 'MULTIPOLYGON':
        return { type: 'MultiPolygon', coordinates: this.#list(() => this.#list(() => this.#line())) };
      case 'GEOMETRYCOLLECTION':
        return { type: 'GeometryCollection', geometries: this.#list(() => this.tagged().geometry) };
      default: {
        const [x1, x2, y1, y2] = this.#list(() => this.#number()) as [number, number, number, number];
        if (y2 === undefined) throw this.#error('ENVELOPE needs four numbers');
        return boxPolygon([x1, y1, x2, y2]);
      }
    }
  }

  #line(): Position[] {
    return this.#list(() => this.#position());
  }

  #position(): Position {
    const position = [this.#number(), this.#number()];
    for (;;) {
      NUMBER.lastIndex = this.#at;
      const more = NUMBER.exec(this.#text);
      if (more === null) return position;
      position.push(Number(more[1]));
      this.#at = NUMBER.lastIndex;
    }
  }

  #number(): number {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) throw this.#error('a number is expected');
    this.#at = NUMBER.lastIndex;
    return Number(match[1]);
  }

  #list<T>(item: () => T): T[] {
    return this.#inParentheses(() => {
      const items = [item()];
      while (this.#peek() === ',') {
        this.#at++;
        items.push(item());
      }
      return items;
    });
  }

  #inParentheses<T>(content: () => T): T {
    this.#expect('(');
    const result = content();
    this.#expect(')');
    return result;
  }

  #expect(character: string): void {
    if (this.#peek() !== character) throw this.#error(`'${character}' is expected`);
    this.#at++;
  }

  #peek(): string | undefined {
    this.#space();
    return this.#text[this.#at];
  }

  #space(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #error(message: string): FilterError {
    return new FilterError(`geometry text: ${message} at character ${this.#at + 1}`, this.#at);
  }
}

/** @param box  minx, miny, maxx, maxy */
export function boxPolygon([minx, miny, maxx, maxy]: readonly [number, number, number, number]): GeoJSON.Polygon {
  return {
    type: 'Polygon',
    coordinates: [
      [
        [minx, miny],
        [maxx, miny],
        [maxx, maxy],
        [minx, maxy],
        [minx, miny],
      ],
    ],
  };
}
