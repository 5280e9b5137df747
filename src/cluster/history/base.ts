import type { Readable } from 'node:stream';
import type { ChangeLog } from '../../log/index.ts';
import { type Position, readSnapshot, type Snapshot, START } from '../../tree/index.ts';
import { fetchBlob } from '../blobs.ts';
import { HistoryTrimmedError } from './errors.ts';
import type { LogReader } from './reader.ts';

/** A snapshot to start from; `discard` is for who does not read its files. */
export type Base = Snapshot & { discard(): void };

/**
 * The newest snapshot at or below a position from which on the log has every record; in the beginning, the state that the
 * log starts from.
 *
 * @throws HistoryTrimmedError  there is none: the records between are gone
 */
export async function baseFor(reader: LogReader, position: Position): Promise<Base> {
  const { log } = reader;
  const trimmed = await reader.trimmed();
  const found = await log.latestSnapshot(position);
  if (found !== undefined && found.at >= trimmed) return open(log, found.body);
  found?.body.destroy();
  if (trimmed > START) throw new HistoryTrimmedError(position, (trimmed + 1) as Position);
  return open(log, await genesisBody(log, reader));
}

async function open(log: ChangeLog, body: Readable): Promise<Base> {
  const snapshot = await readSnapshot(body, (hash, from) => fetchBlob(log, hash, from));
  return { ...snapshot, discard: () => body.destroy() };
}

async function genesisBody(log: ChangeLog, reader: LogReader): Promise<Readable> {
  const first = await reader.record(1 as Position);
  if (first.kind !== 'genesis') throw new Error('the log does not begin with the state that it starts from');
  const body = await log.getBlob(first.snapshot.hash);
  if (body === undefined)
    throw new Error(`the log has lost the blob ${first.snapshot.hash}, the state that it starts from`);
  return body;
}
