import { type Expression, toText } from '../../data/filter/index.ts';
import type { UserStyle } from '../style/model.ts';

/** What of a request a style looks at. */
export interface StyleTraits {
  /** Scale denominators at which rules come or go, ascending. */
  readonly breaks: readonly number[];
  /** Names of environment variables. */
  readonly env: readonly string[];
  /** Sizes in metres or feet, or geometries moved on the ground. */
  readonly needsGround: boolean;
}

const known = new WeakMap<UserStyle, StyleTraits>();

export function traitsOf(style: UserStyle): StyleTraits {
  let traits = known.get(style);
  if (traits === undefined) {
    traits = find(style);
    known.set(style, traits);
  }
  return traits;
}

function find(style: UserStyle): StyleTraits {
  const breaks = new Set<number>();
  const env = new Set<string>();
  let needsGround = false;
  for (const fts of style.featureTypeStyles) {
    for (const rule of fts.rules) {
      for (const limit of [rule.minScale, rule.maxScale]) if (limit !== undefined) breaks.add(limit);
      if (rule.symbolizers.some((s) => s.unit !== 'pixel' || hasCall(s.geometry, 'offset'))) needsGround = true;
    }
  }
  visit(style, (name) => env.add(name));
  return { breaks: [...breaks].sort((a, b) => a - b), env: [...env], needsGround };
}

function hasCall(expression: Expression | undefined, name: string): boolean {
  if (expression?.kind !== 'function') return false;
  return expression.name.toLowerCase() === name || expression.arguments.some((a) => hasCall(a, name));
}

/** Finds the names that `env` is called with, wherever in the style. */
function visit(node: unknown, found: (name: string) => void): void {
  if (typeof node !== 'object' || node === null || node instanceof Uint8Array) return;
  if (Array.isArray(node)) {
    for (const item of node) visit(item, found);
    return;
  }
  const call = node as { kind?: unknown; name?: unknown; arguments?: readonly Expression[] };
  if (call.kind === 'function' && typeof call.name === 'string' && call.name.toLowerCase() === 'env') {
    const first = call.arguments?.[0];
    if (first?.kind === 'literal') found(toText(first.value));
  }
  for (const value of Object.values(node)) visit(value, found);
}
