/** GeoServer's lenient conversions between the types of values. */
import type { Value } from './types.ts';

export function isGeometry(value: Value | undefined): value is GeoJSON.Geometry {
  return typeof value === 'object' && value !== null && !(value instanceof Date) && !(value instanceof Uint8Array);
}

/** NaN where it is not a number. */
export function toNumber(value: Value | undefined): number {
  switch (typeof value) {
    case 'number':
      return value;
    case 'bigint':
      return Number(value);
    case 'boolean':
      return value ? 1 : 0;
    case 'string': {
      const text = value.trim();
      return text === '' || !/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text) ? Number.NaN : Number(text);
    }
    default:
      return value instanceof Date ? value.getTime() : Number.NaN;
  }
}

/** Text of a value; '' of null. Dates as ISO 8601, geometries by type. */
export function toText(value: Value | undefined): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (isGeometry(value)) return value.type;
  return String(value);
}

/** `true`, `yes`, `1` and numbers other than 0 hold. */
export function toBoolean(value: Value | undefined): boolean {
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'number':
    case 'bigint':
      return Number(value) !== 0;
    case 'string':
      return /^(true|yes|1)$/i.test(value.trim());
    default:
      return false;
  }
}

const DATE = /^\d{4}-\d{2}-\d{2}(?:([T ])\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?|Z)?$/;

/** Undefined where it is no date. Without a zone it is UTC. */
export function toDate(value: Value | undefined): Date | undefined {
  if (value instanceof Date) return value;
  if (typeof value === 'number') return new Date(value);
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  const match = DATE.exec(text);
  if (match === null) return undefined;
  const iso = text.length <= 11 ? text.slice(0, 10) : `${text.replace(' ', 'T')}${match[2] === undefined ? 'Z' : ''}`;
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/**
 * Order of two values: as dates when one is a date, as numbers when both can be numbers and not both are text, else as
 * text. Undefined when one is null or a geometry, or when they cannot be compared.
 */
export function compareValues(left: Value, right: Value, matchCase = true): number | undefined {
  if (left === null || right === null || isGeometry(left) || isGeometry(right)) return undefined;
  if (left instanceof Date || right instanceof Date) {
    const a = toDate(left);
    const b = toDate(right);
    return a === undefined || b === undefined ? undefined : a.getTime() - b.getTime();
  }
  if (typeof left === 'bigint' && typeof right === 'bigint') return left < right ? -1 : left > right ? 1 : 0;
  if (typeof left === 'boolean' || typeof right === 'boolean') {
    // A text that is no boolean never equals one.
    const both = [left, right].map((v) =>
      typeof v === 'string' && !/^\s*(true|false|yes|no|[01])\s*$/i.test(v) ? undefined : v,
    );
    if (both[0] !== undefined && both[1] !== undefined) return Number(toBoolean(left)) - Number(toBoolean(right));
  } else if (typeof left !== 'string' || typeof right !== 'string') {
    const a = toNumber(left);
    const b = toNumber(right);
    if (!Number.isNaN(a) && !Number.isNaN(b)) return a - b;
  } else {
    // Order of texts that are both numbers is that of the numbers; `equalValues` does not come here with two texts.
    const a = toNumber(left);
    const b = toNumber(right);
    if (!Number.isNaN(a) && !Number.isNaN(b)) return a - b;
  }
  let a = toText(left);
  let b = toText(right);
  if (!matchCase) {
    a = a.toLowerCase();
    b = b.toLowerCase();
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether two values are equal, two texts by their characters, others as `compareValues` has it; null equals null. */
export function equalValues(left: Value, right: Value, matchCase = true): boolean {
  if (left === null || right === null) return left === right;
  if (typeof left === 'string' && typeof right === 'string')
    return matchCase ? left === right : left.toLowerCase() === right.toLowerCase();
  return compareValues(left, right, matchCase) === 0;
}
