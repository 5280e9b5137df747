import { existsSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import { UnavailableError } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import { type ChangeLog, TrimmedError } from '../change-log.ts';
import { openEmbeddedLog } from '../embedded/index.ts';
import { LogRefusedError } from '../errors.ts';
import { type ChainState, isBefore } from './chain.ts';

/** What readers who follow are served from, before the database is. */
const RECENT_BYTES_MAX = 4 * 1024 * 1024;

/**
 * A node's own copy of the log, in a folder: an embedded log with the same positions, and beside it the epoch that its head
 * belongs to. Whatever a node tells the broker that it has is here, and synced.
 */
export class Copy {
  /** The records, snapshots and blobs. Records are added by `store` alone. */
  readonly log: ChangeLog;
  readonly #file: string;
  #state: ChainState;

  private constructor(log: ChangeLog, file: string, state: ChainState) {
    this.log = log;
    this.#file = file;
    this.#state = state;
  }

  /** @throws UserError | LogInUseError | UnavailableError  as `openEmbeddedLog` */
  static async open(folder: string, group: string): Promise<Copy> {
    const log = await openEmbeddedLog({ folder, group, recentBytesMax: RECENT_BYTES_MAX });
    const file = path.join(folder, 'epoch');
    const epoch = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
    if (Number.isSafeInteger(epoch)) return new Copy(log, file, { epoch, head: await log.head() });
    await log.close();
    throw new UnavailableError(
      'log-unusable',
      `${file} holds no number: stop the node and move the folder ${folder} away; it is made anew from the other nodes`,
    );
  }

  /** Where the log stands as far as it is here. */
  get state(): ChainState {
    return this.#state;
  }

  /**
   * Durable before what belongs to the epoch is stored.
   * @param since  the head that it began with, where that is known; it is not after a restart
   */
  async enter(epoch: number, since?: Position): Promise<void> {
    const incoming = `${this.#file}.incoming`;
    const file = await open(incoming, 'w');
    try {
      await file.writeFile(`${epoch}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(incoming, this.#file);
    const folder = await open(path.dirname(this.#file), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    this.#state = { epoch, head: this.#state.head, since };
  }

  /** Stores records that follow the head; durable when it resolves. */
  async store(bodies: readonly Uint8Array[]): Promise<void> {
    const { head } = this.#state;
    try {
      const stored = bodies.map((body, n) => this.log.append((head + n) as Position, body));
      for (const result of await Promise.all(stored))
        if (result.kind !== 'appended') throw new Error(`the copy of the log has a head of its own, ${result.head}`);
    } finally {
      this.#state = { ...this.#state, head: await this.log.head().catch(() => this.#state.head) };
    }
  }

  /** Goes on after a snapshot that is here: nothing before it is kept. */
  async goOnAfter(at: Position): Promise<void> {
    await this.log.trim(at);
    this.#state = { ...this.#state, head: await this.log.head() };
  }

  /**
   * Gets what is missing from another node's copy, up to where the log stood at some point.
   * @throws TrimmedError      it no longer has the records before that point
   * @throws UnavailableError  that node cannot be reached, or does not have it yet
   */
  async catchUp(from: ChangeLog, to: ChainState, signal: AbortSignal): Promise<void> {
    if (this.#state.head < to.head) {
      const trimmed = await from.trimmed();
      if (trimmed > to.head) throw new TrimmedError(trimmed);
      if (this.#state.head < trimmed) {
        const snapshot = await from.latestSnapshot(trimmed);
        if (snapshot?.at !== trimmed) throw new UnavailableError('log-behind', 'the snapshot has gone meanwhile');
        await this.log.putSnapshot(trimmed, snapshot.body);
        await this.goOnAfter(trimmed);
      }
      if ((await from.head()) < to.head)
        throw new UnavailableError('log-behind', `it does not have record ${to.head} yet`);
    }
    while (this.#state.head < to.head) {
      let came = false;
      for await (const batch of from.read(this.#state.head, signal)) {
        came = true;
        await this.store(batch.filter(({ position }) => position <= to.head).map(({ body }) => body));
        if (this.#state.head >= to.head) break;
      }
      if (!came) throw new UnavailableError('log-behind', 'it took too long');
    }
    if (isBefore(this.#state, to)) await this.enter(to.epoch);
  }

  /** What other nodes may do with it: take anything from it, and leave snapshots and blobs. */
  forOthers(): ChangeLog {
    const log = this.log;
    const refuse = async (): Promise<never> => {
      throw new LogRefusedError(
        'this is a copy of a log on ActiveMQ: start the node with the same --log as the others',
      );
    };
    return {
      promises: log.promises,
      append: refuse,
      trim: refuse,
      removeBlobs: refuse,
      announce: refuse,
      peers: (signal) => log.peers(signal),
      read: (after, signal) => log.read(after, signal),
      head: () => log.head(),
      trimmed: () => log.trimmed(),
      putSnapshot: (at, body) => log.putSnapshot(at, body),
      latestSnapshot: (upTo) => log.latestSnapshot(upTo),
      snapshots: () => log.snapshots(),
      putBlob: (hash, source) => log.putBlob(hash, source),
      hasBlob: (hash) => log.hasBlob(hash),
      getBlob: (hash, from) => log.getBlob(hash, from),
      blobs: () => log.blobs(),
      close: async () => {},
    };
  }
}
