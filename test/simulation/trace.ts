import { createHash, type Hash } from 'node:crypto';

/** What happened, in order: the last lines to read, and a hash of all of them to compare two runs. */
export class Trace {
  readonly #hash: Hash = createHash('sha256');
  readonly #kept: string[] = [];
  readonly #most: number;
  readonly #time: () => number;
  #sealed = false;

  constructor(time: () => number, most = Number(process.env.SIM_TRACE ?? 150)) {
    this.#time = time;
    this.#most = most;
  }

  add(who: string, what: string): void {
    if (this.#sealed) return;
    const line = `${this.#time().toFixed(0).padStart(6)} ${who.padEnd(8)} ${what}`;
    this.#hash.update(`${line}\n`);
    this.#kept.push(line);
    if (this.#kept.length > 2 * this.#most) this.#kept.splice(0, this.#most);
  }

  /** The last events, a line each: time in milliseconds, who, what. */
  lines(): readonly string[] {
    return this.#kept.slice(-this.#most);
  }

  /** Hash of everything that happened; the trace takes nothing more after that. */
  seal(): string {
    this.#sealed = true;
    return this.#hash.digest('hex').slice(0, 16);
  }
}
