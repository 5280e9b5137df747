/** Asks running nodes for capabilities all the time: maps are served, whatever happens to the log. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/base/index.ts';
import type { Board } from './board.ts';
import { type FaultCluster, healthOf } from './cluster.ts';
import type { Random } from './random.ts';

const PAUSE_MS = 300;
/** A machine that is busy with five nodes is slow: what counts is that there is an answer. */
const ANSWER_MS_MAX = 15_000;

export async function watchServices(parts: {
  readonly cluster: FaultCluster;
  readonly board: Board;
  readonly random: Random;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { cluster, board, random, signal } = parts;
  while (!signal.aborted) {
    await sleep(PAUSE_MS, undefined, { signal }).catch(() => {});
    const nodes = cluster.nodes.filter((node) => node.up && !node.isEmpty);
    if (nodes.length === 0) continue;
    const node = random.pick(nodes);
    const { era } = node;
    let problem: string | undefined;
    try {
      const url = `${node.url}/wms?service=WMS&version=1.3.0&request=GetCapabilities`;
      const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
      const text = await answer.text();
      if (answer.status !== 200 || !text.includes('WMS_Capabilities'))
        problem = `${answer.status} ${text.slice(0, 200)}`;
    } catch (error) {
      problem = messageOf(error);
    }
    // What was done to the node meanwhile explains everything.
    if (node.era !== era) continue;
    if (problem !== undefined) board.violate('not-served', `GetCapabilities of ${node.name}: ${problem}`);
    board.ogc.answered++;
    if ((await healthOf(node))?.state === 'stale') board.ogc.whileLogAway++;
  }
}
