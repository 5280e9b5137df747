import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { NodeMessage } from '../serve.ts';

/** What one node of the demo is started with. */
export interface NodePlan {
  readonly name: string;
  readonly role: 'both' | 'replica';
  readonly port: number;
  readonly dataDir: string;
  readonly logFile: string;
  /** Arguments of `graticule`, `serve` first. */
  readonly args: readonly string[];
}

export interface NodeEvents {
  /** The node has ended although nobody stopped it. */
  died(plan: NodePlan, how: string): void;
  /** An error that the node logged. */
  trouble(plan: NodePlan, text: string): void;
}

/** Last part of a log that is shown when a node does not start, in characters. */
const TAIL_CHARACTERS = 2_000;

/** A node of the demo in a process of its own, whose output goes to a file. */
export class NodeProcess {
  readonly plan: NodePlan;
  readonly #child: ChildProcess;
  readonly #exited: Promise<string>;
  #stopping = false;
  #ready = false;

  constructor(plan: NodePlan, options: { main: string; env: NodeJS.ProcessEnv; events: NodeEvents }) {
    this.plan = plan;
    mkdirSync(path.dirname(plan.logFile), { recursive: true });
    const output = openSync(plan.logFile, 'a');
    // A process group of its own: Ctrl-C reaches the demo alone, which then stops the nodes in order.
    this.#child = spawn(process.execPath, [options.main, ...plan.args], {
      stdio: ['ignore', output, output, 'ipc'],
      env: options.env,
      detached: true,
    });
    closeSync(output);
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('exit', (code, signal) =>
        resolve(signal === null ? `exit code ${code}` : `killed by ${signal}`),
      );
    });
    this.#child.on('message', (message: NodeMessage) => {
      if (message.kind === 'trouble' && !this.#stopping)
        options.events.trouble(plan, `${message.event} ${message.reason}`.trim());
    });
    void this.#exited.then((how) => {
      if (this.#ready && !this.#stopping) options.events.died(plan, how);
    });
  }

  /** Resolves when the node answers requests. @throws Error  it ended before; the text holds the end of its log */
  async ready(): Promise<void> {
    const announced = new Promise<void>((resolve) => {
      this.#child.on('message', (message: NodeMessage) => {
        if (message.kind !== 'ready') return;
        this.#ready = true;
        resolve();
      });
    });
    const ended = this.#exited.then((how) => {
      if (this.#ready || this.#stopping) return;
      throw new Error(`node ${this.plan.name} did not start (${how}); ${this.plan.logFile} ends with\n${this.#tail()}`);
    });
    await Promise.race([announced, ended]);
  }

  /** Asks the node to end, and waits until it has. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#child.kill('SIGTERM');
    await this.#exited;
  }

  kill(): void {
    this.#stopping = true;
    this.#child.kill('SIGKILL');
  }

  #tail(): string {
    const text = readFileSync(this.plan.logFile, 'utf8').trimEnd().slice(-TAIL_CHARACTERS);
    return text.split('\n').slice(-12).join('\n');
  }
}
