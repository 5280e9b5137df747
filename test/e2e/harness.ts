/** Runs the real program for the tests in this folder: `src/cli/main.ts` in processes of its own, on free ports, in temporary folders. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { makeDemoDirectory } from '../../src/cli/demo/data-directory.ts';
import { writeZip } from '../../src/rest/zip.ts';
import type { NodeSummary, Overview } from '../../src/server/overview.ts';
import { basic } from '../basic.ts';
import { adjacentPorts } from '../free-ports.ts';
import { gdal } from '../gdal.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';

export const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
export const SECRET = 'a secret for tests';
export const PASSWORD = 'geoserver';
export const ADMIN = basic('admin', PASSWORD);

/** The environment without what would lead the program elsewhere. */
function cleanEnv(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:GEOSERVER_|GRATICULE_|CLUSTER_|NODE_TEST|npm_)/.test(name)),
  );
  return { ...env, NO_COLOR: '1', ...more };
}

/** A program that was started, with everything that it printed. */
export class Program {
  readonly process: ChildProcess;
  output = '';
  readonly exited: Promise<number | NodeJS.Signals>;

  constructor(args: readonly string[], options: { env?: NodeJS.ProcessEnv; cwd?: string } = {}) {
    this.process = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: cleanEnv(options.env),
      cwd: options.cwd,
    });
    for (const stream of [this.process.stdout!, this.process.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    this.exited = new Promise((resolve) => this.process.once('exit', (code, signal) => resolve(signal ?? code ?? -1)));
  }

  /** Waits until the program has printed something. */
  async prints(what: string | RegExp, timeoutMs = 60_000): Promise<void> {
    await eventually(
      () => {
        assert.ok(this.process.exitCode === null && this.process.signalCode === null, `ended early:\n${this.output}`);
        assert.ok(
          typeof what === 'string' ? this.output.includes(what) : what.test(this.output),
          `no ${what} in\n${this.output}`,
        );
      },
      timeoutMs,
      () => this.process.exitCode !== null,
    );
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill(signal);
    return this.exited;
  }
}

/** Runs the program to its end. */
export async function run(
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<{ code: unknown; output: string }> {
  const program = new Program(args, { env });
  const code = await program.exited;
  return { code, output: program.output };
}

// ---- nodes

export interface NodeOptions {
  readonly folder: string;
  readonly name: string;
  readonly port: number;
  readonly role?: 'both' | 'replica';
  /** Port of the node that holds the log; absent: this one does; `unknown`: it is not told. */
  readonly logPort?: number | 'unknown';
  /** URL of a log that no node holds. */
  readonly log?: string;
  readonly dataDir?: string;
  readonly more?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** A node that the test may kill. */
export class TestNode {
  readonly name: string;
  readonly url: string;
  readonly dataDir: string;
  readonly #options: NodeOptions;
  program: Program;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.url = `http://localhost:${options.port}/geoserver`;
    this.dataDir = options.dataDir ?? path.join(options.folder, options.name);
    this.program = this.#start();
  }

  #start(): Program {
    const { name, port, role, logPort, log, more, env } = this.#options;
    const args = ['serve', '--data-dir', this.dataDir, '--port', String(port), '--host', '127.0.0.1', '--name', name];
    args.push('--url', this.url, '--role', role ?? 'both', '--render-processes', '1');
    if (log !== undefined) args.push('--log', log);
    else if (logPort !== 'unknown')
      args.push('--log', logPort === undefined ? 'embedded:' : `ws://localhost:${logPort}`);
    args.push(...(more ?? []));
    return new Program(args, { env: { GRATICULE_CLUSTER_SECRET: SECRET, GEOSERVER_ADMIN_PASSWORD: PASSWORD, ...env } });
  }

  async ready(): Promise<this> {
    await this.program.prints('"node-ready"');
    return this;
  }

  /** As if the machine had lost its power, as far as this process knows. */
  async kill(): Promise<void> {
    this.program.process.kill('SIGKILL');
    await this.program.exited;
  }

  async restart(): Promise<this> {
    this.program = this.#start();
    return this.ready();
  }

  stop(): Promise<number | NodeJS.Signals> {
    return this.program.stop();
  }

  rest(...asked: Asked): Promise<Response> {
    return rest(this.url, ...asked);
  }
}

/** Makes the data directory of a node, with the demo's data; the same each time. */
export async function demoDirectory(folder: string, name: string): Promise<void> {
  await makeDemoDirectory(path.join(folder, name), { adminPassword: PASSWORD, salt: new Uint8Array(16) });
}

/** A cluster on the demo's data: A (primary, holds the log), B (primary), C (replica), all ready. */
export async function startDemoCluster(folder: string): Promise<[a: TestNode, b: TestNode, c: TestNode]> {
  const base = await adjacentPorts(3);
  await demoDirectory(folder, 'A');
  const a = await new TestNode({ folder, name: 'A', port: base }).ready();
  const b = new TestNode({ folder, name: 'B', port: base + 1, logPort: base });
  const c = new TestNode({ folder, name: 'C', port: base + 2, logPort: base, role: 'replica' });
  return [a, await b.ready(), await c.ready()];
}

/** Text is XML unless another type is given. */
export type Asked = readonly [
  method: string,
  resource: string,
  body?: string | Uint8Array,
  contentType?: string,
  headers?: Readonly<Record<string, string>>,
];

/** Asks the REST API, as the administrator. */
export function rest(url: string, ...asked: Asked): Promise<Response> {
  const [method, resource, body, contentType = 'text/xml', headers] = asked;
  const typed = body === undefined ? {} : { 'content-type': contentType };
  return fetch(`${url}/rest${resource}`, {
    method,
    headers: { authorization: ADMIN, ...typed, ...headers },
    body: body as string | undefined,
    signal: AbortSignal.timeout(30_000),
  });
}

export const workspaceXml = (name: string) => `<workspace><name>${name}</name></workspace>`;

export async function workspaceNames(url: string): Promise<string[]> {
  const list = (await (await rest(url, 'GET', '/workspaces.json')).json()) as {
    workspaces: { workspace: { name: string }[] };
  };
  return list.workspaces.workspace.map(({ name }) => name);
}

export async function overview(url: string): Promise<Overview> {
  return (await (await fetch(`${url}/cluster/overview.json`)).json()) as Overview;
}

/** Position and digest of a node, by itself. */
export async function nodeState(url: string): Promise<NodeSummary> {
  const { node, nodes } = await overview(url);
  return nodes.find(({ name }) => name === node)!;
}

/** Waits until a node knows of these, and of no others. */
export async function sees(url: string, ...names: readonly string[]): Promise<void> {
  await eventually(async () => assert.deepEqual((await overview(url)).nodes.map(({ name }) => name).sort(), names));
}

/** Waits until all are at one position, and checks that they hold the same there. */
export async function equalTrees(...urls: readonly string[]): Promise<{ position: number; digest: string }> {
  return eventually(async () => {
    const states = await Promise.all(urls.map(nodeState));
    const [first, ...others] = states;
    for (const other of others) assert.equal(other.position, first!.position, JSON.stringify(states));
    for (const other of others) assert.equal(other.digest, first!.digest, 'same position, different trees');
    return first!;
  });
}

// ---- maps

export async function getMap(url: string, params: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const query = new URLSearchParams({
    service: 'WMS',
    version: '1.1.1',
    request: 'GetMap',
    styles: '',
    srs: 'EPSG:4326',
    bbox: '-180,-90,180,90',
    width: '512',
    height: '256',
    format: 'image/png',
    ...params,
  });
  const answer = await fetch(`${url}/wms?${query}`, { signal: AbortSignal.timeout(60_000) });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const type = answer.headers.get('content-type') ?? '';
  assert.ok(type.startsWith('image/png'), `${type}: ${Buffer.from(bytes).toString('utf8').slice(0, 500)}`);
  return bytes;
}

// ---- files

/** A ZIP with a shapefile `lands`: the countries of the demo's data, of a node that has it, written by GDAL. */
export function zippedLands(node: { readonly dataDir: string }): Uint8Array {
  const folder = temporaryFolder('lands');
  const source = path.join(node.dataDir, 'data/natural_earth.gpkg');
  gdal('ogr2ogr', '-f', 'ESRI Shapefile', folder, source, 'countries', '-nln', 'lands', '-lco', 'ENCODING=UTF-8');
  return writeZip(readdirSync(folder).map((name) => ({ path: name, bytes: readFileSync(path.join(folder, name)) })));
}

/** A file's text; none when it is not there. */
export function readText(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
