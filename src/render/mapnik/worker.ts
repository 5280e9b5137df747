import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../../base/index.ts';
import { prepareMapnik } from './boot.ts';
import type { ChildMessage, DrawMessage } from './protocol.ts';

export interface WorkerEvents {
  ready(faces: readonly string[]): void;
  message(message: Exclude<ChildMessage, { kind: 'ready' }>): void;
  /** The process is gone; `reason` says how. Called once. */
  gone(reason: string): void;
}

/** Longest error output of one process that is logged. */
const STDERR_BYTES_MAX = 64 * 1024;

/** One drawing process. */
export class Worker {
  readonly #child: ChildProcess;
  #stderrBytes = 0;
  #isGone = false;
  /** Maps that the process was sent; it may have let go of some. */
  readonly known = new Set<string>();
  drawn = 0;
  rssBytes = 0;
  ready = false;

  constructor(events: WorkerEvents, options: { readonly logger: Logger; readonly fontFolders: readonly string[] }) {
    const { environment } = prepareMapnik();
    const file = new URL(import.meta.url.endsWith('.ts') ? './child.ts' : './child.js', import.meta.url);
    this.#child = fork(fileURLToPath(file), {
      serialization: 'advanced',
      // The parent's secrets are none of its business: it gets what it needs and no more.
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        TMPDIR: process.env.TMPDIR,
        PGSERVICEFILE: process.env.PGSERVICEFILE,
        PGSSLROOTCERT: process.env.PGSSLROOTCERT,
        ...environment,
        // It draws one picture at a time; the second thread closes and opens data meanwhile.
        UV_THREADPOOL_SIZE: '2',
        GRATICULE_FONTS: options.fontFolders.join(':'),
      },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const gone = (reason: string) => {
      if (this.#isGone) return;
      this.#isGone = true;
      events.gone(reason);
    };
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderrBytes += chunk.length;
      if (this.#stderrBytes <= STDERR_BYTES_MAX)
        options.logger.debug('render.child-stderr', { text: withoutSecrets(chunk.toString().trim()) });
    });
    this.#child.on('message', (message: ChildMessage) => {
      if (message.kind === 'ready') {
        this.ready = true;
        events.ready(message.faces);
      } else {
        if (message.kind === 'drawn') {
          this.drawn++;
          this.rssBytes = message.rssBytes;
        }
        events.message(message);
      }
    });
    this.#child.on('error', (error) => gone(error.message));
    this.#child.on('exit', (code, signal) => gone(signal ?? `exit code ${code}`));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: DrawMessage): void {
    // A process that has just died is told of by its exit.
    this.#child.send(message, () => {});
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Lets it finish what it is at, and end. */
  release(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}

export function withoutSecrets(text: string): string {
  return text.replace(/password=('[^']*'|\S*)/gi, 'password=***');
}
