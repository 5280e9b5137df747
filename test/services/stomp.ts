/**
 * STOMP 1.2, just enough to trouble a broker with: frames leave in one write, exactly when a test says, and a connection can be
 * reset with frames on their way. Bodies are text.
 */
import { connect, type Socket } from 'node:net';

export interface Frame {
  readonly command: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Headers = Readonly<Record<string, string>>;

const WAIT_MS = 15_000;

export class StompClient {
  /** Messages that nobody has taken yet. */
  readonly messages: Frame[] = [];
  /** Errors that no receipt was waiting for. */
  readonly errors: Frame[] = [];
  /** Gets each message instead, as it comes. */
  onMessage: ((frame: Frame) => void) | undefined;
  closed = false;
  readonly #socket: Socket;
  readonly #receipts = new Map<string, (error?: Error) => void>();
  readonly #wakers = new Set<() => void>();
  #buffer: Buffer = Buffer.alloc(0);
  #next = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay();
    socket.on('data', (data) => this.#take(data));
    socket.on('error', () => {});
    socket.on('close', () => this.#end());
  }

  static async connect(port: number, headers: Headers = {}): Promise<StompClient> {
    const client = new StompClient(connect(port, '127.0.0.1'));
    client.write(frame('CONNECT', { 'accept-version': '1.2', host: '/', 'heart-beat': '0,0', ...headers }));
    await client.#wait(() => client.#connected, 'CONNECTED');
    return client;
  }

  #connected = false;

  /** Sends frames, all in one write. */
  write(...frames: readonly string[]): void {
    this.#socket.write(frames.join(''));
  }

  /** Sends frames; resolves when the broker has confirmed the last one. @throws what an ERROR says, and when the connection ends */
  confirm(...frames: readonly string[]): Promise<void> {
    const id = `r${this.#next++}`;
    const last = frames.at(-1)!.replace('\n', `\nreceipt:${id}\n`);
    const receipt = new Promise<void>((resolve, reject) => {
      this.#receipts.set(id, (error) => (error === undefined ? resolve() : reject(error)));
    });
    if (this.closed) this.#end();
    this.write(...frames.slice(0, -1), last);
    return receipt;
  }

  /** The next message. */
  async next(): Promise<Frame> {
    await this.#wait(() => this.messages.length > 0, 'a message');
    return this.messages.shift()!;
  }

  subscribe(destination: string, headers: Headers = {}): Promise<void> {
    return this.confirm(frame('SUBSCRIBE', { id: '0', destination, ack: 'client-individual', ...headers }));
  }

  /** Ends the connection with a reset: what was written may arrive or not. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  close(): void {
    this.#socket.destroy();
  }

  async #wait(ready: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + WAIT_MS;
    while (!ready()) {
      if (this.closed) throw new Error(`the connection ended before ${what} came ${this.errors.map(said)}`);
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`${what} did not come ${this.errors.map(said)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(wake, left);
        const wakers = this.#wakers;
        function wake() {
          clearTimeout(timer);
          wakers.delete(wake);
          resolve();
        }
        wakers.add(wake);
      });
    }
  }

  #take(data: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, data]);
    for (let found = parse(this.#buffer); found !== undefined; found = parse(this.#buffer)) {
      this.#buffer = this.#buffer.subarray(found.length);
      this.#received(found.frame);
    }
    for (const wake of [...this.#wakers]) wake();
  }

  #received(received: Frame): void {
    const receipt = this.#receipts.get(received.headers['receipt-id'] ?? '');
    this.#receipts.delete(received.headers['receipt-id'] ?? '');
    if (received.command === 'CONNECTED') this.#connected = true;
    else if (received.command === 'RECEIPT') receipt?.();
    else if (received.command === 'ERROR' && receipt !== undefined) receipt(new Error(said(received)));
    else if (received.command === 'ERROR') this.errors.push(received);
    else if (this.onMessage !== undefined) this.onMessage(received);
    else this.messages.push(received);
  }

  #end(): void {
    this.closed = true;
    for (const receipt of this.#receipts.values()) receipt(new Error('the connection ended'));
    this.#receipts.clear();
    for (const wake of [...this.#wakers]) wake();
  }
}

/** A frame as it travels. Values of headers are not escaped: tests use plain ones. */
export function frame(command: string, headers: Headers = {}, body?: string): string {
  const length = body === undefined ? [] : [`content-length:${Buffer.byteLength(body)}`];
  const lines = [command, ...Object.entries(headers).map(([name, value]) => `${name}:${value}`), ...length];
  return `${lines.join('\n')}\n\n${body ?? ''}\0`;
}

/** A persistent message. */
export const send = (destination: string, body: string, headers: Headers = {}): string =>
  frame('SEND', { destination, persistent: 'true', ...headers }, body);

/** Frames in a transaction, which each of them has to name, with what begins and commits it. */
export const transaction = (name: string, ...frames: readonly string[]): string[] => [
  frame('BEGIN', { transaction: name }),
  ...frames.map((each) => each.replace('\n', `\ntransaction:${name}\n`)),
  frame('COMMIT', { transaction: name }),
];

export const ack = (message: Frame): string => frame('ACK', { id: message.headers.ack! });

const said = ({ headers, body }: Frame) => `${headers.message ?? ''} ${body.slice(0, 500)}`.trim();

/** The first whole frame of what has come. */
function parse(buffer: Buffer): { readonly frame: Frame; readonly length: number } | undefined {
  let begin = 0;
  while (buffer[begin] === 10) begin++;
  const headEnd = buffer.indexOf('\n\n', begin);
  if (headEnd < 0) return undefined;
  const [command, ...lines] = buffer.subarray(begin, headEnd).toString().split('\n');
  const pairs = lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]);
  // The first of several with one name counts.
  const headers: Record<string, string> = Object.fromEntries(pairs.reverse());
  const length = headers['content-length'];
  const end = length === undefined ? buffer.indexOf(0, headEnd + 2) : headEnd + 2 + Number(length);
  if (end < 0 || end >= buffer.length) return undefined;
  return { frame: { command: command!, headers, body: buffer.subarray(headEnd + 2, end).toString() }, length: end + 1 };
}
