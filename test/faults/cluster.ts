/** The cluster under test: nodes, the network between each of them and the log, and two small disks. */

import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ADMIN } from '../e2e/harness.ts';
import { adjacentPorts } from '../free-ports.ts';
import { SmallDisk } from './disk.ts';
import { type LogEngine, startEngine } from './engine.ts';
import { FaultNode, type NodeTrouble } from './node.ts';
import { NodeNetwork } from './proxy.ts';

export interface ClusterOptions {
  readonly nodes: number;
  readonly log: string;
  readonly brokerStart?: string;
  readonly brokerKill?: string;
  /** Size of the small disks, in MiB; 0: none. */
  readonly diskMebibytes: number;
  readonly onTrouble: (trouble: NodeTrouble) => void;
}

/** What a node says of itself: `/health/ready`. */
export interface NodeHealth {
  readonly state: string;
  readonly position: number;
  readonly head: number;
}

export class FaultCluster {
  readonly folder: string;
  readonly engine: LogEngine;
  readonly nodes: readonly FaultNode[];

  private constructor(folder: string, engine: LogEngine, nodes: readonly FaultNode[]) {
    this.folder = folder;
    this.engine = engine;
    this.nodes = nodes;
  }

  static async start(options: ClusterOptions): Promise<FaultCluster> {
    // Not one that goes with the process: it is kept for who looks for what was lost.
    const folder = mkdtempSync(path.join(tmpdir(), 'graticule-faults-'));
    const firstPort = await adjacentPorts(options.nodes);
    const nodesFolder = path.join(folder, 'nodes');
    mkdirSync(path.join(folder, 'logs'), { recursive: true });
    const engine = await startEngine({ ...options, firstPort, folder, nodesFolder });
    const nodes: FaultNode[] = [];
    for (let index = 0; index < options.nodes; index++) {
      const name = `N${index + 1}`;
      const dataDir = path.join(nodesFolder, name);
      mkdirSync(dataDir, { recursive: true });
      const network = index === engine.holder ? undefined : await NodeNetwork.open(engine.targets);
      // The node that holds the log, and one that follows it.
      const hasDisk = options.diskMebibytes > 0 && (index === 0 || index === 1);
      nodes.push(
        new FaultNode({
          index,
          name,
          port: firstPort + index,
          role: index < Math.max(3, Math.ceil(options.nodes * 0.75)) ? 'both' : 'replica',
          logUrl: network === undefined ? engine.holderUrl() : engine.followerUrl(network.ports),
          dataDir,
          logFile: path.join(folder, 'logs', `${name}.log`),
          network,
          disk: hasDisk ? SmallDisk.mount(dataDir, options.diskMebibytes) : undefined,
          onTrouble: options.onTrouble,
        }),
      );
    }
    const cluster = new FaultCluster(folder, engine, nodes);
    const [first, ...others] = nodes;
    first!.start();
    await first!.ready();
    for (const node of others) node.start();
    await Promise.all(others.map((node) => node.ready()));
    for (const node of nodes) node.isEmpty = false;
    return cluster;
  }

  get holder(): FaultNode | undefined {
    return this.engine.holder === undefined ? undefined : this.nodes[this.engine.holder];
  }

  get followers(): readonly FaultNode[] {
    return this.nodes.filter((node) => node !== this.holder);
  }

  get hasSmallDisks(): boolean {
    return this.nodes.some((node) => node.parts.disk !== undefined);
  }

  /** Ends everything. On failure the folder stays, with what was on the small disks. */
  async end(keep: boolean): Promise<void> {
    for (const node of this.nodes) {
      node.resume();
      await node.kill();
      await node.parts.network?.close();
    }
    await this.engine.stop();
    for (const { parts } of this.nodes) {
      if (parts.disk === undefined) continue;
      const kept = `${parts.dataDir}.kept`;
      if (keep) cpSync(parts.dataDir, kept, { recursive: true });
      parts.disk.unmount();
      if (keep) cpSync(kept, parts.dataDir, { recursive: true });
    }
    if (!keep) rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

export async function healthOf(node: FaultNode): Promise<NodeHealth | undefined> {
  if (!node.up) return undefined;
  try {
    const answer = await fetch(`${node.url}/health/ready`, { signal: AbortSignal.timeout(2000) });
    return (await answer.json()) as NodeHealth;
  } catch {
    return undefined;
  }
}

/** Waits until a node says that it is in step. @returns whether it did in time */
export async function isInStep(node: FaultNode, options: { timeoutMs: number; signal: AbortSignal }): Promise<boolean> {
  const deadline = performance.now() + options.timeoutMs;
  while (performance.now() < deadline && !options.signal.aborted) {
    if ((await healthOf(node))?.state === 'in-step') return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

/** Waits until a node answers a read of the newest state. @returns whether it did in time */
export async function readsAgain(
  node: FaultNode,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<boolean> {
  const deadline = performance.now() + options.timeoutMs;
  while (performance.now() < deadline && !options.signal.aborted) {
    try {
      const { status } = await fetch(`${node.url}/rest/workspaces.json`, {
        headers: { authorization: ADMIN },
        signal: AbortSignal.timeout(2000),
      });
      if (status === 200) return true;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

/** Records that a node has applied, and not written to its disk. */
export async function unwrittenOf(node: FaultNode): Promise<number> {
  const url = `${node.url}/rest/cluster/status.json`;
  const answer = await fetch(url, { headers: { authorization: ADMIN }, signal: AbortSignal.timeout(10_000) });
  return ((await answer.json()) as { status: { unwritten: number } }).status.unwritten;
}
