/** Servers of the log are killed, one after the other, and started again; how long nobody could write meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/base/index.ts';
import type { Board } from './board.ts';
import type { LogEngine } from './engine.ts';

export async function killServers(parts: {
  readonly engine: LogEngine;
  readonly board: Board;
  /** From one kill to the next, in milliseconds. */
  readonly everyMs: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { engine, board, everyMs, signal } = parts;
  if (engine.killServer === undefined) return;
  const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => {});
  for (let nextMs = board.nowMs + everyMs / 2; !signal.aborted; nextMs += everyMs) {
    await pause(Math.max(1000, nextMs - board.nowMs));
    if (signal.aborted) return;
    try {
      const atMs = board.nowMs;
      const server = await engine.killServer();
      board.fault('kill-server', server.name);
      board.killsMs.push(atMs);
      await pause(engine.downMs);
      await server.restart();
      board.tell({ restarted: server.name });
    } catch (error) {
      board.violate('not-recovered', `a server of ${engine.name} was killed: ${messageOf(error)}`);
    }
  }
}

/** Times from the kill of a server to the next change that was asked for and acknowledged after it, in milliseconds. */
export interface FailoverTimes {
  /** For each kill and each client, ascending. */
  readonly byClient: readonly number[];
  /** For each kill, of the client that was first; ascending. */
  readonly first: readonly number[];
}

export function failoverTimes({ killsMs, operations }: Pick<Board, 'killsMs' | 'operations'>): FailoverTimes {
  const [byClient, first]: [number[], number[]] = [[], []];
  for (const [index, atMs] of killsMs.entries()) {
    const ends = new Map<string, number>();
    for (const { client, verdict, attempts } of operations) {
      const last = attempts.at(-1);
      if (verdict !== 'done' || last === undefined || last.startedMs < atMs) continue;
      // What only came after the next kill says nothing about this one.
      if (last.endedMs > (killsMs[index + 1] ?? Number.POSITIVE_INFINITY)) continue;
      ends.set(client, Math.min(ends.get(client) ?? Number.POSITIVE_INFINITY, last.endedMs - atMs));
    }
    byClient.push(...ends.values());
    if (ends.size > 0) first.push(Math.min(...ends.values()));
  }
  const ascending = (times: number[]) => times.sort((a, b) => a - b);
  return { byClient: ascending(byClient), first: ascending(first) };
}
