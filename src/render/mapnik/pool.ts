import { type Logger, messageOf } from '../../base/index.ts';
import { RenderError, TimeoutError } from '../types.ts';
import type { ChildMessage, DrawMessage } from './protocol.ts';
import { Worker, withoutSecrets } from './worker.ts';

/** A picture to draw, as the pool takes it. */
export type Job = Omit<DrawMessage, 'id' | 'xml'> & { readonly xml: string };

/** An error of Mapnik itself, in its own words: may hold paths and SQL, and is not for clients. */
export class MapnikError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MapnikError';
  }
}

export interface PoolOptions {
  /** How many processes. */
  readonly children: number;
  /** Most pictures that wait. */
  readonly queueMax: number;
  readonly logger: Logger;
  readonly fontFolders: readonly string[];
  /** A process is replaced after this many pictures, */
  readonly drawsMax: number;
  /** or when it has grown beyond this. */
  readonly rssBytesMax: number;
}

interface Pending {
  readonly job: Job;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: Error) => void;
  readonly timeoutMs: number;
  timer: NodeJS.Timeout;
  /** Processes that died over it. */
  crashes: number;
  /** The caller has its answer; what comes is dropped. */
  settled: boolean;
}

interface Slot {
  worker: Worker | undefined;
  /** Sent to the process, first the one that it is drawing. */
  readonly sent: { readonly id: number; readonly pending: Pending }[];
  startTimer: NodeJS.Timeout | undefined;
}

/** So many pictures are with a process at a time: one being drawn, and the next, so that it never waits for us. */
const AHEAD = 2;
/** A process that has not said it is ready after this long is given up. */
const START_MS_MAX = 20_000;
/** After so many starts that failed one after another, requests fail at once, and starts are tried less and less often. */
const FAILED_STARTS_MAX = 5;
const RESTART_MS_MAX = 30_000;

/**
 * Keeps drawing processes alive and busy. A picture that takes too long costs its process; a process that dies over a
 * picture gets one more try by another.
 */
export class Pool {
  readonly #options: PoolOptions;
  readonly #slots: Slot[];
  readonly #waiting: Pending[] = [];
  readonly counts = { drawn: 0, failed: 0, restarts: 0 };
  #nextId = 1;
  #closed = false;
  #failedStarts = 0;
  #startError: Error | undefined;
  #faces: ReadonlySet<string> | undefined;
  #whenReady: PromiseWithResolvers<ReadonlySet<string>> = Promise.withResolvers();

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.children }, () => ({
      worker: undefined,
      sent: [],
      startTimer: undefined,
    }));
    this.#whenReady.promise.catch(() => {});
    for (const slot of this.#slots) this.#start(slot);
  }

  get alive(): number {
    return this.#slots.filter((slot) => slot.worker?.ready).length;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get drawing(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.sent.length, 0);
  }

  /** Process ids, for tests. */
  get pids(): number[] {
    return this.#slots.flatMap((slot) => slot.worker?.pid ?? []);
  }

  /** Names of the fonts' faces; waits for the first process. @throws RenderError  none starts */
  async faces(): Promise<ReadonlySet<string>> {
    if (this.#faces !== undefined) return this.#faces;
    if (this.#startError !== undefined) throw this.#notStarting();
    return this.#whenReady.promise;
  }

  /**
   * @throws MapnikError   Mapnik could not draw it
   * @throws RenderError   too many are waiting, or processes died over it
   * @throws TimeoutError
   */
  draw(job: Job, options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<Uint8Array> {
    const { timeoutMs, signal } = options;
    if (this.#closed) return Promise.reject(new RenderError('the renderer is closed'));
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (this.#startError !== undefined && this.alive === 0) return Promise.reject(this.#notStarting());
    if (this.#waiting.length >= this.#options.queueMax)
      return Promise.reject(new RenderError('too many maps are waiting to be drawn: try again later'));
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        job,
        timeoutMs,
        crashes: 0,
        settled: false,
        timer: setTimeout(() => this.#timeout(pending), timeoutMs),
        resolve: (bytes) => {
          if (this.#settle(pending)) resolve(bytes);
          signal?.removeEventListener('abort', abort);
        },
        reject: (error) => {
          if (this.#settle(pending)) {
            this.counts.failed++;
            reject(error);
          }
          signal?.removeEventListener('abort', abort);
        },
      };
      const abort = () => {
        const index = this.#waiting.indexOf(pending);
        if (index !== -1) this.#waiting.splice(index, 1);
        if (this.#settle(pending)) reject(signal!.reason as Error);
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(pending);
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const error = new RenderError('the renderer was closed');
    for (const pending of this.#waiting.splice(0)) pending.reject(error);
    for (const slot of this.#slots) {
      for (const { pending } of slot.sent.splice(0)) pending.reject(error);
      clearTimeout(slot.startTimer);
      slot.worker?.kill();
    }
    if (this.#faces === undefined) this.#whenReady.reject(error);
  }

  #settle(pending: Pending): boolean {
    if (pending.settled) return false;
    pending.settled = true;
    clearTimeout(pending.timer);
    return true;
  }

  // ---- sending

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const slot = this.#pick(this.#waiting[0]!.job.key);
      if (slot === undefined) return;
      const pending = this.#waiting.shift()!;
      if (!pending.settled) this.#send(slot, pending, !slot.worker!.known.has(pending.job.key));
    }
  }

  /** An idle process before a busy one, and one that has the map before one that must load it. */
  #pick(key: string): Slot | undefined {
    let best: Slot | undefined;
    let bestRank = Number.POSITIVE_INFINITY;
    for (const slot of this.#slots) {
      if (slot.worker === undefined || !slot.worker.ready || slot.sent.length >= AHEAD) continue;
      const rank = slot.sent.length * 2 + (slot.worker.known.has(key) ? 0 : 1);
      if (rank < bestRank) {
        best = slot;
        bestRank = rank;
      }
    }
    return best;
  }

  #send(slot: Slot, pending: Pending, withXml: boolean): void {
    const id = this.#nextId++;
    const { xml, ...rest } = pending.job;
    slot.sent.push({ id, pending });
    slot.worker!.known.add(pending.job.key);
    slot.worker!.send(withXml ? { id, ...rest, xml } : { id, ...rest });
  }

  #timeout(pending: Pending): void {
    const waiting = this.#waiting.indexOf(pending);
    if (waiting !== -1) this.#waiting.splice(waiting, 1);
    // Only the picture that a process is at costs the process; one behind it is merely not waited for any more.
    const slot = this.#slots.find((s) => s.sent[0]?.pending === pending);
    pending.reject(new TimeoutError(pending.timeoutMs));
    if (slot !== undefined) {
      this.#options.logger.warn('render.timeout', { timeoutMs: pending.timeoutMs, pid: slot.worker?.pid });
      slot.sent.shift();
      slot.worker?.kill();
    }
  }

  // ---- hearing

  #hear(slot: Slot, message: Exclude<ChildMessage, { kind: 'ready' }>): void {
    const index = slot.sent.findIndex((s) => s.id === message.id);
    if (index === -1) return;
    const { pending } = slot.sent.splice(index, 1)[0]!;
    switch (message.kind) {
      case 'drawn':
        if (!pending.settled) this.counts.drawn++;
        pending.resolve(message.bytes);
        break;
      case 'unknown':
        if (!pending.settled) this.#send(slot, pending, true);
        break;
      case 'failed':
        slot.worker?.known.delete(pending.job.key);
        pending.reject(new MapnikError(message.message));
        break;
    }
    this.#recycle(slot);
    this.#dispatch();
  }

  /** A process that drew much or grew large is replaced, once it has nothing to do. */
  #recycle(slot: Slot): void {
    const { worker } = slot;
    if (worker === undefined || slot.sent.length > 0) return;
    if (worker.drawn < this.#options.drawsMax && worker.rssBytes < this.#options.rssBytesMax) return;
    this.#options.logger.info('render.recycle', { pid: worker.pid, drawn: worker.drawn, rssBytes: worker.rssBytes });
    slot.worker = undefined;
    worker.release();
    this.#start(slot);
  }

  // ---- processes

  #start(slot: Slot): void {
    if (this.#closed) return;
    let worker: Worker;
    try {
      worker = new Worker(
        {
          ready: (faces) => {
            clearTimeout(slot.startTimer);
            this.#failedStarts = 0;
            this.#startError = undefined;
            this.#faces ??= new Set(faces);
            this.#whenReady.resolve(this.#faces);
            this.#dispatch();
          },
          message: (message) => {
            if (slot.worker === worker) this.#hear(slot, message);
          },
          gone: (reason) => {
            if (slot.worker === worker) this.#gone(slot, worker, reason);
          },
        },
        this.#options,
      );
    } catch (error) {
      this.#startFailed(slot, messageOf(error));
      return;
    }
    slot.worker = worker;
    slot.startTimer = setTimeout(() => worker.kill(), START_MS_MAX);
    slot.startTimer.unref();
  }

  #gone(slot: Slot, worker: Worker, reason: string): void {
    clearTimeout(slot.startTimer);
    slot.worker = undefined;
    if (this.#closed) return;
    this.counts.restarts++;
    this.#options.logger.warn('render.child-gone', { pid: worker.pid, reason, drawn: worker.drawn });
    const [first, ...behind] = slot.sent.splice(0);
    // What waited behind is not to blame, and goes back to the front.
    this.#waiting.unshift(...behind.map((s) => s.pending).filter((p) => !p.settled));
    if (first !== undefined && !first.pending.settled) {
      first.pending.crashes++;
      if (first.pending.crashes > 1)
        first.pending.reject(new RenderError('drawing this map ended the drawing process twice'));
      else this.#waiting.unshift(first.pending);
    }
    if (worker.ready) this.#start(slot);
    else this.#startFailed(slot, `it ended with ${reason}`);
    this.#dispatch();
  }

  /** Starts that fail are tried again, less and less often; meanwhile nobody waits for them. */
  #startFailed(slot: Slot, reason: string): void {
    this.#failedStarts++;
    this.#options.logger.error('render.child-start', { reason: withoutSecrets(reason), failures: this.#failedStarts });
    if (this.#failedStarts >= FAILED_STARTS_MAX) {
      this.#startError = new Error(reason);
      this.#whenReady.reject(this.#notStarting());
      this.#whenReady = Promise.withResolvers();
      this.#whenReady.promise.catch(() => {});
      if (this.alive === 0) for (const pending of this.#waiting.splice(0)) pending.reject(this.#notStarting());
    }
    const delayMs = Math.min(RESTART_MS_MAX, 100 * 2 ** this.#failedStarts);
    slot.startTimer = setTimeout(() => this.#start(slot), delayMs);
    slot.startTimer.unref();
  }

  #notStarting(): RenderError {
    return new RenderError('maps cannot be drawn: the drawing process does not start (the log says why)', undefined, {
      cause: this.#startError,
    });
  }
}
