import { setImmediate as nextTurn } from 'node:timers/promises';
import { evaluate, type Filter } from './filter/index.ts';
import { boxesMeet, boxOf } from './geometry/box.ts';
import type { Box, Feature, FeatureQuery, FeatureSchema } from './types.ts';

/** Features handed on at a time: large enough for fast loops, small enough for back-pressure to mean something. */
export const BATCH_FEATURES = 500;

/** The parts of a query that a driver left to be done here. */
export interface Remainder {
  /** Exact test of the geometry's bounding box. */
  readonly box?: Box;
  readonly filter?: Filter;
  readonly limit?: number;
  readonly offset?: number;
}

/**
 * Applies what remains of a query to what a driver reads. Ends early when the limit is reached, which also ends the driver's
 * reading. Other work of the process gets its turn after each batch.
 */
export async function* sift(
  batches: AsyncIterable<readonly Feature[]> | Iterable<readonly Feature[]>,
  schema: FeatureSchema,
  remainder: Remainder,
  signal?: AbortSignal,
): AsyncGenerator<readonly Feature[]> {
  const { box, filter } = remainder;
  let toSkip = remainder.offset ?? 0;
  let left = remainder.limit ?? Number.POSITIVE_INFINITY;
  if (left <= 0) return;
  const context = { ...(schema.geometryName === undefined ? {} : { geometryName: schema.geometryName }) };
  for await (const batch of batches) {
    signal?.throwIfAborted();
    let kept = batch;
    if (box !== undefined) kept = kept.filter((feature) => meets(feature, box));
    if (filter !== undefined && filter.kind !== 'include')
      kept = kept.filter((feature) => evaluate(filter, feature, context));
    if (toSkip > 0) {
      const skipped = Math.min(toSkip, kept.length);
      toSkip -= skipped;
      kept = kept.slice(skipped);
    }
    if (kept.length > left) kept = kept.slice(0, left);
    left -= kept.length;
    if (kept.length > 0) yield kept;
    if (left <= 0) return;
    await nextTurn();
  }
}

function meets(feature: Feature, box: Box): boolean {
  const own = boxOf(feature.geometry);
  return own !== undefined && boxesMeet(own, box);
}

/** How many features the batches hold. */
export async function countOf(batches: AsyncIterable<readonly Feature[]>): Promise<number> {
  let count = 0;
  for await (const batch of batches) count += batch.length;
  return count;
}

/** A count of everything, with a query's offset and limit taken off. */
export function clipCount(total: number, query: FeatureQuery): number {
  return Math.max(0, Math.min(total - (query.offset ?? 0), query.limit ?? Number.POSITIVE_INFINITY));
}

/** Whether every feature passes. */
export function isUnrestricted(query: FeatureQuery): boolean {
  return query.box === undefined && (query.filter === undefined || query.filter.kind === 'include');
}
