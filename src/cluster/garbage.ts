import { setImmediate as nextTick } from 'node:timers/promises';
import type { ChangeLog } from '../log/index.ts';
import { blobsOfSnapshot, type ContentHash, decodeRecord } from '../tree/index.ts';
import { blobsOf } from './blobs.ts';

/**
 * A blob is put before the record that names it, and by whoever finds it there already, put again. So one that was stored in
 * the last hour may still get its record.
 */
const GRACE_MS = 3_600_000;

/**
 * Removes the blobs that neither a record nor a snapshot of the log refers to. What is new is left alone, by the log's own
 * clock, which the latest snapshot tells.
 *
 * @returns how many were removed
 */
export async function collectGarbage(log: ChangeLog, signal: AbortSignal): Promise<number> {
  const snapshots = await log.snapshots();
  const latest = snapshots.at(-1);
  if (latest === undefined) return 0;
  const storedBefore = new Date(Date.parse(latest.storedAt) - GRACE_MS).toISOString();
  const unused = new Set<ContentHash>();
  for await (const batch of log.blobs())
    for (const { hash, storedAt } of batch) if (storedAt < storedBefore) unused.add(hash);
  if (unused.size === 0) return 0;

  for (const { at } of snapshots) {
    const snapshot = await log.latestSnapshot(at);
    if (snapshot?.at !== at) throw new Error(`the snapshot at ${at} has gone meanwhile`);
    for (const { hash } of await blobsOfSnapshot(snapshot.body)) unused.delete(hash);
  }
  for await (const hash of blobsOfRecords(log, signal)) unused.delete(hash);
  if (unused.size > 0) await log.removeBlobs([...unused], storedBefore);
  return unused.size;
}

/** What the records that the log holds refer to, the first state included. */
async function* blobsOfRecords(log: ChangeLog, signal: AbortSignal): AsyncGenerator<ContentHash> {
  const [trimmed, head] = [await log.trimmed(), await log.head()];
  if (trimmed >= head) return;
  for await (const batch of log.read(trimmed, signal)) {
    for (const { position, body } of batch) {
      const record = decodeRecord(body);
      if (record.kind === 'changes') yield* blobsOf(record);
      else {
        yield record.snapshot.hash;
        const first = await log.getBlob(record.snapshot.hash);
        if (first !== undefined) for (const { hash } of await blobsOfSnapshot(first)) yield hash;
      }
      if (position >= head) return;
    }
    await nextTick();
  }
  signal.throwIfAborted();
}
