import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** Sends messages so that those which one event brought about leave together: after it, and before anything else is done. */
export class Outlet {
  readonly #socket: WebSocket;
  readonly #stream: Duplex | undefined;
  #corked = false;

  constructor(socket: WebSocket, stream: Duplex | undefined) {
    this.#socket = socket;
    this.#stream = stream;
  }

  /** Does nothing when the connection has ended: who waits for an answer hears of that. */
  send(message: Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (!this.#corked && this.#stream !== undefined) {
      this.#corked = true;
      this.#stream.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#stream!.uncork();
      });
    }
    this.#socket.send(message, { binary: true });
  }
}

/** Cuts a connection whose other end is silent for three beats. */
export class Heartbeat {
  constructor(socket: WebSocket, beatMs: number) {
    let silentBeats = 0;
    const heard = () => {
      silentBeats = 0;
    };
    socket.on('message', heard);
    socket.on('ping', heard);
    socket.on('pong', heard);
    const timer = setInterval(() => {
      if (++silentBeats > 3) socket.terminate();
      else if (socket.readyState === socket.OPEN) socket.ping();
    }, beatMs);
    timer.unref();
    socket.once('close', () => clearInterval(timer));
  }
}
