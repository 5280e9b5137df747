/** Where the log of the cluster under test is: in one of its nodes, on servers that this run starts, or on somebody's. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { type ChangeLog, openEmbeddedLog, openWebSocketLog } from '../../src/log/index.ts';
import { SECRET } from '../e2e/harness.ts';
import { PRIVATE_ENGINES, type PrivateEngine } from './private-engines.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A server that was killed. */
export interface KilledServer {
  readonly name: string;
  restart(): Promise<void>;
}

export interface LogEngine {
  readonly name: string;
  /** Number of the node that holds the log; undefined: servers do. */
  readonly holder: number | undefined;
  /** Where the followers' proxies lead. */
  readonly targets: readonly Address[];
  /** `--log` of the node that holds the log, and of a node that reaches the targets by these ports of this machine. */
  holderUrl(): string;
  followerUrl(proxyPorts: readonly number[]): string;
  /** Ends, as a power failure would, a server without which the log cannot go on. Absent when no one may, or a node is it. */
  killServer?(): Promise<KilledServer>;
  /** For how long a server stays away, in milliseconds: others that stand in for it have their chance. */
  readonly downMs: number;
  /** Opens the log, once all nodes have ended, to look at what it holds. Undefined: it cannot be read from here. */
  open?(): Promise<ChangeLog>;
  stop(): Promise<void>;
}

export interface EngineOptions {
  /** `embedded`, one of `ENGINES`, or the URL of a log that is there. */
  readonly log: string;
  /** Shell commands that start and kill the server of a log that is there. */
  readonly brokerStart?: string;
  readonly brokerKill?: string;
  readonly firstPort: number;
  /** Of the run. */
  readonly folder: string;
  readonly nodesFolder: string;
}

/** Names of engines that a run can start by itself. */
export const ENGINES: readonly string[] = ['embedded', ...Object.keys(PRIVATE_ENGINES)];

export async function startEngine(options: EngineOptions): Promise<LogEngine> {
  const { log, firstPort, nodesFolder } = options;
  if (log === 'embedded' || log === 'embedded:')
    return {
      name: 'embedded',
      holder: 0,
      targets: [{ host: 'localhost', port: firstPort }],
      holderUrl: () => 'embedded:',
      followerUrl: ([port]) => `ws://localhost:${port}`,
      downMs: 0,
      open: () => openEmbeddedLog({ folder: path.join(nodesFolder, 'N1', 'cluster', 'log') }),
      stop: async () => {},
    };
  const start: PrivateEngine | undefined = PRIVATE_ENGINES[log];
  return start === undefined ? engineAt(options) : start(options);
}

async function engineAt({ log, brokerStart, brokerKill }: EngineOptions): Promise<LogEngine> {
  const url = new URL(log);
  if (brokerStart) await shell(brokerStart);
  return {
    name: url.protocol.slice(0, -1),
    holder: undefined,
    targets: [{ host: url.hostname, port: Number(url.port) }],
    holderUrl: () => log,
    followerUrl: ([port]) => {
      const changed = new URL(log);
      changed.hostname = 'localhost';
      changed.port = String(port);
      return changed.href;
    },
    downMs: 1000,
    ...(brokerStart &&
      brokerKill && {
        async killServer() {
          await shell(brokerKill);
          return { name: 'the server', restart: () => shell(brokerStart) };
        },
      }),
    ...(url.protocol.startsWith('ws') && {
      open: async () =>
        openWebSocketLog({ url: log, secret: process.env.GRATICULE_CLUSTER_SECRET ?? SECRET, name: 'audit' }),
    }),
    async stop() {
      if (brokerKill) await shell(brokerKill);
    },
  };
}

function shell(command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', command], { stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${command}: exit code ${code}`))));
  });
}
