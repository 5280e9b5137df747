/** Programs of a benchmark: started in the foreground on free ports in a temporary folder, and stopped by their own pids. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '../test/free-ports.ts';

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
export async function until(
  ready: () => Promise<boolean>,
  program: Program,
  what: string,
  withinMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    if (program.process.exitCode !== null || performance.now() > deadline)
      throw new Error(`${what} did not start:\n${readFileSync(program.logFile, 'utf8').slice(-2000)}`);
    if (await ready().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const answers = (url: string) => async () => (await fetch(url)).ok;

export interface GraticuleNode extends Program {
  readonly url: string;
  readonly port: number;
  /** Time from the start of the process to its first answer, and to its being ready, ms. */
  readonly liveMs: number;
  readonly readyMs: number;
}

/** CPU time that a process has used, ms, with all its threads. @see proc_pid_stat(5) */
export function cpuMs(program: Program): number {
  const stat = readFileSync(`/proc/${program.process.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Memory of a process that is in use, bytes. */
export function residentBytes(program: Program): number {
  const status = readFileSync(`/proc/${program.process.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

/** Starts `graticule serve`; ready when it answers. */
export async function startNode(options: {
  folder: string;
  name: string;
  role?: 'both' | 'replica';
  log?: string;
  secret: string;
  withinMs?: number;
}): Promise<GraticuleNode> {
  const port = await freePort();
  const main = path.resolve(import.meta.dirname, '../src/cli/main.ts');
  const args = [main, 'serve', '--data-dir', path.join(options.folder, options.name), '--port', String(port)];
  args.push('--name', options.name, '--role', options.role ?? 'both', '--log', options.log ?? 'embedded:');
  const begin = performance.now();
  const program = start(process.execPath, args, {
    logFile: path.join(options.folder, `${options.name}.log`),
    env: { GEOSERVER_ADMIN_PASSWORD: 'geoserver', GRATICULE_CLUSTER_SECRET: options.secret },
  });
  const url = `http://127.0.0.1:${port}/geoserver`;
  const anyAnswer = async () => (await fetch(`${url}/health/live`)).status > 0;
  await until(anyAnswer, program, `node ${options.name}`, options.withinMs);
  const liveMs = performance.now() - begin;
  await until(answers(`${url}/health/ready`), program, `node ${options.name}`, options.withinMs);
  return { ...program, url, port, liveMs, readyMs: performance.now() - begin };
}
