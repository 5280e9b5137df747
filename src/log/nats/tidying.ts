import type { Position } from '../../tree/index.ts';
import type { Bodies } from './bodies.ts';
import type { Link } from './link.ts';
import type { BodyName, Names } from './names.ts';
import { pull } from './pull.ts';
import type { Streams } from './streams.ts';

/** What belongs to nothing is kept for so long: somebody may be at it, or continue it. */
const KEPT_MS = 24 * 3600 * 1000;

/**
 * Removes what nobody needs any more: the bodies of records that were trimmed, those of uploads that were given up, and what
 * says that a blob was removed.
 */
export async function tidy(
  parts: { streams: Streams; names: Names; bodies: Bodies; heartbeatMs: number; signal: AbortSignal },
  link: Link,
  trimmed: Position,
  nowMs: number,
): Promise<void> {
  const { streams, names, bodies, heartbeatMs, signal } = parts;
  const used = new Set<string>();
  const first = new Map<BodyName, number>();
  const all = (filter: string, headersOnly = false) =>
    pull(streams, link, names.bodies, { filter, headersOnly, follow: false, heartbeatMs, signal });
  for await (const batch of all(names.part('*.*', 0), true))
    for (const { subject, storedMs } of batch)
      first.set(subject.split('.').slice(-3, -1).join('.') as BodyName, storedMs);
  for (const filter of [names.snapshot('*'), names.blob('*')])
    for await (const batch of all(filter))
      for (const { subject, sequence, storedMs, data } of batch) {
        const meta = JSON.parse(Buffer.from(data).toString()) as { name?: string; body?: { name: string } };
        const name = meta.name ?? meta.body?.name;
        if (name !== undefined) used.add(name);
        else if (storedMs < nowMs - KEPT_MS)
          await streams.purge(link, names.bodies, { filter: subject, seq: sequence + 1 });
      }
  for (const [name, storedMs] of first) {
    if (signal.aborted) return;
    const position = /^r(\d+)\./.exec(name)?.[1];
    if (position !== undefined ? Number(position) > trimmed : used.has(name) || storedMs >= nowMs - KEPT_MS) continue;
    const last = await streams.last(link, names.bodies, names.part(name, '*'));
    if (position === undefined && last !== undefined && Date.parse(last.storedAt) >= nowMs - KEPT_MS) continue;
    await bodies.remove(link, name);
  }
}
