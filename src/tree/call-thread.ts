import { Worker, workerData } from 'node:worker_threads';
import { answerLink, type LinkEnd, ThreadLink } from '../base/index.ts';

interface Answer {
  readonly value?: unknown;
  readonly error?: PlainError;
}

/** What is left of an error between threads. */
export interface PlainError {
  readonly message: string;
  readonly code?: string;
}

interface Waiting<Call> {
  readonly call: Call;
  readonly answer: PromiseWithResolvers<unknown>;
}

interface Started<Call> {
  readonly worker: Worker;
  readonly link: ThreadLink<readonly Call[], readonly Answer[]>;
}

/** Calls that are carried out by a thread of their own. Those that wait travel in one message, and run in order. */
export class CallThread<Call> {
  readonly #name: string;
  readonly #script: URL;
  readonly #data: object | undefined;
  #started: Started<Call> | undefined;
  #waiting: Waiting<Call>[] = [];
  #underWay: readonly Waiting<Call>[] = [];

  /**
   * @param script  what the thread runs; it is started by the first call
   * @param data    of its `workerData`
   */
  constructor(name: string, script: URL, data?: object) {
    this.#name = name;
    this.#script = script;
    this.#data = data;
  }

  /** Calls under way. */
  get busy(): number {
    return this.#waiting.length + this.#underWay.length;
  }

  async run(call: Call): Promise<void> {
    await this.ask(call);
  }

  ask(call: Call): Promise<unknown> {
    const answer = Promise.withResolvers<unknown>();
    // Those of one tick go together.
    if (this.#waiting.push({ call, answer }) === 1 && this.#underWay.length === 0)
      queueMicrotask(() => void this.#work());
    return answer.promise;
  }

  /** Ends the thread if nothing is under way; the next call starts another one. */
  end(): void {
    if (this.busy > 0) return;
    const { worker } = this.#started ?? {};
    this.#started = undefined;
    void worker?.terminate();
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0 && this.#underWay.length === 0) {
      const calls = this.#waiting;
      this.#waiting = [];
      this.#underWay = calls;
      this.#started ??= this.#start();
      const { worker, link } = this.#started;
      // The process must not end while something is being done, and need not live for a thread that waits.
      worker.ref();
      const answers = await link.ask(calls.map(({ call }) => call)).catch((error: unknown) => {
        // It could not even be asked.
        return calls.map((): Answer => ({ error: plain(error) }));
      });
      // Nobody waits any more when the thread has ended meanwhile.
      if (this.#underWay !== calls) return;
      worker.unref();
      this.#underWay = [];
      for (const [index, { answer }] of calls.entries()) {
        const { value, error } = answers[index]!;
        if (error === undefined) answer.resolve(value);
        else answer.reject(revived(error));
      }
    }
  }

  #start(): Started<Call> {
    const link: Started<Call>['link'] = new ThreadLink();
    const worker = new Worker(this.#script, {
      name: this.#name,
      workerData: { ...this.#data, link: link.end },
      transferList: [link.end.port],
    });
    const gone = (error: Error) => {
      if (this.#started?.worker !== worker) return;
      this.#started = undefined;
      const calls = [...this.#underWay, ...this.#waiting];
      this.#underWay = [];
      this.#waiting = [];
      for (const { answer } of calls) answer.reject(error);
    };
    worker.on('error', gone);
    worker.on('exit', () => gone(new Error(`the thread for calls to the file system (${this.#name}) has ended`)));
    return { worker, link };
  }
}

/** In the thread: carries out calls, one after the other. */
export function answerCalls<Call>(run: (call: Call) => unknown): void {
  const { link } = workerData as { readonly link: LinkEnd };
  answerLink<readonly Call[], readonly Answer[]>(link, {
    answer: (calls) =>
      calls.map((call): Answer => {
        try {
          return { value: run(call) };
        } catch (error) {
          return { error: plain(error) };
        }
      }),
    done: false,
  });
}

export function plain(error: unknown): PlainError {
  const { message, code } = error as NodeJS.ErrnoException;
  return { message, code };
}

export function revived({ message, code }: PlainError): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code });
}
