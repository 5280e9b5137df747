import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { type Clock, type Logger, messageOf, ProcessLock, UnavailableError, UserError } from '../../../base/index.ts';
import { goesOn } from '../../embedded/fence.ts';
import { orMissing } from '../../embedded/files.ts';
import { isLogFolder } from '../../embedded/index.ts';
import { fileName } from '../names.ts';
import type { SessionStore } from '../sessions.ts';
import type { BrokerStore, BrokerWord, HeardBroker, StoredGroup, Term } from '../store.ts';
import type { DiskRoom, StoreInfo } from '../types.ts';
import { openFolderGroup } from './group.ts';
import { Presence } from './presence.ts';
import { FolderSessions } from './sessions.ts';
import { bytesBelow, diskOf } from './size.ts';
import { parseToken, Tokens, type TokenText } from './token.ts';

export interface FolderStoreOptions {
  /** Absolute; made when missing. */
  readonly folder: string;
  /** A holder that gave no sign of life for so long has lost the folder. */
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly peerTtlMs?: number;
}

/** Signs of life in a lease. */
const BEATS = 10;
/** A waiting broker looks at least so often whether it is its turn. */
const LOOK_MS = 100;
/** Beats without a sign of life after which a lock that is free tells that its holder is dead, on another machine. */
const SILENT_BEATS = 3;
const VERSION_FILE = 'store.json';
const VERSION = 1;

/**
 * Opens a folder for brokers, of this machine or on a drive that several mount.
 *
 * @throws UserError         something else is in the folder, or a newer version wrote it
 * @throws UnavailableError  it cannot be used
 */
export async function openFolderStore(options: FolderStoreOptions): Promise<BrokerStore> {
  const { folder } = options;
  if (!isFolderStore(folder) && isLogFolder(folder))
    throw new UserError(
      409,
      'log-of-one-node',
      `${folder} is the log of one node (--log embedded:), and no store: name another folder, and copy the log into it with graticule log copy, through a broker that runs on it`,
    );
  try {
    // The secret of the nodes is in it, and all that they have.
    for (const each of ['terms', 'groups']) await mkdir(path.join(folder, each), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new UnavailableError('store-unusable', `the folder ${folder} cannot be used: ${messageOf(error)}`, {
      cause: error,
    });
  }
  await checkVersion(folder);
  return new FolderStore(options);
}

class FolderStore implements BrokerStore {
  readonly info: StoreInfo;
  readonly sessions: SessionStore;
  readonly #options: FolderStoreOptions;
  readonly #tokens: Tokens;
  readonly #presence: Presence;
  readonly #beatMs: number;
  readonly #machine = machineId();

  constructor(options: FolderStoreOptions) {
    const { folder, leaseMs, clock } = options;
    this.#options = options;
    this.sessions = new FolderSessions(path.join(folder, 'sessions'), () => clock.now());
    this.info = { kind: 'folder', place: folder };
    this.#tokens = new Tokens(path.join(folder, 'terms'));
    this.#presence = new Presence(path.join(folder, 'brokers'), leaseMs);
    this.#beatMs = leaseMs / BEATS;
  }

  async meet(own: BrokerWord): Promise<readonly HeardBroker[]> {
    try {
      return await this.#presence.meet(own);
    } catch (error) {
      throw this.#unusable(error);
    }
  }

  leave(name: string): Promise<void> {
    return this.#presence.leave(name);
  }

  async lead(name: string, signal: AbortSignal): Promise<Term> {
    const { clock, logger } = this.#options;
    let seen: string | undefined;
    let trouble: string | undefined;
    let lookedMs = clock.monotonicMs();
    // A process that stood still has seen nothing meanwhile, so what passed between two looks counts for little.
    for (let silentMs = 0; ; ) {
      signal.throwIfAborted();
      try {
        const { term, text } = await this.#tokens.newest();
        const nowMs = clock.monotonicMs();
        silentMs = seen === `${term} ${text}` ? silentMs + Math.min(nowMs - lookedMs, 2 * this.#beatMs) : 0;
        seen = `${term} ${text}`;
        lookedMs = nowMs;
        if (this.#isFree(name, term, parseToken(text), silentMs)) {
          const begun = await this.#begin(name, term + 1);
          if (begun !== undefined) return begun;
        }
        trouble = undefined;
      } catch (error) {
        const text = messageOf(error);
        // Said once, not at every attempt.
        if (text !== trouble) logger.warn('store-unusable', { store: this.info.place, error: text });
        trouble = text;
        silentMs = 0;
      }
      await clock.sleep(Math.min(this.#beatMs / 2, LOOK_MS), signal);
    }
  }

  disk(): Promise<DiskRoom | undefined> {
    return diskOf(this.#options.folder);
  }

  async close(): Promise<void> {}

  /** Whether a term is over, so that this broker may begin the next one. */
  #isFree(name: string, term: number, holder: Partial<TokenText>, silentMs: number): boolean {
    const { leaseMs } = this.#options;
    if (term === 0 || silentMs >= leaseMs) return true;
    if (holder.released !== undefined) return holder.released.to === undefined || holder.released.to === name;
    if (holder.locked !== true) return false;
    const isNear = holder.machine === this.#machine;
    if (!isNear && silentMs < SILENT_BEATS * this.#beatMs) return false;
    return ProcessLock.isFree(this.#lockFile(term));
  }

  async #begin(name: string, number: number): Promise<FolderTerm | undefined> {
    const locks = path.join(this.#options.folder, 'locks');
    await mkdir(locks, { recursive: true });
    const text = { name, beat: 0, machine: this.#machine, locked: false };
    if (!(await this.#tokens.claim(number, text))) return undefined;
    const lock = lockIfPossible(this.#lockFile(number));
    for (const each of await readdir(locks))
      if (Number.parseInt(each, 10) < number) await rm(path.join(locks, each), { force: true });
    return new FolderTerm({
      ...this.#options,
      number,
      text: { ...text, locked: lock !== undefined },
      lock,
      tokens: this.#tokens,
      beatMs: this.#beatMs,
    });
  }

  #lockFile(term: number): string {
    return path.join(this.#options.folder, 'locks', String(term));
  }

  #unusable(error: unknown): UnavailableError {
    const { folder } = this.#options;
    return new UnavailableError('store-unusable', `the folder ${folder} cannot be used: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

interface TermParts extends FolderStoreOptions {
  readonly number: number;
  readonly text: TokenText;
  readonly lock: ProcessLock | undefined;
  readonly tokens: Tokens;
  readonly beatMs: number;
}

class FolderTerm implements Term {
  readonly number: number;
  readonly #parts: TermParts;
  readonly #lost = new AbortController();
  readonly #ending = new AbortController();
  readonly #beating: Promise<void>;
  readonly #opened = new Map<string, Promise<StoredGroup>>();
  #beat = 0;

  constructor(parts: TermParts) {
    this.number = parts.number;
    this.#parts = parts;
    this.#beating = this.#keepBeating();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async groups(): Promise<readonly string[]> {
    const root = path.join(this.#parts.folder, 'groups');
    const names: string[] = [];
    for (const each of await readdir(root)) {
      const name = await orMissing(readFile(path.join(root, each, 'group'), 'utf8'));
      if (name !== undefined) names.push(name.trim());
    }
    return names.sort();
  }

  open(group: string): Promise<StoredGroup> {
    let opened = this.#opened.get(group);
    if (opened === undefined) {
      const { folder, clock, tokens } = this.#parts;
      opened = openFolderGroup({
        folder: path.join(folder, 'groups', fileName(group)),
        group,
        term: this.number,
        token: tokens.file(this.number),
        clock,
        peerTtlMs: this.#parts.peerTtlMs,
        onLost: () => void this.#lose(),
      });
      this.#opened.set(group, opened);
      opened.catch(() => this.#opened.delete(group));
    }
    return opened;
  }

  bytes(): Promise<number | undefined> {
    return bytesBelow(this.#parts.folder);
  }

  async end(to?: string): Promise<void> {
    const { tokens, lock, text } = this.#parts;
    for (const opened of await Promise.allSettled(this.#opened.values()))
      if (opened.status === 'fulfilled') await opened.value.log.close();
    this.#ending.abort();
    await this.#beating;
    try {
      if (!this.#lost.signal.aborted) await tokens.say(this.number, { ...text, beat: this.#beat, released: { to } });
    } finally {
      lock?.release();
    }
  }

  async #keepBeating(): Promise<void> {
    const { clock, tokens, text, beatMs, logger, folder, leaseMs } = this.#parts;
    const over = AbortSignal.any([this.#ending.signal, this.#lost.signal]);
    for (let failingSinceMs: number | undefined; !over.aborted; ) {
      try {
        if (!(await tokens.say(this.number, { ...text, beat: ++this.#beat }))) await this.#lose();
        failingSinceMs = undefined;
      } catch (error) {
        if (failingSinceMs === undefined) logger.warn('store-unusable', { store: folder, error: messageOf(error) });
        failingSinceMs ??= clock.monotonicMs();
        if (clock.monotonicMs() - failingSinceMs > leaseMs)
          this.#lost.abort(new UnavailableError('store-unusable', `its store failed: ${messageOf(error)}`));
      }
      await clock.sleep(beatMs, over).catch(() => {});
    }
  }

  /** Looks whether another broker has begun a term. */
  async #lose(): Promise<void> {
    if (this.#lost.signal.aborted || (await goesOn(this.#parts.tokens.file(this.number)).catch(() => true))) return;
    const other = await this.#parts.tokens.newest().catch(() => undefined);
    const who = other === undefined ? undefined : parseToken(other.text).name;
    this.#lost.abort(
      new UnavailableError('term-over', `${who ?? 'another broker'} took the store over while this one stood still`),
    );
  }
}

/**
 * It tells others soon that somebody is dead; nothing but that depends on it, since not every network drive has locks that hold
 * between machines.
 */
function lockIfPossible(file: string): ProcessLock | undefined {
  try {
    return ProcessLock.take(file);
  } catch {
    return undefined;
  }
}

/** The running kernel: processes on the same one see each other's locks at once. */
function machineId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return hostname();
  }
}

/** Whether brokers keep their logs in a folder. */
export function isFolderStore(folder: string): boolean {
  return existsSync(path.join(folder, VERSION_FILE));
}

/** @throws UserError  a newer version of this program wrote the store */
async function checkVersion(folder: string): Promise<void> {
  const file = path.join(folder, VERSION_FILE);
  const text = await orMissing(readFile(file, 'utf8'));
  if (text === undefined || text === '') {
    await writeFile(file, `${JSON.stringify({ version: VERSION })}\n`);
    return;
  }
  const { version } = JSON.parse(text) as { version?: number };
  if (version === VERSION) return;
  throw new UserError(
    409,
    'store-of-newer-version',
    `the store ${folder} is of version ${version}, and this program knows ${VERSION}: run the same version on all brokers`,
  );
}
