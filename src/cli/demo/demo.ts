import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { UserError, VERSION } from '../../base/index.ts';
import { isPostgresUrl, isStompUrl } from '../../log/index.ts';
import { checkPassword, readRegistry } from '../../security/index.ts';
import { clusterSecrets, secretFile } from '../secret.ts';
import { sharedStore } from '../shared-log.ts';
import { clusterReport, statusTable } from '../status.ts';
import { styled } from '../text.ts';
import { copyDataDirectory, makeDemoDirectory } from './data-directory.ts';
import { type NodePlan, NodeProcess } from './node-process.ts';
import type { DemoOptions } from './options.ts';
import { findSharedLog, keepToLog, type SharedLog } from './shared-log.ts';

const MAIN = path.resolve(import.meta.dirname, '../main.ts');
const DEFAULT_PASSWORD = 'geoserver';
/** How long the nodes may take to hear of each other. */
const MEET_MS = 15_000;

/** Runs a cluster on this machine until Ctrl-C. */
export async function demo(options: DemoOptions): Promise<void> {
  console.log(`\n${styled('bold', `Graticule ${VERSION}`)}`);
  const plans = planNodes(options);
  await checkPorts(plans, options.host);
  const supervisor = new Supervisor(plans);
  supervisor.stopOnSignals();
  try {
    await prepareDirectory(
      options,
      plans[0]!,
      options.log === undefined ? undefined : await findSharedLog(options.log, options),
    );
    // The first node holds the log, or begins it; the others find it there.
    const [first, ...others] = plans;
    await supervisor.start(first!);
    await Promise.all(others.map((plan) => supervisor.start(plan)));
    await showCluster(options, plans);
  } catch (error) {
    if (supervisor.stopping) return;
    await supervisor.stop();
    throw error;
  }
}

// ---- what is started

/** `A` and `B` take changes, the others are replicas. */
function planNodes(options: DemoOptions): NodePlan[] {
  const dir = path.resolve(options.dir);
  const ports = Array.from({ length: options.nodes }, (_, index) => options.port + index);
  const cors = ports.map((port) => `http://localhost:${port}`).join(',');
  const renderProcesses = Math.max(1, Math.floor(availableParallelism() / options.nodes));
  return ports.map((port, index) => {
    const name = nodeName(options, index);
    const holdsLog = index === 0 && options.log === undefined;
    const role = index < 2 ? 'both' : 'replica';
    const dataDir = path.join(dir, name);
    return {
      name,
      role,
      port,
      dataDir,
      logFile: path.join(dir, 'logs', `${name}.log`),
      args: [
        ...['serve', '--data-dir', shown(dataDir), '--cluster-dir', shown(path.join(dataDir, 'cluster'))],
        ...['--port', String(port), '--host', options.host, '--name', name, '--url', nodeUrl(port), '--role', role],
        ...['--log', holdsLog ? 'embedded:' : logUrl(options)],
        ...secretArgs(options),
        ...['--render-processes', String(renderProcesses), '--cors', cors],
      ],
    };
  });
}

/** In a cluster that others have begun, letters may be taken: there the port tells nodes apart. */
const nodeName = (options: DemoOptions, index: number) =>
  `${String.fromCharCode(65 + index)}${options.log === undefined ? '' : `-${options.port + index}`}`;
const nodeUrl = (port: number) => `http://localhost:${port}/geoserver`;
const logUrl = (options: DemoOptions) => options.log ?? `ws://localhost:${options.port}`;

/** What tells the nodes their cluster's secret, where they know each other by one. */
function secretArgs(options: DemoOptions): string[] {
  if (options.secretFile !== undefined) return ['--secret-file', shown(path.resolve(options.secretFile))];
  if (!makesSecret(options)) return [];
  return ['--secret-file', shown(secretFile(path.resolve(options.dir, nodeName(options, 0), 'cluster')))];
}

/** Whether the secret is the demo's own: its nodes serve each other. */
function makesSecret({ log, secretFile: given }: DemoOptions): boolean {
  if (process.env.GRATICULE_CLUSTER_SECRET || given !== undefined) return false;
  // Who shares a folder finds the secret in it.
  return log === undefined || isStompUrl(log) || isPostgresUrl(sharedStore(log) ?? '');
}

/** A path as one would type it here. */
function shown(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative === '' || relative.startsWith('..') ? file : relative;
}

/** @throws UserError  names the ports that are taken */
async function checkPorts(plans: readonly NodePlan[], host: string): Promise<void> {
  const taken: number[] = [];
  for (const { port } of plans) if (!(await isFree(port, host))) taken.push(port);
  if (taken.length === 0) return;
  const which = taken.length === 1 ? `port ${taken[0]} is` : `ports ${taken.join(' and ')} are`;
  throw new UserError(
    409,
    'port-taken',
    `${which} taken by another program; choose another base with --port, for example: npm start -- --port ${plans[0]!.port + 1000}`,
  );
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host }, () => probe.close(() => resolve(true)));
  });
}

/** Fills the first node's folder at the first start. The others' fill themselves from the cluster. */
async function prepareDirectory(options: DemoOptions, first: NodePlan, log: SharedLog | undefined): Promise<void> {
  const dir = path.resolve(options.dir);
  if (log !== undefined) keepToLog(dir, log);
  const exists = existsSync(first.dataDir);
  if (exists && options.from !== undefined)
    throw new UserError(
      409,
      'directory-in-use',
      `${options.dir} holds a cluster already, so --from cannot be used with it; choose another folder with --dir, or delete this one`,
    );
  mkdirSync(dir, { recursive: true });
  if (exists) progress('Data', `found in ${shown(first.dataDir)}`);
  else if (log?.isEmpty === false && options.from === undefined) progress('Data', 'comes from the log');
  else {
    const startedAt = performance.now();
    if (options.from === undefined)
      await makeDemoDirectory(first.dataDir, { adminPassword: DEFAULT_PASSWORD, salt: randomBytes(16) });
    else copyDataDirectory(path.resolve(options.from), first.dataDir);
    const what = options.from === undefined ? 'made from Natural Earth' : `copied from ${options.from}`;
    progress('Data', `${what} in ${seconds(startedAt)}: ${shown(first.dataDir)}`);
  }
  if (makesSecret(options)) clusterSecrets({ clusterDir: path.join(first.dataDir, 'cluster'), holdsLog: true });
}

// ---- what is shown

function progress(what: string, text: string): void {
  console.log(`  ${what.padEnd(7)} ${text}`);
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

async function showCluster(options: DemoOptions, plans: readonly NodePlan[]): Promise<void> {
  const deadline = performance.now() + MEET_MS;
  let report = await clusterReport(nodeUrl(options.port));
  const names = new Set(plans.map((plan) => plan.name));
  const complete = () =>
    report.trees === 'equal' && report.nodes.filter((node) => names.has(node.name)).length === plans.length;
  while (!complete() && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    report = await clusterReport(nodeUrl(options.port));
  }
  const fresh = path.join(path.resolve(options.dir), nodeName(options, plans.length));
  const joining = [
    ...['serve', '--data-dir', shown(fresh), '--port', String(options.port + plans.length), '--host', options.host],
    ...['--name', nodeName(options, plans.length), '--log', logUrl(options)],
    ...secretArgs(options),
  ];
  console.log(`
${statusTable(report.nodes)}

  ${styled('bold', 'Page')}      ${styled('cyan', nodeUrl(options.port))}
  ${styled('bold', 'Login')}     ${await login(plans[0]!)}
  ${styled('bold', 'Logs')}      ${shown(path.dirname(plans[0]!.logFile))}/

  One more node, with an empty folder:
    ${commandLine(joining)}

  ${styled('dim', 'Ctrl-C stops the cluster; the next start comes back with everything that was changed.')}
`);
}

/** How to log in: the password is told where it is the demo's own, or was given in the environment by whoever reads this. */
async function login(first: NodePlan): Promise<string> {
  const told = (password: string) => `user ${styled('bold', 'admin')}, password ${styled('bold', password)}`;
  const given = process.env.GEOSERVER_ADMIN_PASSWORD;
  if (given) return `${told(given)} (GEOSERVER_ADMIN_PASSWORD)`;
  const read = (file: string) => {
    const full = path.join(first.dataDir, file);
    return existsSync(full) ? readFileSync(full) : undefined;
  };
  for (const user of readRegistry({ read, hash: () => undefined }).users('admin'))
    if (user.enabled && (await checkPassword(DEFAULT_PASSWORD, user.password)).kind === 'match')
      return told(DEFAULT_PASSWORD);
  return 'a user of the data directory; GEOSERVER_ADMIN_PASSWORD gives admin another password';
}

/** What to type to run `graticule` with these arguments, in the folder that this was typed in. */
function commandLine(args: readonly string[]): string {
  // npm runs scripts in the package's folder, wherever below it one types.
  const program =
    process.env.npm_lifecycle_event === undefined
      ? `${quoted(shown(process.execPath))} ${quoted(shown(MAIN))}`
      : 'npm run graticule --';
  return `${program} ${args.map(quoted).join(' ')}`;
}

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;
}

// ---- keeping the nodes

/** Starts the nodes, says when one ends by itself, and stops them: those that read the log before the one that holds it. */
class Supervisor {
  stopping = false;
  readonly #plans: readonly NodePlan[];
  readonly #running = new Map<string, NodeProcess>();

  constructor(plans: readonly NodePlan[]) {
    this.#plans = plans;
  }

  async start(plan: NodePlan): Promise<void> {
    const startedAt = performance.now();
    // What belongs to one node is given by its flags, and must not come from the environment of all.
    const { CLUSTER_CONFIG_DIR: _, GRATICULE_ADOPT: __, ...env } = process.env;
    const node = new NodeProcess(plan, {
      main: MAIN,
      env,
      events: {
        died: (dead, how) => this.#died(dead, how),
        trouble: (troubled, text) => console.error(`  ${styled('red', `Node ${troubled.name}`)}  ${text}`),
      },
    });
    this.#running.set(plan.name, node);
    await node.ready();
    if (!this.stopping) progress(`Node ${plan.name}`, `ready in ${seconds(startedAt)}`);
  }

  #died(plan: NodePlan, how: string): void {
    this.#running.delete(plan.name);
    console.error(`
  ${styled('red', `Node ${plan.name} has ended`)} (${how}); its log is ${shown(plan.logFile)}. Start it again with
    ${commandLine(plan.args)}
`);
    if (this.#running.size > 0) return;
    console.error('  No node is left.\n');
    process.exit(1);
  }

  /** The first signal stops the nodes in order, the second at once. */
  stopOnSignals(): void {
    const stop = (signal: NodeJS.Signals) => {
      if (this.stopping) {
        for (const node of this.#running.values()) node.kill();
        process.exit(130);
      }
      console.log(`\n  Stopping ...${signal === 'SIGINT' ? styled('dim', ' (Ctrl-C again: at once)') : ''}`);
      void this.stop().then(() => {
        console.log('  All nodes have stopped.\n');
        process.exit(0);
      });
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(signal));
  }

  async stop(): Promise<void> {
    this.stopping = true;
    const first = this.#plans[0]!.name;
    const others = [...this.#running].filter(([name]) => name !== first);
    await Promise.all(others.map(([, node]) => node.stop()));
    await this.#running.get(first)?.stop();
  }
}
