/** One node of the cluster under test: the real program, started again and again on one data directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { MAIN, PASSWORD, SECRET } from '../e2e/harness.ts';
import type { SmallDisk } from './disk.ts';
import type { NodeNetwork } from './proxy.ts';

export interface FaultNodeParts {
  readonly index: number;
  readonly name: string;
  readonly port: number;
  readonly role: 'both' | 'replica';
  readonly logUrl: string;
  readonly dataDir: string;
  readonly logFile: string;
  /** Between this node and the log; absent for the one that holds it. */
  readonly network: NodeNetwork | undefined;
  readonly disk: SmallDisk | undefined;
  /** Told of events at level error, of mendings, of text outside the log's format, and of ends that nobody asked for. */
  readonly onTrouble: (trouble: NodeTrouble) => void;
}

export interface NodeTrouble {
  readonly node: string;
  readonly event: string;
  readonly text: string;
}

const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 15_000;

export class FaultNode {
  readonly parts: FaultNodeParts;
  readonly name: string;
  readonly url: string;
  #process: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  #ready = false;
  #frozen = false;
  /** An end is expected. */
  #ending = false;
  /** Its disk is full, or was when it ended. */
  diskIsFull = false;
  /** Counts processes, stops and continuations: nothing happened to the node between two equal values. */
  #era = 0;
  /** It has no state of its own yet: nothing to serve. */
  isEmpty = true;

  constructor(parts: FaultNodeParts) {
    this.parts = parts;
    this.name = parts.name;
    this.url = `http://localhost:${parts.port}/geoserver`;
  }

  get era(): number {
    return this.#era;
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  /** Serving, as far as this test has not kept it from doing so. */
  get up(): boolean {
    return this.#ready && !this.#frozen && !this.#ending;
  }

  get role(): 'both' | 'replica' {
    return this.parts.role;
  }

  start(): void {
    if (this.#process !== undefined) throw new Error(`${this.name} is running already`);
    const { name, port, role, logUrl, dataDir } = this.parts;
    const args = ['serve', '--data-dir', dataDir, '--port', String(port), '--host', '127.0.0.1', '--name', name];
    args.push('--url', this.url, '--role', role, '--render-processes', '1', '--log', logUrl, '--log-format', 'json');
    const clean = Object.entries(process.env).filter(
      ([key]) => !/^(?:GEOSERVER_|GRATICULE_|CLUSTER_|NODE_TEST|npm_)/.test(key),
    );
    const secrets = { GRATICULE_CLUSTER_SECRET: SECRET, GEOSERVER_ADMIN_PASSWORD: PASSWORD };
    this.#era++;
    this.#ending = false;
    this.note('started');
    const child = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...Object.fromEntries(clean), NO_COLOR: '1', ...secrets },
    });
    this.#process = child;
    // Whatever ends this test ends its nodes.
    const endWithUs = () => child.kill('SIGKILL');
    process.on('exit', endWithUs);
    child.once('exit', () => process.off('exit', endWithUs));
    this.#listen(child);
    this.#exited = new Promise((resolve) =>
      child.once('exit', (code, signal) => {
        this.note(`ended: ${signal ?? code}`);
        if (!this.#ending && !this.diskIsFull)
          this.#trouble('ended', `ended by itself: ${signal ?? `exit code ${code}`}`);
        if (this.#ending && signal === null && code !== 0 && !this.diskIsFull)
          this.#trouble('ended', `ended with exit code ${code} when it was told to stop`);
        this.#process = undefined;
        this.#ready = false;
        this.#frozen = false;
        this.#era++;
        resolve(undefined);
      }),
    );
  }

  async ready(timeoutMs = READY_MS_MAX): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!this.#ready) {
      if (this.#process === undefined) throw new Error(`${this.name} has ended before it was ready`);
      if (performance.now() > deadline) throw new Error(`${this.name} is not ready after ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** By SIGTERM, as an operator would. */
  async terminate(): Promise<void> {
    this.resume();
    await this.#end('SIGTERM');
  }

  freeze(): void {
    this.#frozen = true;
    this.#era++;
    this.note('SIGSTOP');
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    if (!this.#frozen) return;
    this.#frozen = false;
    this.#era++;
    this.note('SIGCONT');
    this.#process?.kill('SIGCONT');
  }

  /** Empties the data directory of a node that has ended. */
  wipe(): void {
    const { dataDir } = this.parts;
    for (const entry of existsSync(dataDir) ? readdirSync(dataDir) : [])
      rmSync(path.join(dataDir, entry), { recursive: true, force: true });
    this.isEmpty = true;
    this.note('wiped');
  }

  /** Says something in the node's log file, in the test's name. */
  note(text: string): void {
    appendFileSync(this.parts.logFile, `--- ${new Date().toISOString()} ${text}\n`);
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#ending = true;
    this.#era++;
    this.note(signal);
    child.kill(signal);
    const late = setTimeout(() => {
      this.#trouble('ended', `still runs ${STOP_MS_MAX} ms after ${signal}`);
      child.kill('SIGKILL');
    }, STOP_MS_MAX);
    await this.#exited;
    clearTimeout(late);
  }

  #listen(child: ChildProcess): void {
    const { logFile } = this.parts;
    for (const stream of [child.stdout!, child.stderr!]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text: string) => {
        appendFileSync(logFile, text);
        const lines = (rest + text).split('\n');
        rest = lines.pop()!;
        for (const line of lines) this.#read(line);
      });
    }
  }

  #read(line: string): void {
    if (line.trim() === '') return;
    let entry: { level?: string; event?: string };
    try {
      entry = JSON.parse(line) as typeof entry;
    } catch {
      this.#trouble('text', line);
      return;
    }
    if (entry.event === 'node-ready') this.#ready = true;
    if (entry.level === 'error' || entry.event === 'tree-mended') this.#trouble(entry.event ?? 'error', line);
  }

  #trouble(event: string, text: string): void {
    this.parts.onTrouble({ node: this.name, event, text });
  }
}
