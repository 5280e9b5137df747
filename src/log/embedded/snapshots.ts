import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { Clock } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import type { SnapshotBody, SnapshotInfo } from '../change-log.ts';
import { openToRead, orMissing, publish, remove, writeBody } from './files.ts';

const INCOMING = '.incoming';

/** Snapshots as files that are named by their position; each is there as a whole, and durable, or not at all. */
export class SnapshotFiles {
  readonly #folder: string;
  readonly #clock: Clock;

  /** @param folder  of the log */
  constructor(folder: string, clock: Clock) {
    this.#folder = path.join(folder, 'snapshots');
    this.#clock = clock;
  }

  async put(at: Position, body: Readable, signal: AbortSignal): Promise<void> {
    const incoming = path.join(this.#folder, `${randomBytes(8).toString('hex')}${INCOMING}`);
    try {
      await mkdir(this.#folder, { recursive: true });
      const file = await open(incoming, 'wx');
      try {
        await writeBody(file, body, () => {}, signal);
      } finally {
        await file.close();
      }
      const now = this.#clock.now() / 1000;
      await utimes(incoming, now, now);
      await publish(incoming, this.#file(at));
    } catch (error) {
      body.destroy();
      await remove(incoming);
      throw error;
    }
  }

  async latest(upTo: Position | undefined): Promise<SnapshotBody | undefined> {
    for (;;) {
      const at = (await this.positions()).findLast((each) => upTo === undefined || each <= upTo);
      if (at === undefined) return undefined;
      const file = await openToRead(this.#file(at));
      // Undefined: it has just been forgotten, and there is a newer one.
      if (file !== undefined) return { at, body: file.createReadStream({ highWaterMark: 256 * 1024 }) };
    }
  }

  /** Ascending. */
  async list(): Promise<readonly SnapshotInfo[]> {
    const list: SnapshotInfo[] = [];
    for (const at of await this.positions()) {
      const found = await orMissing(stat(this.#file(at)));
      if (found) list.push({ at, size: found.size, storedAt: found.mtime.toISOString() });
    }
    return list;
  }

  /** Ascending. */
  async positions(): Promise<readonly Position[]> {
    const names = (await orMissing(readdir(this.#folder))) ?? [];
    return names
      .filter((name) => /^\d{16}\.tar\.zst$/.test(name))
      .map((name) => Number.parseInt(name, 10) as Position)
      .sort((a, b) => a - b);
  }

  async removeBelow(position: Position): Promise<void> {
    for (const at of await this.positions()) if (at < position) await remove(this.#file(at));
  }

  /** Removes what a crash left half-written; to be called before anything is put. */
  async clean(): Promise<void> {
    for (const name of (await orMissing(readdir(this.#folder))) ?? [])
      if (name.endsWith(INCOMING)) await remove(path.join(this.#folder, name));
  }

  #file(at: Position): string {
    return path.join(this.#folder, `${String(at).padStart(16, '0')}.tar.zst`);
  }
}
