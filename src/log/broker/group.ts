import type { Readable } from 'node:stream';
import { type Clock, UnavailableError, UserError } from '../../base/index.ts';
import type { ContentHash, Position } from '../../tree/index.ts';
import {
  type Appended,
  type BlobInfo,
  type BlobSource,
  type ChangeLog,
  type HeadMoved,
  type LogPromises,
  type LogRecord,
  type NodeStatus,
  type SnapshotBody,
  type SnapshotInfo,
  TrimmedError,
} from '../change-log.ts';
import type { LogConnection } from '../websocket/index.ts';
import { Rates } from './rates.ts';
import type { StoredGroup } from './store.ts';
import type { GroupNode, GroupPause, GroupStatus } from './types.ts';

/** Nodes that are remembered though they are gone. */
const GONE_MAX = 200;
/** Counting the blobs means looking at each. */
const BLOBS_COUNTED_MS = 15_000;

/** The log of a group as its nodes get it from the active broker: watched, and closed for writing at times. */
export class ServedGroup implements ChangeLog {
  readonly #name: string;
  readonly #stored: StoredGroup;
  readonly #log: ChangeLog;
  readonly #clock: Clock;
  readonly #rates: Rates;
  readonly #nodes = new Map<string, { since: string; status?: NodeStatus; connection?: LogConnection }>();
  #pause: GroupPause | undefined;
  #moving: string | undefined;
  readonly #underWay = new Set<Promise<unknown>>();
  #blobs: { readonly atMs: number; readonly count: number; readonly bytes: number } | undefined;

  constructor(name: string, stored: StoredGroup, clock: Clock) {
    this.#name = name;
    this.#stored = stored;
    this.#log = stored.log;
    this.#clock = clock;
    this.#rates = new Rates(() => clock.monotonicMs());
    this.#pause = stored.paused;
  }

  // ---- for the broker

  /** @param connections  of all groups */
  async status(connections: readonly LogConnection[]): Promise<GroupStatus> {
    // One after the other: all at once would be a connection each to a database, for every group, as long as somebody looks.
    const head = await this.#log.head();
    const trimmed = await this.#log.trimmed();
    const snapshots = await this.#log.snapshots();
    const { atMs: _, ...counted } = await this.#countBlobs();
    const recordBytes = await this.#stored.recordBytes();
    return {
      group: this.#name,
      head,
      trimmed,
      recordBytes,
      blobs: counted,
      snapshots,
      paused: this.#pause,
      nodes: this.#nodesNow(connections),
      rates: this.#rates.now,
    };
  }

  /** Up to `limit` records after a position, of those that are there. */
  async records(after: Position, limit: number): Promise<readonly LogRecord[]> {
    const found: LogRecord[] = [];
    const head = await this.#log.head();
    const wanted = Math.min(limit, head - after);
    if (wanted <= 0 && after >= (await this.#log.trimmed())) return [];
    const enough = new AbortController();
    for await (const batch of this.#log.read(after, enough.signal)) {
      found.push(...batch.slice(0, wanted - found.length));
      if (found.length >= wanted) break;
    }
    return found;
  }

  /** A group that is paused stays so since then, and keeps its reason when there is no other. @returns the pause */
  async pause(wanted: GroupPause): Promise<GroupPause> {
    const pause = { ...this.#pause, ...wanted, since: this.#pause?.since ?? wanted.since };
    await this.#stored.pause(pause);
    this.#pause = pause;
    await this.#settled();
    return pause;
  }

  async resume(): Promise<void> {
    await this.#stored.pause(undefined);
    this.#pause = undefined;
  }

  /** @throws UserError 409  there is no snapshot to trim to */
  async trimNow(upTo?: number): Promise<number> {
    const target = (await this.#log.snapshots()).findLast(({ at }) => upTo === undefined || at <= upTo)?.at;
    if (target === undefined)
      throw new UserError(
        409,
        'no-snapshot',
        `the group ${this.#name} has no snapshot${upTo === undefined ? '' : ` at or below ${upTo}`}, and a log is trimmed up to one; its primaries put one there after so many records (--snapshot-every)`,
      );
    await this.#log.trim(target);
    return this.#log.trimmed();
  }

  /** Takes no more appends; resolves when those under way have their outcome. */
  async stopAppends(why: string): Promise<void> {
    this.#moving = why;
    await this.#settled();
  }

  async #settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  async #countBlobs() {
    const nowMs = this.#clock.monotonicMs();
    if (this.#blobs !== undefined && nowMs - this.#blobs.atMs < BLOBS_COUNTED_MS) return this.#blobs;
    let count = 0;
    let bytes = 0;
    for await (const batch of this.#log.blobs())
      for (const { size } of batch) {
        count++;
        bytes += size;
      }
    this.#blobs = { atMs: nowMs, count, bytes };
    return this.#blobs;
  }

  #nodesNow(all: readonly LogConnection[]): readonly GroupNode[] {
    const connections = new Map(all.filter(({ group }) => group === this.#name).map((each) => [each.name, each]));
    const now = new Date(this.#clock.now()).toISOString();
    for (const [name, connection] of connections) this.#node(name, connection.since).connection = connection;
    for (const [name, node] of this.#nodes) {
      const isConnected = connections.has(name);
      if (isConnected) node.since = connections.get(name)!.since;
      else if (node.connection !== undefined) {
        node.since = now;
        node.connection = undefined;
      }
    }
    const list = [...this.#nodes].map(([name, { since, status, connection }]): GroupNode => {
      const { address, sent } = connection ?? {};
      return { name, connected: connection !== undefined, address, since, sent, status };
    });
    return list.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #node(name: string, since: string) {
    let node = this.#nodes.get(name);
    if (node === undefined) {
      if (this.#nodes.size >= GONE_MAX) {
        const gone = [...this.#nodes].find(([, { connection }]) => connection === undefined);
        if (gone !== undefined) this.#nodes.delete(gone[0]);
      }
      node = { since };
      this.#nodes.set(name, node);
    }
    return node;
  }

  // ---- for the nodes

  get promises(): LogPromises {
    return this.#log.promises;
  }

  async append(after: Position, body: Uint8Array): Promise<Appended | HeadMoved> {
    if (this.#moving !== undefined) throw new UnavailableError('log-moves', this.#moving);
    if (this.#pause !== undefined) throw paused(this.#name, this.#pause);
    const asked = this.#log.append(after, body);
    this.#underWay.add(asked);
    try {
      const result = await asked;
      this.#rates.count(result.kind === 'appended' ? 'appends' : 'conflicts');
      if (result.kind === 'appended') this.#rates.count('appendedBytes', body.length);
      return result;
    } finally {
      this.#underWay.delete(asked);
    }
  }

  async *read(after: Position, signal: AbortSignal): AsyncIterableIterator<readonly LogRecord[]> {
    // Its memory may have what is gone; whoever asks for that is told the same everywhere.
    const trimmed = await this.#log.trimmed();
    if (after < trimmed) throw new TrimmedError(trimmed);
    for await (const batch of this.#log.read(after, signal)) {
      this.#rates.count('readRecords', batch.length);
      yield batch;
    }
  }

  async announce(status: NodeStatus): Promise<void> {
    await this.#log.announce(status);
    this.#node(status.name, new Date(this.#clock.now()).toISOString()).status = status;
  }

  head(): Promise<Position> {
    return this.#log.head();
  }

  putSnapshot(at: Position, body: Readable): Promise<void> {
    return this.#log.putSnapshot(at, body);
  }

  latestSnapshot(upTo?: Position): Promise<SnapshotBody | undefined> {
    return this.#log.latestSnapshot(upTo);
  }

  snapshots(): Promise<readonly SnapshotInfo[]> {
    return this.#log.snapshots();
  }

  putBlob(hash: ContentHash, source: BlobSource): Promise<void> {
    return this.#log.putBlob(hash, source);
  }

  hasBlob(hash: ContentHash): Promise<boolean> {
    return this.#log.hasBlob(hash);
  }

  getBlob(hash: ContentHash, from?: number): Promise<Readable | undefined> {
    return this.#log.getBlob(hash, from);
  }

  blobs(): AsyncIterable<readonly BlobInfo[]> {
    return this.#log.blobs();
  }

  removeBlobs(hashes: readonly ContentHash[], storedBefore: string): Promise<void> {
    return this.#log.removeBlobs(hashes, storedBefore);
  }

  peers(signal: AbortSignal): AsyncIterable<readonly NodeStatus[]> {
    return this.#log.peers(signal);
  }

  trim(upTo: Position): Promise<void> {
    return this.#log.trim(upTo);
  }

  trimmed(): Promise<Position> {
    return this.#log.trimmed();
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

function paused(group: string, { by, since, reason }: GroupPause): UnavailableError {
  const why = reason === undefined ? '' : `: ${reason}`;
  return new UnavailableError(
    'log-paused',
    `${by} has paused the changes of the group ${group} at the broker (since ${since})${why}; they go on when it is resumed there`,
    { retryAfterSeconds: 30 },
  );
}
