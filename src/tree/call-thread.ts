import { parentPort, Worker } from 'node:worker_threads';

/** A call to a thread, and its number; the answer repeats the number. */
interface Numbered<Call> {
  readonly id: number;
  readonly call: Call;
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: PlainError;
}

/** What is left of an error between threads. */
export interface PlainError {
  readonly message: string;
  readonly code?: string;
}

/** Calls that are carried out by a thread of their own. Those of one tick travel in one message, and run in order. */
export class CallThread<Call> {
  readonly #name: string;
  readonly #script: URL;
  readonly #data: unknown;
  #worker: Worker | undefined;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  #unsent: Numbered<Call>[] = [];
  #lastId = 0;

  /**
   * @param script  what the thread runs; it is started by the first call
   * @param data    its `workerData`
   */
  constructor(name: string, script: URL, data?: unknown) {
    this.#name = name;
    this.#script = script;
    this.#data = data;
  }

  /** Calls under way. */
  get busy(): number {
    return this.#calls.size;
  }

  async run(call: Call): Promise<void> {
    await this.ask(call);
  }

  ask(call: Call): Promise<unknown> {
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<unknown>();
    this.#calls.set(id, answer);
    if (this.#unsent.push({ id, call }) === 1) queueMicrotask(() => this.#send());
    return answer.promise;
  }

  /** Ends the thread if nothing is under way; the next call starts another one. */
  end(): void {
    if (this.busy > 0) return;
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
  }

  #send(): void {
    this.#worker ??= this.#start();
    // The process must not end while something is being done, and need not live for a thread that waits.
    this.#worker.ref();
    this.#worker.postMessage(this.#unsent);
    this.#unsent = [];
  }

  #start(): Worker {
    const worker = new Worker(this.#script, { name: this.#name, workerData: this.#data });
    worker.on('message', (answers: readonly Answer[]) => {
      for (const { id, value, error } of answers) {
        const call = this.#calls.get(id);
        this.#calls.delete(id);
        if (error === undefined) call?.resolve(value);
        else call?.reject(revived(error));
      }
      if (this.#calls.size === 0) worker.unref();
    });
    const gone = (error: Error) => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      for (const call of this.#calls.values()) call.reject(error);
      this.#calls.clear();
    };
    worker.on('error', gone);
    worker.on('exit', () => gone(new Error(`the thread for calls to the file system (${this.#name}) has ended`)));
    return worker;
  }
}

/** In the thread: carries out calls, one after the other. */
export function answerCalls<Call>(run: (call: Call) => unknown): void {
  parentPort?.on('message', (calls: readonly Numbered<Call>[]) => {
    const answers = calls.map(({ id, call }): Answer => {
      try {
        return { id, value: run(call) };
      } catch (error) {
        return { id, error: plain(error) };
      }
    });
    parentPort?.postMessage(answers);
  });
}

export function plain(error: unknown): PlainError {
  const { message, code } = error as NodeJS.ErrnoException;
  return { message, code };
}

export function revived({ message, code }: PlainError): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code });
}
