/** A private NATS with JetStream for tests, one server or a cluster: own folders and ports, gone when the test ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface NatsServer {
  readonly name: string;
  readonly port: number;
  /** Ends the process, as `kill -9` would, or politely. */
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** Makes it stand still, and go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Starts it again in the same folder, on the same port. */
  restart(): Promise<void>;
}

export interface Nats {
  readonly servers: readonly NatsServer[];
  /** `nats://127.0.0.1:port,127.0.0.1:port` */
  readonly url: string;
  /** Has its configuration and its data. */
  readonly folder: string;
  stop(): Promise<void>;
}

export interface NatsOptions {
  /** Default: 1. */
  readonly servers?: number;
  /** More of the configuration file; `FOLDER` stands for the folder. */
  readonly configuration?: string;
  /** Files to put into the folder, by name. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
}

const BINARY = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/bin']
  .map((folder) => path.join(folder, 'nats-server'))
  .find((file) => existsSync(file));

/** Why there is no NATS to test against; undefined when there is one. The value fits node:test's `skip`. */
export const natsMissing: string | undefined =
  BINARY === undefined ? 'NATS is not installed (apt-get install nats-server)' : undefined;

const START_MS_MAX = 30_000;

export async function startNats(options: NatsOptions = {}): Promise<Nats> {
  if (BINARY === undefined) throw new Error(natsMissing);
  const folder = mkdtempSync(path.join(tmpdir(), 'graticule-nats-'));
  for (const [name, content] of Object.entries(options.files ?? {})) writeFileSync(path.join(folder, name), content);
  const number = options.servers ?? 1;
  const [ports, monitors, routes] = [await freePorts(number), await freePorts(number), await freePorts(number)];
  const servers = ports.map(
    (port, n) => new Server(folder, `n${n + 1}`, port, monitors[n]!, configuration(options, folder, n, routes)),
  );
  const stop = async () => {
    await Promise.all(servers.map((server) => server.kill('SIGTERM')));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await Promise.all(servers.map((server) => server.restart()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { servers, folder, url: `nats://${ports.map((port) => `127.0.0.1:${port}`).join()}`, stop };
}

function configuration(options: NatsOptions, folder: string, n: number, routes: readonly number[]): string {
  const cluster =
    routes.length === 1
      ? ''
      : `cluster {
  name: tests
  listen: "127.0.0.1:${routes[n]}"
  no_advertise: true
  routes: [${routes.map((port) => `"nats-route://127.0.0.1:${port}"`).join(', ')}]
}
`;
  return `jetstream { store_dir: "${folder}/n${n + 1}" }\n${cluster}${(options.configuration ?? '').replaceAll('FOLDER', folder)}\n`;
}

class Server implements NatsServer {
  readonly name: string;
  readonly port: number;
  readonly #folder: string;
  readonly #monitor: number;
  readonly #configuration: string;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  constructor(folder: string, name: string, port: number, monitor: number, configuration: string) {
    this.name = name;
    this.port = port;
    this.#folder = folder;
    this.#monitor = monitor;
    this.#configuration = path.join(folder, `${name}.conf`);
    writeFileSync(this.#configuration, configuration);
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    const giveUp = setTimeout(() => child.kill('SIGKILL'), 5000);
    await this.#exited;
    clearTimeout(giveUp);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  async restart(): Promise<void> {
    await this.kill('SIGTERM');
    const file = path.join(this.#folder, `${this.name}.log`);
    const log = openSync(file, 'a');
    const child = spawn(
      BINARY!,
      ['-n', this.name, '-a', '127.0.0.1', '-p', `${this.port}`, '-m', `${this.#monitor}`, '-c', this.#configuration],
      { cwd: this.#folder, stdio: ['ignore', log, log] },
    );
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()));
    // A test that crashes leaves nothing behind.
    const endWithTest = () => child.kill('SIGKILL');
    process.on('exit', endWithTest);
    void this.#exited.then(() => process.off('exit', endWithTest));
    for (const deadline = Date.now() + START_MS_MAX; !(await this.#isHealthy()); await sleep(20))
      if (child.exitCode !== null || Date.now() > deadline)
        throw new Error(`nats-server did not start:\n${readFileSync(file, 'utf8').slice(-2000)}`);
  }

  async #isHealthy(): Promise<boolean> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.#monitor}/healthz?js-enabled-only=true`, {
        signal: AbortSignal.timeout(1000),
      });
      await answer.body?.cancel();
      return answer.ok;
    } catch {
      return false;
    }
  }
}

/** Different ones, as long as nobody else takes them meanwhile. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
