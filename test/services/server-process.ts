/** A server that tests start, kill, pause and start again: it writes to a log file, and ends with the test at the latest. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

export interface ServerProcessOptions {
  readonly cwd: string;
  /** Output is appended to it. */
  readonly logFile: string;
  readonly uid?: number;
  readonly gid?: number;
  /** What ends it when the test ends without having stopped it. Default: SIGKILL. */
  readonly endSignal?: NodeJS.Signals;
}

const KILL_AFTER_MS = 5000;

export class ServerProcess {
  readonly #options: ServerProcessOptions;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  constructor(options: ServerProcessOptions) {
    this.#options = options;
  }

  /** Whether it was never started, or has ended. */
  get ended(): boolean {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  start(program: string, args: readonly string[]): void {
    const { logFile, endSignal = 'SIGKILL', ...options } = this.#options;
    const log = openSync(logFile, 'a');
    const child = spawn(program, args, { ...options, stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()));
    // A test that crashes leaves nothing behind.
    const endWithTest = () => child.kill(endSignal);
    process.on('exit', endWithTest);
    void this.#exited.then(() => process.off('exit', endWithTest));
  }

  /** Ends it, if it has not ended; after five seconds with SIGKILL. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || this.ended) return;
    child.kill(signal);
    const giveUp = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
    await this.#exited;
    clearTimeout(giveUp);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }
}
