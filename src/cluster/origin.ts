import type { Readable } from 'node:stream';
import type { ChangeLog } from '../log/index.ts';
import { decodeRecord, type Position, readSnapshot, type Snapshot, START, type TreeRecord } from '../tree/index.ts';
import { fetchBlob } from './blobs.ts';

/** This node and this log must not come together; the text says why, and what an operator can do. */
export class RefusedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RefusedError';
  }
}

/** The latest snapshot, or the one that the log began with. `discard` is for who does not read its files. */
export async function latestSnapshot(log: ChangeLog): Promise<Snapshot & { discard(): void }> {
  const body = (await log.latestSnapshot())?.body ?? (await genesisBody(log));
  const snapshot = await readSnapshot(body, (hash, from) => fetchBlob(log, hash, from));
  return { ...snapshot, discard: () => body.destroy() };
}

async function genesisBody(log: ChangeLog): Promise<Readable> {
  const first = await recordAfter(log, START, new AbortController().signal);
  if (first?.kind !== 'genesis') throw new RefusedError('the log does not begin with the state that it starts from');
  const body = await log.getBlob(first.snapshot.hash);
  if (!body) throw new RefusedError(`the log has lost the blob ${first.snapshot.hash}, the state that it starts from`);
  return body;
}

/** The id that the log was given when it began. */
export async function logIdOf(log: ChangeLog): Promise<string> {
  if ((await log.trimmed()) === START) {
    const first = await recordAfter(log, START, new AbortController().signal);
    if (first?.kind === 'genesis') return first.logId;
  }
  const snapshot = await latestSnapshot(log);
  snapshot.discard();
  return snapshot.logId;
}

/** The record directly after a position; waits for it. Undefined when the signal ends the wait. */
export async function recordAfter(
  log: ChangeLog,
  after: Position,
  signal: AbortSignal,
): Promise<TreeRecord | undefined> {
  const enough = new AbortController();
  try {
    for await (const [first] of log.read(after, AbortSignal.any([signal, enough.signal])))
      if (first) return decodeRecord(first.body);
    return undefined;
  } finally {
    enough.abort();
  }
}
