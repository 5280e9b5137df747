import { connect, createServer, type Socket } from 'node:net';
import { listenAnywhere } from '../../../test/free-ports.ts';

/** Passes bytes on to a port, until it is told not to. */
export class TcpProxy {
  port = 0;
  #target: () => number;
  #frozen = false;
  /** All connections are cut when so many more bytes have come through. */
  #bytesLeft = Number.POSITIVE_INFINITY;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((near) => {
    const far = connect(this.#target(), '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay();
      from.on('data', (data) => {
        if (this.#frozen) return;
        const passed = data.subarray(0, this.#bytesLeft);
        this.#bytesLeft -= passed.length;
        if (this.#bytesLeft === 0) to.end(passed, () => this.cut());
        else if (!to.write(passed)) {
          from.pause();
          to.once('drain', () => from.resume());
        }
      });
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  });

  constructor(target: () => number) {
    this.#target = target;
  }

  async start(): Promise<void> {
    this.port = await listenAnywhere(this.#server);
  }

  cut(afterBytes = 0): void {
    this.#bytesLeft = afterBytes > 0 ? Math.floor(afterBytes) : Number.POSITIVE_INFINITY;
    if (afterBytes > 0) return;
    for (const socket of this.#sockets) socket.destroy();
  }

  freeze(frozen: boolean): void {
    this.#frozen = frozen;
    // What was swallowed is missing from the stream for good.
    if (!frozen) this.cut();
  }

  stop(): void {
    this.cut();
    this.#server.close();
  }
}
