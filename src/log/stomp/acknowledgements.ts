import type { Link, Sending } from './link.ts';

/** How many wait for each other at most, for how long, and with how much in their messages: the broker keeps these in memory. */
const TOGETHER = { most: 16, bytes: 256 * 1024, ms: 50 };

/**
 * Acknowledgements on one connection, several in a transaction: a broker writes each one that comes alone to its disk, and its disk has
 * better things to do while somebody appends one record after the other. A message that is not acknowledged comes again.
 */
export class Acknowledgements {
  readonly #link: Link;
  #waiting: Sending[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(link: Link) {
    this.#link = link;
    link.whenEnded(() => {
      clearTimeout(this.#timer);
      this.#waiting = [];
    });
  }

  /** @param bytes  length of the message */
  add(acknowledgement: Sending, bytes: number): void {
    if (!this.#link.open) return;
    this.#waiting.push(acknowledgement);
    this.#bytes += bytes;
    if (this.#waiting.length >= TOGETHER.most || this.#bytes >= TOGETHER.bytes) void this.send();
    else this.#timer ??= setTimeout(() => void this.send(), TOGETHER.ms);
  }

  /** Sends those that wait; resolves when the broker has taken them. */
  async send(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const some = this.#waiting.splice(0);
    this.#bytes = 0;
    if (some.length === 0 || !this.#link.open) return;
    try {
      await (some.length === 1 ? this.#link.confirm(...some) : this.#link.transaction(...some));
    } catch (error) {
      // They come again on the next connection.
      this.#link.terminate(error as Error);
    }
  }
}
