import { LogRefusedError } from './errors.ts';

const RETRY_MS = { first: 50, most: 2000, refused: 10_000 };

/**
 * How long to wait before the next attempt: longer each time, and of uneven length for each node; long at once when nothing changes
 * until somebody has changed the configuration.
 *
 * @param failures  attempts that failed since the last one that did not, 1 or more
 * @param error     what the last one failed with
 * @param mostMs    the pause grows up to here
 * @returns milliseconds
 */
export function backOffMs(failures: number, error: unknown, mostMs: number = RETRY_MS.most): number {
  if (error instanceof LogRefusedError) return RETRY_MS.refused;
  return Math.min(RETRY_MS.first * 2 ** (failures - 1), mostMs) * (0.5 + Math.random() / 2);
}
