import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Logger, messageOf } from '../../base/index.ts';
import type { ContentHash, Position } from '../../tree/index.ts';
import type { BlobInfo, BlobSource, ChangeLog, SnapshotBody, SnapshotInfo } from '../change-log.ts';
import type { OtherCopy } from './presence.ts';

const LIST_BATCH = 1000;

/**
 * Snapshots and blobs, which a broker does not carry: they are in the copies of the nodes, each in at least two of them as soon as
 * another node is there. What is not in this one is got from another, and blobs stay then.
 */
export class Bodies {
  readonly #own: ChangeLog;
  readonly #folder: string;
  readonly #others: () => readonly OtherCopy[];
  readonly #logger: Logger;
  readonly #fetching = new Map<ContentHash, Promise<boolean>>();

  /** @param folder  for what is on its way */
  constructor(own: ChangeLog, folder: string, others: () => readonly OtherCopy[], logger: Logger) {
    this.#own = own;
    this.#folder = folder;
    this.#others = others;
    this.#logger = logger;
  }

  async putBlob(hash: ContentHash, source: BlobSource): Promise<void> {
    if (!(await this.#own.hasBlob(hash))) await this.#fetch(hash);
    await this.#own.putBlob(hash, source);
    const open = (from: number) => lazily(() => this.#own.getBlob(hash, from));
    await this.#spread('blob', hash, (log) => log.putBlob(hash, { size: source.size, open }));
  }

  async hasBlob(hash: ContentHash): Promise<boolean> {
    return (await this.#own.hasBlob(hash)) || (await this.#holder(hash)) !== undefined;
  }

  async getBlob(hash: ContentHash, from: number): Promise<Readable | undefined> {
    const own = await this.#own.getBlob(hash, from);
    if (own !== undefined || !(await this.#fetch(hash))) return own;
    return this.#own.getBlob(hash, from);
  }

  async *blobs(): AsyncIterableIterator<readonly BlobInfo[]> {
    const all = new Map<ContentHash, BlobInfo>();
    const add = async (log: ChangeLog) => {
      for await (const batch of log.blobs())
        for (const info of batch)
          if (!((all.get(info.hash)?.storedAt ?? '') >= info.storedAt)) all.set(info.hash, info);
    };
    await add(this.#own);
    await Promise.all(this.#others().map(({ log }) => add(log).catch(() => {})));
    const list = [...all.values()];
    for (let at = 0; at < list.length; at += LIST_BATCH) yield list.slice(at, at + LIST_BATCH);
  }

  async putSnapshot(at: Position, body: Readable): Promise<void> {
    await this.#own.putSnapshot(at, body);
    await this.#spread('snapshot', `${at}`, async (log) => {
      const found = await this.#own.latestSnapshot(at);
      if (found?.at === at) await log.putSnapshot(at, found.body);
      else found?.body.destroy();
    });
  }

  async snapshots(): Promise<readonly SnapshotInfo[]> {
    return (await this.#snapshots()).map(({ info }) => info);
  }

  async latestSnapshot(upTo?: Position): Promise<SnapshotBody | undefined> {
    for (;;) {
      const found = (await this.#snapshots()).findLast(({ info }) => upTo === undefined || info.at <= upTo);
      const snapshot = await found?.log.latestSnapshot(found.info.at);
      if (snapshot?.at === found?.info.at) return snapshot;
      // It has just been forgotten, and there is a newer one.
      snapshot?.body.destroy();
    }
  }

  /** Whether the snapshot is in this node's copy, now that another was asked for it. */
  async fetchSnapshot(at: Position): Promise<boolean> {
    if ((await this.#own.snapshots()).some((each) => each.at === at)) return true;
    for (const { log } of this.#others())
      try {
        const found = await log.latestSnapshot(at);
        if (found?.at === at) await this.#own.putSnapshot(at, found.body);
        else found?.body.destroy();
        if (found?.at === at) return true;
      } catch (error) {
        this.#logger.debug('log-snapshot-not-fetched', { at, reason: messageOf(error) });
      }
    return false;
  }

  /** Ascending; of those at one position the newest, and where it is. */
  async #snapshots(): Promise<readonly { readonly info: SnapshotInfo; readonly log: ChangeLog }[]> {
    const trimmed = await this.#own.trimmed();
    const all = new Map<Position, { info: SnapshotInfo; log: ChangeLog }>();
    const add = async (log: ChangeLog) => {
      // Others may not have forgotten yet what was trimmed.
      for (const info of await log.snapshots())
        if (info.at >= trimmed && !((all.get(info.at)?.info.storedAt ?? '') >= info.storedAt))
          all.set(info.at, { info, log });
    };
    await add(this.#own);
    await Promise.all(this.#others().map(({ log }) => add(log).catch(() => {})));
    return [...all.values()].sort((a, b) => a.info.at - b.info.at);
  }

  async #holder(hash: ContentHash): Promise<OtherCopy | undefined> {
    const asked = this.#others().map(async (other) => {
      if (await other.log.hasBlob(hash)) return other;
      throw new Error('it does not have it');
    });
    return Promise.any(asked).catch(() => undefined);
  }

  /** Gets a blob into this node's copy. @returns whether anybody had it */
  #fetch(hash: ContentHash): Promise<boolean> {
    const running = this.#fetching.get(hash);
    if (running !== undefined) return running;
    const fetching = this.#fetchNow(hash).finally(() => this.#fetching.delete(hash));
    this.#fetching.set(hash, fetching);
    return fetching;
  }

  async #fetchNow(hash: ContentHash): Promise<boolean> {
    const holder = await this.#holder(hash);
    const body = await holder?.log.getBlob(hash);
    if (body === undefined) return false;
    await mkdir(this.#folder, { recursive: true });
    const file = path.join(this.#folder, `${hash}-${randomBytes(4).toString('hex')}`);
    try {
      // How long it is shows when it is here.
      await pipeline(body, createWriteStream(file));
      const { size } = await stat(file);
      await this.#own.putBlob(hash, { size, open: (from) => createReadStream(file, { start: from }) });
      return true;
    } finally {
      body.destroy();
      await rm(file, { force: true });
    }
  }

  /** Puts something into one other copy, if there is any. */
  async #spread(what: string, which: string, put: (log: ChangeLog) => Promise<void>): Promise<void> {
    const failures: string[] = [];
    for (const { name, log } of this.#others())
      try {
        return await put(log);
      } catch (error) {
        failures.push(`${name}: ${messageOf(error)}`);
      }
    if (failures.length > 0) this.#logger.warn('log-body-in-one-copy', { what, which, reason: failures.join('; ') });
  }
}

/** A body that is asked for when it is read. */
function lazily(open: () => Promise<Readable | undefined>): Readable {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    const body = await open();
    if (body === undefined) throw new Error('it was removed meanwhile');
    yield* body as AsyncIterable<Uint8Array>;
  }
  return Readable.from(pieces(), { objectMode: false });
}
