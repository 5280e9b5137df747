import { mkdir, open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { orMissing } from '../../embedded/files.ts';
import { fileName } from '../names.ts';
import type { BrokerWord, HeardBroker } from '../store.ts';

const TEXT_BYTES = 4096;
/** Files of brokers that were not heard of for so many times the usual are removed. */
const KEPT_TIMES = 1000;

/** The brokers on a folder: a file for each, whose time of change is when it was last heard of. */
export class Presence {
  readonly #folder: string;
  readonly #forgetMs: number;

  /** @param forgetMs  who is not heard of for so long is not there */
  constructor(folder: string, forgetMs: number) {
    this.#folder = folder;
    this.#forgetMs = forgetMs;
  }

  async meet(own: BrokerWord): Promise<readonly HeardBroker[]> {
    await mkdir(this.#folder, { recursive: true });
    const nowMs = await this.#say(own);
    const heard: HeardBroker[] = [];
    for (const name of await readdir(this.#folder)) {
      const file = await orMissing(open(path.join(this.#folder, name), 'r'));
      if (file === undefined) continue;
      try {
        // Both times are of the clock of whoever keeps the folder.
        const { mtimeMs, mtime } = await file.stat();
        if (nowMs - mtimeMs > this.#forgetMs * KEPT_TIMES) await rm(path.join(this.#folder, name), { force: true });
        if (nowMs - mtimeMs > this.#forgetMs) continue;
        const word = parsed(await file.readFile('utf8'));
        if (word !== undefined) heard.push({ ...word, heardAt: mtime.toISOString() });
      } finally {
        await file.close();
      }
    }
    return heard;
  }

  async leave(name: string): Promise<void> {
    await rm(this.#file(name), { force: true });
  }

  /** @returns when, by the clock of whoever keeps the folder */
  async #say(own: BrokerWord): Promise<number> {
    const bytes = Buffer.alloc(TEXT_BYTES, ' ');
    bytes.write(JSON.stringify(own));
    const file = (await orMissing(open(this.#file(own.name), 'r+'))) ?? (await open(this.#file(own.name), 'w'));
    try {
      await file.write(bytes, 0, TEXT_BYTES, 0);
      return (await file.stat()).mtimeMs;
    } finally {
      await file.close();
    }
  }

  #file(name: string): string {
    return path.join(this.#folder, fileName(name));
  }
}

function parsed(text: string): BrokerWord | undefined {
  try {
    return JSON.parse(text) as BrokerWord;
  } catch {
    // Just being written.
    return undefined;
  }
}
