/** Programs of a benchmark: started in the foreground on free ports in a temporary folder, and stopped by their own pids. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface Program {
  readonly process: ChildProcess;
  readonly logFile: string;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

export function temporaryFolder(): { path: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'graticule-bench-'));
  return { path: folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function start(
  command: string,
  args: readonly string[],
  options: { logFile: string; env?: Record<string, string>; stopSignal?: NodeJS.Signals; cwd?: string },
): Program {
  const out = openSync(options.logFile, 'a');
  const child = spawn(command, args, {
    stdio: ['ignore', out, out],
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
  });
  running.add(child);
  child.on('exit', () => running.delete(child));
  child.on('error', () => running.delete(child));
  return {
    process: child,
    logFile: options.logFile,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill(options.stopSignal ?? 'SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 8000);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Polls until `ready` returns true; a program that ended meanwhile is an error that shows the end of its log. */
export async function until(ready: () => Promise<boolean>, program: Program, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    if (program.process.exitCode !== null || performance.now() > deadline)
      throw new Error(`${what} did not start:\n${readFileSync(program.logFile, 'utf8').slice(-2000)}`);
    if (await ready().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

export const answers = (url: string) => async () => (await fetch(url)).ok;

export interface GraticuleNode extends Program {
  readonly url: string;
  readonly port: number;
}

/** Starts `graticule serve`; ready when it answers. */
export async function startNode(options: {
  folder: string;
  name: string;
  role?: 'both' | 'replica';
  log?: string;
  secret: string;
}): Promise<GraticuleNode> {
  const port = await freePort();
  const main = path.resolve(import.meta.dirname, '../src/cli/main.ts');
  const args = [main, 'serve', '--data-dir', path.join(options.folder, options.name), '--port', String(port)];
  args.push('--name', options.name, '--role', options.role ?? 'both', '--log', options.log ?? 'embedded:');
  const program = start(process.execPath, args, {
    logFile: path.join(options.folder, `${options.name}.log`),
    env: { GEOSERVER_ADMIN_PASSWORD: 'geoserver', GRATICULE_CLUSTER_SECRET: options.secret },
  });
  const url = `http://127.0.0.1:${port}/geoserver`;
  await until(answers(`${url}/health/ready`), program, `node ${options.name}`);
  return { ...program, url, port };
}
