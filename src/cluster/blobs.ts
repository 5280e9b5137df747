import type { Readable } from 'node:stream';
import { UnavailableError, UserError } from '../base/index.ts';
import type { ChangeLog } from '../log/index.ts';
import type { ContentHash, SnapshotBlobSource, Store, WrittenSnapshot } from '../tree/index.ts';
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
export async function fetchBlobs(log: ChangeLog, store: Store, record: ChangesRecord): Promise<void> {
  // Staged even when it is here: from then on the store keeps it until the record has been applied.
  for (const { operations } of record.changes)
    for (const operation of operations)
      if (operation.kind === 'put' && operation.content.kind === 'blob') {
        const { hash, size } = operation.content;
        await store.stageBlob(hash, size, (from) => fetchBlob(log, hash, from));
      }
}

/** The bytes of a blob, from an offset on. @throws UnavailableError  the log does not have it now */
export async function fetchBlob(log: ChangeLog, hash: ContentHash, from = 0): Promise<Readable> {
  const body = await log.getBlob(hash, from);
  if (body) return body;
  throw new UnavailableError('blob-missing', `the log does not have the blob ${hash}, which this node needs`);
}

/**
 * Puts a snapshot by reference, after the blobs that it names: who finds the snapshot finds them. The store writes nothing until
 * this is over.
 *
 * @param put  puts the snapshot itself
 * @throws UnavailableError  `file-edited`: a file on disk is not the one of the tree
 */
export async function withItsBlobs<T>(
  log: ChangeLog,
  snapshot: WrittenSnapshot,
  put: (body: Readable) => Promise<T>,
): Promise<T> {
  try {
    // Also those that the log has: they count as stored just now, and nobody takes them for waste.
    for (const blob of snapshot.blobs) await putWhole(log, blob);
    return await put(snapshot.body);
  } finally {
    snapshot.body.destroy();
  }
}

async function putWhole(log: ChangeLog, blob: SnapshotBlobSource): Promise<void> {
  if (blob.size > log.promises.blobBytesMax)
    throw new UserError(
      413,
      'file-too-large',
      `${blob.path} has ${blob.size} bytes, and the log takes files up to ${log.promises.blobBytesMax}`,
    );
  // What the log says of a source that fails names no file.
  let failure: unknown;
  const open = (from: number) =>
    blob.open(from).on('error', (error) => {
      failure = error;
    });
  try {
    await log.putBlob(blob.hash, { size: blob.size, open });
  } catch (error) {
    throw failure instanceof UnavailableError ? failure : error;
  }
}
