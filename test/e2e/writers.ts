/** Clients that write while something is killed, and what must be there afterwards. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../waiting.ts';
import { type TestNode, workspaceNames, workspaceXml } from './harness.ts';

/** A request that has no good answer by then fails the test. */
const PATIENCE_MS = 60_000;

export interface Writers {
  /** Waits until so many more requests have been answered. */
  more(count: number, timeoutMs?: number): Promise<void>;
}

/** The names of the workspaces whose making was answered with 201. */
export type Answered = ReadonlySet<string>;

/**
 * Lets clients write for as long as `run` takes: each makes one workspace after the other, and sends each request until it is answered,
 * as its key allows.
 *
 * @param nodes  one client for each; a node may stand here more than once
 */
export async function whileWriting(
  nodes: readonly TestNode[],
  run: (writers: Writers) => Promise<void>,
): Promise<Answered> {
  const answered = new Set<string>();
  let stopped = false;
  const write = async (node: TestNode, client: number) => {
    for (let n = 0; !stopped; n++) {
      const name = `written-${client}-${n}`;
      await make(node, name);
      answered.add(name);
    }
  };
  const writing = Promise.all(nodes.map(write));
  const more = async (count: number, timeoutMs = PATIENCE_MS) => {
    const before = answered.size;
    const enough = () => assert.ok(answered.size >= before + count, `${answered.size - before} writes, not ${count}`);
    await Promise.race([eventually(enough, timeoutMs), writing]);
  };
  try {
    await run({ more });
  } finally {
    stopped = true;
    await writing;
  }
  return answered;
}

async function make(node: TestNode, name: string): Promise<void> {
  for (const giveUpMs = performance.now() + PATIENCE_MS; ; ) {
    const answer = await node
      .rest('POST', '/workspaces', workspaceXml(name), 'text/xml', { 'idempotency-key': `make-${name}` })
      .catch(() => undefined);
    if (answer?.status === 201) return;
    // Done twice, it would be refused the second time: the workspace is there.
    assert.ok(answer === undefined || answer.status === 503, `${name}: ${answer?.status} ${await answer?.text()}`);
    assert.ok(performance.now() < giveUpMs, `${name} was not made within ${PATIENCE_MS / 1000} s`);
    await sleep(25);
  }
}

/** All that was answered is on each of the nodes, and nothing else of those clients. */
export async function auditWritten(answered: Answered, nodes: readonly TestNode[]): Promise<void> {
  for (const { url, name } of nodes) {
    const found = (await workspaceNames(url)).filter((each) => each.startsWith('written-'));
    assert.deepEqual(found.sort(), [...answered].sort(), name);
  }
}
