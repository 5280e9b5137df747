/** Nodes in processes of their own, for fault loops: each appends as fast as it can, and can be killed and paused. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../contract/testing.ts';
import type { NodeMessage, NodeTask } from './node.fixture.ts';

interface Node {
  readonly task: NodeTask;
  child: ChildProcess;
  exited: Promise<void>;
  stopped: boolean;
  sequence: readonly string[] | undefined;
}

export class Nodes {
  /** What was acknowledged, by position. */
  readonly acknowledged = new Map<number, string>();
  readonly counts = { kills: 0, pauses: 0, roles: 0 };
  /** Longest time in which nothing was acknowledged to anybody, in milliseconds; may be set back. */
  silenceMs = 0;
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'graticule-nodes-'));
  readonly #nodes: Node[] = [];
  #holder = 0;
  #heardMs = performance.now();
  #failure: Error | undefined;

  constructor(url: string, group: string, count: number) {
    for (let n = 0; n < count; n++) {
      const name = `n${n + 1}`;
      this.#nodes.push(this.#born({ url, group, name, folder: path.join(this.#folder, name) }));
    }
  }

  /** The node that has taken the role of deciding last. */
  get holder(): number {
    return this.#holder;
  }

  /** Resolves when so many more have been acknowledged. */
  async progress(records: number, withinMs = 30_000): Promise<void> {
    const goal = this.acknowledged.size + records;
    await until(() => this.#checked().acknowledged.size >= goal, `${records} more records`, withinMs);
  }

  async kill(n: number): Promise<void> {
    const node = this.#nodes[n]!;
    node.child.kill('SIGKILL');
    await node.exited;
    this.counts.kills++;
    this.#nodes[n] = this.#born(node.task);
  }

  async pause(n: number, ms: number): Promise<void> {
    const { child } = this.#nodes[n]!;
    child.kill('SIGSTOP');
    this.counts.pauses++;
    await sleep(ms);
    child.kill('SIGCONT');
  }

  /** Lets all come to rest. @throws AssertionError  their logs differ, or lack what was acknowledged. @returns how long the log is */
  async agree(): Promise<number> {
    for (const { child } of this.#nodes) child.send('stop');
    await until(() => this.#checked().#nodes.every(({ stopped }) => stopped), 'the nodes to stop', 30_000);
    const deadline = performance.now() + 30_000;
    for (;;) {
      for (const node of this.#nodes) {
        node.sequence = undefined;
        node.child.send('tell');
      }
      await until(
        () => this.#checked().#nodes.every(({ sequence }) => sequence !== undefined),
        'what all have',
        30_000,
      );
      // What somebody gave up waiting for may still be decided.
      if (new Set(this.#nodes.map(({ sequence }) => sequence!.length)).size === 1) break;
      assert.ok(performance.now() < deadline, 'the nodes are as far as each other in the end');
    }
    const [first, ...others] = this.#nodes.map(({ sequence }) => sequence!);
    for (const other of others) assert.deepEqual(other, first, 'all nodes have one sequence');
    assert.equal(new Set(first).size, first!.length, 'no record is there twice');
    for (const [position, text] of this.acknowledged) assert.equal(first![position - 1], text, `record ${position}`);
    return first!.length;
  }

  async stop(): Promise<void> {
    for (const { child } of this.#nodes) child.kill('SIGKILL');
    await Promise.all(this.#nodes.map(({ exited }) => exited));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #checked(): this {
    if (this.#failure !== undefined) throw this.#failure;
    return this;
  }

  #born(task: NodeTask): Node {
    const child = fork(path.join(import.meta.dirname, 'node.fixture.ts'), [JSON.stringify(task)]);
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    // A test that crashes leaves nothing behind.
    const endWithTest = () => child.kill('SIGKILL');
    process.on('exit', endWithTest);
    void exited.then(() => process.off('exit', endWithTest));
    const node: Node = { task, child, exited, stopped: false, sequence: undefined };
    child.on('message', (message: NodeMessage) => this.#hear(node, message));
    child.on('exit', (code) => {
      if (code !== null && code !== 0) this.#failure ??= new Error(`${task.name} ended with ${code}`);
    });
    return node;
  }

  #hear(node: Node, message: NodeMessage): void {
    if (message.kind === 'took-role') {
      this.#holder = this.#nodes.indexOf(node);
      this.counts.roles++;
    } else if (message.kind === 'appended') {
      const now = performance.now();
      this.silenceMs = Math.max(this.silenceMs, now - this.#heardMs);
      this.#heardMs = now;
      const before = this.acknowledged.get(message.position);
      if (before !== undefined)
        this.#failure ??= new Error(
          `${before} and ${message.text} were both acknowledged as record ${message.position}`,
        );
      this.acknowledged.set(message.position, message.text);
    } else if (message.kind === 'stopped') node.stopped = true;
    else node.sequence = message.texts;
  }
}
