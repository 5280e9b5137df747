/**
 * Chooses the version to answer in: the highest that is offered and not above the one asked for; the lowest when the client is
 * older than everything; the highest when it does not say.
 *
 * @param offered  ascending
 * @param asked    such as `1.1.0`; what is no version counts as not said
 * @see OGC 06-042 (WMS 1.3.0), 6.2.4
 */
export function negotiateVersion<V extends string>(offered: readonly [V, ...V[]], asked: string | undefined): V {
  const wanted = asked?.trim();
  if (wanted === undefined || !/^\d+(\.\d+){0,3}$/.test(wanted)) return offered.at(-1)!;
  return offered.findLast((version) => compareVersions(version, wanted) <= 0) ?? offered[0];
}

/** Negative when `a` is older than `b`; missing parts count as 0. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
