/** Where the log of the cluster under test is: in one of its nodes, or with a broker of its own. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { type ChangeLog, openEmbeddedLog, openWebSocketLog } from '../../src/log/index.ts';
import { SECRET } from '../e2e/harness.ts';

export interface LogEngine {
  readonly name: string;
  /** Number of the node that holds the log; undefined: a broker does. */
  readonly holder: number | undefined;
  /** Where the followers' proxies lead. */
  readonly target: { readonly host: string; readonly port: number };
  /** `--log` of the node that holds the log, and of a node that reaches it by a port of this machine. */
  holderUrl(): string;
  followerUrl(proxyPort: number): string;
  /** Starts the broker; kills it as a power failure would. Absent when no one may, or a node is the broker. */
  start?(): Promise<void>;
  kill?(): Promise<void>;
  /** Opens the log, once all nodes have ended, to look at what it holds. Undefined: it cannot be read from here. */
  open?(): Promise<ChangeLog>;
}

export interface EngineOptions {
  /** `embedded`, or the log URL of a broker. */
  readonly log: string;
  /** Shell commands that start and kill the broker. */
  readonly brokerStart?: string;
  readonly brokerKill?: string;
  readonly firstPort: number;
  readonly nodesFolder: string;
}

export function chooseEngine(options: EngineOptions): LogEngine {
  const { log, firstPort, nodesFolder } = options;
  if (log === 'embedded' || log === 'embedded:')
    return {
      name: 'embedded',
      holder: 0,
      target: { host: 'localhost', port: firstPort },
      holderUrl: () => 'embedded:',
      followerUrl: (port) => `ws://localhost:${port}`,
      open: () => openEmbeddedLog({ folder: path.join(nodesFolder, 'N1', 'cluster', 'log') }),
    };
  const url = new URL(log);
  const { brokerStart, brokerKill } = options;
  const through = (port: number) => {
    const changed = new URL(log);
    changed.hostname = 'localhost';
    changed.port = String(port);
    return changed.href;
  };
  return {
    name: url.protocol.slice(0, -1),
    holder: undefined,
    target: { host: url.hostname, port: Number(url.port) },
    holderUrl: () => log,
    followerUrl: through,
    ...(brokerStart && { start: () => shell(brokerStart) }),
    ...(brokerKill && { kill: () => shell(brokerKill) }),
    ...(url.protocol.startsWith('ws') && {
      open: async () =>
        openWebSocketLog({ url: log, secret: process.env.GRATICULE_CLUSTER_SECRET ?? SECRET, name: 'audit' }),
    }),
  };
}

function shell(command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', command], { stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${command}: exit code ${code}`))));
  });
}
