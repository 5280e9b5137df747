import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';

/** What the answering thread needs: passed in its `workerData`, with `port` in the `transferList`. */
export interface LinkEnd {
  /** How often was asked, and answered. */
  readonly counts: Int32Array;
  readonly port: MessagePort;
}

const ASKED = 0;
const ANSWERED = 1;

/**
 * Asks a thread and gets its answers, one at a time. Messages go through a port, and a futex in memory that both share tells that they are
 * there: that takes half of the time and of the processor that events of the port take, since a thread wakes up without its event loop.
 *
 * A message carries the whole memory that its bytes are a part of. An answer does not come when the thread ends first; its `exit` tells.
 */
export class ThreadLink<Ask, Answer> {
  readonly end: LinkEnd;
  readonly #port: MessagePort;
  #count = 0;
  #busy = false;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    // It is only looked into.
    port1.unref();
    this.end = { counts: new Int32Array(new SharedArrayBuffer(8)), port: port2 };
  }

  /** @throws Error  it was asked before it answered, or this cannot be copied */
  async ask(value: Ask): Promise<Answer> {
    if (this.#busy) throw new Error('a thread was asked before it answered');
    const { counts } = this.end;
    this.#port.postMessage(value);
    this.#busy = true;
    const before = this.#count;
    this.#count = (before + 1) | 0;
    const waiting = Atomics.waitAsync(counts, ANSWERED, before);
    Atomics.store(counts, ASKED, this.#count);
    Atomics.notify(counts, ASKED);
    if (waiting.async) await waiting.value;
    this.#busy = false;
    return received(this.#port) as Answer;
  }
}

/** An answer of which some memory is handed over instead of copied. */
export class Transferred<Answer> {
  readonly answer: Answer;
  readonly buffers: readonly ArrayBuffer[];

  constructor(answer: Answer, buffers: readonly ArrayBuffer[]) {
    this.answer = answer;
    this.buffers = buffers;
  }
}

/** How an answering thread goes on. */
export interface Answering<Ask, Answer> {
  answer(value: Ask): Answer | Transferred<Answer>;
  /** Whether this was the last answer. */
  readonly done: boolean;
}

/** In the thread: answers until `done`. The thread does nothing else: it sleeps while nobody asks. */
export function answerLink<Ask, Answer>({ counts, port }: LinkEnd, how: Answering<Ask, Answer>): void {
  for (let count = 0; !how.done; ) {
    if (Atomics.load(counts, ASKED) === count) {
      Atomics.wait(counts, ASKED, count);
      continue;
    }
    count = (count + 1) | 0;
    const answer = how.answer(received(port) as Ask);
    if (answer instanceof Transferred) port.postMessage(answer.answer, answer.buffers);
    else port.postMessage(answer);
    Atomics.store(counts, ANSWERED, count);
    Atomics.notify(counts, ANSWERED);
  }
  port.close();
}

function received(port: MessagePort): unknown {
  return (receiveMessageOnPort(port) as { readonly message: unknown }).message;
}
