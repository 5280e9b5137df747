import { UnavailableError } from '../base/index.ts';
import type { ChangeLog } from '../log/index.ts';
import type { ContentHash, TreeStore } from '../tree/index.ts';
import type { ChangesRecord } from './replica.ts';

/** The blobs that a record puts somewhere. */
export function blobsOf(record: ChangesRecord): ReadonlySet<ContentHash> {
  const hashes = new Set<ContentHash>();
  for (const { operations } of record.changes)
    for (const operation of operations)
      if (operation.kind === 'put' && operation.content.kind === 'blob') hashes.add(operation.content.hash);
  return hashes;
}

/**
 * Gets the blobs of a record from the log to this node's disk, so that the record can be applied in one step.
 * @throws UnavailableError  the log does not have one of them now
 */
export async function fetchBlobs(log: ChangeLog, store: TreeStore, record: ChangesRecord): Promise<void> {
  for (const hash of blobsOf(record)) {
    // Staged even when it is here: from then on the store keeps it until the record has been applied.
    await store.stageBlob(hash, (await store.hasBlob(hash)) ? nothing() : await fetchBlob(log, hash));
  }
}

export async function fetchBlob(log: ChangeLog, hash: ContentHash) {
  const body = await log.getBlob(hash);
  if (body) return body;
  throw new UnavailableError('blob-missing', `the log does not have the blob ${hash}, which a record needs`);
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
