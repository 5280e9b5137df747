import { deserialize, serialize } from 'node:v8';
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';

/** What the answering thread needs: passed in its `workerData`, with `port` in the `transferList`. */
export interface LinkEnd {
  readonly numbers: Int32Array;
  readonly asked: Uint8Array;
  readonly answered: Uint8Array;
  readonly port: MessagePort;
}

/** Longer messages go through a message port: sharing memory for them would keep it for good. */
const SHARED_BYTES = 256 * 1024;
/** Places of the shared numbers: how often was asked and answered, and how long the messages are. */
const ASKED = 0;
const ANSWERED = 1;
const ASKED_BYTES = 2;
const ANSWERED_BYTES = 3;
/** As a length: the message is in the port, serialized or as it is. */
const SERIALIZED_IN_PORT = -1;
const IN_PORT = -2;

/**
 * Asks a thread and gets its answers, one at a time, through memory that both share and a futex: some twenty microseconds
 * there and back, of which message ports take a hundred. Values are copied as by `v8.serialize`.
 *
 * An answer does not come when the thread ends first; its `exit` tells.
 */
export class ThreadLink<Ask, Answer> {
  readonly end: LinkEnd;
  readonly #port: MessagePort;
  #count = 0;
  #busy = false;

  constructor() {
    const shared = (bytes: number) => new SharedArrayBuffer(bytes);
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    // It is only looked into.
    port1.unref();
    this.end = {
      numbers: new Int32Array(shared(16)),
      asked: new Uint8Array(shared(SHARED_BYTES)),
      answered: new Uint8Array(shared(SHARED_BYTES)),
      port: port2,
    };
  }

  /** Whether an answer is waited for. */
  get busy(): boolean {
    return this.#busy;
  }

  async ask(value: Ask): Promise<Answer> {
    if (this.#busy) throw new Error('a thread was asked before it answered');
    this.#busy = true;
    const { numbers, asked, answered } = this.end;
    write(value, asked, numbers, ASKED_BYTES, this.#port);
    const before = this.#count;
    this.#count = (before + 1) | 0;
    const waiting = Atomics.waitAsync(numbers, ANSWERED, before);
    Atomics.store(numbers, ASKED, this.#count);
    Atomics.notify(numbers, ASKED);
    if (waiting.async) await waiting.value;
    this.#busy = false;
    return read(answered, numbers, ANSWERED_BYTES, this.#port) as Answer;
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
  /** A step of what can be done while nobody asks. @returns whether there is more */
  idle?(): boolean;
  /** Whether this was the last answer. */
  readonly done: boolean;
}

/** In the thread: answers until `done`. The thread does nothing else: it sleeps while nobody asks. */
export function answerLink<Ask, Answer>({ numbers, asked, answered, port }: LinkEnd, how: Answering<Ask, Answer>) {
  for (let count = 0; !how.done; ) {
    if (Atomics.load(numbers, ASKED) === count) {
      if (!how.idle?.()) Atomics.wait(numbers, ASKED, count);
      continue;
    }
    count = (count + 1) | 0;
    write(how.answer(read(asked, numbers, ASKED_BYTES, port) as Ask), answered, numbers, ANSWERED_BYTES, port);
    Atomics.store(numbers, ANSWERED, count);
    Atomics.notify(numbers, ANSWERED);
  }
  port.close();
}

function write(value: unknown, target: Uint8Array, numbers: Int32Array, length: number, port: MessagePort): void {
  if (value instanceof Transferred) {
    port.postMessage(value.answer, value.buffers);
    numbers[length] = IN_PORT;
    return;
  }
  const bytes = serialize(value);
  if (bytes.length <= target.length) target.set(bytes);
  else port.postMessage(bytes);
  numbers[length] = bytes.length <= target.length ? bytes.length : SERIALIZED_IN_PORT;
}

function read(source: Uint8Array, numbers: Int32Array, length: number, port: MessagePort): unknown {
  const bytes = numbers[length]!;
  // A copy of its own: the memory is used again, and what is read may refer to it.
  if (bytes >= 0) return deserialize(source.slice(0, bytes));
  const { message } = receiveMessageOnPort(port) as { message: unknown };
  return bytes === IN_PORT ? message : deserialize(message as Uint8Array);
}
