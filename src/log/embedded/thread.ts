import { Worker } from 'node:worker_threads';
import { ThreadLink, UnavailableError, UncertainError } from '../../base/index.ts';
import type { Position } from '../../tree/index.ts';
import { type Appended, type HeadMoved, type LogRecord, TrimmedError } from '../change-log.ts';
import { LogClosedError } from '../errors.ts';
import { BATCH_BYTES_MAX, BATCH_RECORDS_MAX } from '../feed.ts';
import type { Append, Opening, Outcome, Reply, Request, ThreadData } from './protocol.ts';

type Opened = Extract<Opening, { kind: 'opened' }>;
type Failed = Extract<Reply, { kind: 'failed' }>;
type Other = Exclude<Request, { kind: 'append' }>;

/** Appends that are asked for together are not longer, but for one that is by itself: each is copied some times on its way. */
const TOGETHER_BYTES = 8 * 1024 * 1024;

/** Something that the thread is to do. */
interface Call {
  readonly request: Append | Other;
  readonly resolve: (answer: Reply | Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/** The thread that keeps the records of a log. It does one thing after the other; appends that wait go to it together. */
export class RecordsThread {
  /** What the log was when it was opened. */
  readonly opened: Opened;
  /** The log is no longer this process' own; called before who asked for something hears. */
  onOver: () => void = () => {};
  readonly #worker: Worker;
  readonly #link: ThreadLink<Request, Reply>;
  readonly #waiting: Call[] = [];
  #underWay: readonly Call[] = [];
  #gone: Error | undefined;
  #onGone: (why: Error) => void = () => {};

  /**
   * @param data  what the thread is given
   * @throws UnavailableError  the log cannot be opened
   */
  static async start(data: Omit<ThreadData, 'link'>): Promise<RecordsThread> {
    const link = new ThreadLink<Request, Reply>();
    // The published package is compiled.
    const script = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
    const worker = new Worker(new URL(script, import.meta.url), {
      workerData: { ...data, link: link.end } satisfies ThreadData,
      transferList: [link.end.port],
    });
    const opening = await new Promise<Opening>((resolve) => {
      const fail = (message: string) => resolve({ kind: 'unusable', message });
      worker.once('message', resolve);
      worker.once('error', (error) => fail(error.message));
      worker.once('exit', () => fail('its thread has ended'));
    });
    if (opening.kind === 'opened') return new RecordsThread(worker, link, opening);
    await worker.terminate();
    throw new UnavailableError('log-unusable', `the log in ${data.folder} cannot be opened: ${opening.message}`);
  }

  private constructor(worker: Worker, link: ThreadLink<Request, Reply>, opened: Opened) {
    this.#worker = worker;
    this.#link = link;
    this.opened = opened;
    worker.once('error', (error) => this.#end(new UnavailableError('log-failed', `the log failed: ${error.message}`)));
    worker.once('exit', () => this.#end(new LogClosedError()));
  }

  /** @param tell  told when the thread has ended, and why, whether it should have or not; at once when it has already */
  whenGone(tell: (why: Error) => void): void {
    this.#onGone = tell;
    if (this.#gone !== undefined) tell(this.#gone);
  }

  /**
   * @param body  must not change until there is an answer
   * @throws UncertainError | UnavailableError
   */
  async append(after: Position, body: Uint8Array): Promise<Appended | HeadMoved> {
    const outcome = await this.#call({ after, body });
    if (outcome.kind === 'appended') return { kind: 'appended', position: outcome.position as Position };
    if (outcome.kind === 'head-moved') return { kind: 'head-moved', head: outcome.head as Position };
    throw unexpected(outcome);
  }

  /** Some of the records after a position. @throws TrimmedError | UnavailableError */
  async load(after: Position): Promise<readonly LogRecord[]> {
    const limits = { bytesMax: BATCH_BYTES_MAX, recordsMax: BATCH_RECORDS_MAX };
    const reply = await this.#call({ kind: 'load', after, ...limits });
    if (reply.kind === 'trimmed') throw new TrimmedError(reply.trimmed as Position);
    if (reply.kind === 'loaded') return reply.records as readonly LogRecord[];
    throw unexpected(reply);
  }

  async head(): Promise<Position> {
    const reply = await this.#call({ kind: 'head' });
    if (reply.kind === 'head') return reply.head as Position;
    throw unexpected(reply);
  }

  /** @returns up to where the log is trimmed now */
  async trim(upTo: Position): Promise<Position> {
    const reply = await this.#call({ kind: 'trim', upTo });
    if (reply.kind === 'trimmed') return reply.trimmed as Position;
    throw unexpected(reply);
  }

  /** Ends the thread behind everything that was asked of it before. */
  async close(): Promise<void> {
    // What it cannot finish any more is found when the log is opened again.
    await this.#call({ kind: 'close' }).catch(() => {});
    await this.#worker.terminate();
  }

  #call(request: Append | Other): Promise<Reply | Outcome> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) return reject(this.#gone);
      // What is asked for in one go is sent in one go.
      if (this.#waiting.push({ request, resolve, reject }) === 1 && this.#underWay.length === 0)
        queueMicrotask(() => void this.#run());
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && this.#underWay.length === 0) {
      const calls = this.#next();
      this.#underWay = calls;
      const reply = await this.#link.ask(together(calls)).catch(failure);
      // Nobody waits any more when the thread has ended meanwhile.
      if (this.#underWay !== calls) return;
      this.#underWay = [];
      if (reply.kind === 'failed' && reply.isOver) this.onOver();
      for (const [index, { resolve, reject }] of calls.entries()) {
        if (reply.kind === 'failed') reject(errorOf(reply));
        else resolve(reply.kind === 'outcomes' ? reply.outcomes[index]! : reply);
      }
    }
  }

  /** The next thing to do: appends that follow each other are one. */
  #next(): readonly Call[] {
    let bytes = 0;
    const other = this.#waiting.findIndex(({ request }) => {
      if ('kind' in request) return true;
      bytes += request.body.length;
      return bytes > TOGETHER_BYTES;
    });
    return this.#waiting.splice(0, other === -1 ? this.#waiting.length : Math.max(1, other));
  }

  #end(error: Error): void {
    if (this.#gone !== undefined) return;
    this.#gone = error;
    this.#onGone(error);
    const lost = [...this.#underWay, ...this.#waiting.splice(0)];
    this.#underWay = [];
    for (const { request, reject } of lost)
      reject('kind' in request ? error : new UncertainError(`${error.message}, before it answered`));
  }
}

/** It could not even be asked. */
function failure(error: Error): Failed {
  return { kind: 'failed', message: error.message, uncertain: false, isOver: false };
}

function together(calls: readonly Call[]): Request {
  const { request } = calls[0]!;
  if ('kind' in request) return request;
  return { kind: 'append', appends: calls.map((call) => call.request as Append) };
}

function errorOf(failure: Failed): Error {
  const message = `the log failed: ${failure.message}`;
  return failure.uncertain ? new UncertainError(message) : new UnavailableError('log-failed', message);
}

function unexpected({ kind }: Reply | Outcome): Error {
  return new Error(`unexpected answer of the log's thread: ${kind}`);
}
