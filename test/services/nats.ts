/** A private NATS with JetStream for tests, one server or a cluster: own folders and ports, gone when the test ends. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../free-ports.ts';
import { ServerProcess } from './server-process.ts';

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
  readonly #monitor: number;
  readonly #configuration: string;
  readonly #log: string;
  readonly #process: ServerProcess;

  constructor(folder: string, name: string, port: number, monitor: number, configuration: string) {
    this.name = name;
    this.port = port;
    this.#log = path.join(folder, `${name}.log`);
    this.#process = new ServerProcess({ cwd: folder, logFile: this.#log });
    this.#monitor = monitor;
    this.#configuration = path.join(folder, `${name}.conf`);
    writeFileSync(this.#configuration, configuration);
  }

  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    return this.#process.kill(signal);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.signal(signal);
  }

  async restart(): Promise<void> {
    await this.kill('SIGTERM');
    const listen = ['-a', '127.0.0.1', '-p', `${this.port}`, '-m', `${this.#monitor}`];
    this.#process.start(BINARY!, ['-n', this.name, ...listen, '-c', this.#configuration]);
    for (const deadline = Date.now() + START_MS_MAX; !(await this.#isHealthy()); await sleep(20))
      if (this.#process.ended || Date.now() > deadline)
        throw new Error(`nats-server did not start:\n${readFileSync(this.#log, 'utf8').slice(-2000)}`);
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
